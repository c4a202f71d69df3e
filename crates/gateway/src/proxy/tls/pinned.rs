//! A TLS client that trusts only the gateway's own certificates, for the liveness check on the same host.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs::default_provider, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{
    files,
    provider::{provider, versions},
};
use crumbgate_config::{self as config, TlsVersion};

/// A client configuration that trusts exactly the leaf certificates in `tls`, regardless of their names and dates: it
/// checks that the gateway answers, not that browsers accept the certificate. Waits for the disk.
pub fn pinned_client_config(tls: &config::Tls) -> Result<ClientConfig, files::CertificateError> {
    let mut leaves = Vec::new();
    for files in &tls.certificates {
        leaves.extend(files::read_chain(&files.chain)?.into_iter().next());
    }
    let verifier =
        Pinned { leaves, algorithms: default_provider().signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(TlsVersion::V1_2))
        .expect("the provider has cipher suites for TLS 1.2 and for 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Accepts these leaf certificates and no others; signatures are verified as usual.
#[derive(Debug)]
struct Pinned {
    leaves: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.leaves.iter().any(|pinned| pinned == leaf) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
