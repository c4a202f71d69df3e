//! The bytes that large heads may have on the connections of one worker.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::proxy::limits::{LARGE_HEADS_BYTES, SMALL_HEAD_BYTES};

/// The bytes that the large heads of a worker may still take. Only its thread uses them; an atomic because hyper requires the
/// I/O of an upgradable connection to be `Send`.
#[derive(Clone)]
pub(crate) struct LargeHeads(Arc<AtomicUsize>);

/// The bytes of one head that are taken. They are given back when it is dropped.
pub(crate) struct LargeHead {
    large_heads: LargeHeads,
    bytes: AtomicUsize,
}

impl LargeHeads {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(LARGE_HEADS_BYTES)))
    }

    /// Makes a head without any bytes.
    pub(super) fn begin(&self) -> LargeHead {
        LargeHead { large_heads: self.clone(), bytes: AtomicUsize::new(0) }
    }

    /// Takes what a head of so many bytes needs. `None` if too little is left.
    pub(crate) fn take(&self, bytes: usize) -> Option<LargeHead> {
        let head = self.begin();
        head.grow(bytes).then_some(head)
    }
}

impl LargeHead {
    /// Adds so many bytes to the head; returns false, and adds nothing, if too little is left.
    pub(super) fn grow(&self, more: usize) -> bool {
        let bytes = self.bytes.load(Relaxed);
        let grown = bytes.saturating_add(more);
        let left = self.large_heads.0.load(Relaxed).checked_sub(beyond(grown) - beyond(bytes));
        let Some(left) = left else { return false };
        self.large_heads.0.store(left, Relaxed);
        self.bytes.store(grown, Relaxed);
        true
    }

    /// Gives all bytes back.
    pub(super) fn end(&self) {
        let bytes = beyond(self.bytes.load(Relaxed));
        self.bytes.store(0, Relaxed);
        if bytes > 0 {
            let left = &self.large_heads.0;
            left.store(left.load(Relaxed).saturating_add(bytes), Relaxed);
        }
    }
}

impl Drop for LargeHead {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns the bytes of a head that are more than every connection may have.
fn beyond(bytes: usize) -> usize {
    bytes.saturating_sub(SMALL_HEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_large_heads_share_what_the_worker_has() {
        let large_heads = LargeHeads::new();
        let left = || large_heads.0.load(Relaxed);
        let small = large_heads.take(SMALL_HEAD_BYTES).unwrap();
        assert_eq!(left(), LARGE_HEADS_BYTES);
        assert!(small.grow(7));
        assert_eq!(left(), LARGE_HEADS_BYTES - 7);
        let large = large_heads.take(SMALL_HEAD_BYTES + LARGE_HEADS_BYTES - 7).unwrap();
        assert_eq!(left(), 0);
        assert!(!small.grow(1) && large_heads.take(SMALL_HEAD_BYTES + 1).is_none());
        assert!(large_heads.take(SMALL_HEAD_BYTES).is_some());
        small.end();
        assert_eq!(left(), 7);
        drop((small, large));
        assert_eq!(left(), LARGE_HEADS_BYTES);
    }
}
