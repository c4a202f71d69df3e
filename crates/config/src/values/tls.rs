//! `[tls]`: certificates and versions.

use std::path::PathBuf;

/// `[tls]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Certificates, chosen by server name. The first one serves names that no certificate has.
    ///
    /// A relative path of the file is resolved against the folder of the file.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is accepted.
    pub min_version: TlsVersion,
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
