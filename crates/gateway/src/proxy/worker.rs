//! One worker: a thread with its own runtime, listeners, upstream connections and counters.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
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
    connection::Connections, dates::Dates, limits as bounds, request_id::RequestIds,
    snapshot::Snapshot, worker_config::WorkerConfig,
};
use crate::{
    metrics::{Metrics, RejectionReason, WorkerMetrics},
    traces::Ids,
};
use crumbgate_audit::{Books, Journal, Page};
use crumbgate_base::clock::Clock;
use crumbgate_config::Limits;
use crumbgate_policy::superseded::Superseded;

/// What all workers share from their start to their end.
pub(crate) struct Settings {
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) books: Arc<Books>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    /// Downstream connections of all workers.
    pub(crate) connections: Arc<AtomicUsize>,
}

/// One worker's own.
pub(crate) struct Worker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) journal: Rc<Journal>,
    pub(crate) connections: Rc<Connections>,
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) request_ids: RequestIds,
    pub(crate) dates: Dates,
    pub(crate) trace_ids: Ids,
    view: RefCell<Rc<WorkerConfig>>,
    /// The tasks that accept connections.
    accepting: RefCell<Vec<JoinHandle<()>>>,
    /// Counts the sweeps: a worker whose number stands still is stuck.
    pulse: Arc<AtomicU64>,
}

/// Where evidence goes, and over how many seconds it is summed up; none: it is not kept.
pub(crate) type Evidence = Option<(SyncSender<Page>, u32)>;

/// How a worker is told of a new configuration.
pub(crate) struct Adoption {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The sockets of listeners that are new.
    pub(crate) listeners: Listeners,
    /// Told when every further request of this worker goes by the snapshot.
    pub(crate) done: Sender<io::Result<()>>,
}

/// What a worker is told by while it serves.
pub(crate) struct Orders {
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) adoptions: UnboundedReceiver<Adoption>,
    pub(crate) pulse: Arc<AtomicU64>,
}

/// A worker's listening sockets; each worker has one for each address.
pub(crate) struct Listeners {
    pub(crate) https: Vec<std::net::TcpListener>,
    pub(crate) http: Vec<std::net::TcpListener>,
}

impl Listeners {
    /// Hands the sockets to the runtime that this is called on.
    pub(crate) fn watched(self) -> io::Result<WatchedListeners> {
        let serving = self.https.into_iter().map(|listener| (listener, Purpose::Serve));
        let redirecting = self.http.into_iter().map(|listener| (listener, Purpose::Redirect));
        let watch = |(listener, purpose)| Ok((TcpListener::from_std(listener)?, purpose));
        serving.chain(redirecting).map(watch).collect::<io::Result<_>>().map(WatchedListeners)
    }
}

/// A worker's listening sockets, in the care of its runtime.
pub(crate) struct WatchedListeners(Vec<(TcpListener, Purpose)>);

/// What all workers are told to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Close at once whatever is open.
    Cut,
    /// Accept nothing new, and finish what is open.
    Drain,
    /// Go on.
    Serve,
}

/// What a listener's connections are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// Redirecting to https, and nothing else.
    Redirect,
    /// The application, over TLS.
    Serve,
}

/// What a worker left unfinished.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Drained {
    /// Exchanges and tunnels that were cut.
    pub(crate) cut: usize,
}

