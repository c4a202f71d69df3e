//! What happened when, in few enough steps to look at.

use std::collections::HashMap;

use serde::Serialize;

use super::{Period, books::add, moment};
use crumbgate_ledger::entry::Verdicts;
use crumbgate_policy::{Mode, verdict::Action};

/// Counts of equal stretches of time, without a hole between them.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Timeline {
    /// How long each stretch is, in seconds.
    pub bucket_s: u64,
    /// The stretches, in order.
    pub buckets: Vec<Bucket>,
}

/// One stretch of time. A window that lies in two of them counts in the one that it begins in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Bucket {
    /// Its begin, in seconds since the Unix epoch.
    #[serde(rename = "start", serialize_with = "moment")]
    pub start_unix_s: u64,
    /// Cookies that were kept or rewritten.
    pub passed: u64,
    /// Cookies that were held back.
    pub stripped: u64,
    /// Cookies that would have been stripped (report mode).
    pub only_watched: u64,
}

/// Counts by the window's begin, before it is known how long the report's time is.
#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<u64, Bucket, foldhash::fast::RandomState>);

impl Windows {
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

    /// The buckets of a period, as short as they may be.
    pub(super) fn fold(self, period: Period) -> Timeline {
        let fits = |step: &&u64| period.seconds().div_ceil(**step) < MOST_BUCKETS;
        let bucket_s = STEPS_S.iter().find(fits).copied();
        let bucket_s = bucket_s.unwrap_or_else(|| period.seconds().div_ceil(MOST_BUCKETS - 1));
        let first = period.since_unix_s - period.since_unix_s % bucket_s;
        let mut buckets: Vec<_> = (0..MOST_BUCKETS)
            .map(|index| first.saturating_add(index.saturating_mul(bucket_s)))
            .take_while(|start| *start < period.until_unix_s)
            .map(|start_unix_s| Bucket { start_unix_s, ..Bucket::default() })
            .collect();
        for (start, counts) in self.0 {
            // A window may begin before the period that it reaches into.
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

/// As many as can be told apart on paper.
const MOST_BUCKETS: u64 = 64;

/// Five minutes to thirty days: what people count in.
const STEPS_S: [u64; 11] =
    [300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000];
