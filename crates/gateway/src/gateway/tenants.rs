//! Tenants that are set while the gateway runs: they hold from the next request on, and survive a restart.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
    sync::Arc,
};

use tracing::{error, warn};

use super::{
    assembly::hash_text,
    control::{Control, Current, NoChange, locked},
    preflight::with_causes,
};
use crumbgate_audit::tenants::Tenant;
use crumbgate_config::{Config, Problems, TenantKeys};
use crumbgate_state as state;

/// One change of the table of tenants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The host, or `*.suffix`.
    pub host: String,
    /// The keys that it has from now on, instead of all that it had; none: it is removed.
    pub set: Option<TenantKeys>,
    /// What must be there for the change to be made.
    pub expected: Expected,
}

/// What must be there for a change to be made (RFC 9110, section 13.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// No tenant of that host.
    Absent,
    /// Whatever there is.
    Any,
    /// Some tenant of that host.
    Present,
    /// A tenant with one of these tags.
    Tags(Vec<String>),
}

/// What a change has done, or would do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The host, in the form in which requests are looked up.
    pub host: Arc<str>,
    /// What there was.
    pub before: Option<TenantView>,
    /// What there is now.
    pub after: Option<TenantView>,
}

/// A tenant, as it is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantView {
    /// What requests are judged by.
    pub tenant: Arc<Tenant>,
    /// The name of its upstream.
    pub upstream: String,
    /// The keys that were set while the gateway ran; none: it is a tenant of the file.
    pub keys: Option<Arc<TenantKeys>>,
    /// Changes whenever anything of it does: an entity tag without its quotes.
    pub tag: String,
}

/// Why no tenant was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeTenantsError {
    /// There is none to remove.
    #[error("there is no tenant {host}")]
    Absent {
        /// The host.
        host: String,
    },
    /// The gateway stops, or another one takes over.
    #[error("another gateway takes the place of this one, or it stops: ask that one, or try again")]
    Draining,
    /// The keys, or the host, can't be used.
    #[error("the tenant {host} can't be set")]
    Invalid {
        /// The host, as it was given.
        host: String,
        /// What is wrong.
        problems: Problems,
    },
    /// They can't be stored, so that they would be lost at a restart.
    #[error(transparent)]
    State(#[from] state::ChangeError),
    /// It is another one than the one that was looked at.
    #[error("the tenant {host} has changed meanwhile: look at it again")]
    Stale {
        /// The host.
        host: String,
        /// The tag that it has now; none: it is not there.
        current: Option<String>,
    },
    /// One batch changes it twice.
    #[error("the tenant {host} is changed twice in one batch: which change is meant?")]
    Twice {
        /// The host.
        host: String,
    },
    /// It is written in the configuration.
    #[error("the tenant {host} is written at {place}: change it there, and reload")]
    Written {
        /// The host.
        host: String,
        /// `file:line:column`.
        place: String,
    },
}

/// Every tenant but the default one, in the order of hosts, and where it comes from.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// None: it is one of the file.
    by_host: BTreeMap<Arc<str>, Option<Arc<TenantKeys>>>,
    /// Tenants that were set while the gateway ran, and that the file has, too: its holds as long as it has them.
    hidden: BTreeMap<Arc<str>, Arc<TenantKeys>>,
    live: usize,
}

impl Directory {
    /// The tenants of a file.
    pub(super) fn of(written: &[Tenant]) -> Self {
        let by_host = written.iter().map(|tenant| (Arc::clone(&tenant.name), None)).collect();
        Self { by_host, hidden: BTreeMap::new(), live: 0 }
    }

