//! Entries that are not in the file yet, or may still change there: those of the open windows.
//!
//! The buffer is bounded. While the file can be written, entries that are written and no longer
//! change are dropped from it. While it can't be written, entries accumulate up to [`MAX_ENTRIES`];
//! later ones are only counted as dropped.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{agreements::Agreements, entry_state::EntryState, guards::Guards};
use crumbgate_audit::{
    AgreementCount, Batch, GuardCount, MAX_NAMES, OTHER, TenantCount, VerdictCount,
    has_foreign_name,
};
use crumbgate_base::text::rfc3339;
use crumbgate_ledger::entry::{Event, EventKind, Figures, Window};
use crumbgate_policy::{
    Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Action, Direction},
};

/// The pending entries.
#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    pub(super) verdicts: HashMap<VerdictsKey, PendingVerdicts, RandomState>,
    pub(super) agreements: Agreements,
    pub(super) guards: Guards,
    pub(super) heartbeats: HashMap<HeartbeatKey, PendingHeartbeat, RandomState>,
    pub(super) events: Vec<Event>,
    /// The undeclared names of each window and tenant, over all workers (A4).
    names: HashMap<(Window, Arc<str>), Names, RandomState>,
    /// The total number of names in `names`.
    name_count: usize,
    loss: Option<Loss>,
    /// Cookies and agreements that are in no entry, since the start.
    dropped: u64,
    /// The name of the last transaction, where it failed or its result is unknown.
    pub(super) attempt: Option<String>,
    /// The number of transactions that were tried.
    attempts: u64,
}

type Names = HashSet<Arc<str>, RandomState>;

/// The key of a verdicts entry: verdicts with different keys are different entries.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct VerdictsKey {
    pub(super) window: Window,
    pub(super) tenant: Arc<str>,
    pub(super) mode: Mode,
    pub(super) direction: Direction,
    pub(super) action: Action,
    pub(super) name: Option<Arc<str>>,
    pub(super) lifetime: Option<RequestedLifetime>,
    pub(super) granted_s: Option<u32>,
    pub(super) route: Arc<str>,
    pub(super) declaration: Arc<str>,
}

/// The part of a verdicts entry that changes.
#[derive(Debug, Default)]
pub(super) struct PendingVerdicts {
    pub(super) state: EntryState,
    pub(super) count: u64,
    /// The value of `count` in the file.
    written: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
    pub(super) attributes: Attributes,
}

/// The key of a heartbeat. A window in which the declaration changes has a heartbeat for each.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct HeartbeatKey {
    pub(super) window: Window,
    /// `None` is the gateway itself.
    pub(super) tenant: Option<Arc<str>>,
    pub(super) declaration: Arc<str>,
}

/// The part of a heartbeat that changes.
#[derive(Debug, Default)]
pub(super) struct PendingHeartbeat {
    pub(super) state: EntryState,
    pub(super) from_unix_s: u64,
    pub(super) until_unix_s: u64,
    pub(super) totals: Totals,
    /// The value of `totals` in the file.
    written: Totals,
}

/// The totals of a tenant's traffic.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) seen: Figures,
    pub(super) dropped: Figures,
}

/// Counts that are in no entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    pub(super) figures: Figures,
    requests: u64,
    pub(super) guard_events: u64,
    from_unix_s: u64,
    until_unix_s: u64,
}

impl WriteBuffer {
    /// Adds a worker's batch.
    pub(super) fn add(&mut self, page: Batch) {
        for account in page.tenants {
            self.add_account(page.window, &page.declaration, &account);
        }
        for row in page.verdicts {
            self.add_row(page.window, &page.declaration, row);
        }
        for row in page.agreements {
            self.add_agreement(page.window, &page.declaration, &row);
        }
        for row in page.guards {
            self.add_guard(page.window, &page.declaration, &row);
        }
        self.count_guard_loss(page.dropped_guard_events, page.window.start_unix_s);
    }

    /// Records that the gateway is alive, with this declaration.
    pub(super) fn record_alive(&mut self, window: Window, declaration: &Arc<str>, unix_s: u64) {
        let beat = PendingHeartbeat { from_unix_s: unix_s, ..PendingHeartbeat::default() };
        let declaration = Arc::clone(declaration);
        let key = HeartbeatKey { window, tenant: None, declaration };
        let heartbeat = self.heartbeats.entry(key).or_insert(beat);
        if heartbeat.until_unix_s < unix_s {
            heartbeat.until_unix_s = unix_s;
            heartbeat.state.is_dirty = true;
        }
    }

    /// Returns true if anything differs from the file.
    pub(super) fn is_dirty(&self) -> bool {
        !self.events.is_empty()
            || self.loss.is_some()
            || self.agreements.is_dirty()
            || self.guards.is_dirty()
            || self.verdicts.values().any(|pending| pending.state.is_dirty)
            || self.heartbeats.values().any(|pending| pending.state.is_dirty)
    }

