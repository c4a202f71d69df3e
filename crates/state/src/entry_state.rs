//! The state of an entry: its number in the file, and whether the file is up to date.

/// The state of one entry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct EntryState {
    /// The number in the file; `None` until the entry is written.
    pub(super) seq: Option<u64>,
    /// The number that the current transaction gives it.
    pub(super) assigned: Option<u64>,
    /// True if the entry has changed since it was written.
    pub(super) is_dirty: bool,
}

impl EntryState {
    /// Notes that the transaction was committed.
    pub(super) fn mark_written(&mut self) {
        self.seq = self.assigned.or(self.seq);
        self.assigned = None;
        self.is_dirty = false;
    }
}
