//! How far a long piece of work is: counted by whoever does it, looked at by whoever waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Steps that are expected, and those that were taken. Clones count the same steps, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    expected: AtomicU64,
    taken: AtomicU64,
}

impl Progress {
    /// How many steps there are to take, as far as that is known; 0 before it is.
    pub fn expected(&self) -> u64 {
        self.0.expected.load(Relaxed)
    }

    /// How many were taken. A second look at what does not fit can make them more than were expected.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Relaxed)
    }

    /// Expects so many steps more.
    pub fn expect(&self, steps: u64) {
        self.0.expected.fetch_add(steps, Relaxed);
    }

    /// Takes a step.
    pub fn step(&self) {
        self.0.taken.fetch_add(1, Relaxed);
    }
}
