//! A worker's rows of what became of pages. There are few: the pages are the gateway's own.

use std::{collections::HashMap, mem, sync::Arc};

use foldhash::fast::RandomState;

use super::{
    super::agreement::{AgreementEvent, ShownPage},
    minute,
};

/// The rows of one window.
#[derive(Default)]
pub(super) struct Agreements {
    rows: HashMap<Key, Row, RandomState>,
}

/// What tells rows apart.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    account: usize,
    event: AgreementEvent,
    /// Its hash.
    page: Arc<str>,
}

struct Row {
    page: Arc<ShownPage>,
    /// Since the last page of the journal; 0: it was not met again.
    count: u64,
    first_unix_s: u64,
    last_unix_s: u64,
}

/// What was counted in a row since it was last taken.
pub(super) struct Taken {
    pub(super) account: usize,
    pub(super) event: AgreementEvent,
    pub(super) page: Arc<ShownPage>,
    pub(super) count: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
}

impl Agreements {
    /// Counts an event of a page; says whether there was room.
    pub(super) fn count(
        &mut self,
        account: usize,
        event: AgreementEvent,
        page: &Arc<ShownPage>,
        unix_s: u64,
    ) -> bool {
        let key = Key { account, event, page: Arc::clone(page.hash()) };
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

    /// Takes what was counted since this was last done. The rows stay, so that counting goes on without an allocation.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Taken> {
        let rows = self.rows.iter_mut().filter(|(_, row)| row.count > 0);
        rows.map(|(key, row)| Taken {
            account: key.account,
            event: key.event,
            page: Arc::clone(&row.page),
            count: mem::take(&mut row.count),
            first_unix_s: row.first_unix_s,
            last_unix_s: row.last_unix_s,
        })
    }

    /// Forgets the rows, and lets go of their pages.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}

/// How many rows a worker keeps at once; when they are full, they are handed on and start anew.
pub(super) const MAX_ROWS: usize = 4_096;
