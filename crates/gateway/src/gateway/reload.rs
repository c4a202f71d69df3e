//! A new configuration for a running gateway: built and checked as a whole, then adopted by every worker.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{
    Inherited, StartError,
    assembly::{Parts, hash_text},
    control::{Control, Current, LastReload, NoChange, locked},
    preflight::{preflight, with_causes},
    sockets::{self, KeptSockets, Listener, ListenerKey},
    tenants::Directory,
};
use crate::proxy::worker::{Adoption, Listeners};
use crumbgate_audit::tenants::TenantTable;
use crumbgate_config::{Config, Effective, Evidence, Loaded, Place, Problem, Problems, Server};

/// What a reload has done.
#[derive(Debug)]
pub struct Reloaded {
    /// The configuration's hash, as [`super::Status`] has it.
    pub config_hash: String,
    /// Tenants, without the default one.
    pub tenants: usize,
    /// What the file asks for and a running gateway can't do: it holds after a restart.
    pub kept: Vec<Kept>,
    /// What is valid, and probably not what was meant.
    pub warnings: Problems,
}

/// A value that only a restart changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Its key.
    pub key: &'static str,
    /// What stays as it is, and what the file asks for.
    pub message: String,
}

/// Why the old configuration goes on.
#[derive(Debug, thiserror::Error)]
pub enum ReloadRefused {
    /// Another change takes long: of tenants, most likely, with a disk that hangs.
    #[error("another change is under way: try again")]
    Busy,
    /// It stops, or another one takes over.
    #[error("another gateway takes the place of this one, or it stops: ask that one, or try again")]
    Draining,
    /// The new configuration can't be served with.
    #[error("the configuration can't be used; the old one goes on")]
    Problems(Problems),
}

impl Control {
    /// Reads the configuration anew, with everything that it names, and goes by it from now on; or says what is wrong
    /// with it and changes nothing. No connection is closed, and exchanges under way end by the old one.
    ///
    /// When this returns, the next request on every worker goes by the new configuration. Waits for the disk and for
    /// the workers.
    ///
    /// # Errors
    ///
    /// Everything that `crumbgate check` would say, and what only a running gateway can find: an address that is
    /// taken, a tenant that was set while it ran and does not fit.
    pub fn reload(&self, actor: &str) -> Result<Reloaded, ReloadRefused> {
        let _changing = self.begin_change().map_err(|error| match error {
            NoChange::Busy => ReloadRefused::Busy,
            NoChange::Draining => ReloadRefused::Draining,
        })?;
        let outcome = self.try_reload(actor);
        let at_unix_s = self.0.running.settings.clock.now().unix_s;
        let (is_refused, problems) = match &outcome {
            Ok(reloaded) => {
                let config = &*reloaded.config_hash;
                info!(actor, config, tenants = reloaded.tenants, "reloaded");
                for kept in &reloaded.kept {
                    warn!(key = kept.key, "a reload can't change this: {}", kept.message);
                }
                (false, reloaded.warnings.to_string())
            }
            Err(problems) => {
                let errors = problems.errors();
                warn!(actor, errors, "a reload was refused; the old configuration goes on");
                for problem in problems.iter() {
                    let (place, key) = (problem.place.to_string(), &problem.key);
                    let (problem, help) = (&problem.message, problem.help.as_deref());
                    warn!(place, key, problem, help, "what the new configuration is refused for");
                }
                (true, problems.to_string())
            }
        };
        let actor = actor.to_owned();
        *locked(&self.0.last_reload) =
            LastReload { at_unix_s: Some(at_unix_s), actor, is_refused, problems };
        outcome.map_err(ReloadRefused::Problems)
    }

