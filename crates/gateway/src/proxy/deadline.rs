//! Time limits of a body: between two parts, and for all waiting together.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// The time limits of a body. The timer is created when a part is first waited for.
pub(crate) struct Deadline {
    /// The longest wait for a part.
    timeout: Duration,
    /// Bytes per second that the other side must move after `timeout` of waiting in all; 0 is no limit.
    min_rate: u32,
    /// Bytes that were moved.
    moved: u64,
    /// The time of all waits that are over.
    waited: Duration,
    /// The begin of the wait for the next part.
    waiting_since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Makes the limit of a body whose parts may come as slowly as they like, at most `timeout` apart.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self::with_min_rate(timeout, 0)
    }

    /// Makes the limits of a body of which the other side must move `min_rate` bytes per second.
    pub(crate) fn with_min_rate(timeout: Duration, min_rate: u32) -> Self {
        Self {
            timeout,
            min_rate,
            moved: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            sleep: None,
        }
    }

    /// Records that so many bytes were moved.
    pub(crate) fn moved(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// Ends a wait.
    pub(crate) fn renew(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            self.waited = self.waited.saturating_add(since.elapsed());
        }
    }

    /// Ready when the wait for the next part has taken too long, or all waits together have.
    pub(crate) fn poll_exhausted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let longest = self.longest_wait();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            sleep.as_mut().reset(now + longest);
        }
        sleep.as_mut().poll(context)
    }

    /// Returns the longest time that the next wait may take.
    fn longest_wait(&self) -> Duration {
        match longest_waits(self.timeout, self.moved, self.min_rate) {
            Some(all) => self.timeout.min(all.saturating_sub(self.waited)),
            None => self.timeout,
        }
    }
}

/// Returns the time that all waits for a client may take together, after it has moved so many bytes; `None` is any time.
pub(crate) fn longest_waits(timeout: Duration, moved: u64, min_rate: u32) -> Option<Duration> {
    let seconds = moved.checked_div(min_rate.into())?;
    Some(timeout.saturating_add(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_pause_as_long_as_its_rate_allows() {
        let second = Duration::from_secs(1);
        let mut deadline = Deadline::with_min_rate(10 * second, 100);
        assert_eq!(deadline.longest_wait(), 10 * second);
        deadline.waited = 9 * second;
        assert_eq!(deadline.longest_wait(), second);
        deadline.moved(700);
        assert_eq!(deadline.longest_wait(), 8 * second);
        deadline.waited = 30 * second;
        assert_eq!(deadline.longest_wait(), Duration::ZERO);
        deadline.moved(u64::MAX);
        assert_eq!(deadline.longest_wait(), 10 * second);
        let mut without = Deadline::new(10 * second);
        without.waited = 1000 * second;
        assert_eq!(without.longest_wait(), 10 * second);
    }
}
