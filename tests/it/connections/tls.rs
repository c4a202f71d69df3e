//! TLS before the running gateway, with foreign clients: OpenSSL, curl, rustls.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use crumbgate::certificate;
use crumbgate_base::clock::Clock;
use http::Method;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustix::process::Signal;
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{ACME, App, Finished, Http, Program, Running, Setup, Site, in_time};

/// A gateway with these certificates, each in its folder, instead of the usual one.
fn site_with(setup: &Setup, certificates: &[(&str, &[&str])]) -> Site {
    let listed: Vec<_> = certificates
        .iter()
        .map(|(folder, _)| {
            format!("{{ chain = \"{folder}/dev.crt\", key = \"{folder}/dev.key\" }}")
        })
        .collect();
    let usual = "{ chain = \"dev.crt\", key = \"dev.key\" }";
    let site = Site::with_config(&setup.text().replace(usual, &listed.join(", ")));
    for (folder, names) in certificates {
        let made = certificate::make(names, Clock::system().now()).unwrap();
        made.write(&site.path(folder), false).unwrap();
    }
    site
}

fn nobody() -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()])
}

/// Runs `openssl s_client` with this input.
async fn s_client(address: SocketAddr, arguments: &[&str], typed: &str) -> Output {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string()]).args(arguments);
    run(command, typed.to_owned()).await
}

async fn run(mut command: Command, typed: String) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = move || {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // A program that has ended reads nothing.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn printed(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{stdout}\n{stderr}")
}

/// The certificate that the gateway presents for this server name.
async fn shown(address: SocketAddr, server_name: Option<&str>) -> CertificateDer<'static> {
    let arguments = server_name.map_or(vec!["-noservername"], |name| vec!["-servername", name]);
    let output = s_client(address, &arguments, "").await;
    CertificateDer::from_pem_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn the_certificate_is_chosen_by_server_name() {
    in_time(async {
        let certificates: [(&str, &[&str]); 3] = [
            ("first", &["first.example"]),
            ("wild", &["*.flexopus.example"]),
            ("exact", &["acme.flexopus.example", "other.example"]),
        ];
        let site = site_with(&nobody(), &certificates);
        let mut program = site.start();
        let address = program.https().await;
        for (name, folder) in [
            (Some("acme.flexopus.example"), "exact"),
            (Some("ACME.flexopus.EXAMPLE"), "exact"),
            (Some("other.example"), "exact"),
            (Some("globex.flexopus.example"), "wild"),
            (Some("a.globex.flexopus.example"), "first"),
            (Some("flexopus.example"), "first"),
            (Some("unknown.example"), "first"),
            (None, "first"),
        ] {
            let file = fs::read(site.path(folder).join("dev.crt")).unwrap();
            let expected = CertificateDer::from_pem_slice(&file).unwrap();
            assert!(shown(address, name).await == expected, "{name:?} is shown {folder}");
        }
    })
    .await;
}

/// A TLS connection of `config` to the gateway, made for [`ACME`].
async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(ACME).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// The answer to an HTTP/1.1 request on this connection.
async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    let request = format!("GET / HTTP/1.1\r\nhost: {ACME}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// A client of these versions that offers these protocols.
fn client(
    gateway: &Running,
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&str],
) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(gateway.roots())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn minimum(version: &str) -> String {
    format!("[tls]\nmin_version = {version:?}\n")
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_accepted() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).start();
        for (versions, version) in
            [(TLS12, ProtocolVersion::TLSv1_2), (TLS13, ProtocolVersion::TLSv1_3)]
        {
            let client = client(&gateway, versions, &["http/1.1"]);
            let mut stream = connect(gateway.https(), &client).await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(version));
            assert!(get(&mut stream).await.starts_with("HTTP/1.1 200 "));
        }
    })
    .await;
}

