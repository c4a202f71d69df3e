//! The activity of a connection, recorded by its I/O and its exchanges.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use super::large_heads::LargeHead;
use crate::metrics::{RejectionReason, Side, WorkerMetrics};
use crate::proxy::deadline::longest_waits;
use crumbgate_config::Limits;

/// The activity of a connection: written by its I/O and exchanges, read by the worker's sweep. All run on one thread; the
/// fields are atomics because hyper requires the I/O of an upgradable connection to be `Send`.
pub(crate) struct Activity {
    pub(super) time: Arc<CoarseTime>,
    /// The head that comes while no exchange is open.
    head: LargeHead,
    metrics: Arc<WorkerMetrics>,
    pub(super) open_exchanges: AtomicU32,
    /// Number of exchanges that the client cancelled (HTTP/2: reset) since `resets_since`.
    resets: AtomicU32,
    resets_since: AtomicU64,
    /// End of the last exchange, or start of the connection.
    pub(super) idle_since: AtomicU64,
    /// Time of the last transfer of bytes, in any direction.
    pub(super) moved_at: AtomicU64,
    /// Time of the first byte of a head that came while no exchange was open, or [`NEVER`].
    pub(super) head_since: AtomicU64,
    /// Time since which a write waits for the client, or [`NEVER`].
    pub(super) stalled_since: AtomicU64,
    /// Milliseconds for which writes have waited for the client since the last exchange began, without the wait that goes on.
    stalled_ms: AtomicU64,
    /// Bytes that were written since then.
    written: AtomicU64,
    /// True once an exchange has begun.
    pub(super) used: AtomicBool,
    /// True if the newest request has a body that may not be read completely.
    has_body: AtomicBool,
}

impl Activity {
    pub(super) fn new(time: Arc<CoarseTime>, head: LargeHead, metrics: Arc<WorkerMetrics>) -> Self {
        let now = time.now();
        Self {
            time,
            head,
            metrics,
            open_exchanges: AtomicU32::new(0),
            resets: AtomicU32::new(0),
            resets_since: AtomicU64::new(now),
            idle_since: AtomicU64::new(now),
            moved_at: AtomicU64::new(now),
            head_since: AtomicU64::new(NEVER),
            stalled_since: AtomicU64::new(NEVER),
            stalled_ms: AtomicU64::new(0),
            written: AtomicU64::new(0),
            used: AtomicBool::new(false),
            has_body: AtomicBool::new(false),
        }
    }

    /// Opens an exchange. It ends when the returned value is dropped.
    pub(crate) fn begin_exchange(self: &Arc<Self>, has_body: bool) -> OpenExchange {
        self.open_exchanges.store(self.open_exchanges.load(Relaxed) + 1, Relaxed);
        self.head_since.store(NEVER, Relaxed);
        self.head.end();
        self.stalled_ms.store(0, Relaxed);
        self.written.store(0, Relaxed);
        self.used.store(true, Relaxed);
        self.has_body.store(has_body, Relaxed);
        OpenExchange { activity: Arc::clone(self), outcome: Outcome::GivenUp }
    }

    /// Records that the request's body was read completely. For HTTP/1.1, which has one request at a time.
    pub(crate) fn note_body_read(&self) {
        self.has_body.store(false, Relaxed);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open_exchanges.load(Relaxed) == 0
    }

    /// Returns `true` if every exchange is over, all bytes were sent and read, and no other exchange has begun.
    pub(super) fn is_between_exchanges(&self) -> bool {
        self.is_idle()
            && self.used.load(Relaxed)
            && !self.may_be_sending()
            && self.stalled_since.load(Relaxed) == NEVER
    }

    /// Returns `true` if more than `limit` exchanges were cancelled within a minute.
    pub(crate) fn resets_exceed(&self, limit: u32) -> bool {
        self.resets.load(Relaxed) > limit
    }

    pub(super) fn note_reset(&self) {
        let now = self.time.now();
        if now.saturating_sub(self.resets_since.load(Relaxed)) > RESETS_WINDOW_MS {
            self.resets_since.store(now, Relaxed);
            self.resets.store(0, Relaxed);
        }
        self.resets.store(self.resets.load(Relaxed).saturating_add(1), Relaxed);
    }

