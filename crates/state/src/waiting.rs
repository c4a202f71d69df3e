//! What is not in the file yet, or still changes there: the entries of the windows that are open.
//!
//! It is bounded. As long as the file is written, what is there and no longer changes is forgotten here; where it can't
//! be written, entries wait, and beyond [`MAX_WAITING`] what comes is only counted as dropped.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{agreements::Agreements, place::Place};
use crumbgate_audit::{
    MAX_NAMES, OTHER, Page, PageAccount, PageAgreement, PageRow, has_foreign_name,
};
use crumbgate_base::text::rfc3339;
use crumbgate_ledger::entry::{Event, EventKind, Figures, Window};
use crumbgate_policy::{
    Mode,
    asked::{AskedLifetime, Attributes},
    verdict::{Action, Direction},
};

/// The entries that are being counted.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) verdicts: HashMap<VerdictsKey, OpenVerdicts, RandomState>,
    pub(super) agreements: Agreements,
    pub(super) heartbeats: HashMap<HeartbeatKey, OpenHeartbeat, RandomState>,
    pub(super) events: Vec<Event>,
    /// The undeclared names of each window and tenant, over all workers (A4).
    names: HashMap<(Window, Arc<str>), Names, RandomState>,
    /// How many names there are in all of them.
    named: usize,
    loss: Option<Loss>,
    /// Cookies and agreements that are in no entry, since the start.
    dropped: u64,
    /// What the transaction is called that was tried last and did not go through, as far as is known.
    pub(super) attempt: Option<String>,
    /// How many were tried.
    attempts: u64,
}

type Names = HashSet<Arc<str>, RandomState>;

/// What tells entries of verdicts apart.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct VerdictsKey {
    pub(super) window: Window,
    pub(super) tenant: Arc<str>,
    pub(super) mode: Mode,
    pub(super) direction: Direction,
    pub(super) action: Action,
    pub(super) name: Option<Arc<str>>,
    pub(super) lifetime: Option<AskedLifetime>,
    pub(super) granted_s: Option<u32>,
    pub(super) route: Arc<str>,
    pub(super) declaration: Arc<str>,
}

/// What changes of an entry of verdicts.
#[derive(Debug, Default)]
pub(super) struct OpenVerdicts {
    pub(super) place: Place,
    pub(super) count: u64,
    /// What `count` is in the file.
    written: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
    pub(super) attributes: Attributes,
}

/// What tells heartbeats apart: a window in which the declaration changes has one for each.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct HeartbeatKey {
    pub(super) window: Window,
    /// None: the gateway itself.
    pub(super) tenant: Option<Arc<str>>,
    pub(super) declaration: Arc<str>,
}

/// What changes of a heartbeat.
#[derive(Debug, Default)]
pub(super) struct OpenHeartbeat {
    pub(super) place: Place,
    pub(super) from_unix_s: u64,
    pub(super) until_unix_s: u64,
    pub(super) sums: Sums,
    /// What `sums` are in the file.
    written: Sums,
}

/// What a tenant's traffic adds up to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sums {
    pub(super) requests: u64,
    pub(super) seen: Figures,
    pub(super) dropped: Figures,
}

/// What is in no entry at all.
#[derive(Clone, Copy, Debug, Default)]
struct Loss {
    figures: Figures,
    requests: u64,
    from_unix_s: u64,
    until_unix_s: u64,
}

impl Waiting {
    /// Adds a worker's page.
    pub(super) fn add(&mut self, page: Page) {
        for account in page.accounts {
            self.add_account(page.window, &page.declaration, &account);
        }
        for row in page.rows {
            self.add_row(page.window, &page.declaration, row);
        }
        for row in page.agreements {
            self.add_agreement(page.window, &page.declaration, &row);
        }
    }

    /// Notes that the gateway is alive, with this declaration.
    pub(super) fn beat(&mut self, window: Window, declaration: &Arc<str>, unix_s: u64) {
        let beat = OpenHeartbeat { from_unix_s: unix_s, ..OpenHeartbeat::default() };
        let declaration = Arc::clone(declaration);
        let key = HeartbeatKey { window, tenant: None, declaration };
        let heartbeat = self.heartbeats.entry(key).or_insert(beat);
        if heartbeat.until_unix_s < unix_s {
            heartbeat.until_unix_s = unix_s;
            heartbeat.place.is_dirty = true;
        }
    }

