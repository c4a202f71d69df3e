//! How the ledger does: what metrics show of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::verdict::Direction;

/// Figures that the ledger's thread keeps up, for whoever reads them.
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
    /// Entries that were written to the file since the start: `crumbgate_audit_rows_total`.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Cookies and agreements that are in no entry, for want of room: `crumbgate_audit_dropped_total`.
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

    /// Cookies and agreements by which closed segments do not add up: 0 in good order.
    pub fn unbalanced(&self) -> u64 {
        self.unbalanced.load(Relaxed)
    }

    /// Names of undeclared cookies that the file had never had, and that were first met in this direction.
    pub fn new_names(&self, direction: Direction) -> u64 {
        self.new_names_in(direction).load(Relaxed)
    }

    /// How often the clock has jumped since the start.
    pub fn clock_jumps(&self) -> u64 {
        self.clock_jumps.load(Relaxed)
    }

    /// How often the file was found damaged, or gone, since the start.
    pub fn damages(&self) -> u64 {
        self.damages.load(Relaxed)
    }

    /// How often the file said that the gateway before this one was not stopped properly.
    pub fn unclean_stops(&self) -> u64 {
        self.unclean_stops.load(Relaxed)
    }

    pub(super) fn count_new_name(&self, direction: Direction) {
        self.new_names_in(direction).fetch_add(1, Relaxed);
    }

    /// Counts an event, where it says that something may be missing.
    pub(super) fn count_event(&self, kind: EventKind) {
        let counter = match kind {
            EventKind::Clock => &self.clock_jumps,
            EventKind::Damage => &self.damages,
            EventKind::UncleanStop => &self.unclean_stops,
            EventKind::Configuration
            | EventKind::Declaration
            | EventKind::Key
            // `dropped` counts these, by cookies.
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
