//! Remembers the values that an application has replaced or deleted within the last five minutes (N4).
//!
//! The memory is a table of fixed size that all workers share without a lock. It consists of buckets of eight slots; a
//! bucket is one cache line, and a slot is one atomic word that holds everything about a value. No slot refers to
//! another, so relaxed ordering suffices, and a reader never sees half an entry. A full bucket forgets its oldest value
//! early: the bound may cost a wrong renewal, but never more memory.
//!
//! The table keeps half of a keyed hash of a value; the key exists only in the process. A look-up confuses two values
//! at most once in 2^29 times, and the consequence is one missing renewal.

use alloc::boxed::Box;
use core::{
    fmt,
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use foldhash::quality::FixedState;

/// The time that a value stays superseded, in seconds (N4).
pub const KEPT_S: u32 = 300;

/// The bounded memory of superseded values: a table of keyed hashes, each kept for five minutes. Threads share it without
/// a lock.
pub struct Superseded {
    keys: FixedState,
    /// The number of buckets is a power of two.
    buckets: Box<[Bucket]>,
}

/// The slots of one cache line.
type Bucket = [Slot; SLOTS];

/// The upper half holds the upper half of a value's hash; the lower half holds the second of uptime at which the value is
/// forgotten. Zero is an empty slot: its value was forgotten at the start.
type Slot = AtomicU64;

const SLOTS: usize = 8;

/// The limit of the table: 1 GiB, in buckets of 64 bytes.
const MAX_BUCKETS: usize = 1 << 24;

/// A value together with its tenant and its cookie, within which alone it is superseded.
#[derive(Clone, Copy, Hash)]
pub(crate) struct ValueKey<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Superseded {
    /// Allocates a memory for at least `capacity` values (at most 134 million, of 8 bytes each). `seed` is the key of the
    /// hashes.
    ///
    /// Values are spread by their hashes, so one bucket may be full, and forget values, before the whole table is.
    pub fn new(capacity: usize, seed: u64) -> Self {
        let keys = FixedState::with_seed(seed);
        let wanted = capacity.div_ceil(SLOTS).clamp(1, MAX_BUCKETS);
        // The system zeroes each page when it is first used, so a gateway without logins needs no memory for the table.
        let buckets = bytemuck::allocation::zeroed_slice_box(wanted.next_power_of_two());
        Self { keys, buckets }
    }

    /// Returns the largest number of values that it can hold.
    pub fn capacity(&self) -> usize {
        self.buckets.len().saturating_mul(SLOTS)
    }

    /// Remembers a value from `uptime_s` on, for [`KEPT_S`] seconds.
    pub(crate) fn remember(&self, key: ValueKey<'_>, uptime_s: u32) {
        let (bucket, tag) = self.locate(key);
        let entry = tag | u64::from(uptime_s.saturating_add(KEPT_S));
        loop {
            let Some((slot, found)) = bucket
                .iter()
                .map(|slot| (slot, slot.load(Relaxed)))
                .min_by_key(|(_, found)| (tag_of(*found) != tag, forgotten_at_s(*found)))
            else {
                return; // A bucket has slots.
            };
            // Another worker may have changed the slot in the meantime: then search again.
            if slot.compare_exchange(found, entry, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// Forgets a value, because the application has set it again.
    pub(crate) fn forget(&self, key: ValueKey<'_>) {
        let (bucket, tag) = self.locate(key);
        for slot in bucket {
            let found = slot.load(Relaxed);
            if tag_of(found) == tag {
                // If another worker was faster, its entry is as new as this change, and stays.
                let _ = slot.compare_exchange(found, 0, Relaxed, Relaxed);
            }
        }
    }

    /// Returns true if a value is superseded at `uptime_s`.
    pub(crate) fn holds(&self, key: ValueKey<'_>, uptime_s: u32) -> bool {
        let (bucket, tag) = self.locate(key);
        bucket.iter().any(|slot| {
            let found = slot.load(Relaxed);
            tag_of(found) == tag && forgotten_at_s(found) > uptime_s
        })
    }

    /// Returns the bucket of a value, and the upper half of its hash.
    fn locate(&self, key: ValueKey<'_>) -> (&[Slot], u64) {
        let hash = self.keys.hash_one(key);
        // The lower half of the hash selects the bucket, the upper half identifies the value within it.
        let mask = self.buckets.len().wrapping_sub(1);
        let index = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & mask;
        let bucket = self.buckets.get(index).map_or(&[][..], |bucket| &bucket[..]);
        (bucket, hash & TAG)
    }
}

/// Shows only the size, not even the hash of a value (A3).
impl fmt::Debug for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Superseded").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

const TAG: u64 = !(u32::MAX as u64);

fn tag_of(slot: u64) -> u64 {
    slot & TAG
}

fn forgotten_at_s(slot: u64) -> u32 {
    (slot & !TAG) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(value: &'a str) -> ValueKey<'a> {
        ValueKey { tenant: "acme.example", name: b"flexopus_session", value: value.as_bytes() }
    }

    #[test]
    fn n4_values_are_kept_for_five_minutes() {
        let memory = Superseded::new(100, 7);
        assert!(!memory.holds(key("a"), 0));
        memory.remember(key("a"), 10);
        assert!(memory.holds(key("a"), 10) && memory.holds(key("a"), 309));
        assert!(!memory.holds(key("a"), 310) && !memory.holds(key("b"), 10));
        memory.remember(key("a"), 200);
        assert!(memory.holds(key("a"), 499));
        memory.forget(key("b"));
        assert!(memory.holds(key("a"), 200));
        memory.forget(key("a"));
        assert!(!memory.holds(key("a"), 200));
    }

    #[test]
    fn n4_a_value_belongs_to_its_tenant_and_its_cookie() {
        let memory = Superseded::new(100, 7);
        memory.remember(key("a"), 0);
        assert!(!memory.holds(ValueKey { tenant: "b.example", ..key("a") }, 0));
        assert!(!memory.holds(ValueKey { name: b"XSRF-TOKEN", ..key("a") }, 0));
        assert!(
            !memory.holds(
                ValueKey { tenant: "acme.examplef", name: b"lexopus_session", ..key("a") },
                0
            )
        );
    }

    #[test]
    fn n4_a_full_bucket_forgets_its_oldest() {
        let memory = Superseded::new(1, 7);
        assert_eq!(memory.capacity(), 8);
        let values: Vec<String> = (0..9).map(|n| format!("value {n}")).collect();
        for (uptime_s, value) in (0..).zip(&values) {
            memory.remember(key(value), uptime_s);
        }
        let held: Vec<bool> = values.iter().map(|value| memory.holds(key(value), 9)).collect();
        assert_eq!(held, [false, true, true, true, true, true, true, true, true]);
        // A value that is remembered again keeps its slot, and becomes the newest.
        memory.remember(key("value 2"), 20);
        assert!(memory.holds(key("value 1"), 20));
        memory.remember(key("value 9"), 20);
        memory.remember(key("value 10"), 20);
        assert!(memory.holds(key("value 2"), 20) && !memory.holds(key("value 3"), 20));
    }

    #[test]
    fn n4_the_memory_has_the_requested_size() {
        for (capacity, held) in [(0, 8), (8, 8), (9, 16), (65_536, 65_536)] {
            assert_eq!(Superseded::new(capacity, 7).capacity(), held);
        }
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn n4_the_clock_may_reach_its_end() {
        let memory = Superseded::new(8, 7);
        memory.remember(key("a"), u32::MAX - 1);
        assert!(memory.holds(key("a"), u32::MAX - 1));
    }

    #[test]
    fn n4_all_workers_share_it() {
        let memory = Superseded::new(1024, 7);
        let value = |worker: usize, n: usize| format!("{worker} {n}");
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let memory = &memory;
                scope.spawn(move || {
                    for n in 0..64 {
                        memory.remember(key(&value(worker, n)), 1);
                        memory.remember(key("common"), 1);
                        assert!(memory.holds(key("common"), 1));
                    }
                });
            }
        });
        let held = (0..256).filter(|i| memory.holds(key(&value(i / 64, i % 64)), 1)).count();
        // The table is a quarter full. A bucket may have received a ninth value by chance, and forgotten one.
        assert!(held >= 250, "{held} of 256 are held");
    }
}
