//! A clock that wakes in time: tokio's knows milliseconds only, and a paced load needs microseconds.

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

/// A timer of the kernel's.
pub(super) struct Timer {
    file: AsyncFd<OwnedFd>,
}

impl Timer {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an owned descriptor is what it asks for"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let file = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { file: AsyncFd::with_interest(file, Interest::READABLE)? })
    }

    /// Waits until then; not at all where that is past.
    pub(super) async fn sleep_until(&self, moment: Instant) -> io::Result<()> {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        timerfd_settime(&self.file, TimerfdTimerFlags::empty(), &once_after(left)?)?;
        let read = |file: &OwnedFd| Ok(rustix::io::read(file, &mut [0_u8; 8])?);
        self.file.async_io(Interest::READABLE, read).await?;
        Ok(())
    }
}

fn once_after(time: Duration) -> io::Result<Itimerspec> {
    let it_value = Timespec::try_from(time).map_err(io::Error::other)?;
    Ok(Itimerspec { it_interval: Timespec::default(), it_value })
}
