//! What an operator's monitoring reads: numbers kept between requests, and the text that tells them.
//!
//! Each worker counts in a [`WorkerMetrics`] of its own, as a number's only writer; [`expose`] adds all of them up, and
//! tells with them what the [`Books`](crumbgate_audit::Books) counted and what the caller has read elsewhere
//! ([`Readings`]). How many series there are depends on the configuration alone, never on what clients send.
//!
//! `exposition.rs` has each metric with its help; `docs/reference/metrics.md` says what to do about it.

mod exposition;
mod histogram;
mod readings;
mod sample;
mod text;
mod words;
mod worker;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

pub use exposition::expose;
pub use histogram::Durations;
pub use readings::{
    CertificateReading, LedgerReading, ProcessReading, Readings, ReloadReading, ServerReading,
    UpstreamReading,
};
pub use sample::Sample;
pub use words::{
    ConnectionState, CutCause, Handshake, RejectionReason, Side, SpanLoss, TlsVersion,
};
pub use worker::{ConnectionStates, WorkerMetrics};

use worker::Sum;

/// Every worker's numbers, for whoever reads them.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Locked when a worker starts, and when somebody reads; never on the way of a request.
    workers: Mutex<Vec<Arc<WorkerMetrics>>>,
    spans: Arc<Spans>,
}

impl Metrics {
    /// New numbers, for one worker that counts in them alone. Those of a worker that has ended go on counting.
    pub fn open(&self) -> Arc<WorkerMetrics> {
        let worker = Arc::new(WorkerMetrics::default());
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&worker));
        worker
    }

    /// What became of the spans of traces.
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

/// What became of the spans of traces. Few have the time to write here: an exporter, and workers that find its queue
/// full.
#[derive(Debug, Default)]
pub struct Spans {
    exported: AtomicU64,
    lost: [AtomicU64; SpanLoss::ALL.len()],
}

impl Spans {
    /// Counts spans that a collector took.
    pub fn count_exported(&self, spans: u64) {
        self.exported.fetch_add(spans, Relaxed);
    }

    /// Counts spans that were lost.
    pub fn count_lost(&self, loss: SpanLoss, spans: u64) {
        self.lost[loss as usize].fetch_add(spans, Relaxed);
    }

    /// Spans that a collector took.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Spans that were lost in this way.
    pub fn lost(&self, loss: SpanLoss) -> u64 {
        self.lost[loss as usize].load(Relaxed)
    }
}
