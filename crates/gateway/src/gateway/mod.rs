//! Assembles a gateway from a configuration: opens its sockets, starts its workers, reloads and drains it.
//!
//! - [`Gateway`] is the running gateway: its owner can stop it.
//! - [`Control`] is a handle that reads and changes it from any thread.
//! - `assembly.rs` builds the workers' snapshot from a configuration; `preflight.rs` checks that this will succeed.
//! - `reload.rs` adopts a new configuration; `files.rs` reloads when files change; `tenants.rs` changes tenants at run
//!   time.
//! - `directory.rs` has the origin of every tenant.
//! - `sockets.rs` opens listening sockets; `inherited.rs` takes those that another process has opened; `handover.rs`
//!   passes them to a successor.
//! - `readings.rs` gathers the metrics; `traces.rs` runs the exporters of trace spans.

mod assembly;
mod control;
mod descriptors;
mod directory;
mod files;
mod handover;
mod inherited;
mod json;
mod preflight;
mod readings;
mod reload;
mod sockets;
mod start_error;
mod tenants;
mod traces;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
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
pub use reload::{ReloadError, Reloaded, UnchangedSetting};
pub use sockets::{Listener, ListenerKey};
pub use start_error::StartError;
pub use tenants::{Change, ChangeTenantsError, Changed, Expected, TenantView};

use crate::{
    metrics::Metrics,
    proxy::{
        self,
        upstream::UpstreamState,
        worker::{Drained, Listeners, Phase, Settings, Worker, WorkerCommands},
    },
};
use control::{Running, WorkerHandle};
use crumbgate_audit::{Counters, tenants::TenantTable};
use crumbgate_base::clock::Clock;
use crumbgate_config::Loaded;
use crumbgate_policy::superseded::Superseded;
use crumbgate_state::{StateHandle, StateThread, Status as LedgerStatus};
use traces::Exporters;

/// A running gateway. Dropped without a [`Gateway::drain`], it drains too, and waits for it.
#[derive(Debug)]
pub struct Gateway {
    control: Control,
    workers: Vec<JoinHandle<Drained>>,
    state: Option<StateThread>,
    control_thread: Option<ControlThread>,
}

/// Ends a drain early, from another thread.
#[derive(Clone, Debug)]
pub struct Cutter(watch::Sender<Phase>);

impl Cutter {
    /// Closes all open connections at once.
    pub fn cut(&self) {
        self.0.send_replace(Phase::Cut);
    }
}

/// The result of a drain.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DrainReport {
    /// Number of exchanges and tunnels that were cut because `server.drain` had passed.
    pub cut: usize,
    /// Number of workers that ended in a panic.
    pub failed_workers: usize,
}

impl Gateway {
    /// Binds every listener, reads every certificate and starts the workers. When this returns, connections are
    /// accepted; on an error nothing is left running.
    pub fn start(loaded: Loaded, clock: Clock) -> Result<Self, StartError> {
        Self::start_on(loaded, clock, &mut Inherited::default())
    }

