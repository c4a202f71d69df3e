//! What can be asked of a running gateway, and changed in it, from any thread.

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

use tokio::{
    runtime,
    sync::{mpsc::UnboundedSender, watch},
    task::JoinSet,
};

use super::{
    StartError,
    assembly::{Parts, hash_text},
    sockets::{KeptSockets, Listener, ListenerKey},
    tenants::Directory,
    traces::Exporter,
};
use crate::proxy::{
    snapshot::Snapshot,
    tls::Tickets,
    upstream::{Shared, check_health},
    worker::{Adoption, Phase, Settings},
};
use crumbgate_audit::{Books, tenants::TenantTable};
use crumbgate_base::clock::Now;
use crumbgate_config::{Config, ConfigHash, Effective, Loaded, Problems};
use crumbgate_state::{Desk, Keeper, Status as LedgerStatus};

/// A handle of a running gateway. Clones are handles of the same one; none keeps it running.
///
/// What it tells is of the moment. Methods that wait for the disk or for the workers say so: on the control thread they
/// belong into `spawn_blocking`.
#[derive(Clone)]
pub struct Control(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) running: Running,
    pub(super) started: Now,
    /// Sessions outlive a reload.
    pub(super) tickets: Tickets,
    /// Held by whoever changes something, for as long as that takes: one after another.
    pub(super) changing: Mutex<()>,
    /// Whether a successor is starting: then nothing changes that it has read already.
    pub(super) is_handing_over: AtomicBool,
    current: RwLock<Arc<Current>>,
    pub(super) directory: Mutex<Directory>,
    /// The listening sockets, for a successor. Let go of when this gateway stops: a socket that is open, and that
    /// nobody accepts from, would swallow connections.
    sockets: Mutex<Vec<KeptSockets>>,
    /// Who asked this gateway to stop, if it was not by a signal.
    stop: watch::Sender<Option<&'static str>>,
    pub(super) lanes: Mutex<Vec<Lane>>,
    pub(super) last_reload: Mutex<LastReload>,
    ledger: Mutex<Option<Arc<LedgerStatus>>>,
    desk: Mutex<Option<Desk>>,
    reload_checks: Mutex<Vec<ReloadCheck>>,
    /// What asks the upstreams' servers how they do.
    health_checks: Mutex<JoinSet<()>>,
    /// Whether traffic was ever to be sent here: what all upstreams do later is not this gateway's to hide.
    was_ready: AtomicBool,
}

/// Another part's own look at a configuration that is about to rule: what is wrong with it, or how to adopt it.
pub type ReloadCheck =
    Box<dyn Fn(&Loaded) -> Result<Box<dyn FnOnce() + Send>, Problems> + Send + Sync>;

/// What a gateway runs on.
pub(super) struct Running {
    pub(super) phase: watch::Sender<Phase>,
    pub(super) runtime: runtime::Handle,
    pub(super) settings: Arc<Settings>,
    pub(super) exporters: Mutex<Vec<Exporter>>,
}

/// How a worker is told things.
pub(super) struct Lane {
    pub(super) adoption: UnboundedSender<Adoption>,
    pub(super) pulse: Arc<AtomicU64>,
}

/// The configuration that holds.
pub(super) struct Current {
    /// Without its tenants: they are in the table.
    pub(super) config: Config,
    pub(super) hash: ConfigHash,
    pub(super) effective: Effective,
    /// Since when it holds.
    pub(super) since_unix_s: u64,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listeners: Vec<Listener>,
}

/// Why nothing can be changed now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoChange {
    /// Another change takes long.
    Busy,
    /// It stops, or another gateway takes its place.
    Draining,
}

/// How the last attempt to reload went. A start is none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LastReload {
    /// When it was, in seconds since the Unix epoch; none: there was none yet.
    pub at_unix_s: Option<u64>,
    /// Who asked for it.
    pub actor: String,
    /// Whether the new configuration holds. At the start the first one does.
    pub is_refused: bool,
    /// What was wrong with it, as `crumbgate check` would say.
    pub problems: String,
}

