//! Puts the gateway together from a configuration: binds, starts the workers, drains.
//!
//! - [`Gateway`] is the running thing: whoever has it can stop it.
//! - [`Control`] is what can be asked of it and changed in it meanwhile, from any thread.
//! - `assembly.rs`: a configuration made into what workers go by; `preflight.rs`: whether that would succeed.
//! - `reload.rs`: a new configuration, `files.rs`: when its files change; `tenants.rs`: tenants that are set while it runs.
//! - `sockets.rs`: listening sockets; `inherited.rs`: those that another process has opened; `handover.rs`: giving them
//!   to a process that takes the place of this one.
//! - `readings.rs`: its metrics.
//! - `traces.rs`: what exports the spans of exchanges.

mod assembly;
mod control;
mod files;
mod handover;
mod inherited;
mod preflight;
mod readings;
mod reload;
mod sockets;
mod tenants;
mod traces;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use tokio::{
    runtime,
    sync::{mpsc::unbounded_channel, oneshot, watch},
};

pub use assembly::verifier;
pub use control::{Control, LastReload, NotReady, ReloadCheck, Status};
pub use handover::{HandoverError, Predecessor};
pub use inherited::Inherited;
pub use preflight::preflight;
pub use reload::{Kept, ReloadRefused, Reloaded};
pub use sockets::{Listener, ListenerKey};
pub use tenants::{Change, ChangeTenantsError, Changed, Expected, TenantView};

use crate::{
    metrics::Metrics,
    proxy::{
        self,
        tls::CertificateError,
        upstream::Shared,
        worker::{Drained, Listeners, Orders, Phase, Settings, Worker},
    },
    seal_keys::KeyFileError,
};
use control::{Lane, Running};
use crumbgate_audit::{Books, tenants::TenantTable};
use crumbgate_base::clock::Clock;
use crumbgate_config::Loaded;
use crumbgate_policy::superseded::Superseded;
use crumbgate_state::{Desk, Keeper, Status as LedgerStatus};

