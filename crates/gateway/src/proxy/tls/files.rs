//! Reads certificate and key files, checks them against each other, and reports problems.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    InconsistentKeys,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crumbgate_base::clock::Now;
use crumbgate_config::CertificateFiles;

/// The expiry of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expiry {
    /// The chain's file.
    pub file: PathBuf,
    /// The last second of its validity, in seconds since the Unix epoch.
    pub not_after_unix_s: i64,
}

/// A certificate with a matching key and a chain in the correct order.
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The DNS names of the leaf, in lower case, including wildcards.
    pub(super) names: Vec<String>,
    /// The addresses of the leaf.
    pub(super) addresses: Vec<IpAddr>,
    /// In seconds since the Unix epoch.
    not_before: i64,
    not_after: i64,
}

impl Certificate {
    pub(super) fn load(files: &CertificateFiles) -> Result<Self, Vec<CertificateError>> {
        let (chain, key) = match (read_chain(&files.chain), read_key(&files.key)) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        Self::assemble(files, chain, &key).map_err(|error| vec![error])
    }

    fn assemble(
        files: &CertificateFiles,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let key = any_supported_type(key)
            .map_err(|_| CertificateError::UnusableKey { file: files.key.clone() })?;
        let key = CertifiedKey::new(chain, key);
        check_key_fits(files, &key)?;

        let parsed = parse_chain(&files.chain, &key.cert)?;
        check_order(&files.chain, &parsed)?;
        let leaf = &parsed[0];
        let (names, addresses) = subject_names(leaf);
        let not_before = leaf.validity().not_before.timestamp();
        let not_after = leaf.validity().not_after.timestamp();
        drop(parsed);
        Ok(Self { key: Arc::new(key), names, addresses, not_before, not_after })
    }

    pub(super) fn expiry(&self, files: &CertificateFiles) -> Expiry {
        Expiry { file: files.chain.clone(), not_after_unix_s: self.not_after }
    }

    pub(super) fn warnings(&self, files: &CertificateFiles, now: Now) -> Vec<CertificateWarning> {
        let file = files.chain.clone();
        let now = i64::try_from(now.unix_s).unwrap_or(i64::MAX);
        // Short-lived certificates are usually renewed after two thirds of their lifetime.
        let soon_s = SOON_S.min(self.not_after.saturating_sub(self.not_before) / 3);
        let mut warnings = Vec::new();
        if now < self.not_before {
            warnings.push(CertificateWarning::NotYetValid { file, from: date(self.not_before) });
        } else if now > self.not_after {
            warnings.push(CertificateWarning::Expired { file, since: date(self.not_after) });
        } else if self.not_after.saturating_sub(now) < soon_s {
            let days = self.not_after.saturating_sub(now) / DAY_S;
            warnings.push(CertificateWarning::ExpiresSoon { file, on: date(self.not_after), days });
        }
        if self.names.is_empty() && self.addresses.is_empty() {
            warnings.push(CertificateWarning::Nameless { file: files.chain.clone() });
        }
        warnings.extend(warning_of_open_key(&files.key));
        warnings
    }
}

const DAY_S: i64 = 86_400;
const SOON_S: i64 = 30 * DAY_S;

fn check_key_fits(files: &CertificateFiles, key: &CertifiedKey) -> Result<(), CertificateError> {
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(&key.key)).keys_match()
    };
    match key.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let (chain, key_file) = (files.chain.clone(), files.key.clone());
            match key.cert.iter().position(|certificate| fits(certificate).is_ok()) {
                Some(index) => {
                    Err(CertificateError::LeafNotFirst { chain, key_file, position: index + 1 })
                }
                None => Err(CertificateError::KeyMismatch { chain, key_file }),
            }
        }
        Err(error) => Err(CertificateError::Malformed {
            file: files.chain.clone(),
            position: 1,
            reason: error.to_string(),
        }),
    }
}

fn parse_chain<'c>(
    file: &Path,
    chain: &'c [CertificateDer<'static>],
) -> Result<Vec<X509Certificate<'c>>, CertificateError> {
    let parse = |(index, der): (usize, &'c CertificateDer<'static>)| {
        let parsed = X509Certificate::from_der(der);
        parsed.map(|(_, certificate)| certificate).map_err(|error| CertificateError::Malformed {
            file: file.to_owned(),
            position: index + 1,
            reason: error.to_string(),
        })
    };
    chain.iter().enumerate().map(parse).collect()
}

