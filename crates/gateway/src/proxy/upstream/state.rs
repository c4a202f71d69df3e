//! State of an application and of its servers that all workers, active checks and readers share. It survives a reload.
//!
//! The state that requests use is atomics. A request reads them, and writes only on a change: a failure, the first success
//! after one, a new connection. Counters of requests are kept per worker.

use std::{
    io, mem,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use rustls::ClientConfig;

use super::{
    ejection::{self, Ejection},
    queue::Queue,
};
use crumbgate_base::lock::locked;
use crumbgate_config::{self as config, ServerAddress};

/// An application, shared by all workers.
#[derive(Debug)]
pub struct UpstreamState {
    settings: config::Upstream,
    tls: Option<Arc<ClientConfig>>,
    servers: Vec<Arc<ServerState>>,
    queue: Arc<Queue>,
}

/// One server of an application, shared by all workers. Each value it returns describes one moment.
#[derive(Debug)]
pub struct ServerState {
    is_checked: bool,
    max_connections: usize,
    health: Arc<ServerHealth>,
}

/// The state of a server that survives a reload.
#[derive(Debug)]
pub(super) struct ServerHealth {
    pub(super) address: ServerAddress,
    pub(super) ejection: Ejection,
    /// Result of active checks: [`UNKNOWN`], [`UP`] or [`DOWN`].
    active: AtomicU8,
    checks: Mutex<Checks>,
    /// Open connections of all workers.
    connections: AtomicUsize,
    /// Number of these connections that are not in use: kept, or being closed.
    spare: AtomicUsize,
    /// The queue of exchanges that wait for a connection to any server of the application.
    pub(super) queue: Arc<Queue>,
    failures_total: AtomicU64,
    /// Number of requests sent by each worker.
    requests: Mutex<Vec<Arc<AtomicU64>>>,
}

/// Results of active checks.
#[derive(Debug, Default)]
struct Checks {
    last: Option<Check>,
    /// Number of results in a row that contradict the current state.
    contrary: u32,
    total: u64,
    failed: u64,
}

/// The result of an active check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// Its start.
    pub at: Instant,
    /// Its duration.
    pub took: Duration,
    /// True if the server was healthy.
    pub healthy: bool,
    /// The received status, or the reason for having none: at most [`Check::OUTCOME_BYTES`] bytes.
    pub outcome: String,
}

/// Permission to have one open connection to a server. It belongs to the connection's I/O, and is returned on drop.
#[derive(Debug)]
pub(super) struct ConnectionPermit(Arc<UpstreamConnection>);

/// State shared by the I/O of an open connection and the exchange that uses it.
#[derive(Debug)]
pub(super) struct UpstreamConnection {
    health: Arc<ServerHealth>,
    /// Use of the connection: [`BUSY`], [`SPARE`] or [`CLOSED`].
    state: AtomicU8,
    /// True if a byte has been received since `await_answer`.
    received: AtomicBool,
    /// True while sent bytes are recorded.
    is_recording: AtomicBool,
    /// The recorded bytes.
    sent: Mutex<Vec<u8>>,
}

impl UpstreamState {
    /// Builds the state of all upstreams. A server with the same upstream and address in `before` keeps its health,
    /// ejection, counters and connections.
    pub fn all(
        upstreams: Vec<(config::Upstream, Option<Arc<ClientConfig>>)>,
        before: &[Arc<Self>],
    ) -> Vec<Arc<Self>> {
        let shared = |(settings, tls): (config::Upstream, _)| {
            let before = before.iter().find(|before| before.name() == settings.name);
            Arc::new(Self::new(settings, tls, before))
        };
        upstreams.into_iter().map(shared).collect()
    }