#[tokio::test]
async fn min_version_1_3_refuses_1_2() {
    in_time(async {
        let site = Site::with_config(&nobody().text().replace("[tls]\n", &minimum("1.3")));
        let mut program = site.start();
        let address = program.https().await;
        let newer = s_client(address, &["-tls1_3"], "").await;
        assert!(printed(&newer).contains("New, TLSv1.3, "), "{newer:?}");
        let older = s_client(address, &["-tls1_2"], "").await;
        assert!(printed(&older).contains("alert protocol version"), "{older:?}");
    })
    .await;
}

#[tokio::test]
async fn tp11_older_versions_and_weak_suites_are_refused_by_the_gateway() {
    in_time(async {
        let site = Site::of(&nobody());
        let mut program = site.start();
        let address = program.https().await;
        let any_suite = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
        for version in ["-tls1", "-tls1_1"] {
            let output = s_client(address, &[&[version][..], &any_suite].concat(), "").await;
            let printed = printed(&output);
            assert!(printed.contains("SSL alert number"), "it was the gateway: {printed}");
            assert!(printed.contains("Cipher is (NONE)"), "{printed}");
        }
        // No forward secrecy, or a weak MAC.
        for suite in ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-NULL-SHA"] {
            let cipher = format!("{suite}:@SECLEVEL=0");
            let output = s_client(address, &["-tls1_2", "-cipher", &cipher], "").await;
            assert!(printed(&output).contains("alert handshake failure"), "{suite}: {output:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn tp11_a_renegotiation_is_refused() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let site = Site::of(&Setup::before(&app));
        let mut program = site.start();
        let arguments = ["-tls1_2", "-servername", ACME, "-legacy_renegotiation"];
        // s_client reads a line that is an R alone as a command.
        let typed = format!("R\nGET / HTTP/1.1\nhost: {ACME}\nconnection: close\n\n");
        let output = s_client(program.https().await, &arguments, &typed).await;
        let printed = printed(&output);
        assert!(printed.contains("RENEGOTIATING"), "it was asked for: {printed}");
        assert!(printed.contains("no renegotiation"), "{printed}");
        assert!(app.received().is_empty(), "{printed}");
    })
    .await;
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_no_request() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).start();
        let mut stream = TcpStream::connect(gateway.https()).await.unwrap();
        stream
            .write_all(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        // Its output, if any, is a TLS alert; then it closes, or resets unread bytes.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(&[21, 3]), "{answer:?}");
        assert!(app.received().is_empty());
        assert_eq!(gateway.browser(Http::Two).get("/").await.status, 200, "others are served");
    })
    .await;
}

#[tokio::test]
async fn an_alert_arrives_although_the_client_still_sends() {
    let site = site_with(&nobody(), &[("dev", &["acme.example"])]);
    let mut program = site.start();
    let mut stream = TcpStream::connect(program.https().await).await.unwrap();
    // No TLS, and more of it than the gateway reads before it gives up.
    stream.write_all(&vec![b'a'; 200_000]).await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.expect("a clean end");
    assert_eq!(received.first(), Some(&21), "a TLS alert (RFC 8446, section 5.1): {received:?}");
}

#[tokio::test]
async fn hsts_is_on_each_answer_over_tls_and_never_replaces_the_application_s() {
    let own = "strict-transport-security: max-age=1; includeSubDomains";
    let app = App::answering(&[("/", &[]), ("/own", &[own])]).await;
    let name = "strict-transport-security";
    let without = Setup::before(&app).start();
    assert_eq!(without.browser(Http::Two).get("/").await.field(name), None);
    let site = Site::of(&Setup::before(&app));
    let text = fs::read_to_string(site.path("config.toml")).unwrap();
    let with = text.replace("[tls]\n", "[tls]\nhsts = \"365d\"\n");
    fs::write(site.path("config.toml"), with).unwrap();
    let mut program = site.start();
    for http in [Http::One, Http::Two] {
        let browser = program.browser(http).await;
        let year = Some("max-age=31536000");
        assert_eq!(browser.get("/").await.field(name), year);
        assert_eq!(browser.get("/own").await.field(name), Some("max-age=1; includeSubDomains"));
        let rejected = browser.send(browser.request(Method::TRACE, "/"), "").await;
        assert_eq!((rejected.status.as_u16(), rejected.field(name)), (405, year));
    }
}

