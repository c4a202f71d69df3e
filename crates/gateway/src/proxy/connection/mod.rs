//! The downstream connections of one worker: their state and their timeouts.
//!
//! Connections have no timers. Each records its [`Activity`], and the worker's sweep checks all of them at intervals, gives
//! an order to each connection whose time is over, and wakes it. A sweep of 10,000 idle connections takes some
//! microseconds; 10,000 timers that are reset at each request would take more, and more memory.

mod activity;
mod large_heads;
mod watched;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Waker},
    time::Duration,
};

use slab::Slab;
use tokio::sync::Notify;

pub(crate) use activity::{Activity, OpenExchange};
use activity::{CoarseTime, Millis, NEVER, millis};
pub(crate) use large_heads::{LargeHead, LargeHeads};
pub(crate) use watched::Watched;

use crate::metrics::{ConnectionState, ConnectionStates, CutCause, WorkerMetrics};
use crumbgate_config::Limits;

/// All downstream connections of a worker.
pub(crate) struct Connections {
    open: RefCell<Slab<Rc<Connection>>>,
    time: Arc<CoarseTime>,
    pub(crate) large_heads: LargeHeads,
    /// Start of the drain, or `NEVER`.
    draining_since: Cell<Millis>,
    /// The key of the connection at which the next search for a place begins.
    next_looked_at: Cell<usize>,
    metrics: Arc<WorkerMetrics>,
    /// Notified when the last connection has ended.
    empty: Notify,
}

/// One downstream connection in the registry.
pub(crate) struct Connection {
    kind: Cell<Kind>,
    order: Cell<Order>,
    /// Time at which `order` became `Drain`.
    drained_at: Cell<Millis>,
    waker: RefCell<Waker>,
    activity: Arc<Activity>,
}

/// Keeps a connection in the registry until it is dropped.
pub(crate) struct Registered {
    connections: Rc<Connections>,
    key: usize,
    connection: Rc<Connection>,
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The TLS handshake, which has its own timeout.
    Handshake,
    Http1,
    Http2,
    /// A connection that was upgraded from HTTP/1.1.
    Tunnel,
}

/// An order for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    /// Close at once.
    Cut(CutCause),
    /// Finish open exchanges, accept no new ones.
    Drain,
    /// Free the memory that only exchanges need, because there was none for a while.
    Rest,
    /// Serve normally.
    Serve,
}

impl Connections {
    pub(crate) fn new(metrics: Arc<WorkerMetrics>) -> Self {
        Self {
            open: RefCell::default(),
            time: CoarseTime::start(),
            large_heads: LargeHeads::new(),
            draining_since: Cell::new(NEVER),
            next_looked_at: Cell::new(0),
            metrics,
            empty: Notify::new(),
        }
    }

    /// Adds a new connection.
    pub(crate) fn register(self: &Rc<Self>) -> Registered {
        let connection = Rc::new(Connection {
            kind: Cell::new(Kind::Handshake),
            order: Cell::new(Order::Serve),
            drained_at: Cell::new(NEVER),
            waker: RefCell::new(Waker::noop().clone()),
            activity: Arc::new(Activity::new(
                Arc::clone(&self.time),
                self.large_heads.begin(),
                Arc::clone(&self.metrics),
            )),
        });
        let key = self.open.borrow_mut().insert(Rc::clone(&connection));
        Registered { connections: Rc::clone(self), key, connection }
    }

    /// Advances the time, gives due orders to all connections, and counts their states.
    pub(crate) fn sweep(&self, limits: &Limits) {
        let now = self.time.advance();
        let mut states = ConnectionStates::default();
        for (_, connection) in self.open.borrow().iter() {
            if let Some(order) = connection.due(now, limits, self.draining_since.get()) {
                self.command(connection, order, now);
            }
            let open_exchanges = connection.activity.open_exchanges.load(Relaxed);
            states.add(connection.state(), open_exchanges);
        }
        self.metrics.set_connections(states);
    }

