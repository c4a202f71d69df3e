//! Notifications to a service manager: systemd, or another one with its protocol (`sd_notify(3)`). Without a service
//! manager nothing is sent.

use std::{
    process,
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use tracing::warn;

use crumbgate_gateway::gateway::Control;

/// Reports that the gateway serves, and its process id: it may have replaced the main process.
pub(super) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::MainPid(process::id())]);
}

/// Reports that the gateway stops, and extends the stop timeout by the drain time.
pub(super) fn stopping(drain: Duration) {
    let needed = (drain + AFTER_DRAIN).as_micros();
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(needed)]);
}

/// Reports a reload while `reload` runs.
pub(super) fn reloading(reload: impl FnOnce()) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the service manager could not be notified"),
    }
    reload();
    notify(&[NotifyState::Ready]);
}

/// Sends watchdog notifications, as long as every worker is alive.
pub(super) fn watch(control: &Control) {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return };
    let control = control.clone();
    control.runtime().clone().spawn(async move {
        let mut sweeps = control.liveness();
        let mut moved = vec![Instant::now(); sweeps.len()];
        loop {
            tokio::time::sleep(timeout / 3).await;
            let now = control.liveness();
            for (moved, (before, now)) in moved.iter_mut().zip(sweeps.iter().zip(&now)) {
                if before != now {
                    *moved = Instant::now();
                }
            }
            sweeps = now;
            if moved.iter().all(|moved| moved.elapsed() < STUCK) {
                notify(&[NotifyState::Watchdog]);
            } else {
                warn!("a worker is stuck: no watchdog notification is sent to the service manager");
            }
        }
    });
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager could not be notified");
    }
}

/// Time to write the ledger and export the last spans after the drain, with a margin.
const AFTER_DRAIN: Duration = Duration::from_secs(30);

/// A worker that has not looked at its connections for this long is stuck. It normally does so once a second.
const STUCK: Duration = Duration::from_secs(10);
