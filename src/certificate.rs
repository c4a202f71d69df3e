//! Development certificates: self-signed and short-lived.
//!
//! A certificate made here is its own root and can't sign others. To avoid warnings, a client trusts this one certificate
//! (`curl --cacert certs/dev.crt`).

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::pki_types::ServerName;
use time::{Duration, OffsetDateTime};

use crumbgate_base::clock::Now;

/// The local names and addresses of every machine.
///
/// Many clients reject a wildcard directly below a top-level domain (curl and OpenSSL reject `*.localhost`; rustls and
/// some browsers accept it), so the hosts of tenants should be added.
pub const LOCAL_NAMES: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

/// A certificate and its key, ECDSA on P-256, valid for 90 days.
pub struct Development {
    /// The certificate, PEM.
    pub chain_pem: String,
    /// The key, PKCS#8 in PEM. A secret.
    pub key_pem: String,
    /// The SHA-256 of the public key in base64, for Chromium's `--ignore-certificate-errors-spki-list`.
    pub spki_sha256_base64: String,
}

impl fmt::Debug for Development {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Development(..)")
    }
}

/// The files of a [`Development`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The certificate.
    pub chain: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Makes a certificate for `names`: host names, wildcards (`*.example.org`) and addresses.
///
/// The certificate is valid from an hour before `now`, for clients whose clock is slow.
pub fn make(names: &[impl AsRef<str>], now: Now) -> Result<Development, Error> {
    let names: Vec<_> = names.iter().map(|name| name.as_ref().to_owned()).collect();
    if names.is_empty() {
        return Err(Error::NoName);
    }
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(Error::BadName { name: name.clone() });
    }

    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = i64::try_from(now.unix_s).ok();
    let made = made.and_then(|unix_s| OffsetDateTime::from_unix_timestamp(unix_s).ok());
    let made = made.ok_or(Error::BadClock { unix_s: now.unix_s })?;
    params.not_before = made.saturating_sub(CLOCK_SKEW);
    params.not_after = made.saturating_add(VALIDITY);

    Ok(Development {
        chain_pem: params.self_signed(&key)?.pem(),
        key_pem: key.serialize_pem(),
        spki_sha256_base64: STANDARD.encode(digest(&SHA256, &key.subject_public_key_info())),
    })
}

/// The common name that identifies the certificates of this module.
pub const COMMON_NAME: &str = "Crumbgate development certificate";

const CLOCK_SKEW: Duration = Duration::hours(1);
const VALIDITY: Duration = Duration::days(90);

fn is_name(name: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => matches!(ServerName::try_from(parent), Ok(ServerName::DnsName(_))),
        None => ServerName::try_from(name).is_ok(),
    }
}

impl Development {
    /// Writes `dev.crt` and `dev.key` (mode 0600) to `folder`, which is created if it does not exist. Waits for the disk.
    ///
    /// Each file is written under a temporary name and then renamed, so no reader sees a part of one. Existing files are
    /// an error, unless `overwrite` is set.
    pub fn write(&self, folder: &Path, overwrite: bool) -> Result<Written, Error> {
        let written = Written { chain: folder.join("dev.crt"), key: folder.join("dev.key") };
        if !overwrite
            && let Some(path) =
                [&written.chain, &written.key].into_iter().find(|path| path.exists())
        {
            return Err(Error::Exists { path: path.clone() });
        }
        fs::create_dir_all(folder)
            .map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        replace(&written.key, &self.key_pem, 0o600)?;
        replace(&written.chain, &self.chain_pem, 0o644)?;
        Ok(written)
    }
}

/// Writes `content` to `path` in one step.
fn replace(path: &Path, content: &str, mode: u32) -> Result<(), Error> {
    let aside = path.with_added_extension(format!("new-{}", process::id()));
    let replaced = write_new(&aside, content, mode).and_then(|()| fs::rename(&aside, path));
    replaced.map_err(|source| {
        // Best effort: the first error is returned, even if a temporary file remains.
        let _ = fs::remove_file(&aside);
        Error::Write { path: path.to_owned(), source }
    })
}

