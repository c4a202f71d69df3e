use std::{
    error::Error as _,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize, SignatureAlgorithm,
};
use rustls::{
    ClientConnection, HandshakeKind, ProtocolVersion, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion,
    crypto::{
        CryptoProvider,
        aws_lc_rs::cipher_suite::{
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        },
    },
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use super::*;
use crumbgate_config::CertificateFiles;

const NOW: Now = Now { unix_s: 1_800_000_000, uptime_s: 0 };
const DAY: Duration = Duration::DAY;

/// A folder with a root, an intermediate authority, and what they issue.
struct Authority {
    folder: TempDir,
    root: rcgen::Certificate,
    intermediate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root_key = KeyPair::generate().unwrap();
        let root_params = authority("Test root");
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, root_key);

        let key = KeyPair::generate().unwrap();
        let params = authority("Test intermediate");
        let intermediate = params.signed_by(&key, &root_issuer).unwrap();
        fs::write(folder.path().join("root.crt"), root.pem()).unwrap();
        Self { folder, root, intermediate, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    /// A chain and its key, as files named after the first of `names`.
    fn issue(&self, names: &[&str]) -> CertificateFiles {
        self.issue_for(names, &KeyPair::generate().unwrap(), -DAY, DAY * 90)
    }

    fn issue_for(
        &self,
        names: &[&str],
        key: &KeyPair,
        from: Duration,
        to: Duration,
    ) -> CertificateFiles {
        let leaf = self.leaf(names, key, from, to);
        let stem = format!("{}-{:p}", names.first().unwrap_or(&"none").replace('*', "any"), key);
        let chain = leaf.pem() + &self.intermediate.pem();
        CertificateFiles {
            chain: self.write(&format!("{stem}.crt"), &chain),
            key: self.write(&format!("{stem}.key"), &key.serialize_pem()),
        }
    }

    fn leaf(
        &self,
        names: &[&str],
        key: &KeyPair,
        from: Duration,
        to: Duration,
    ) -> rcgen::Certificate {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test leaf");
        params.not_before = test_time() + from;
        params.not_after = test_time() + to;
        params.signed_by(key, &self.issuer).unwrap()
    }

    /// The result of verifying these certificates as a client that trusts the root.
    fn client(&self) -> ClientConfig {
        let mut config = (*client_config(Some(&self.path("root.crt"))).unwrap()).clone();
        // The verifier reads the machine's clock, the certificates are around NOW.
        config.time_provider = Arc::new(TestTime);
        config
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = test_time() - DAY * 1000;
    params.not_after = test_time() + DAY * 1000;
    params
}

fn test_time() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW.unix_s.try_into().unwrap()).unwrap()
}

#[derive(Debug)]
struct TestTime;

impl rustls::time_provider::TimeProvider for TestTime {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let since = std::time::Duration::from_secs(NOW.unix_s);
        Some(rustls::pki_types::UnixTime::since_unix_epoch(since))
    }
}

fn tls(certificates: Vec<CertificateFiles>) -> config::Tls {
    config::Tls { certificates, min_version: TlsVersion::V1_2, hsts: None }
}

fn load(certificates: Vec<CertificateFiles>) -> Certificates {
    let (loaded, warnings) = Certificates::load(&tls(certificates), NOW).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    loaded
}

fn errors(certificates: Vec<CertificateFiles>) -> Vec<CertificateError> {
    Certificates::load(&tls(certificates), NOW).unwrap_err()
}

fn warnings(certificates: Vec<CertificateFiles>) -> Vec<String> {
    let (_, warnings) = Certificates::load(&tls(certificates), NOW).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

fn only_error(files: CertificateFiles) -> String {
    let errors = errors(vec![files]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

fn server(certificates: Vec<CertificateFiles>, min_version: TlsVersion) -> Arc<ServerConfig> {
    server_config(Arc::new(load(certificates)), min_version, &Tickets::new().unwrap())
}

/// The result of a handshake, for the client.
#[derive(Debug)]
struct Met {
    version: ProtocolVersion,
    alpn: Option<Vec<u8>>,
    leaf: CertificateDer<'static>,
    kind: HandshakeKind,
}

/// A handshake in memory, and one answer, so that tickets reach the client.
fn meet(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    host: &str,
) -> Result<Met, rustls::Error> {
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut client = ClientConnection::new(Arc::clone(client), server_name(host).unwrap())?;
    server.writer().write_all(b"hello").unwrap();
    while client.wants_write() || server.wants_write() {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        let mut sent = sent.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).unwrap();
            server.process_new_packets()?;
        }
        let mut answered = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answered).unwrap();
        }
        let mut answered = answered.as_slice();
        while !answered.is_empty() {
            client.read_tls(&mut answered).unwrap();
            client.process_new_packets()?;
        }
    }
    let mut hello = [0; 5];
    client.reader().read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello");
    Ok(Met {
        version: client.protocol_version().unwrap(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        leaf: client.peer_certificates().unwrap()[0].clone().into_owned(),
        kind: client.handshake_kind().unwrap(),
    })
}