#[tokio::test]
async fn alpn_decides_between_http_2_and_http_1_1() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).start();
        for (offered, chosen) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1", "h2"], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&["spdy/3", "http/1.1"], Some("http/1.1")),
            (&[], None),
        ] {
            for versions in [TLS12, TLS13] {
                let client = client(&gateway, versions, offered);
                let mut stream = connect(gateway.https(), &client).await.unwrap();
                let protocol = stream.get_ref().1.alpn_protocol();
                assert_eq!(protocol, chosen.map(str::as_bytes), "{offered:?}");
                if chosen == Some("h2") {
                    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the tests' runtime has no Tasks"
                    )]
                    let connection = tokio::spawn(connection);
                    let request = http::Request::get(format!("https://{ACME}/")).body(()).unwrap();
                    assert_eq!(
                        sender.send_request(request, true).unwrap().0.await.unwrap().status(),
                        200
                    );
                    drop(connection);
                } else {
                    assert!(get(&mut stream).await.starts_with("HTTP/1.1 200 "), "{offered:?}");
                }
            }
        }
        let strange = client(&gateway, TLS13, &["spdy/3"]);
        let error = connect(gateway.https(), &strange).await.unwrap_err().to_string();
        assert!(error.contains("NoApplicationProtocol"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn http_2_without_alpn_is_not_guessed() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).start();
        let client = client(&gateway, TLS13, &[]);
        let mut stream = connect(gateway.https(), &client).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // It closes, with or without a close_notify.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
        assert!(app.received().is_empty());
    })
    .await;
}

/// The worker that made this answer: the first half of a request's id.
fn worker_of(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "));
    line.unwrap_or_else(|| panic!("{answer}"))[..16].to_owned()
}

#[tokio::test]
async fn sessions_resume_on_every_worker() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).server("workers = 2").start();
        for versions in [TLS12, TLS13] {
            let client = client(&gateway, versions, &["http/1.1"]);
            let mut first = connect(gateway.https(), &client).await.unwrap();
            assert_eq!(first.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            let mut workers = HashSet::from([worker_of(&get(&mut first).await)]);
            for number in 0..40 {
                let mut stream = connect(gateway.https(), &client).await.unwrap();
                let kind = stream.get_ref().1.handshake_kind();
                assert_eq!(kind, Some(HandshakeKind::Resumed), "{number} of {versions:?}");
                workers.insert(worker_of(&get(&mut stream).await));
            }
            assert_eq!(workers.len(), 2, "both workers were met");
        }
    })
    .await;
}

#[tokio::test]
async fn early_data_is_not_accepted() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).start();
        let client = client(&gateway, TLS13, &["http/1.1"]);
        let mut client = Arc::unwrap_or_clone(client);
        client.enable_early_data = true;
        let client = Arc::new(client);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = connect(gateway.https(), &client).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
            get(&mut stream).await;
        }
        let name = ServerName::try_from(ACME).unwrap();
        let mut resuming = rustls::ClientConnection::new(client, name).unwrap();
        assert!(resuming.early_data().is_none(), "the ticket allows none");
    })
    .await;
}

async fn curl(program: &mut Program<'_>, arguments: &[&str], chain: &Path) -> Output {
    let address = program.https().await;
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "-m", "20", "--noproxy", "*", "--cacert", chain.to_str().unwrap()]);
    command.args(["--resolve", &format!("{ACME}:{}:127.0.0.1", address.port())]);
    command.args(arguments).arg(format!("https://{ACME}:{}/", address.port()));
    run(command, String::new()).await
}