    fn new(
        settings: config::Upstream,
        tls: Option<Arc<ClientConfig>>,
        before: Option<&Arc<Self>>,
    ) -> Self {
        let queue = before.map_or_else(Arc::default, |before| Arc::clone(&before.queue));
        let before = before.map_or(&[][..], |before| &before.servers);
        let mut left: Vec<_> = before.iter().map(|server| Arc::clone(&server.health)).collect();
        let (is_checked, max_connections) = (settings.health.is_some(), settings.max_connections);
        let server = |address: &ServerAddress| {
            let kept = left.iter().position(|health| health.address == *address);
            let health = kept.map(|index| left.swap_remove(index));
            let health = health.unwrap_or_else(|| {
                Arc::new(ServerHealth::new(address.clone(), Arc::clone(&queue)))
            });
            Arc::new(ServerState { is_checked, max_connections, health })
        };
        let servers = settings.servers.iter().map(server).collect();
        Self { settings, tls, servers, queue }
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The servers, in the order of the configuration.
    pub fn servers(&self) -> &[Arc<ServerState>] {
        &self.servers
    }

    pub fn settings(&self) -> &config::Upstream {
        &self.settings
    }

    /// Returns `true` if active checks find at least one server up, or there are no active checks.
    pub fn is_ready(&self) -> bool {
        self.settings.health.is_none()
            || self.servers.iter().any(|server| server.is_up() == Some(true))
    }

    /// Number of exchanges that wait for a connection now.
    pub fn queued(&self) -> usize {
        self.queue.waiting()
    }

    /// Number of exchanges that had to wait for a connection.
    pub fn queued_total(&self) -> u64 {
        self.queue.entered_total()
    }

    /// Number of exchanges that found the queue full.
    pub fn queue_refused_total(&self) -> u64 {
        self.queue.refused_total()
    }

    /// Number of exchanges that got no connection within `queue_timeout`.
    pub fn queue_timeouts_total(&self) -> u64 {
        self.queue.gave_up_total()
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Number of open connections to all servers that are not in use.
    pub(super) fn spare(&self) -> usize {
        self.servers.iter().map(|server| server.health.spare.load(SeqCst)).sum()
    }

    /// The TLS configuration that verifies `https://` servers.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }
}

impl ServerState {
    pub fn address(&self) -> &ServerAddress {
        &self.health.address
    }

    /// The result of active checks; `None` without checks and before the first one ends.
    pub fn is_up(&self) -> Option<bool> {
        match self.health.active.load(Relaxed) {
            UP if self.is_checked => Some(true),
            DOWN if self.is_checked => Some(false),
            _ => None,
        }
    }

    /// Returns `true` if the server is ejected because it failed exchanges.
    pub fn is_ejected(&self) -> bool {
        self.health.ejection.look().is_ejected(ejection::now())
    }

    /// Number of failed exchanges in a row.
    pub fn failures(&self) -> u32 {
        self.health.ejection.failures()
    }

    /// Number of open connections of all workers.
    pub fn connections(&self) -> usize {
        self.health.connections.load(Relaxed)
    }

    /// Limit on connections.
    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// Number of requests sent to the server.
    pub fn requests_total(&self) -> u64 {
        let requests = locked(&self.health.requests);
        requests.iter().fold(0, |sum, requests| sum.wrapping_add(requests.load(Relaxed)))
    }

    /// Number of exchanges that the server failed, and of connections that could not be opened.
    pub fn failures_total(&self) -> u64 {
        self.health.failures_total.load(Relaxed)
    }

    pub fn ejections_total(&self) -> u64 {
        self.health.ejection.total()
    }

    /// Number of completed active checks.
    pub fn checks_total(&self) -> u64 {
        locked(&self.health.checks).total
    }

    /// Number of failed active checks.
    pub fn checks_failed_total(&self) -> u64 {
        locked(&self.health.checks).failed
    }

    /// The last active check.
    pub fn last_check(&self) -> Option<Check> {
        locked(&self.health.checks).last.clone()
    }

    pub(super) fn health(&self) -> &Arc<ServerHealth> {
        &self.health
    }
}

impl ServerHealth {
    fn new(address: ServerAddress, queue: Arc<Queue>) -> Self {
        Self {
            address,
            ejection: Ejection::default(),
            active: AtomicU8::new(UNKNOWN),
            checks: Mutex::default(),
            connections: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            queue,
            failures_total: AtomicU64::new(0),
            requests: Mutex::default(),
        }
    }

    /// Returns `true` if active checks find the server down.
    pub(super) fn is_down(&self) -> bool {
        self.active.load(Relaxed) == DOWN
    }

    /// Records an active check; returns the new state if it changes. The server is down after `fall` failed checks in a row,
    /// and up after `rise` successful ones; the first check decides at once.
    pub(super) fn note_check(&self, check: Check, fall: u32, rise: u32) -> Option<bool> {
        let mut checks = locked(&self.checks);
        let healthy = check.healthy;
        checks.total = checks.total.saturating_add(1);
        checks.failed = checks.failed.saturating_add(u64::from(!healthy));
        checks.last = Some(check);
        let (holds, needed) = match self.active.load(Relaxed) {
            DOWN => (false, rise),
            UP => (true, fall),
            _ => (!healthy, 1),
        };
        checks.contrary = if healthy == holds { 0 } else { checks.contrary.saturating_add(1) };
        if checks.contrary < needed {
            return None;
        }
        checks.contrary = 0;
        self.active.store(if healthy { UP } else { DOWN }, Relaxed);
        Some(healthy)
    }

    /// Counts an exchange that the server failed, or a connection that could not be opened.
    pub(super) fn count_failure(&self) {
        self.failures_total.fetch_add(1, Relaxed);
    }

    /// Creates a counter of requests for one worker, its only writer.
    pub(super) fn request_counter(&self) -> Arc<AtomicU64> {
        let counter = Arc::new(AtomicU64::new(0));
        locked(&self.requests).push(Arc::clone(&counter));
        counter
    }

    /// Returns `true` if there is room for another connection.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.connections.load(SeqCst) < limit
    }

    /// Permission to open another connection; `None` if the limit is reached.
    pub(super) fn acquire(self: &Arc<Self>, limit: usize) -> Option<ConnectionPermit> {
        let one_more = |connections: usize| (connections < limit).then(|| connections + 1);
        self.connections.fetch_update(SeqCst, SeqCst, one_more).ok()?;
        let health = Arc::clone(self);
        Some(ConnectionPermit(Arc::new(UpstreamConnection {
            health,
            state: AtomicU8::new(BUSY),
            received: AtomicBool::new(false),
            is_recording: AtomicBool::new(false),
            sent: Mutex::default(),
        })))
    }
}

impl ConnectionPermit {
    pub(super) fn connection(&self) -> &Arc<UpstreamConnection> {
        &self.0
    }
}

impl UpstreamConnection {
    /// Resets `has_received`, before a request is sent.
    pub(super) fn await_answer(&self) {
        self.received.store(false, Relaxed);
    }

