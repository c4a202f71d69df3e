//! How a running gateway is administered: an API of JSON over HTTP, on the control thread.
//!
//! | route | |
//! |---|---|
//! | `GET /` | the dashboard, with what it needs under `/dashboard/` |
//! | `GET /healthz` · `/readyz` | whether it is alive; whether it takes traffic |
//! | `GET /metrics` | what is measured (Prometheus) |
//! | `GET /openapi.json` | all of this, for programs (OpenAPI 3.1) |
//! | `GET /v1/tenants` | the tenants, page by page |
//! | `GET` · `PUT` · `DELETE /v1/tenants/{host}` | one of them |
//! | `POST /v1/tenants/batch` | many changes, all or none |
//! | `GET /v1/declaration` | the cookies that are declared |
//! | `GET /v1/audit/report` · `/v1/audit/status` | what was done; how the ledger does |
//! | `POST /v1/explain` | what would become of some cookies |
//! | `POST /v1/reload` | reads the configuration anew |
//! | `GET /v1/status` · `/v1/config` · `/v1/upstreams` | how it does, by which values, before which servers |
//!
//! A request passes the guard (`guard.rs`: whose host, which page, whose token) before a route sees it. What waits for
//! the disk or for workers does so on a thread of its own, so that signs of life never wait for it.

mod dashboard;
mod guard;
mod listener;
mod patience;
mod problem;
mod routes;
mod serve;
pub mod tokens;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use axum::Router;
use rustls::ServerConfig;
use tokio::{sync::watch, task::JoinHandle};
use tracing::info;

pub use listener::{KEY, ListenError, Listener};

use crate::{
    clock::Clock,
    config::{self, AdminListener, Loaded, Problem, Problems, TlsVersion},
    gateway::{Control, Inherited},
    proxy::tls::{self, CertificateError, Certificates, Tickets},
};
use guard::Guard;
use listener::Watched;
use tokens::{Tokens, TokensError};

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its certificate can't be used.
    #[error("admin.certificate")]
    Certificate(#[source] CertificateError),
    /// The machine has no randomness, or no events, to give.
    #[error("the API can't be served")]
    System(#[source] io::Error),
    /// Its tokens can't be used.
    #[error("admin.token_file")]
    Tokens(#[source] TokensError),
}

impl StartError {
    /// The key that is wrong.
    fn key(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "admin.certificate",
            Self::System(_) => "admin",
            Self::Tokens(_) => "admin.token_file",
        }
    }
}

/// Everything that the API's connections share.
struct Shared {
    control: Control,
    clock: Clock,
    router: Router,
    listening: Mutex<Listening>,
}

/// Whom a connection is to please.
struct Entrance {
    guard: Guard,
    tls: Option<Arc<ServerConfig>>,
}

/// The entrance of one listener; replaced as a whole by a reload that leaves the listener where it is. One that moves it
/// opens another gate: what came in by the old one is judged as it was.
struct Gate(Mutex<Arc<Entrance>>);

impl Gate {
    fn new(entrance: Entrance) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arc::new(entrance))))
    }

    fn entrance(&self) -> Arc<Entrance> {
        Arc::clone(&locked(&self.0))
    }

    fn replace(&self, entrance: Entrance) {
        *locked(&self.0) = Arc::new(entrance);
    }
}

/// Where the API listens now, and what ends that.
struct Listening {
    listen: AdminListener,
    /// As the system has it.
    address: Option<SocketAddr>,
    gate: Arc<Gate>,
    stop: watch::Sender<bool>,
    /// None: it listens nowhere.
    served: Option<JoinHandle<()>>,
}

/// The API of a gateway. Dropped, it is served until the gateway ends.
pub struct Administration(Weak<Shared>);

impl Administration {
    /// Where the API is, with the port that the system gave where the configuration says 0.
    pub fn listen(&self) -> AdminListener {
        let Some(shared) = self.0.upgrade() else { return AdminListener::Off };
        let listening = shared.listening();
        match (&listening.served, listening.address) {
            (None, _) => AdminListener::Off,
            (Some(_), Some(address)) => AdminListener::Tcp(address),
            (Some(_), None) => listening.listen.clone(),
        }
    }