fn leaf_of(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.chain).unwrap()
}

#[test]
fn an_exact_name_comes_before_a_wildcard_and_a_wildcard_before_the_first_listed() {
    let authority = Authority::new();
    let first = authority.issue(&["first.example", "127.0.0.1"]);
    let wildcard = authority.issue(&["*.flexopus.example"]);
    let exact = authority.issue(&["Acme.Flexopus.example"]);
    let server = server(vec![first.clone(), wildcard.clone(), exact.clone()], TlsVersion::V1_2);
    let client = Arc::new(authority.client());

    for (host, expected) in [
        ("acme.flexopus.example", &exact),
        ("ACME.flexopus.EXAMPLE", &exact),
        ("globex.flexopus.example", &wildcard),
        ("first.example", &first),
        ("127.0.0.1", &first), // no server name is sent for an address
    ] {
        let met = meet(&server, &client, host).unwrap();
        assert_eq!(met.leaf, leaf_of(expected), "{host}");
    }
    for unknown in ["flexopus.example", "a.b.flexopus.example", "elsewhere.example"] {
        let error = meet(&server, &client, unknown).unwrap_err().to_string();
        assert!(error.contains("first.example"), "{unknown}: {error}");
    }
}

#[test]
fn of_two_certificates_for_a_name_the_first_that_the_client_can_verify_is_shown() {
    let authority = Authority::new();
    let key = |algorithm: &'static SignatureAlgorithm| match algorithm {
        a if a == &PKCS_RSA_SHA256 => KeyPair::generate_rsa_for(a, RsaKeySize::_2048).unwrap(),
        a => KeyPair::generate_for(a).unwrap(),
    };
    let ecdsa = authority.issue_for(&["a.example"], &key(&PKCS_ECDSA_P256_SHA256), -DAY, DAY * 90);
    let rsa = authority.issue_for(&["a.example"], &key(&PKCS_RSA_SHA256), -DAY, DAY * 90);
    let server = server(vec![ecdsa.clone(), rsa.clone()], TlsVersion::V1_2);

    let only = |suite: SupportedCipherSuite| {
        let provider = CryptoProvider { cipher_suites: vec![suite], ..(*provider()).clone() };
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_root_certificates(files_roots(&authority))
            .with_no_client_auth();
        client.time_provider = Arc::new(TestTime);
        Arc::new(client)
    };
    let met = meet(&server, &only(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), "a.example").unwrap();
    assert_eq!(met.leaf, leaf_of(&rsa));
    let met = meet(&server, &only(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), "a.example").unwrap();
    assert_eq!(met.leaf, leaf_of(&ecdsa));
    let met = meet(&server, &Arc::new(authority.client()), "a.example").unwrap();
    assert_eq!(met.leaf, leaf_of(&ecdsa));
}

fn files_roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.der().clone()).unwrap();
    roots
}

fn speaking(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(files_roots(authority))
        .with_no_client_auth();
    client.time_provider = Arc::new(TestTime);
    client.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    Arc::new(client)
}