    fn try_reload(&self, actor: &str) -> Result<Reloaded, Problems> {
        let before = self.current();
        let clock = &self.0.running.settings.clock;
        let loaded = before.effective.read_again()?;
        let mut problems = preflight(&loaded, clock);
        let mut adopted = Vec::new();
        for check in self.reload_checks().iter() {
            match check(&loaded) {
                Ok(adopt) => adopted.push(adopt),
                Err(found) => problems.absorb(found),
            }
        }
        let tenants = self.tenants_after(&loaded, &mut problems);
        if problems.errors() > 0 {
            return Err(problems);
        }
        let opened = match self.open_new(&before, &loaded.config.server) {
            Ok(opened) => opened,
            Err(error) => return Err(with_start_error(problems, &loaded.effective, &error)),
        };
        let parts =
            match Parts::read(&loaded.config, Some(&before.snapshot), &self.0.tickets, clock) {
                Ok(parts) => parts,
                // The files have changed since they were checked.
                Err(error) => return Err(with_start_error(problems, &loaded.effective, &error)),
            };
        // Only now: a reload that is refused leaves nothing listening.
        let Opened { sockets, listeners, kept: to_keep } = opened;
        self.keep_sockets(to_keep);
        let Loaded { mut config, effective, hash, .. } = loaded;
        let kept = keep(&before, &mut config);
        let (table, directory) = tenants;
        let count = table.len();
        // One that the file no longer has goes on until the gateway is replaced, but nobody is sent there.
        let is_asked_for =
            |listener: &&Listener| config.server.https.contains(&listener.configured);
        let https = listeners.iter().filter(|listener| listener.key == ListenerKey::Https);
        let https = https.clone().find(is_asked_for).or(https.clone().next());
        let https = https.map(|listener| listener.exact);
        let parts = parts.or_tls_of(&before.snapshot, https.is_some());
        let parts = parts.or_since_of(&before.snapshot);
        let declared = parts.declared().clone();
        let tracing = if config.traces == before.config.traces {
            before.snapshot.tracing.clone()
        } else {
            self.0.running.tracing(&config.traces)
        };
        let snapshot = Arc::new(parts.into_snapshot(&config, https, Arc::new(table), tracing));
        let config_hash = hash_text(&hash);
        if let Some(desk) = self.desk() {
            // First, so that the ledger knows of a declaration when entries name it.
            desk.configure(config_hash.clone(), declared, actor);
        }
        self.adopt(&snapshot, sockets);
        *locked(&self.0.directory) = directory;
        let since_unix_s = clock.now().unix_s;
        self.replace_current(Current {
            config,
            hash,
            effective,
            since_unix_s,
            snapshot,
            listeners,
        });
        self.check_upstreams();
        adopted.into_iter().for_each(|adopt| adopt());
        Ok(Reloaded { config_hash, tenants: count, kept, warnings: problems })
    }

    /// The table of the tenants that will be: those of the file, and those that were set while the gateway ran.
    fn tenants_after(&self, loaded: &Loaded, problems: &mut Problems) -> (TenantTable, Directory) {
        let config = &loaded.config;
        let mut directory = Directory::of(&config.tenants);
        let table = TenantTable::new(config.tenants.clone(), config.default_tenant.clone());
        let (mut live, mut hidden) = (Vec::new(), Vec::new());
        for (host, keys) in locked(&self.0.directory).live_tenants() {
            let place = Place::File(loaded.effective.path().to_owned());
            let key = format!("tenants.\"{host}\"");
            if directory.contains(host) {
                hidden.push((Arc::clone(host), Arc::clone(keys)));
                let message = "was set while the gateway ran, and is written in the file now: \
                               what the file says holds";
                let help = format!(
                    "crumbgate tenants remove {host} removes the other one, once \
                                    the file no longer has it"
                );
                problems.push(Problem::warning(place, key, message).help(help));
                continue;
            }
            match config.tenant(host, keys) {
                Ok(tenant) => live.push((Arc::clone(host), Arc::clone(keys), tenant)),
                Err(found) => {
                    let message = format!(
                        "was set while the gateway ran, and does not fit this configuration: {}",
                        found.first_message()
                    );
                    let help = format!(
                        "crumbgate tenants set {host} …, or crumbgate tenants remove {host}"
                    );
                    problems.push(Problem::error(place, key, message).help(help));
                }
            }
        }
        for (host, keys, tenant) in live {
            directory.insert(host, keys);
            table.insert(tenant);
        }
        hidden.into_iter().for_each(|(host, keys)| directory.hide(host, keys));
        (table, directory)
    }

    /// Opens the listeners that are new.
    fn open_new(&self, before: &Current, server: &Server) -> Result<Opened, StartError> {
        let workers = locked(&self.0.lanes).len();
        let mut listeners = before.listeners.clone();
        let mut kept = Vec::new();
        let mut open = |key, addresses: &[SocketAddr]| {
            let added = added(&before.listeners, key, addresses);
            let bound = sockets::bind_all(key, &added, workers, &mut Inherited::default())?;
            listeners.extend(&bound.listeners);
            kept.extend(bound.kept);
            Ok::<_, StartError>(bound.sockets)
        };
        let https = open(ListenerKey::Https, &server.https)?;
        let http = open(ListenerKey::Http, &server.http)?;
        let pair = |(https, http): (Vec<TcpListener>, _)| Listeners { https, http };
        Ok(Opened { sockets: https.into_iter().zip(http).map(pair).collect(), listeners, kept })
    }

