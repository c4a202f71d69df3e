//! The checked values of a configuration, each table of the file as a struct, with its defaults.
//!
//! Nothing here reads a file or reports a problem: [`sections`](super::sections) makes these values.

mod address;
mod admin;
mod agreement;
mod evidence;
mod limits;
mod log;
mod server;
mod tenants;
mod tls;
mod traces;
mod upstream;

use std::sync::Arc;

pub use address::{BadServer, ServerAddress};
pub use admin::{Admin, AdminListener};
pub use agreement::{Asking, Seal};
pub use evidence::Evidence;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use server::Server;
pub use tenants::TenantDefaults;
pub use tls::{CertificateFiles, Tls, TlsVersion};
pub use traces::{Collector, Ratio, Traces};
pub use upstream::{Balance, Health, Upstream};

use crumbgate_audit::tenants::Tenant;
use crumbgate_pages::page;
use crumbgate_policy::declaration::Declaration;

/// The whole configuration, checked.
#[derive(Debug, Eq, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[upstreams.*]`, in the order of the file; `Tenant::upstream` is an index into it.
    pub upstreams: Vec<Upstream>,
    /// `[[cookies]]`; the declaration that Flexopus publishes if the file has none.
    pub declaration: Arc<Declaration>,
    /// `[seal]`
    pub seal: Seal,
    /// `[agreement]`
    pub asking: Asking,
    /// `[page]`
    pub page: page::settings::PageSettings,
    /// `[defaults]`, for tenants that are added later.
    pub defaults: TenantDefaults,
    /// The tenants of `[tenants]`, with the values of `[defaults]` that they do not set.
    pub tenants: Vec<Tenant>,
    /// The tenant of unknown hosts, present if `defaults.unknown_hosts = "default"`.
    pub default_tenant: Option<Tenant>,
    /// `[limits]`
    pub limits: Arc<Limits>,
    /// `[log]`
    pub log: Log,
    /// `[state]` and `[audit]`
    pub evidence: Evidence,
    /// `[traces]`
    pub traces: Traces,
    /// `[admin]`
    pub admin: Admin,
}