#[test]
fn both_versions_are_accepted_and_min_version_1_3_refuses_1_2() {
    let authority = Authority::new();
    let files = authority.issue(&["a.example"]);
    let since_1_2 = server(vec![files.clone()], TlsVersion::V1_2);
    let since_1_3 = server(vec![files], TlsVersion::V1_3);
    let old = speaking(&authority, &[&TLS12]);
    let new = speaking(&authority, &[&TLS13]);

    let version = |server, client| meet(server, client, "a.example").map(|met| met.version);
    assert_eq!(version(&since_1_2, &old).unwrap(), ProtocolVersion::TLSv1_2);
    assert_eq!(version(&since_1_2, &new).unwrap(), ProtocolVersion::TLSv1_3);
    assert_eq!(version(&since_1_3, &new).unwrap(), ProtocolVersion::TLSv1_3);
    let refusal = version(&since_1_3, &old).unwrap_err();
    assert!(matches!(refusal, rustls::Error::PeerIncompatible(_)), "{refusal:?}");
}

#[test]
fn http_2_comes_before_http_1_1_and_applications_are_asked_for_http_1_1() {
    let authority = Authority::new();
    let server = server(vec![authority.issue(&["a.example"])], TlsVersion::V1_2);

    let browser = meet(&server, &speaking(&authority, &[&TLS13]), "a.example").unwrap();
    assert_eq!(browser.alpn.unwrap(), b"h2");
    let upstream = meet(&server, &Arc::new(authority.client()), "a.example").unwrap();
    assert_eq!(upstream.alpn.unwrap(), b"http/1.1");
    let mut silent = authority.client();
    silent.alpn_protocols.clear();
    assert_eq!(meet(&server, &Arc::new(silent), "a.example").unwrap().alpn, None);
    let mut other = authority.client();
    other.alpn_protocols = vec![b"spdy/3".to_vec()];
    assert!(meet(&server, &Arc::new(other), "a.example").is_err());
}

#[test]
fn a_session_resumes_on_another_worker() {
    let authority = Authority::new();
    let server = server(vec![authority.issue(&["a.example"])], TlsVersion::V1_2);
    for versions in [&[&TLS12], &[&TLS13]] {
        let client = speaking(&authority, versions);
        assert_eq!(on_a_worker(&server, &client), HandshakeKind::Full);
        assert_eq!(on_a_worker(&server, &client), HandshakeKind::Resumed);
    }
}

/// One handshake over a socket, on a thread of its own with its own listener.
fn on_a_worker(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> HandshakeKind {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::clone(server);
    let worker = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(server).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, socket);
        stream.write_all(b"hello").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        // Until the client has closed: a reset would take what it has not read.
        let _ = stream.sock.read_to_end(&mut Vec::new());
    });
    let connection =
        ClientConnection::new(Arc::clone(client), server_name("a.example").unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello");
    let kind = stream.conn.handshake_kind().unwrap();
    drop(stream);
    worker.join().unwrap();
    kind
}

#[test]
fn a_session_outlives_a_certificate_reload_that_keeps_the_tickets() {
    let authority = Authority::new();
    let tickets = Tickets::new().unwrap();
    let serve = |tickets: &Tickets| {
        let certificates = Arc::new(load(vec![authority.issue(&["a.example"])]));
        server_config(certificates, TlsVersion::V1_2, tickets)
    };
    let client = Arc::new(authority.client());
    let kind = |server: &Arc<ServerConfig>| meet(server, &client, "a.example").unwrap().kind;
    assert_eq!(kind(&serve(&tickets)), HandshakeKind::Full);
    assert_eq!(kind(&serve(&tickets)), HandshakeKind::Resumed);
    assert_eq!(kind(&serve(&Tickets::new().unwrap())), HandshakeKind::Full);
}

#[test]
fn covers_follows_what_a_browser_is_shown() {
    let authority = Authority::new();
    let first = authority.issue(&["localhost", "127.0.0.1", "::1"]);
    let second = authority.issue(&["*.flexopus.example", "10.0.0.1"]);
    let certificates = load(vec![first, second]);
    for host in
        ["localhost", "127.0.0.1", "::1", "[::1]", "a.flexopus.example", "*.flexopus.example"]
    {
        assert!(certificates.covers(host), "{host}");
    }
    for host in ["flexopus.example", ".flexopus.example", "a.b.flexopus.example", "10.0.0.1", "*"] {
        assert!(!certificates.covers(host), "{host}");
    }
}

