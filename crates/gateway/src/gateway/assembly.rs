//! Makes of a configuration what workers go by.

use std::{net::SocketAddr, sync::Arc};

use rustls::ClientConfig;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::StartError;
use crate::{
    proxy::{
        snapshot::Snapshot,
        tls::{self, CertificateError, Certificates, Expiry, Tickets},
        upstream::Shared,
    },
    seal_keys::{self, Found},
    traces::Tracing,
};
use crumbgate_audit::tenants::TenantTable;
use crumbgate_base::clock::Clock;
use crumbgate_config::{self as config, Config, ConfigHash, Evidence, ServerAddress};
use crumbgate_ledger::{self as ledger, entry::DeclarationRecord};
use crumbgate_policy::{seal::Version, sealing::Sealing};
use crumbgate_state as state;

/// What a snapshot is made of besides the configuration itself: read from the disk, and whole.
pub(super) struct Parts {
    tls: Option<TlsAcceptor>,
    expiries: Vec<Expiry>,
    upstreams: Vec<Arc<Shared>>,
    /// What session cookies are sealed with, where the configuration asks for that.
    sealing: Option<Arc<Sealing>>,
    /// The declaration, and when it was first in force.
    declared: DeclarationRecord,
}

type WithVerifier = (config::Upstream, Option<Arc<ClientConfig>>);

impl Parts {
    /// Reads certificates, CA bundles and keys. Waits for the disk. What is known of the servers of `before` goes on, and
    /// who had keys before gets no new ones.
    pub(super) fn read(
        config: &Config,
        before: Option<&Snapshot>,
        tickets: &Tickets,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let (tls, expiries) = if config.server.https.is_empty() {
            (None, Vec::new())
        } else {
            let (tls, expiries) = acceptor(&config.tls, tickets, clock)?;
            (Some(tls), expiries)
        };
        let known = before.map_or(&[][..], |before| &before.upstreams);
        let upstreams = Shared::all(with_verifiers(&config.upstreams)?, known);
        let has_keys = before.is_some_and(|before| before.sealing.is_some());
        let sealing = sealing(config, has_keys, clock)?;
        let declared = declared(config, clock);
        Ok(Self { tls, expiries, upstreams, sealing, declared })
    }

    /// The same with the declaration in force since when it was in `before`, where it is the same one.
    pub(super) fn or_since_of(mut self, before: &Snapshot) -> Self {
        if *self.declared.hash == *before.declaration {
            self.declared.since_unix_s = before.since_unix_s.unwrap_or(self.declared.since_unix_s);
        }
        self
    }

    /// The declaration, as the ledger is told of it.
    pub(super) fn declared(&self) -> &DeclarationRecord {
        &self.declared
    }

    /// The same with the TLS of `before` where this has none, and a listener needs it still.
    pub(super) fn or_tls_of(mut self, before: &Snapshot, is_needed: bool) -> Self {
        if is_needed && self.tls.is_none() {
            self.tls.clone_from(&before.tls);
        }
        self
    }

    pub(super) fn into_snapshot(
        self,
        config: &Config,
        https: Option<SocketAddr>,
        tenants: Arc<TenantTable>,
        tracing: Option<Tracing>,
    ) -> Snapshot {
        Snapshot {
            limits: Arc::clone(&config.limits),
            trusted_proxies: config.server.trusted_proxies.clone(),
            access_log: config.log.access,
            https_port: https.map_or(HTTPS_PORT, |address| address.port()),
            upstreams: self.upstreams,
            sealing: self.sealing,
            tls: self.tls,
            expiries: self.expiries,
            tenants,
            declaration: self.declared.hash.into(),
            since_unix_s: config.evidence.ledger.then_some(self.declared.since_unix_s),
            page: config.page.clone(),
            logout: config.asking.logout.clone(),
            tracing,
            drain: config.server.drain,
        }
    }
}

/// The declaration, and when it was first in force, as far as the ledger knows: from now on where it does not.
fn declared(config: &Config, clock: &Clock) -> DeclarationRecord {
    let Evidence { path, ledger, .. } = &config.evidence;
    let mut declared = ledger::declaration::record(&config.declaration, clock.now().unix_s);
    // A file that can't be read is told of by whoever needs more of it.
    let known = ledger.then(|| ledger::declaration::since(path, &declared.hash).ok().flatten());
    declared.since_unix_s = known.flatten().unwrap_or(declared.since_unix_s);
    declared
}

