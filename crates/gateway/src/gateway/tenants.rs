//! Tenants that are set at run time: they apply from the next request on, and survive a restart.

use std::{collections::HashSet, ops::Bound, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};

use super::{
    assembly::hash_text,
    control::{ChangeRefusal, Control, Current},
};
use crumbgate_audit::tenants::Tenant;
use crumbgate_base::{lock::locked, text::hex};
use crumbgate_config::{Problems, TenantKeys};
use crumbgate_state as state;

/// One change of the table of tenants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The host, or `*.suffix`.
    pub host: String,
    /// Its new keys, which replace all old ones; `None` removes the tenant.
    pub set: Option<TenantKeys>,
    /// The precondition of the change.
    pub expected: Expected,
}

/// The precondition of a change (RFC 9110, section 13.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// The tenant does not exist.
    Absent,
    /// No condition.
    Any,
    /// The tenant exists.
    Present,
    /// The tenant exists and has one of these tags.
    Tags(Vec<String>),
}

/// The effect of a change, or of a dry run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The host in its normal form, as used for looking up requests.
    pub host: Arc<str>,
    /// The tenant before the change; `None` if it did not exist.
    pub before: Option<TenantView>,
    /// The tenant after the change; `None` if it was removed.
    pub after: Option<TenantView>,
}

/// A tenant as the API and the dashboard show it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantView {
    /// The tenant, with its policy.
    pub tenant: Arc<Tenant>,
    /// The name of its upstream.
    pub upstream: String,
    /// The keys that were set at run time; `None` for a tenant of the file.
    pub keys: Option<Arc<TenantKeys>>,
    /// An entity tag without its quotes: it changes with every change of the tenant.
    pub tag: String,
}

/// The reason that no tenant was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeTenantsError {
    /// The tenant to remove does not exist.
    #[error("there is no tenant {host}")]
    Absent { host: String },
    /// The gateway stops, or a successor is taking its place.
    #[error("this gateway is stopping or being replaced: try again, or use the new gateway")]
    Draining,
    /// The keys or the host are invalid.
    #[error("the tenant {host} can't be set")]
    Invalid {
        /// The host as given.
        host: String,
        /// The problems found.
        problems: Problems,
    },
    /// The change can't be stored, so a restart would lose it.
    #[error(transparent)]
    State(#[from] state::ChangeError),
    /// The tenant has changed since the caller read it.
    #[error("the tenant {host} has changed since you read it: read it again")]
    Stale {
        host: String,
        /// Its current tag; `None` if it does not exist.
        current: Option<String>,
    },
    /// One batch changes the tenant twice.
    #[error("the tenant {host} is changed twice in one batch: keep one of the two changes")]
    Twice { host: String },
    /// The tenant belongs to the configuration file.
    #[error("the tenant {host} is defined at {place}: change it there, and reload")]
    Written {
        host: String,
        /// `file:line:column`.
        place: String,
    },
}

/// A change whose keys and precondition were checked.
struct Checked {
    changed: Changed,
    keys: Option<Arc<TenantKeys>>,
}

impl Control {
    /// The tenant with this name: a host, or `*.suffix`.
    pub fn tenant(&self, host: &str) -> Option<TenantView> {
        self.view(&self.current(), &host.to_ascii_lowercase())
    }

    /// Tenants in the order of hosts whose host begins with `prefix` and comes after `after`, at most `limit`.
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