    /// Adds the tenants that were set while a gateway ran before; returns those that are to be served. What can't be
    /// served is logged: one tenant is no reason for all others to be without a gateway.
    pub(super) fn add_stored(&mut self, config: &Config) -> Vec<Tenant> {
        let stored = match state::stored_tenants(&config.evidence.path) {
            Ok(stored) => stored,
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "tenants that were set while running can't be read: they are not served"
                );
                return Vec::new();
            }
        };
        let mut served = Vec::new();
        for state::TenantRecord { host, keys } in stored {
            let Some(keys) = TenantKeys::parse(&keys) else {
                error!(%host, "a tenant that was set while running can't be read: it is not served");
                continue;
            };
            if self.contains(&host) {
                warn!(%host, "the file has a tenant that was set while running, too: the file's holds");
                self.hide(host, Arc::new(keys));
                continue;
            }
            match config.tenant(&host, &keys) {
                Ok(tenant) => served.push(tenant),
                Err(problems) => {
                    let problem = problems.first_message();
                    error!(
                        %host,
                        problem, "a tenant that was set while running does not fit: it is not served"
                    );
                }
            }
            self.insert(host, Arc::new(keys));
        }
        served
    }

    /// How many were set while the gateway ran.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Those.
    /// Also those that the file hides.
    pub(super) fn live_tenants(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<TenantKeys>)> {
        let live = self.by_host.iter().filter_map(|(host, keys)| Some((host, keys.as_ref()?)));
        live.chain(&self.hidden)
    }

    /// Keeps a tenant that the file has, too, until the file no longer has it.
    pub(super) fn hide(&mut self, host: Arc<str>, keys: Arc<TenantKeys>) {
        self.hidden.insert(host, keys);
    }

    pub(super) fn insert(&mut self, host: Arc<str>, keys: Arc<TenantKeys>) {
        let before = self.by_host.insert(host, Some(keys));
        self.live += usize::from(!matches!(before, Some(Some(_))));
    }

    fn live_keys(&self, host: &str) -> Option<&Arc<TenantKeys>> {
        self.by_host.get(host)?.as_ref()
    }

    pub(super) fn contains(&self, host: &str) -> bool {
        self.by_host.contains_key(host)
    }

    fn remove(&mut self, host: &str) {
        let before = self.by_host.remove(host);
        self.live -= usize::from(matches!(before, Some(Some(_))));
    }
}

/// A change that was checked.
struct Checked {
    changed: Changed,
    keys: Option<Arc<TenantKeys>>,
}

impl Control {
    /// The tenant of this name: a host, or `*.suffix`.
    pub fn tenant(&self, host: &str) -> Option<TenantView> {
        self.view(&self.current(), &host.to_ascii_lowercase())
    }

    /// Tenants in the order of hosts: those that begin with `prefix` and come after `after`, `limit` of them at most.
    pub fn tenants(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<TenantView> {
        let current = self.current();
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let hosts: Vec<_> = locked(&self.0.directory)
            .by_host
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(host, _)| Arc::clone(host))
            .take_while(|host| host.starts_with(prefix))
            .take(limit)
            .collect();
        hosts.iter().filter_map(|host| self.view(&current, host)).collect()
    }

    /// Tenants whose host has this text in it, in the order of hosts: `limit` of them at most, and how many there are in
    /// all. Looks at every host.
    pub fn find_tenants(&self, text: &str, limit: usize) -> (Vec<TenantView>, usize) {
        let current = self.current();
        let finder = memchr::memmem::Finder::new(text);
        let (mut found, mut count) = (Vec::new(), 0);
        let mut after = None;
        // Some at a time: whoever changes a tenant meanwhile must not wait for all of them.
        loop {
            let directory = locked(&self.0.directory);
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let hosts = directory.by_host.range::<str, _>((from, Bound::Unbounded));
            let mut last = None;
            for (host, _) in hosts.take(AT_A_TIME) {
                if finder.find(host.as_bytes()).is_some() {
                    count += 1;
                    if found.len() < limit {
                        found.push(Arc::clone(host));
                    }
                }
                last = Some(Arc::clone(host));
            }
            drop(directory);
            let Some(last) = last else { break };
            after = Some(last);
        }
        (found.iter().filter_map(|host| self.view(&current, host)).collect(), count)
    }

    /// Another text with every change of a tenant, and with each configuration: who shows tenants looks again when it
    /// has changed.
    pub fn tenants_version(&self) -> String {
        let current = self.current();
        let generation = current.snapshot.tenants.generation();
        format!("{}.{}.{generation}", hash_text(&current.hash), current.since_unix_s)
    }

    /// Where a tenant of the file is written: `file:line:column`. Reads the whole text of the configuration.
    pub fn place_of_tenant(&self, host: &str) -> Option<String> {
        self.current().effective.place_of_tenant(host).map(|place| place.to_string())
    }

    /// Makes all of these changes or none, and says what was there before and after. A `dry_run` only says it.
    ///
    /// Waits for the disk: a change that is made survives a restart. It holds for the next request.
    ///
    /// # Errors
    ///
    /// Why nothing was changed.
    pub fn change_tenants(
        &self,
        changes: Vec<Change>,
        actor: &str,
        dry_run: bool,
    ) -> Result<Vec<Changed>, ChangeTenantsError> {
        let _changing = self.begin_change().map_err(|error| match error {
            NoChange::Busy => ChangeTenantsError::State(state::ChangeError::Busy),
            NoChange::Draining => ChangeTenantsError::Draining,
        })?;
        let current = self.current();
        let mut hosts = HashSet::new();
        let mut checked = Vec::with_capacity(changes.len());
        for change in changes {
            let change = self.check(&current, change)?;
            if !hosts.insert(Arc::clone(&change.changed.host)) {
                return Err(ChangeTenantsError::Twice { host: change.changed.host.to_string() });
            }
            checked.push(change);
        }
        if !dry_run {
            let desk = self.desk().ok_or(state::ChangeError::Ended)?;
            desk.change_tenants(self.to_store(&checked), actor)?;
            self.apply(&current, &checked);
        }
        Ok(checked.into_iter().map(|change| change.changed).collect())
    }

