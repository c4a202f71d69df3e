//! One worker: a thread with its own runtime, listeners, upstream connections and counters.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::SyncSender,
    },
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::{
    admission::TenantView,
    connection::{Cause, Connections, Kind, Order, Registered, Watched},
    delivery,
    exchange::Downstream,
    limits as bounds, redirect,
    request_id::RequestIds,
    upstream::{Shared, Upstream},
};
use crate::{
    audit::{Books, Journal, Page},
    clock::Clock,
    config::Limits,
    policy::superseded::Superseded,
    tenants::TenantTable,
};

/// What all workers share: read-only, or counters that are touched once for each connection.
pub(crate) struct Settings {
    pub(crate) limits: Arc<Limits>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) access_log: bool,
    /// The port that plain listeners redirect to.
    pub(crate) https_port: u16,
    pub(crate) upstreams: Vec<Arc<Shared>>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) tenants: Arc<TenantTable>,
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) books: Arc<Books>,
    /// Where evidence goes, and over how many seconds it is summed up; none: it is not kept.
    pub(crate) evidence: Option<(SyncSender<Page>, u32)>,
    pub(crate) clock: Clock,
    /// Downstream connections of all workers.
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) drain: Duration,
}

/// One worker's own.
pub(crate) struct Worker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    pub(crate) journal: Rc<Journal>,
    pub(crate) tenants: TenantView,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) connections: Rc<Connections>,
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) request_ids: RequestIds,
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
    pub(crate) fn new(settings: Arc<Settings>) -> Rc<Self> {
        let upstream = |shared: &Arc<Shared>| Upstream::new(Arc::clone(shared), None);
        let journal = Journal::new(Arc::clone(&settings.books), settings.evidence.clone());
        let clock = settings.clock.clone();
        let table = Arc::clone(&settings.tenants);
        Rc::new(Self {
            tenants: TenantView::new(table, Rc::clone(&journal), clock.clone()),
            clock,
            journal,
            upstreams: settings.upstreams.iter().map(upstream).collect(),
            connections: Rc::new(Connections::new()),
            superseded: Arc::clone(&settings.superseded),
            request_ids: RequestIds::new(u64::from_ne_bytes(super::random())),
            settings,
        })
    }

    /// Serves until it is told to drain: then it stops accepting, lets open exchanges finish for `drain` or until it is
    /// told to cut, and cuts what is left.
    pub(crate) async fn serve(
        self: Rc<Self>,
        listeners: WatchedListeners,
        mut phase: watch::Receiver<Phase>,
    ) -> Drained {
        let mut accepting = Vec::new();
        for (listener, purpose) in listeners.0 {
            let accept = Rc::clone(&self).accept(listener, purpose, phase.clone());
            accepting.push(tokio::task::spawn_local(accept));
        }
        let sweeping = tokio::task::spawn_local(Rc::clone(&self).sweep());
        let recording = tokio::task::spawn_local(Rc::clone(&self).record());
        // An error means that whoever could say stop is gone: that is a stop, too.
        let _ = phase.wait_for(|phase| *phase != Phase::Serve).await;
        for accept in accepting {
            if let Err(error) = accept.await {
                warn!(%error, "a listener ended early");
            }
        }
        self.connections.drain(&self.settings.limits);
        let emptied = tokio::select! {
            emptied = timeout(self.settings.drain, self.connections.emptied()) => emptied.is_ok(),
            Ok(_) = phase.wait_for(|phase| *phase == Phase::Cut) => false,
        };
        let cut = if emptied { 0 } else { self.connections.cut() };
        // What was cut ends within its next poll; what does not is dropped with the runtime.
        let _ = timeout(AFTER_CUT, self.connections.emptied()).await;
        sweeping.abort();
        recording.abort();
        self.hand_on_the_last().await;
        Drained { cut }
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

    async fn sweep(self: Rc<Self>) {
        let interval = sweep_interval(&self.settings.limits);
        loop {
            sleep(interval).await;
            self.connections.sweep(&self.settings.limits);
            self.upstreams.iter().for_each(Upstream::sweep);
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
        let Some(permit) = self.permit() else { return };
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let connection = worker.connections.register();
            match purpose {
                Purpose::Serve => worker.serve_tls(stream, peer, connection, permit).await,
                Purpose::Redirect => worker.serve_plain(stream, connection, permit).await,
            }
        });
    }

    /// A place for one more connection; beyond the limit a refused one, and beyond a few of those none.
    fn permit(&self) -> Option<Permit> {
        let connections = Arc::clone(&self.settings.connections);
        let before = connections.fetch_add(1, Relaxed);
        let limit = self.settings.limits.connections;
        let permit = Permit { connections, refused: before >= limit };
        (before < limit.saturating_add(bounds::REFUSED_CONNECTIONS)).then_some(permit)
    }

    async fn serve_tls(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        connection: Registered,
        permit: Permit,
    ) {
        let Some(tls) = &self.settings.tls else { return };
        let limits = &self.settings.limits;
        let mut accept = pin!(tls.accept(stream));
        let handshake = obey(&connection, |context, _| accept.as_mut().poll(context));
        let stream = match timeout(limits.handshake_timeout, handshake).await {
            Ok(Ended::Itself(Ok(stream))) => stream,
            Ok(Ended::Itself(Err(error))) => return debug!(%error, "a TLS handshake failed"),
            Ok(Ended::Cut(cause)) => return debug!(?cause, "a TLS handshake was cut"),
            Err(_) => return debug!("a TLS handshake took too long"),
        };
        let session = stream.get_ref().1;
        let http2 = session.alpn_protocol() == Some(b"h2");
        let server_name = session.server_name().map(|name| name.to_ascii_lowercase().into());
        let downstream = Rc::new(Downstream {
            worker: Rc::clone(&self),
            peer: canonical(peer.ip()),
            trusted: self.trusts(peer.ip()),
            server_name,
            activity: Arc::clone(connection.activity()),
            permit: Rc::new(permit),
        });
        let io = TokioIo::new(Watched::new(stream, Arc::clone(connection.activity())));
        if http2 {
            connection.becomes(Kind::Http2);
            if downstream.permit.refused {
                connection.drain();
            }
            serve_http2(io, downstream, &connection).await;
        } else {
            connection.becomes(Kind::Http1);
            serve_http1(io, downstream, &connection).await;
        }
    }

    async fn serve_plain(
        self: Rc<Self>,
        stream: TcpStream,
        connection: Registered,
        permit: Permit,
    ) {
        connection.becomes(Kind::Http1);
        let activity = connection.activity();
        let Ok(port) = stream.local_addr().map(|address| address.port()) else { return };
        let io = TokioIo::new(Watched::new(stream, Arc::clone(activity)));
        let refused = permit.refused;
        let service =
            service_fn(|request| redirect::answer(&self, activity, port, refused, request));
        let serving = http1(&self.settings.limits).serve_connection(io, service);
        let mut serving = pin!(serving);
        let ended = obey(&connection, |context, order| {
            if order == Order::Drain {
                serving.as_mut().graceful_shutdown();
            }
            serving.as_mut().poll(context)
        });
        if let Ended::Itself(Err(error)) = ended.await {
            debug!(%error, "a plain connection ended");
        }
        drop(permit);
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = canonical(peer);
        self.settings.trusted_proxies.iter().any(|network| network.contains(&peer))
    }
}

