//! A worker: a thread with its own runtime, listeners, upstream connections and counters.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Sender, SyncSender},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc::UnboundedReceiver, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::warn;

use super::{
    connection::Connections,
    dates::Dates,
    limits as bounds,
    request_id::RequestIds,
    snapshot::Snapshot,
    sources::{SourcePlace, Sources},
    worker_config::WorkerConfig,
};
use crate::{
    metrics::{Metrics, RejectionReason, WorkerMetrics},
    traces::IdGenerator,
};
use crumbgate_audit::{Aggregator, Batch, Counters};
use crumbgate_base::clock::Clock;
use crumbgate_config::Limits;
use crumbgate_policy::superseded::Superseded;

/// Values that all workers share for the lifetime of the process.
pub(crate) struct Settings {
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    /// Number of downstream connections of all workers.
    pub(crate) connections: Arc<AtomicUsize>,
    /// Number of workers.
    pub(crate) workers: usize,
}

/// The state of one worker.
pub(crate) struct Worker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) aggregator: Rc<Aggregator>,
    pub(crate) connections: Rc<Connections>,
    sources: Rc<Sources>,
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) request_ids: RequestIds,
    pub(crate) dates: Dates,
    pub(crate) trace_ids: IdGenerator,
    config: RefCell<Rc<WorkerConfig>>,
    /// The tasks that accept connections.
    accepting: RefCell<Vec<JoinHandle<()>>>,
    /// Counts sweeps: a worker whose number does not change is stuck.
    liveness: Arc<AtomicU64>,
}

/// The channel to the ledger's thread, and the length of a window in seconds; `None` if no ledger is kept.
pub(crate) type Evidence = Option<(SyncSender<Batch>, u32)>;

/// A new configuration for a worker.
pub(crate) struct ConfigUpdate {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The sockets of new listeners.
    pub(crate) listeners: Listeners,
    /// Notified when all further requests on this worker use the snapshot.
    pub(crate) done: Sender<io::Result<()>>,
}

/// The channels that control a worker while it serves.
pub(crate) struct WorkerCommands {
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) updates: UnboundedReceiver<ConfigUpdate>,
    pub(crate) liveness: Arc<AtomicU64>,
}

/// A worker's listening sockets, one per address.
pub(crate) struct Listeners {
    pub(crate) https: Vec<std::net::TcpListener>,
    pub(crate) http: Vec<std::net::TcpListener>,
}

impl Listeners {
    /// Registers the sockets with the current runtime.
    pub(crate) fn watched(self) -> io::Result<WatchedListeners> {
        let serving = self.https.into_iter().map(|listener| (listener, Purpose::Serve));
        let redirecting = self.http.into_iter().map(|listener| (listener, Purpose::Redirect));
        let watch = |(listener, purpose)| Ok((TcpListener::from_std(listener)?, purpose));
        serving.chain(redirecting).map(watch).collect::<io::Result<_>>().map(WatchedListeners)
    }
}

/// A worker's listening sockets, registered with its runtime.
pub(crate) struct WatchedListeners(Vec<(TcpListener, Purpose)>);

/// The phase of the gateway, which all workers follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Close all open connections at once.
    Cut,
    /// Accept no new connections, and finish open exchanges.
    Drain,
    /// Serve normally.
    Serve,
}

/// The purpose of a listener's connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// Redirects to https.
    Redirect,
    /// Serves the application over TLS.
    Serve,
}

/// The result of a worker's drain.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Drained {
    /// Number of exchanges and tunnels that were cut.
    pub(crate) cut: usize,
}

/// Counts one connection towards `limits.connections`, until it is dropped.
pub(crate) struct Permit {
    connections: Arc<AtomicUsize>,
    /// True if the limit is exceeded, so that the connection only gets a 503.
    pub(crate) refused: bool,
    /// The place among the connections of its source; `None` for a trusted proxy, which has many clients.
    _source_place: Option<SourcePlace>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Relaxed);
    }
}

