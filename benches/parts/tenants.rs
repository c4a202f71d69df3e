//! The tenant of a request: the host of an authority, and the table. `benches/tenants.rs` has larger tables, and
//! writers.

use std::{hint::black_box, sync::Arc};

use crumbgate_audit::tenants::{Tenant, TenantTable, host_of_authority};
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, Policy,
    declaration::{Declaration, SessionDuration},
};

use super::Part;

/// The parts: a look-up in a table of 10 and of 10,000 tenants, each time for another host.
pub(super) fn parts() -> Vec<Part> {
    let authority = Part::new("authority: its host", || {
        || {
            black_box(host_of_authority(black_box("acme.flexopus.example:8443")));
        }
    });
    vec![
        authority,
        look_up("exact host, of 10", 10, |n| name(n % 10)),
        look_up("exact host, of 10,000", 10_000, |n| name(n * 97)),
        look_up("wildcard, of 10,000", 10_000, |n| format!("www.{}", name(n * 97))),
        look_up("no tenant, of 10,000", 10_000, |n| format!("nobody-{n}.example")),
    ]
}

/// One look-up in a table of so many hosts, and as many wildcards.
fn look_up(what: &str, tenants: usize, host: fn(usize) -> String) -> Part {
    Part::new(format!("tenants: {what}"), move || {
        let table = table(tenants);
        let hosts: Vec<_> = (0..HOSTS).map(host).collect();
        let mut turn = 0;
        move || {
            turn = (turn + 1) % HOSTS;
            black_box(table.find(black_box(&hosts[turn])));
        }
    })
}

fn table(tenants: usize) -> TenantTable {
    let declaration = Arc::new(Declaration::flexopus());
    let tenant = |name: String| {
        let policy = Policy {
            declaration: Arc::clone(&declaration),
            session: SessionDuration::ONE_WEEK,
            mode: Mode::Enforce,
            evict: EvictScope::Host,
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        Tenant { name: name.into(), policy, upstream: 0 }
    };
    let names = (0..tenants).flat_map(|n| [name(n), format!("*.{}", name(n))]);
    TenantTable::new(names.map(tenant), None)
}

fn name(n: usize) -> String {
    format!("organization-{n}.flexopus.example")
}

/// The number of hosts that take turns; a part's work is repeated a multiple of it.
const HOSTS: usize = 100;
