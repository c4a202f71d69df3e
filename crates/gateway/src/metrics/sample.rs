//! Samples: the counters of all workers at one moment. The difference of two samples describes the time between them.

use std::time::Duration;

use super::{histogram::Durations, labels::STATUS_CLASSES, registry::Metrics};
use crumbgate_audit::Counters;
use crumbgate_policy::verdict::{Action, Direction};

/// Values of growing counters, or the difference of two samples.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sample {
    /// Responses of the TLS listeners, including those of the gateway itself.
    pub requests: u64,
    /// Responses with a status of 500 or more.
    pub failed: u64,
    /// Time from a request's head to its response's head, for each of `requests`.
    pub request_durations: Durations,
    /// Time from sending a request to the application to the head of its response.
    pub upstream_durations: Durations,
    /// Cookies kept, in both directions.
    pub kept: u64,
    /// Cookies rewritten with the declaration's attributes.
    pub rewritten: u64,
    /// Cookies stripped, or only reported as such in report mode, in both directions.
    pub stripped: u64,
}

impl Metrics {
    /// The current values. Visits every tenant that had traffic.
    pub fn sample(&self, counters: &Counters) -> Sample {
        let sum = self.sum();
        let total = counters.total();
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
    /// The difference to an earlier sample. Counters are read while workers write them, so they need not fit together
    /// exactly.
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

    /// The mean time that the gateway itself adds to a response; `None` if there are no responses.
    pub fn own_duration(&self) -> Option<Duration> {
        let own_ns = self.request_durations.sum_ns.saturating_sub(self.upstream_durations.sum_ns);
        own_ns.checked_div(self.requests).map(Duration::from_nanos)
    }
}
