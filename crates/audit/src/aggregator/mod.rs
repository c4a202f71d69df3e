//! The aggregator of one worker: it counts verdicts by name, route and outcome in the worker's own memory.
//!
//! A verdict or page event that occurred before in this window costs a few look-ups and an addition: no lock, no
//! allocation. The counts since the last [`Page`] are flushed several times a second, at the end of each window, and
//! when the declaration changes.

mod agreements;

use std::{
    borrow::Borrow,
    cell::RefCell,
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    hash::{Hash, Hasher},
    rc::Rc,
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
};

use foldhash::fast::RandomState;

use self::agreements::Agreements;
use super::{
    MAX_NAMES, OTHER,
    agreement::{AgreementEvent, ShownPage},
    batch::{Page, PageAccount, PageAgreement, PageRow, has_foreign_name},
    counters::{Books, Counts},
    name::{NameBuffer, name_template},
    route::RouteBuffer,
    window::{Figures, Window},
};
use crumbgate_policy::{
    Mode,
    asked::{AskedLifetime, Attributes},
    verdict::{Action, Direction, Verdict},
};

/// Counts verdicts for one worker: as evidence for the ledger, and in the worker's part of the [`Books`].
pub struct Journal {
    books: Arc<Books>,
    /// `None` if no ledger is kept; the counters are kept in any case.
    evidence: Option<RefCell<Evidence>>,
    /// Counters and index of each tenant. Holding the `Account`s themselves would be a reference cycle.
    by_tenant: RefCell<HashMap<Arc<str>, Opened, RandomState>>,
}

type Opened = (Arc<Counts>, usize);

/// Records the verdicts of one tenant on one worker.
#[derive(Clone)]
pub struct Account {
    journal: Rc<Journal>,
    counts: Arc<Counts>,
    number: usize,
    declaration: Arc<str>,
}

/// The counts for the ledger, and buffers to which its texts are written without an allocation.
struct Evidence {
    draft: Draft,
    name: NameBuffer,
    route: RouteBuffer,
}

/// Builds the next batch.
struct Draft {
    sender: SyncSender<Page>,
    /// Batches that did not fit into the channel, oldest first.
    unsent: VecDeque<Page>,
    /// Number of rows in `unsent`, of all kinds.
    unsent_rows: usize,
    /// True if `unsent` was full at the last flush: until the next one, no flush is tried for want of room.
    is_stuck: bool,
    window: Window,
    /// The version of the declaration that the current counts belong to.
    declaration: Arc<str>,
    accounts: Vec<AccountState>,
    /// The indexes of tenants that had traffic since the last batch.
    touched: Vec<usize>,
    /// Every name and route of `rows`, each stored once.
    texts: HashSet<Text, RandomState>,
    /// Number of routes in `texts`.
    routes: usize,
    /// The indexes of tenants that have undeclared names in this window.
    named: Vec<usize>,
    rows: HashMap<Key, Row, RandomState>,
    agreements: Agreements,
    other: Arc<str>,
}

/// The state of one tenant since the last batch and in this window.
struct AccountState {
    tenant: Arc<str>,
    counts: Arc<Counts>,
    is_touched: bool,
    first_unix_s: u64,
    last_unix_s: u64,
    /// The values of `counts` at the last batch.
    reported_requests: u64,
    reported: Figures,
    dropped: Figures,
    /// The undeclared names in this window.
    names: Names,
}

type Names = HashSet<Text, RandomState>;

/// The key of a row. Names and routes are compared by address: `texts` holds each once, and the row keeps it alive.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Key {
    account: usize,
    name: usize,
    route: usize,
    granted_s: Option<u32>,
    direction: Direction,
    action: Action,
    mode: Mode,
    lifetime: Option<AskedLifetime>,
}

/// Hashes the fields in which most rows differ, and leaves the others to the comparison.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.name ^ self.account.rotate_left(32));
        state.write_usize(self.route);
        state.write_u32(self.granted_s.unwrap_or_default());
        self.action.hash(state);
    }
}

