//! The configuration as the data path sees it: read-only, and replaced as a whole at a reload.

use std::{sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use ipnet::IpNet;
use tokio_rustls::TlsAcceptor;

use super::{tls::Expiry, upstream::Shared};
use crate::traces::Tracing;
use crumbgate_audit::tenants::TenantTable;
use crumbgate_config::Limits;
use crumbgate_pages::page;
use crumbgate_policy::sealing::Sealing;

/// What all workers go by until the next reload.
pub(crate) struct Snapshot {
    pub(crate) limits: Arc<Limits>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) access_log: bool,
    /// The port that plain listeners redirect to.
    pub(crate) https_port: u16,
    /// In the order of the configuration: a tenant knows its upstream by number, and both change together.
    pub(crate) upstreams: Vec<Arc<Shared>>,
    /// What session cookies are sealed with, where somebody asks for that.
    pub(crate) sealing: Option<Arc<Sealing>>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// When the certificates of `tls` end.
    pub(crate) expiries: Vec<Expiry>,
    pub(crate) tenants: Arc<TenantTable>,
    /// The version of the declaration that rules, as evidence names it.
    pub(crate) declaration: Arc<str>,
    /// Since when it does, in seconds since the Unix epoch, as the ledger has it.
    pub(crate) since_unix_s: Option<u64>,
    /// The gateway's own pages.
    pub(crate) page: page::settings::Settings,
    /// Where the application is told of a withdrawal.
    pub(crate) logout: Option<PathAndQuery>,
    /// Follows exchanges across services, where that is asked for.
    pub(crate) tracing: Option<Tracing>,
    /// How long open exchanges may finish at a stop.
    pub(crate) drain: Duration,
}