    /// Leaves the API to a gateway that has taken over the listener: accepts nothing any more, and waits for what is
    /// open, though not for long.
    pub fn hand_over(&self) {
        let Some(shared) = self.0.upgrade() else { return };
        shared.listening().stop.send_replace(true);
        let Some(served) = shared.listening().served.take() else { return };
        shared.control.runtime().block_on(async {
            // What is still open then is cut with the gateway.
            let _ = tokio::time::timeout(PATIENCE, served).await;
        });
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the API of the gateway that `control` is a handle of, on its control thread, until the gateway ends. Without
/// a listener, until a reload opens one.
///
/// A reload reads tokens and certificate anew, and moves to another address where the file says so.
///
/// # Errors
///
/// Where the files of `[admin]` can't be used.
pub fn start(
    listener: Option<Listener>,
    control: &Control,
    clock: &Clock,
) -> Result<Administration, StartError> {
    let admin = control.config(|config| config.admin.clone());
    let gate = Gate::new(Entrance::read(&admin, clock)?);
    let (stop, _) = watch::channel(false);
    let nowhere = Listening {
        listen: admin.listen.clone(),
        address: None,
        gate: Arc::clone(&gate),
        stop,
        served: None,
    };
    let shared = Arc::new(Shared {
        control: control.clone(),
        clock: clock.clone(),
        router: routes::router(control, clock),
        listening: Mutex::new(nowhere),
    });
    if let Some(listener) = listener {
        let address = listener.address();
        shared.listen(listener, &admin.listen, gate).map_err(StartError::System)?;
        info!(target: "crumbgate::start", address, "listening for administration");
    }
    // The gateway has the check, the check has what serves, and that has a handle of the gateway: one must be weak.
    let held = Arc::clone(&shared);
    let weak = Arc::downgrade(&shared);
    control.check_reloads(Box::new(move |loaded| check_reload(&weak, loaded)));
    control.runtime().spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    Ok(Administration(Arc::downgrade(&shared)))
}

type Adopt = Box<dyn FnOnce() + Send>;

/// What a new configuration changes of the API; or what is wrong with it.
fn check_reload(shared: &Weak<Shared>, loaded: &Loaded) -> Result<Adopt, Problems> {
    let Some(shared) = shared.upgrade() else { return Ok(Box::new(|| {})) };
    let admin = loaded.config.admin.clone();
    let refuse = |key, error: &dyn std::error::Error| alone(loaded, key, error);
    let entrance = Entrance::read(&admin, &shared.clock).map_err(|error| {
        refuse(error.key(), std::error::Error::source(&error).unwrap_or(&error))
    })?;
    let moves = shared.listening().listen != admin.listen;
    let listener =
        if moves { Listener::bind(&admin.listen, &mut Inherited::default()) } else { Ok(None) };
    let listener = listener.map_err(|error| {
        let now = shared.listening().address;
        refuse("admin.listen", &error.beside(now))
    })?;
    Ok(Box::new(move || {
        if moves {
            shared.move_to(listener, &admin.listen, Gate::new(entrance));
        } else {
            shared.listening().gate.replace(entrance);
        }
    }))
}

/// What is wrong with the files that `[admin]` names. Waits for the disk.
pub fn preflight(loaded: &Loaded, clock: &Clock) -> Problems {
    match Entrance::read(&loaded.config.admin, clock) {
        Ok(_) => Problems::default(),
        Err(error) => {
            alone(loaded, error.key(), std::error::Error::source(&error).unwrap_or(&error))
        }
    }
}

fn alone(loaded: &Loaded, key: &str, error: &dyn std::error::Error) -> Problems {
    let causes = std::iter::successors(error.source(), |error| error.source());
    let message = causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"));
    let mut problems = Problems::default();
    problems.push(Problem::error(loaded.effective.place(key), key, message));
    problems
}

impl Entrance {
    fn read(admin: &config::Admin, clock: &Clock) -> Result<Self, StartError> {
        let tokens = admin.token_file.as_deref().map(Tokens::load);
        let tokens = tokens.transpose().map_err(StartError::Tokens)?;
        let over_tcp = !matches!(admin.listen, AdminListener::Unix(_));
        let files = admin.certificate.iter().filter(|_| over_tcp).cloned().collect::<Vec<_>>();
        let tls = if files.is_empty() { None } else { Some(acceptor(files, clock)?) };
        Ok(Self { guard: Guard { hosts: admin.hosts.clone(), tokens }, tls })
    }
}

fn acceptor(
    certificates: Vec<config::CertificateFiles>,
    clock: &Clock,
) -> Result<Arc<ServerConfig>, StartError> {
    let min_version = TlsVersion::V1_2;
    let files = config::Tls { certificates, min_version };
    let (certificates, _) = Certificates::load(&files, clock.now()).map_err(|mut errors| {
        // There is one error at least.
        StartError::Certificate(errors.swap_remove(0))
    })?;
    let tickets = Tickets::new().map_err(|error| StartError::System(io::Error::other(error)))?;
    let config = tls::server_config(Arc::new(certificates), min_version, &tickets);
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl Shared {
    fn router(&self) -> Router {
        self.router.clone()
    }

    fn listening(&self) -> MutexGuard<'_, Listening> {
        locked(&self.listening)
    }

    /// Serves at this listener, too. Where it fails, nothing has changed.
    fn listen(
        self: &Arc<Self>,
        listener: Listener,
        listen: &AdminListener,
        gate: Arc<Gate>,
    ) -> io::Result<()> {
        let address = listener.tcp_address();
        let copy = listener.copy()?;
        let runtime = self.control.runtime().clone();
        let _on_runtime = runtime.enter();
        let watched = Watched::new(listener)?;
        let (stop, stopped) = watch::channel(false);
        let served = serve::serve(watched, Arc::clone(self), Arc::clone(&gate), stopped);
        let served = Some(runtime.spawn(served));
        self.control.forget_sockets(KEY);
        self.control.keep_socket(KEY, listen.to_string(), copy);
        *self.listening() = Listening { listen: listen.clone(), address, gate, stop, served };
        Ok(())
    }

    /// Serves there from now on, and no longer where it did; what is open there is finished.
    fn move_to(
        self: &Arc<Self>,
        listener: Option<Listener>,
        listen: &AdminListener,
        gate: Arc<Gate>,
    ) {
        let old = self.listening().stop.clone();
        let moved = match listener {
            Some(listener) => {
                let address = listener.address();
                self.listen(listener, listen, gate)
                    .inspect(|()| info!(address, "listening for administration"))
            }
            None => {
                self.control.forget_sockets(KEY);
                let mut listening = self.listening();
                listening.listen = listen.clone();
                listening.address = None;
                listening.served = None;
                Ok(())
            }
        };
        match moved {
            Ok(()) => drop(old.send_replace(true)),
            Err(error) => tracing::warn!(%error, "the admin listener stays where it is"),
        }
    }
}

/// A lock, also after a thread that held it has panicked: what it guards is replaced as a whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
