//! What all workers together had counted at a moment: two of them tell what happened in between.

use std::time::Duration;

use super::{Metrics, histogram::Durations, words::STATUS_CLASSES};
use crumbgate_audit::Books;
use crumbgate_policy::verdict::{Action, Direction};

/// A reading of counters that only grow; or, of two, what they grew by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sample {
    /// Answers of the TLS listeners, also those given in the application's place.
    pub requests: u64,
    /// Those of them whose status was 500 or more.
    pub failed: u64,
    /// From a request's head to its answer's head, for each of `requests`.
    pub request_durations: Durations,
    /// From sending a request to the application until the head of its answer.
    pub upstream_durations: Durations,
    /// Cookies that went on as they came, in both directions.
    pub kept: u64,
    /// Cookies that left with the declaration's attributes.
    pub rewritten: u64,
    /// Cookies that were stripped, or would have been in report mode, in both directions.
    pub stripped: u64,
}

impl Metrics {
    /// What was counted so far. Looks at every tenant that had traffic.
    pub fn sample(&self, books: &Books) -> Sample {
        let sum = self.sum();
        let total = books.total();
        let kept = |direction| total.of(direction, Action::Keep);
        let failed = STATUS_CLASSES.iter().zip(sum.answers).filter(|(class, _)| **class == "5xx");
        Sample {
            requests: sum.answers.iter().sum(),
            failed: failed.map(|(_, count)| count).sum(),
            request_durations: sum.request_duration,
            upstream_durations: sum.upstream_duration,
            kept: kept(Direction::Request).saturating_add(kept(Direction::Response)),
            rewritten: total.of(Direction::Response, Action::Rewrite),
            stripped: total
                .stripped(Direction::Request)
                .saturating_add(total.stripped(Direction::Response)),
        }
    }
}

impl Sample {
    /// What was counted since an earlier sample. Counters are read while others write them, so that one may seem to be
    /// a little ahead of another.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            failed: self.failed.saturating_sub(earlier.failed),
            request_durations: self.request_durations.since(&earlier.request_durations),
            upstream_durations: self.upstream_durations.since(&earlier.upstream_durations),
            kept: self.kept.saturating_sub(earlier.kept),
            rewritten: self.rewritten.saturating_sub(earlier.rewritten),
            stripped: self.stripped.saturating_sub(earlier.stripped),
        }
    }

    /// What an answer took beside the application, on the average: what the gateway itself adds. None without answers.
    pub fn own_duration(&self) -> Option<Duration> {
        let own_ns = self.request_durations.sum_ns.saturating_sub(self.upstream_durations.sum_ns);
        own_ns.checked_div(self.requests).map(Duration::from_nanos)
    }
}
