//! The metrics of all workers, and those of trace spans.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    labels::SpanLoss,
    worker::{Sum, WorkerMetrics},
};
use crumbgate_base::lock::locked;

/// The metrics of all workers.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Locked when a worker starts and during a read, never during a request.
    workers: Mutex<Vec<Arc<WorkerMetrics>>>,
    spans: Arc<Spans>,
}

impl Metrics {
    /// Creates the metrics of one worker, their only writer. They stay part of the sums when the worker has ended.
    pub fn open(&self) -> Arc<WorkerMetrics> {
        let worker = Arc::new(WorkerMetrics::default());
        locked(&self.workers).push(Arc::clone(&worker));
        worker
    }

    /// Counters of exported and lost trace spans.
    pub fn spans(&self) -> &Arc<Spans> {
        &self.spans
    }

    pub(super) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for worker in locked(&self.workers).iter() {
            sum.add(worker);
        }
        sum
    }
}

/// Counters of exported and lost trace spans. The exporter writes them, and workers that find its queue full.
#[derive(Debug, Default)]
pub struct Spans {
    exported: AtomicU64,
    lost: [AtomicU64; SpanLoss::ALL.len()],
}

impl Spans {
    /// Counts spans that a collector has accepted.
    pub fn count_exported(&self, spans: u64) {
        self.exported.fetch_add(spans, Relaxed);
    }

    /// Counts spans that were lost.
    pub fn count_lost(&self, loss: SpanLoss, spans: u64) {
        self.lost[loss as usize].fetch_add(spans, Relaxed);
    }

    /// Number of spans that a collector has accepted.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Number of spans that were lost in this way.
    pub fn lost(&self, loss: SpanLoss) -> u64 {
        self.lost[loss as usize].load(Relaxed)
    }
}
