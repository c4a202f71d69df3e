//! One certificate for all targets: ECDSA on P-256, made for each run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::CertificateDer;

use crate::traffic::DOMAIN;

/// The certificate, in the forms that the targets and clients need.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, PEM.
    pub chain: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Both in one file, as HAProxy reads them.
    pub both: PathBuf,
    /// The certificate that clients trust.
    pub root: CertificateDer<'static>,
}

/// Makes a certificate for every host of [`DOMAIN`], its own root, in this folder.
pub fn make(folder: &Path) -> Result<Certificate> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let names = [format!("*.{DOMAIN}"), DOMAIN.to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.self_signed(&key)?;
    let (chain_pem, key_pem) = (certificate.pem(), key.serialize_pem());
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        Ok::<_, anyhow::Error>(path)
    };
    Ok(Certificate {
        chain: write("bench.crt", &chain_pem)?,
        key: write("bench.key", &key_pem)?,
        both: write("bench.pem", &(chain_pem.clone() + &key_pem))?,
        root: certificate.der().clone(),
    })
}