#[test]
fn all_errors_are_reported_at_once_with_the_file_and_the_fix() {
    let authority = Authority::new();
    let good = authority.issue(&["a.example"]);
    let missing = CertificateFiles {
        chain: authority.path("missing.crt"),
        key: authority.path("missing.key"),
    };
    let swapped = CertificateFiles { chain: good.key.clone(), key: good.chain.clone() };
    let found = errors(vec![missing.clone(), good.clone(), swapped]);
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            format!(
                "{}: no such file; correct the path (`crumbgate certificate` creates one for \
                 development)",
                missing.chain.display()
            ),
            format!(
                "{}: no such file; correct the path (`crumbgate certificate` creates one for \
                 development)",
                missing.key.display()
            ),
            format!(
                "{}: the file has no certificate: it holds: PRIVATE KEY; expected the chain in PEM \
                 (-----BEGIN CERTIFICATE-----), leaf first",
                good.key.display()
            ),
            format!(
                "{}: the file has no private key: it holds: CERTIFICATE and 1 more; expected the key in \
                 PEM (-----BEGIN PRIVATE KEY-----)",
                good.chain.display()
            ),
        ]
    );
    assert!(found[0].source().is_some());
    assert!(errors(vec![])[0].to_string().starts_with("[tls] lists no certificate; `crumbgate"));
}

#[test]
fn a_file_that_is_no_pem_is_reported_with_what_it_contains() {
    let authority = Authority::new();
    let good = authority.issue(&["a.example"]);
    let der = authority.path("a.der");
    fs::write(&der, leaf_of(&good)).unwrap();
    let with_chain = |chain: PathBuf| only_error(CertificateFiles { chain, key: good.key.clone() });

    assert!(with_chain(der).contains("it is binary (DER); convert it: openssl x509"));
    assert!(with_chain(authority.write("empty", "")).contains(": it is empty;"));
    assert!(with_chain(authority.write("text", "hi")).contains(": it has no PEM section"));
    assert!(with_chain(authority.folder.path().to_owned()).contains("it is a folder"));
    let cut = fs::read_to_string(&good.chain).unwrap()[..300].to_owned();
    assert!(with_chain(authority.write("cut", &cut)).contains("as if the file were truncated"));
    let junk = "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n";
    assert!(with_chain(authority.write("junk", junk)).contains("is not base64"));
    let no_x509 = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let error = with_chain(authority.write("no_x509", no_x509));
    assert!(error.contains("certificate 1 is not a valid X.509 certificate"), "{error}");
}

#[test]
fn an_encrypted_key_is_refused_with_the_command_that_decrypts_it() {
    let authority = Authority::new();
    let good = authority.issue(&["a.example"]);
    for text in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n\
         aGVsbG8=\n-----END RSA PRIVATE KEY-----\n",
    ] {
        let key = authority.write("encrypted.key", text);
        let error = only_error(CertificateFiles { chain: good.chain.clone(), key: key.clone() });
        assert!(error.contains(&format!("openssl pkey -in {} -out", key.display())), "{error}");
    }
}

#[test]
fn a_key_that_does_not_fit_and_a_chain_that_is_not_leaf_first_are_different_errors() {
    let authority = Authority::new();
    let a = authority.issue(&["a.example"]);
    let b = authority.issue(&["b.example"]);
    let error = only_error(CertificateFiles { chain: a.chain.clone(), key: b.key.clone() });
    assert_eq!(
        error,
        format!(
            "{}: the key does not match the certificate in {}; configure the two files that were \
             issued together",
            b.key.display(),
            a.chain.display()
        )
    );

    let key = KeyPair::generate().unwrap();
    let leaf = authority.leaf(&["c.example"], &key, -DAY, DAY * 90).pem();
    let chain = authority.write("reversed.crt", &(authority.intermediate.pem() + &leaf));
    let key = authority.write("reversed.key", &key.serialize_pem());
    let error = only_error(CertificateFiles { chain, key });
    assert!(error.contains("is number 2 in the file; it must be first"), "{error}");
}

#[test]
fn a_chain_whose_authorities_are_out_of_order_is_refused() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let leaf = authority.leaf(&["a.example"], &key, -DAY, DAY * 90).pem();
    let key = authority.write("a.key", &key.serialize_pem());
    let (root, intermediate) = (authority.root.pem(), authority.intermediate.pem());

    let chain = authority.write("out-of-order.crt", &format!("{leaf}{root}{intermediate}"));
    let error = only_error(CertificateFiles { chain, key: key.clone() });
    assert!(error.contains("certificate 2 is `CN=Test root`"), "{error}");
    assert!(error.contains("issued by `CN=Test intermediate`"), "{error}");
    let chain = authority.write("in-order.crt", &format!("{leaf}{intermediate}{root}"));
    load(vec![CertificateFiles { chain, key }]);
}

