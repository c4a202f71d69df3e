//! Guard entries that are not in the file yet, or may still change there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::entry_state::EntryState;
use crumbgate_audit::{GuardCount, GuardEvent, MAX_SCRIPTED_NAMES, OTHER, Window};
use crumbgate_policy::GuardMode;

/// The pending guard entries.
#[derive(Debug, Default)]
pub(super) struct Guards {
    rows: HashMap<GuardKey, PendingGuard, RandomState>,
    /// The reported names of each window and tenant, by kind, over all workers (A7).
    names: HashMap<(Window, Arc<str>), Names, RandomState>,
}

type Names = HashSet<(GuardEvent, Arc<str>), RandomState>;

/// The key of a guard entry: entries with different keys are different entries.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct GuardKey {
    pub(super) window: Window,
    pub(super) tenant: Arc<str>,
    pub(super) mode: GuardMode,
    pub(super) event: GuardEvent,
    pub(super) name: Option<Arc<str>>,
    pub(super) declaration: Arc<str>,
}

/// The part of a guard entry that changes.
#[derive(Debug, Default)]
pub(super) struct PendingGuard {
    pub(super) state: EntryState,
    pub(super) count: u64,
    /// The value of `count` in the file.
    written: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
}

impl Guards {
    /// Adds a worker's count. Returns whether it was added: `has_room` allows another entry.
    pub(super) fn add(
        &mut self,
        window: Window,
        declaration: &Arc<str>,
        row: &GuardCount,
        has_room: bool,
    ) -> bool {
        let key = GuardKey {
            window,
            tenant: Arc::clone(&row.tenant),
            mode: row.mode,
            event: row.event,
            name: self.bound(window, row),
            declaration: Arc::clone(declaration),
        };
        if !(has_room || self.rows.contains_key(&key)) {
            return false;
        }
        let first_unix_s = row.first_unix_s;
        let new = || PendingGuard { first_unix_s, ..PendingGuard::default() };
        let pending = self.rows.entry(key).or_insert_with(new);
        pending.state.is_dirty = true;
        pending.count = pending.count.saturating_add(row.count);
        pending.first_unix_s = pending.first_unix_s.min(row.first_unix_s);
        pending.last_unix_s = pending.last_unix_s.max(row.last_unix_s);
        true
    }

    /// Limits the reported names of a window and tenant, over all workers. Further names become [`OTHER`].
    fn bound(&mut self, window: Window, row: &GuardCount) -> Option<Arc<str>> {
        let name = row.name.as_ref()?;
        let names = self.names.entry((window, Arc::clone(&row.tenant))).or_default();
        let known = (row.event, Arc::clone(name));
        if &**name == OTHER || names.contains(&known) {
            return Some(Arc::clone(name));
        }
        if names.len() >= MAX_SCRIPTED_NAMES {
            return Some(OTHER.into());
        }
        names.insert(known);
        Some(Arc::clone(name))
    }

    /// The entries that differ from the file.
    pub(super) fn dirty(&mut self) -> impl Iterator<Item = (&GuardKey, &mut PendingGuard)> {
        self.rows.iter_mut().filter(|(_, pending)| pending.state.is_dirty)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.rows.values().any(|pending| pending.state.is_dirty)
    }

    /// The number of entries that differ from the file.
    pub(super) fn unwritten(&self) -> usize {
        self.rows.values().filter(|pending| pending.state.is_dirty).count()
    }

    /// The number of entries, written or not.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Notes that the file now holds every entry as it is here.
    pub(super) fn mark_written(&mut self) {
        for pending in self.rows.values_mut() {
            pending.state.mark_written();
            pending.written = pending.count;
        }
    }

    /// Drops entries that are written and whose window has ended.
    pub(super) fn drop_finished(&mut self, is_open: impl Fn(&Window) -> bool) {
        self.rows.retain(|key, pending| pending.state.is_dirty || is_open(&key.window));
        self.names.retain(|(window, _), _| is_open(window));
    }

    /// Separates the entries from the file. Later counts, and counts that are not written yet, make
    /// new entries.
    pub(super) fn detach(&mut self) {
        self.rows.retain(|_, pending| {
            pending.count = pending.count.saturating_sub(pending.written);
            pending.written = 0;
            pending.state.seq = None;
            pending.count > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_audit::{GuardOutcome, ScriptedKind};

    const WINDOW: Window = Window { start_unix_s: 600, length_s: 300 };

    fn row(tenant: &str, name: Option<&str>, count: u64) -> GuardCount {
        let reported = GuardEvent::Reported(ScriptedKind::Cookie);
        let page = GuardEvent::Page(GuardOutcome::Guarded);
        GuardCount {
            tenant: tenant.into(),
            mode: GuardMode::Watch,
            event: if name.is_some() { reported } else { page },
            name: name.map(Into::into),
            count,
            first_unix_s: 660,
            last_unix_s: 720,
        }
    }

    fn add(guards: &mut Guards, row: &GuardCount) -> bool {
        guards.add(WINDOW, &"first".into(), row, true)
    }

    fn counts(guards: &mut Guards) -> Vec<(Option<String>, u64)> {
        let dirty = guards.dirty();
        let mut counts: Vec<_> = dirty
            .map(|(key, pending)| (key.name.as_deref().map(str::to_owned), pending.count))
            .collect();
        counts.sort();
        counts
    }

    #[test]
    fn a7_names_of_all_workers_together_have_a_limit_that_is_each_tenant_s_own() {
        let mut guards = Guards::default();
        for number in 0..10_000 {
            assert!(add(&mut guards, &row("a.example", Some(&format!("n{number}")), 1)));
        }
        assert_eq!(guards.len(), MAX_SCRIPTED_NAMES + 1);
        let rest = 10_000 - MAX_SCRIPTED_NAMES as u64;
        assert!(counts(&mut guards).contains(&(Some(OTHER.to_owned()), rest)));
        assert!(add(&mut guards, &row("b.example", Some("late"), 1)));
        assert!(add(&mut guards, &row("a.example", None, 1)));
        let counts = counts(&mut guards);
        assert!(counts.contains(&(Some("late".to_owned()), 1)) && counts.contains(&(None, 1)));
        guards.mark_written();
        guards.drop_finished(|_| false);
        assert_eq!((guards.len(), guards.names.len()), (0, 0));
    }

    #[test]
    fn an_entry_that_continues_in_another_file_has_the_counts_since() {
        let mut guards = Guards::default();
        assert!(add(&mut guards, &row("a.example", Some("_ga"), 3)));
        assert!(add(&mut guards, &row("a.example", None, 1)));
        guards.mark_written();
        assert!(!guards.is_dirty());
        assert!(add(&mut guards, &row("a.example", Some("_ga"), 5)));
        guards.detach();
        assert_eq!(counts(&mut guards), [(Some("_ga".to_owned()), 5)]);
        assert_eq!((guards.len(), guards.unwritten()), (1, 1));
    }

    #[test]
    fn without_room_only_entries_that_exist_grow() {
        let mut guards = Guards::default();
        assert!(add(&mut guards, &row("a.example", None, 1)));
        assert!(guards.add(WINDOW, &"first".into(), &row("a.example", None, 1), false));
        assert!(!guards.add(WINDOW, &"second".into(), &row("a.example", None, 1), false));
        assert_eq!(counts(&mut guards), [(None, 2)]);
    }
}