/// Checks that each certificate is followed by its issuer's (RFC 5246, section 7.4.2), which some clients require.
fn check_order(file: &Path, chain: &[X509Certificate<'_>]) -> Result<(), CertificateError> {
    let out_of_order =
        |pair: &&[X509Certificate<'_>]| pair[0].issuer().as_raw() != pair[1].subject().as_raw();
    let pairs = chain.windows(2).enumerate();
    match pairs.into_iter().find(|(_, pair)| out_of_order(pair)) {
        None => Ok(()),
        Some((index, pair)) => Err(CertificateError::OutOfOrder {
            file: file.to_owned(),
            position: index + 2,
            found: pair[1].subject().to_string(),
            expected: pair[0].issuer().to_string(),
        }),
    }
}

/// The DNS names (in lower case) and addresses of a certificate. Its common name does not count (RFC 9525, section 2).
fn subject_names(certificate: &X509Certificate<'_>) -> (Vec<String>, Vec<IpAddr>) {
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    let alternatives = certificate.extensions().iter().filter_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        }
    });
    for name in alternatives.flatten() {
        match name {
            GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(octets) => addresses.extend(address(octets)),
            _ => {}
        }
    }
    (names, addresses)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

#[cfg(unix)]
fn warning_of_open_key(file: &Path) -> Option<CertificateWarning> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & 0o004 != 0).then(|| CertificateWarning::OpenKey { file: file.to_owned(), mode })
}

#[cfg(not(unix))]
fn warning_of_open_key(_file: &Path) -> Option<CertificateWarning> {
    None
}

pub(super) fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let content = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let chain = chain.map_err(|error| damaged(file, &error))?;
    if chain.is_empty() {
        let found = describe(&content);
        return Err(CertificateError::NoCertificate { file: file.to_owned(), found });
    }
    Ok(chain)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let content = read(file)?;
    if is_encrypted(&content) {
        return Err(CertificateError::EncryptedKey { file: file.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            CertificateError::NoKey { file: file.to_owned(), found: describe(&content) }
        }
        error => damaged(file, &error),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(file).map_err(|source| CertificateError::Unreadable { file: file.to_owned(), source })
}

/// Returns `true` for an encrypted key: PKCS#8 marks it in the label, older formats in a field below (RFC 1421, section
/// 4.6.1.1).
fn is_encrypted(content: &[u8]) -> bool {
    let content = String::from_utf8_lossy(content);
    content.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || content.contains("Proc-Type: 4,ENCRYPTED")
}

fn damaged(file: &Path, error: &pem::Error) -> CertificateError {
    let reason = match error {
        pem::Error::Base64Decode(_) => "the text between BEGIN and END is not base64",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is incomplete",
        pem::Error::MissingSectionEnd { .. } => {
            "an END line is missing, as if the file were truncated"
        }
        _ => "it can't be read as PEM",
    };
    CertificateError::Damaged { file: file.to_owned(), reason }
}

/// The actual content of a file, for an error message.
fn describe(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let label = |line: &str| {
        let label = line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
        Some(label.escape_debug().to_string())
    };
    let labels: Vec<_> = text.lines().filter_map(label).collect();
    match labels.as_slice() {
        [] if content.is_empty() => "it is empty".to_owned(),
        [] if content.starts_with(&[DER_SEQUENCE]) => {
            "it is binary (DER); convert it: openssl x509 (or pkey) -inform der".to_owned()
        }
        [] => "it has no PEM section (-----BEGIN …-----)".to_owned(),
        [label] => format!("it holds: {label}"),
        [label, rest @ ..] => format!("it holds: {label} and {} more", rest.len()),
    }
}

const DER_SEQUENCE: u8 = 0x30;

/// A time as text. After the year 9999, a number of seconds.
fn date(unix_s: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(unix_s) {
        Ok(time) => format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute()),
        Err(_) => format!("{unix_s} s after 1970"),
    }
}

