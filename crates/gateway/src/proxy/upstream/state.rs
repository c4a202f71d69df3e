//! What the whole process knows of an application and of its servers: all workers, active checks, and who asks how they
//! do. It outlives a reload.
//!
//! All of it is atomics. On the way of a request they are read, and written only where something is new: a failure, an
//! answer after one, a connection. What each request counts, each worker counts for itself.

use std::{
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
use crumbgate_config::{self as config, ServerAddress};

/// An application, as the whole process sees it.
#[derive(Debug)]
pub struct Shared {
    settings: config::Upstream,
    tls: Option<Arc<ClientConfig>>,
    servers: Vec<Arc<ServerState>>,
    queue: Arc<Queue>,
}

/// One server of an application, as the whole process sees it. Whatever it tells is true of one moment.
#[derive(Debug)]
pub struct ServerState {
    is_checked: bool,
    max_connections: Option<usize>,
    vitals: Arc<Vitals>,
}

/// What of a server goes on when a reload changes its settings.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) address: ServerAddress,
    pub(super) ejection: Ejection,
    /// What active checks have found: [`UNKNOWN`], [`UP`] or [`DOWN`].
    health: AtomicU8,
    checks: Mutex<Checks>,
    /// Open connections of all workers.
    connections: AtomicUsize,
    /// How many of them are in use by nobody: kept, or being closed.
    spare: AtomicUsize,
    /// Who waits for a connection to this server, or to another one of the application.
    pub(super) queue: Arc<Queue>,
    failures_total: AtomicU64,
    /// How many requests each worker has sent there.
    requests: Mutex<Vec<Arc<AtomicU64>>>,
}

/// What active checks have found so far.
#[derive(Debug, Default)]
struct Checks {
    last: Option<Check>,
    /// How many in a row say something else than what holds.
    contrary: u32,
    total: u64,
    failed: u64,
}

/// How an active check went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// When it began.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// Whether the server was well.
    pub healthy: bool,
    /// The status that came, or why none did: at most [`Check::OUTCOME_BYTES`] bytes.
    pub outcome: String,
}

/// A place among a server's open connections, until it is dropped: by whoever has the connection's I/O.
#[derive(Debug)]
pub(super) struct Slot(Arc<Line>);

/// What those who share an open connection tell one another: its I/O, and who sends on it.
#[derive(Debug)]
pub(super) struct Line {
    vitals: Arc<Vitals>,
    /// Whether it is in use: [`BUSY`], [`SPARE`] or [`CLOSED`].
    state: AtomicU8,
    /// Whether a byte has come since somebody listens.
    heard: AtomicBool,
    /// Whether what is sent is to be remembered.
    remembers: AtomicBool,
    /// What was sent since then.
    sent: Mutex<Vec<u8>>,
}

impl Shared {
    /// One for each upstream. A server that was there `before`, under the same upstream and address, goes on with its
    /// health, ejection, counters and connections.
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
        let mut left: Vec<_> = before.iter().map(|server| Arc::clone(&server.vitals)).collect();
        let (is_checked, max_connections) = (settings.health.is_some(), settings.max_connections);
        let server = |address: &ServerAddress| {
            let kept = left.iter().position(|vitals| vitals.address == *address);
            let vitals = kept.map(|index| left.swap_remove(index));
            let vitals = vitals
                .unwrap_or_else(|| Arc::new(Vitals::new(address.clone(), Arc::clone(&queue))));
            Arc::new(ServerState { is_checked, max_connections, vitals })
        };
        let servers = settings.servers.iter().map(server).collect();
        Self { settings, tls, servers, queue }
    }

    /// The name in the file.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its servers, in the order of the file.
    pub fn servers(&self) -> &[Arc<ServerState>] {
        &self.servers
    }

    /// What the file says of it.
    pub fn settings(&self) -> &config::Upstream {
        &self.settings
    }

    /// Whether a server is there for requests, as far as active checks tell: always where there are none.
    pub fn is_ready(&self) -> bool {
        self.settings.health.is_none()
            || self.servers.iter().any(|server| server.is_up() == Some(true))
    }

    /// Exchanges that wait for a connection now.
    pub fn queued(&self) -> usize {
        self.queue.waiting()
    }

    /// Exchanges that have had to wait for a connection.
    pub fn queued_total(&self) -> u64 {
        self.queue.entered_total()
    }

    /// Exchanges that found the queue full.
    pub fn queue_refused_total(&self) -> u64 {
        self.queue.refused_total()
    }

    /// Exchanges that waited for `queue_timeout` in vain.
    pub fn queue_timeouts_total(&self) -> u64 {
        self.queue.gave_up_total()
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Open connections to all servers that nobody uses.
    pub(super) fn spare(&self) -> usize {
        self.servers.iter().map(|server| server.vitals.spare.load(SeqCst)).sum()
    }

    /// What verifies `https://` servers.
    pub(super) fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }
}