    /// Whether anything is to be written.
    pub(super) fn is_dirty(&self) -> bool {
        !self.events.is_empty()
            || self.loss.is_some()
            || self.agreements.is_dirty()
            || self.verdicts.values().any(|open| open.place.is_dirty)
            || self.heartbeats.values().any(|open| open.place.is_dirty)
    }

    /// How many entries are not as they should be in the file.
    pub(super) fn unwritten(&self) -> usize {
        let verdicts = self.verdicts.values().filter(|open| open.place.is_dirty).count();
        let heartbeats = self.heartbeats.values().filter(|open| open.place.is_dirty).count();
        verdicts + heartbeats + self.agreements.unwritten() + self.events.len()
    }

    /// Cookies and agreements that are in no entry, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was dropped since this was last asked, as an event.
    pub(super) fn tell_loss(&mut self, now_unix_s: u64, actor: &str) -> Option<Figures> {
        let loss = self.loss.take()?;
        let mut detail = serde_json::json!({
            "cookies": loss.figures.cookies(),
            "requests": loss.requests,
            "from": rfc3339(loss.from_unix_s),
            "until": rfc3339(loss.until_unix_s),
        });
        if loss.figures.agreements > 0 {
            detail["agreements"] = loss.figures.agreements.into();
        }
        self.events.push(Event {
            at_unix_s: now_unix_s,
            kind: EventKind::Loss,
            tenant: None,
            actor: actor.to_owned(),
            detail: detail.to_string(),
        });
        Some(loss.figures)
    }

    /// Names a transaction that is about to be tried, from this entry on; no two of one process have one name.
    pub(super) fn name_attempt(&mut self, first: u64) -> String {
        let name = format!("{first}-{}", self.attempts);
        self.attempts = self.attempts.wrapping_add(1);
        name
    }

    /// Everything is in the file as it is here.
    pub(super) fn settle(&mut self) {
        self.events.clear();
        for open in self.verdicts.values_mut() {
            open.place.settle();
            open.written = open.count;
        }
        for open in self.heartbeats.values_mut() {
            open.place.settle();
            open.written = open.sums;
        }
        self.agreements.settle();
        if self.len() > MAX_WAITING / 2 {
            self.restart();
        }
    }

    /// Forgets what is in the file and whose window is over.
    pub(super) fn forget(&mut self, now_unix_s: u64) {
        let is_open = |window: &Window| {
            window.end_unix_s().saturating_add(GRACE_S) > now_unix_s
                && window.start_unix_s <= now_unix_s.saturating_add(GRACE_S)
        };
        self.verdicts.retain(|key, open| open.place.is_dirty || is_open(&key.window));
        self.heartbeats.retain(|key, open| open.place.is_dirty || is_open(&key.window));
        self.agreements.forget(is_open);
        self.names.retain(|(window, _), _| is_open(window));
        self.named = self.names.values().map(Names::len).sum();
    }

    /// Forgets all that is in the file: what is counted from now on, and what is not in it yet, makes new entries.
    pub(super) fn restart(&mut self) {
        self.agreements.restart();
        self.verdicts.retain(|_, open| {
            open.count = open.count.saturating_sub(open.written);
            open.written = 0;
            open.place.seq = None;
            open.count > 0
        });
        self.heartbeats.retain(|_, open| {
            let Sums { requests, seen, dropped } = open.written;
            open.sums = Sums {
                requests: open.sums.requests.saturating_sub(requests),
                seen: open.sums.seen.since(seen),
                dropped: open.sums.dropped.since(dropped),
            };
            open.written = Sums::default();
            open.place.seq = None;
            open.place.is_dirty
        });
    }

    fn add_account(&mut self, window: Window, declaration: &Arc<str>, account: &PageAccount) {
        let tenant = Some(Arc::clone(&account.tenant));
        let key = HeartbeatKey { window, tenant, declaration: Arc::clone(declaration) };
        let has_room = self.has_room();
        let heartbeat = match self.heartbeats.get_mut(&key) {
            Some(heartbeat) => heartbeat,
            None if has_room => self.heartbeats.entry(key).or_insert_with(|| OpenHeartbeat {
                from_unix_s: account.first_unix_s,
                ..OpenHeartbeat::default()
            }),
            None => {
                return self.lose(account.seen, account.requests, account.last_unix_s);
            }
        };
        heartbeat.place.is_dirty = true;
        heartbeat.from_unix_s = heartbeat.from_unix_s.min(account.first_unix_s);
        heartbeat.until_unix_s = heartbeat.until_unix_s.max(account.last_unix_s);
        let sums = &mut heartbeat.sums;
        sums.requests = sums.requests.saturating_add(account.requests);
        sums.seen.add(account.seen);
        sums.dropped.add(account.dropped);
        if account.dropped != Figures::default() {
            self.lose(account.dropped, 0, account.last_unix_s);
        }
    }

