//! The aggregator of one worker: it counts verdicts by name, route and outcome in the worker's own memory.
//!
//! A verdict or page event that occurred before in this window costs a few look-ups and an addition: no lock, no
//! allocation. The counts since the last [`Batch`] are flushed several times a second, at the end of each window, and
//! when the declaration changes.

mod agreements;
mod guards;

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

use self::{agreements::Agreements, guards::Guards};
use super::{
    agreement::{AgreementEvent, ShownPage},
    batch::{AgreementCount, Batch, GuardCount, TenantCount, VerdictCount, has_foreign_name},
    counters::{Counters, TenantCounters},
    guard_event::GuardEvent,
    limits::{MAX_NAMES, OTHER},
    name::{NameBuffer, name_template},
    route::RouteBuffer,
    window::{Figures, Window, minute},
};
use crumbgate_policy::{
    GuardMode, Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Action, Direction, Verdict},
};

/// Counts verdicts for one worker: as evidence for the ledger, and in the worker's part of the [`Counters`].
pub struct Aggregator {
    counters: Arc<Counters>,
    /// `None` if no ledger is kept. The counters are updated in any case.
    evidence: Option<RefCell<Evidence>>,
    /// Counters and index of each tenant. Holding the `TenantRecorder`s themselves would be a reference cycle.
    by_tenant: RefCell<HashMap<Arc<str>, Opened, RandomState>>,
}

type Opened = (Arc<TenantCounters>, usize);

/// Records the verdicts of one tenant on one worker.
#[derive(Clone)]
pub struct TenantRecorder {
    aggregator: Rc<Aggregator>,
    counters: Arc<TenantCounters>,
    number: usize,
    declaration: Arc<str>,
}

/// The counts for the ledger, and buffers to which its texts are written without an allocation.
struct Evidence {
    builder: BatchBuilder,
    name: NameBuffer,
    route: RouteBuffer,
}

/// Builds the next batch.
struct BatchBuilder {
    sender: SyncSender<Batch>,
    /// Batches that did not fit into the channel, oldest first.
    unsent: VecDeque<Batch>,
    /// Number of rows in `unsent`, of all kinds.
    unsent_rows: usize,
    /// True if `unsent` was full at the last flush: until the next one, no flush is tried for want of room.
    is_stuck: bool,
    window: Window,
    /// The version of the declaration that the current counts belong to.
    declaration: Arc<str>,
    tenants: Vec<TenantState>,
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
    guards: Guards,
    /// Events of the guard since the last batch that are in no row, because there was no room.
    dropped_guard_events: u64,
    other: Arc<str>,
}

/// The state of one tenant since the last batch and in this window.
struct TenantState {
    tenant: Arc<str>,
    counters: Arc<TenantCounters>,
    is_touched: bool,
    first_unix_s: u64,
    last_unix_s: u64,
    /// The values of `counters` at the last batch.
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
    tenant: usize,
    name: usize,
    route: usize,
    granted_s: Option<u32>,
    direction: Direction,
    action: Action,
    mode: Mode,
    lifetime: Option<RequestedLifetime>,
}

/// Hashes the fields in which most rows differ, and leaves the others to the comparison.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.name ^ self.tenant.rotate_left(32));
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

impl Aggregator {
    /// The aggregator of a new worker. Its counters are read through `counters`. With `sender` and a window's length in
    /// seconds, it also counts evidence and sends it there.
    pub fn new(counters: Arc<Counters>, sender: Option<(SyncSender<Batch>, u32)>) -> Rc<Self> {
        let evidence = sender.map(|(sender, window_s)| {
            let (name, route) = (NameBuffer::default(), RouteBuffer::default());
            RefCell::new(Evidence { builder: BatchBuilder::new(sender, window_s), name, route })
        });
        Rc::new(Self { counters, evidence, by_tenant: RefCell::default() })
    }

    /// A recorder for `tenant` and this version of the declaration.
    pub fn recorder(self: &Rc<Self>, tenant: &Arc<str>, declaration: &Arc<str>) -> TenantRecorder {
        let mut by_tenant = self.by_tenant.borrow_mut();
        let (counters, number) = by_tenant.entry(Arc::clone(tenant)).or_insert_with(|| {
            let counters = self.counters.open(tenant);
            let open = |evidence: &RefCell<Evidence>| {
                evidence.borrow_mut().builder.open(tenant, &counters)
            };
            let number = self.evidence.as_ref().map_or(0, open);
            (counters, number)
        });
        let (counters, declaration) = (Arc::clone(counters), Arc::clone(declaration));
        TenantRecorder { aggregator: Rc::clone(self), counters, number: *number, declaration }
    }

