//! A snapshot of the configuration, with what one worker keeps for it.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use super::{
    agreement::page_cache::PageCache,
    guard::ScriptCache,
    snapshot::Snapshot,
    tenant_cache::{ServedTenant, TenantCache},
    upstream::{Upstream, UpstreamState},
};
use crumbgate_audit::{Aggregator, tenants::Tenant};
use crumbgate_base::clock::Clock;
use crumbgate_config::Limits;
use crumbgate_pages::{guard::GuardScript, page::Pages};
use crumbgate_policy::Policy;

/// One worker's form of a snapshot. An exchange takes it once and keeps it to its end.
pub(crate) struct WorkerConfig {
    pub(crate) snapshot: Arc<Snapshot>,
    tenants: TenantCache,
    pub(crate) upstreams: Vec<Rc<Upstream>>,
    page_cache: PageCache,
    script_cache: ScriptCache,
}

impl WorkerConfig {
    /// Builds the form of `snapshot` for one worker. Takes over the upstream connections of `before`.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        before: Option<&Self>,
        aggregator: &Rc<Aggregator>,
        clock: &Clock,
    ) -> Self {
        let upstream = |shared: &Arc<UpstreamState>| {
            let before = before.and_then(|before| {
                before.upstreams.iter().find(|upstream| upstream.name() == shared.name())
            });
            Upstream::new(Arc::clone(shared), before.map(|before| &**before))
        };
        let table = Arc::clone(&snapshot.tenants);
        Self {
            tenants: TenantCache::new(
                table,
                Rc::clone(aggregator),
                Arc::clone(&snapshot.declaration),
                clock.clone(),
            ),
            upstreams: snapshot.upstreams.iter().map(upstream).collect(),
            snapshot,
            page_cache: PageCache::default(),
            script_cache: ScriptCache::default(),
        }
    }

    /// Returns the tenant of `host` (lower case, no port).
    pub(crate) fn find_tenant(&self, host: &str) -> Option<ServedTenant> {
        self.tenants.find(host, |tenant| self.upstreams.get(usize::from(tenant.upstream)).cloned())
    }

    /// Returns the gateway's own pages of a tenant.
    pub(crate) fn pages(&self, tenant: &Tenant) -> Rc<Pages> {
        self.page_cache.pages(&self.snapshot, &tenant.policy)
    }

    /// Returns the guard's script of tenants with this policy, with the names that scripts may set or without any. `None` if
    /// the guard is off.
    pub(crate) fn guard_script(&self, policy: &Policy, has_names: bool) -> Option<Rc<GuardScript>> {
        self.script_cache.script(self.snapshot.page.path.as_ref(), policy, has_names)
    }

    /// Returns `true` if a peer is one of `server.trusted_proxies`.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.snapshot.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.snapshot.limits
    }
}
