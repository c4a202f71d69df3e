//! TLS on both sides: certificates for browsers, selected by server name, and verification of applications.
//!
//! All files are read and checked before the first connection: [`Certificates`] only contains keys that match their
//! chains, so no handshake fails because of them. Certificates that expire soon produce a [`CertificateWarning`].
//!
//! All workers share one configuration with one [`Tickets`], so a session of one worker resumes on any other. No session
//! is stored in memory, so handshakes share no lock.

mod files;
mod pinned;
mod provider;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, net::IpAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{InvalidDnsNameError, ServerName},
    server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_native_certs::CertificateResult;

pub use files::{CertificateError, CertificateWarning, Expiry};
pub use pinned::pinned_client_config;

use crumbgate_base::clock::Now;
use crumbgate_config::{self as config, TlsVersion};
use files::{Certificate, read_chain};
use provider::{provider, versions};

/// The gateway's certificates with their keys, selected by server name.
#[derive(Debug)]
pub struct Certificates {
    /// In the order listed; never empty.
    all: Vec<Arc<CertifiedKey>>,
    /// By each DNS name of the leaf in lower case, wildcards included (`*.example.org` is a key), in the order listed.
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// The addresses of the first certificate, which is used for clients that connect by address.
    addresses: Vec<IpAddr>,
    expiries: Vec<Expiry>,
}

impl Certificates {
    /// Reads and checks every certificate in `tls`. Returns all errors, not only the first.
    pub fn load(
        tls: &config::Tls,
        now: Now,
    ) -> Result<(Self, Vec<CertificateWarning>), Vec<CertificateError>> {
        let mut loaded = Self {
            all: Vec::new(),
            by_name: HashMap::new(),
            addresses: Vec::new(),
            expiries: Vec::new(),
        };
        let mut warnings = Vec::new();
        let mut errors = Vec::new();
        for files in &tls.certificates {
            match Certificate::load(files) {
                Ok(certificate) => {
                    warnings.extend(certificate.warnings(files, now));
                    loaded.expiries.push(certificate.expiry(files));
                    loaded.add(certificate);
                }
                Err(found) => errors.extend(found),
            }
        }
        if tls.certificates.is_empty() {
            errors.push(CertificateError::NoneListed);
        }
        if errors.is_empty() { Ok((loaded, warnings)) } else { Err(errors) }
    }

    /// Returns `true` if a certificate covers `host`.
    ///
    /// `host` is in lower case and without a port: a name, a wildcard such as `*.example.org` (covered only by the same
    /// wildcard), or an address. Dates are not checked.
    pub fn covers(&self, host: &str) -> bool {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.addresses.contains(&address),
            Err(_) => self.named(host).is_some(),
        }
    }

    /// The expiry of each certificate, in the order listed.
    pub fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }

    fn add(&mut self, certificate: Certificate) {
        if self.all.is_empty() {
            self.addresses = certificate.addresses;
        }
        for name in certificate.names {
            self.by_name.entry(name).or_default().push(Arc::clone(&certificate.key));
        }
        self.all.push(certificate.key);
    }

    /// The certificates for `host`: those with its exact name, otherwise those with a wildcard for its first label
    /// (RFC 6125, section 6.4.3).
    fn named(&self, host: &str) -> Option<&[Arc<CertifiedKey>]> {
        let by_wildcard = || {
            let (label, parent) = host.split_once('.')?;
            if label.is_empty() { None } else { self.by_name.get(&format!("*.{parent}")) }
        };
        self.by_name.get(host).or_else(by_wildcard).map(Vec::as_slice)
    }
}

impl ResolvesServerCert for Certificates {
    /// Selects by server name; without one, or for a name that no certificate covers, among all in the order listed.
    /// Prefers the first one that the client can verify (such as RSA for a client without ECDSA).
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.named(name));
        let candidates = named.unwrap_or(&self.all);
        let is_verifiable = |candidate: &&Arc<CertifiedKey>| {
            candidate.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        candidates.iter().find(is_verifiable).or(candidates.first()).cloned()
    }
}

/// The keys that encrypt session tickets, rotated every six hours.
///
/// Created once and used by every configuration, so sessions survive a reload of certificates.
#[derive(Clone, Debug)]
pub struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    /// Generates new keys. Fails if the system's random number generator fails.
    pub fn new() -> Result<Self, rustls::Error> {
        aws_lc_rs::Ticketer::new().map(Self)
    }
}

/// The TLS configuration for browsers: `min_version` or later, HTTP/2 preferred to HTTP/1.1.
pub fn server_config(
    certificates: Arc<Certificates>,
    min_version: TlsVersion,
    tickets: &Tickets,
) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(min_version))
        .expect("the provider has cipher suites for TLS 1.2 and for 1.3")
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(&tickets.0);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // A browser resumes with its newest ticket, so a second one would be wasted.
    config.send_tls13_tickets = 1;
    // No 0-RTT: an attacker can replay early data (RFC 8446, section 8), and a login or a renewal must happen once.
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    Arc::new(config)
}

/// The TLS configuration for applications over `https://`, verified with the CA bundle `ca`, or with the system's roots.
///
/// Waits for the disk. Unusable system roots are logged and ignored.
pub fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, CertificateError> {
    let roots = match ca {
        Some(file) => roots_from(file)?,
        None => usable_roots(rustls_native_certs::load_native_certs())?,
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(TlsVersion::V1_2))
        .expect("the provider has cipher suites for TLS 1.2 and for 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// The name that an application's certificate must have: a host name, or an address (IPv6 without brackets).
pub fn server_name(host: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(host.to_owned())
}

fn usable_roots(found: CertificateResult) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(CertificateError::NoSystemRoots { errors: errors.join("; ") });
    }
    for error in found.errors {
        tracing::warn!(%error, "a system root certificate was ignored");
    }
    if unusable > 0 {
        tracing::warn!(unusable, "system root certificates in an unknown format were ignored");
    }
    Ok(roots)
}

fn roots_from(file: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in read_chain(file)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| CertificateError::Malformed {
            file: file.to_owned(),
            position: index + 1,
            reason: error.to_string(),
        })?;
    }
    Ok(roots)
}