    /// The number of entries that differ from the file.
    pub(super) fn unwritten(&self) -> usize {
        let verdicts = self.verdicts.values().filter(|pending| pending.state.is_dirty).count();
        let heartbeats = self.heartbeats.values().filter(|pending| pending.state.is_dirty).count();
        let others = self.agreements.unwritten() + self.guards.unwritten() + self.events.len();
        verdicts + heartbeats + others
    }

    /// Cookies and agreements that are in no entry, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds an event for the counts that were dropped since the last call, and returns them.
    pub(super) fn record_loss(&mut self, now_unix_s: u64, actor: &str) -> Option<Loss> {
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
        if loss.guard_events > 0 {
            detail["guard_events"] = loss.guard_events.into();
        }
        self.events.push(Event {
            at_unix_s: now_unix_s,
            kind: EventKind::Loss,
            tenant: None,
            actor: actor.to_owned(),
            detail: detail.to_string(),
        });
        Some(loss)
    }

    /// Returns a name for the next transaction, which begins with this entry. No two names of a
    /// process are the same.
    pub(super) fn next_attempt(&mut self, first: u64) -> String {
        let name = format!("{first}-{}", self.attempts);
        self.attempts = self.attempts.wrapping_add(1);
        name
    }

    /// Notes that the file now holds every entry as it is here.
    pub(super) fn mark_written(&mut self) {
        self.events.clear();
        for pending in self.verdicts.values_mut() {
            pending.state.mark_written();
            pending.written = pending.count;
        }
        for pending in self.heartbeats.values_mut() {
            pending.state.mark_written();
            pending.written = pending.totals;
        }
        self.agreements.mark_written();
        self.guards.mark_written();
        if self.len() > MAX_ENTRIES / 2 {
            self.detach();
        }
    }

    /// Drops entries that are written and whose window has ended.
    pub(super) fn drop_finished(&mut self, now_unix_s: u64) {
        let is_open = |window: &Window| {
            window.end_unix_s().saturating_add(GRACE_S) > now_unix_s
                && window.start_unix_s <= now_unix_s.saturating_add(GRACE_S)
        };
        self.verdicts.retain(|key, pending| pending.state.is_dirty || is_open(&key.window));
        self.heartbeats.retain(|key, pending| pending.state.is_dirty || is_open(&key.window));
        self.agreements.drop_finished(is_open);
        self.guards.drop_finished(is_open);
        self.names.retain(|(window, _), _| is_open(window));
        self.name_count = self.names.values().map(Names::len).sum();
    }

    /// Separates the entries from the file. Later counts, and counts that are not written yet, make
    /// new entries.
    pub(super) fn detach(&mut self) {
        self.agreements.detach();
        self.guards.detach();
        self.verdicts.retain(|_, pending| {
            pending.count = pending.count.saturating_sub(pending.written);
            pending.written = 0;
            pending.state.seq = None;
            pending.count > 0
        });
        self.heartbeats.retain(|_, pending| {
            let Totals { requests, seen, dropped } = pending.written;
            pending.totals = Totals {
                requests: pending.totals.requests.saturating_sub(requests),
                seen: pending.totals.seen.since(seen),
                dropped: pending.totals.dropped.since(dropped),
            };
            pending.written = Totals::default();
            pending.state.seq = None;
            pending.state.is_dirty
        });
    }

    fn add_account(&mut self, window: Window, declaration: &Arc<str>, account: &TenantCount) {
        let tenant = Some(Arc::clone(&account.tenant));
        let key = HeartbeatKey { window, tenant, declaration: Arc::clone(declaration) };
        let has_room = self.has_room();
        let heartbeat = match self.heartbeats.get_mut(&key) {
            Some(heartbeat) => heartbeat,
            None if has_room => self.heartbeats.entry(key).or_insert_with(|| PendingHeartbeat {
                from_unix_s: account.first_unix_s,
                ..PendingHeartbeat::default()
            }),
            None => {
                return self.count_loss(account.seen, account.requests, account.last_unix_s);
            }
        };
        heartbeat.state.is_dirty = true;
        heartbeat.from_unix_s = heartbeat.from_unix_s.min(account.first_unix_s);
        heartbeat.until_unix_s = heartbeat.until_unix_s.max(account.last_unix_s);
        let totals = &mut heartbeat.totals;
        totals.requests = totals.requests.saturating_add(account.requests);
        totals.seen.add(account.seen);
        totals.dropped.add(account.dropped);
        if account.dropped != Figures::default() {
            self.count_loss(account.dropped, 0, account.last_unix_s);
        }
    }

