//! One worker's numbers: written by its thread alone, without a lock and without a read-modify-write that other cores
//! would have to wait for.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    histogram::{Durations, Histogram},
    words::{
        ConnectionState, CutCause, Handshake, RejectionReason, STATUS_CLASSES, Side, status_class,
    },
};
use crumbgate_pages::banner::Outcome;

/// A number with one writer and any number of readers.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one worker counts. The alignment keeps what two workers write in cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerMetrics {
    answers: [Counter; STATUS_CLASSES.len()],
    request_duration: Histogram,
    upstream_duration: Histogram,
    rejections: [Counter; RejectionReason::ALL.len()],
    ended_early: [Counter; Side::ALL.len()],
    redirects: Counter,
    banners: [Counter; Outcome::ALL.len()],
    accepted: Counter,
    handshakes: [Counter; Handshake::ALL.len()],
    cuts: [Counter; CutCause::ALL.len()],
    tunnels_opened: Counter,
    tunnels_closed: Counter,
    connections: [Counter; ConnectionState::ALL.len()],
    open_exchanges: Counter,
}

impl WorkerMetrics {
    /// Counts an answer of this status, whose head was ready so long after the request's.
    pub fn count_answer(&self, status: u16, duration: Duration) {
        self.answers[status_class(status)].add(1);
        self.request_duration.observe(duration);
    }

    /// Counts an answer of an application, whose head came so long after the request was sent.
    pub fn count_upstream_answer(&self, duration: Duration) {
        self.upstream_duration.observe(duration);
    }

    /// Counts what was answered in the application's place, or not at all.
    pub fn count_rejection(&self, reason: RejectionReason) {
        self.rejections[reason as usize].add(1);
    }

    /// Counts an exchange that ended before its end.
    pub fn count_ended_early(&self, by: Side) {
        self.ended_early[by as usize].add(1);
    }

    /// Counts a request of a plain listener that was redirected.
    pub fn count_redirect(&self) {
        self.redirects.add(1);
    }

    /// Counts what became of a banner.
    pub fn count_banner(&self, outcome: Outcome) {
        self.banners[outcome as usize].add(1);
    }

    /// Counts a connection that was accepted.
    pub fn count_accepted(&self) {
        self.accepted.add(1);
    }

    /// Counts a TLS handshake.
    pub fn count_handshake(&self, handshake: Handshake) {
        self.handshakes[handshake.index()].add(1);
    }

    /// Counts a connection that was closed before its end.
    pub fn count_cut(&self, cause: CutCause) {
        self.cuts[cause as usize].add(1);
    }

    /// Counts a tunnel that begins.
    pub fn open_tunnel(&self) {
        self.tunnels_opened.add(1);
    }

    /// Counts a tunnel that ends.
    pub fn close_tunnel(&self) {
        self.tunnels_closed.add(1);
    }

    /// Says how many connections are in each state, and how many exchanges are open on them.
    pub fn set_connections(&self, states: ConnectionStates) {
        for (counter, count) in self.connections.iter().zip(states.connections) {
            counter.set(count);
        }
        self.open_exchanges.set(states.open_exchanges);
    }
}

/// How many connections are in each state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ConnectionStates {
    connections: [u64; ConnectionState::ALL.len()],
    open_exchanges: u64,
}

impl ConnectionStates {
    /// Adds a connection that is in this state and has so many open exchanges.
    pub fn add(&mut self, state: ConnectionState, open_exchanges: u32) {
        self.connections[state as usize] += 1;
        self.open_exchanges += u64::from(open_exchanges);
    }
}

/// What several workers counted, added up.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) workers: u64,
    pub(super) answers: [u64; STATUS_CLASSES.len()],
    pub(super) request_duration: Durations,
    pub(super) upstream_duration: Durations,
    pub(super) rejections: [u64; RejectionReason::ALL.len()],
    pub(super) ended_early: [u64; Side::ALL.len()],
    pub(super) redirects: u64,
    pub(super) banners: [u64; Outcome::ALL.len()],
    pub(super) accepted: u64,
    pub(super) handshakes: [u64; Handshake::ALL.len()],
    pub(super) cuts: [u64; CutCause::ALL.len()],
    pub(super) tunnels_opened: u64,
    pub(super) open_tunnels: u64,
    pub(super) connections: [u64; ConnectionState::ALL.len()],
    pub(super) open_exchanges: u64,
}

impl Sum {
    pub(super) fn add(&mut self, worker: &WorkerMetrics) {
        self.workers += 1;
        add(&mut self.answers, &worker.answers);
        self.request_duration.add(&worker.request_duration);
        self.upstream_duration.add(&worker.upstream_duration);
        add(&mut self.rejections, &worker.rejections);
        add(&mut self.ended_early, &worker.ended_early);
        self.redirects += worker.redirects.get();
        add(&mut self.banners, &worker.banners);
        self.accepted += worker.accepted.get();
        add(&mut self.handshakes, &worker.handshakes);
        add(&mut self.cuts, &worker.cuts);
        // Read in this order, a tunnel that opens and closes meanwhile is never closed before it was opened.
        let closed = worker.tunnels_closed.get();
        let opened = worker.tunnels_opened.get();
        self.tunnels_opened += opened;
        self.open_tunnels += opened.saturating_sub(closed);
        add(&mut self.connections, &worker.connections);
        self.open_exchanges += worker.open_exchanges.get();
    }
}

fn add<const N: usize>(sums: &mut [u64; N], counters: &[Counter; N]) {
    for (sum, counter) in sums.iter_mut().zip(counters) {
        *sum += counter.get();
    }
}
