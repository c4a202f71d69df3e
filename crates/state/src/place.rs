//! The place of an entry in the file.

/// Where an entry is in the file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Place {
    /// Its number; none as long as it is not there.
    pub(super) seq: Option<u64>,
    /// The number that it gets by the transaction under way.
    pub(super) assigned: Option<u64>,
    /// Whether it has changed since it was written.
    pub(super) is_dirty: bool,
}

impl Place {
    /// The transaction has gone through.
    pub(super) fn settle(&mut self) {
        self.seq = self.assigned.or(self.seq);
        self.assigned = None;
        self.is_dirty = false;
    }
}