impl Worker {
    pub(crate) fn new(
        settings: Arc<Settings>,
        snapshot: Arc<Snapshot>,
        evidence: Evidence,
        liveness: Arc<AtomicU64>,
    ) -> Rc<Self> {
        let aggregator = Aggregator::new(Arc::clone(&settings.counters), evidence);
        let clock = settings.clock.clone();
        let metrics = settings.metrics.open();
        Rc::new(Self {
            config: RefCell::new(Rc::new(WorkerConfig::new(snapshot, None, &aggregator, &clock))),
            clock,
            aggregator,
            connections: Rc::new(Connections::new(Arc::clone(&metrics))),
            sources: Rc::default(),
            metrics,
            superseded: Arc::clone(&settings.superseded),
            request_ids: RequestIds::new(u64::from_ne_bytes(super::random())),
            dates: Dates::default(),
            trace_ids: IdGenerator::new(u64::from_ne_bytes(super::random())),
            settings,
            accepting: RefCell::default(),
            liveness,
        })
    }

    /// The current configuration. An exchange calls this once, so its configuration does not change while it runs.
    pub(crate) fn config(&self) -> Rc<WorkerConfig> {
        Rc::clone(&self.config.borrow())
    }

    /// Serves until the phase changes to drain. Then stops accepting, lets open exchanges finish for `server.drain` or until
    /// the phase changes to cut, and cuts the rest.
    pub(crate) async fn serve(
        self: Rc<Self>,
        listeners: WatchedListeners,
        commands: WorkerCommands,
    ) -> Drained {
        let WorkerCommands { mut phase, updates, .. } = commands;
        self.accept_on(listeners, &phase);
        let adopting = tokio::task::spawn_local(Rc::clone(&self).adopt_all(updates, phase.clone()));
        let sweeping = tokio::task::spawn_local(Rc::clone(&self).sweep());
        let recording = tokio::task::spawn_local(Rc::clone(&self).record());
        // An error means that the sender was dropped, which is a stop too.
        let _ = phase.wait_for(|phase| *phase != Phase::Serve).await;
        adopting.abort();
        for accept in self.accepting.take() {
            if let Err(error) = accept.await {
                warn!(%error, "a listener ended early");
            }
        }
        let config = self.config();
        self.connections.drain(config.limits());
        let emptied = tokio::select! {
            emptied = timeout(config.snapshot.drain, self.connections.emptied()) => emptied.is_ok(),
            Ok(_) = phase.wait_for(|phase| *phase == Phase::Cut) => false,
            () = self.sweep_often() => false,
        };
        let cut = if emptied { 0 } else { self.connections.cut() };
        // Cut connections end within their next poll; the others are dropped with the runtime.
        let _ = timeout(AFTER_CUT, self.connections.emptied()).await;
        sweeping.abort();
        recording.abort();
        self.flush_last().await;
        Drained { cut }
    }

    /// Adopts each new configuration at once: open exchanges finish with the old one.
    async fn adopt_all(
        self: Rc<Self>,
        mut updates: UnboundedReceiver<ConfigUpdate>,
        phase: watch::Receiver<Phase>,
    ) {
        while let Some(ConfigUpdate { snapshot, listeners, done }) = updates.recv().await {
            let listening = listeners.watched().map(|listeners| self.accept_on(listeners, &phase));
            let config =
                WorkerConfig::new(snapshot, Some(&*self.config()), &self.aggregator, &self.clock);
            self.config.replace(Rc::new(config));
            // An error means that the reload no longer waits.
            let _ = done.send(listening);
        }
    }

    fn accept_on(self: &Rc<Self>, listeners: WatchedListeners, phase: &watch::Receiver<Phase>) {
        for (listener, purpose) in listeners.0 {
            let accept = Rc::clone(self).accept(listener, purpose, phase.clone());
            self.accepting.borrow_mut().push(tokio::task::spawn_local(accept));
        }
    }

    /// Flushes counts to the ledger at intervals.
    async fn record(self: Rc<Self>) {
        loop {
            sleep(FLUSH_INTERVAL).await;
            self.aggregator.flush();
        }
    }

    /// Flushes the last counts; waits up to `LAST_FLUSH_TIMEOUT` while the ledger's queue is full.
    async fn flush_last(&self) {
        let flushed = async {
            self.aggregator.flush();
            while self.aggregator.unsent() > 0 {
                sleep(Duration::from_millis(10)).await;
                self.aggregator.flush();
            }
        };
        if timeout(LAST_FLUSH_TIMEOUT, flushed).await.is_err() {
            warn!("the ledger's queue is full: the last counts may be missing");
        }
    }