fn write_new(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// A reason why a certificate was not made or not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The time is outside the range of certificates.
    #[error(
        "the clock is {unix_s} s after 1970, outside the range of certificates; set it correctly"
    )]
    BadClock {
        /// Seconds since the Unix epoch.
        unix_s: u64,
    },
    /// The name is neither a host name, nor a wildcard, nor an address.
    #[error(
        "`{}` is not a host name or address; expected a name such as `acme.localhost` (other scripts \
         as `xn--…`), a wildcard such as `*.example.org`, or an address such as `127.0.0.1`",
        .name.escape_debug()
    )]
    BadName {
        /// The name as given.
        name: String,
    },
    /// The file exists and would be lost.
    #[error("{path} exists already; use --overwrite to replace it")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The library returned an error.
    #[error("the certificate could not be made")]
    Make(#[from] rcgen::Error),
    /// The list of names is empty.
    #[error("a certificate needs at least one name, such as `localhost`")]
    NoName,
    /// The file or folder can't be written.
    #[error("{path} can't be written; check the permissions of the folder and the free space")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
        process::{Command, Output, Stdio},
        sync::Arc,
        thread,
    };

    use rustls::{ServerConnection, StreamOwned};

    use super::*;
    use crumbgate_base::clock::Clock;
    use crumbgate_config::{CertificateFiles, Tls, TlsVersion};
    use crumbgate_gateway::proxy::tls::{Certificates, Tickets, server_config};

    const NAMES: [&str; 5] = ["localhost", "*.localhost", "acme.localhost", "127.0.0.1", "::1"];

    fn run(program: &str, arguments: &[&str]) -> Output {
        let run = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        run.unwrap_or_else(|error| panic!("{program} can't be run: {error}"))
    }

    fn made_in(folder: &Path) -> (Development, Written) {
        let made = make(&NAMES, Clock::system().now()).unwrap();
        let written = made.write(folder, false).unwrap();
        (made, written)
    }

    #[test]
    fn openssl_accepts_the_certificate_for_each_name_and_finds_the_same_public_key() {
        let folder = tempfile::tempdir().unwrap();
        let (made, written) = made_in(folder.path());
        let chain = written.chain.to_str().unwrap();
        for name in [
            ["-verify_hostname", "localhost"],
            ["-verify_hostname", "acme.localhost"],
            ["-verify_ip", "127.0.0.1"],
            ["-verify_ip", "::1"],
        ] {
            let options = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", chain];
            let verified = run("openssl", &[&options[..], &name, &[chain]].concat());
            assert!(verified.status.success(), "{name:?}: {verified:?}");
        }
        let options = ["verify", "-CAfile", chain, "-verify_hostname", "elsewhere.example", chain];
        assert!(!run("openssl", &options).status.success());

        let shell = "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der \
                     | openssl dgst -sha256 -binary | openssl base64";
        let pin = run("sh", &["-c", shell, chain]);
        assert_eq!(String::from_utf8(pin.stdout).unwrap().trim(), made.spki_sha256_base64);
    }

    #[test]
    fn curl_accepts_a_trusted_certificate_and_rejects_others() {
        let folder = tempfile::tempdir().unwrap();
        let (_, written) = made_in(folder.path());
        let chain = written.chain.to_str().unwrap();
        let (port, server) = serve_once_each(&written, 3);
        for host in ["localhost", "acme.localhost"] {
            let url = format!("https://{host}:{port}/");
            let resolve = format!("{host}:{port}:127.0.0.1");
            let answer = run(
                "curl",
                &["-sS", "--noproxy", "*", "--http1.1", "-m", "10", "--cacert", chain]
                    .into_iter()
                    .chain(["--resolve", &resolve, &url])
                    .collect::<Vec<_>>(),
            );
            assert_eq!(String::from_utf8_lossy(&answer.stdout), "made on the spot", "{answer:?}");
        }
        let url = format!("https://127.0.0.1:{port}/");
        let answer = run("curl", &["-sS", "--noproxy", "*", "-m", "10", &url]);
        assert_eq!(answer.status.code(), Some(60), "{answer:?}"); // not verified
        server.join().unwrap();
    }

    /// Answers one request on each of `connections`, over TLS.
    fn serve_once_each(written: &Written, connections: usize) -> (u16, thread::JoinHandle<()>) {
        let files = CertificateFiles { chain: written.chain.clone(), key: written.key.clone() };
        let tls = Tls { certificates: vec![files], min_version: TlsVersion::V1_2, hsts: None };
        let (certificates, warnings) = Certificates::load(&tls, Clock::system().now()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let tickets = Tickets::new().unwrap();
        let config = server_config(Arc::new(certificates), TlsVersion::V1_2, &tickets);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            for _ in 0..connections {
                let (socket, _) = listener.accept().unwrap();
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, socket));
                let mut line = String::new();
                // A client that refuses the certificate ends here.
                while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                    line.clear();
                }
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n\
                              made on the spot";
                let _ = stream.get_mut().write_all(answer.as_bytes());
                stream.get_mut().conn.send_close_notify();
                let _ = stream.get_mut().flush();
            }
        });
        (port, server)
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_key_and_no_temporary_file_remains() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (made, written) = made_in(&folder.path().join("new/certs"));
        assert_eq!(fs::metadata(&written.key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&written.key).unwrap(), made.key_pem);
        assert_eq!(fs::read_to_string(&written.chain).unwrap(), made.chain_pem);
        assert_eq!(fs::read_dir(folder.path().join("new/certs")).unwrap().count(), 2);
        assert_eq!(format!("{made:?}"), "Development(..)");
    }

    #[test]
    fn existing_files_are_replaced_only_with_overwrite() {
        let folder = tempfile::tempdir().unwrap();
        let (first, written) = made_in(folder.path());
        let second = make(&NAMES, Clock::system().now()).unwrap();
        let refusal = second.write(folder.path(), false).unwrap_err().to_string();
        assert!(refusal.contains("dev.crt exists already"), "{refusal}");
        assert_eq!(fs::read_to_string(&written.key).unwrap(), first.key_pem);

        second.write(folder.path(), true).unwrap();
        assert_eq!(fs::read_to_string(&written.key).unwrap(), second.key_pem);
        assert_eq!(fs::read_to_string(&written.chain).unwrap(), second.chain_pem);
    }

    #[test]
    fn the_error_of_a_folder_that_cannot_be_created_has_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let made = make(&NAMES, Clock::system().now()).unwrap();
        let error = made.write(&file.join("certs"), false).unwrap_err();
        assert!(matches!(&error, Error::Write { path, .. } if path == &file.join("certs")));
    }

    #[test]
    fn invalid_names_are_rejected() {
        let now = Clock::system().now();
        for name in ["", "a b", "http://a.example", "büro.example", "*.", "*.127.0.0.1", "*"] {
            assert!(matches!(make(&[name], now), Err(Error::BadName { .. })), "{name}");
        }
        assert!(matches!(make(&[""; 0], now), Err(Error::NoName)));
        assert!(make(&LOCAL_NAMES, now).is_ok());
    }
}
