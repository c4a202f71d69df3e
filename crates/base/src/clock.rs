//! What time it is: for cookies by the calendar, for memory by a clock that never jumps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Seconds since the Unix epoch, as the calendar has it; may jump.
    pub unix_s: u64,
    /// Seconds since the gateway started; never goes back.
    pub uptime_s: u32,
}

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// A time that a test sets, in seconds since the Unix epoch; the uptime is the same number's distance from its
    /// first value.
    Fixed {
        /// The time that is told.
        unix_s: Arc<AtomicU64>,
        /// The time at which the gateway is said to have started.
        started_unix_s: u64,
    },
    /// The machine's clocks.
    System {
        /// When the gateway started.
        started: Instant,
    },
}

impl Clock {
    /// The machine's clocks, with the uptime counted from now.
    pub fn system() -> Self {
        Self::System { started: Instant::now() }
    }

    /// Nanoseconds since the Unix epoch, as the calendar has it; may jump. A fixed time has whole seconds.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else asks")]
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

    /// The same for whoever has just read the clock that never jumps, and needs not read it again.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else asks")]
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
