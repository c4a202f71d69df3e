//! The metrics of one worker. Only its thread writes them, so no lock and no atomic read-modify-write is needed.

use std::time::Duration;

use super::{
    counter::Counter,
    histogram::{Durations, Histogram},
    labels::{
        BeaconOutcome, ConnectionState, CutCause, Handshake, RejectionReason, STATUS_CLASSES, Side,
        status_class,
    },
};
use crumbgate_audit::{GuardOutcome, ScriptedKind};
use crumbgate_pages::document::BannerOutcome;

/// The metrics of one worker. The alignment puts those of two workers on different cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerMetrics {
    answers: [Counter; STATUS_CLASSES.len()],
    request_duration: Histogram,
    upstream_duration: Histogram,
    rejections: [Counter; RejectionReason::ALL.len()],
    ended_early: [Counter; Side::ALL.len()],
    redirects: Counter,
    banners: [Counter; BannerOutcome::ALL.len()],
    guards: [Counter; GuardOutcome::ALL.len()],
    recoded_received: Counter,
    recoded_sent: Counter,
    beacons: [Counter; BeaconOutcome::ALL.len()],
    scripted_names: [Counter; ScriptedKind::ALL.len()],
    accepted: Counter,
    handshakes: [Counter; Handshake::ALL.len()],
    cuts: [Counter; CutCause::ALL.len()],
    tunnels_opened: Counter,
    tunnels_closed: Counter,
    connections: [Counter; ConnectionState::ALL.len()],
    open_exchanges: Counter,
}

impl WorkerMetrics {
    /// Counts a response with this status; `duration` is the time from the request's head to the response's head.
    pub fn count_answer(&self, status: u16, duration: Duration) {
        self.answers[status_class(status)].add(1);
        self.request_duration.observe(duration);
    }

    /// Counts a response of an application; `duration` is the time from sending the request to the response's head.
    pub fn count_upstream_answer(&self, duration: Duration) {
        self.upstream_duration.observe(duration);
    }

    /// Counts a request that the gateway rejected, or a connection that it closed at once.
    pub fn count_rejection(&self, reason: RejectionReason) {
        self.rejections[reason as usize].add(1);
    }

    /// Counts an exchange that one side ended early.
    pub fn count_ended_early(&self, by: Side) {
        self.ended_early[by as usize].add(1);
    }

    /// Counts a redirect to https.
    pub fn count_redirect(&self) {
        self.redirects.add(1);
    }

    /// Counts the outcome of a banner.
    pub fn count_banner(&self, outcome: BannerOutcome) {
        self.banners[outcome as usize].add(1);
    }

    /// Counts the outcome of guarding a document.
    pub fn count_guard(&self, outcome: GuardOutcome) {
        self.guards[outcome as usize].add(1);
    }

    /// Counts coded bytes of a page, in the application's coding, before it is changed.
    pub fn count_recoded_received(&self, bytes: usize) {
        self.recoded_received.add(bytes as u64);
    }

    /// Counts coded bytes of a page, in the gateway's coding, after it was changed.
    pub fn count_recoded_sent(&self, bytes: usize) {
        self.recoded_sent.add(bytes as u64);
    }

    /// Counts a beacon.
    pub fn count_beacon(&self, outcome: BeaconOutcome) {
        self.beacons[outcome as usize].add(1);
    }

    /// Counts a name in a beacon.
    pub fn count_scripted_name(&self, kind: ScriptedKind) {
        self.scripted_names[kind as usize].add(1);
    }

    /// Counts an accepted connection.
    pub fn count_accepted(&self) {
        self.accepted.add(1);
    }

    /// Counts a TLS handshake.
    pub fn count_handshake(&self, handshake: Handshake) {
        self.handshakes[handshake.index()].add(1);
    }

    /// Counts a connection that the gateway closed early.
    pub fn count_cut(&self, cause: CutCause) {
        self.cuts[cause as usize].add(1);
    }

    /// Counts a new tunnel.
    pub fn open_tunnel(&self) {
        self.tunnels_opened.add(1);
    }

    /// Counts the end of a tunnel.
    pub fn close_tunnel(&self) {
        self.tunnels_closed.add(1);
    }

    /// Sets the number of connections in each state and of open exchanges.
    pub fn set_connections(&self, states: ConnectionStates) {
        for (counter, count) in self.connections.iter().zip(states.connections) {
            counter.set(count);
        }
        self.open_exchanges.set(states.open_exchanges);
    }
}

/// Numbers of connections by state, and of their open exchanges.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ConnectionStates {
    connections: [u64; ConnectionState::ALL.len()],
    open_exchanges: u64,
}

impl ConnectionStates {
    /// Adds a connection in this state, with its number of open exchanges.
    pub fn add(&mut self, state: ConnectionState, open_exchanges: u32) {
        self.connections[state as usize] += 1;
        self.open_exchanges += u64::from(open_exchanges);
    }
}

/// The sums of several workers' metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) workers: u64,
    pub(super) answers: [u64; STATUS_CLASSES.len()],
    pub(super) request_duration: Durations,
    pub(super) upstream_duration: Durations,
    pub(super) rejections: [u64; RejectionReason::ALL.len()],
    pub(super) ended_early: [u64; Side::ALL.len()],
    pub(super) redirects: u64,
    pub(super) banners: [u64; BannerOutcome::ALL.len()],
    pub(super) guards: [u64; GuardOutcome::ALL.len()],
    pub(super) recoded_received: u64,
    pub(super) recoded_sent: u64,
    pub(super) beacons: [u64; BeaconOutcome::ALL.len()],
    pub(super) scripted_names: [u64; ScriptedKind::ALL.len()],
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
        add(&mut self.guards, &worker.guards);
        self.recoded_received += worker.recoded_received.get();
        self.recoded_sent += worker.recoded_sent.get();
        add(&mut self.beacons, &worker.beacons);
        add(&mut self.scripted_names, &worker.scripted_names);
        self.accepted += worker.accepted.get();
        add(&mut self.handshakes, &worker.handshakes);
        add(&mut self.cuts, &worker.cuts);
        // Reading `closed` first makes sure that a tunnel that ends in between is not counted as closed but not opened.
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