    fn add_row(&mut self, window: Window, declaration: &Arc<str>, row: VerdictCount) {
        let has_room = self.has_room();
        let tenant = Some(Arc::clone(&row.tenant));
        let heartbeat = HeartbeatKey { window, tenant, declaration: Arc::clone(declaration) };
        if !self.heartbeats.contains_key(&heartbeat) {
            return; // There was no room for the heartbeat: its loss covers this batch's cookies of the tenant.
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
        let pending = match self.verdicts.get_mut(&key) {
            Some(pending) => pending,
            None if has_room => self.verdicts.entry(key).or_insert_with(|| PendingVerdicts {
                first_unix_s: row.first_unix_s,
                ..PendingVerdicts::default()
            }),
            None => {
                // The heartbeat records the loss.
                if let Some(heartbeat) = self.heartbeats.get_mut(&heartbeat) {
                    let mut lost = Figures::default();
                    *lost.of(row.direction, row.action) = row.count;
                    heartbeat.totals.dropped.add(lost);
                    heartbeat.state.is_dirty = true;
                    self.count_loss(lost, 0, last_unix_s);
                }
                return;
            }
        };
        pending.state.is_dirty = true;
        pending.count = pending.count.saturating_add(row.count);
        pending.first_unix_s = pending.first_unix_s.min(row.first_unix_s);
        pending.last_unix_s = pending.last_unix_s.max(row.last_unix_s);
        pending.attributes = pending.attributes.union(row.attributes);
    }

    fn add_agreement(&mut self, window: Window, declaration: &Arc<str>, row: &AgreementCount) {
        let has_room = self.has_room();
        let tenant = Some(Arc::clone(&row.tenant));
        let key = HeartbeatKey { window, tenant, declaration: Arc::clone(declaration) };
        // Without a heartbeat, its loss covers this batch's agreements too.
        let Some(heartbeat) = self.heartbeats.get_mut(&key) else { return };
        if !self.agreements.add(window, declaration, row, has_room) {
            let lost = Figures { agreements: row.count, ..Figures::default() };
            heartbeat.totals.dropped.add(lost);
            heartbeat.state.is_dirty = true;
            self.count_loss(lost, 0, row.last_unix_s);
        }
    }

    /// Events of the guard are outside the totals of heartbeats, so none is needed.
    fn add_guard(&mut self, window: Window, declaration: &Arc<str>, row: &GuardCount) {
        let has_room = self.has_room();
        if !self.guards.add(window, declaration, row, has_room) {
            self.count_guard_loss(row.count, row.last_unix_s);
        }
    }

    /// Limits the undeclared names of a window and tenant, over all workers (A4). Further names
    /// become [`OTHER`].
    fn bound_name(&mut self, key: &mut VerdictsKey) {
        let is_foreign = has_foreign_name(key.action);
        let Some(name) = key.name.as_ref().filter(|name| is_foreign && &***name != OTHER) else {
            return;
        };
        let names = self.names.entry((key.window, Arc::clone(&key.tenant))).or_default();
        if names.contains(name) {
            return;
        }
        if names.len() < MAX_NAMES && self.name_count < MAX_ENTRIES {
            names.insert(Arc::clone(name));
            self.name_count = self.name_count.saturating_add(1);
        } else {
            key.name = Some(OTHER.into());
        }
    }

    fn has_room(&self) -> bool {
        self.len() < MAX_ENTRIES
    }

    fn len(&self) -> usize {
        self.verdicts.len() + self.heartbeats.len() + self.agreements.len() + self.guards.len()
    }

    fn count_loss(&mut self, figures: Figures, requests: u64, unix_s: u64) {
        self.dropped =
            self.dropped.saturating_add(figures.cookies()).saturating_add(figures.agreements);
        let loss = self.loss_at(unix_s);
        loss.figures.add(figures);
        loss.requests = loss.requests.saturating_add(requests);
    }

    fn count_guard_loss(&mut self, events: u64, unix_s: u64) {
        if events > 0 {
            let loss = self.loss_at(unix_s);
            loss.guard_events = loss.guard_events.saturating_add(events);
        }
    }

    /// The loss that the next event records, which includes this moment.
    fn loss_at(&mut self, unix_s: u64) -> &mut Loss {
        let new = Loss { from_unix_s: unix_s, until_unix_s: unix_s, ..Loss::default() };
        let loss = self.loss.get_or_insert(new);
        loss.from_unix_s = loss.from_unix_s.min(unix_s);
        loss.until_unix_s = loss.until_unix_s.max(unix_s);
        loss
    }
}

/// The limit on entries in memory, and on names. They take some 100 MB.
const MAX_ENTRIES: usize = 200_000;

/// The time after its end that a window stays open for late batches, in seconds.
const GRACE_S: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_policy::verdict::Reason;

