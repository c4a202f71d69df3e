//! The handle that reads and changes a running gateway, from any thread.

use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    runtime,
    sync::{mpsc::UnboundedSender, watch},
    task::JoinSet,
};
use utoipa::ToSchema;

use super::{
    assembly::{SnapshotParts, hash_text},
    directory::Directory,
    json,
    sockets::{KeptSockets, Listener, ListenerKey},
    start_error::StartError,
    traces::Exporters,
};
use crate::{
    proxy::{
        snapshot::Snapshot,
        tls::Tickets,
        upstream::{UpstreamState, check_health},
        worker::{ConfigUpdate, Phase, Settings},
    },
    traces::Tracing,
};
use crumbgate_audit::{Counters, tenants::TenantTable};
use crumbgate_base::{clock::Now, lock::locked};
use crumbgate_config::{Config, ConfigHash, Effective, Loaded, Problems, Traces};
use crumbgate_state::{StateHandle, StateThread, Status as LedgerStatus};

/// A handle of a running gateway. Clones refer to the same gateway; no handle keeps it running.
///
/// Each value it returns describes one moment. Methods that wait for the disk or for the workers say so: on the control
/// thread, call those inside `spawn_blocking`.
#[derive(Clone)]
pub struct Control(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) running: Running,
    pub(super) started: Now,
    /// Shared by all configurations, so TLS sessions survive a reload.
    pub(super) tickets: Tickets,
    /// Held during each change, so changes run one after another.
    pub(super) changing: Mutex<()>,
    /// True while a successor starts. It has read the current state, so no change is made until it serves or fails.
    pub(super) is_handing_over: AtomicBool,
    current: RwLock<Arc<Current>>,
    pub(super) directory: Mutex<Directory>,
    /// Copies of the listening sockets, for a successor. Closed when this gateway stops: an open socket that no process
    /// accepts from would swallow connections.
    sockets: Mutex<Vec<KeptSockets>>,
    /// The actor that requested the stop; `None` while no stop was requested, or when a signal requested it.
    stop: watch::Sender<Option<&'static str>>,
    pub(super) workers: Mutex<Vec<WorkerHandle>>,
    pub(super) last_reload: Mutex<LastReload>,
    ledger: Mutex<Option<Arc<LedgerStatus>>>,
    state_handle: Mutex<Option<StateHandle>>,
    reload_checks: Mutex<Vec<ReloadCheck>>,
    /// The tasks that check the health of the upstreams' servers.
    health_checks: Mutex<JoinSet<()>>,
    /// Set once and never cleared: later upstream failures do not make `/readyz` fail, clients see them as 502 or 503.
    was_ready: AtomicBool,
}

/// A check of a new configuration by another part of the program. Returns its problems, or a function that adopts the
/// configuration and is called once it is in force.
pub type ReloadCheck =
    Box<dyn Fn(&Loaded) -> Result<Box<dyn FnOnce() + Send>, Problems> + Send + Sync>;

/// The threads, settings and exporters of a running gateway.
pub(super) struct Running {
    pub(super) phase: watch::Sender<Phase>,
    pub(super) runtime: runtime::Handle,
    pub(super) settings: Arc<Settings>,
    pub(super) exporters: Exporters,
}

impl Running {
    /// Starts to export spans to the collector of `traces`; `None` if it names no collector.
    pub(super) fn tracing(&self, traces: &Traces) -> Option<Tracing> {
        self.exporters.start(traces, &self.runtime, self.settings.metrics.spans())
    }
}

/// One worker, as the control thread reaches it.
pub(super) struct WorkerHandle {
    pub(super) updates: UnboundedSender<ConfigUpdate>,
    pub(super) liveness: Arc<AtomicU64>,
}

/// The configuration in force.
pub(super) struct Current {
    /// Its list of tenants is empty: they are in the snapshot's table.
    pub(super) config: Config,
    pub(super) hash: ConfigHash,
    pub(super) effective: Effective,
    /// Start of its validity, in seconds since the Unix epoch.
    pub(super) since_unix_s: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listeners: Vec<Listener>,
}

/// The reason that no change can begin now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ChangeRefusal {
    /// Another change is still running.
    Busy,
    /// The gateway stops, or a successor is taking its place.
    Draining,
}