/// A text that is stored once and found by its bytes.
#[derive(Clone, Eq, PartialEq)]
struct Text(Arc<str>);

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

struct Row {
    name: Option<Arc<str>>,
    route: Arc<str>,
    /// The count since the last batch; 0 if there was none since.
    count: u64,
    first_unix_s: u64,
    last_unix_s: u64,
    attributes: Attributes,
}

impl Journal {
    /// The aggregator of a new worker. Its counters are read through `books`. With `sender` and a window's length in
    /// seconds, it also counts evidence and sends it there.
    pub fn new(books: Arc<Books>, sender: Option<(SyncSender<Page>, u32)>) -> Rc<Self> {
        let evidence = sender.map(|(sender, window_s)| {
            let (name, route) = (NameBuffer::default(), RouteBuffer::default());
            RefCell::new(Evidence { draft: Draft::new(sender, window_s), name, route })
        });
        Rc::new(Self { books, evidence, by_tenant: RefCell::default() })
    }

    /// A recorder for `tenant` and this version of the declaration.
    pub fn account(self: &Rc<Self>, tenant: &Arc<str>, declaration: &Arc<str>) -> Account {
        let mut by_tenant = self.by_tenant.borrow_mut();
        let (counts, number) = by_tenant.entry(Arc::clone(tenant)).or_insert_with(|| {
            let counts = self.books.open(tenant);
            let open =
                |evidence: &RefCell<Evidence>| evidence.borrow_mut().draft.open(tenant, &counts);
            let number = self.evidence.as_ref().map_or(0, open);
            (counts, number)
        });
        let (counts, declaration) = (Arc::clone(counts), Arc::clone(declaration));
        Account { journal: Rc::clone(self), counts, number: *number, declaration }
    }

    /// Sends the counts since the last batch, if there are any. Never waits: counts that can't be sent now stay here and
    /// continue to grow.
    pub fn hand_on(&self) {
        if let Some(evidence) = &self.evidence {
            evidence.borrow_mut().draft.hand_on();
        }
    }

    /// Number of batches that could not be sent yet.
    pub fn waiting(&self) -> usize {
        self.evidence.as_ref().map_or(0, |evidence| evidence.borrow().draft.unsent.len())
    }
}

impl Account {
    /// The template of a path, for the verdicts of one exchange; `None` if no evidence is kept.
    pub fn route(&self, path: &str) -> Option<Arc<str>> {
        let evidence = &mut *self.journal.evidence.as_ref()?.borrow_mut();
        Some(evidence.draft.route(evidence.route.template(path)))
    }

    /// Counts one request.
    pub fn count_request(&self, unix_s: u64) {
        if let Some(evidence) = &self.journal.evidence {
            evidence.borrow_mut().draft.touch(self.number, &self.declaration, unix_s);
        }
        self.counts.count_request();
    }

    /// Counts one verdict; `route` is the result of [`Account::route`] for the exchange.
    pub fn count(&self, verdict: &Verdict<'_>, mode: Mode, route: Option<&Arc<str>>, unix_s: u64) {
        let (Some(evidence), Some(route)) = (&self.journal.evidence, route) else {
            return self.counts.count(verdict);
        };
        let Evidence { draft, name, .. } = &mut *evidence.borrow_mut();
        // First, because it may begin a new batch, to which this verdict then belongs.
        draft.touch(self.number, &self.declaration, unix_s);
        let is_foreign = has_foreign_name(verdict.action);
        let name = if is_foreign {
            name_template(verdict.name, name).as_bytes()
        } else {
            // A declared name is a token from the configuration, or empty.
            verdict.name
        };
        let name = Name { text: name, is_foreign };
        draft.count(self.number, verdict, name, mode, route, unix_s);
        // Last, because `draft.count` may flush a full batch, which does not contain this verdict.
        self.counts.count(verdict);
    }