    /// Returns `true` during a drain: answers then announce that their connection closes.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining_since.get() != NEVER
    }

    /// Closes a connection that waits for a request or is in its TLS handshake: the one that has waited longest of the next
    /// [`LOOKED_AT`], so that this takes the same time however many there are. Returns false if none of them waits.
    pub(crate) fn close_longest_waiting(&self) -> bool {
        let open = self.open.borrow();
        let first = self.next_looked_at.get();
        let keys = (0..open.capacity().min(MAX_KEYS)).map(|key| (first + key) % open.capacity());
        let mut last = first;
        let looked_at =
            keys.filter_map(|key| open.get(key).inspect(|_| last = key)).take(LOOKED_AT);
        let waiting = looked_at.filter(|connection| connection.waits());
        let since = |connection: &&Rc<Connection>| connection.activity.idle_since.load(Relaxed);
        let longest = waiting.min_by_key(since);
        self.next_looked_at.set(last + 1);
        let Some(longest) = longest else { return false };
        self.command(longest, Order::Cut(CutCause::Place), self.time.now());
        true
    }

    /// Begins a drain: connections finish open exchanges, and idle ones close.
    pub(crate) fn drain(&self, limits: &Limits) {
        self.draining_since.set(self.time.advance());
        self.sweep(limits);
    }

    /// Waits until no connection is left.
    pub(crate) async fn emptied(&self) {
        while !self.open.borrow().is_empty() {
            self.empty.notified().await;
        }
    }

    /// Closes all remaining connections; returns the number of exchanges and tunnels that this cuts.
    pub(crate) fn cut(&self) -> usize {
        let mut exchanges = 0;
        for (_, connection) in self.open.borrow().iter() {
            exchanges += match connection.kind.get() {
                Kind::Tunnel => 1,
                Kind::Handshake | Kind::Http1 | Kind::Http2 => {
                    connection.activity.open_exchanges.load(Relaxed) as usize
                }
            };
            self.command(connection, Order::Cut(CutCause::Drain), self.time.now());
        }
        exchanges
    }

    fn command(&self, connection: &Connection, order: Order, now: Millis) {
        if connection.command(order, now)
            && let Order::Cut(cause) = order
        {
            self.metrics.count_cut(cause);
        }
    }
}

impl Registered {
    /// The connection's activity, for its I/O and its exchanges.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.connection.activity
    }

    /// Sets the protocol.
    pub(crate) fn becomes(&self, kind: Kind) {
        self.connection.kind.set(kind);
    }

    /// Orders the connection to finish its open exchanges and accept no more.
    pub(crate) fn drain(&self) {
        self.connection.command(Order::Drain, self.connections.time.now());
    }

    /// Returns `true` if a connection with the order to rest may still rest, because nothing has come since.
    pub(crate) fn may_rest(&self) -> bool {
        self.connection.activity.is_between_exchanges()
    }

    /// Ends a rest.
    pub(crate) fn wake(&self) {
        if self.connection.order.get() == Order::Rest {
            self.connection.order.set(Order::Serve);
        }
    }

    /// The current order. The task of `context` is woken when it changes.
    pub(crate) fn poll_order(&self, context: &Context<'_>) -> Order {
        self.connection.waker.borrow_mut().clone_from(context.waker());
        self.connection.order.get()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.open.borrow_mut();
        open.remove(self.key);
        if open.is_empty() {
            self.connections.empty.notify_waiters();
        }
    }
}

impl Connection {
    /// Returns true if it waits for a request, or is in its TLS handshake.
    fn waits(&self) -> bool {
        let is_cut = matches!(self.order.get(), Order::Cut(_));
        let waits = match self.kind.get() {
            Kind::Handshake => true,
            Kind::Http1 => {
                self.activity.is_idle() && self.activity.head_since.load(Relaxed) == NEVER
            }
            // Over HTTP/2, bytes that came need not be a head.
            Kind::Http2 => self.activity.is_idle(),
            Kind::Tunnel => false,
        };
        waits && !is_cut && self.activity.stalled_since.load(Relaxed) == NEVER
    }

