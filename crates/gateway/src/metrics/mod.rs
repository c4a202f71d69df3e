//! Metrics for an operator's monitoring.
//!
//! Each worker counts in a [`WorkerMetrics`] of its own, as the only writer. [`expose`] adds them up and writes them, the
//! [`Counters`](crumbgate_audit::Counters), and values that the caller has read elsewhere ([`Readings`]) as text. The number of
//! series depends on the configuration, never on what clients send.
//!
//! `exposition.rs` has each metric with its help; `docs/reference/metrics.md` explains what to do about it.

mod counter;
mod exposition;
mod histogram;
mod labels;
mod readings;
mod registry;
mod sample;
mod text;
mod worker;

pub use exposition::expose;
pub use histogram::Durations;
pub use labels::{
    BeaconOutcome, ConnectionState, CutCause, Handshake, RejectionReason, Side, SpanLoss,
    TlsVersion,
};
pub use readings::{
    CertificateReading, LedgerReading, ProcessReading, Readings, ReloadReading, ServerReading,
    UpstreamReading,
};
pub use registry::{Metrics, Spans};
pub use sample::Sample;
pub use worker::{ConnectionStates, WorkerMetrics};
