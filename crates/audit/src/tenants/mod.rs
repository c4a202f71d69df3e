//! The tenants (T): an in-memory table from host to tenant, which changes at run time.

mod host;

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use dashmap::DashMap;
use foldhash::fast::RandomState;

pub use host::{host_of_authority, split_authority};

use crumbgate_policy::Policy;

/// One organization with its own host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenant {
    /// The host or `*.suffix` under which it is configured; `(default)` for the tenant of unknown hosts.
    pub name: Arc<str>,
    /// The policy that judges its cookies.
    pub policy: Policy,
    /// The upstream that serves it: an index into `Config::upstreams`.
    pub upstream: u16,
}

impl Tenant {
    /// The name of the tenant of unknown hosts. It is not a valid host.
    pub const DEFAULT_NAME: &str = "(default)";
}

/// The table of tenants: exact hosts first, then `*.suffix` for one label, then the default tenant (T1).
///
/// All workers share it. Each lookup and each change locks one shard of the table for a short time. No guard leaves a
/// function of this module, so no caller can hold one across an `.await`.
#[derive(Debug, Default)]
pub struct TenantTable {
    exact: DashMap<Arc<str>, Arc<Tenant>, RandomState>,
    wildcards: DashMap<Wildcard, Arc<Tenant>, RandomState>,
    default_tenant: RwLock<Option<Arc<Tenant>>>,
    generation: AtomicU64,
}

impl TenantTable {
    /// Makes a table of these tenants. The last of two tenants with the same name is kept. `default_tenant` serves all other
    /// hosts.
    pub fn new(tenants: impl IntoIterator<Item = Tenant>, default_tenant: Option<Tenant>) -> Self {
        let default_tenant = RwLock::new(default_tenant.map(Arc::new));
        let table = Self { default_tenant, ..Self::default() };
        for tenant in tenants {
            table.put(tenant);
        }
        table
    }

    /// Returns the tenant of `host`, which is in lower case and without a port (see [`host_of_authority`]); `None` if no
    /// tenant matches and there is no default tenant.
    pub fn find(&self, host: &str) -> Option<Arc<Tenant>> {
        self.find_exact(host).or_else(|| self.find_wildcard(host)).or_else(|| self.default_tenant())
    }

    /// Adds a tenant. Replaces and returns the tenant of the same name. The next lookup finds the new one (T3).
    pub fn insert(&self, tenant: Tenant) -> Option<Arc<Tenant>> {
        let before = self.put(tenant);
        self.changed();
        before
    }

    /// Removes and returns the tenant of this name, which is a host or `*.suffix`.
    pub fn remove(&self, name: &str) -> Option<Arc<Tenant>> {
        let removed = self.take(name);
        if removed.is_some() {
            self.changed();
        }
        removed
    }

    /// Replaces each named tenant, or removes it for `None`. The generation grows once, after all changes. A lookup during the
    /// call may see only some of the changes.
    pub fn change(&self, changes: impl IntoIterator<Item = (Arc<str>, Option<Arc<Tenant>>)>) {
        for (name, tenant) in changes {
            match tenant {
                Some(tenant) => drop(self.put_shared(name, tenant)),
                None => drop(self.take(&name)),
            }
        }
        self.changed();
    }

    /// Returns the tenant of exactly this name, which is a host or `*.suffix`.
    pub fn named(&self, name: &str) -> Option<Arc<Tenant>> {
        match name.strip_prefix('*') {
            Some(suffix) => self.wildcards.get(suffix).map(|entry| Arc::clone(entry.value())),
            None => self.find_exact(name),
        }
    }

    /// Sets the tenant of unknown hosts; `None` rejects them.
    pub fn set_default(&self, tenant: Option<Tenant>) {
        *self.default_tenant.write().unwrap_or_else(PoisonError::into_inner) = tenant.map(Arc::new);
        self.changed();
    }

    /// Returns the tenant of unknown hosts.
    pub fn default_tenant(&self) -> Option<Arc<Tenant>> {
        self.default_tenant.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns every tenant except the default one, in any order. Concurrent changes may or may not be included.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Tenant>> {
        // Collected, because an iterator over the map would keep a shard locked until the caller drops it.
        let exact = self.exact.iter().map(|entry| Arc::clone(entry.value()));
        let wildcards = self.wildcards.iter().map(|entry| Arc::clone(entry.value()));
        exact.chain(wildcards).collect::<Vec<_>>().into_iter()
    }

    /// Returns the number of tenants without the default one.
    pub fn len(&self) -> usize {
        self.exact.len().saturating_add(self.wildcards.len())
    }

    /// Returns true if there is no tenant except perhaps the default one.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcards.is_empty()
    }