    /// The state for the metrics.
    fn state(&self) -> ConnectionState {
        match (self.kind.get(), self.order.get()) {
            (Kind::Handshake, _) => ConnectionState::Handshake,
            (Kind::Tunnel, _) => ConnectionState::Tunnel,
            (Kind::Http1 | Kind::Http2, Order::Cut(_) | Order::Drain) => ConnectionState::Draining,
            (Kind::Http1 | Kind::Http2, _) if !self.activity.is_idle() => ConnectionState::Active,
            (Kind::Http1 | Kind::Http2, Order::Rest) => ConnectionState::Resting,
            (Kind::Http1 | Kind::Http2, Order::Serve) => ConnectionState::Idle,
        }
    }

    /// The order that is due now, if any.
    fn due(&self, now: Millis, limits: &Limits, draining_since: Millis) -> Option<Order> {
        match self.kind.get() {
            // The handshake has its own timeout; only a drain cuts it earlier.
            Kind::Handshake => {
                let waited = now.saturating_sub(self.activity.idle_since.load(Relaxed));
                let overdue = draining_since != NEVER && waited > millis(DRAIN_GRACE);
                overdue.then_some(Order::Cut(CutCause::Drain))
            }
            // A tunnel ends when one of its peers closes, or with the drain.
            Kind::Tunnel => None,
            Kind::Http1 | Kind::Http2 => match self.order.get() {
                Order::Cut(_) => None,
                Order::Drain => self.cause_to_cut(now, limits).map(Order::Cut),
                order @ (Order::Rest | Order::Serve) => {
                    let cut = self.cause_to_cut(now, limits).map(Order::Cut);
                    let drain = || self.is_to_drain(now, limits, draining_since);
                    let rest = || order == Order::Serve && self.is_to_rest(now);
                    cut.or_else(|| drain().then_some(Order::Drain))
                        .or_else(|| rest().then_some(Order::Rest))
                }
            },
        }
    }

    fn cause_to_cut(&self, now: Millis, limits: &Limits) -> Option<CutCause> {
        let activity = &*self.activity;
        let waited = |since: Millis, limit: Duration| now.saturating_sub(since) > millis(limit);
        let stalled_since = activity.stalled_since.load(Relaxed);
        if waited(stalled_since, limits.body_timeout) || activity.reads_too_slowly(now, limits) {
            return Some(CutCause::Stalled);
        }
        // While an answer waits to be read, a 408 can't be sent, and the client is still there.
        let idle = activity.is_idle() && stalled_since == NEVER;
        let head_since = activity.head_since.load(Relaxed);
        if idle && self.kind.get() == Kind::Http1 && waited(head_since, limits.head_timeout) {
            return Some(CutCause::Head);
        }
        let drained_at = self.drained_at.get();
        if !waited(drained_at, DRAIN_GRACE) {
            return None;
        }
        if activity.resets_exceed(limits.h2_resets) {
            return Some(CutCause::Resets);
        }
        let silent = waited(activity.moved_at.load(Relaxed), DRAIN_GRACE);
        let lingers = idle && (silent || waited(drained_at, limits.body_timeout));
        lingers.then_some(CutCause::Lingering)
    }

    fn is_to_drain(&self, now: Millis, limits: &Limits, draining_since: Millis) -> bool {
        let activity = &*self.activity;
        let idle_for = now.saturating_sub(activity.idle_since.load(Relaxed));
        // A new connection still gets its first answer.
        let fresh = !activity.used.load(Relaxed) && idle_for <= millis(DRAIN_GRACE);
        // Over HTTP/1.1 a head that has begun has its own timeout. Over HTTP/2, bytes need not be a head.
        let head = self.kind.get() == Kind::Http1 && activity.head_since.load(Relaxed) != NEVER;
        // A connection without any request is given no more time than the head of one.
        let limit = match activity.used.load(Relaxed) {
            true => limits.idle_timeout,
            false => limits.idle_timeout.min(limits.head_timeout),
        };
        let unused = activity.is_idle() && !head && idle_for > millis(limit);
        // Closing would hit a client that is about to send. In a drain each answer announces that it is the last one of its
        // connection, so only connections that were unused for a moment close without an announcement.
        let drained_for = now.saturating_sub(draining_since);
        let in_use = self.kind.get() == Kind::Http1
            && (!activity.is_idle() || head || idle_for.min(drained_for) <= millis(DRAIN_IDLE));
        draining_since != NEVER && !fresh && !in_use
            || unused
            || activity.resets_exceed(limits.h2_resets)
    }

