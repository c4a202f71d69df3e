//! Reload: a new configuration is built and checked as a whole, then every worker adopts it.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use serde::Serialize;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::{
    assembly::{SnapshotParts, hash_text},
    control::{ChangeRefusal, Control, Current, LastReload},
    directory::Directory,
    inherited::Inherited,
    preflight::preflight,
    sockets::{self, KeptSockets, Listener, ListenerKey},
    start_error::StartError,
};
use crate::proxy::worker::{ConfigUpdate, Listeners};
use crumbgate_audit::tenants::TenantTable;
use crumbgate_base::{error::with_causes, lock::locked};
use crumbgate_config::{Config, Effective, Evidence, Loaded, Place, Problem, Problems, Server};

/// The result of a successful reload.
#[derive(Debug)]
pub struct Reloaded {
    /// The configuration's hash, as in [`Status`](super::control::Status).
    pub config_hash: String,
    /// Number of tenants, without the default tenant.
    pub tenants: usize,
    /// Settings that the file changes but only a restart applies.
    pub kept: Vec<UnchangedSetting>,
    /// Settings that are valid but probably unintended.
    pub warnings: Problems,
}

/// A setting that only a restart changes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Kept)]
pub struct UnchangedSetting {
    /// Its configuration key.
    pub key: &'static str,
    /// The value that stays, and the value in the file.
    pub message: String,
}

/// The reason that the old configuration stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Another change is still running, such as a change of tenants on a disk that hangs.
    #[error("another change is under way: try again")]
    Busy,
    /// The gateway stops, or a successor is taking its place.
    #[error("this gateway is stopping or being replaced: try again, or use the new gateway")]
    Draining,
    /// The new configuration has errors.
    #[error("the configuration has errors; the old one stays in force")]
    Problems(Problems),
}