    fn add_row(&mut self, window: Window, declaration: &Arc<str>, row: PageRow) {
        let has_room = self.has_room();
        let tenant = Some(Arc::clone(&row.tenant));
        let heartbeat = HeartbeatKey { window, tenant, declaration: Arc::clone(declaration) };
        if !self.heartbeats.contains_key(&heartbeat) {
            return; // There was no room for it: all of this page's cookies of that tenant are counted as lost.
        }
        let last_unix_s = row.last_unix_s;
        let mut key = VerdictsKey {
            window,
            tenant: row.tenant,
            mode: row.mode,
            direction: row.direction,
            action: row.action,
            name: row.name,
            lifetime: row.lifetime,
            granted_s: row.granted_s,
            route: row.route,
            declaration: Arc::clone(declaration),
        };
        if !self.verdicts.contains_key(&key) {
            self.bound_name(&mut key);
        }
        let open = match self.verdicts.get_mut(&key) {
            Some(open) => open,
            None if has_room => self.verdicts.entry(key).or_insert_with(|| OpenVerdicts {
                first_unix_s: row.first_unix_s,
                ..OpenVerdicts::default()
            }),
            None => {
                // Its heartbeat says so.
                if let Some(heartbeat) = self.heartbeats.get_mut(&heartbeat) {
                    let mut lost = Figures::default();
                    *lost.of(row.direction, row.action) = row.count;
                    heartbeat.sums.dropped.add(lost);
                    heartbeat.place.is_dirty = true;
                    self.lose(lost, 0, last_unix_s);
                }
                return;
            }
        };
        open.place.is_dirty = true;
        open.count = open.count.saturating_add(row.count);
        open.first_unix_s = open.first_unix_s.min(row.first_unix_s);
        open.last_unix_s = open.last_unix_s.max(row.last_unix_s);
        open.attributes = open.attributes.union(row.attributes);
    }

    fn add_agreement(&mut self, window: Window, declaration: &Arc<str>, row: &PageAgreement) {
        let has_room = self.has_room();
        let tenant = Some(Arc::clone(&row.tenant));
        let key = HeartbeatKey { window, tenant, declaration: Arc::clone(declaration) };
        // Without one, they are lost as this page's cookies are.
        let Some(heartbeat) = self.heartbeats.get_mut(&key) else { return };
        if !self.agreements.add(window, declaration, row, has_room) {
            let lost = Figures { agreements: row.count, ..Figures::default() };
            heartbeat.sums.dropped.add(lost);
            heartbeat.place.is_dirty = true;
            self.lose(lost, 0, row.last_unix_s);
        }
    }

    /// Keeps the names of a window and tenant to so many, whichever worker met them (A4).
    fn bound_name(&mut self, key: &mut VerdictsKey) {
        let is_foreign = has_foreign_name(key.action);
        let Some(name) = key.name.as_ref().filter(|name| is_foreign && &***name != OTHER) else {
            return;
        };
        let names = self.names.entry((key.window, Arc::clone(&key.tenant))).or_default();
        if names.contains(name) {
            return;
        }
        if names.len() < MAX_NAMES && self.named < MAX_WAITING {
            names.insert(Arc::clone(name));
            self.named = self.named.saturating_add(1);
        } else {
            key.name = Some(OTHER.into());
        }
    }

    fn has_room(&self) -> bool {
        self.len() < MAX_WAITING
    }

    fn len(&self) -> usize {
        self.verdicts.len() + self.heartbeats.len() + self.agreements.len()
    }

    fn lose(&mut self, figures: Figures, requests: u64, unix_s: u64) {
        self.dropped =
            self.dropped.saturating_add(figures.cookies()).saturating_add(figures.agreements);
        let new = Loss { from_unix_s: unix_s, until_unix_s: unix_s, ..Loss::default() };
        let loss = self.loss.get_or_insert(new);
        loss.figures.add(figures);
        loss.requests = loss.requests.saturating_add(requests);
        loss.from_unix_s = loss.from_unix_s.min(unix_s);
        loss.until_unix_s = loss.until_unix_s.max(unix_s);
    }
}