/// An IPv4 peer of an IPv6 socket is an IPv4 peer.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

type DownstreamIo = TokioIo<Watched<tokio_rustls::server::TlsStream<TcpStream>>>;

async fn serve_http1(io: DownstreamIo, downstream: Rc<Downstream>, connection: &Registered) {
    let limits = Arc::clone(&downstream.worker.settings.limits);
    let service = service_fn(move |request| Rc::clone(&downstream).exchange(request));
    let mut serving = http1(&limits).serve_connection(io, service).with_upgrades();
    let ended = obey(connection, |context, order| {
        if order == Order::Drain {
            std::pin::Pin::new(&mut serving).graceful_shutdown();
        }
        std::pin::Pin::new(&mut serving).poll(context)
    });
    match ended.await {
        Ended::Itself(Ok(())) => {}
        Ended::Itself(Err(error)) => debug!(%error, "a connection ended"),
        Ended::Cut(Cause::Head) => {
            // No answer is under way, so this one can't land in the middle of another.
            if let Some(parts) = serving.into_parts() {
                let _ = timeout(AFTER_CUT, say_request_timeout(parts.io.into_inner())).await;
            }
        }
        Ended::Cut(cause) => debug!(?cause, "a connection was cut"),
    }
}

async fn serve_http2(io: DownstreamIo, downstream: Rc<Downstream>, connection: &Registered) {
    let limits = Arc::clone(&downstream.worker.settings.limits);
    let service = service_fn(move |request| Rc::clone(&downstream).exchange(request));
    let executor = LocalExecutor { body_timeout: limits.body_timeout };
    let mut builder = hyper::server::conn::http2::Builder::new(executor);
    let head_bytes = limits.head_bytes.saturating_mul(bounds::READ_HEAD_FACTOR);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(bounds::H2_PENDING_RESETS)
        .max_local_error_reset_streams(limits.h2_resets as usize)
        .max_send_buf_size(bounds::H2_SEND_BYTES)
        .enable_connect_protocol();
    let serving = builder.serve_connection(io, service);
    let mut serving = pin!(serving);
    let ended = obey(connection, |context, order| {
        if order == Order::Drain {
            serving.as_mut().graceful_shutdown();
        }
        serving.as_mut().poll(context)
    });
    match ended.await {
        Ended::Itself(Ok(())) => {}
        Ended::Itself(Err(error)) => debug!(%error, "a connection ended"),
        Ended::Cut(cause) => debug!(?cause, "a connection was cut"),
    }
}