impl Control {
    /// Reads the configuration and all files that it names again, and puts it into force. On an error nothing changes. No
    /// connection is closed, and exchanges that have begun finish with the old configuration.
    ///
    /// When this returns, the next request on every worker uses the new configuration. Waits for the disk and for the
    /// workers.
    ///
    /// # Errors
    ///
    /// All errors that `crumbgate check` finds, and those that only a running gateway can find: an address in use, or a
    /// tenant set at run time that does not fit the new configuration.
    pub fn reload(&self, actor: &str) -> Result<Reloaded, ReloadError> {
        let _changing = self.begin_change().map_err(|error| match error {
            ChangeRefusal::Busy => ReloadError::Busy,
            ChangeRefusal::Draining => ReloadError::Draining,
        })?;
        let outcome = self.try_reload(actor);
        let at_unix_s = self.0.running.settings.clock.now().unix_s;
        let (is_refused, problems) = match &outcome {
            Ok(reloaded) => {
                let config = &*reloaded.config_hash;
                info!(actor, config, tenants = reloaded.tenants, "reloaded");
                for kept in &reloaded.kept {
                    warn!(key = kept.key, "a reload can't change this setting: {}", kept.message);
                }
                (false, reloaded.warnings.to_string())
            }
            Err(problems) => {
                let errors = problems.errors();
                warn!(actor, errors, "a reload was refused; the old configuration stays in force");
                for problem in problems.iter() {
                    let (place, key) = (problem.place.to_string(), &problem.key);
                    let (problem, help) = (&problem.message, problem.help.as_deref());
                    warn!(place, key, problem, help, "a problem of the refused configuration");
                }
                (true, problems.to_string())
            }
        };
        let actor = actor.to_owned();
        *locked(&self.0.last_reload) =
            LastReload { at_unix_s: Some(at_unix_s), actor, is_refused, problems };
        outcome.map_err(ReloadError::Problems)
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
        let parts = match SnapshotParts::read(
            &loaded.config,
            Some(&before.snapshot),
            &self.0.tickets,
            clock,
        ) {
            Ok(parts) => parts,
            // The files have changed since `preflight` checked them.
            Err(error) => return Err(with_start_error(problems, &loaded.effective, &error)),
        };
        // Kept only now: a refused reload leaves no socket open.
        let Opened { sockets, listeners, kept: to_keep } = opened;
        self.keep_sockets(to_keep);
        let Loaded { mut config, effective, hash, .. } = loaded;
        let kept = keep(&before, &mut config);
        let (table, directory) = tenants;
        let count = table.len();
        // A listener that the file no longer has stays open until the gateway is replaced, but redirects do not lead there.
        let is_configured =
            |listener: &&Listener| config.server.https.contains(&listener.configured);
        let https = listeners.iter().filter(|listener| listener.key == ListenerKey::Https);
        let https = https.clone().find(is_configured).or(https.clone().next());
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
        if let Some(state) = self.state_handle() {
            // First, so that the ledger has the declaration before entries refer to it.
            state.configure(config_hash.clone(), declared, actor);
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

    /// The new table of tenants: those of the file, and those that were set at run time.
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
                let message =
                    "was set at run time and is now in the file too: the file takes precedence";
                let help = format!(
                    "crumbgate tenants remove {host} removes the tenant set at run time, once \
                                                        the file no longer has it"
                );
                problems.push(Problem::warning(place, key, message).help(help));
                continue;
            }
            match config.tenant(host, keys) {
                Ok(tenant) => live.push((Arc::clone(host), Arc::clone(keys), tenant)),
                Err(found) => {
                    let message = format!(
                        "was set at run time and does not fit this configuration: {}",
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

    /// Opens the new listeners.
    fn open_new(&self, before: &Current, server: &Server) -> Result<Opened, StartError> {
        let workers = locked(&self.0.workers).len();
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

    /// Sends the snapshot to every worker, and waits until each one uses it.
    fn adopt(&self, snapshot: &Arc<crate::proxy::snapshot::Snapshot>, opened: Vec<Listeners>) {
        let (done, heard) = mpsc::channel();
        let mut waited_for = 0;
        for (worker, listeners) in locked(&self.0.workers).iter().zip(opened) {
            let (snapshot, done) = (Arc::clone(snapshot), done.clone());
            // A worker that has ended serves nothing, so it is not waited for.
            let sent = worker.updates.send(ConfigUpdate { snapshot, listeners, done });
            waited_for += usize::from(sent.is_ok());
        }
        drop(done);
        let deadline = Instant::now() + ADOPTION_TIMEOUT;
        for _ in 0..waited_for {
            match heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "a worker can't accept on a new listener"),
                Err(_) => {
                    warn!(
                        "a worker has not adopted the new configuration in time: it will as soon as it can"
                    );
                    break;
                }
            }
        }
    }
}

/// The sockets of new listeners.
struct Opened {
    /// Each worker's sockets.
    sockets: Vec<Listeners>,
    /// All listeners, old and new.
    listeners: Vec<Listener>,
    /// Copies of the sockets, for a successor.
    kept: Vec<KeptSockets>,
}

/// The addresses that no listener with this key has. Each listener matches one address: port 0 can be listed twice.
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

/// Resets settings that a running gateway can't change to their old values in the new configuration, so that it describes
/// the actual state; returns those settings.
fn keep(before: &Current, config: &mut Config) -> Vec<UnchangedSetting> {
    let mut kept = Vec::new();
    for (key, addresses) in
        [(ListenerKey::Https, &config.server.https), (ListenerKey::Http, &config.server.http)]
    {
        let listeners = before.listeners.iter().filter(|listener| listener.key == key);
        let removed = listeners.filter(|listener| !addresses.contains(&listener.configured));
        let removed: Vec<_> = removed.map(|listener| listener.configured.to_string()).collect();
        if !removed.is_empty() {
            let message =
                format!("{} stays open until the gateway is replaced", removed.join(", "));
            kept.push(UnchangedSetting { key: key.as_str(), message });
        }
    }
    let old = &before.config;
    let mut put_back = |key, is_same: bool, message: String| {
        if !is_same {
            kept.push(UnchangedSetting { key, message });
        }
    };
    let (was, is) = (old.server.workers, &mut config.server.workers);
    put_back("server.workers", was == *is, format!("it stays {was}, the file has {is}"));
    *is = was;
    let was = old.limits.superseded_values;
    let is = config.limits.superseded_values;
    if was != is {
        Arc::make_mut(&mut config.limits).superseded_values = was;
    }
    put_back("limits.superseded_values", was == is, format!("it stays {was}, the file has {is}"));
    let is_same = old.log.format == config.log.format;
    put_back("log.format", is_same, "the format of log lines stays as it is".to_owned());
    config.log.format = old.log.format;
    let (was, is) = (&old.evidence, &mut config.evidence);
    let message = format!("it stays {}", was.path.display());
    put_back("state.path", was.path == is.path, message);
    put_back("audit.ledger", was.ledger == is.ledger, format!("it stays {}", was.ledger));
    let message = format!("it stays {} s", was.window.as_secs());
    put_back("audit.window", was.window == is.window, message);
    let message = format!("it stays {} s", was.retention.as_secs());
    put_back("audit.retention", was.retention == is.retention, message);
    *is = Evidence { names: is.names.take(), ..was.clone() };
    kept
}

/// Adds a start error to the problems of the configuration.
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

/// Longest wait for the workers: each adopts the snapshot between two polls of its tasks.
const ADOPTION_TIMEOUT: Duration = Duration::from_secs(5);