    /// Records that a byte was received, which ends the recording of sent bytes.
    pub(super) fn note_received(&self) {
        self.received.store(true, Relaxed);
        self.is_recording.store(false, Relaxed);
    }

    /// Starts to record sent bytes, until the first byte is received.
    pub(super) fn start_recording(&self) {
        let mut sent = locked(&self.sent);
        sent.clear();
        sent.shrink_to(RECORDED_BYTES);
        self.is_recording.store(true, Relaxed);
    }

    /// Records the first `bytes` of these pieces as sent.
    pub(super) fn note_sent(&self, pieces: &[io::IoSlice<'_>], mut bytes: usize) {
        if self.is_recording.load(Relaxed) {
            let mut sent = locked(&self.sent);
            for piece in pieces {
                let of_it = piece.len().min(bytes);
                sent.extend_from_slice(&piece[..of_it]);
                bytes -= of_it;
            }
        }
    }

    /// Takes the recorded bytes; none if recording has ended.
    pub(super) fn take_recorded(&self) -> Vec<u8> {
        if self.is_recording.swap(false, Relaxed) {
            mem::take(&mut locked(&self.sent))
        } else {
            Vec::new()
        }
    }

    /// Returns `true` if a byte was received.
    pub(super) fn has_received(&self) -> bool {
        self.received.load(Relaxed)
    }

    /// Marks the connection as in use.
    pub(super) fn becomes_busy(&self) {
        if self.state.compare_exchange(SPARE, BUSY, SeqCst, SeqCst).is_ok() {
            self.health.spare.fetch_sub(1, SeqCst);
        }
    }

    /// Marks the connection as not in use.
    pub(super) fn becomes_spare(&self) {
        if self.state.compare_exchange(BUSY, SPARE, SeqCst, SeqCst).is_ok() {
            self.health.spare.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let UpstreamConnection { health, state, .. } = &*self.0;
        health.connections.fetch_sub(1, SeqCst);
        if state.swap(CLOSED, SeqCst) == SPARE {
            health.spare.fetch_sub(1, SeqCst);
        }
        health.queue.call();
    }
}

/// Memory that each connection keeps for recorded bytes: enough for most heads.
const RECORDED_BYTES: usize = 2 * 1024;

const BUSY: u8 = 0;
const SPARE: u8 = 1;
const CLOSED: u8 = 2;

impl Check {
    /// Longest outcome, in bytes.
    pub const OUTCOME_BYTES: usize = 200;
}

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Arc<ServerHealth> {
        let address = ServerAddress::Unix("/run/app.sock".into());
        Arc::new(ServerHealth::new(address, Arc::default()))
    }

    fn check(healthy: bool) -> Check {
        Check { at: Instant::now(), took: Duration::ZERO, healthy, outcome: String::new() }
    }

    #[test]
    fn only_checks_in_a_row_change_the_state() {
        let health = health();
        let mut note = |healthy| health.note_check(check(healthy), 3, 2);
        assert_eq!(note(true), Some(true), "the first decides");
        let bad = [false, false, true, false, false, false, false].map(&mut note);
        assert_eq!(bad, [None, None, None, None, None, Some(false), None]);
        let good = [true, false, true, true, true].map(&mut note);
        assert_eq!(good, [None, None, None, Some(true), None]);
        let checks = locked(&health.checks);
        assert_eq!((checks.total, checks.failed), (13, 7));
    }

    #[test]
    fn connections_are_counted_until_they_are_closed() {
        let health = health();
        let counts = || (health.connections.load(SeqCst), health.spare.load(SeqCst));
        let permits = [(); 2].map(|()| health.acquire(2).unwrap());
        assert!(health.acquire(2).is_none() && !health.has_room(2));
        let [first, second] = permits.each_ref().map(|permit| Arc::clone(permit.connection()));
        first.becomes_spare();
        first.becomes_spare();
        assert_eq!(counts(), (2, 1));
        first.becomes_busy();
        second.becomes_spare();
        assert_eq!(counts(), (2, 1));
        drop(permits);
        first.becomes_spare();
        assert_eq!(counts(), (0, 0), "a closed connection is in neither count");
    }

    #[test]
    fn a_server_whose_first_check_fails_is_down_at_once() {
        assert_eq!(health().note_check(check(false), 3, 2), Some(false));
    }
}
