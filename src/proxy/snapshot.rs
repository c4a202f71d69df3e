//! The configuration as the data path sees it: read-only, and replaced as a whole at a reload.

use std::{net::IpAddr, rc::Rc, sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use ipnet::IpNet;
use tokio_rustls::TlsAcceptor;

use super::{
    admission::TenantView,
    page::Shelf,
    tls::Expiry,
    upstream::{Shared, Upstream},
};
use crate::{
    audit::Journal,
    clock::Clock,
    config::Limits,
    page::{self, Pages},
    policy::sealing::Sealing,
    tenants::{Tenant, TenantTable},
    traces::Tracing,
};

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

/// A snapshot, and what one worker has for it: an exchange takes it once, and keeps it to its end.
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) tenants: TenantView,
    pub(crate) upstreams: Vec<Rc<Upstream>>,
    shelf: Shelf,
}

impl View {
    /// The view of a worker that has `before`, if it has one: what it keeps of its applications goes on.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        before: Option<&Self>,
        journal: &Rc<Journal>,
        clock: &Clock,
    ) -> Self {
        let upstream = |shared: &Arc<Shared>| {
            let before = before.and_then(|before| {
                before.upstreams.iter().find(|upstream| upstream.name() == shared.name())
            });
            Upstream::new(Arc::clone(shared), before.map(|before| &**before))
        };
        let table = Arc::clone(&snapshot.tenants);
        Self {
            tenants: TenantView::new(
                table,
                Rc::clone(journal),
                Arc::clone(&snapshot.declaration),
                clock.clone(),
            ),
            upstreams: snapshot.upstreams.iter().map(upstream).collect(),
            snapshot,
            shelf: Shelf::default(),
        }
    }

    /// The gateway's own pages for a tenant.
    pub(crate) fn pages(&self, tenant: &Tenant) -> Rc<Pages> {
        self.shelf.pages(&self.snapshot, &tenant.policy)
    }

    /// Whether a peer is one of `server.trusted_proxies`.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.snapshot.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.snapshot.limits
    }
}
