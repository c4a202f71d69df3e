//! What exports the spans of exchanges that are followed: a task on the control thread for each collector that a
//! configuration has named.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::warn;

use super::control::{Running, locked};
use crate::traces::{Tracing, export};
use crumbgate_config::Traces;

/// A task that exports. One whose configuration no longer holds ends by itself, when the last exchange that goes by it
/// has ended.
pub(super) struct Exporter {
    /// Dropped, it says that no more exchanges will come.
    stop: oneshot::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl Running {
    /// What follows exchanges as `traces` says, with a task that exports them; none where it asks for no collector.
    pub(super) fn tracing(&self, traces: &Traces) -> Option<Tracing> {
        let collector = traces.collector.clone()?;
        let spans = Arc::clone(self.settings.metrics.spans());
        let (tracing, queue) = Tracing::to(collector, traces.sample, spans);
        let (stop, stopped) = oneshot::channel();
        let (done, ended) = mpsc::channel();
        self.runtime.spawn(async move {
            export(queue, stopped).await;
            // Nobody waits for one that ends before the gateway does.
            let _ = done.send(());
        });
        let mut exporters = locked(&self.exporters);
        exporters.retain(|exporter| exporter.ended.try_recv().is_err());
        exporters.push(Exporter { stop, ended });
        Some(tracing)
    }

    /// Has the last spans exported, and waits for it; not for long, where the collector takes none.
    pub(super) fn export_the_last(&self) {
        let exporters = std::mem::take(&mut *locked(&self.exporters));
        let stop = |Exporter { stop, ended }| {
            drop(stop);
            ended
        };
        let exporters: Vec<_> = exporters.into_iter().map(stop).collect();
        let deadline = Instant::now() + PATIENCE;
        for ended in exporters {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(left) {
                warn!("the last spans of traces could not be exported in time");
            }
        }
    }
}

/// How long a stop waits for collectors.
const PATIENCE: Duration = Duration::from_secs(3);
