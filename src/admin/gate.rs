//! The rules of a listener: its guard and its TLS, read from the files of `[admin]`.

use std::{
    io,
    sync::{Arc, Mutex},
};

use rustls::ServerConfig;

use super::{
    guard::Guard,
    tokens::{Tokens, TokensError},
};
use crumbgate_base::{clock::Clock, lock::locked};
use crumbgate_config::{self as config, AdminListener, TlsVersion};
use crumbgate_gateway::proxy::tls::{self, CertificateError, Certificates, Tickets};

/// A reason why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificate can't be used.
    #[error("admin.certificate")]
    Certificate(#[source] CertificateError),
    /// The system provides no randomness, or no socket events.
    #[error("the API can't be served")]
    System(#[source] io::Error),
    /// The token file can't be used.
    #[error("admin.token_file")]
    Tokens(#[source] TokensError),
}

impl StartError {
    /// The configuration key that the error is about.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "admin.certificate",
            Self::System(_) => "admin",
            Self::Tokens(_) => "admin.token_file",
        }
    }
}

/// The rules for connections and requests.
pub(super) struct Rules {
    pub(super) guard: Guard,
    /// `None`: plain HTTP.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Rules {
    /// Reads the token file and the certificate. Waits for the disk.
    pub(super) fn read(admin: &config::Admin, clock: &Clock) -> Result<Self, StartError> {
        let tokens = admin.token_file.as_deref().map(Tokens::load);
        let tokens = tokens.transpose().map_err(StartError::Tokens)?;
        let over_tcp = !matches!(admin.listen, AdminListener::Unix(_));
        let files = admin.certificate.iter().filter(|_| over_tcp).cloned().collect::<Vec<_>>();
        let tls = if files.is_empty() { None } else { Some(acceptor(files, clock)?) };
        Ok(Self { guard: Guard { hosts: admin.hosts.clone(), tokens }, tls })
    }
}

fn acceptor(
    certificates: Vec<config::CertificateFiles>,
    clock: &Clock,
) -> Result<Arc<ServerConfig>, StartError> {
    let min_version = TlsVersion::V1_2;
    let files = config::Tls { certificates, min_version, hsts: None };
    let (certificates, _) = Certificates::load(&files, clock.now()).map_err(|mut errors| {
        // A failed load returns at least one error.
        StartError::Certificate(errors.swap_remove(0))
    })?;
    let tickets = Tickets::new().map_err(|error| StartError::System(io::Error::other(error)))?;
    let config = tls::server_config(Arc::new(certificates), min_version, &tickets);
    let mut config = ServerConfig::clone(&config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The current rules of one listener.
///
/// A reload that keeps the listener's address replaces the rules as a whole. A reload that moves the listener makes a
/// new gate, so requests on old connections are still judged by the old rules.
pub(super) struct Gate(Mutex<Arc<Rules>>);

impl Gate {
    pub(super) fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arc::new(rules))))
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&locked(&self.0))
    }

    pub(super) fn replace(&self, rules: Rules) {
        *locked(&self.0) = Arc::new(rules);
    }
}
