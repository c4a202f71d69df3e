//! The tenants that one worker has looked up lately.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::recorder::Entry;
use crumbgate_audit::{Aggregator, tenants::TenantTable};
use crumbgate_base::clock::Clock;

/// The tenant table as one worker sees it: what it found lately is kept, so that a request takes no lock that other
/// workers take too. After a change of the table everything is looked up anew (T3).
pub(crate) struct TenantCache {
    table: Arc<TenantTable>,
    aggregator: Rc<Aggregator>,
    declaration: Arc<str>,
    clock: Clock,
    seen: RefCell<Seen>,
}

struct Seen {
    /// The table's generation at which `entries` were found.
    generation: u64,
    entries: HashMap<Box<str>, Rc<Entry>, foldhash::fast::RandomState>,
}

impl TenantCache {
    /// `declaration` is the version of the one that the tenants of the table are judged by.
    pub(crate) fn new(
        table: Arc<TenantTable>,
        aggregator: Rc<Aggregator>,
        declaration: Arc<str>,
        clock: Clock,
    ) -> Self {
        let seen = Seen { generation: table.generation(), entries: HashMap::default() };
        Self { table, aggregator, declaration, clock, seen: RefCell::new(seen) }
    }

    /// The tenant of `host` (lower case, no port).
    pub(crate) fn find(&self, host: &str) -> Option<Rc<Entry>> {
        let seen = &mut *self.seen.borrow_mut();
        // Read before the look-up: a change in between makes the entry old, never the other way round.
        let generation = self.table.generation();
        if seen.generation != generation || seen.entries.len() >= SEEN_HOSTS {
            seen.entries.clear();
            seen.generation = generation;
        }
        if let Some(entry) = seen.entries.get(host) {
            return Some(Rc::clone(entry));
        }
        let tenant = self.table.find(host)?;
        let account = self.aggregator.recorder(&tenant.name, &self.declaration);
        let entry = Rc::new(Entry { tenant, account, clock: self.clock.clone() });
        seen.entries.insert(host.into(), Rc::clone(&entry));
        Some(entry)
    }
}

/// How many hosts a worker remembers; more, and it begins anew.
const SEEN_HOSTS: usize = 4096;