    /// Returns `true` if the connection was unused for a while. HTTP/2 connections never rest, because they would lose the
    /// state of header compression.
    fn is_to_rest(&self, now: Millis) -> bool {
        let activity = &*self.activity;
        let idle_for = now.saturating_sub(activity.idle_since.load(Relaxed));
        self.kind.get() == Kind::Http1
            && idle_for >= millis(REST_AFTER)
            && activity.is_between_exchanges()
    }

    /// Gives an order; returns `true` if it differs from the current one.
    fn command(&self, order: Order, now: Millis) -> bool {
        if self.order.get() == order || matches!(self.order.get(), Order::Cut(_)) {
            return false;
        }
        if order == Order::Drain {
            self.drained_at.set(now);
        }
        self.order.set(order);
        self.waker.borrow().wake_by_ref();
        true
    }
}

/// The connections that are looked at for the one that has waited longest.
const LOOKED_AT: usize = 64;

/// The keys at which these are searched: after a peak most are not used.
const MAX_KEYS: usize = 4096;

/// Time after the order to drain at which an idle connection without any transfer is cut: an HTTP/2 peer that never answers
/// the closing PING would otherwise stay for ever. The handshake and first request of a connection that was accepted just
/// before the drain get the same time.
const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// Time without an exchange after which an HTTP/1.1 connection rests. Clients that send one request after another come
/// sooner; for the others the cost of waking, a microsecond, does not matter.
const REST_AFTER: Duration = Duration::from_secs(2);

