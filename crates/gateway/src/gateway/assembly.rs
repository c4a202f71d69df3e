//! Builds a snapshot for the workers from a configuration.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::HeaderValue;
use rustls::ClientConfig;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::{descriptors::Shares, start_error::StartError};
use crate::{
    proxy::{
        snapshot::Snapshot,
        tls::{self, CertificateError, Certificates, Expiry, Tickets},
        upstream::UpstreamState,
    },
    seal_keys::{self, LoadedKeys},
    traces::Tracing,
};
use crumbgate_audit::tenants::TenantTable;
use crumbgate_base::clock::Clock;
use crumbgate_config::{self as config, Config, ConfigHash, Evidence, Limits, ServerAddress};
use crumbgate_ledger::{self as ledger, entry::DeclarationRecord};
use crumbgate_policy::{seal::Version, sealing::Sealing};
use crumbgate_state as state;

/// The parts of a snapshot that are read from files, complete and checked.
pub(super) struct SnapshotParts {
    tls: Option<TlsAcceptor>,
    expiries: Vec<Expiry>,
    upstreams: Vec<Arc<UpstreamState>>,
    shares: Shares,
    /// Keys and settings for sealing session cookies; `None` if nothing is sealed or opened.
    sealing: Option<Arc<Sealing>>,
    /// The declaration, with the time at which it first came into force.
    declared: DeclarationRecord,
}

type WithVerifier = (config::Upstream, Option<Arc<ClientConfig>>);

impl SnapshotParts {
    /// Reads certificates, CA bundles and keys. Waits for the disk. Servers that `before` also has keep their state. If
    /// `before` seals, no new keys are made.
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
        let shares = Shares::of(config);
        let upstreams = UpstreamState::all(with_verifiers(&config.upstreams, shares)?, known);
        let has_keys = before.is_some_and(|before| before.sealing.is_some());
        let sealing = sealing(config, has_keys, clock)?;
        let declared = declared(config, clock);
        Ok(Self { tls, expiries, upstreams, shares, sealing, declared })
    }

    /// Takes over the declaration's start time from `before` if the declaration is the same.
    pub(super) fn or_since_of(mut self, before: &Snapshot) -> Self {
        if *self.declared.hash == *before.declaration {
            self.declared.since_unix_s = before.since_unix_s.unwrap_or(self.declared.since_unix_s);
        }
        self
    }

    /// The declaration, as the ledger records it.
    pub(super) fn declared(&self) -> &DeclarationRecord {
        &self.declared
    }

    /// Takes over the TLS acceptor of `before` if the new configuration has none and a listener still needs it.
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
            limits: Arc::new(Limits {
                connections: self.shares.connections,
                ..(*config.limits).clone()
            }),
            trusted_proxies: config.server.trusted_proxies.clone(),
            access_log: config.log.access,
            https_port: https.map_or(HTTPS_PORT, |address| address.port()),
            upstreams: self.upstreams,
            sealing: self.sealing,
            tls: self.tls,
            hsts: config.tls.hsts.and_then(hsts),
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

/// The field `Strict-Transport-Security` (RFC 6797, section 6.1) for a time.
fn hsts(time: Duration) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("max-age={}", time.as_secs())).ok()
}

/// The declaration with its start time: the one in the ledger, or now if the ledger does not have this declaration.
fn declared(config: &Config, clock: &Clock) -> DeclarationRecord {
    let Evidence { path, ledger, .. } = &config.evidence;
    let mut declared = ledger::declaration::record(&config.declaration, clock.now().unix_s);
    // An unreadable file is reported by the code that opens it to write.
    let known = ledger.then(|| ledger::declaration::since(path, &declared.hash).ok().flatten());
    declared.since_unix_s = known.flatten().unwrap_or(declared.since_unix_s);
    declared
}

/// Keys and settings for sealing session cookies. If the configuration seals and there is no key file, keys are made. If
/// it no longer seals but a key file exists, sealed cookies are still opened (G4).
fn sealing(
    config: &Config,
    has_keys: bool,
    clock: &Clock,
) -> Result<Option<Arc<Sealing>>, StartError> {
    let path = &config.seal.keys;
    let is_wanted = config.seal.is_used || path.exists();
    let Some(cookie) = config.seal.cookie.clone().filter(|_| is_wanted) else { return Ok(None) };
    // On a reload a missing file is an error and not replaced: new keys would end every session.
    let found = if has_keys {
        seal_keys::load(path).map(|ring| LoadedKeys { ring, is_new: false })
    } else {
        seal_keys::load_or_create(path, clock.now())
    };
    let ring = match found {
        Ok(found) => {
            if found.is_new {
                let path = path.display().to_string();
                info!(
                    path,
                    "keys for sealing were made: keep the file, because sessions end without it"
                );
            }
            found.ring
        }
        Err(error) if config.seal.is_used => return Err(StartError::SealKeys(error)),
        Err(error) => {
            warn!(%error, "sealed cookies are not opened: their keys can't be used");
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

/// The declaration's version in sealed cookies: the first eight bytes of its hash.
fn version(config: &Config) -> Version {
    let hash = ledger::declaration::record(&config.declaration, 0).hash;
    let digits = hash.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Version(digits.unwrap_or_default().to_be_bytes())
}

/// The settings of the state file and of the ledger in it.
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

/// A configuration's hash as one word: SHA-256 of the file, and if there are variables, `+` and theirs.
pub(super) fn hash_text(hash: &ConfigHash) -> String {
    let variables = hash.variables.iter().map(String::as_str);
    std::iter::once(&*hash.file).chain(variables).collect::<Vec<_>>().join("+")
}

/// The configuration allows at most one day, so the cast never saturates.
fn window_s(evidence: &Evidence) -> u32 {
    u32::try_from(evidence.window.as_secs()).unwrap_or(u32::MAX)
}

fn acceptor(
    config: &config::Tls,
    tickets: &Tickets,
    clock: &Clock,
) -> Result<(TlsAcceptor, Vec<Expiry>), StartError> {
    // Warnings are reported by `preflight`, before the start.
    let (certificates, _) =
        Certificates::load(config, clock.now()).map_err(StartError::Certificates)?;
    let expiries = certificates.expiries().to_vec();
    let config = tls::server_config(Arc::new(certificates), config.min_version, tickets);
    Ok((config.into(), expiries))
}

fn with_verifiers(
    upstreams: &[config::Upstream],
    shares: Shares,
) -> Result<Vec<WithVerifier>, StartError> {
    let with_verifier = |upstream: &config::Upstream| match verifier(upstream) {
        Ok(verifier) => {
            let mut upstream = upstream.clone();
            upstream.max_connections = shares.of_server(upstream.max_connections);
            Ok((upstream, verifier))
        }
        Err(error) => Err(StartError::Certificates(vec![error])),
    };
    upstreams.iter().map(with_verifier).collect()
}

/// The TLS configuration that verifies an upstream's `https://` servers; `None` if it has none. Waits for the disk.
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