impl ServerState {
    /// Where it is.
    pub fn address(&self) -> &ServerAddress {
        &self.vitals.address
    }

    /// What active checks say; none where there are none, or none has ended yet.
    pub fn is_up(&self) -> Option<bool> {
        match self.vitals.health.load(Relaxed) {
            UP if self.is_checked => Some(true),
            DOWN if self.is_checked => Some(false),
            _ => None,
        }
    }

    /// Whether it is left alone because it failed exchanges.
    pub fn is_ejected(&self) -> bool {
        self.vitals.ejection.look().is_ejected(ejection::now())
    }

    /// Failures without a success between them.
    pub fn failures(&self) -> u32 {
        self.vitals.ejection.failures()
    }

    /// Connections that are open, of all workers together.
    pub fn connections(&self) -> usize {
        self.vitals.connections.load(Relaxed)
    }

    /// How many there may be; none: any number.
    pub fn max_connections(&self) -> Option<usize> {
        self.max_connections
    }

    /// Requests that were sent there.
    pub fn requests_total(&self) -> u64 {
        let requests = lock(&self.vitals.requests);
        requests.iter().fold(0, |sum, requests| sum.wrapping_add(requests.load(Relaxed)))
    }

    /// Exchanges that it failed, and connections that could not be had.
    pub fn failures_total(&self) -> u64 {
        self.vitals.failures_total.load(Relaxed)
    }

    /// How often it was ejected.
    pub fn ejections_total(&self) -> u64 {
        self.vitals.ejection.total()
    }

    /// Active checks that have ended.
    pub fn checks_total(&self) -> u64 {
        lock(&self.vitals.checks).total
    }

    /// Active checks that found it ill.
    pub fn checks_failed_total(&self) -> u64 {
        lock(&self.vitals.checks).failed
    }

    /// How the last active check went.
    pub fn last_check(&self) -> Option<Check> {
        lock(&self.vitals.checks).last.clone()
    }

    pub(super) fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }
}

impl Vitals {
    fn new(address: ServerAddress, queue: Arc<Queue>) -> Self {
        Self {
            address,
            ejection: Ejection::default(),
            health: AtomicU8::new(UNKNOWN),
            checks: Mutex::default(),
            connections: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            queue,
            failures_total: AtomicU64::new(0),
            requests: Mutex::default(),
        }
    }

    /// Whether the last active checks found it ill.
    pub(super) fn is_down(&self) -> bool {
        self.health.load(Relaxed) == DOWN
    }

    /// Notes how an active check went. What holds from now on, where that changes: after `fall` bad ones in a row it is
    /// down, after `rise` good ones up; the first of all decides at once.
    pub(super) fn note_check(&self, check: Check, fall: u32, rise: u32) -> Option<bool> {
        let mut checks = lock(&self.checks);
        let healthy = check.healthy;
        checks.total = checks.total.saturating_add(1);
        checks.failed = checks.failed.saturating_add(u64::from(!healthy));
        checks.last = Some(check);
        let (holds, needed) = match self.health.load(Relaxed) {
            DOWN => (false, rise),
            UP => (true, fall),
            _ => (!healthy, 1),
        };
        checks.contrary = if healthy == holds { 0 } else { checks.contrary.saturating_add(1) };
        if checks.contrary < needed {
            return None;
        }
        checks.contrary = 0;
        self.health.store(if healthy { UP } else { DOWN }, Relaxed);
        Some(healthy)
    }

    /// Counts an exchange that it failed, or a connection that could not be had.
    pub(super) fn count_failure(&self) {
        self.failures_total.fetch_add(1, Relaxed);
    }

    /// A counter of requests for one worker alone to write.
    pub(super) fn request_counter(&self) -> Arc<AtomicU64> {
        let counter = Arc::new(AtomicU64::new(0));
        lock(&self.requests).push(Arc::clone(&counter));
        counter
    }

    /// Whether there is room for one more connection.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.connections.load(SeqCst) < limit
    }

    /// A place for one more connection; none where there are as many as there may be.
    pub(super) fn take_slot(self: &Arc<Self>, limit: usize) -> Option<Slot> {
        let one_more = |connections: usize| (connections < limit).then(|| connections + 1);
        self.connections.fetch_update(SeqCst, SeqCst, one_more).ok()?;
        let vitals = Arc::clone(self);
        Some(Slot(Arc::new(Line {
            vitals,
            state: AtomicU8::new(BUSY),
            heard: AtomicBool::new(false),
            remembers: AtomicBool::new(false),
            sent: Mutex::default(),
        })))
    }
}

