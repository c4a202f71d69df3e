//! Counts over time, in a limited number of buckets.

use std::collections::HashMap;

use serde::Serialize;

use super::{period::Period, serialize::moment, sum::add};
use crumbgate_ledger::entry::Verdicts;
use crumbgate_policy::{Mode, verdict::Action};

/// Counts of consecutive buckets of equal length.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Timeline {
    /// The length of a bucket, in seconds.
    pub bucket_s: u64,
    /// The buckets, in order.
    pub buckets: Vec<Bucket>,
}

/// A part of the time line. A window that overlaps two buckets counts in the one in which it begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Bucket {
    /// The start, in seconds since the Unix epoch.
    #[serde(rename = "start", serialize_with = "moment")]
    pub start_unix_s: u64,
    /// Cookies that were kept or rewritten.
    pub passed: u64,
    /// Cookies that were stripped.
    pub stripped: u64,
    /// Cookies that would have been stripped (report mode).
    pub only_watched: u64,
}

/// Counts by the start of the window, collected before the length of the report's period is known.
#[derive(Debug, Default)]
pub(super) struct WindowCounts(HashMap<u64, Bucket, foldhash::fast::RandomState>);

impl WindowCounts {
    pub(super) fn add(&mut self, verdicts: &Verdicts) {
        let window = self.0.entry(verdicts.window.start_unix_s).or_default();
        let sum = match (verdicts.action, verdicts.mode) {
            (Action::Keep | Action::Rewrite, _) => &mut window.passed,
            (Action::Strip(_), Mode::Enforce) => &mut window.stripped,
            (Action::Strip(_), Mode::Report) => &mut window.only_watched,
            (Action::Evict | Action::Inject | Action::Renew, _) => return,
        };
        add(sum, verdicts.count);
    }

    /// Distributes the counts to the shortest buckets of which at most [`MAX_BUCKETS`] cover the period.
    pub(super) fn fold(self, period: Period) -> Timeline {
        let fits = |step: &&u64| period.seconds().div_ceil(**step) < MAX_BUCKETS;
        let bucket_s = STEPS_S.iter().find(fits).copied();
        let bucket_s = bucket_s.unwrap_or_else(|| period.seconds().div_ceil(MAX_BUCKETS - 1));
        let first = period.since_unix_s - period.since_unix_s % bucket_s;
        let mut buckets: Vec<_> = (0..MAX_BUCKETS)
            .map(|index| first.saturating_add(index.saturating_mul(bucket_s)))
            .take_while(|start| *start < period.until_unix_s)
            .map(|start_unix_s| Bucket { start_unix_s, ..Bucket::default() })
            .collect();
        for (start, counts) in self.0 {
            // A window may begin before the period that it overlaps.
            let index = usize::try_from(start.saturating_sub(first) / bucket_s).ok();
            let Some(bucket) = index.and_then(|index| buckets.get_mut(index)) else { continue };
            add(&mut bucket.passed, counts.passed);
            add(&mut bucket.stripped, counts.stripped);
            add(&mut bucket.only_watched, counts.only_watched);
        }
        Timeline { bucket_s, buckets }
    }
}

impl Timeline {
    /// The largest sum of a bucket.
    pub(super) fn highest(&self) -> u64 {
        self.buckets.iter().map(Bucket::sum).max().unwrap_or(0)
    }
}

impl Bucket {
    pub(super) fn sum(&self) -> u64 {
        self.passed.saturating_add(self.stripped).saturating_add(self.only_watched)
    }
}

/// The number of buckets that can be distinguished on paper.
const MAX_BUCKETS: u64 = 64;

/// The usual lengths, from five minutes to thirty days.
const STEPS_S: [u64; 11] =
    [300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000];