/// A place among the connections that the gateway may have.
pub(crate) struct Permit {
    connections: Arc<AtomicUsize>,
    /// Whether it is one too many, so that all it gets is a 503.
    pub(crate) refused: bool,
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
        pulse: Arc<AtomicU64>,
    ) -> Rc<Self> {
        let journal = Journal::new(Arc::clone(&settings.books), evidence);
        let clock = settings.clock.clone();
        let metrics = settings.metrics.open();
        Rc::new(Self {
            view: RefCell::new(Rc::new(WorkerConfig::new(snapshot, None, &journal, &clock))),
            clock,
            journal,
            connections: Rc::new(Connections::new(Arc::clone(&metrics))),
            metrics,
            superseded: Arc::clone(&settings.superseded),
            request_ids: RequestIds::new(u64::from_ne_bytes(super::random())),
            dates: Dates::default(),
            trace_ids: Ids::new(u64::from_ne_bytes(super::random())),
            settings,
            accepting: RefCell::default(),
            pulse,
        })
    }

    /// The configuration that holds now. An exchange asks once: what it goes by does not change under it.
    pub(crate) fn view(&self) -> Rc<WorkerConfig> {
        Rc::clone(&self.view.borrow())
    }

    /// Serves until it is told to drain: then it stops accepting, lets open exchanges finish for `drain` or until it is
    /// told to cut, and cuts what is left.
    pub(crate) async fn serve(
        self: Rc<Self>,
        listeners: WatchedListeners,
        orders: Orders,
    ) -> Drained {
        let Orders { mut phase, adoptions, .. } = orders;
        self.accept_on(listeners, &phase);
        let adopting =
            tokio::task::spawn_local(Rc::clone(&self).adopt_all(adoptions, phase.clone()));
        let sweeping = tokio::task::spawn_local(Rc::clone(&self).sweep());
        let recording = tokio::task::spawn_local(Rc::clone(&self).record());
        // An error means that whoever could say stop is gone: that is a stop, too.
        let _ = phase.wait_for(|phase| *phase != Phase::Serve).await;
        adopting.abort();
        for accept in self.accepting.take() {
            if let Err(error) = accept.await {
                warn!(%error, "a listener ended early");
            }
        }
        let view = self.view();
        self.connections.drain(view.limits());
        let emptied = tokio::select! {
            emptied = timeout(view.snapshot.drain, self.connections.emptied()) => emptied.is_ok(),
            Ok(_) = phase.wait_for(|phase| *phase == Phase::Cut) => false,
            () = self.sweep_often() => false,
        };
        let cut = if emptied { 0 } else { self.connections.cut() };
        // What was cut ends within its next poll; what does not is dropped with the runtime.
        let _ = timeout(AFTER_CUT, self.connections.emptied()).await;
        sweeping.abort();
        recording.abort();
        self.hand_on_the_last().await;
        Drained { cut }
    }

    /// Takes over each new configuration, from one moment to the next: exchanges under way end by the old one.
    async fn adopt_all(
        self: Rc<Self>,
        mut adoptions: UnboundedReceiver<Adoption>,
        phase: watch::Receiver<Phase>,
    ) {
        while let Some(Adoption { snapshot, listeners, done }) = adoptions.recv().await {
            let listening = listeners.watched().map(|listeners| self.accept_on(listeners, &phase));
            let view = WorkerConfig::new(snapshot, Some(&*self.view()), &self.journal, &self.clock);
            self.view.replace(Rc::new(view));
            // Who asked may have lost patience.
            let _ = done.send(listening);
        }
    }

    fn accept_on(self: &Rc<Self>, listeners: WatchedListeners, phase: &watch::Receiver<Phase>) {
        for (listener, purpose) in listeners.0 {
            let accept = Rc::clone(self).accept(listener, purpose, phase.clone());
            self.accepting.borrow_mut().push(tokio::task::spawn_local(accept));
        }
    }

    /// Hands on, again and again, what was counted.
    async fn record(self: Rc<Self>) {
        loop {
            sleep(PAGE_INTERVAL).await;
            self.journal.hand_on();
        }
    }

    /// Hands on what is left; as long as the ledger's thread takes nothing, not for long.
    async fn hand_on_the_last(&self) {
        let handed_on = async {
            self.journal.hand_on();
            while self.journal.waiting() > 0 {
                sleep(Duration::from_millis(10)).await;
                self.journal.hand_on();
            }
        };
        if timeout(LAST_PAGE, handed_on).await.is_err() {
            warn!("the ledger's queue is full: what was counted last may be missing");
        }
    }

    /// Looks, for as long as a drain goes on, which connections nobody uses any more.
    async fn sweep_often(&self) {
        loop {
            sleep(DRAIN_SWEEP).await;
            self.connections.sweep(self.view().limits());
        }
    }

    async fn sweep(self: Rc<Self>) {
        loop {
            let interval = sweep_interval(self.view().limits());
            sleep(interval).await;
            let view = self.view();
            self.connections.sweep(view.limits());
            view.upstreams.iter().for_each(|upstream| upstream.sweep());
            self.pulse.fetch_add(1, Relaxed);
        }
    }

    /// Accepts until the gateway stops, and then what still waits in the socket's queue.
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
                Ok((stream, peer)) => self.begin(stream, peer, purpose),
                // The peer has gone already: the next one may be there.
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

    /// Accepts what waits in the socket's queue: closing it with connections in it would reset them. The socket itself
    /// is asked, because the runtime may not have heard yet of those that have just come.
    fn accept_queued(self: &Rc<Self>, listener: TcpListener, purpose: Purpose) -> io::Result<()> {
        let listener = listener.into_std()?;
        for _ in 0..LAST_ONES {
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
        let Some(permit) = self.permit() else {
            return self.metrics.count_rejection(RejectionReason::TooManyConnections);
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

    /// A place for one more connection; beyond the limit a refused one, and beyond a few of those none.
    fn permit(&self) -> Option<Permit> {
        let connections = Arc::clone(&self.settings.connections);
        let before = connections.fetch_add(1, Relaxed);
        let limit = self.view.borrow().limits().connections;
        let permit = Permit { connections, refused: before >= limit };
        (before < limit.saturating_add(bounds::REFUSED_CONNECTIONS)).then_some(permit)
    }
}

/// How often connections are looked at: often enough for the shortest time-out, and at least once a second.
fn sweep_interval(limits: &Limits) -> Duration {
    let shortest = limits.head_timeout.min(limits.idle_timeout).min(limits.body_timeout);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

/// How often connections are looked at in a drain.
const DRAIN_SWEEP: Duration = Duration::from_millis(50);

/// How long to wait after a failed accept: file descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections of a socket's queue are accepted after the stop: a flood of new ones can't put it off.
const LAST_ONES: usize = 4096;

/// How often a worker hands on what it has counted. A second later, at the latest, it is in the ledger's file.
const PAGE_INTERVAL: Duration = Duration::from_millis(200);

/// How long a worker that stops waits for the ledger's thread.
const LAST_PAGE: Duration = Duration::from_secs(5);

/// What a cut connection gets to say its last word.
pub(super) const AFTER_CUT: Duration = Duration::from_secs(1);
