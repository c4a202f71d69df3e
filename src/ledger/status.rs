//! How the ledger does: what metrics show of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Figures that the ledger's thread keeps up, for whoever reads them.
#[derive(Debug, Default)]
pub struct Status {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) is_failing: AtomicBool,
    pub(super) segments: AtomicU64,
}

impl Status {
    /// Entries that were written to the file since the start: `crumbgate_audit_rows_total`.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Cookies that are in no entry, for want of room: `crumbgate_audit_dropped_total`.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Entries that wait in memory to be written.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// Whether the file can't be written now.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Relaxed)
    }

    /// Segments that were closed since the start.
    pub fn segments(&self) -> u64 {
        self.segments.load(Relaxed)
    }
}
