//! What a service manager is told: systemd, or whoever speaks its protocol (`sd_notify(3)`). Without one it is told
//! nothing.

use std::{
    process,
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use tracing::warn;

use crate::gateway::Control;

/// The gateway serves. It may have taken the place of the process that the manager has known so far.
pub(super) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::MainPid(process::id())]);
}

/// The gateway stops, and has this long to finish what is open: the manager is asked for that much patience.
pub(super) fn stopping(drain: Duration) {
    let needed = (drain + AFTER_DRAIN).as_micros();
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(needed)]);
}

/// Tells the manager of a reload while it goes on.
pub(super) fn reloading(reload: impl FnOnce()) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the service manager could not be told how the gateway does"),
    }
    reload();
    tell(&[NotifyState::Ready]);
}

/// Tells the manager again and again that all is well, as long as every worker looks after its connections.
pub(super) fn watch(control: &Control) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let control = control.clone();
    control.runtime().clone().spawn(async move {
        let mut pulses = control.pulses();
        let mut moved = vec![Instant::now(); pulses.len()];
        loop {
            tokio::time::sleep(patience / 3).await;
            let now = control.pulses();
            for (moved, (before, now)) in moved.iter_mut().zip(pulses.iter().zip(&now)) {
                if before != now {
                    *moved = Instant::now();
                }
            }
            pulses = now;
            if moved.iter().all(|moved| moved.elapsed() < STUCK) {
                tell(&[NotifyState::Watchdog]);
            } else {
                warn!("a worker is stuck: the service manager is not told that all is well");
            }
        }
    });
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager could not be told how the gateway does");
    }
}

/// What the ledger and the last spans of traces may take at a stop, and some more.
const AFTER_DRAIN: Duration = Duration::from_secs(30);

/// A worker looks after its connections once a second.
const STUCK: Duration = Duration::from_secs(10);
