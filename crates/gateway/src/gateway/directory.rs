//! The origin of every tenant: the configuration file, or a change at run time.

use std::{collections::BTreeMap, sync::Arc};

use crumbgate_audit::tenants::Tenant;
use crumbgate_base::error::with_causes;
use crumbgate_config::{Config, TenantKeys};
use crumbgate_state as state;
use tracing::{error, warn};

/// Every tenant but the default one, in the order of hosts, with its origin.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The keys that were set at run time; `None` for a tenant of the file.
    pub(super) by_host: BTreeMap<Arc<str>, Option<Arc<TenantKeys>>>,
    /// Tenants that were set at run time and are also in the file, which takes precedence as long as it has them.
    hidden: BTreeMap<Arc<str>, Arc<TenantKeys>>,
    live: usize,
}

impl Directory {
    /// A directory of the tenants of a file.
    pub(super) fn of(written: &[Tenant]) -> Self {
        let by_host = written.iter().map(|tenant| (Arc::clone(&tenant.name), None)).collect();
        Self { by_host, hidden: BTreeMap::new(), live: 0 }
    }

    /// Adds the stored tenants, which were set at run time; returns those to be served. A tenant that can't be served is
    /// logged and skipped, so that it does not prevent the start for all others.
    pub(super) fn add_stored(&mut self, config: &Config) -> Vec<Tenant> {
        let stored = match state::stored_tenants(&config.evidence.path) {
            Ok(stored) => stored,
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "tenants that were set at run time can't be read: they are not served"
                );
                return Vec::new();
            }
        };
        let mut served = Vec::new();
        for state::TenantRecord { host, keys } in stored {
            let Some(keys) = TenantKeys::parse(&keys) else {
                error!(%host, "a tenant that was set at run time can't be read: it is not served");
                continue;
            };
            if self.contains(&host) {
                warn!(%host, "a tenant that was set at run time is also in the file: the file takes precedence");
                self.hide(host, Arc::new(keys));
                continue;
            }
            match config.tenant(&host, &keys) {
                Ok(tenant) => served.push(tenant),
                Err(problems) => {
                    let problem = problems.first_message();
                    error!(
                        %host,
                        problem, "a tenant that was set at run time does not fit the configuration: it is not served"
                    );
                }
            }
            self.insert(host, Arc::new(keys));
        }
        served
    }

    /// The number of tenants that were set at run time, without hidden ones.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Tenants set at run time, including those that the configuration file overrides.
    pub(super) fn live_tenants(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<TenantKeys>)> {
        let live = self.by_host.iter().filter_map(|(host, keys)| Some((host, keys.as_ref()?)));
        live.chain(&self.hidden)
    }

    /// Keeps a tenant that the file overrides, until the file no longer has it.
    pub(super) fn hide(&mut self, host: Arc<str>, keys: Arc<TenantKeys>) {
        self.hidden.insert(host, keys);
    }

    pub(super) fn insert(&mut self, host: Arc<str>, keys: Arc<TenantKeys>) {
        let before = self.by_host.insert(host, Some(keys));
        self.live += usize::from(!matches!(before, Some(Some(_))));
    }

    pub(super) fn live_keys(&self, host: &str) -> Option<&Arc<TenantKeys>> {
        self.by_host.get(host)?.as_ref()
    }

    pub(super) fn contains(&self, host: &str) -> bool {
        self.by_host.contains_key(host)
    }

    pub(super) fn remove(&mut self, host: &str) {
        let before = self.by_host.remove(host);
        self.live -= usize::from(matches!(before, Some(Some(_))));
    }
}
