//! Passive checks: a server that fails an exchange is left alone for a while, by every worker.
//!
//! The while doubles with each failure. When it is over, one exchange tries the server, and the others go on leaving it
//! alone until that one has told how it went: a server that takes requests and answers none costs one of them at a
//! time. All of this is a number that says until when, replaced only by those who have seen what they replace, so that
//! whatever many exchanges find out at once counts once, and is told once.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What exchanges have told of one server.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    /// Until when it is left alone; [`FINE`] where nothing is held against it.
    until: AtomicU64,
    /// Failures without a success between them.
    failures: AtomicU32,
    total: AtomicU64,
}

/// What was known of a server when an exchange chose it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    until: Moment,
    /// Whether the exchange is the one that tries the server out.
    is_probe: bool,
}

/// Milliseconds since the process first asked for them, and one more: 0 is no moment.
pub(super) type Moment = u64;

/// The present moment.
pub(super) fn now() -> Moment {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(BEGINNING.elapsed()).saturating_add(1)
}

impl Ejection {
    /// What is known now.
    pub(super) fn look(&self) -> Seen {
        Seen { until: self.until.load(Relaxed), is_probe: false }
    }

    /// Failures without a success between them.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Relaxed)
    }

    /// How often it was ejected.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// Lets one exchange go to a server whose time is over; the others wait for it, but not longer than an exchange may
    /// take. None: somebody else was faster.
    pub(super) fn choose(&self, seen: Seen, now: Moment, longest: Duration) -> Option<Seen> {
        if !seen.is_due(now) {
            return Some(seen);
        }
        let until = now.saturating_add(pause(self.failures()).max(millis(longest)));
        let claimed = self.until.compare_exchange(seen.until, until, Relaxed, Relaxed);
        claimed.is_ok().then_some(Seen { until, is_probe: true })
    }

    /// Notes an answer. True where that ends an ejection.
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

    /// Notes a failure. How many there were by now, where it is news: what was under way when the server failed last,
    /// and fails too, is none, and neither is what goes to an ejected server because all others are ejected as well.
    pub(super) fn failed(&self, seen: Seen, now: Moment) -> Option<u32> {
        if seen.is_ejected(now) && !seen.is_probe {
            return None;
        }
        let failures = self.failures().saturating_add(1);
        let until = now.saturating_add(pause(failures));
        self.until.compare_exchange(seen.until, until, Relaxed, Relaxed).ok()?;
        self.failures.store(failures, Relaxed);
        self.total.fetch_add(1, Relaxed);
        Some(failures)
    }

    /// Notes that an exchange ends. Where it was to try the server out and has not told how that went, another may.
    pub(super) fn ended(&self, seen: Seen) {
        if seen.is_probe {
            let _ = self.until.compare_exchange(seen.until, now(), Relaxed, Relaxed);
        }
    }

    /// Forgets what was held against the server.
    pub(super) fn forget(&self) {
        self.until.store(FINE, Relaxed);
        self.failures.store(0, Relaxed);
    }
}

impl Seen {
    /// Whether the server is to be left alone.
    pub(super) fn is_ejected(self, now: Moment) -> bool {
        now < self.until
    }

    /// Whether nothing is held against the server.
    pub(super) fn is_fine(self) -> bool {
        self.until == FINE
    }

    /// Whether the server is to be tried out.
    fn is_due(self, now: Moment) -> bool {
        !self.is_fine() && !self.is_ejected(now)
    }
}

/// How long a server is left alone after so many failures.
fn pause(failures: u32) -> u64 {
    millis(FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(LONGEST_PAUSE))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const FINE: Moment = 0;

const FIRST_PAUSE: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest that an exchange may take.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Fails it at `now`, as an exchange that chose it then.
    fn fail(ejection: &Ejection, now: Moment) -> Option<u32> {
        let seen = ejection.choose(ejection.look(), now, PATIENCE).unwrap();
        ejection.failed(seen, now)
    }

    #[test]
    fn the_pause_doubles_up_to_its_longest() {
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
        assert_eq!(ejection.failed(ejection.look(), 12), None, "it went there as a last resort");
        assert_eq!(ejection.failed(seen, 5000), None, "it had begun before");
        assert_eq!((ejection.failures(), ejection.total()), (1, 1));
    }

    #[test]
    fn one_exchange_tries_a_server_whose_time_is_over() {
        let ejection = Ejection::default();
        fail(&ejection, 10);
        let seen = ejection.look();
        let probe = ejection.choose(seen, 2000, PATIENCE).unwrap();
        assert_eq!(ejection.choose(seen, 2000, PATIENCE), None, "another one was faster");
        assert!(ejection.look().is_ejected(6999), "the others leave it alone");
        assert_eq!(ejection.failed(probe, 2002), Some(2));
        let probe = ejection.choose(ejection.look(), 9000, PATIENCE).unwrap();
        assert!(ejection.succeeded(probe));
        assert!(ejection.look().is_fine());
        assert_eq!((ejection.failures(), ejection.total()), (0, 2));
    }

    #[test]
    fn a_probe_that_never_ends_is_followed_by_another() {
        let ejection = Ejection::default();
        fail(&ejection, 10);
        ejection.choose(ejection.look(), 2000, PATIENCE).unwrap();
        let next = ejection.choose(ejection.look(), 7000, PATIENCE);
        assert!(next.is_some_and(|seen| seen.is_probe));
    }

    #[test]
    fn a_probe_that_is_given_up_is_followed_by_another_at_once() {
        let ejection = Ejection::default();
        fail(&ejection, 1);
        let probe = ejection.choose(ejection.look(), 2000, Duration::from_hours(1)).unwrap();
        ejection.ended(probe);
        assert!(!ejection.look().is_ejected(now()) && !ejection.look().is_fine());
        let probe = ejection.choose(ejection.look(), u64::MAX / 2, PATIENCE).unwrap();
        assert!(ejection.succeeded(probe));
        ejection.ended(probe);
        assert!(ejection.look().is_fine(), "it had told");
    }

    #[test]
    fn only_what_was_asked_since_says_that_it_works_again() {
        let ejection = Ejection::default();
        let before = ejection.look();
        fail(&ejection, 10);
        assert!(!ejection.succeeded(before), "it was sent before the failure");
        assert!(ejection.look().is_ejected(11));
        assert!(ejection.succeeded(ejection.look()), "it went there as a last resort");
    }
}
