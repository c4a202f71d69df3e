//! The time: by the calendar for cookies, and by a monotonic clock for durations.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Seconds since the Unix epoch. The calendar may jump.
    pub unix_s: u64,
    /// Seconds since the gateway started. They never decrease.
    pub uptime_s: u32,
}

/// A source of the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// A time that a test sets. The uptime is its difference from the start.
    Fixed {
        /// The current time, in seconds since the Unix epoch.
        unix_s: Arc<AtomicU64>,
        /// The time of the start, in seconds since the Unix epoch.
        started_unix_s: u64,
    },
    /// The clocks of the machine.
    System {
        /// The moment of the start.
        started: Instant,
    },
}

impl Clock {
    /// Returns the clocks of the machine, with an uptime that begins now.
    pub fn system() -> Self {
        Self::System { started: Instant::now() }
    }

    /// Returns the nanoseconds since the Unix epoch. The calendar may jump. A fixed time has whole seconds.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that all other code uses")]
    pub fn unix_ns(&self) -> u64 {
        let since = match self {
            Self::Fixed { unix_s, .. } => Duration::from_secs(unix_s.load(Ordering::Relaxed)),
            Self::System { .. } => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Reads both clocks. A calendar before 1970 reads as 1970.
    pub fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// Reads the calendar, and takes the uptime from a moment that was just read from the monotonic clock.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that all other code uses")]
    pub fn at(&self, moment: Instant) -> Now {
        match self {
            Self::Fixed { unix_s, started_unix_s } => {
                let unix_s = unix_s.load(Ordering::Relaxed);
                let uptime_s =
                    u32::try_from(unix_s.saturating_sub(*started_unix_s)).unwrap_or(u32::MAX);
                Now { unix_s, uptime_s }
            }
            Self::System { started } => Now {
                unix_s: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| since.as_secs()),
                uptime_s: u32::try_from(moment.saturating_duration_since(*started).as_secs())
                    .unwrap_or(u32::MAX),
            },
        }
    }
}
