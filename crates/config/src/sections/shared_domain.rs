//! Warns about hosts of tenants that share a registrable domain: the default of `evict` leaves the cookies of that domain in
//! browsers (E1). Whether a site beside the tenants needs these cookies, only the operator knows.

use std::{collections::BTreeMap, sync::Arc};

use crate::{problem::Problem, reader::TableReader, written::quoted};
use crumbgate_audit::tenants::Tenant;
use crumbgate_policy::registrable_domain;

/// The tenants below one registrable domain.
#[derive(Default)]
struct Sharing {
    tenants: usize,
    /// True if one of the tenants has many hosts.
    has_wildcard: bool,
    /// True if one of the tenants has the default of `evict`.
    inherits: bool,
}

/// Warns if the operator has not chosen `evict` for tenants that share a registrable domain. `inheriting` are the names of
/// the tenants without an `evict` of their own.
pub(super) fn warn(defaults: &TableReader<'_>, tenants: &[Tenant], inheriting: &[Arc<str>]) {
    if defaults.value("evict").is_some() || inheriting.is_empty() {
        return;
    }
    let mut by_domain: BTreeMap<&str, Sharing> = BTreeMap::new();
    for tenant in tenants {
        if let Some(domain) = domain_of(&tenant.name) {
            let sharing = by_domain.entry(domain).or_default();
            sharing.tenants += 1;
            sharing.has_wildcard |= tenant.name.starts_with("*.");
        }
    }
    for domain in inheriting.iter().filter_map(|name| domain_of(name)) {
        by_domain.entry(domain).or_default().inherits = true;
    }
    let is_shared = |sharing: &Sharing| sharing.tenants > 1 || sharing.has_wildcard;
    by_domain.retain(|_, sharing| sharing.inherits && is_shared(sharing));
    let Some(first) = by_domain.keys().next() else { return };
    let more = match by_domain.len() {
        1 => String::new(),
        2 => ", like those of one other domain".to_owned(),
        domains => format!(", like those of {} other domains", domains - 1),
    };
    let message = format!(
        "several hosts share the domain {first}, and its undeclared cookies stay in browsers{more}"
    );
    let help = format!(
        "write evict = {} if no site of the domain needs an undeclared cookie of it, or evict = {} to keep them",
        quoted("domain"),
        quoted("host")
    );
    let problem = Problem::warning(defaults.place(), defaults.key_of("evict"), message);
    defaults.reader.push(problem.help(help));
}

/// Returns the registrable domain of a tenant's host, or of the hosts that a wildcard stands for.
fn domain_of(name: &str) -> Option<&str> {
    registrable_domain(name.strip_prefix("*.").unwrap_or(name))
}
