//! The configuration for the data path: read-only, and replaced as a whole by a reload.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, uri::PathAndQuery};
use ipnet::IpNet;
use tokio_rustls::TlsAcceptor;

use super::{tls::Expiry, upstream::UpstreamState};
use crate::traces::Tracing;
use crumbgate_audit::tenants::TenantTable;
use crumbgate_config::Limits;
use crumbgate_pages::page;
use crumbgate_policy::sealing::Sealing;

/// The configuration that all workers share until the next reload.
pub(crate) struct Snapshot {
    pub(crate) limits: Arc<Limits>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) access_log: bool,
    /// The port that plain listeners redirect to.
    pub(crate) https_port: u16,
    /// In the order of the configuration: tenants refer to upstreams by index, and both change together.
    pub(crate) upstreams: Vec<Arc<UpstreamState>>,
    /// Keys and settings for sealing session cookies; `None` if nothing is sealed or opened.
    pub(crate) sealing: Option<Arc<Sealing>>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// The field `Strict-Transport-Security` of each answer.
    pub(crate) hsts: Option<HeaderValue>,
    /// The expiry of each certificate in `tls`.
    pub(crate) expiries: Vec<Expiry>,
    pub(crate) tenants: Arc<TenantTable>,
    /// The version of the declaration, as the evidence refers to it.
    pub(crate) declaration: Arc<str>,
    /// Start of the declaration's validity according to the ledger, in seconds since the Unix epoch.
    pub(crate) since_unix_s: Option<u64>,
    /// Settings of the gateway's own pages.
    pub(crate) page: page::settings::PageSettings,
    /// The application's path that logs a session out after a withdrawal.
    pub(crate) logout: Option<PathAndQuery>,
    /// Traces exchanges; `None` if no collector is configured.
    pub(crate) tracing: Option<Tracing>,
    /// Time for open exchanges to finish at a stop.
    pub(crate) drain: Duration,
}