impl Slot {
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.0
    }
}

impl Line {
    /// From now on listens for the first byte.
    pub(super) fn listen(&self) {
        self.heard.store(false, Relaxed);
    }

    /// A byte has come.
    pub(super) fn hear(&self) {
        self.heard.store(true, Relaxed);
        self.remembers.store(false, Relaxed);
    }

    /// From now on remembers what is sent, until the first byte comes.
    pub(super) fn remember(&self) {
        let mut sent = lock(&self.sent);
        sent.clear();
        sent.shrink_to(REMEMBERED_BYTES);
        self.remembers.store(true, Relaxed);
    }

    /// The first `bytes` of these pieces were sent.
    pub(super) fn note_sent(&self, pieces: &[io::IoSlice<'_>], mut bytes: usize) {
        if self.remembers.load(Relaxed) {
            let mut sent = lock(&self.sent);
            for piece in pieces {
                let of_it = piece.len().min(bytes);
                sent.extend_from_slice(&piece[..of_it]);
                bytes -= of_it;
            }
        }
    }

    /// What was sent since it was to be remembered; nothing where that is no longer so.
    pub(super) fn take_sent(&self) -> Vec<u8> {
        if self.remembers.swap(false, Relaxed) {
            mem::take(&mut lock(&self.sent))
        } else {
            Vec::new()
        }
    }

    /// Whether a byte has come.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Relaxed)
    }

    /// Somebody uses the connection.
    pub(super) fn becomes_busy(&self) {
        if self.state.compare_exchange(SPARE, BUSY, SeqCst, SeqCst).is_ok() {
            self.vitals.spare.fetch_sub(1, SeqCst);
        }
    }

    /// Nobody uses it any more.
    pub(super) fn becomes_spare(&self) {
        if self.state.compare_exchange(BUSY, SPARE, SeqCst, SeqCst).is_ok() {
            self.vitals.spare.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Line { vitals, state, .. } = &*self.0;
        vitals.connections.fetch_sub(1, SeqCst);
        if state.swap(CLOSED, SeqCst) == SPARE {
            vitals.spare.fetch_sub(1, SeqCst);
        }
        vitals.queue.call();
    }
}

/// So much memory each connection keeps for what is sent on it: the heads of most requests fit.
const REMEMBERED_BYTES: usize = 2 * 1024;

const BUSY: u8 = 0;
const SPARE: u8 = 1;
const CLOSED: u8 = 2;

impl Check {
    /// The longest outcome.
    pub const OUTCOME_BYTES: usize = 200;
}

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

/// Nothing that is done under these locks can fail halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals() -> Arc<Vitals> {
        let address = ServerAddress::Unix("/run/app.sock".into());
        Arc::new(Vitals::new(address, Arc::default()))
    }

    fn check(healthy: bool) -> Check {
        Check { at: Instant::now(), took: Duration::ZERO, healthy, outcome: String::new() }
    }

    #[test]
    fn checks_change_what_holds_only_in_a_row() {
        let vitals = vitals();
        let mut note = |healthy| vitals.note_check(check(healthy), 3, 2);
        assert_eq!(note(true), Some(true), "the first decides");
        let bad = [false, false, true, false, false, false, false].map(&mut note);
        assert_eq!(bad, [None, None, None, None, None, Some(false), None]);
        let good = [true, false, true, true, true].map(&mut note);
        assert_eq!(good, [None, None, None, Some(true), None]);
        let checks = lock(&vitals.checks);
        assert_eq!((checks.total, checks.failed), (13, 7));
    }

    #[test]
    fn connections_are_counted_until_they_are_closed() {
        let vitals = vitals();
        let counts = || (vitals.connections.load(SeqCst), vitals.spare.load(SeqCst));
        let slots = [(); 2].map(|()| vitals.take_slot(2).unwrap());
        assert!(vitals.take_slot(2).is_none() && !vitals.has_room(2));
        let [first, second] = slots.each_ref().map(|slot| Arc::clone(slot.line()));
        first.becomes_spare();
        first.becomes_spare();
        assert_eq!(counts(), (2, 1));
        first.becomes_busy();
        second.becomes_spare();
        assert_eq!(counts(), (2, 1));
        drop(slots);
        first.becomes_spare();
        assert_eq!(counts(), (0, 0), "a closed one is neither");
    }

    #[test]
    fn a_server_that_is_ill_at_first_is_down_at_once() {
        assert_eq!(vitals().note_check(check(false), 3, 2), Some(false));
    }
}