    /// Sends the counts since the last batch, if there are any. Never waits: counts that can't be sent now stay here and
    /// continue to grow.
    pub fn flush(&self) {
        if let Some(evidence) = &self.evidence {
            evidence.borrow_mut().builder.flush();
        }
    }

    /// Number of batches that could not be sent yet.
    pub fn unsent(&self) -> usize {
        self.evidence.as_ref().map_or(0, |evidence| evidence.borrow().builder.unsent.len())
    }
}

impl TenantRecorder {
    /// The template of a path, for the verdicts of one exchange; `None` if no evidence is kept.
    pub fn route(&self, path: &str) -> Option<Arc<str>> {
        let evidence = &mut *self.aggregator.evidence.as_ref()?.borrow_mut();
        Some(evidence.builder.route(evidence.route.template(path)))
    }

    /// Counts one request.
    pub fn count_request(&self, unix_s: u64) {
        if let Some(evidence) = &self.aggregator.evidence {
            evidence.borrow_mut().builder.touch(self.number, &self.declaration, unix_s);
        }
        self.counters.count_request();
    }

    /// Counts one verdict; `route` is the result of [`TenantRecorder::route`] for the exchange.
    pub fn count(&self, verdict: &Verdict<'_>, mode: Mode, route: Option<&Arc<str>>, unix_s: u64) {
        let (Some(evidence), Some(route)) = (&self.aggregator.evidence, route) else {
            return self.counters.count(verdict);
        };
        let Evidence { builder, name, .. } = &mut *evidence.borrow_mut();
        // First, because it may begin a new batch, to which this verdict then belongs.
        builder.touch(self.number, &self.declaration, unix_s);
        let is_foreign = has_foreign_name(verdict.action);
        let name = if is_foreign {
            name_template(verdict.name, name).as_bytes()
        } else {
            // A declared name is a token from the configuration, or empty.
            verdict.name
        };
        let name = Name { text: name, is_foreign };
        builder.count(self.number, verdict, name, mode, route, unix_s);
        // Last, because `builder.count` may flush a full batch, which does not contain this verdict.
        self.counters.count(verdict);
    }

    /// Counts one event on a page. A withdrawal counts for the page on which its button was pressed.
    pub fn count_agreement(&self, event: AgreementEvent, page: &Arc<ShownPage>, unix_s: u64) {
        if let Some(evidence) = &self.aggregator.evidence {
            let builder = &mut evidence.borrow_mut().builder;
            builder.touch(self.number, &self.declaration, unix_s);
            builder.count_agreement(self.number, event, page, unix_s);
        }
        // Last, as for verdicts.
        self.counters.count_agreement(event);
    }

    /// Counts one event of the guard, which acted in this mode. `name` is the reported name; empty for events of pages.
    pub fn count_guard(&self, event: GuardEvent, name: &[u8], mode: GuardMode, unix_s: u64) {
        let Some(evidence) = &self.aggregator.evidence else { return };
        let Evidence { builder, name: buffer, .. } = &mut *evidence.borrow_mut();
        builder.touch(self.number, &self.declaration, unix_s);
        builder.count_guard(self.number, mode, event, name_template(name, buffer), unix_s);
    }
}

impl fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").finish_non_exhaustive()
    }
}

impl fmt::Debug for TenantRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantRecorder").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The name of a cookie, in the form that may be kept.
#[derive(Clone, Copy)]
struct Name<'n> {
    text: &'n [u8],
    /// True if the name is not declared: the number of such names is limited (A4).
    is_foreign: bool,
}

impl BatchBuilder {
    fn new(sender: SyncSender<Batch>, window_s: u32) -> Self {
        Self {
            sender,
            unsent: VecDeque::new(),
            unsent_rows: 0,
            is_stuck: false,
            window: Window { start_unix_s: 0, length_s: window_s },
            declaration: Arc::default(),
            tenants: Vec::new(),
            touched: Vec::new(),
            texts: HashSet::default(),
            routes: 0,
            named: Vec::new(),
            rows: HashMap::default(),
            agreements: Agreements::default(),
            guards: Guards::new(),
            dropped_guard_events: 0,
            other: OTHER.into(),
        }
    }