/// The outcome of the last reload. The start does not count as a reload.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct LastReload {
    /// Its time (RFC 3339 in JSON); null before the first reload.
    #[serde(rename = "at", serialize_with = "json::optional_moment")]
    #[schema(value_type = Option<String>)]
    pub at_unix_s: Option<u64>,
    /// The user or mechanism that requested it.
    pub actor: String,
    /// True if the new configuration was refused and the old one stays in force.
    #[serde(rename = "refused")]
    pub is_refused: bool,
    /// The problems and warnings, as `crumbgate check` prints them.
    pub problems: String,
}

/// The reason that a load balancer should send no traffic here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotReady {
    /// The gateway is stopping.
    #[error("the gateway is draining")]
    Draining,
    /// The health checks of an upstream have found no healthy server yet.
    #[error("the health checks of an upstream have found no healthy server yet")]
    NoUpstream,
}

/// The state of a running gateway.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// Start of the process (RFC 3339 in JSON).
    #[serde(rename = "started", serialize_with = "json::moment")]
    #[schema(value_type = String)]
    pub started_unix_s: u64,
    /// Seconds since the start.
    pub uptime_s: u32,
    /// True if the gateway is ready for traffic.
    #[serde(rename = "ready")]
    pub is_ready: bool,
    /// The reason that it is not ready.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "json::optional_text")]
    #[schema(value_type = Option<String>)]
    pub not_ready: Option<NotReady>,
    /// True while the gateway stops.
    #[serde(rename = "draining")]
    pub is_draining: bool,
    /// Path of the configuration file.
    pub config_file: String,
    /// SHA-256 of the configuration file; if environment variables are part of the configuration, `+` and their SHA-256.
    pub config_hash: String,
    /// Time at which this configuration came into force, in seconds since the Unix epoch.
    #[serde(skip)]
    pub config_since_unix_s: u64,
    /// Hash of the cookie declaration.
    pub declaration: String,
    /// The outcome of the last reload.
    pub last_reload: LastReload,
    /// All listeners of the data path.
    pub listeners: Vec<Listener>,
    /// Number of data-path threads.
    pub workers: usize,
    /// Number of open downstream connections.
    pub connections: usize,
    /// Number of tenants, without the default tenant.
    pub tenants: usize,
    /// Number of those tenants that were set at run time.
    pub live_tenants: usize,
}

impl Control {
    /// Builds the first snapshot and a handle for it. Waits for the disk.
    pub(super) fn assemble(
        loaded: Loaded,
        running: Running,
        listeners: Vec<Listener>,
    ) -> Result<(Self, Arc<Snapshot>), StartError> {
        let Loaded { mut config, effective, hash, .. } = loaded;
        let tickets = Tickets::new().map_err(StartError::Tickets)?;
        let clock = &running.settings.clock;
        let started = clock.now();
        let parts = SnapshotParts::read(&config, None, &tickets, clock)?;
        let mut tenants = std::mem::take(&mut config.tenants);
        let mut directory = Directory::of(&tenants);
        tenants.extend(directory.add_stored(&config));
        let table = Arc::new(TenantTable::new(tenants, config.default_tenant.clone()));
        let https = first(&listeners, ListenerKey::Https);
        let tracing = running.tracing(&config.traces);
        let snapshot = Arc::new(parts.into_snapshot(&config, https, table, tracing));
        let since_unix_s = started.unix_s;
        let first = Arc::clone(&snapshot);
        let current = Current { config, hash, effective, since_unix_s, snapshot: first, listeners };
        let inner = Inner {
            running,
            started,
            tickets,
            changing: Mutex::default(),
            is_handing_over: AtomicBool::new(false),
            current: RwLock::new(Arc::new(current)),
            directory: Mutex::new(directory),
            sockets: Mutex::default(),
            stop: watch::Sender::new(None),
            workers: Mutex::default(),
            last_reload: Mutex::default(),
            ledger: Mutex::default(),
            state_handle: Mutex::default(),
            reload_checks: Mutex::default(),
            health_checks: Mutex::default(),
            was_ready: AtomicBool::new(false),
        };
        Ok((Self(Arc::new(inner)), snapshot))
    }

