//! Metrics for an operator's monitoring.
//!
//! Each worker counts in a [`WorkerMetrics`] of its own, as the only writer. [`expose`] adds them up and writes them, the
//! [`Counters`](crumbgate_audit::Counters), and values that the caller has read elsewhere ([`Readings`]) as text. The number of
//! series depends on the configuration, never on what clients send.
//!
//! `exposition.rs` has each metric with its help; `docs/reference/metrics.md` explains what to do about it.

mod exposition;
mod histogram;
mod labels;
mod readings;
mod sample;
mod text;
mod worker;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

pub use exposition::expose;
pub use histogram::Durations;
pub use labels::{
    ConnectionState, CutCause, Handshake, RejectionReason, Side, SpanLoss, TlsVersion,
};
pub use readings::{
    CertificateReading, LedgerReading, ProcessReading, Readings, ReloadReading, ServerReading,
    UpstreamReading,
};
pub use sample::Sample;
pub use worker::{ConnectionStates, WorkerMetrics};

use worker::Sum;

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
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&worker));
        worker
    }

    /// Counters of exported and lost trace spans.
    pub fn spans(&self) -> &Arc<Spans> {
        &self.spans
    }

    fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for worker in self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
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