    /// Like [`start`](Self::start), with the listening sockets that another process has opened where there are any.
    pub fn start_on(
        loaded: Loaded,
        clock: Clock,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        let workers = loaded.config.server.workers.get();
        let server = &loaded.config.server;
        let https = sockets::bind_all(ListenerKey::Https, &server.https, workers, inherited)?;
        let http = sockets::bind_all(ListenerKey::Http, &server.http, workers, inherited)?;
        let (sender, pages) = StateThread::queue(workers);
        let mut ledger = assembly::ledger_settings(&loaded.config, &loaded.hash, &clock);
        let evidence = ledger.keeps_evidence.then_some((sender, ledger.window_s));
        let settings = Arc::new(Settings {
            superseded: Arc::new(Superseded::new(
                loaded.config.limits.superseded_values,
                u64::from_ne_bytes(proxy::random()),
            )),
            counters: Arc::new(Counters::default()),
            metrics: Arc::new(Metrics::default()),
            clock,
            connections: Arc::new(AtomicUsize::new(0)),
            workers,
        });
        let control_thread = ControlThread::start().map_err(StartError::Worker)?;
        let listeners = [https.listeners, http.listeners].concat();
        let (phase, phases) = watch::channel(Phase::Serve);
        let running = Running {
            phase,
            runtime: control_thread.handle.clone(),
            settings: Arc::clone(&settings),
            exporters: Exporters::default(),
        };
        let (control, snapshot) = Control::assemble(loaded, running, listeners)?;
        // The ledger and the cookie page must show the same date.
        if let Some(since_unix_s) = snapshot.since_unix_s {
            ledger.declaration.since_unix_s = since_unix_s;
        }
        control.keep_sockets(https.kept.into_iter().chain(http.kept));
        let mut gateway = Self {
            control,
            workers: Vec::new(),
            state: None,
            control_thread: Some(control_thread),
        };
        let (started, starts) = mpsc::channel();
        for (number, (https, http)) in https.sockets.into_iter().zip(http.sockets).enumerate() {
            let (updates, received) = unbounded_channel();
            let liveness = Arc::new(AtomicU64::new(0));
            let worker = WorkerHandle { updates, liveness: Arc::clone(&liveness) };
            let commands = WorkerCommands { phase: phases.clone(), updates: received, liveness };
            let (settings, snapshot) = (Arc::clone(&settings), Arc::clone(&snapshot));
            let (evidence, started) = (evidence.clone(), started.clone());
            let run = move || {
                let liveness = Arc::clone(&commands.liveness);
                let make = || Worker::new(settings, snapshot, evidence, liveness);
                run_worker(make, Listeners { https, http }, commands, started)
            };
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(run);
            gateway.workers.push(thread.map_err(StartError::Worker)?);
            gateway.control.add_worker(worker);
        }
        drop((started, evidence));
        for _ in &gateway.workers {
            let start = starts.recv().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            start.map_err(StartError::Worker)?;
        }
        // Last, so that a failed start writes nothing to the ledger.
        let state = StateThread::start(ledger, pages).map_err(StartError::Worker)?;
        gateway.control.serve(&state);
        gateway.state = Some(state);
        Ok(gateway)
    }

    /// A handle that reads and changes the gateway while it runs.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The addresses of the TLS listeners; a configured port 0 is replaced by the port that the system has assigned.
    pub fn https(&self) -> Vec<SocketAddr> {
        self.control.addresses(ListenerKey::Https)
    }

    /// The addresses of the plain HTTP listeners, likewise.
    pub fn http(&self) -> Vec<SocketAddr> {
        self.control.addresses(ListenerKey::Http)
    }

    /// The current table of tenants. A change applies to the next request (T3). A reload replaces the table.
    pub fn tenants(&self) -> Arc<TenantTable> {
        self.control.table()
    }

    /// The counters of all workers (A1).
    pub fn counters(&self) -> &Arc<Counters> {
        self.control.counters()
    }

    /// The ledger's state; `None` if no ledger is kept.
    pub fn ledger(&self) -> Option<&Arc<LedgerStatus>> {
        self.state.as_ref().and_then(StateThread::status)
    }

    /// The handle that stores tenants and records configurations.
    pub fn state_handle(&self) -> Option<StateHandle> {
        self.state.as_ref().map(StateThread::handle)
    }

    /// The upstreams, in the order of the configuration, with the state of their servers.
    pub fn upstreams(&self) -> Vec<Arc<UpstreamState>> {
        self.control.upstreams()
    }

    /// A handle that can end a drain of this gateway early.
    pub fn cutter(&self) -> Cutter {
        Cutter(self.control.phase().clone())
    }

    /// Stops accepting, waits up to `server.drain` for open exchanges, cuts the rest, and waits until all have ended.
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
        if let Some(state) = self.state.take() {
            state.stop();
        }
        self.control.0.running.exporters.finish();
        // Last, so that the admin interface shows the progress of the drain.
        drop(self.control_thread.take());
        report
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop_workers();
    }
}

/// The thread for all work that is not a request: health checks, the admin interface, polling files.
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
            // An error means that the sender was dropped, which is a stop too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(run)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for ControlThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has printed its message, and nothing is left to stop.
            let _ = thread.join();
        }
    }
}

/// Runs a worker on this thread until it stops. Sends one result of its start to `started`.
fn run_worker(
    make: impl FnOnce() -> std::rc::Rc<Worker>,
    listeners: Listeners,
    commands: WorkerCommands,
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
    // An error means that another worker has failed to start; this one then sees the phase change and stops.
    let _ = started.send(result);
    drop(started);
    ready.map_or_else(Drained::default, |(runtime, listeners)| {
        runtime.block_on(make().serve(listeners, commands))
    })
}

/// Number of threads for blocking work of the control thread.
const BLOCKING_THREADS: usize = 16;

/// Longest wait for the last tasks of the control thread.
const SHUTDOWN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
