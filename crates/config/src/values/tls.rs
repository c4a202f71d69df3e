//! `[tls]`: certificates and versions.

use std::{path::PathBuf, time::Duration};

/// `[tls]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Certificates, chosen by server name. The first one serves names that no certificate has.
    ///
    /// A relative path of the file is resolved against the folder of the file.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is accepted.
    pub min_version: TlsVersion,
    /// The time for which browsers use https alone after an answer (RFC 6797); `None` adds no such field.
    pub hsts: Option<Duration>,
}

/// A certificate chain and its key, both PEM files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// A TLS version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}