    /// Has every worker go by the snapshot, and waits until each does.
    fn adopt(&self, snapshot: &Arc<crate::proxy::snapshot::Snapshot>, opened: Vec<Listeners>) {
        let (done, heard) = mpsc::channel();
        let mut waited_for = 0;
        for (lane, listeners) in locked(&self.0.lanes).iter().zip(opened) {
            let (snapshot, done) = (Arc::clone(snapshot), done.clone());
            // A worker that has gone serves nothing: there is nobody to tell.
            let told = lane.adoption.send(Adoption { snapshot, listeners, done });
            waited_for += usize::from(told.is_ok());
        }
        drop(done);
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..waited_for {
            match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "a worker can't accept on a new listener"),
                Err(_) => {
                    warn!(
                        "a worker has not taken over the new configuration yet: it will when it can"
                    );
                    break;
                }
            }
        }
    }
}

/// Listeners that are new.
struct Opened {
    /// Each worker's sockets.
    sockets: Vec<Listeners>,
    /// All listeners that there will be.
    listeners: Vec<Listener>,
    /// The sockets once more, for a successor.
    kept: Vec<KeptSockets>,
}

/// The addresses that no listener of this kind has. Each listener counts once: port 0 can be asked for twice.
fn added(before: &[Listener], key: ListenerKey, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut there: Vec<_> = before
        .iter()
        .filter(|listener| listener.key == key)
        .map(|listener| listener.configured)
        .collect();
    let mut added = Vec::new();
    for address in addresses {
        match there.iter().position(|configured| configured == address) {
            Some(index) => drop(there.swap_remove(index)),
            None => added.push(*address),
        }
    }
    added
}

/// Puts back, in the new configuration, what a running gateway can't change, so that it says what holds; returns what was
/// asked for in vain.
fn keep(before: &Current, config: &mut Config) -> Vec<Kept> {
    let mut kept = Vec::new();
    for (key, asked) in
        [(ListenerKey::Https, &config.server.https), (ListenerKey::Http, &config.server.http)]
    {
        let listeners = before.listeners.iter().filter(|listener| listener.key == key);
        let removed = listeners.filter(|listener| !asked.contains(&listener.configured));
        let removed: Vec<_> = removed.map(|listener| listener.configured.to_string()).collect();
        if !removed.is_empty() {
            let message =
                format!("{} is listened on until the gateway is replaced", removed.join(", "));
            kept.push(Kept { key: key.as_str(), message });
        }
    }
    let old = &before.config;
    let mut put_back = |key, is_same: bool, message: String| {
        if !is_same {
            kept.push(Kept { key, message });
        }
    };
    let (was, is) = (old.server.workers, &mut config.server.workers);
    put_back("server.workers", was == *is, format!("{was} workers go on, instead of {is}"));
    *is = was;
    let was = old.limits.superseded_values;
    let is = config.limits.superseded_values;
    if was != is {
        Arc::make_mut(&mut config.limits).superseded_values = was;
    }
    put_back("limits.superseded_values", was == is, format!("{was} go on, instead of {is}"));
    let is_same = old.log.format == config.log.format;
    put_back("log.format", is_same, "lines go on as they are".to_owned());
    config.log.format = old.log.format;
    let (was, is) = (&old.evidence, &mut config.evidence);
    let message = format!("{} is written on", was.path.display());
    put_back("state.path", was.path == is.path, message);
    put_back("audit.ledger", was.ledger == is.ledger, format!("it stays {}", was.ledger));
    let message = format!("windows go on as {} s", was.window.as_secs());
    put_back("audit.window", was.window == is.window, message);
    let message = format!("it stays {} s", was.retention.as_secs());
    put_back("audit.retention", was.retention == is.retention, message);
    *is = Evidence { names: is.names.take(), ..was.clone() };
    kept
}

/// A failed start as a problem of the configuration.
fn with_start_error(mut problems: Problems, effective: &Effective, error: &StartError) -> Problems {
    let key = match error {
        StartError::Bind { key, .. } => key,
        StartError::Certificates(_) => "tls.certificates",
        StartError::SealKeys(_) => "seal.keys",
        StartError::Tickets(_) | StartError::Worker(_) => "",
    };
    problems.push(Problem::error(effective.place(key), key, with_causes(error)));
    problems
}

/// How long the workers may take: each does it between two requests.
const PATIENCE: Duration = Duration::from_secs(5);