#[tokio::test]
async fn curl_is_served_over_each_version() {
    in_time(async {
        let app =
            App::answering(&[("/", &["set-cookie: _ga=1", "set-cookie: flexopus_session=s"])]);
        let app = app.await;
        let site = Site::of(&Setup::before(&app));
        let mut program = site.start();
        let chain = site.path("dev.crt");
        for (arguments, status_line) in [
            (&["--http1.1"][..], "HTTP/1.1 200 OK\r\n"),
            (&["--http1.1", "--tls-max", "1.2"], "HTTP/1.1 200 OK\r\n"),
            (&["--http2"], "HTTP/2 200 \r\n"),
            (&["--http2", "--tlsv1.3"], "HTTP/2 200 \r\n"),
            (&["--no-alpn"], "HTTP/1.1 200 OK\r\n"),
        ] {
            let output = curl(&mut program, arguments, &chain).await;
            let printed = printed(&output);
            assert!(printed.starts_with(status_line), "{arguments:?}: {printed}");
            assert!(
                printed.contains("set-cookie: flexopus_session=s; Max-Age=604800; "),
                "{printed}"
            );
            assert!(!printed.contains("_ga") && printed.contains("hello"), "{printed}");
        }
        let other = certificate::make(&["acme.example"], Clock::system().now()).unwrap();
        let other = other.write(&site.path("other"), false).unwrap();
        let output = curl(&mut program, &[], &other.chain).await;
        assert_eq!(output.status.code(), Some(60), "not verified: {output:?}");
    })
    .await;
}

/// Writes a certificate with these dates over the site's.
fn replace_certificate(site: &Site, since_year: i32, until_year: i32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![ACME.to_owned()]).unwrap();
    params.not_before = date_time_ymd(since_year, 1, 1);
    params.not_after = date_time_ymd(until_year, 1, 1);
    fs::write(site.path("dev.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(site.path("dev.key"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn an_expired_chain_is_a_warning_and_is_served() {
    in_time(async {
        let site = Site::of(&nobody());
        for (since, until, warning) in [
            (2019, 2020, "the certificate expired on 2020-01-01"),
            (2990, 2999, "the certificate is valid only from 2990-01-01"),
        ] {
            replace_certificate(&site, since, until);
            let mut program = site.start();
            let address = program.https().await;
            assert!(program.stderr().contains(warning), "{}", program.stderr());
            assert!(program.stderr().contains("dev.crt"), "{}", program.stderr());
            let output = s_client(address, &[], "").await;
            assert!(printed(&output).contains("New, TLSv1.3, "), "{output:?}");
            program.signal(Signal::TERM);
            assert_eq!(program.exit().await.code, Some(0));
        }
    })
    .await;
}

/// Asserts that `run` and `check` refuse, and that the message contains all of this.
async fn assert_refused(site: &Site, parts: &[&str]) {
    for command in ["run", "check"] {
        let finished: Finished = site.run(&[command]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert_eq!(finished.stdout, "");
        assert!(!finished.stderr.contains("listening"), "{}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "{part:?} of {command} in {}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_its_chain_is_refused() {
    in_time(async {
        let site = site_with(&nobody(), &[("one", &[ACME]), ("two", &[ACME])]);
        fs::copy(site.path("two/dev.key"), site.path("one/dev.key")).unwrap();
        let fix = "configure the two files that were issued together";
        assert_refused(&site, &["tls.certificates", "one/dev.key", "one/dev.crt", fix]).await;
    })
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_read_are_all_refused_at_once() {
    in_time(async {
        let site =
            site_with(&nobody(), &[("gone", &[ACME]), ("folder", &[ACME]), ("empty", &[ACME])]);
        fs::remove_file(site.path("gone/dev.crt")).unwrap();
        fs::remove_file(site.path("folder/dev.key")).unwrap();
        fs::create_dir(site.path("folder/dev.key")).unwrap();
        fs::write(site.path("empty/dev.crt"), "").unwrap();
        let parts = [
            "gone/dev.crt: no such file; ",
            "`crumbgate certificate` creates one",
            "folder/dev.key: it is a folder; configure the file in it",
            "empty/dev.crt: the file has no certificate: it is empty; ",
        ];
        assert_refused(&site, &parts).await;
    })
    .await;
}