    fn open(&mut self, tenant: &Arc<str>, counters: &Arc<TenantCounters>) -> usize {
        self.tenants.push(TenantState {
            tenant: Arc::clone(tenant),
            counters: Arc::clone(counters),
            is_touched: false,
            first_unix_s: 0,
            last_unix_s: 0,
            reported_requests: 0,
            reported: Figures::default(),
            dropped: Figures::default(),
            names: HashSet::default(),
        });
        self.tenants.len() - 1
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
    fn touch(&mut self, tenant: usize, declaration: &Arc<str>, unix_s: u64) {
        self.set_declaration(declaration);
        if !self.window.holds(unix_s) {
            self.flush();
            self.begin(Window::of(unix_s, self.window.length_s));
        }
        let minute = minute(unix_s);
        let Some(state) = self.tenants.get_mut(tenant) else { return };
        if !state.is_touched {
            state.is_touched = true;
            state.first_unix_s = minute;
            state.last_unix_s = minute;
            self.touched.push(tenant);
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
        self.guards.begin_window();
        self.texts.clear();
        self.routes = 0;
        for tenant in self.named.drain(..) {
            if let Some(state) = self.tenants.get_mut(tenant) {
                state.names = HashSet::default();
            }
        }
    }

    /// Begins a new batch if the declaration differs. After a reload this alternates as long as exchanges run that began
    /// before it.
    fn set_declaration(&mut self, declaration: &Arc<str>) {
        if Arc::ptr_eq(&self.declaration, declaration) {
            return;
        }
        if self.declaration != *declaration {
            self.flush();
            self.drop_counts();
        }
        self.declaration = Arc::clone(declaration);
    }

    /// Counts as dropped what could not be sent although its batch ends, because the ledger's thread has received none for a
    /// long time.
    fn drop_counts(&mut self) {
        for (key, row) in self.rows.iter_mut().filter(|(_, row)| row.count > 0) {
            let count = std::mem::take(&mut row.count);
            if let Some(state) = self.tenants.get_mut(key.tenant) {
                *state.dropped.of(key.direction, key.action) += count;
            }
        }
        for row in self.agreements.take() {
            if let Some(state) = self.tenants.get_mut(row.tenant) {
                state.dropped.agreements += row.count;
            }
        }
        self.dropped_guard_events += self.guards.take().map(|row| row.count).sum::<u64>();
    }

    fn count(
        &mut self,
        tenant: usize,
        verdict: &Verdict<'_>,
        name: Name<'_>,
        mode: Mode,
        route: &Arc<str>,
        unix_s: u64,
    ) {
        let known = self.texts.get(name.text);
        let mut key = Key {
            tenant,
            name: known.map_or(0, |known| address(&known.0)),
            route: address(route),
            granted_s: verdict.granted_s,
            direction: verdict.direction,
            action: verdict.action,
            mode,
            lifetime: verdict.requested.map(|requested| requested.lifetime),
        };
        if (known.is_some() || name.text.is_empty()) && self.increment(&key, verdict, unix_s) {
            return;
        }
        let name = self.admit(tenant, name);
        key.name = name.as_ref().map_or(0, address);
        if self.increment(&key, verdict, unix_s) {
            return;
        }
        if self.rows.len() >= MAX_ROWS {
            if !self.is_stuck {
                self.flush();
            }
            if !self.touched.is_empty() {
                // Neither a row nor a place in `unsent` is free: counted as dropped.
                if let Some(state) = self.tenants.get_mut(tenant) {
                    *state.dropped.of(verdict.direction, verdict.action) +=
                        u64::from(verdict.count);
                }
                return;
            }
            self.rows.clear();
            let declaration = Arc::clone(&self.declaration);
            self.touch(tenant, &declaration, unix_s);
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
        tenant: usize,
        event: AgreementEvent,
        page: &Arc<ShownPage>,
        unix_s: u64,
    ) {
        if self.agreements.count(tenant, event, page, unix_s) {
            return;
        }
        if !self.is_stuck {
            self.flush();
        }
        if !self.touched.is_empty() {
            // As for verdicts: there is no room.
            if let Some(state) = self.tenants.get_mut(tenant) {
                state.dropped.agreements += 1;
            }
            return;
        }
        self.agreements.clear();
        let declaration = Arc::clone(&self.declaration);
        self.touch(tenant, &declaration, unix_s);
        self.agreements.count(tenant, event, page, unix_s);
    }

    fn count_guard(
        &mut self,
        tenant: usize,
        mode: GuardMode,
        event: GuardEvent,
        name: &str,
        unix_s: u64,
    ) {
        if self.guards.count(tenant, mode, event, name, unix_s) {
            return;
        }
        if !self.is_stuck {
            self.flush();
        }
        if !self.touched.is_empty() {
            // As for verdicts: there is no room.
            self.dropped_guard_events += 1;
            return;
        }
        self.guards.clear();
        let declaration = Arc::clone(&self.declaration);
        self.touch(tenant, &declaration, unix_s);
        self.guards.count(tenant, mode, event, name, unix_s);
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
        row.count += u64::from(verdict.count);
        row.first_unix_s = row.first_unix_s.min(minute);
        row.last_unix_s = row.last_unix_s.max(minute);
        if let Some(requested) = verdict.requested {
            row.attributes = row.attributes.union(requested.attributes);
        }
        true
    }

    /// The text for a name that no row of this tenant has yet: the name itself if there is room for it (A4), otherwise
    /// `(other)`; `None` for an empty name.
    fn admit(&mut self, tenant: usize, name: Name<'_>) -> Option<Arc<str>> {
        if name.text.is_empty() {
            return None;
        }
        let known = self.texts.get(name.text).map(|known| Arc::clone(&known.0));
        let names = self.tenants.get_mut(tenant).map(|state| &mut state.names);
        let names = names.filter(|names| name.is_foreign && !names.contains(name.text));
        let is_full =
            |names: &&mut Names| names.len() >= MAX_NAMES || self.texts.len() >= MAX_TEXTS;
        if names.as_ref().is_some_and(is_full) {
            return Some(Arc::clone(&self.other));
        }
        let text = known.unwrap_or_else(|| String::from_utf8_lossy(name.text).into());
        if let Some(names) = names {
            if names.is_empty() {
                self.named.push(tenant);
            }
            names.insert(Text(Arc::clone(&text)));
        }
        self.texts.insert(Text(Arc::clone(&text)));
        Some(text)
    }

    fn flush(&mut self) {
        while let Some(batch) = self.unsent.pop_front() {
            let rows = rows_of(&batch);
            if let Some(batch) = self.send(batch) {
                self.unsent.push_front(batch);
                break;
            }
            self.unsent_rows = self.unsent_rows.saturating_sub(rows);
        }
        self.is_stuck = self.unsent_rows >= MAX_UNSENT_ROWS;
        if self.touched.is_empty() || self.is_stuck {
            return;
        }
        let batch = self.take();
        let unsent = if self.unsent.is_empty() { self.send(batch) } else { Some(batch) };
        if let Some(batch) = unsent {
            self.unsent_rows = self.unsent_rows.saturating_add(rows_of(&batch));
            self.unsent.push_back(batch);
        }
    }

    /// Sends a batch, or returns it if the channel is full.
    fn send(&self, batch: Batch) -> Option<Batch> {
        match self.sender.try_send(batch) {
            Ok(()) => None,
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => Some(batch),
        }
    }

    /// The counts since the last batch.
    fn take(&mut self) -> Batch {
        let mut tenants = Vec::with_capacity(self.touched.len());
        for tenant in self.touched.drain(..) {
            let Some(state) = self.tenants.get_mut(tenant) else { continue };
            let snapshot = state.counters.read();
            tenants.push(TenantCount {
                tenant: Arc::clone(&state.tenant),
                first_unix_s: state.first_unix_s,
                last_unix_s: state.last_unix_s,
                requests: snapshot.requests.saturating_sub(state.reported_requests),
                seen: snapshot.figures().since(state.reported),
                dropped: std::mem::take(&mut state.dropped),
            });
            state.is_touched = false;
            state.reported_requests = snapshot.requests;
            state.reported = snapshot.figures();
        }
        let rows = self.rows.iter_mut().filter(|(_, row)| row.count > 0);
        let rows = rows.filter_map(|(key, row)| {
            Some(VerdictCount {
                tenant: Arc::clone(&self.tenants.get(key.tenant)?.tenant),
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
        let verdicts = rows.collect();
        let agreements = self.agreements.take().filter_map(|row| {
            Some(AgreementCount {
                tenant: Arc::clone(&self.tenants.get(row.tenant)?.tenant),
                event: row.event,
                page: row.page,
                count: row.count,
                first_unix_s: row.first_unix_s,
                last_unix_s: row.last_unix_s,
            })
        });
        let agreements = agreements.collect();
        let guards = self.guards.take().filter_map(|row| {
            Some(GuardCount {
                tenant: Arc::clone(&self.tenants.get(row.tenant)?.tenant),
                mode: row.mode,
                event: row.event,
                name: row.name,
                count: row.count,
                first_unix_s: row.first_unix_s,
                last_unix_s: row.last_unix_s,
            })
        });
        Batch {
            window: self.window,
            declaration: Arc::clone(&self.declaration),
            tenants,
            verdicts,
            agreements,
            guards: guards.collect(),
            dropped_guard_events: std::mem::take(&mut self.dropped_guard_events),
        }
    }
}

fn rows_of(batch: &Batch) -> usize {
    batch.verdicts.len() + batch.tenants.len() + batch.agreements.len() + batch.guards.len()
}

fn address(text: &Arc<str>) -> usize {
    Arc::as_ptr(text).addr()
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
