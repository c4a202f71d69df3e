//! Passive checks: a server that fails an exchange is ejected for a while, for every worker.
//!
//! The duration doubles with each failure. When it is over, one exchange probes the server, and the server stays ejected
//! for the others until the probe has ended: a server that accepts requests and never answers costs one request at a
//! time. The state is one atomic, the end of the ejection, which is only changed by compare-and-exchange. So a failure
//! that many exchanges see at the same time counts once and is logged once.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// The passive health of one server.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    /// End of the ejection; [`FINE`] if the server has not failed since its last success.
    until: AtomicU64,
    /// Number of failures in a row.
    failures: AtomicU32,
    total: AtomicU64,
}

/// The state of a server at the moment when an exchange chose it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    until: Moment,
    /// True if the exchange probes the server.
    is_probe: bool,
}

/// Milliseconds since the first call of [`now`], plus one; never 0.
pub(super) type Moment = u64;

/// The current moment.
pub(super) fn now() -> Moment {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(BEGINNING.elapsed()).saturating_add(1)
}

impl Ejection {
    /// The current state.
    pub(super) fn look(&self) -> Seen {
        Seen { until: self.until.load(Relaxed), is_probe: false }
    }

    /// Number of failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Relaxed)
    }

    /// Number of ejections.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// Makes an exchange the probe of a server whose ejection is over. The server stays ejected for others while the probe
    /// runs, but no longer than `longest`. `None` if another exchange has become the probe first.
    pub(super) fn choose(&self, seen: Seen, now: Moment, longest: Duration) -> Option<Seen> {
        if !seen.is_due(now) {
            return Some(seen);
        }
        let until = now.saturating_add(ejection_ms(self.failures()).max(millis(longest)));
        let claimed = self.until.compare_exchange(seen.until, until, Relaxed, Relaxed);
        claimed.is_ok().then_some(Seen { until, is_probe: true })
    }

    /// Records a success; returns `true` if it ends an ejection.
    pub(super) fn succeeded(&self, seen: Seen) -> bool {
        if seen.until == FINE {
            return false;
        }
        let ended = self.until.compare_exchange(seen.until, FINE, Relaxed, Relaxed).is_ok();
        if ended {
            self.failures.store(0, Relaxed);
        }
        ended
    }

    /// Records a failure; returns the number of failures in a row, or `None` if this one does not count: because the
    /// exchange began before the last recorded failure, or the server was already ejected and chosen for want of another.
    pub(super) fn failed(&self, seen: Seen, now: Moment) -> Option<u32> {
        if seen.is_ejected(now) && !seen.is_probe {
            return None;
        }
        let failures = self.failures().saturating_add(1);
        let until = now.saturating_add(ejection_ms(failures));
        self.until.compare_exchange(seen.until, until, Relaxed, Relaxed).ok()?;
        self.failures.store(failures, Relaxed);
        self.total.fetch_add(1, Relaxed);
        Some(failures)
    }

    /// Records the end of an exchange. If it was a probe without a result, another exchange may probe.
    pub(super) fn ended(&self, seen: Seen) {
        if seen.is_probe {
            let _ = self.until.compare_exchange(seen.until, now(), Relaxed, Relaxed);
        }
    }

    /// Resets all failures.
    pub(super) fn forget(&self) {
        self.until.store(FINE, Relaxed);
        self.failures.store(0, Relaxed);
    }
}

impl Seen {
    /// Returns `true` if the server is ejected.
    pub(super) fn is_ejected(self, now: Moment) -> bool {
        now < self.until
    }

    /// Returns `true` if the server has not failed since its last success.
    pub(super) fn is_fine(self) -> bool {
        self.until == FINE
    }

    /// Returns `true` if an ejection is over and the server needs a probe.
    fn is_due(self, now: Moment) -> bool {
        !self.is_fine() && !self.is_ejected(now)
    }
}

