//! The cryptography and the versions of TLS.

use std::sync::Arc;

use crumbgate_config::TlsVersion;
use rustls::{
    SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

/// The cryptography of rustls on both sides.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The versions of TLS from `min_version` up.
pub(super) fn versions(min_version: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    const SINCE_1_2: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    const SINCE_1_3: &[&SupportedProtocolVersion] = &[&TLS13];
    match min_version {
        TlsVersion::V1_2 => SINCE_1_2,
        TlsVersion::V1_3 => SINCE_1_3,
    }
}