    /// Returns a number that grows with every change. A tenant that was found under an older number must be looked up again
    /// (T3).
    ///
    /// A caller that keeps a tenant reads the number before the lookup, so that it notices a change in between.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn find_exact(&self, host: &str) -> Option<Arc<Tenant>> {
        self.exact.get(host).map(|entry| Arc::clone(entry.value()))
    }

    fn find_wildcard(&self, host: &str) -> Option<Arc<Tenant>> {
        let suffix = host.get(host.find('.').filter(|dot| *dot > 0)?..)?;
        self.wildcards.get(suffix).map(|entry| Arc::clone(entry.value()))
    }

    fn put(&self, tenant: Tenant) -> Option<Arc<Tenant>> {
        self.put_shared(Arc::clone(&tenant.name), Arc::new(tenant))
    }

    fn put_shared(&self, name: Arc<str>, tenant: Arc<Tenant>) -> Option<Arc<Tenant>> {
        if name.starts_with("*.") {
            self.wildcards.insert(Wildcard(name), tenant)
        } else {
            self.exact.insert(name, tenant)
        }
    }

    fn take(&self, name: &str) -> Option<Arc<Tenant>> {
        match name.strip_prefix('*') {
            Some(suffix) => self.wildcards.remove(suffix).map(|(_, tenant)| tenant),
            None => self.exact.remove(name).map(|(_, tenant)| tenant),
        }
    }

    /// Grows the generation after a change, so that readers of the new number find the new tenants.
    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// The name `*.suffix` of a tenant. It is looked up as `.suffix`, which is a part of the host, so no key is allocated.
#[derive(Debug, Eq, PartialEq)]
struct Wildcard(Arc<str>);

impl Borrow<str> for Wildcard {
    fn borrow(&self) -> &str {
        self.0.get(1..).unwrap_or_default()
    }
}