    fn check(&self, current: &Current, change: Change) -> Result<Checked, ChangeTenantsError> {
        let Change { host, set, expected } = change;
        let config = &current.config;
        let read = match &set {
            Some(keys) => {
                config.tenant(&host, keys).map(|tenant| (Arc::clone(&tenant.name), Some(tenant)))
            }
            None => config.tenant_name(&host).map(|host| (host, None)),
        };
        let (host, tenant) =
            read.map_err(|problems| ChangeTenantsError::Invalid { host, problems })?;
        let before = self.view(current, &host);
        if before.as_ref().is_some_and(|before| before.keys.is_none()) {
            let place = current.effective.place_of_tenant(&host);
            let place =
                place.map_or_else(|| "the configuration".to_owned(), |place| place.to_string());
            return Err(ChangeTenantsError::Written { host: host.to_string(), place });
        }
        let tag = before.as_ref().map(|before| &before.tag);
        let is_expected = match &expected {
            Expected::Absent => tag.is_none(),
            Expected::Any => true,
            Expected::Present => tag.is_some(),
            Expected::Tags(tags) => tag.is_some_and(|tag| tags.contains(tag)),
        };
        if !is_expected {
            let (host, current) = (host.to_string(), tag.cloned());
            return Err(ChangeTenantsError::Stale { host, current });
        }
        // One that does not fit the configuration is not served, but it can be removed.
        let is_there = locked(&self.0.directory).contains(&host);
        if set.is_none() && !is_there {
            return Err(ChangeTenantsError::Absent { host: host.to_string() });
        }
        let keys = set.map(Arc::new);
        let after = keys.as_ref().zip(tenant).map(|(keys, tenant)| {
            TenantView::new(current, Arc::new(tenant), Some(Arc::clone(keys)))
        });
        Ok(Checked { changed: Changed { host, before, after }, keys })
    }

    /// What is to be stored: the changes that change something.
    fn to_store(&self, changes: &[Checked]) -> Vec<state::TenantChange> {
        let directory = locked(&self.0.directory);
        let text = |keys: &Arc<TenantKeys>| Arc::from(keys.to_string());
        let stored = changes.iter().map(|Checked { changed, keys }| state::TenantChange {
            host: Arc::clone(&changed.host),
            before: directory.live_keys(&changed.host).map(text),
            after: keys.as_ref().map(text),
        });
        stored.filter(|change| change.before != change.after).collect()
    }

    fn apply(&self, current: &Current, changes: &[Checked]) {
        let mut directory = locked(&self.0.directory);
        let table = &current.snapshot.tenants;
        let mut next = Vec::with_capacity(changes.len());
        for Checked { changed, keys } in changes {
            let host = &changed.host;
            match (keys, &changed.after) {
                (Some(keys), Some(after)) => {
                    directory.insert(Arc::clone(host), Arc::clone(keys));
                    next.push((Arc::clone(host), Some(Arc::clone(&after.tenant))));
                }
                (Some(_) | None, _) => {
                    directory.remove(host);
                    next.push((Arc::clone(host), None));
                }
            }
        }
        table.change(next);
    }

    fn view(&self, current: &Current, host: &str) -> Option<TenantView> {
        let keys = locked(&self.0.directory).by_host.get(host)?.clone();
        let tenant = current.snapshot.tenants.named(host)?;
        Some(TenantView::new(current, tenant, keys))
    }
}

/// How many tenants are looked at while the directory is locked.
const AT_A_TIME: usize = 4096;

impl TenantView {
    fn new(current: &Current, tenant: Arc<Tenant>, keys: Option<Arc<TenantKeys>>) -> Self {
        let upstream = current.config.upstreams.get(usize::from(tenant.upstream));
        let upstream = upstream.map(|upstream| upstream.name.clone()).unwrap_or_default();
        let policy = &tenant.policy;
        let written = keys.as_ref().map(ToString::to_string);
        let whole = format!(
            "{}\n{written:?}\n{upstream}\n{:?} {:?} {:?} {:?} {:?}",
            tenant.name, policy.session, policy.mode, policy.evict, policy.seal, policy.agreement
        );
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, whole.as_bytes());
        let tag = digest.as_ref().iter().take(TAG_BYTES);
        let tag = tag.map(|byte| format!("{byte:02x}")).collect();
        Self { tenant, upstream, keys, tag }
    }
}

/// Enough that two versions of a tenant are never taken for one another.
const TAG_BYTES: usize = 16;
