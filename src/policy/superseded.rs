//! The values that an application has replaced or deleted within the last minutes (N4).
//!
//! A table of fixed size, shared by all workers without a lock: buckets of eight slots, each bucket one cache line,
//! each slot one atomic word that says all there is to say of a value. No slot refers to another, so no order among
//! them is needed, and a reader never meets half an entry. Where a bucket is full its oldest value is forgotten early:
//! the bound costs a renewal too many, never memory.
//!
//! What is kept of a value is half of a keyed hash, whose key dies with the process. A look-up takes a stranger for
//! its value once in 2^29 times at most, and that costs one renewal.

use std::{
    fmt,
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use foldhash::quality::FixedState;

/// For how long a value stays superseded, in seconds (N4).
pub const KEPT_S: u32 = 300;

/// A bounded memory of superseded values: keyed hashes, each for five minutes. Shared by all workers without a lock.
pub struct Superseded {
    keys: FixedState,
    /// A power of two of them.
    buckets: Box<[Bucket]>,
}

/// Slots in one cache line.
type Bucket = [Slot; SLOTS];

/// The upper half of a value's hash, and below it the second of uptime at which it is forgotten. Zero is empty: it was
/// forgotten when the gateway started.
type Slot = AtomicU64;

const SLOTS: usize = 8;

/// Of 64 bytes each: 1 GiB.
const MAX_BUCKETS: usize = 1 << 24;

/// Whose value it is; a value is superseded within its tenant and its cookie only.
#[derive(Clone, Copy, Hash)]
pub(super) struct Key<'a> {
    pub(super) tenant: &'a str,
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Superseded {
    /// A memory for at least `capacity` values (134 million at most, 8 bytes each), hashed with this seed as
    /// the key.
    ///
    /// Values spread by chance, so a bucket may be full, and forget, before the whole is.
    pub fn new(capacity: usize, seed: u64) -> Self {
        let keys = FixedState::with_seed(seed);
        let wanted = capacity.div_ceil(SLOTS).clamp(1, MAX_BUCKETS);
        // Zeroed by the system when it is first touched: a gateway without logins has no memory for it.
        let buckets = bytemuck::allocation::zeroed_slice_box(wanted.next_power_of_two());
        Self { keys, buckets }
    }

    /// How many values it holds at most.
    pub fn capacity(&self) -> usize {
        self.buckets.len().saturating_mul(SLOTS)
    }

    /// Remembers a value, from `uptime_s` on for [`KEPT_S`].
    pub(super) fn remember(&self, key: Key<'_>, uptime_s: u32) {
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
            // Another worker may have changed the slot since: then look again.
            if slot.compare_exchange(found, entry, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// Forgets a value: the application has set it, so it lives.
    pub(super) fn forget(&self, key: Key<'_>) {
        let (bucket, tag) = self.locate(key);
        for slot in bucket {
            let found = slot.load(Relaxed);
            if tag_of(found) == tag {
                // Where another worker was faster, what it wrote is as young as this, and stays.
                let _ = slot.compare_exchange(found, 0, Relaxed, Relaxed);
            }
        }
    }

    /// Whether a value is superseded at `uptime_s`.
    pub(super) fn holds(&self, key: Key<'_>, uptime_s: u32) -> bool {
        let (bucket, tag) = self.locate(key);
        bucket.iter().any(|slot| {
            let found = slot.load(Relaxed);
            tag_of(found) == tag && forgotten_at_s(found) > uptime_s
        })
    }

    /// The bucket of a value, and the upper half of its hash.
    fn locate(&self, key: Key<'_>) -> (&[Slot], u64) {
        let hash = self.keys.hash_one(key);
        // The lower half chooses the bucket, so the two halves say different things.
        let mask = self.buckets.len().wrapping_sub(1);
        let index = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & mask;
        let bucket = self.buckets.get(index).map_or(&[][..], |bucket| &bucket[..]);
        (bucket, hash & TAG)
    }
}

/// Its size alone: not even a hash of a value is shown (A3).
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

    fn key<'a>(value: &'a str) -> Key<'a> {
        Key { tenant: "acme.example", name: b"flexopus_session", value: value.as_bytes() }
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
        assert!(!memory.holds(Key { tenant: "b.example", ..key("a") }, 0));
        assert!(!memory.holds(Key { name: b"XSRF-TOKEN", ..key("a") }, 0));
        assert!(
            !memory.holds(Key { tenant: "acme.examplef", name: b"lexopus_session", ..key("a") }, 0)
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
        // What is remembered again keeps its slot, and is as young as any.
        memory.remember(key("value 2"), 20);
        assert!(memory.holds(key("value 1"), 20));
        memory.remember(key("value 9"), 20);
        memory.remember(key("value 10"), 20);
        assert!(memory.holds(key("value 2"), 20) && !memory.holds(key("value 3"), 20));
    }

    #[test]
    fn n4_the_memory_has_the_size_that_was_asked_for() {
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
        // A quarter full: by chance a bucket may have seen nine, and then forgot one.
        assert!(held >= 250, "{held} of 256 are held");
    }
}
