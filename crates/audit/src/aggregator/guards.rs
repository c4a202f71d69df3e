//! A worker's counts of the guard's events. Names come from anybody, so their number is limited for each tenant and window.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::super::{
    guard_event::GuardEvent,
    limits::{MAX_SCRIPTED_NAMES, OTHER},
    window::minute,
};
use crumbgate_policy::GuardMode;

/// The counts of one window.
pub(super) struct Guards {
    rows: HashMap<Key, Row, RandomState>,
    /// The reported names of each tenant in this window, by kind.
    names: HashMap<usize, Names, RandomState>,
    /// Number of names in `names`.
    name_count: usize,
    other: Arc<str>,
}

type Names = HashSet<(GuardEvent, Arc<str>), RandomState>;

/// The key of a row.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    tenant: usize,
    mode: GuardMode,
    event: GuardEvent,
    /// The template of the reported name; `None` for events of pages and for an empty name.
    name: Option<Arc<str>>,
}

struct Row {
    /// The count since the last batch; 0 if there was none since.
    count: u64,
    first_unix_s: u64,
    last_unix_s: u64,
}

/// The count of a row since it was last taken.
pub(super) struct Taken {
    pub(super) tenant: usize,
    pub(super) mode: GuardMode,
    pub(super) event: GuardEvent,
    pub(super) name: Option<Arc<str>>,
    pub(super) count: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
}

impl Guards {
    pub(super) fn new() -> Self {
        let (rows, names) = (HashMap::default(), HashMap::default());
        Self { rows, names, name_count: 0, other: OTHER.into() }
    }

    /// Counts an event; returns `false` if there is no room for its row. `name` is a template, empty if there is none.
    pub(super) fn count(
        &mut self,
        tenant: usize,
        mode: GuardMode,
        event: GuardEvent,
        name: &str,
        unix_s: u64,
    ) -> bool {
        let name = self.admit(tenant, event, name);
        let key = Key { tenant, mode, event, name };
        let is_full = self.rows.len() >= MAX_ROWS;
        let minute = minute(unix_s);
        let new = Row { count: 0, first_unix_s: minute, last_unix_s: minute };
        let row = match self.rows.get_mut(&key) {
            Some(row) => row,
            None if is_full => return false,
            None => self.rows.entry(key).or_insert(new),
        };
        if row.count == 0 {
            row.first_unix_s = minute;
            row.last_unix_s = minute;
        }
        row.count += 1;
        row.first_unix_s = row.first_unix_s.min(minute);
        row.last_unix_s = row.last_unix_s.max(minute);
        true
    }

    /// Returns the text to count a name under: the name, or [`OTHER`] beyond the limit; `None` for an empty name.
    fn admit(&mut self, tenant: usize, event: GuardEvent, name: &str) -> Option<Arc<str>> {
        if name.is_empty() {
            return None;
        }
        let name: Arc<str> = name.into();
        let names = self.names.entry(tenant).or_default();
        let known = (event, Arc::clone(&name));
        if names.contains(&known) {
            return Some(name);
        }
        if names.len() >= MAX_SCRIPTED_NAMES || self.name_count >= MAX_NAMES_OF_ALL {
            return Some(Arc::clone(&self.other));
        }
        names.insert(known);
        self.name_count += 1;
        Some(name)
    }

    /// Takes the counts since the last call. The rows stay.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Taken> {
        let rows = self.rows.iter_mut().filter(|(_, row)| row.count > 0);
        rows.map(|(key, row)| Taken {
            tenant: key.tenant,
            mode: key.mode,
            event: key.event,
            name: key.name.clone(),
            count: mem::take(&mut row.count),
            first_unix_s: row.first_unix_s,
            last_unix_s: row.last_unix_s,
        })
    }

    /// Removes all rows. The names of the window still count.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Removes all rows and names, for a new window.
    pub(super) fn begin_window(&mut self) {
        self.rows.clear();
        self.names.clear();
        self.name_count = 0;
    }
}

/// Number of rows that a worker keeps. When they are full, they are flushed and removed.
pub(super) const MAX_ROWS: usize = 4_096;

/// Number of names that a worker keeps, of all tenants together.
const MAX_NAMES_OF_ALL: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{GuardOutcome, ScriptedKind};

    const COOKIE: GuardEvent = GuardEvent::Reported(ScriptedKind::Cookie);
    const WATCH: GuardMode = GuardMode::Watch;

    fn names(guards: &mut Guards, tenant: usize) -> Vec<(Option<Arc<str>>, u64)> {
        let taken = guards.take().filter(|row| row.tenant == tenant);
        taken.map(|row| (row.name, row.count)).collect()
    }

    #[test]
    fn a7_names_beyond_the_limit_of_a_tenant_are_other_until_the_next_window() {
        let mut guards = Guards::new();
        for number in 0..10_000 {
            assert!(guards.count(0, WATCH, COOKIE, &format!("n{number}"), 0));
        }
        assert!(guards.count(0, WATCH, COOKIE, "n0", 0));
        let rows = names(&mut guards, 0);
        assert_eq!(rows.len(), MAX_SCRIPTED_NAMES + 1);
        assert!(rows.contains(&(Some(OTHER.into()), 10_000 - MAX_SCRIPTED_NAMES as u64)));
        assert!(rows.contains(&(Some("n0".into()), 2)));
        guards.clear();
        assert!(guards.count(0, WATCH, COOKIE, "new", 30));
        assert_eq!(names(&mut guards, 0), [(Some(OTHER.into()), 1)]);
        assert!(guards.count(1, WATCH, COOKIE, "of another tenant", 30));
        assert_eq!(names(&mut guards, 1), [(Some("of another tenant".into()), 1)]);
        guards.begin_window();
        assert!(guards.count(0, WATCH, COOKIE, "new", 60));
        assert_eq!(names(&mut guards, 0), [(Some("new".into()), 1)]);
    }

    #[test]
    fn pages_have_no_name_and_each_mode_and_kind_has_a_row_of_its_own() {
        let mut guards = Guards::new();
        let page = GuardEvent::Page(GuardOutcome::Guarded);
        let storage = GuardEvent::Reported(ScriptedKind::LocalStorage);
        for (mode, event, name, unix_s) in [
            (WATCH, page, "", 61),
            (WATCH, page, "", 130),
            (GuardMode::Enforce, page, "", 61),
            (WATCH, COOKIE, "_ga", 61),
            (WATCH, storage, "_ga", 61),
            (WATCH, COOKIE, "", 61),
        ] {
            assert!(guards.count(0, mode, event, name, unix_s));
        }
        let mut rows: Vec<_> = guards
            .take()
            .map(|row| (row.event, row.mode == WATCH, row.name, row.count, row.last_unix_s))
            .collect();
        rows.sort();
        let ga = || Some(Arc::from("_ga"));
        let expected = [
            (page, false, None, 1, 60),
            (page, true, None, 2, 120),
            (COOKIE, true, None, 1, 60),
            (COOKIE, true, ga(), 1, 60),
            (storage, true, ga(), 1, 60),
        ];
        assert_eq!(rows, expected);
        assert_eq!(guards.take().count(), 0);
    }
}