/// What session cookies are sealed with, where the configuration asks for that. The keys are made where there are none yet.
/// Where there are some though nobody asks any more, what was sealed is still opened (G4).
fn sealing(
    config: &Config,
    has_keys: bool,
    clock: &Clock,
) -> Result<Option<Arc<Sealing>>, StartError> {
    let path = &config.seal.keys;
    let is_wanted = config.seal.is_used || path.exists();
    let Some(cookie) = config.seal.cookie.clone().filter(|_| is_wanted) else { return Ok(None) };
    // A file that is gone for a moment must not end every session.
    let found = if has_keys {
        seal_keys::load(path).map(|ring| Found { ring, is_new: false })
    } else {
        seal_keys::load_or_create(path, clock.now())
    };
    let ring = match found {
        Ok(found) => {
            if found.is_new {
                let path = path.display().to_string();
                info!(
                    path,
                    "keys for sealing were made: keep the file, for sessions end without it"
                );
            }
            found.ring
        }
        Err(error) if config.seal.is_used => return Err(StartError::SealKeys(error)),
        Err(error) => {
            warn!(%error, "what was sealed before is not opened");
            return Ok(None);
        }
    };
    Ok(Some(Arc::new(Sealing {
        ring,
        cookie,
        version: version(config),
        unsealed_until_unix_s: config.seal.unsealed_until_unix_s,
        ask_again: config.asking.ask_again,
        open_paths: config.asking.open_paths.clone(),
    })))
}

/// The declaration's version, as sealed cookies have it: the first bytes of its hash.
fn version(config: &Config) -> Version {
    let hash = ledger::declaration::record(&config.declaration, 0).hash;
    let digits = hash.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Version(digits.unwrap_or_default().to_be_bytes())
}

/// What the state file, and the ledger in it, are kept by.
pub(super) fn ledger_settings(
    config: &Config,
    hash: &ConfigHash,
    clock: &Clock,
) -> state::Settings {
    let Evidence { path, ledger, retention, .. } = &config.evidence;
    state::Settings {
        path: path.clone(),
        keeps_evidence: *ledger,
        window_s: window_s(&config.evidence),
        retention: *retention,
        configuration: hash_text(hash),
        declaration: ledger::declaration::record(&config.declaration, clock.now().unix_s),
        actor: "crumbgate run".to_owned(),
        clock: clock.clone(),
    }
}

/// A configuration's hash in one word: that of the file, and that of the variables where there are any.
pub(super) fn hash_text(hash: &ConfigHash) -> String {
    let variables = hash.variables.iter().map(String::as_str);
    std::iter::once(&*hash.file).chain(variables).collect::<Vec<_>>().join("+")
}

/// Whole minutes of a day, so that it fits.
fn window_s(evidence: &Evidence) -> u32 {
    u32::try_from(evidence.window.as_secs()).unwrap_or(u32::MAX)
}

fn acceptor(
    config: &config::Tls,
    tickets: &Tickets,
    clock: &Clock,
) -> Result<(TlsAcceptor, Vec<Expiry>), StartError> {
    // Warnings are told by whoever loads the configuration, before the start.
    let (certificates, _) =
        Certificates::load(config, clock.now()).map_err(StartError::Certificates)?;
    let expiries = certificates.expiries().to_vec();
    let config = tls::server_config(Arc::new(certificates), config.min_version, tickets);
    Ok((config.into(), expiries))
}

fn with_verifiers(upstreams: &[config::Upstream]) -> Result<Vec<WithVerifier>, StartError> {
    let with_verifier = |upstream: &config::Upstream| match verifier(upstream) {
        Ok(verifier) => Ok((upstream.clone(), verifier)),
        Err(error) => Err(StartError::Certificates(vec![error])),
    };
    upstreams.iter().map(with_verifier).collect()
}

/// What verifies an upstream's `https://` servers; none where it has none. Waits for the disk.
pub fn verifier(
    upstream: &config::Upstream,
) -> Result<Option<Arc<ClientConfig>>, CertificateError> {
    let over_tls = |server: &ServerAddress| matches!(server, ServerAddress::Tls { .. });
    if upstream.servers.iter().any(over_tls) {
        tls::client_config(upstream.ca.as_deref()).map(Some)
    } else {
        Ok(None)
    }
}

const HTTPS_PORT: u16 = 443;
