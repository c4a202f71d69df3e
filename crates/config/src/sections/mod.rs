//! The tables of the file, one module for each.

mod admin;
mod cookies;
mod evidence;
mod limits;
mod log;
mod page;
mod seal;
mod server;
mod shared_domain;
mod tenants;
mod tls;
mod traces;
mod upstreams;

use std::sync::Arc;

use toml::de::DeTable;

use self::page::PageNeed;
use super::{
    reader::DocumentReader,
    values::{Admin, Config},
};
use crumbgate_audit::tenants::Tenant;
use crumbgate_policy::{AgreementMode, GuardMode};

/// Reads a whole document. The result is only valid if the reader has found no error.
pub(super) fn read(reader: &DocumentReader, document: &DeTable<'_>) -> Config {
    let root = reader.root(document);
    let server = server::read(&root);
    let tls = tls::read(&root, &server);
    let upstreams = upstreams::read(&root);
    let limits = Arc::new(limits::read(&root));
    let log = log::read(&root);
    let evidence = evidence::read(&root);
    let traces = traces::read(&root);
    let admin = admin::read(&root, &server);
    let declaration = Arc::new(cookies::read(&root));
    let (tenants, default_tenant, defaults) = tenants::read(&root, &upstreams, &declaration);
    let all = || tenants.iter().chain(&default_tenant);
    let is_asking = all().any(|tenant| tenant.policy.agreement != AgreementMode::Off);
    let is_asking = is_asking || defaults.agreement != AgreementMode::Off;
    let is_sealing = is_asking || defaults.seal || all().any(|tenant| tenant.policy.seals());
    let seal = seal::read(&root, &declaration, is_sealing);
    let asking = seal::read_asking(&root);
    let is_guarding = defaults.guard != GuardMode::Off
        || all().any(|tenant| tenant.policy.guard != GuardMode::Off);
    let need = match (is_asking, is_guarding) {
        (true, _) => Some(PageNeed::Agreement),
        (false, true) => Some(PageNeed::Guard),
        (false, false) => None,
    };
    let page = page::read(&root, need);
    Config {
        server,
        tls,
        upstreams,
        declaration,
        seal,
        asking,
        page,
        defaults,
        tenants,
        default_tenant,
        limits,
        log,
        evidence,
        traces,
        admin,
    }
}

/// Reads `[admin]` alone, even if it or the rest of the document has errors.
pub(super) fn read_admin(reader: &DocumentReader, document: &DeTable<'_>) -> Admin {
    let root = reader.root(document);
    let server = server::read(&root);
    admin::read(&root, &server)
}

/// Reads a document that holds one tenant of an existing configuration. The result is only valid if the reader has found
/// no error.
pub(super) fn read_tenant(
    reader: &DocumentReader,
    document: &DeTable<'_>,
    config: &Config,
) -> Option<Tenant> {
    tenants::read_one(&reader.root(document), config)
}