/// Why no traffic should be sent here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotReady {
    /// It stops.
    #[error("it is draining")]
    Draining,
    /// The health checks of an upstream have found no healthy server yet.
    #[error("the health checks of an upstream have found no healthy server yet")]
    NoUpstream,
}

/// How a gateway does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// When it started, in seconds since the Unix epoch.
    pub started_unix_s: u64,
    /// For how many seconds it has run.
    pub uptime_s: u32,
    /// The configuration's file.
    pub config_file: String,
    /// The configuration's hash: SHA-256 of the file, and with a `+` that of the variables.
    pub config_hash: String,
    /// Since when that configuration holds, in seconds since the Unix epoch.
    pub config_since_unix_s: u64,
    /// The declaration's hash.
    pub declaration: String,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Data-path threads.
    pub workers: usize,
    /// Tenants, without the default one.
    pub tenants: usize,
    /// Those of them that were set while it ran.
    pub live_tenants: usize,
    /// Downstream connections that are open now.
    pub connections: usize,
    /// Whether it stops.
    pub is_draining: bool,
    /// How the last reload went.
    pub last_reload: LastReload,
}

impl Control {
    /// Makes the first snapshot, and what can be asked of it. Waits for the disk.
    pub(super) fn assemble(
        loaded: Loaded,
        running: Running,
        listeners: Vec<Listener>,
    ) -> Result<(Self, Arc<Snapshot>), StartError> {
        let Loaded { mut config, effective, hash, .. } = loaded;
        let tickets = Tickets::new().map_err(StartError::Tickets)?;
        let clock = &running.settings.clock;
        let started = clock.now();
        let parts = Parts::read(&config, None, &tickets, clock)?;
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
            lanes: Mutex::default(),
            last_reload: Mutex::default(),
            ledger: Mutex::default(),
            desk: Mutex::default(),
            reload_checks: Mutex::default(),
            health_checks: Mutex::default(),
            was_ready: AtomicBool::new(false),
        };
        Ok((Self(Arc::new(inner)), snapshot))
    }

    /// Begins a change: nobody else makes one until what is returned is dropped. Waits a while for others, but not for
    /// ever: who hangs must not take everybody along.
    pub(super) fn begin_change(&self) -> Result<MutexGuard<'_, ()>, NoChange> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.is_draining() || self.0.is_handing_over.load(Relaxed) {
                return Err(NoChange::Draining);
            }
            match self.0.changing.try_lock() {
                Ok(changing) => return Ok(changing),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(NoChange::Busy);
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
        }
    }

    /// Adds a worker that is to hear of reloads.
    pub(super) fn add_worker(&self, lane: Lane) {
        locked(&self.0.lanes).push(lane);
    }

    /// Keeps listening sockets for a successor.
    pub(super) fn keep_sockets(&self, sockets: impl IntoIterator<Item = KeptSockets>) {
        let mut kept = locked(&self.0.sockets);
        if !self.is_draining() {
            kept.extend(sockets);
        }
    }

    /// Keeps a listening socket of another part of the program for a successor, under its key and as that has it.
    pub fn keep_socket(&self, key: &'static str, address: String, socket: OwnedFd) {
        self.keep_sockets([KeptSockets { key, address, sockets: vec![socket] }]);
    }

    /// Lets go of the sockets of a listener that is no longer asked for.
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

    /// Has the workers accept nothing new, and finish what is open.
    pub(super) fn begin_drain(&self) {
        self.phase().send_if_modified(|phase| {
            let serves = *phase == Phase::Serve;
            if serves {
                *phase = Phase::Drain;
            }
            serves
        });
        // Behind that, so that none is kept any more.
        locked(&self.0.sockets).clear();
    }

    /// Has whoever runs this gateway stop it, as if a signal had come.
    pub fn ask_to_stop(&self, actor: &'static str) {
        self.0.stop.send_replace(Some(actor));
    }

    /// Waits until somebody asks for a stop; says who.
    pub async fn stop_asked(&self) -> &'static str {
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

    /// Takes note that everything runs.
    pub(super) fn serve(&self, keeper: &Keeper) {
        *locked(&self.0.ledger) = keeper.status().cloned();
        *locked(&self.0.desk) = Some(keeper.desk());
        self.check_upstreams();
    }

    /// Has a part of the program look at each new configuration before it rules: where it finds a problem, the old one
    /// stays; what it returns is called when the new one rules.
    pub fn check_reloads(&self, check: ReloadCheck) {
        locked(&self.0.reload_checks).push(check);
    }

    pub(super) fn reload_checks(&self) -> MutexGuard<'_, Vec<ReloadCheck>> {
        locked(&self.0.reload_checks)
    }

    /// Has the servers of the upstreams that rule now checked, and no longer others.
    pub(super) fn check_upstreams(&self) {
        let mut checks = JoinSet::new();
        for upstream in &self.current().snapshot.upstreams {
            checks.spawn_on(check_health(Arc::clone(upstream)), self.runtime());
        }
        *locked(&self.0.health_checks) = checks;
    }

    /// The upstreams that rule now, in the order of the configuration, and how their servers do.
    pub fn upstreams(&self) -> Vec<Arc<Shared>> {
        self.current().snapshot.upstreams.clone()
    }

    /// The runtime of the control thread: what is spawned there ends with the gateway.
    pub fn runtime(&self) -> &runtime::Handle {
        &self.0.running.runtime
    }

    /// What was counted so far (A1).
    pub fn books(&self) -> &Arc<Books> {
        &self.0.running.settings.books
    }

    /// How the ledger does; none where none is kept.
    pub fn ledger(&self) -> Option<Arc<LedgerStatus>> {
        locked(&self.0.ledger).clone()
    }

    /// What stores tenants, and tells the ledger what rules; none before everything runs.
    pub(super) fn desk(&self) -> Option<Desk> {
        locked(&self.0.desk).clone()
    }

    /// The configuration that holds, but for its tenants: they are asked for one by one.
    pub fn config<T>(&self, ask: impl FnOnce(&Config) -> T) -> T {
        ask(&self.current().config)
    }

    /// The configuration's file, as it was named.
    pub fn config_file(&self) -> PathBuf {
        self.current().effective.path().to_owned()
    }

    /// Every value of the configuration that holds, with where it comes from.
    pub fn effective(&self) -> String {
        self.current().effective.to_string()
    }

    /// Whether traffic should be sent here.
    ///
    /// # Errors
    ///
    /// Says why not.
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

    /// Whether it stops.
    pub fn is_draining(&self) -> bool {
        *self.0.running.phase.borrow() != Phase::Serve
    }

    /// How it does.
    pub fn status(&self) -> Status {
        let current = self.current();
        let now = self.0.running.settings.clock.now();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            started_unix_s: self.0.started.unix_s,
            uptime_s: now.uptime_s,
            config_file: current.effective.path().display().to_string(),
            config_hash: hash_text(&current.hash),
            config_since_unix_s: current.since_unix_s,
            declaration: current.snapshot.declaration.to_string(),
            listeners: current.listeners.clone(),
            workers: locked(&self.0.lanes).len(),
            tenants: current.snapshot.tenants.len(),
            live_tenants: locked(&self.0.directory).live(),
            connections: self.0.running.settings.connections.load(Relaxed),
            is_draining: self.is_draining(),
            last_reload: locked(&self.0.last_reload).clone(),
        }
    }

    /// How often each worker has looked after its connections. A number that stands still for seconds is a worker that
    /// is stuck.
    pub fn pulses(&self) -> Vec<u64> {
        locked(&self.0.lanes).iter().map(|lane| lane.pulse.load(Relaxed)).collect()
    }

    /// The table of tenants that holds now.
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

/// The address of the first listener of a kind.
pub(super) fn first(listeners: &[Listener], key: ListenerKey) -> Option<SocketAddr> {
    listeners.iter().find(|listener| listener.key == key).map(|listener| listener.exact)
}

/// A lock, also after a thread that held it has panicked: what it guards is changed in one step.
pub(super) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a change waits for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits before it looks again.
const PAUSE: Duration = Duration::from_millis(1);
