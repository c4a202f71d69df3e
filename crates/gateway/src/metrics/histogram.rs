//! Histograms of durations.

use std::time::Duration;

use super::counter::Counter;

/// A histogram with one writer.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// One bucket per bound, and one for longer durations. Each duration counts in one bucket.
    buckets: [Counter; BUCKETS],
    sum_ns: Counter,
}

/// The values of one or more histograms at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Durations {
    buckets: [u64; BUCKETS],
    pub(super) sum_ns: u64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS_NS.partition_point(|bound| *bound < ns)].add(1);
        self.sum_ns.add(ns);
    }
}

impl Durations {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, counter) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += counter.get();
        }
        self.sum_ns = self.sum_ns.wrapping_add(histogram.sum_ns.get());
    }

    /// Each bound in nanoseconds, with the number of durations up to it.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let sums = self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS_NS.into_iter().zip(sums)
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The mean duration; `None` if there are no durations.
    pub fn mean(&self) -> Option<Duration> {
        self.sum_ns.checked_div(self.count()).map(Duration::from_nanos)
    }

    /// The durations since an earlier reading.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (bucket, before) in since.buckets.iter_mut().zip(&earlier.buckets) {
            *bucket = bucket.saturating_sub(*before);
        }
        since.sum_ns = since.sum_ns.wrapping_sub(earlier.sum_ns);
        since
    }

    /// An estimate of a quantile, given in thousandths. Assumes that durations are spread evenly within a bucket; those
    /// longer than all bounds count as the last bound. `None` if there are no durations.
    pub fn quantile(&self, per_mille: u32) -> Option<Duration> {
        let count = u128::from(self.count());
        let rank = (count * u128::from(per_mille)).div_ceil(1_000).max(1);
        let (mut below, mut from_ns) = (0_u128, 0);
        for (bound_ns, in_bucket) in BOUNDS_NS.into_iter().zip(self.buckets) {
            let in_bucket = u128::from(in_bucket);
            if below + in_bucket >= rank {
                let part = u128::from(bound_ns - from_ns) * (rank - below) / in_bucket.max(1);
                return Some(Duration::from_nanos(from_ns + u64::try_from(part).unwrap_or(0)));
            }
            below += in_bucket;
            from_ns = bound_ns;
        }
        (count > 0).then_some(Duration::from_nanos(from_ns))
    }
}

const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// From 50 µs to one minute, closest around the time that the gateway itself takes.
const BOUNDS_NS: [u64; 22] = [
    50_000,
    100_000,
    150_000,
    200_000,
    300_000,
    500_000,
    750_000,
    1_000_000,
    1_500_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_counts_from_the_first_bound_that_it_does_not_exceed() {
        assert!(BOUNDS_NS.is_sorted_by(|a, b| a < b));
        let (one, other) = (Histogram::default(), Histogram::default());
        one.observe(Duration::from_micros(100));
        one.observe(Duration::from_nanos(100_001));
        other.observe(Duration::from_secs(61));
        let mut durations = Durations::default();
        durations.add(&one);
        durations.add(&other);
        let counts: Vec<_> = durations.cumulative().collect();
        assert_eq!(counts[..3], [(50_000, 0), (100_000, 1), (150_000, 2)]);
        assert_eq!(counts.last(), Some(&(60_000_000_000, 2)));
        assert_eq!((durations.count(), durations.sum_ns), (3, 61_000_200_001));
    }
    #[test]
    fn a_quantile_is_within_its_bucket() {
        let histogram = Histogram::default();
        let read = || {
            let mut durations = Durations::default();
            durations.add(&histogram);
            durations
        };
        assert_eq!(read().quantile(500), None);
        (0..90).for_each(|_| histogram.observe(Duration::from_micros(60)));
        let before = read();
        (0..10).for_each(|_| histogram.observe(Duration::from_millis(7)));
        let all = read();
        assert_eq!(all.quantile(900), Some(Duration::from_micros(100)));
        assert_eq!(all.quantile(950), Some(Duration::from_micros(7_500)));
        assert_eq!(all.quantile(1_000), Some(Duration::from_millis(10)));
        let since = all.since(&before);
        assert_eq!((since.count(), since.sum_ns), (10, 70_000_000));
        assert_eq!(since.quantile(1), Some(Duration::from_micros(5_500)));
        histogram.observe(Duration::from_secs(600));
        assert_eq!(read().quantile(1_000), Some(Duration::from_secs(60)));
    }
}