    /// Counts one event on a page. A withdrawal counts for the page on which its button was pressed.
    pub fn count_agreement(&self, event: AgreementEvent, page: &Arc<ShownPage>, unix_s: u64) {
        if let Some(evidence) = &self.journal.evidence {
            let draft = &mut evidence.borrow_mut().draft;
            draft.touch(self.number, &self.declaration, unix_s);
            draft.count_agreement(self.number, event, page, unix_s);
        }
        // Last, as for verdicts.
        self.counts.count_agreement(event);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The name of a cookie, in the form that may be kept.
#[derive(Clone, Copy)]
struct Name<'n> {
    text: &'n [u8],
    /// True if the name is not declared: the number of such names is limited (A4).
    is_foreign: bool,
}

impl Draft {
    fn new(sender: SyncSender<Page>, window_s: u32) -> Self {
        Self {
            sender,
            unsent: VecDeque::new(),
            unsent_rows: 0,
            is_stuck: false,
            window: Window { start_unix_s: 0, length_s: window_s },
            declaration: Arc::default(),
            accounts: Vec::new(),
            touched: Vec::new(),
            texts: HashSet::default(),
            routes: 0,
            named: Vec::new(),
            rows: HashMap::default(),
            agreements: Agreements::default(),
            other: OTHER.into(),
        }
    }

    fn open(&mut self, tenant: &Arc<str>, counts: &Arc<Counts>) -> usize {
        self.accounts.push(AccountState {
            tenant: Arc::clone(tenant),
            counts: Arc::clone(counts),
            is_touched: false,
            first_unix_s: 0,
            last_unix_s: 0,
            reported_requests: 0,
            reported: Figures::default(),
            dropped: Figures::default(),
            names: HashSet::default(),
        });
        self.accounts.len() - 1
    }

    fn route(&mut self, template: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(template.as_bytes()) {
            return Arc::clone(&known.0);
        }
        if self.routes >= MAX_ROUTES {
            return Arc::clone(&self.other);
        }
        self.routes += 1;
        let route: Arc<str> = template.into();
        self.texts.insert(Text(Arc::clone(&route)));
        route
    }

    /// Notes traffic of a tenant. First begins a new batch if the window or the declaration has changed.
    fn touch(&mut self, account: usize, declaration: &Arc<str>, unix_s: u64) {
        self.rule(declaration);
        if !self.window.holds(unix_s) {
            self.hand_on();
            self.begin(Window::of(unix_s, self.window.length_s));
        }
        let minute = minute(unix_s);
        let Some(state) = self.accounts.get_mut(account) else { return };
        if !state.is_touched {
            state.is_touched = true;
            state.first_unix_s = minute;
            state.last_unix_s = minute;
            self.touched.push(account);
        }
        state.first_unix_s = state.first_unix_s.min(minute);
        state.last_unix_s = state.last_unix_s.max(minute);
    }

    /// Removes the rows of the last window: the limit on names applies per window (A4).
    fn begin(&mut self, window: Window) {
        self.window = window;
        self.drop_counts();
        self.rows.clear();
        self.agreements.clear();
        self.texts.clear();
        self.routes = 0;
        for account in self.named.drain(..) {
            if let Some(state) = self.accounts.get_mut(account) {
                state.names = HashSet::default();
            }
        }
    }

    /// Begins a new batch if the declaration differs. After a reload this alternates as long as exchanges run that began
    /// before it.
    fn rule(&mut self, declaration: &Arc<str>) {
        if Arc::ptr_eq(&self.declaration, declaration) {
            return;
        }
        if self.declaration != *declaration {
            self.hand_on();
            self.drop_counts();
        }
        self.declaration = Arc::clone(declaration);
    }

    /// Counts as dropped what could not be sent although its batch ends, because the ledger's thread has received none for a
    /// long time.
    fn drop_counts(&mut self) {
        for (key, row) in self.rows.iter_mut().filter(|(_, row)| row.count > 0) {
            let count = std::mem::take(&mut row.count);
            if let Some(state) = self.accounts.get_mut(key.account) {
                *state.dropped.of(key.direction, key.action) += count;
            }
        }
        for row in self.agreements.take() {
            if let Some(state) = self.accounts.get_mut(row.account) {
                state.dropped.agreements += row.count;
            }
        }
    }