#[test]
fn a_key_that_cannot_sign_is_refused() {
    let authority = Authority::new();
    let good = authority.issue(&["a.example"]);
    let no_key = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
    let key = authority.write("no.key", no_key);
    let error = only_error(CertificateFiles { chain: good.chain, key });
    assert!(error.contains("the key can't be used; expected RSA of 2048"), "{error}");
}

#[test]
fn what_is_out_of_date_or_near_its_end_is_a_warning_with_the_date() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let warning = |from, to| {
        let warnings = warnings(vec![authority.issue_for(&["a.example"], &key, from, to)]);
        assert!(warnings.len() < 2, "{warnings:?}");
        warnings.into_iter().next().unwrap_or_default()
    };
    let expired = warning(-DAY * 90, -DAY);
    assert!(expired.ends_with("expired on 2027-01-14 08:00 UTC: browsers refuse it; renew it"));
    let early = warning(DAY, DAY * 90);
    assert!(early.contains("is valid only from 2027-01-16 08:00 UTC: browsers refuse it until"));
    let ending = warning(-DAY * 61, DAY * 29);
    assert!(
        ending.ends_with("expires on 2027-02-13 08:00 UTC (days left: 29); renew it"),
        "{ending}"
    );
    assert_eq!(warning(-DAY * 59, DAY * 31), "");
    // A short-lived certificate is near its end in its last third.
    assert_eq!(warning(-DAY * 3, DAY * 3), "");
    assert!(warning(-DAY * 5, DAY).contains("(days left: 1)"));
}

#[test]
fn a_certificate_without_a_name_is_a_warning() {
    let authority = Authority::new();
    let warnings = warnings(vec![authority.issue(&[])]);
    assert!(warnings[0].ends_with("no subject alternative name: browsers accept it for no host"));
}

#[cfg(unix)]
#[test]
fn a_key_that_everybody_can_read_is_a_warning() {
    let authority = Authority::new();
    let files = authority.issue(&["a.example"]);
    fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let warnings = warnings(vec![files.clone()]);
    assert_eq!(
        warnings,
        [format!(
            "{}: every user of this machine can read the key (mode 644); chmod o-rwx it",
            files.key.display()
        )]
    );
}

#[test]
fn applications_are_verified_by_the_given_authority_alone() {
    let authority = Authority::new();
    let server = server(vec![authority.issue(&["a.example", "127.0.0.1"])], TlsVersion::V1_2);
    let client = Arc::new(authority.client());
    assert!(meet(&server, &client, "a.example").is_ok());
    assert!(meet(&server, &client, "127.0.0.1").is_ok());
    assert!(meet(&server, &client, "b.example").is_err());
    let stranger = Arc::new(Authority::new().client());
    assert!(meet(&server, &stranger, "a.example").is_err());
}

#[test]
fn a_ca_bundle_that_cannot_be_used_is_refused() {
    let authority = Authority::new();
    let error = |path: &Path| client_config(Some(path)).unwrap_err().to_string();
    assert!(error(&authority.path("missing.pem")).contains("missing.pem: no such file"));
    let key = authority.issue(&["a.example"]).key;
    assert!(error(&key).contains("the file has no certificate: it holds: PRIVATE KEY"));
    let junk = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let junk = authority.write("junk.pem", junk);
    assert!(error(&junk).contains("certificate 1 is not a valid X.509 certificate"));
}

#[test]
fn a_system_without_usable_roots_is_an_error_with_its_cause() {
    let authority = Authority::new();
    let roots = |file: &str| {
        let path = authority.path(file);
        usable_roots(rustls_native_certs::load_certs_from_paths(Some(&path), None))
    };
    assert_eq!(roots("root.crt").unwrap().len(), 1);
    let error = roots("missing.pem").unwrap_err().to_string();
    assert!(error.starts_with("the system has no trusted root certificates; install"), "{error}");
    assert!(error.contains("missing.pem"), "{error}");
}
