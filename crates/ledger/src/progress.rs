//! The progress of a long operation: one thread counts it, another displays it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The numbers of expected and completed steps. Clones share them, across threads.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    expected: AtomicU64,
    taken: AtomicU64,
}

impl Progress {
    /// The number of expected steps; 0 until it is known.
    pub fn expected(&self) -> u64 {
        self.0.expected.load(Relaxed)
    }

    /// The number of completed steps. It can exceed the expected number, because a defect is
    /// examined a second time.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Relaxed)
    }

    /// Adds to the number of expected steps.
    pub fn expect(&self, steps: u64) {
        self.0.expected.fetch_add(steps, Relaxed);
    }

    /// Counts a completed step.
    pub fn step(&self) {
        self.0.taken.fetch_add(1, Relaxed);
    }
}
