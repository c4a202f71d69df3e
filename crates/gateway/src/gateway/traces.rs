//! The tasks that export spans, on the control thread: one per collector that a configuration has named.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use tokio::{runtime, sync::oneshot};
use tracing::warn;

use crate::{
    metrics::Spans,
    traces::{Tracing, export},
};
use crumbgate_base::lock::locked;
use crumbgate_config::Traces;

/// A task that exports spans. After a reload with another collector it ends by itself, once the last exchange of the old
/// configuration has ended.
struct Exporter {
    /// Dropped to announce that no more exchanges will come.
    stop: oneshot::Sender<()>,
    ended: mpsc::Receiver<()>,
}

/// The running exporters of a gateway.
#[derive(Default)]
pub(super) struct Exporters(Mutex<Vec<Exporter>>);

impl Exporters {
    /// Starts a task that exports spans to the collector of `traces`; `None` if it names no collector.
    pub(super) fn start(
        &self,
        traces: &Traces,
        runtime: &runtime::Handle,
        spans: &Arc<Spans>,
    ) -> Option<Tracing> {
        let collector = traces.collector.clone()?;
        let (tracing, queue) = Tracing::to(collector, traces.sample, Arc::clone(spans));
        let (stop, stopped) = oneshot::channel();
        let (done, ended) = mpsc::channel();
        runtime.spawn(async move {
            export(queue, stopped).await;
            // An error means that this task ends before the gateway, and nothing waits for it.
            let _ = done.send(());
        });
        let mut exporters = locked(&self.0);
        exporters.retain(|exporter| exporter.ended.try_recv().is_err());
        exporters.push(Exporter { stop, ended });
        Some(tracing)
    }

    /// Exports the last spans, and waits up to `EXPORT_TIMEOUT` for the collectors to take them.
    pub(super) fn finish(&self) {
        let exporters = std::mem::take(&mut *locked(&self.0));
        let stop = |Exporter { stop, ended }| {
            drop(stop);
            ended
        };
        let exporters: Vec<_> = exporters.into_iter().map(stop).collect();
        let deadline = Instant::now() + EXPORT_TIMEOUT;
        for ended in exporters {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(left) {
                warn!("the last trace spans could not be exported in time");
            }
        }
    }
}

/// Longest wait of a stop for the collectors.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