/// How many entries may wait, and how many names: some 100 MB.
const MAX_WAITING: usize = 200_000;

/// How long after its end a window is kept open, for pages that are on their way.
const GRACE_S: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_policy::verdict::Reason;

    const WINDOW: Window = Window { start_unix_s: 600, length_s: 300 };

    fn row(tenant: &str, name: &str, count: u64) -> PageRow {
        PageRow {
            tenant: tenant.into(),
            mode: Mode::Enforce,
            direction: Direction::Request,
            action: Action::Strip(Reason::Undeclared),
            name: Some(name.into()),
            lifetime: None,
            granted_s: None,
            route: "/".into(),
            count,
            first_unix_s: 660,
            last_unix_s: 660,
            attributes: Attributes::default(),
        }
    }

    fn page(tenant: &str, rows: Vec<PageRow>) -> Page {
        let seen = rows.iter().map(|row| row.count).sum();
        let account = PageAccount {
            tenant: tenant.into(),
            first_unix_s: 660,
            last_unix_s: 660,
            requests: 1,
            seen: Figures { request: seen, ..Figures::default() },
            dropped: Figures::default(),
        };
        Page {
            window: WINDOW,
            declaration: "first".into(),
            accounts: vec![account],
            rows,
            agreements: Vec::new(),
        }
    }

    fn sums(waiting: &Waiting) -> (u64, u64, u64) {
        let rows = waiting.verdicts.values().map(|open| open.count).sum();
        let heartbeats = || waiting.heartbeats.values().map(|open| open.sums);
        let seen = heartbeats().map(|sums| sums.seen.cookies()).sum();
        (seen, rows, heartbeats().map(|sums| sums.dropped.cookies()).sum())
    }

    #[test]
    fn a1_beyond_the_room_everything_is_counted_as_dropped_and_told_once() {
        let mut waiting = Waiting::default();
        let tenants = MAX_WAITING / MAX_NAMES + 2;
        for tenant in 0..tenants {
            let tenant = format!("{tenant}.example");
            let rows = (0..MAX_NAMES).map(|name| row(&tenant, &format!("n{name}"), 2)).collect();
            waiting.add(page(&tenant, rows));
        }
        let (seen, rows, dropped) = sums(&waiting);
        assert_eq!(seen, rows + dropped, "of those that have a heartbeat");
        let total = (tenants * MAX_NAMES * 2) as u64;
        assert_eq!(rows + waiting.dropped(), total, "nothing is lost without being counted");
        assert!(waiting.verdicts.len() + waiting.heartbeats.len() <= MAX_WAITING);
        let told = waiting.tell_loss(700, "test").map(Figures::cookies);
        assert_eq!(told, Some(waiting.dropped()));
        assert_eq!(waiting.tell_loss(700, "test"), None);
        let [event] = &waiting.events[..] else { panic!("{:?}", waiting.events) };
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap();
        assert_eq!(detail["cookies"], waiting.dropped());
        assert_eq!(detail["from"], "1970-01-01T00:11:00Z");
    }

    #[test]
    fn after_a_restart_only_what_is_not_in_the_file_is_written() {
        let mut waiting = Waiting::default();
        waiting
            .add(page("a.example", vec![row("a.example", "old", 3), row("a.example", "both", 4)]));
        waiting.settle();
        waiting
            .add(page("a.example", vec![row("a.example", "both", 5), row("a.example", "new", 6)]));
        waiting.restart();
        let mut counts: Vec<_> =
            waiting.verdicts.iter().map(|(key, open)| (key.name.as_deref(), open.count)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [(Some("both"), 5), (Some("new"), 6)]);
        assert_eq!(sums(&waiting), (11, 11, 0));
        assert!(waiting.verdicts.values().all(|open| open.place.seq.is_none()));
    }

    #[test]
    fn what_is_written_and_over_is_forgotten() {
        let mut waiting = Waiting::default();
        waiting.add(page("a.example", vec![row("a.example", "x", 1)]));
        waiting.forget(10_000);
        assert!(waiting.is_dirty(), "it is not written yet");
        waiting.settle();
        waiting.forget(WINDOW.end_unix_s());
        assert_eq!(waiting.verdicts.len(), 1, "a page may still be on its way");
        waiting.forget(WINDOW.end_unix_s() + GRACE_S);
        assert!(waiting.verdicts.is_empty() && waiting.heartbeats.is_empty());
    }
}