    /// Tenants whose host contains this text, in the order of hosts, at most `limit`, and their total number. Visits every
    /// host.
    pub fn find_tenants(&self, text: &str, limit: usize) -> (Vec<TenantView>, usize) {
        let current = self.current();
        let finder = memchr::memmem::Finder::new(text);
        let (mut found, mut count) = (Vec::new(), 0);
        let mut after = None;
        // In steps, so that a concurrent change of a tenant does not wait for all of them.
        loop {
            let directory = locked(&self.0.directory);
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let hosts = directory.by_host.range::<str, _>((from, Bound::Unbounded));
            let mut last = None;
            for (host, _) in hosts.take(HOSTS_PER_LOCK) {
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

    /// A text that differs after every change of a tenant and every reload. A cached list of tenants is outdated when it has
    /// changed.
    pub fn tenants_version(&self) -> String {
        let current = self.current();
        let generation = current.snapshot.tenants.generation();
        format!("{}.{}.{generation}", hash_text(&current.hash), current.since_unix_s)
    }

    /// The place of a tenant in the configuration file: `file:line:column`. Parses the whole file.
    pub fn place_of_tenant(&self, host: &str) -> Option<String> {
        self.current().effective.place_of_tenant(host).map(|place| place.to_string())
    }

    /// Makes all of these changes or none, and returns the tenants before and after. A `dry_run` checks and changes nothing.
    ///
    /// Waits for the disk: when this returns, the changes survive a restart and apply to the next request.
    ///
    /// # Errors
    ///
    /// The reason that no tenant was changed.
    pub fn change_tenants(
        &self,
        changes: Vec<Change>,
        actor: &str,
        dry_run: bool,
    ) -> Result<Vec<Changed>, ChangeTenantsError> {
        let _changing = self.begin_change().map_err(|error| match error {
            ChangeRefusal::Busy => ChangeTenantsError::State(state::ChangeError::Busy),
            ChangeRefusal::Draining => ChangeTenantsError::Draining,
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
            let handle = self.state_handle().ok_or(state::ChangeError::Ended)?;
            handle.change_tenants(self.to_store(&checked), actor)?;
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
        // A tenant that does not fit the configuration is not served, but it can be removed.
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

    /// The changes to store: those with an effect.
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

/// Number of tenants visited per lock of the directory.
const HOSTS_PER_LOCK: usize = 4096;

impl TenantView {
    fn new(current: &Current, tenant: Arc<Tenant>, keys: Option<Arc<TenantKeys>>) -> Self {
        let upstream = current.config.upstreams.get(usize::from(tenant.upstream));
        let upstream = upstream.map(|upstream| upstream.name.clone()).unwrap_or_default();
        let tag = tag(&tenant, &upstream, keys.as_deref());
        Self { tenant, upstream, keys, tag }
    }
}

/// The entity tag of a tenant: the beginning of the SHA-256 of its settings, each as a line `key=value`. The keys that were
/// set at run time are one line of JSON, which is absent for a tenant of the file.
fn tag(tenant: &Tenant, upstream: &str, keys: Option<&TenantKeys>) -> String {
    let policy = &tenant.policy;
    let mut settings = format!(
        "host={}\nupstream={upstream}\nsession={}\nmode={}\nevict={}\nseal={}\nagreement={}\nguard={}\n",
        tenant.name,
        policy.session.seconds(),
        policy.mode.word(),
        policy.evict.word(),
        policy.seal,
        policy.agreement.word(),
        policy.guard.word(),
    );
    if let Some(keys) = keys {
        settings += &format!("keys={keys}\n");
    }
    let digest = digest(&SHA256, settings.as_bytes());
    hex(digest.as_ref().get(..TAG_BYTES).unwrap_or_default())
}

/// Length of a tag, in bytes: long enough that two versions of a tenant never share one.
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use crumbgate_policy::{
        AgreementMode, EvictScope, GuardMode, Mode, Policy,
        declaration::{Declaration, SessionDuration},
    };

    use super::*;

    fn tenant() -> Tenant {
        let policy = Policy {
            declaration: Arc::new(Declaration::flexopus()),
            session: SessionDuration::ONE_WEEK,
            mode: Mode::Enforce,
            evict: EvictScope::Host,
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        Tenant { name: "acme.example".into(), policy, upstream: 0 }
    }

    fn with(change: impl FnOnce(&mut Policy)) -> String {
        let mut tenant = tenant();
        change(&mut tenant.policy);
        tag(&tenant, "app", None)
    }

    #[test]
    fn a_tag_depends_on_every_setting_of_a_tenant_and_has_a_stable_form() {
        let settings = "host=acme.example\nupstream=app\nsession=604800\nmode=enforce\nevict=host\nseal=false\n\
                        agreement=off\nguard=off\n";
        let hash = hex(digest(&SHA256, settings.as_bytes()).as_ref());
        assert_eq!(with(|_| {}), hash[..2 * TAG_BYTES]);
        let renamed = Tenant { name: "b.example".into(), ..tenant() };
        let keys = |json| TenantKeys::parse(json).unwrap();
        let tags = HashSet::from([
            with(|_| {}),
            with(|policy| policy.session = SessionDuration::MIN),
            with(|policy| policy.mode = Mode::Report),
            with(|policy| policy.evict = EvictScope::Off),
            with(|policy| policy.seal = true),
            with(|policy| policy.agreement = AgreementMode::Notice),
            with(|policy| policy.guard = GuardMode::Watch),
            tag(&renamed, "app", None),
            tag(&tenant(), "other", None),
            tag(&tenant(), "app", Some(&keys("{}"))),
            tag(&tenant(), "app", Some(&keys("{\"session\":\"1w\"}"))),
        ]);
        assert_eq!(tags.len(), 11, "{tags:?}");
    }
}