/// Duration of an ejection after this number of failures, in milliseconds.
fn ejection_ms(failures: u32) -> u64 {
    millis(
        FIRST_EJECTION.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(LONGEST_EJECTION),
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const FINE: Moment = 0;

const FIRST_EJECTION: Duration = Duration::from_secs(1);

const LONGEST_EJECTION: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest duration of an exchange.
    const LONGEST_EXCHANGE: Duration = Duration::from_secs(5);

    /// Records the failure of an exchange that begins and fails at `now`.
    fn fail(ejection: &Ejection, now: Moment) -> Option<u32> {
        let seen = ejection.choose(ejection.look(), now, LONGEST_EXCHANGE).unwrap();
        ejection.failed(seen, now)
    }

    #[test]
    fn the_duration_of_an_ejection_doubles_up_to_its_maximum() {
        let (ejection, mut now) = (Ejection::default(), 1);
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            assert!(fail(&ejection, now).is_some());
            assert!(ejection.look().is_ejected(now + seconds * 1000 - 1));
            assert!(!ejection.look().is_ejected(now + seconds * 1000));
            now += seconds * 1000;
        }
        assert_eq!((ejection.failures(), ejection.total()), (8, 8));
    }

    #[test]
    fn exchanges_that_fail_together_count_once() {
        let ejection = Ejection::default();
        let seen = ejection.look();
        assert_eq!(ejection.failed(seen, 10), Some(1));
        assert_eq!(ejection.failed(seen, 11), None);
        assert_eq!(ejection.failed(ejection.look(), 12), None, "it was chosen as a last resort");
        assert_eq!(ejection.failed(seen, 5000), None, "it began before the failure");
        assert_eq!((ejection.failures(), ejection.total()), (1, 1));
    }

    #[test]
    fn one_exchange_probes_a_server_whose_ejection_is_over() {
        let ejection = Ejection::default();
        fail(&ejection, 10);
        let seen = ejection.look();
        let probe = ejection.choose(seen, 2000, LONGEST_EXCHANGE).unwrap();
        assert_eq!(
            ejection.choose(seen, 2000, LONGEST_EXCHANGE),
            None,
            "another exchange is the probe"
        );
        assert!(ejection.look().is_ejected(6999), "it stays ejected for the others");
        assert_eq!(ejection.failed(probe, 2002), Some(2));
        let probe = ejection.choose(ejection.look(), 9000, LONGEST_EXCHANGE).unwrap();
        assert!(ejection.succeeded(probe));
        assert!(ejection.look().is_fine());
        assert_eq!((ejection.failures(), ejection.total()), (0, 2));
    }

    #[test]
    fn a_probe_that_never_ends_is_followed_by_another() {
        let ejection = Ejection::default();
        fail(&ejection, 10);
        ejection.choose(ejection.look(), 2000, LONGEST_EXCHANGE).unwrap();
        let next = ejection.choose(ejection.look(), 7000, LONGEST_EXCHANGE);
        assert!(next.is_some_and(|seen| seen.is_probe));
    }

    #[test]
    fn a_cancelled_probe_is_followed_by_another_at_once() {
        let ejection = Ejection::default();
        fail(&ejection, 1);
        let probe = ejection.choose(ejection.look(), 2000, Duration::from_hours(1)).unwrap();
        ejection.ended(probe);
        assert!(!ejection.look().is_ejected(now()) && !ejection.look().is_fine());
        let probe = ejection.choose(ejection.look(), u64::MAX / 2, LONGEST_EXCHANGE).unwrap();
        assert!(ejection.succeeded(probe));
        ejection.ended(probe);
        assert!(ejection.look().is_fine(), "it had a result");
    }

    #[test]
    fn only_a_success_of_a_later_exchange_ends_an_ejection() {
        let ejection = Ejection::default();
        let before = ejection.look();
        fail(&ejection, 10);
        assert!(!ejection.succeeded(before), "it was sent before the failure");
        assert!(ejection.look().is_ejected(11));
        assert!(ejection.succeeded(ejection.look()), "it was chosen as a last resort");
    }
}
