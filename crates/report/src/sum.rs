//! Sums of counts, and the maps that hold them.

use std::collections::HashMap;

/// A map with a fast hasher. Its keys come from the own ledger, so collisions can't be forced from outside.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Adds with saturation: a damaged ledger may contain any count.
pub(super) fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}