// The same hash as the borrowed text, as `Borrow` requires.
impl Hash for Wildcard {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let suffix: &str = self.borrow();
        suffix.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::atomic::AtomicBool,
        thread::{self, yield_now},
    };

    use proptest::prelude::*;

    use super::*;
    use crumbgate_policy::{
        AgreementMode, EvictScope, GuardMode, Mode,
        declaration::{Declaration, SessionDuration},
    };

    fn tenant(name: &str, upstream: u16) -> Tenant {
        let policy = Policy {
            declaration: Arc::new(Declaration::flexopus()),
            session: SessionDuration::ONE_WEEK,
            mode: Mode::Enforce,
            evict: EvictScope::Host,
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        Tenant { name: name.into(), policy, upstream }
    }

    fn found(table: &TenantTable, host: &str) -> Option<String> {
        table.find(host).map(|tenant| tenant.name.to_string())
    }

    #[test]
    fn t1_an_exact_host_comes_before_a_wildcard_and_a_wildcard_before_the_default() {
        let names = ["acme.example", "*.acme.example", "a.acme.example", "*.example"];
        let table = TenantTable::new(names.map(|name| tenant(name, 0)), None);
        for (host, name) in [
            ("acme.example", Some("acme.example")),
            ("a.acme.example", Some("a.acme.example")),
            ("b.acme.example", Some("*.acme.example")),
            ("b.example", Some("*.example")),
            ("a.b.acme.example", None),
            ("example", None),
            (".acme.example", None),
            ("acme.example.", None),
            ("", None),
        ] {
            assert_eq!(found(&table, host).as_deref(), name, "{host}");
        }
        table.set_default(Some(tenant(Tenant::DEFAULT_NAME, 0)));
        assert_eq!(found(&table, "other.test").as_deref(), Some(Tenant::DEFAULT_NAME));
        assert_eq!(found(&table, "acme.example").as_deref(), Some("acme.example"));
        table.set_default(None);
        assert_eq!(found(&table, "other.test"), None);
    }

    #[test]
    fn the_name_of_the_default_tenant_is_not_a_host() {
        let table = TenantTable::new([], Some(tenant(Tenant::DEFAULT_NAME, 0)));
        assert_eq!((table.len(), table.is_empty(), table.iter().count()), (0, true, 0));
        assert!(host_of_authority(Tenant::DEFAULT_NAME).is_none());
        assert!(table.default_tenant().is_some());
    }

    #[test]
    fn t3_the_next_lookup_sees_each_change_and_the_generation_grows() {
        let table = TenantTable::default();
        let upstream = |host| table.find(host).map(|tenant| tenant.upstream);

        assert!(table.insert(tenant("a.example", 1)).is_none());
        assert_eq!((upstream("a.example"), table.generation()), (Some(1), 1));
        let before = table.insert(tenant("a.example", 2));
        assert_eq!(before.map(|tenant| tenant.upstream), Some(1));
        assert_eq!((upstream("a.example"), table.generation()), (Some(2), 2));
        assert!(table.remove("b.example").is_none());
        assert_eq!(table.generation(), 2, "nothing has changed");
        assert!(table.remove("a.example").is_some());
        assert_eq!((upstream("a.example"), table.generation()), (None, 3));
        table.insert(tenant("*.example", 3));
        assert_eq!((upstream("a.example"), table.generation()), (Some(3), 4));
        assert!(table.remove("*.example").is_some());
        assert_eq!((upstream("a.example"), table.generation()), (None, 5));
        table.set_default(Some(tenant(Tenant::DEFAULT_NAME, 4)));
        assert_eq!((upstream("a.example"), table.generation()), (Some(4), 6));
    }

    /// A writer increments the upstream of a tenant. Readers that keep a tenant until the generation grows must end with the
    /// last upstream, and never see an older one after a newer one.
    #[test]
    fn t3_concurrent_readers_see_every_change_in_order() {
        const LAST: u16 = 2_000;
        let table = TenantTable::new([tenant("a.example", 0), tenant("*.b.example", 0)], None);
        let is_done = AtomicBool::new(false);
        let read = |host| {
            let (mut generation, mut kept) = (table.generation(), table.find(host));
            let mut last = 0;
            loop {
                let is_last_look = is_done.load(Ordering::Acquire);
                if generation != table.generation() {
                    generation = table.generation();
                    kept = table.find(host);
                }
                let upstream = kept.as_ref().map(|tenant| tenant.upstream);
                assert!(upstream >= Some(last), "{upstream:?} after {last}");
                last = upstream.unwrap_or_default();
                if is_last_look {
                    return last;
                }
                yield_now();
            }
        };
        thread::scope(|scope| {
            let readers: Vec<_> = ["a.example", "x.b.example", "a.example"]
                .map(|host| scope.spawn(move || read(host)))
                .into_iter()
                .collect();
            for upstream in 1..=LAST {
                table.insert(tenant("a.example", upstream));
                table.insert(tenant("*.b.example", upstream));
                table.insert(tenant(&format!("{upstream}.example"), upstream));
            }
            is_done.store(true, Ordering::Release);
            for reader in readers {
                assert_eq!(reader.join().unwrap(), LAST);
            }
        });
        assert_eq!(table.len(), usize::from(LAST) + 2);
        assert_eq!(table.iter().count(), table.len());
    }

    /// A change of the table.
    #[derive(Clone, Debug)]
    enum Change {
        Insert(String, u16),
        Remove(String),
        Default(Option<u16>),
    }

    /// A simple model of the table, without concurrency.
    #[derive(Default)]
    struct Model {
        by_name: HashMap<String, u16>,
        default: Option<u16>,
    }

    impl Model {
        fn apply(&mut self, change: &Change) {
            match change {
                Change::Insert(name, upstream) => {
                    self.by_name.insert(name.clone(), *upstream);
                }
                Change::Remove(name) => {
                    self.by_name.remove(name);
                }
                Change::Default(default) => self.default = *default,
            }
        }

        fn find(&self, host: &str) -> Option<u16> {
            let wildcard = host.split_once('.').map(|(_, suffix)| format!("*.{suffix}"));
            let exact = self.by_name.get(host).copied();
            exact.or_else(|| self.by_name.get(&wildcard?).copied()).or(self.default)
        }
    }

    fn host() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]", 1..4).prop_map(|labels| labels.join("."))
    }

    fn change() -> impl Strategy<Value = Change> {
        let name = prop_oneof![host(), host().prop_map(|host| format!("*.{host}"))];
        prop_oneof![
            4 => (name.clone(), any::<u16>()).prop_map(|(name, upstream)| Change::Insert(name, upstream)),
            2 => name.prop_map(Change::Remove),
            1 => any::<Option<u16>>().prop_map(Change::Default),
        ]
    }

    proptest! {
        #[test]
        fn t1_after_any_changes_the_table_agrees_with_a_plain_map(
            changes in proptest::collection::vec(change(), 0..40),
            hosts in proptest::collection::vec(host(), 1..20),
        ) {
            let (table, mut model) = (TenantTable::default(), Model::default());
            for change in &changes {
                model.apply(change);
                match change {
                    Change::Insert(name, upstream) => drop(table.insert(tenant(name, *upstream))),
                    Change::Remove(name) => drop(table.remove(name)),
                    Change::Default(default) => {
                        table.set_default(default.map(|upstream| tenant(Tenant::DEFAULT_NAME, upstream)));
                    }
                }
                for host in &hosts {
                    let found = table.find(host).map(|tenant| tenant.upstream);
                    prop_assert_eq!(found, model.find(host), "{}", host);
                }
                prop_assert_eq!(table.len(), model.by_name.len());
            }
        }
    }
}