    /// Sweeps often during a drain, to close connections that are no longer in use.
    async fn sweep_often(&self) {
        loop {
            sleep(DRAIN_SWEEP_INTERVAL).await;
            self.connections.sweep(self.config().limits());
        }
    }

    async fn sweep(self: Rc<Self>) {
        loop {
            let interval = sweep_interval(self.config().limits());
            sleep(interval).await;
            let config = self.config();
            self.connections.sweep(config.limits());
            config.upstreams.iter().for_each(|upstream| upstream.sweep());
            self.liveness.fetch_add(1, Relaxed);
        }
    }

    /// Accepts connections until the gateway stops, then those that wait in the socket's queue.
    async fn accept(
        self: Rc<Self>,
        listener: TcpListener,
        purpose: Purpose,
        mut phase: watch::Receiver<Phase>,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Serve) => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.begin(stream, peer, purpose);
                    // Those that give their places must end before the next one comes.
                    tokio::task::yield_now().await;
                }
                // The peer has already closed; the next connection may be fine.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(%error, "no connection can be accepted; trying again in a moment");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        if let Err(error) = self.accept_queued(listener, purpose) {
            warn!(%error, "connections that waited to be accepted are closed");
        }
    }

    /// Accepts the connections in the socket's queue, because closing the socket would reset them. Calls the socket directly,
    /// because the runtime may not know yet of the latest ones.
    fn accept_queued(self: &Rc<Self>, listener: TcpListener, purpose: Purpose) -> io::Result<()> {
        let listener = listener.into_std()?;
        for _ in 0..MAX_QUEUED_ACCEPTS {
            match listener.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    self.begin(TcpStream::from_std(stream)?, peer, purpose);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn begin(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, purpose: Purpose) {
        self.metrics.count_accepted();
        let permit = match self.permit(peer.ip()) {
            Ok(permit) => permit,
            Err(reason) => return self.metrics.count_rejection(reason),
        };
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let connection = worker.connections.register();
            match purpose {
                Purpose::Serve => worker.serve_tls(stream, peer, connection, permit).await,
                Purpose::Redirect => Box::pin(worker.serve_plain(stream, connection, permit)).await,
            }
        });
    }

    /// Counts another connection. Beyond the limit it takes the place of the one that has waited longest for a request. If
    /// none waits, it is refused with a 503.
    ///
    /// # Errors
    ///
    /// The connection is to be closed at once: the limit is far exceeded, or that of its source is.
    fn permit(&self, peer: IpAddr) -> Result<Permit, RejectionReason> {
        let config = self.config();
        let limits = config.limits();
        let source_place = if config.trusts(peer.to_canonical()) {
            None
        } else {
            let share = limits.source_connections.div_ceil(self.settings.workers);
            let place = self.sources.enter(peer, share);
            Some(place.ok_or(RejectionReason::SourceConnections)?)
        };
        let connections = Arc::clone(&self.settings.connections);
        let before = connections.fetch_add(1, Relaxed);
        let mut permit = Permit { connections, refused: false, _source_place: source_place };
        if before >= limits.connections.saturating_add(bounds::REFUSED_CONNECTIONS) {
            return Err(RejectionReason::TooManyConnections);
        }
        permit.refused = before >= limits.connections && !self.connections.close_longest_waiting();
        Ok(permit)
    }
}

/// Interval of sweeps: a quarter of the shortest timeout, and at most one second.
fn sweep_interval(limits: &Limits) -> Duration {
    let shortest = limits.head_timeout.min(limits.idle_timeout).min(limits.body_timeout);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

const DRAIN_SWEEP_INTERVAL: Duration = Duration::from_millis(50);

/// Pause after a failed accept: file descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Number of queued connections that are accepted after the stop, so that a flood of new ones can't delay it.
const MAX_QUEUED_ACCEPTS: usize = 4096;

/// Interval at which a worker flushes its counts. The ledger writes them at most a second later.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// Longest wait of a stopping worker for the ledger's thread.
const LAST_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a cut connection to send its last bytes.
pub(super) const AFTER_CUT: Duration = Duration::from_secs(1);