fn http1(limits: &Limits) -> hyper::server::conn::http1::Builder {
    let head_bytes = limits.head_bytes.saturating_mul(bounds::READ_HEAD_FACTOR);
    let mut builder = hyper::server::conn::http1::Builder::new();
    // The sweep watches over the head's time; hyper's timer would count idle time, too.
    builder
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(head_bytes)
        .max_buf_size(head_bytes.max(HTTP1_BUFFER_BYTES));
    // Up to hyper's own default the fields are parsed on the stack.
    if limits.head_fields != HYPER_HEAD_FIELDS {
        builder.max_headers(limits.head_fields);
    }
    builder
}

/// How a connection ended.
enum Ended<T> {
    Cut(Cause),
    Itself(T),
}

/// Polls a connection until it ends, and lets it know once of each order that changes.
async fn obey<T>(
    connection: &Registered,
    mut poll: impl FnMut(&mut std::task::Context<'_>, Order) -> std::task::Poll<T>,
) -> Ended<T> {
    let mut known = Order::Serve;
    std::future::poll_fn(|context| {
        let order = connection.poll_order(context);
        let news = if order == known { Order::Serve } else { order };
        known = order;
        match news {
            Order::Cut(cause) => std::task::Poll::Ready(Ended::Cut(cause)),
            Order::Drain | Order::Serve => poll(context, news).map(Ended::Itself),
        }
    })
    .await
}

/// Tells a downstream whose head took too long why it is closed (RFC 9110, section 15.5.9).
async fn say_request_timeout(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    io.write_all(REQUEST_TIMEOUT).await?;
    io.shutdown().await
}

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Runs hyper's HTTP/2 tasks on the worker's own thread, each as long as its downstream takes something now and then.
#[derive(Clone, Copy)]
struct LocalExecutor {
    body_timeout: Duration,
}

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(delivery::deliver(task, self.body_timeout));
    }
}

/// How often connections are looked at: often enough for the shortest time-out, and at least once a second.
fn sweep_interval(limits: &Limits) -> Duration {
    let shortest = limits.head_timeout.min(limits.idle_timeout).min(limits.body_timeout);
    (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

/// How long to wait after a failed accept: file descriptors may have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections of a socket's queue are accepted after the stop: a flood of new ones can't put it off.
const LAST_ONES: usize = 4096;

/// How often a worker hands on what it has counted. A second later, at the latest, it is in the ledger's file.
const PAGE_INTERVAL: Duration = Duration::from_millis(200);

/// How long a worker that stops waits for the ledger's thread.
const LAST_PAGE: Duration = Duration::from_secs(5);

/// What a cut connection gets to say its last word.
const AFTER_CUT: Duration = Duration::from_secs(1);

/// hyper's own bound on the fields of a head.
const HYPER_HEAD_FIELDS: usize = 100;

const HTTP1_BUFFER_BYTES: usize = 128 * 1024;