    fn count(
        &mut self,
        account: usize,
        verdict: &Verdict<'_>,
        name: Name<'_>,
        mode: Mode,
        route: &Arc<str>,
        unix_s: u64,
    ) {
        let known = self.texts.get(name.text);
        let mut key = Key {
            account,
            name: known.map_or(0, |known| address(&known.0)),
            route: address(route),
            granted_s: verdict.granted_s,
            direction: verdict.direction,
            action: verdict.action,
            mode,
            lifetime: verdict.asked.map(|asked| asked.lifetime),
        };
        if (known.is_some() || name.text.is_empty()) && self.increment(&key, verdict, unix_s) {
            return;
        }
        let name = self.admit(account, name);
        key.name = name.as_ref().map_or(0, address);
        if self.increment(&key, verdict, unix_s) {
            return;
        }
        if self.rows.len() >= MAX_ROWS {
            if !self.is_stuck {
                self.hand_on();
            }
            if !self.touched.is_empty() {
                // Neither a row nor a place in `unsent` is free: counted as dropped.
                if let Some(state) = self.accounts.get_mut(account) {
                    *state.dropped.of(verdict.direction, verdict.action) += 1;
                }
                return;
            }
            self.rows.clear();
            let declaration = Arc::clone(&self.declaration);
            self.touch(account, &declaration, unix_s);
        }
        self.rows.insert(
            key,
            Row {
                name,
                route: Arc::clone(route),
                count: 0,
                first_unix_s: minute(unix_s),
                last_unix_s: minute(unix_s),
                attributes: Attributes::default(),
            },
        );
        self.increment(&key, verdict, unix_s);
    }

    fn count_agreement(
        &mut self,
        account: usize,
        event: AgreementEvent,
        page: &Arc<ShownPage>,
        unix_s: u64,
    ) {
        if self.agreements.count(account, event, page, unix_s) {
            return;
        }
        if !self.is_stuck {
            self.hand_on();
        }
        if !self.touched.is_empty() {
            // As for verdicts: there is no room.
            if let Some(state) = self.accounts.get_mut(account) {
                state.dropped.agreements += 1;
            }
            return;
        }
        self.agreements.clear();
        let declaration = Arc::clone(&self.declaration);
        self.touch(account, &declaration, unix_s);
        self.agreements.count(account, event, page, unix_s);
    }

    /// Counts in an existing row; returns `false` if there is none.
    fn increment(&mut self, key: &Key, verdict: &Verdict<'_>, unix_s: u64) -> bool {
        let Some(row) = self.rows.get_mut(key) else { return false };
        let minute = minute(unix_s);
        if row.count == 0 {
            row.first_unix_s = minute;
            row.last_unix_s = minute;
            row.attributes = Attributes::default();
        }
        row.count += 1;
        row.first_unix_s = row.first_unix_s.min(minute);
        row.last_unix_s = row.last_unix_s.max(minute);
        if let Some(asked) = verdict.asked {
            row.attributes = row.attributes.union(asked.attributes);
        }
        true
    }

    /// The text for a name that no row of this tenant has yet: the name itself if there is room for it (A4), otherwise
    /// `(other)`; `None` for an empty name.
    fn admit(&mut self, account: usize, name: Name<'_>) -> Option<Arc<str>> {
        if name.text.is_empty() {
            return None;
        }
        let known = self.texts.get(name.text).map(|known| Arc::clone(&known.0));
        let names = self.accounts.get_mut(account).map(|state| &mut state.names);
        let names = names.filter(|names| name.is_foreign && !names.contains(name.text));
        let is_full =
            |names: &&mut Names| names.len() >= MAX_NAMES || self.texts.len() >= MAX_TEXTS;
        if names.as_ref().is_some_and(is_full) {
            return Some(Arc::clone(&self.other));
        }
        let text = known.unwrap_or_else(|| String::from_utf8_lossy(name.text).into());
        if let Some(names) = names {
            if names.is_empty() {
                self.named.push(account);
            }
            names.insert(Text(Arc::clone(&text)));
        }
        self.texts.insert(Text(Arc::clone(&text)));
        Some(text)
    }

