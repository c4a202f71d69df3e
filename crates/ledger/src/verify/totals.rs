//! Checks beyond the hashes: the totals of each window (A1) and the heartbeats (A5).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    super::entry::{
        Agreement, Entry, Event, EventKind, Figures, Heartbeat, TextId, Texts, Verdicts, Window,
    },
    finding::{Balance, Finding},
};

/// The totals of a ledger, added up while its entries are read in order.
#[derive(Default)]
pub(super) struct Totals {
    /// Windows that do not balance yet. Most leave with their last entry.
    open: HashMap<(Window, TextId), WindowTotals>,
    /// The last heartbeat of each tenant, and of the gateway.
    heartbeats: HashMap<Option<TextId>, Last>,
    /// The last window in which the gateway was alive. `None` where entries are absent since.
    gateway: Option<Window>,
    /// Set by an event that records a stop since then.
    stopped: bool,
    /// The number of stretches of absent entries.
    absences: u64,
    /// The closing of the last absent segment. Earlier windows may be incomplete.
    absent_unix_s: Option<u64>,
    /// The last segment that an event records as pruned.
    pruned: u64,
    /// The hashes of the pages that entries name.
    pages: HashSet<TextId>,
}

#[derive(Default)]
struct WindowTotals {
    seen: Figures,
    recorded: Figures,
}

struct Last {
    number: u64,
    absences: u64,
}

impl Totals {
    /// Notes that the entries of a segment are absent.
    pub(super) fn skip(&mut self, closed_unix_s: u64) {
        self.absences += 1;
        self.absent_unix_s = self.absent_unix_s.max(Some(closed_unix_s));
        self.gateway = None;
    }

    /// Adds the next entry.
    pub(super) fn enter(&mut self, seq: u64, entry: &Entry, texts: &Texts) -> Result<(), Finding> {
        match entry {
            Entry::Agreement(agreement) => self.enter_agreement(agreement),
            Entry::Event(event) => self.enter_event(event),
            // Browsers report most of these events, and anybody can: no total depends on them (A7).
            Entry::Guard(_) => {}
            Entry::Heartbeat(heartbeat) => return self.enter_heartbeat(seq, heartbeat, texts),
            Entry::Verdicts(verdicts) => self.enter_verdicts(verdicts),
        }
        Ok(())
    }

    /// The last segment that an event records as pruned; 0 where there is none.
    pub(super) fn pruned(&self) -> u64 {
        self.pruned
    }

    /// The hashes of the pages that entries name.
    pub(super) fn pages<'t>(&self, texts: &'t Texts) -> BTreeSet<&'t str> {
        self.pages.iter().map(|page| texts.get(*page)).collect()
    }

    /// Ends the check: every window that had ended by `until_unix_s` must balance.
    pub(super) fn close(self, until_unix_s: u64, texts: &Texts) -> Result<(), Finding> {
        let is_due = |window: &Window| {
            window.end_unix_s() <= until_unix_s && self.absent_unix_s < Some(window.start_unix_s)
        };
        let due = self.open.iter().filter(|((window, _), _)| is_due(window));
        let first = due.min_by_key(|((window, tenant), _)| (window.start_unix_s, tenant.0));
        let Some(((window, tenant), totals)) = first else { return Ok(()) };
        let tenant = texts.get(*tenant).to_owned();
        Err(Finding::Balance(Box::new(Balance::of(*window, tenant, totals.seen, totals.recorded))))
    }

    fn enter_agreement(&mut self, agreement: &Agreement) {
        self.pages.insert(agreement.page);
        self.add(agreement.window, agreement.tenant, |totals| {
            let figure = &mut totals.recorded.agreements;
            *figure = figure.saturating_add(agreement.count);
        });
    }

    fn enter_event(&mut self, event: &Event) {
        match event.kind {
            EventKind::Clock | EventKind::Stop | EventKind::UncleanStop => self.stopped = true,
            EventKind::Prune => {
                let detail = serde_json::from_str::<serde_json::Value>(&event.detail);
                let segments = detail.ok().and_then(|detail| detail["segments"].as_u64());
                self.pruned = self.pruned.max(segments.unwrap_or_default());
            }
            EventKind::Configuration
            | EventKind::Damage
            | EventKind::Declaration
            | EventKind::Key
            | EventKind::Loss
            | EventKind::Start
            | EventKind::Tenant => {}
        }
    }

    fn enter_heartbeat(
        &mut self,
        seq: u64,
        heartbeat: &Heartbeat,
        texts: &Texts,
    ) -> Result<(), Finding> {
        let Heartbeat { window, tenant, number, .. } = *heartbeat;
        let (last, absences) =
            self.heartbeats.get(&tenant).map_or((0, 0), |last| (last.number, last.absences));
        let expected = last.saturating_add(1);
        // Where entries are absent, heartbeats may be absent too.
        let follows = number == expected || (number > last && absences < self.absences);
        if !follows {
            let tenant = tenant.map(|tenant| texts.get(tenant).to_owned());
            return Err(Finding::Heartbeat { entry: seq, tenant, found: number, expected });
        }
        self.heartbeats.insert(tenant, Last { number, absences: self.absences });
        match tenant {
            Some(tenant) => self.add(window, tenant, |totals| {
                totals.seen.add(heartbeat.seen);
                totals.recorded.add(heartbeat.dropped);
            }),
            None => self.enter_gateway_heartbeat(seq, window)?,
        }
        Ok(())
    }

    fn enter_gateway_heartbeat(&mut self, seq: u64, window: Window) -> Result<(), Finding> {
        let before = self.gateway.replace(window);
        let from_unix_s = before.map_or(u64::MAX, Window::end_unix_s);
        let until_unix_s = window.start_unix_s;
        // An event explains one gap, but not the heartbeat that happens to follow it.
        if until_unix_s > from_unix_s && !std::mem::take(&mut self.stopped) {
            return Err(Finding::Gap { entry: seq, from_unix_s, until_unix_s });
        }
        Ok(())
    }

    fn enter_verdicts(&mut self, verdicts: &Verdicts) {
        self.add(verdicts.window, verdicts.tenant, |totals| {
            let figure = totals.recorded.of(verdicts.direction, verdicts.action);
            *figure = figure.saturating_add(verdicts.count);
        });
    }

    fn add(&mut self, window: Window, tenant: TextId, add: impl FnOnce(&mut WindowTotals)) {
        let totals = self.open.entry((window, tenant)).or_default();
        add(totals);
        // Later entries of the window, which two segments can share, must balance by themselves.
        if totals.seen == totals.recorded {
            self.open.remove(&(window, tenant));
        }
    }
}