    const WINDOW: Window = Window { start_unix_s: 600, length_s: 300 };

    fn row(tenant: &str, name: &str, count: u64) -> VerdictCount {
        VerdictCount {
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

    fn page(tenant: &str, rows: Vec<VerdictCount>) -> Batch {
        let seen = rows.iter().map(|row| row.count).sum();
        let account = TenantCount {
            tenant: tenant.into(),
            first_unix_s: 660,
            last_unix_s: 660,
            requests: 1,
            seen: Figures { request: seen, ..Figures::default() },
            dropped: Figures::default(),
        };
        Batch {
            window: WINDOW,
            declaration: "first".into(),
            tenants: vec![account],
            verdicts: rows,
            ..Batch::default()
        }
    }

    fn totals(buffer: &WriteBuffer) -> (u64, u64, u64) {
        let rows = buffer.verdicts.values().map(|pending| pending.count).sum();
        let heartbeats = || buffer.heartbeats.values().map(|pending| pending.totals);
        let seen = heartbeats().map(|totals| totals.seen.cookies()).sum();
        (seen, rows, heartbeats().map(|totals| totals.dropped.cookies()).sum())
    }

    #[test]
    fn a7_events_of_the_guard_without_room_are_in_the_loss_alone() {
        let mut buffer = WriteBuffer::default();
        buffer.add(Batch { window: WINDOW, dropped_guard_events: 7, ..Batch::default() });
        assert!(buffer.is_dirty());
        let loss = buffer.record_loss(700, "test").unwrap();
        assert_eq!((loss.figures, loss.guard_events), (Figures::default(), 7));
        assert_eq!(buffer.dropped(), 0, "the counter is of cookies and agreements");
        let [event] = &buffer.events[..] else { panic!("{:?}", buffer.events) };
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap();
        assert_eq!((&detail["cookies"], &detail["guard_events"]), (&0.into(), &7.into()));
    }

    #[test]
    fn a1_beyond_the_room_everything_is_counted_as_dropped_and_recorded_once() {
        let mut buffer = WriteBuffer::default();
        let tenants = MAX_ENTRIES / MAX_NAMES + 2;
        for tenant in 0..tenants {
            let tenant = format!("{tenant}.example");
            let rows = (0..MAX_NAMES).map(|name| row(&tenant, &format!("n{name}"), 2)).collect();
            buffer.add(page(&tenant, rows));
        }
        let (seen, rows, dropped) = totals(&buffer);
        assert_eq!(seen, rows + dropped, "of those that have a heartbeat");
        let total = (tenants * MAX_NAMES * 2) as u64;
        assert_eq!(rows + buffer.dropped(), total, "nothing is lost without being counted");
        assert!(buffer.verdicts.len() + buffer.heartbeats.len() <= MAX_ENTRIES);
        let loss = buffer.record_loss(700, "test").map(|loss| loss.figures.cookies());
        assert_eq!(loss, Some(buffer.dropped()));
        assert!(buffer.record_loss(700, "test").is_none());
        let [event] = &buffer.events[..] else { panic!("{:?}", buffer.events) };
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap();
        assert_eq!(detail["cookies"], buffer.dropped());
        assert_eq!(detail["from"], "1970-01-01T00:11:00Z");
    }

    #[test]
    fn after_detaching_only_unwritten_counts_are_written() {
        let mut buffer = WriteBuffer::default();
        buffer
            .add(page("a.example", vec![row("a.example", "old", 3), row("a.example", "both", 4)]));
        buffer.mark_written();
        buffer
            .add(page("a.example", vec![row("a.example", "both", 5), row("a.example", "new", 6)]));
        buffer.detach();
        let mut counts: Vec<_> = buffer
            .verdicts
            .iter()
            .map(|(key, pending)| (key.name.as_deref(), pending.count))
            .collect();
        counts.sort_unstable();
        assert_eq!(counts, [(Some("both"), 5), (Some("new"), 6)]);
        assert_eq!(totals(&buffer), (11, 11, 0));
        assert!(buffer.verdicts.values().all(|pending| pending.state.seq.is_none()));
    }

    #[test]
    fn written_entries_of_ended_windows_are_dropped() {
        let mut buffer = WriteBuffer::default();
        buffer.add(page("a.example", vec![row("a.example", "x", 1)]));
        buffer.drop_finished(10_000);
        assert!(buffer.is_dirty(), "it is not written yet");
        buffer.mark_written();
        buffer.drop_finished(WINDOW.end_unix_s());
        assert_eq!(buffer.verdicts.len(), 1, "a page may still be on its way");
        buffer.drop_finished(WINDOW.end_unix_s() + GRACE_S);
        assert!(buffer.verdicts.is_empty() && buffer.heartbeats.is_empty());
    }
}