    /// Begins a change: no other change begins until the returned guard is dropped. Waits up to `CHANGE_TIMEOUT` for a
    /// change that is already running, so a change that hangs does not block all others for ever.
    pub(super) fn begin_change(&self) -> Result<MutexGuard<'_, ()>, ChangeRefusal> {
        let deadline = Instant::now() + CHANGE_TIMEOUT;
        loop {
            if self.is_draining() || self.0.is_handing_over.load(Relaxed) {
                return Err(ChangeRefusal::Draining);
            }
            match self.0.changing.try_lock() {
                Ok(changing) => return Ok(changing),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(ChangeRefusal::Busy);
                }
                Err(TryLockError::WouldBlock) => thread::sleep(RETRY_PAUSE),
            }
        }
    }

    /// Adds a worker that takes part in reloads.
    pub(super) fn add_worker(&self, worker: WorkerHandle) {
        locked(&self.0.workers).push(worker);
    }

    /// Keeps listening sockets for a successor.
    pub(super) fn keep_sockets(&self, sockets: impl IntoIterator<Item = KeptSockets>) {
        let mut kept = locked(&self.0.sockets);
        if !self.is_draining() {
            kept.extend(sockets);
        }
    }

    /// Keeps a listening socket of another part of the program for a successor, under its configuration key and address.
    pub fn keep_socket(&self, key: &'static str, address: String, socket: OwnedFd) {
        self.keep_sockets([KeptSockets { key, address, sockets: vec![socket] }]);
    }

    /// Closes the kept sockets of a listener that the configuration no longer has.
    pub fn forget_sockets(&self, key: &str) {
        locked(&self.0.sockets).retain(|kept| kept.key != key);
    }

    /// Copies of the listening sockets, each with its key and its address in the configuration.
    pub(super) fn sockets_for_successor(&self) -> io::Result<Vec<(String, String, OwnedFd)>> {
        let mut copies = Vec::new();
        for KeptSockets { key, address, sockets } in locked(&self.0.sockets).iter() {
            for socket in sockets {
                copies.push(((*key).to_owned(), address.clone(), socket.try_clone()?));
            }
        }
        Ok(copies)
    }

    /// Makes the workers stop accepting connections and finish the open exchanges.
    pub(super) fn begin_drain(&self) {
        self.phase().send_if_modified(|phase| {
            let serves = *phase == Phase::Serve;
            if serves {
                *phase = Phase::Drain;
            }
            serves
        });
        // After the change of phase: from then on `keep_sockets` keeps no further socket.
        locked(&self.0.sockets).clear();
    }

    /// Requests a stop, as a signal would.
    pub fn request_stop(&self, actor: &'static str) {
        self.0.stop.send_replace(Some(actor));
    }

    /// Waits for [`request_stop`](Self::request_stop) and returns its actor.
    pub async fn stop_requested(&self) -> &'static str {
        let mut stop = self.0.stop.subscribe();
        loop {
            if let Some(actor) = *stop.borrow_and_update() {
                return actor;
            }
            if stop.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Completes a start: connects the handle to the ledger and starts the health checks.
    pub(super) fn serve(&self, state: &StateThread) {
        *locked(&self.0.ledger) = state.status().cloned();
        *locked(&self.0.state_handle) = Some(state.handle());
        self.check_upstreams();
    }

    /// Adds a check that every new configuration must pass. If it finds a problem, the old configuration stays in force;
    /// otherwise the function that it returned is called once the new configuration is in force.
    pub fn check_reloads(&self, check: ReloadCheck) {
        locked(&self.0.reload_checks).push(check);
    }

    pub(super) fn reload_checks(&self) -> MutexGuard<'_, Vec<ReloadCheck>> {
        locked(&self.0.reload_checks)
    }

    /// Restarts the health checks with the servers of the current configuration.
    pub(super) fn check_upstreams(&self) {
        let mut checks = JoinSet::new();
        for upstream in &self.current().snapshot.upstreams {
            checks.spawn_on(check_health(Arc::clone(upstream)), self.runtime());
        }
        *locked(&self.0.health_checks) = checks;
    }

    /// The current upstreams, in the order of the configuration, with the state of their servers.
    pub fn upstreams(&self) -> Vec<Arc<UpstreamState>> {
        self.current().snapshot.upstreams.clone()
    }

    /// The runtime of the control thread. Its tasks end with the gateway.
    pub fn runtime(&self) -> &runtime::Handle {
        &self.0.running.runtime
    }

    /// The counters of all workers (A1).
    pub fn counters(&self) -> &Arc<Counters> {
        &self.0.running.settings.counters
    }

    /// The ledger's state; `None` if no ledger is kept.
    pub fn ledger(&self) -> Option<Arc<LedgerStatus>> {
        locked(&self.0.ledger).clone()
    }

    /// The handle that stores tenants and records configurations; `None` until the start is complete.
    pub(super) fn state_handle(&self) -> Option<StateHandle> {
        locked(&self.0.state_handle).clone()
    }

    /// Calls `ask` with the configuration in force. Its list of tenants is empty: use [`tenants`](Self::tenants) for those.
    pub fn config<T>(&self, ask: impl FnOnce(&Config) -> T) -> T {
        ask(&self.current().config)
    }

    /// The path of the configuration file, as it was given.
    pub fn config_file(&self) -> PathBuf {
        self.current().effective.path().to_owned()
    }

    /// Every value of the configuration in force, each with its origin.
    pub fn effective(&self) -> String {
        self.current().effective.to_string()
    }

    /// Checks that a load balancer may send traffic here.
    ///
    /// # Errors
    ///
    /// The reason that it should not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        if self.is_draining() {
            return Err(NotReady::Draining);
        }
        if self.0.was_ready.load(Relaxed) {
            return Ok(());
        }
        let current = self.current();
        let upstreams = &current.snapshot.upstreams;
        if !upstreams.iter().all(|upstream| upstream.is_ready()) {
            return Err(NotReady::NoUpstream);
        }
        self.0.was_ready.store(true, Relaxed);
        Ok(())
    }

    /// Returns `true` once the gateway has begun to stop.
    pub fn is_draining(&self) -> bool {
        *self.0.running.phase.borrow() != Phase::Serve
    }

    /// The state of the gateway.
    pub fn status(&self) -> Status {
        let current = self.current();
        let now = self.0.running.settings.clock.now();
        let not_ready = self.readiness().err();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            started_unix_s: self.0.started.unix_s,
            uptime_s: now.uptime_s,
            is_ready: not_ready.is_none(),
            not_ready,
            config_file: current.effective.path().display().to_string(),
            config_hash: hash_text(&current.hash),
            config_since_unix_s: current.since_unix_s,
            declaration: current.snapshot.declaration.to_string(),
            listeners: current.listeners.clone(),
            workers: locked(&self.0.workers).len(),
            tenants: current.snapshot.tenants.len(),
            live_tenants: locked(&self.0.directory).live(),
            connections: self.0.running.settings.connections.load(Relaxed),
            is_draining: self.is_draining(),
            last_reload: locked(&self.0.last_reload).clone(),
        }
    }

    /// The number of sweeps that each worker has made. A worker whose number does not change for seconds is stuck.
    pub fn liveness(&self) -> Vec<u64> {
        locked(&self.0.workers).iter().map(|worker| worker.liveness.load(Relaxed)).collect()
    }

    /// The current table of tenants.
    pub fn table(&self) -> Arc<TenantTable> {
        Arc::clone(&self.current().snapshot.tenants)
    }

    pub(super) fn addresses(&self, key: ListenerKey) -> Vec<SocketAddr> {
        let current = self.current();
        let listeners = current.listeners.iter();
        listeners.filter(|listener| listener.key == key).map(|listener| listener.exact).collect()
    }

    pub(super) fn phase(&self) -> &watch::Sender<Phase> {
        &self.0.running.phase
    }

    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace_current(&self, current: Current) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Control").finish_non_exhaustive()
    }
}

/// The address of the first listener with this key.
pub(super) fn first(listeners: &[Listener], key: ListenerKey) -> Option<SocketAddr> {
    listeners.iter().find(|listener| listener.key == key).map(|listener| listener.exact)
}

/// Longest wait of a change for another change that is running.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two attempts to begin a change.
const RETRY_PAUSE: Duration = Duration::from_millis(1);