/// The reason that a certificate can't be used. Each message has the file, the problem and its solution.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// PEM that is truncated or not base64.
    #[error("{file}: damaged: {reason}; write the file again")]
    Damaged {
        file: PathBuf,
        /// The problem.
        reason: &'static str,
    },
    /// A key that needs a passphrase.
    #[error(
        "{file}: the key is encrypted, and Crumbgate can't ask for its passphrase; decrypt it: \
                 openssl pkey -in {file} -out NEW.key, and let only Crumbgate's user read NEW.key"
    )]
    EncryptedKey { file: PathBuf },
    /// A key of another certificate.
    #[error(
        "{key_file}: the key does not match the certificate in {chain}; configure the two files \
                 that were issued together"
    )]
    KeyMismatch { chain: PathBuf, key_file: PathBuf },
    /// A chain that does not begin with the certificate of the key.
    #[error(
        "{chain}: the certificate of {key_file} is number {position} in the file; it must be \
                 first, followed by its issuer's"
    )]
    LeafNotFirst {
        chain: PathBuf,
        key_file: PathBuf,
        /// The certificate's position, from 1.
        position: usize,
    },
    /// Valid PEM whose content is not an X.509 certificate.
    #[error("{file}: certificate {position} is not a valid X.509 certificate ({reason})")]
    Malformed {
        file: PathBuf,
        /// The certificate's position, from 1.
        position: usize,
        /// The problem.
        reason: String,
    },
    /// A file without a certificate.
    #[error(
        "{file}: the file has no certificate: {found}; expected the chain in PEM (-----BEGIN \
         CERTIFICATE-----), leaf first"
    )]
    NoCertificate {
        file: PathBuf,
        /// Its actual content.
        found: String,
    },
    /// A file without a private key.
    #[error(
        "{file}: the file has no private key: {found}; expected the key in PEM (-----BEGIN PRIVATE \
         KEY-----)"
    )]
    NoKey {
        file: PathBuf,
        /// Its actual content.
        found: String,
    },
    /// A system without trusted root certificates.
    #[error(
        "the system has no trusted root certificates; install them (Debian: ca-certificates) or \
                 configure a bundle with `ca` ({errors})"
    )]
    NoSystemRoots {
        /// The errors of the search.
        errors: String,
    },
    /// No certificate in `[tls]`.
    #[error(
        "[tls] lists no certificate; `crumbgate certificate` creates one for development: \
         certificates = [{{ chain = \"certs/dev.crt\", key = \"certs/dev.key\" }}]"
    )]
    NoneListed,
    /// A chain in the wrong order.
    #[error(
        "{file}: certificate {position} is `{found}`, but the one before it was issued by \
         `{expected}`; order the chain: leaf first, then each one's issuer"
    )]
    OutOfOrder {
        file: PathBuf,
        /// Position of the first certificate that is out of place, from 1.
        position: usize,
        /// Its subject.
        found: String,
        /// The expected subject.
        expected: String,
    },
    /// An unreadable file.
    #[error("{file}: {}", advice_for_unreadable(.source))]
    Unreadable {
        file: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A key of an unsupported kind.
    #[error(
        "{file}: the key can't be used; expected RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 \
         or P-521, or Ed25519"
    )]
    UnusableKey { file: PathBuf },
}

fn advice_for_unreadable(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => "it is a folder; configure the file in it",
        io::ErrorKind::NotFound => {
            "no such file; correct the path (`crumbgate certificate` creates one for development)"
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that Crumbgate runs as read it"
        }
        _ => "it can't be read",
    }
}

/// A certificate that is usable but needs attention.
#[derive(Debug, thiserror::Error)]
pub enum CertificateWarning {
    /// An expired certificate.
    #[error("{file}: the certificate expired on {since}: browsers refuse it; renew it")]
    Expired {
        file: PathBuf,
        /// The time of expiry.
        since: String,
    },
    /// A certificate in the last 30 days of its lifetime, or in its last third if that is shorter.
    #[error("{file}: the certificate expires on {on} (days left: {days}); renew it")]
    ExpiresSoon {
        file: PathBuf,
        /// The time of expiry.
        on: String,
        /// Whole days until then.
        days: i64,
    },
    /// A certificate for no name and no address.
    #[error(
        "{file}: the certificate has no subject alternative name: browsers accept it for no host"
    )]
    Nameless { file: PathBuf },
    /// A certificate that is not valid yet.
    #[error(
        "{file}: the certificate is valid only from {from}: browsers refuse it until then (is this \
         machine's clock right?)"
    )]
    NotYetValid {
        file: PathBuf,
        /// The start of its validity.
        from: String,
    },
    /// A key that every user of the machine can read.
    #[error("{file}: every user of this machine can read the key (mode {mode:o}); chmod o-rwx it")]
    OpenKey {
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}