/// Idle time after which an HTTP/1.1 connection closes in a drain. Clients that send one request after another come sooner.
const DRAIN_IDLE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::{io, task::Poll};

    use super::*;

    const MINUTE: Millis = 60_000;

    fn limits() -> Limits {
        Limits {
            head_bytes: 65_536,
            head_fields: 100,
            cookie_bytes: 49_152,
            body_bytes: None,
            banner_bytes: 65_536,
            source_connections: 10,
            connections: 10_000,
            h2_streams: 100,
            h2_resets: 2,
            superseded_values: 1024,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            min_rate: 500,
        }
    }

    /// A connection that was accepted when the worker started.
    fn connection(kind: Kind) -> Registered {
        let registered = Rc::new(Connections::new(Arc::default())).register();
        registered.becomes(kind);
        registered
    }

    impl Registered {
        fn at(&self, now: Millis) -> Option<Order> {
            self.connection.activity.time.millis.store(now, Relaxed);
            self.connection.due(now, &limits(), NEVER)
        }

        /// The order that is due at this time if the gateway drains.
        fn at_drain(&self, now: Millis) -> Option<Order> {
            self.connection.due(now, &limits(), now.saturating_sub(MINUTE))
        }

        fn drained_at(self, now: Millis) -> Self {
            self.connection.command(Order::Drain, now);
            self
        }
    }

    const PENDING: Poll<io::Result<usize>> = Poll::Pending;

    #[test]
    fn an_idle_connection_is_drained_and_a_busy_one_is_not() {
        for kind in [Kind::Http1, Kind::Http2] {
            let connection = connection(kind);
            // Without a request it has the time of a head.
            assert_eq!(connection.at(15_000), None);
            assert_eq!(connection.at(15_001), Some(Order::Drain));
            let exchange = connection.activity().begin_exchange(false);
            assert_eq!(connection.at(60 * MINUTE), None);
            drop(exchange);
            let rests = (kind == Kind::Http1).then_some(Order::Rest);
            assert_eq!(connection.at(61 * MINUTE), rests);
            assert_eq!(connection.at(62 * MINUTE), Some(Order::Drain));
        }
        assert_eq!(connection(Kind::Handshake).at(60 * MINUTE), None);
        assert_eq!(connection(Kind::Handshake).at_drain(2_000), None);
        assert_eq!(connection(Kind::Handshake).at_drain(2_001), Some(Order::Cut(CutCause::Drain)));
        assert_eq!(connection(Kind::Tunnel).at(60 * MINUTE), None);
    }

    #[test]
    fn bytes_begin_a_head_over_http_1_only() {
        let one = connection(Kind::Http1);
        one.at(70_000);
        one.activity().note_read(1).unwrap();
        assert_eq!(one.at(85_000), None);
        assert_eq!(one.at(85_001), Some(Order::Cut(CutCause::Head)));
        let two = connection(Kind::Http2);
        two.at(70_000);
        two.activity().note_read(1).unwrap();
        assert_eq!(two.at(75_001), Some(Order::Drain));
    }

    #[test]
    fn a_head_is_not_answered_while_an_answer_waits_to_be_read() {
        let connection = connection(Kind::Http1);
        connection.activity().note_write(&PENDING);
        connection.activity().note_read(1).unwrap();
        assert_eq!(connection.at(20_000), None);
        assert_eq!(connection.at(60_001), Some(Order::Cut(CutCause::Stalled)));
        connection.activity().note_write(&Poll::Ready(Ok(1)));
        assert_eq!(connection.at(60_002), Some(Order::Cut(CutCause::Head)));
    }

    #[test]
    fn a_drain_does_not_cut_connections_that_transfer_or_have_just_begun() {
        for kind in [Kind::Http1, Kind::Http2] {
            assert_eq!(connection(kind).at_drain(2_000), None);
            assert_eq!(connection(kind).at_drain(2_001), Some(Order::Drain));

            let silent = connection(kind).drained_at(MINUTE);
            assert_eq!(silent.at(MINUTE + 2_000), None);
            assert_eq!(silent.at(MINUTE + 2_001), Some(Order::Cut(CutCause::Lingering)));

            // The rest of an answer is being sent to a slow client.
            let slow = connection(kind).drained_at(MINUTE);
            slow.at(MINUTE);
            slow.activity().note_write(&PENDING);
            assert_eq!(slow.at(MINUTE + 50_000), None);
            slow.activity().note_write(&Poll::Ready(Ok(1)));
            assert_eq!(slow.at(MINUTE + 52_000), None);
            assert_eq!(slow.at(MINUTE + 52_001), Some(Order::Cut(CutCause::Lingering)));

            let busy = connection(kind).drained_at(MINUTE);
            let _exchange = busy.activity().begin_exchange(false);
            assert_eq!(busy.at(60 * MINUTE), None);
        }
    }

    #[test]
    fn a_peer_can_not_stay_for_ever_by_sending_bytes() {
        let connection = connection(Kind::Http2).drained_at(MINUTE);
        for second in 60..=120 {
            assert_eq!(connection.at(second * 1000), None, "{second}");
            connection.activity().note_read(1).unwrap();
        }
        assert_eq!(connection.at(2 * MINUTE + 1), Some(Order::Cut(CutCause::Lingering)));
    }

    #[test]
    fn tp1_cancelled_exchanges_are_counted_for_a_minute() {
        let give_up = |connection: &Registered, times| {
            for _ in 0..times {
                drop(connection.activity().begin_exchange(false));
            }
        };
        let patient = connection(Kind::Http2);
        give_up(&patient, 2);
        patient.at(MINUTE + 1);
        give_up(&patient, 2);
        assert_eq!(patient.at(MINUTE + 2), None);

        let flooding = connection(Kind::Http2);
        give_up(&flooding, 3);
        assert_eq!(flooding.at(1), Some(Order::Drain));
        let flooding = flooding.drained_at(1);
        let _open = flooding.activity().begin_exchange(false);
        assert_eq!(flooding.at(2_001), None);
        assert_eq!(flooding.at(2_002), Some(Order::Cut(CutCause::Resets)));

        let unlucky = connection(Kind::Http2);
        for _ in 0..10 {
            unlucky.activity().begin_exchange(false).break_off();
            unlucky.activity().begin_exchange(false).finish();
        }
        assert_eq!(unlucky.at(1), None);
    }
}