    /// Records that so many bytes were read.
    ///
    /// # Errors
    ///
    /// The bytes belong to a large head, and large heads of the worker have all that they may have.
    pub(super) fn note_read(&self, bytes: usize) -> io::Result<()> {
        self.moved_at.store(self.time.now(), Relaxed);
        if !self.is_idle() {
            return Ok(());
        }
        if self.head_since.load(Relaxed) == NEVER {
            self.head_since.store(self.time.now(), Relaxed);
        }
        if self.head.grow(bytes) {
            return Ok(());
        }
        self.metrics.count_rejection(RejectionReason::Overloaded);
        Err(io::Error::other("too many large heads at a time"))
    }

    /// Returns `true` if the client may still be sending a body, or a head that was refused.
    pub(super) fn may_be_sending(&self) -> bool {
        self.has_body.load(Relaxed) || self.head_since.load(Relaxed) != NEVER
    }

    pub(super) fn note_write(&self, poll: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = poll {
            self.moved_at.store(self.time.now(), Relaxed);
            let written = self.written.load(Relaxed);
            self.written.store(written.saturating_add(*bytes as u64), Relaxed);
        }
        self.note_stall(poll);
    }

    pub(super) fn note_stall<T>(&self, poll: &Poll<T>) {
        let since = self.stalled_since.load(Relaxed);
        match (since, poll.is_pending()) {
            (NEVER, true) => self.stalled_since.store(self.time.now(), Relaxed),
            (NEVER, false) | (_, true) => {}
            (since, false) => {
                let stalled = self.time.now().saturating_sub(since);
                self.stalled_ms.store(self.stalled_ms.load(Relaxed) + stalled, Relaxed);
                self.stalled_since.store(NEVER, Relaxed);
            }
        }
    }

    /// Returns true if a write waits for the client, and the client has read less than `limits.min_rate` in the time of all such
    /// waits.
    pub(super) fn reads_too_slowly(&self, now: Millis, limits: &Limits) -> bool {
        let since = self.stalled_since.load(Relaxed);
        let stalled = self.stalled_ms.load(Relaxed).saturating_add(now.saturating_sub(since));
        let written = self.written.load(Relaxed);
        let longest = longest_waits(limits.body_timeout, written, limits.min_rate);
        since != NEVER && longest.is_some_and(|longest| stalled > millis(longest))
    }
}

const RESETS_WINDOW_MS: Millis = 60_000;

/// An open exchange on a connection.
pub(crate) struct OpenExchange {
    activity: Arc<Activity>,
    outcome: Outcome,
}

/// The outcome of an exchange. `GivenUp`, cancelled by the client, until another outcome is recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    BrokenOff,
    GivenUp,
    Whole,
}

impl OpenExchange {
    /// Records that the answer was sent completely.
    pub(crate) fn finish(&mut self) {
        self.outcome = Outcome::Whole;
    }

    /// Records that the application ended its answer early, so the exchange does not count as cancelled by the client.
    pub(crate) fn break_off(&mut self) {
        self.outcome = Outcome::BrokenOff;
    }

    /// Returns `true` if the answer was sent completely.
    pub(crate) fn is_whole(&self) -> bool {
        self.outcome == Outcome::Whole
    }
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        let activity = &*self.activity;
        activity.open_exchanges.store(activity.open_exchanges.load(Relaxed) - 1, Relaxed);
        activity.idle_since.store(activity.time.now(), Relaxed);
        match self.outcome {
            Outcome::BrokenOff => activity.metrics.count_ended_early(Side::Upstream),
            Outcome::GivenUp => {
                activity.note_reset();
                activity.metrics.count_ended_early(Side::Downstream);
            }
            Outcome::Whole => {}
        }
    }
}

/// Milliseconds since the worker started.
pub(super) type Millis = u64;

pub(super) const NEVER: Millis = Millis::MAX;

/// The time of a worker's last sweep: exact enough for timeouts, and cheap to read.
pub(crate) struct CoarseTime {
    started: Instant,
    pub(super) millis: AtomicU64,
}

impl CoarseTime {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), millis: AtomicU64::new(0) })
    }

    /// The time of the last sweep.
    pub(crate) fn now(&self) -> Millis {
        self.millis.load(Relaxed)
    }

    pub(super) fn advance(&self) -> Millis {
        let millis = millis(self.started.elapsed());
        self.millis.store(millis, Relaxed);
        millis
    }
}

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(NEVER - 1)
}
