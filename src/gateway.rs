//! Puts the gateway together from a configuration: binds, starts the workers, drains.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicUsize, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustls::ClientConfig;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::{runtime, sync::watch, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::{
    audit::Books,
    clock::Clock,
    config::{self, Config, ConfigHash, Evidence, ServerAddress},
    ledger::{self, Keeper, Status},
    policy::superseded::Superseded,
    proxy::{
        tls::{self, CertificateError, Certificates, Tickets},
        upstream::{Shared, check_health},
        worker::{Drained, Listeners, Phase, Settings, Worker},
    },
    tenants::TenantTable,
};

/// A running gateway. Dropped without a [`Gateway::drain`], it drains too, and waits for it.
#[derive(Debug)]
pub struct Gateway {
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    tenants: Arc<TenantTable>,
    books: Arc<Books>,
    keeper: Option<Keeper>,
    phase: watch::Sender<Phase>,
    workers: Vec<JoinHandle<Drained>>,
    upstreams: Vec<Arc<Shared>>,
    control: Option<JoinHandle<()>>,
}

/// Ends a drain before its time, from another thread.
#[derive(Clone, Debug)]
pub struct Cutter(watch::Sender<Phase>);

impl Cutter {
    /// Cuts whatever is still open.
    pub fn cut(&self) {
        self.0.send_replace(Phase::Cut);
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address can't be had.
    #[error("{key}: {address} can't be listened on{}", hint(.source))]
    Bind {
        /// The key that asks for it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Certificates or CA bundles can't be used.
    #[error("{}", one_a_line(.0))]
    Certificates(Vec<CertificateError>),
    /// The machine has no randomness to give.
    #[error("no keys for TLS sessions could be made")]
    Tickets(#[source] rustls::Error),
    /// A worker, or the ledger, has no thread, or what its thread needs can't be had.
    #[error("a worker can't start{}", hint(.0))]
    Worker(#[source] io::Error),
}

/// How a drain went.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DrainReport {
    /// Exchanges and tunnels that were cut when `server.drain` was over.
    pub cut: usize,
    /// Workers that ended by a panic instead.
    pub failed_workers: usize,
}

impl Gateway {
    /// Binds every listener, reads every certificate and starts the workers. When this returns, connections are
    /// accepted; on an error nothing is left running.
    pub fn start(config: Config, hash: &ConfigHash, clock: Clock) -> Result<Self, StartError> {
        let workers = config.server.workers.get();
        let (https, https_sockets) = bind_all("server.https", &config.server.https, workers)?;
        let (http, http_sockets) = bind_all("server.http", &config.server.http, workers)?;
        let tls = if https.is_empty() { None } else { Some(acceptor(&config.tls, &clock)?) };
        let ledger = ledger_settings(&config, hash, &clock);
        let upstreams = Shared::all(with_verifiers(config.upstreams)?, &[]);
        let tenants = Arc::new(TenantTable::new(config.tenants, config.default_tenant));
        let books = Arc::new(Books::default());
        let (sender, pages) = Keeper::queue(workers);
        let settings = Arc::new(Settings {
            tls,
            upstreams: upstreams.clone(),
            superseded: Arc::new(Superseded::new(
                config.limits.superseded_values,
                std::hash::RandomState::new(),
            )),
            limits: config.limits,
            trusted_proxies: config.server.trusted_proxies,
            access_log: config.log.access,
            https_port: https.first().map_or(HTTPS_PORT, SocketAddr::port),
            tenants: Arc::clone(&tenants),
            books: Arc::clone(&books),
            evidence: ledger.as_ref().map(|ledger| (sender, ledger.window_s)),
            clock,
            connections: Arc::new(AtomicUsize::new(0)),
            drain: config.server.drain,
        });
        let (phase, told) = watch::channel(Phase::Serve);
        let workers = Vec::new();
        let mut gateway = Self {
            https,
            http,
            tenants,
            books,
            keeper: None,
            phase,
            workers,
            upstreams,
            control: None,
        };
        let (started, starts) = mpsc::channel();
        for (number, (https, http)) in https_sockets.into_iter().zip(http_sockets).enumerate() {
            let (settings, told, started) = (Arc::clone(&settings), told.clone(), started.clone());
            let run = move || run_worker(settings, Listeners { https, http }, told, started);
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(run);
            gateway.workers.push(thread.map_err(StartError::Worker)?);
        }
        drop(started);
        for _ in &gateway.workers {
            let start = starts.recv().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            start.map_err(StartError::Worker)?;
        }
        let upstreams = gateway.upstreams.clone();
        let control = thread::Builder::new().name("control".to_owned());
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(StartError::Worker)?;
        let control = control.spawn(move || run_control(&runtime, upstreams, told));
        gateway.control = Some(control.map_err(StartError::Worker)?);
        // Last: a gateway that does not start leaves no trace in the ledger.
        let keeper = ledger.map(|settings| Keeper::start(settings, pages)).transpose();
        gateway.keeper = keeper.map_err(StartError::Worker)?;
        Ok(gateway)
    }

    /// The TLS listeners' addresses, with the ports that the system gave where the configuration says 0.
    pub fn https(&self) -> &[SocketAddr] {
        &self.https
    }

    /// The plain listeners' addresses, likewise.
    pub fn http(&self) -> &[SocketAddr] {
        &self.http
    }

    /// The table of tenants: a change holds for the next request (T3).
    pub fn tenants(&self) -> &Arc<TenantTable> {
        &self.tenants
    }

    /// What was counted so far (A1).
    pub fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// How the ledger does; none where none is kept.
    pub fn ledger(&self) -> Option<&Arc<Status>> {
        self.keeper.as_ref().map(Keeper::status)
    }

    /// The upstreams, in the order of the configuration, and how their servers do.
    pub fn upstreams(&self) -> &[Arc<Shared>] {
        &self.upstreams
    }

    /// What can end a drain of this gateway before its time.
    pub fn cutter(&self) -> Cutter {
        Cutter(self.phase.clone())
    }

    /// Stops accepting, lets open exchanges finish for `server.drain`, cuts what is left, and waits for all of it.
    pub fn drain(mut self) -> DrainReport {
        self.stop_workers()
    }

    fn stop_workers(&mut self) -> DrainReport {
        self.phase.send_if_modified(|phase| {
            let serves = *phase == Phase::Serve;
            if serves {
                *phase = Phase::Drain;
            }
            serves
        });
        let mut report = DrainReport::default();
        for worker in self.workers.drain(..) {
            match worker.join() {
                Ok(drained) => report.cut += drained.cut,
                Err(_) => report.failed_workers += 1,
            }
        }
        if let Some(control) = self.control.take()
            && control.join().is_err()
        {
            report.failed_workers += 1;
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.stop();
        }
        report
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop_workers();
    }
}

/// Runs a worker on this thread until it is told to stop. Tells `started` once whether it could start.
fn run_worker(
    settings: Arc<Settings>,
    listeners: Listeners,
    phase: watch::Receiver<Phase>,
    started: mpsc::Sender<io::Result<()>>,
) -> Drained {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(runtime::LocalOptions::default());
    let ready = runtime.and_then(|runtime| {
        let listeners = runtime.block_on(async { listeners.watched() })?;
        Ok((runtime, listeners))
    });
    let (result, ready) = match ready {
        Ok(ready) => (Ok(()), Some(ready)),
        Err(error) => (Err(error), None),
    };
    // Nobody hears it where another worker has failed before: then the phase is to stop.
    let _ = started.send(result);
    drop(started);
    ready.map_or_else(Drained::default, |(runtime, listeners)| {
        runtime.block_on(Worker::new(settings).serve(listeners, phase))
    })
}

/// Runs what is nobody's request on this thread, until the gateway stops.
fn run_control(
    runtime: &runtime::Runtime,
    upstreams: Vec<Arc<Shared>>,
    mut phase: watch::Receiver<Phase>,
) {
    runtime.block_on(async {
        let mut checks = JoinSet::new();
        for upstream in upstreams {
            checks.spawn(check_health(upstream));
        }
        let _ = phase.wait_for(|phase| *phase != Phase::Serve).await;
    });
}

fn ledger_settings(config: &Config, hash: &ConfigHash, clock: &Clock) -> Option<ledger::Settings> {
    let Evidence { path, ledger: true, retention, .. } = &config.evidence else { return None };
    let variables = hash.variables.iter().map(String::as_str);
    Some(ledger::Settings {
        path: path.clone(),
        window_s: window_s(&config.evidence),
        retention: *retention,
        configuration: std::iter::once(&*hash.file).chain(variables).collect::<Vec<_>>().join("+"),
        declaration: ledger::declaration::record(&config.declaration, clock.now().unix_s),
        actor: "crumbgate run".to_owned(),
        clock: clock.clone(),
    })
}

/// Whole minutes of a day, so that it fits.
fn window_s(evidence: &Evidence) -> u32 {
    u32::try_from(evidence.window.as_secs()).unwrap_or(u32::MAX)
}

fn acceptor(config: &config::Tls, clock: &Clock) -> Result<TlsAcceptor, StartError> {
    // Warnings are told by whoever loads the configuration, before the start.
    let (certificates, _) =
        Certificates::load(config, clock.now()).map_err(StartError::Certificates)?;
    let tickets = Tickets::new().map_err(StartError::Tickets)?;
    Ok(tls::server_config(Arc::new(certificates), config.min_version, &tickets).into())
}

type WithVerifier = (config::Upstream, Option<Arc<ClientConfig>>);

fn with_verifiers(upstreams: Vec<config::Upstream>) -> Result<Vec<WithVerifier>, StartError> {
    let with_verifier = |upstream: config::Upstream| match verifier(&upstream) {
        Ok(verifier) => Ok((upstream, verifier)),
        Err(error) => Err(StartError::Certificates(vec![error])),
    };
    upstreams.into_iter().map(with_verifier).collect()
}

/// What verifies an upstream's `https://` servers; none where it has none. Waits for the disk.
pub fn verifier(
    upstream: &config::Upstream,
) -> Result<Option<Arc<ClientConfig>>, CertificateError> {
    let over_tls = |server: &ServerAddress| matches!(server, ServerAddress::Tls { .. });
    if upstream.servers.iter().any(over_tls) {
        tls::client_config(upstream.ca.as_deref()).map(Some)
    } else {
        Ok(None)
    }
}

/// Binds each address once for each worker. Returns the addresses, and each worker's sockets.
fn bind_all(
    key: &'static str,
    addresses: &[SocketAddr],
    workers: usize,
) -> Result<(Vec<SocketAddr>, Vec<Vec<TcpListener>>), StartError> {
    let mut bound = Vec::new();
    let mut sockets: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for &address in addresses {
        let fail = |source| StartError::Bind { key, address, source };
        let (exact, listeners) = listen(address, workers).map_err(fail)?;
        bound.push(exact);
        for (worker, listener) in sockets.iter_mut().zip(listeners) {
            worker.push(listener);
        }
    }
    Ok((bound, sockets))
}

/// Opens a listening socket for each worker. Returns the address, too, with the port that the system chose.
///
/// The first socket is opened without `SO_REUSEPORT`, so that an address that somebody listens on is refused instead
/// of silently shared, also when two gateways start together. Only then is it shared, among the workers.
fn listen(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = tcp_socket(address)?;
    first.bind(&address.into())?;
    first.listen(BACKLOG)?;
    first.set_reuse_port(true)?;
    let listener = TcpListener::from(first);
    let exact = listener.local_addr()?;
    let mut listeners = vec![listener];
    while listeners.len() < workers {
        let socket = tcp_socket(exact)?;
        socket.set_reuse_port(true)?;
        socket.bind(&exact.into())?;
        socket.listen(BACKLOG)?;
        listeners.push(socket.into());
    }
    Ok((exact, listeners))
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A port whose last owner has just gone is free.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Accepted connections inherit these two.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    Ok(socket)
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program listens there; stop it, or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => {
            ": this machine has no such address; 0.0.0.0 is all that it has"
        }
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need CAP_NET_BIND_SERVICE; grant it, or choose a higher port"
        }
        _ if error.raw_os_error() == Some(EMFILE) => {
            ": raise the limit of open files (ulimit -n, LimitNOFILE=), or lower server.workers"
        }
        _ => "",
    }
}

/// "Too many open files", of one process (`errno(3)`).
const EMFILE: i32 = 24;

fn one_a_line(errors: &[CertificateError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const HTTPS_PORT: u16 = 443;

const BACKLOG: i32 = 4096;

/// After this long without a byte the system asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
