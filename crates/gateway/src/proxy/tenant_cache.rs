//! The tenants that one worker has looked up recently.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::{recorder::Recorder, upstream::Upstream};
use crumbgate_audit::Aggregator;
use crumbgate_audit::tenants::{Tenant, TenantTable};
use crumbgate_base::clock::Clock;

/// The tenant table as one worker sees it. Recent results are kept, so that a request takes no lock that other workers
/// take. After a change of the table every host is looked up again (T3).
pub(crate) struct TenantCache {
    table: Arc<TenantTable>,
    aggregator: Rc<Aggregator>,
    declaration: Arc<str>,
    clock: Clock,
    recent: RefCell<Recent>,
}

struct Recent {
    /// The table's generation when `tenants` were found.
    generation: u64,
    tenants: HashMap<Box<str>, ServedTenant, foldhash::fast::RandomState>,
}

/// A tenant, as one worker serves it.
#[derive(Clone)]
pub(crate) struct ServedTenant {
    pub(crate) recorder: Recorder,
    pub(crate) upstream: Rc<Upstream>,
}

impl AsRef<Tenant> for ServedTenant {
    fn as_ref(&self) -> &Tenant {
        self.recorder.tenant()
    }
}

impl TenantCache {
    /// Makes an empty cache. `declaration` is the version by which the tenants of the table are judged.
    pub(crate) fn new(
        table: Arc<TenantTable>,
        aggregator: Rc<Aggregator>,
        declaration: Arc<str>,
        clock: Clock,
    ) -> Self {
        let recent = Recent { generation: table.generation(), tenants: HashMap::default() };
        Self { table, aggregator, declaration, clock, recent: RefCell::new(recent) }
    }

    /// Returns the tenant of `host` (lower case, no port). `upstream_of` finds its upstream on this worker.
    pub(crate) fn find(
        &self,
        host: &str,
        upstream_of: impl Fn(&Tenant) -> Option<Rc<Upstream>>,
    ) -> Option<ServedTenant> {
        let recent = &mut *self.recent.borrow_mut();
        // Read before the look-up, so that a change in between makes the result outdated and never the reverse.
        let generation = self.table.generation();
        if recent.generation != generation || recent.tenants.len() >= MAX_HOSTS {
            recent.tenants.clear();
            recent.generation = generation;
        }
        if let Some(tenant) = recent.tenants.get(host) {
            return Some(tenant.clone());
        }
        let tenant = self.table.find(host)?;
        let upstream = upstream_of(&tenant)?;
        let counts = self.aggregator.recorder(&tenant.name, &self.declaration);
        let recorder = Recorder::new(tenant, counts, self.clock.clone());
        let served = ServedTenant { recorder, upstream };
        recent.tenants.insert(host.into(), served.clone());
        Some(served)
    }
}

/// The number of hosts that a worker keeps. At this number it forgets all of them.
const MAX_HOSTS: usize = 4096;