/// A running gateway. Dropped without a [`Gateway::drain`], it drains too, and waits for it.
#[derive(Debug)]
pub struct Gateway {
    control: Control,
    workers: Vec<JoinHandle<Drained>>,
    keeper: Option<Keeper>,
    control_thread: Option<ControlThread>,
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
    #[error("{key}: {address} can't be listened on{}", sockets::hint(.source))]
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
    /// The keys that session cookies are sealed with can't be used.
    #[error(transparent)]
    SealKeys(KeyFileError),
    /// The machine has no randomness to give.
    #[error("no keys for TLS sessions could be made")]
    Tickets(#[source] rustls::Error),
    /// A worker, or another thread, can't be had, or what it needs.
    #[error("a worker can't start{}", sockets::hint(.0))]
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
    pub fn start(loaded: Loaded, clock: Clock) -> Result<Self, StartError> {
        Self::start_on(loaded, clock, &mut Inherited::default())
    }

    /// The same on listening sockets that another process has opened, as far as there are any.
    pub fn start_on(
        loaded: Loaded,
        clock: Clock,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        let workers = loaded.config.server.workers.get();
        let server = &loaded.config.server;
        let https = sockets::bind_all(ListenerKey::Https, &server.https, workers, inherited)?;
        let http = sockets::bind_all(ListenerKey::Http, &server.http, workers, inherited)?;
        let (sender, pages) = Keeper::queue(workers);
        let mut ledger = assembly::ledger_settings(&loaded.config, &loaded.hash, &clock);
        let evidence = ledger.keeps_evidence.then_some((sender, ledger.window_s));
        let settings = Arc::new(Settings {
            superseded: Arc::new(Superseded::new(
                loaded.config.limits.superseded_values,
                u64::from_ne_bytes(proxy::random()),
            )),
            books: Arc::new(Books::default()),
            metrics: Arc::new(Metrics::default()),
            clock,
            connections: Arc::new(AtomicUsize::new(0)),
        });
        let control_thread = ControlThread::start().map_err(StartError::Worker)?;
        let listeners = [https.listeners, http.listeners].concat();
        let (phase, told) = watch::channel(Phase::Serve);
        let running = Running {
            phase,
            runtime: control_thread.handle.clone(),
            settings: Arc::clone(&settings),
            exporters: Mutex::default(),
        };
        let (control, snapshot) = Control::assemble(loaded, running, listeners)?;
        // So that the ledger and the cookie page name the same day.
        if let Some(since_unix_s) = snapshot.since_unix_s {
            ledger.declaration.since_unix_s = since_unix_s;
        }
        control.keep_sockets(https.kept.into_iter().chain(http.kept));
        let mut gateway = Self {
            control,
            workers: Vec::new(),
            keeper: None,
            control_thread: Some(control_thread),
        };
        let (started, starts) = mpsc::channel();
        for (number, (https, http)) in https.sockets.into_iter().zip(http.sockets).enumerate() {
            let (adoption, adoptions) = unbounded_channel();
            let pulse = Arc::new(AtomicU64::new(0));
            let lane = Lane { adoption, pulse: Arc::clone(&pulse) };
            let orders = Orders { phase: told.clone(), adoptions, pulse };
            let (settings, snapshot) = (Arc::clone(&settings), Arc::clone(&snapshot));
            let (evidence, started) = (evidence.clone(), started.clone());
            let run = move || {
                let pulse = Arc::clone(&orders.pulse);
                let make = || Worker::new(settings, snapshot, evidence, pulse);
                run_worker(make, Listeners { https, http }, orders, started)
            };
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(run);
            gateway.workers.push(thread.map_err(StartError::Worker)?);
            gateway.control.add_worker(lane);
        }
        drop((started, evidence));
        for _ in &gateway.workers {
            let start = starts.recv().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            start.map_err(StartError::Worker)?;
        }
        // Last: a gateway that does not start leaves no trace in the ledger.
        let keeper = Keeper::start(ledger, pages).map_err(StartError::Worker)?;
        gateway.control.serve(&keeper);
        gateway.keeper = Some(keeper);
        Ok(gateway)
    }

    /// What can be asked of it and changed in it while it runs.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The TLS listeners' addresses, with the ports that the system gave where the configuration says 0.
    pub fn https(&self) -> Vec<SocketAddr> {
        self.control.addresses(ListenerKey::Https)
    }

    /// The plain listeners' addresses, likewise.
    pub fn http(&self) -> Vec<SocketAddr> {
        self.control.addresses(ListenerKey::Http)
    }

    /// The table of tenants: a change holds for the next request (T3). A reload makes another one.
    pub fn tenants(&self) -> Arc<TenantTable> {
        self.control.table()
    }

    /// What was counted so far (A1).
    pub fn books(&self) -> &Arc<Books> {
        self.control.books()
    }

    /// How the ledger does; none where none is kept.
    pub fn ledger(&self) -> Option<&Arc<LedgerStatus>> {
        self.keeper.as_ref().and_then(Keeper::status)
    }

    /// What stores tenants, and tells the ledger what rules.
    pub fn desk(&self) -> Option<Desk> {
        self.keeper.as_ref().map(Keeper::desk)
    }

    /// The upstreams, in the order of the configuration, and how their servers do.
    pub fn upstreams(&self) -> Vec<Arc<Shared>> {
        self.control.upstreams()
    }

    /// What can end a drain of this gateway before its time.
    pub fn cutter(&self) -> Cutter {
        Cutter(self.control.phase().clone())
    }

    /// Stops accepting, lets open exchanges finish for `server.drain`, cuts what is left, and waits for all of it.
    pub fn drain(mut self) -> DrainReport {
        self.stop_workers()
    }

    fn stop_workers(&mut self) -> DrainReport {
        self.control.begin_drain();
        let mut report = DrainReport::default();
        for worker in self.workers.drain(..) {
            match worker.join() {
                Ok(drained) => report.cut += drained.cut,
                Err(_) => report.failed_workers += 1,
            }
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.stop();
        }
        self.control.0.running.export_the_last();
        // Until now it could be asked how far the drain is.
        drop(self.control_thread.take());
        report
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop_workers();
    }
}

/// The thread on which everything runs that is no request: health checks, the admin interface, watching files.
#[derive(Debug)]
struct ControlThread {
    handle: runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ControlThread {
    fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("control-blocking")
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            // An error says that whoever could stop it is gone: that is a stop, too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(AFTER_STOP);
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(run)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for ControlThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been told already, and there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// Runs a worker on this thread until it is told to stop. Tells `started` once whether it could start.
fn run_worker(
    make: impl FnOnce() -> std::rc::Rc<Worker>,
    listeners: Listeners,
    orders: Orders,
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
        runtime.block_on(make().serve(listeners, orders))
    })
}

fn one_a_line(errors: &[CertificateError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// How many things that wait for a disk may be under way at once, of those that are no requests.
const BLOCKING_THREADS: usize = 16;

/// How long what still runs on the control thread may take to end.
const AFTER_STOP: std::time::Duration = std::time::Duration::from_secs(1);
