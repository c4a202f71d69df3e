//! The summary of the guard's events in a ledger that is read repeatedly.

use std::{cmp::Reverse, collections::HashMap};

use crumbgate_audit::{GuardEvent, GuardOutcome, OTHER, ScriptedKind};
use crumbgate_ledger::entry::{Guard, TextId, Texts};
use crumbgate_policy::GuardMode;

use super::{period::Period, sum::add};

/// The summary of the guard's events.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GuardSummary {
    /// Pages that were sent with the guard.
    pub guarded: u64,
    /// Pages that were sent without it.
    pub unguarded: u64,
    /// Names that browsers reported, the last reported one first. Anybody can post a name.
    pub reported: Vec<ReportedName>,
    /// The number of all reported names, of each tenant and kind.
    pub names: usize,
}

/// A name that browsers reported, of one tenant and kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReportedName {
    /// The template of the name.
    pub name: String,
    /// The kind.
    pub kind: ScriptedKind,
    /// The tenant.
    pub tenant: String,
    /// The mode of the guard at the last report.
    pub mode: GuardMode,
    /// The number of reports.
    pub reports: u64,
    /// The minute of the first report, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The minute of the last one.
    pub last_unix_s: u64,
}

/// The sums of entries while they are added.
#[derive(Clone, Debug, Default)]
pub(super) struct GuardSums {
    guarded: u64,
    unguarded: u64,
    names: HashMap<Key, Reports, foldhash::fast::RandomState>,
}

type Key = (TextId, ScriptedKind, String);

#[derive(Clone, Copy, Debug)]
struct Reports {
    mode: GuardMode,
    count: u64,
    minutes: Period,
}

impl GuardSums {
    pub(super) fn add(&mut self, guard: Guard) {
        let minutes = Period { since_unix_s: guard.first_unix_s, until_unix_s: guard.last_unix_s };
        match (guard.event, guard.name) {
            (GuardEvent::Page(GuardOutcome::Guarded), _) => add(&mut self.guarded, guard.count),
            (GuardEvent::Page(_), _) => add(&mut self.unguarded, guard.count),
            (GuardEvent::Reported(kind), Some(name)) if name != OTHER => {
                let reports = Reports { mode: guard.mode, count: guard.count, minutes };
                self.merge((guard.tenant, kind, name), reports);
            }
            (GuardEvent::Reported(_), _) => {}
        }
    }

    /// Adds reports of a name, if there is room for the name.
    fn merge(&mut self, key: Key, reports: Reports) {
        let is_full = self.names.len() >= MAX_NAMES;
        match self.names.get_mut(&key) {
            Some(known) => {
                if known.minutes.until_unix_s <= reports.minutes.until_unix_s {
                    known.mode = reports.mode;
                }
                add(&mut known.count, reports.count);
                known.minutes = known.minutes.with(reports.minutes);
            }
            None if is_full => {}
            None => {
                self.names.insert(key, reports);
            }
        }
    }

    /// Combines the sums of two parts of a ledger, with up to `latest` names.
    pub(super) fn with(&self, open: &Self, texts: &Texts, latest: usize) -> GuardSummary {
        let mut all = self.clone();
        add(&mut all.guarded, open.guarded);
        add(&mut all.unguarded, open.unguarded);
        for (key, reports) in &open.names {
            all.merge(key.clone(), *reports);
        }
        let names = all.names.len();
        let named = all.names.into_iter().map(|((tenant, kind, name), reports)| ReportedName {
            name,
            kind,
            tenant: texts.get(tenant).to_owned(),
            mode: reports.mode,
            reports: reports.count,
            first_unix_s: reports.minutes.since_unix_s,
            last_unix_s: reports.minutes.until_unix_s,
        });
        let mut reported: Vec<_> = named.collect();
        reported.sort_by_cached_key(|named| {
            let of_name = (named.kind, named.name.clone(), named.tenant.clone());
            (Reverse(named.last_unix_s), Reverse(named.reports), of_name)
        });
        reported.truncate(latest);
        GuardSummary { guarded: all.guarded, unguarded: all.unguarded, reported, names }
    }
}

/// The limit on names in memory. Anybody can report names, so a ledger may have very many.
const MAX_NAMES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_audit::Window;

    const PAGE: GuardEvent = GuardEvent::Page(GuardOutcome::Guarded);
    const COOKIE: GuardEvent = GuardEvent::Reported(ScriptedKind::Cookie);

    fn guard(event: GuardEvent, name: Option<&str>, count: u64, minute: u64) -> Guard {
        Guard {
            window: Window::default(),
            tenant: TextId(0),
            mode: if minute > 1 { GuardMode::Enforce } else { GuardMode::Watch },
            event,
            name: name.map(str::to_owned),
            declaration: TextId(0),
            count,
            first_unix_s: minute * 60,
            last_unix_s: minute * 60,
        }
    }

    #[test]
    fn two_parts_of_a_ledger_add_up_and_the_last_reported_name_is_first() {
        let [mut closed, mut open] = [GuardSums::default(), GuardSums::default()];
        closed.add(guard(PAGE, None, 7, 1));
        closed.add(guard(COOKIE, Some("_ga"), 2, 1));
        closed.add(guard(COOKIE, Some("old"), 9, 0));
        closed.add(guard(COOKIE, Some(OTHER), 50, 9));
        closed.add(guard(COOKIE, None, 50, 9));
        open.add(guard(GuardEvent::Page(GuardOutcome::Partial), None, 1, 3));
        open.add(guard(COOKIE, Some("_ga"), 3, 3));
        let summary = closed.with(&open, &Texts::default(), 1);
        assert_eq!((summary.guarded, summary.unguarded, summary.names), (7, 1, 2));
        let [last] = &summary.reported[..] else { panic!("{summary:?}") };
        assert_eq!((&*last.name, last.reports, last.mode), ("_ga", 5, GuardMode::Enforce));
        assert_eq!((last.first_unix_s, last.last_unix_s), (60, 180));
    }

    #[test]
    fn names_have_a_limit_and_known_ones_still_count() {
        let mut sums = GuardSums::default();
        for number in 0..10_000 {
            sums.add(guard(COOKIE, Some(&format!("n{number}")), 1, 1));
        }
        sums.add(guard(COOKIE, Some("n0"), 1, 2));
        let summary = sums.with(&GuardSums::default(), &Texts::default(), 1);
        assert_eq!((summary.names, summary.reported[0].reports), (MAX_NAMES, 2));
    }
}
