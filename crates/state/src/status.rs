//! Figures of the ledger for metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::verdict::Direction;

/// Counters that the thread updates and others read.
#[derive(Debug, Default)]
pub struct Status {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) is_failing: AtomicBool,
    pub(super) segments: AtomicU64,
    pub(super) unbalanced: AtomicU64,
    new_names_of_requests: AtomicU64,
    new_names_of_responses: AtomicU64,
    clock_jumps: AtomicU64,
    damages: AtomicU64,
    unclean_stops: AtomicU64,
}

impl Status {
    /// Entries written since the start: `crumbgate_audit_rows_total`.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Cookies and agreements that are in no entry because there was no room:
    /// `crumbgate_audit_dropped_total`.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Entries in memory that are not written yet.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// True while the file can't be written.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Relaxed)
    }

    /// Segments closed since the start.
    pub fn segments(&self) -> u64 {
        self.segments.load(Relaxed)
    }

    /// The number of cookies and agreements by which closed segments do not add up. 0 is correct.
    pub fn unbalanced(&self) -> u64 {
        self.unbalanced.load(Relaxed)
    }

    /// Undeclared cookie names that were new to the file and first seen in this direction.
    pub fn new_names(&self, direction: Direction) -> u64 {
        self.new_names_in(direction).load(Relaxed)
    }

    /// Clock jumps since the start.
    pub fn clock_jumps(&self) -> u64 {
        self.clock_jumps.load(Relaxed)
    }

    /// The number of times that the file was damaged or missing, since the start.
    pub fn damages(&self) -> u64 {
        self.damages.load(Relaxed)
    }

    /// Starts that found that the previous gateway had not stopped properly.
    pub fn unclean_stops(&self) -> u64 {
        self.unclean_stops.load(Relaxed)
    }

    pub(super) fn count_new_name(&self, direction: Direction) {
        self.new_names_in(direction).fetch_add(1, Relaxed);
    }

    /// Counts an event of a kind that means that entries may be missing.
    pub(super) fn count_event(&self, kind: EventKind) {
        let counter = match kind {
            EventKind::Clock => &self.clock_jumps,
            EventKind::Damage => &self.damages,
            EventKind::UncleanStop => &self.unclean_stops,
            EventKind::Configuration
            | EventKind::Declaration
            | EventKind::Key
            // `dropped` counts these, in cookies.
            | EventKind::Loss
            | EventKind::Prune
            | EventKind::Start
            | EventKind::Stop
            | EventKind::Tenant => return,
        };
        counter.fetch_add(1, Relaxed);
    }

    fn new_names_in(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Request => &self.new_names_of_requests,
            Direction::Response => &self.new_names_of_responses,
        }
    }
}
