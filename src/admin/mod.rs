//! The administration of a running gateway: a JSON API over HTTP, served on the control thread.
//!
//! | route | |
//! |---|---|
//! | `GET /` | the dashboard; its files are under `/dashboard/` |
//! | `GET /healthz` · `/readyz` | liveness; readiness for traffic |
//! | `GET /metrics` | the metrics (Prometheus) |
//! | `GET /openapi.json` | the description of this API (OpenAPI 3.1) |
//! | `GET /v1/tenants` | the tenants, page by page |
//! | `GET` · `PUT` · `DELETE /v1/tenants/{host}` | one tenant |
//! | `POST /v1/tenants/batch` | many changes, all or none |
//! | `GET /v1/declaration` | the declared cookies |
//! | `GET /v1/audit/report` · `/v1/audit/status` | the ledger's report; the state of the ledger |
//! | `POST /v1/explain` | the verdicts on given cookies |
//! | `POST /v1/reload` | reloads the configuration |
//! | `GET /v1/status` · `/v1/config` · `/v1/upstreams` | the state, the configuration in force, the upstream servers |
//!
//! A request passes the guard (`guard.rs`: host, origin, token) before a route sees it. Work that waits for the disk or
//! for workers runs on blocking threads, so health checks never wait for it.

mod blocking;
mod dashboard;
mod deadline;
mod gate;
mod guard;
mod listener;
mod problem;
mod request;
mod routes;
mod serve;
pub mod tokens;
mod word;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};
use tracing::info;

pub use gate::StartError;
pub use listener::{KEY, ListenError, Listener};

use crumbgate_base::{clock::Clock, error::with_causes, lock::locked};
use crumbgate_config::{AdminListener, Loaded, Problem, Problems};
use crumbgate_gateway::gateway::{Control, Inherited};
use gate::{Gate, Rules};
use listener::AsyncListener;
use serve::Api;

/// The parts of the administration that live as long as the gateway.
struct Shared {
    control: Control,
    clock: Clock,
    api: Api,
    listening: Mutex<Listening>,
}

/// The current listener of the API.
struct Listening {
    listen: AdminListener,
    /// The TCP address, with the port that the system chose.
    address: Option<SocketAddr>,
    gate: Arc<Gate>,
    stop: watch::Sender<bool>,
    /// `None`: no listener is open.
    served: Option<JoinHandle<()>>,
}

/// A handle of a gateway's API. Dropping it does not stop the API, which is served until the gateway ends.
pub struct Administration(Weak<Shared>);

impl Administration {
    /// The address of the API, with the port that the system chose where the configuration says 0.
    pub fn listen(&self) -> AdminListener {
        let Some(shared) = self.0.upgrade() else { return AdminListener::Off };
        let listening = shared.listening();
        match (&listening.served, listening.address) {
            (None, _) => AdminListener::Off,
            (Some(_), Some(address)) => AdminListener::Tcp(address),
            (Some(_), None) => listening.listen.clone(),
        }
    }

    /// Stops accepting connections because a successor has taken over the listener, and waits up to five seconds for
    /// open requests.
    pub fn hand_over(&self) {
        let Some(shared) = self.0.upgrade() else { return };
        shared.listening().stop.send_replace(true);
        let Some(served) = shared.listening().served.take() else { return };
        shared.control.runtime().block_on(async {
            // Requests that are still open after that are cut when the gateway ends.
            let _ = tokio::time::timeout(HANDOVER_TIMEOUT, served).await;
        });
    }
}

const HANDOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the API of the gateway behind `control`, on its control thread, until the gateway ends. Without a listener,
/// the API opens when a reload configures one.
///
/// A reload also reads the token file and the certificate again, and moves the listener where the address changed.
///
/// # Errors
///
/// A file of `[admin]` can't be used.
pub fn start(
    listener: Option<Listener>,
    control: &Control,
    clock: &Clock,
) -> Result<Administration, StartError> {
    let admin = control.config(|config| config.admin.clone());
    let gate = Gate::new(Rules::read(&admin, clock)?);
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
        api: Api { router: routes::router(control, clock), runtime: control.runtime().clone() },
        listening: Mutex::new(nowhere),
    });
    if let Some(listener) = listener {
        let address = listener.address();
        shared.listen(listener, &admin.listen, gate).map_err(StartError::System)?;
        info!(target: "crumbgate::start", address, "listening for administration");
    }
    // The gateway holds the reload check, the check refers to `shared`, and `shared` holds the gateway's control: a
    // strong reference here would be a cycle. The task below keeps `shared` alive until the runtime ends.
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

/// Prepares the change that a new configuration makes to the API, or returns the problems that prevent it.
fn check_reload(shared: &Weak<Shared>, loaded: &Loaded) -> Result<Adopt, Problems> {
    let Some(shared) = shared.upgrade() else { return Ok(Box::new(|| {})) };
    let admin = loaded.config.admin.clone();
    let refuse = |key, error: &dyn std::error::Error| problem(loaded, key, error);
    let rules = Rules::read(&admin, &shared.clock).map_err(|error| {
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
            shared.move_to(listener, &admin.listen, Gate::new(rules));
        } else {
            shared.listening().gate.replace(rules);
        }
    }))
}

/// Returns the problems with the files that `[admin]` names. Waits for the disk.
pub fn preflight(loaded: &Loaded, clock: &Clock) -> Problems {
    match Rules::read(&loaded.config.admin, clock) {
        Ok(_) => Problems::default(),
        Err(error) => {
            problem(loaded, error.key(), std::error::Error::source(&error).unwrap_or(&error))
        }
    }
}

fn problem(loaded: &Loaded, key: &str, error: &dyn std::error::Error) -> Problems {
    let mut problems = Problems::default();
    problems.push(Problem::error(loaded.effective.place(key), key, with_causes(error)));
    problems
}

impl Shared {
    fn listening(&self) -> MutexGuard<'_, Listening> {
        locked(&self.listening)
    }

    /// Serves on this listener as well. An error leaves everything as it was.
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
        let listener = AsyncListener::new(listener)?;
        let (stop, stopped) = watch::channel(false);
        let served = serve::serve(listener, self.api.clone(), Arc::clone(&gate), stopped);
        let served = Some(runtime.spawn(served));
        self.control.forget_sockets(KEY);
        self.control.keep_socket(KEY, listen.to_string(), copy);
        *self.listening() = Listening { listen: listen.clone(), address, gate, stop, served };
        Ok(())
    }

    /// Serves on the new listener, or nowhere, and stops accepting on the old one. Requests that are open there finish.
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
