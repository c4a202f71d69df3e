//! A worker's counts of events on the gateway's own pages. There are few of these pages.

use std::{collections::HashMap, mem, sync::Arc};

use foldhash::fast::RandomState;

use super::super::{
    agreement::{AgreementEvent, ShownPage},
    window::minute,
};

/// The counts of one window.
#[derive(Default)]
pub(super) struct Agreements {
    rows: HashMap<Key, Row, RandomState>,
}

/// The key of a row.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    tenant: usize,
    event: AgreementEvent,
    /// The page's hash.
    page: Arc<str>,
}

struct Row {
    page: Arc<ShownPage>,
    /// The count since the last batch; 0 if there was none since.
    count: u64,
    first_unix_s: u64,
    last_unix_s: u64,
}

/// The count of a row since it was last taken.
pub(super) struct Taken {
    pub(super) tenant: usize,
    pub(super) event: AgreementEvent,
    pub(super) page: Arc<ShownPage>,
    pub(super) count: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
}

impl Agreements {
    /// Counts an event on a page; returns `false` if there is no room for its row.
    pub(super) fn count(
        &mut self,
        tenant: usize,
        event: AgreementEvent,
        page: &Arc<ShownPage>,
        unix_s: u64,
    ) -> bool {
        let key = Key { tenant, event, page: Arc::clone(page.hash()) };
        let is_full = self.rows.len() >= MAX_ROWS;
        let minute = minute(unix_s);
        let row = match self.rows.get_mut(&key) {
            Some(row) => row,
            None if is_full => return false,
            None => self.rows.entry(key).or_insert_with(|| Row {
                page: Arc::clone(page),
                count: 0,
                first_unix_s: minute,
                last_unix_s: minute,
            }),
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

    /// Takes the counts since the last call. The rows stay, so that counting again needs no allocation.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Taken> {
        let rows = self.rows.iter_mut().filter(|(_, row)| row.count > 0);
        rows.map(|(key, row)| Taken {
            tenant: key.tenant,
            event: key.event,
            page: Arc::clone(&row.page),
            count: mem::take(&mut row.count),
            first_unix_s: row.first_unix_s,
            last_unix_s: row.last_unix_s,
        })
    }

    /// Removes all rows, and drops their pages.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}

/// Number of rows that a worker keeps. When they are full, they are flushed and removed.
pub(super) const MAX_ROWS: usize = 4_096;