    fn hand_on(&mut self) {
        while let Some(page) = self.unsent.pop_front() {
            let rows = rows_of(&page);
            if let Err(page) = self.send(page) {
                self.unsent.push_front(page);
                break;
            }
            self.unsent_rows = self.unsent_rows.saturating_sub(rows);
        }
        self.is_stuck = self.unsent_rows >= MAX_UNSENT_ROWS;
        if self.touched.is_empty() || self.is_stuck {
            return;
        }
        let page = self.page();
        let unsent = if self.unsent.is_empty() { self.send(page).err() } else { Some(page) };
        if let Some(page) = unsent {
            self.unsent_rows = self.unsent_rows.saturating_add(rows_of(&page));
            self.unsent.push_back(page);
        }
    }

    /// Sends a batch, or returns it if the channel is full.
    fn send(&self, page: Page) -> Result<(), Page> {
        match self.sender.try_send(page) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(page) | TrySendError::Disconnected(page)) => Err(page),
        }
    }

    /// The counts since the last batch.
    fn page(&mut self) -> Page {
        let mut accounts = Vec::with_capacity(self.touched.len());
        for account in self.touched.drain(..) {
            let Some(state) = self.accounts.get_mut(account) else { continue };
            let tally = state.counts.read();
            accounts.push(PageAccount {
                tenant: Arc::clone(&state.tenant),
                first_unix_s: state.first_unix_s,
                last_unix_s: state.last_unix_s,
                requests: tally.requests.saturating_sub(state.reported_requests),
                seen: tally.figures().since(state.reported),
                dropped: std::mem::take(&mut state.dropped),
            });
            state.is_touched = false;
            state.reported_requests = tally.requests;
            state.reported = tally.figures();
        }
        let rows = self.rows.iter_mut().filter(|(_, row)| row.count > 0);
        let rows = rows.filter_map(|(key, row)| {
            Some(PageRow {
                tenant: Arc::clone(&self.accounts.get(key.account)?.tenant),
                mode: key.mode,
                direction: key.direction,
                action: key.action,
                name: row.name.clone(),
                lifetime: key.lifetime,
                granted_s: key.granted_s,
                route: Arc::clone(&row.route),
                count: std::mem::take(&mut row.count),
                first_unix_s: row.first_unix_s,
                last_unix_s: row.last_unix_s,
                attributes: row.attributes,
            })
        });
        let rows = rows.collect();
        let agreements = self.agreements.take().filter_map(|row| {
            Some(PageAgreement {
                tenant: Arc::clone(&self.accounts.get(row.account)?.tenant),
                event: row.event,
                page: row.page,
                count: row.count,
                first_unix_s: row.first_unix_s,
                last_unix_s: row.last_unix_s,
            })
        });
        let agreements = agreements.collect();
        let declaration = Arc::clone(&self.declaration);
        Page { window: self.window, declaration, accounts, rows, agreements }
    }
}

fn rows_of(page: &Page) -> usize {
    page.rows.len() + page.accounts.len() + page.agreements.len()
}

fn address(text: &Arc<str>) -> usize {
    Arc::as_ptr(text).addr()
}

/// The start of a moment's minute: evidence does not record seconds (A2).
fn minute(unix_s: u64) -> u64 {
    unix_s - unix_s % 60
}

/// Number of rows that a worker keeps. When they are full, they are flushed and removed.
const MAX_ROWS: usize = 16_384;

/// Number of names and routes that a worker keeps, of all tenants together.
const MAX_TEXTS: usize = 65_536;

/// Number of routes that a worker counts separately in a window.
const MAX_ROUTES: usize = 1_000;

/// Number of rows that may wait for the ledger's thread, in addition to those in the channel.
const MAX_UNSENT_ROWS: usize = 65_536;

#[cfg(test)]
mod tests;
