//! The application's side: the choice of the server and the connection, retries, and the visible effect of faults.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use crumbgate::certificate;
use crumbgate_base::clock::Clock;
use http::Method;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener},
};

use crate::harness::{
    Answer, App, Browser, Http, Setup, both_versions, head_of, ok, read_request, request, until,
};

both_versions!(one_connection_serves_many_requests, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for _ in 0..20 {
        assert_eq!(browser.get("/").await.text(), "hello");
        assert_eq!(browser.send(browser.request(Method::POST, "/"), "abc").await.status, 200);
    }
    // Another browser's requests use the same connection.
    assert_eq!(gateway.browser(http).get("/").await.status, 200);
    assert_eq!((app.connections(), app.received().len()), (1, 41));
});

#[tokio::test]
async fn no_more_connections_are_kept_than_configured() {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).upstream("idle_connections = 0").start().browser(Http::Two);
    for _ in 0..3 {
        assert_eq!(browser.get("/").await.status, 200);
    }
    assert_eq!(app.connections(), 3);
}

#[tokio::test]
async fn an_unused_connection_is_closed() {
    let closed = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&closed);
    let app = App::serving(move |mut stream, number, _| {
        let saw = Arc::clone(&saw);
        async move {
            let mut buffer = Vec::new();
            while read_request(&mut stream, &mut buffer, number).await.is_some() {
                stream.write_all(&ok(&[], "hello")).await.unwrap();
            }
            saw.store(true, SeqCst);
        }
    })
    .await;
    let gateway = Setup::before(&app).upstream("idle_timeout = \"200ms\"").start();
    gateway.browser(Http::One).get("/").await;
    until("the connection is closed", || closed.load(SeqCst)).await;
    assert_eq!(app.connections(), 1);
}

/// An application whose first connection answers one request, reads a second one, writes `last_words` and closes; all
/// others answer everything.
async fn forgetful(last_words: &'static str) -> App {
    App::serving(move |mut stream, number, received| async move {
        let mut buffer = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
            let seen = {
                let mut received = received.lock().unwrap();
                received.push(request);
                received.len()
            };
            if number == 0 && seen > 1 {
                stream.write_all(last_words.as_bytes()).await.unwrap();
                return;
            }
            stream.write_all(&ok(&[], "hello")).await.unwrap();
        }
    })
    .await
}

async fn second_request(app: &App, http: Http, method: Method, body: &str) -> Answer {
    let browser = Setup::before(app).start().browser(http);
    assert_eq!(browser.get("/").await.status, 200);
    browser.send(browser.request(method, "/"), body).await
}

both_versions!(a_kept_connection_that_closed_costs_an_idempotent_request_nothing, |http| {
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let app = forgetful("").await;
        let answer = second_request(&app, http, method.clone(), "").await;
        assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "hello"), "{method}");
        assert_eq!((app.received().len(), app.connections()), (3, 2), "{method}");
    }
});

both_versions!(no_other_request_is_sent_twice, |http| {
    let cases = [
        (Method::POST, "", ""),
        (Method::POST, "abc", ""),
        (Method::PATCH, "", ""),
        (Method::PUT, "abc", ""),
        (Method::GET, "abc", ""),
        // An answer had begun: the connection was not stale.
        (Method::GET, "", "HTTP/1.1 2"),
        (Method::GET, "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ];
    for (method, body, last_words) in cases {
        let app = forgetful(last_words).await;
        let answer = second_request(&app, http, method.clone(), body).await;
        assert_eq!(answer.status, 502, "{method} {body:?} {last_words:?}");
        assert_eq!((app.received().len(), app.connections()), (2, 1), "{method} {body:?}");
    }
});

both_versions!(a_request_is_sent_again_once_and_on_a_fresh_connection, |http| {
    let app = App::serving(|mut stream, number, received| async move {
        let mut buffer = Vec::new();
        let request = read_request(&mut stream, &mut buffer, number).await;
        received.lock().unwrap().extend(request);
        if number == 0 {
            stream.write_all(&ok(&[], "hello")).await.unwrap();
            let request = read_request(&mut stream, &mut buffer, number).await;
            received.lock().unwrap().extend(request);
        }
    })
    .await;
    let answer = second_request(&app, http, Method::GET, "").await;
    assert_eq!(answer.status, 502);
    assert_eq!((app.received().len(), app.connections()), (3, 2));
});

#[tokio::test]
async fn servers_share_the_requests() {
    let apps = [App::answering(&[("/", &[])]).await, App::answering(&[("/", &[])]).await];
    let browser = before_all(&apps).start().browser(Http::Two);
    for _ in 0..10 {
        assert_eq!(browser.get("/").await.status, 200);
    }
    assert_eq!(apps.each_ref().map(|app| app.received().len()), [5, 5]);
}

#[tokio::test]
async fn of_two_random_servers_the_less_busy_one_is_used() {
    let silent = App::serving(|mut stream, _, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let answering = || App::answering(&[("/", &[])]);
    let apps = [silent, answering().await, answering().await, answering().await];
    let gateway = before_all(&apps).upstream("balance = \"random2\"").start();
    let mut client = gateway.streaming(Http::Two).await;
    let mut waiting = Vec::new();
    let others = || apps[1..].iter().map(|app| app.received().len()).sum::<usize>();
    while apps[0].connections() == 0 {
        waiting.push(client.begin(request(Http::Two, Method::GET, "/")).await);
        let begun = waiting.len();
        until("it is there", || apps[0].connections() + others() == begun).await;
    }
    for _ in 0..90 {
        assert_eq!(client.get(request(Http::Two, Method::GET, "/")).await.status(), 200);
    }
    assert_eq!(apps[0].connections(), 1, "whatever it is compared with is less busy");
    for app in &apps[1..] {
        assert!(app.received().len() >= 10, "{}", app.received().len());
    }
}

fn before_all(apps: &[App]) -> Setup {
    let servers: Vec<_> = apps.iter().map(|app| format!("http://{}", app.address())).collect();
    Setup::before_servers(&servers)
}

#[tokio::test]
async fn a_busy_server_gets_fewer_requests() {
    let silent = App::serving(|mut stream, _, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let apps = [silent, App::answering(&[("/", &[])]).await];
    let gateway = before_all(&apps).start();
    let mut client = gateway.streaming(Http::Two).await;
    let mut waiting = Vec::new();
    while apps[0].connections() == 0 {
        waiting.push(client.begin(request(Http::Two, Method::GET, "/")).await);
        let begun = waiting.len();
        until("it is there", || apps[0].connections() + apps[1].received().len() == begun).await;
    }
    let served = apps[1].received().len();
    for _ in 0..5 {
        assert_eq!(client.get(request(Http::Two, Method::GET, "/")).await.status(), 200);
    }
    assert_eq!(apps[1].received().len(), served + 5);
    assert_eq!(apps[0].connections(), 1);
}

/// A port on which no program listens at the moment.
fn dead_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_dead_server_is_ejected_and_tried_again_later() {
    let live = App::answering(&[("/", &[])]).await;
    let port = dead_port();
    let servers = [format!("http://127.0.0.1:{port}"), format!("http://{}", live.address())];
    let browser = Setup::before_servers(&servers).start().browser(Http::Two);
    for _ in 0..6 {
        assert_eq!(browser.get("/").await.status, 200);
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let revived = App::serving_on(listener, |mut stream, number, received| async move {
        let request = read_request(&mut stream, &mut Vec::new(), number).await;
        received.lock().unwrap().extend(request);
        stream.write_all(&ok(&[], "back")).await.unwrap();
    });
    while revived.received().is_empty() {
        assert_eq!(browser.get("/").await.status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_aborts_answers_is_ejected_too() {
    let broken = App::serving(|mut stream, _, _| async move {
        let _ = stream.read_u8().await;
    })
    .await;
    let apps = [broken, App::answering(&[("/", &[])]).await];
    let browser = before_all(&apps).start().browser(Http::Two);
    let mut failed = 0;
    for _ in 0..10 {
        failed += usize::from(browser.get("/").await.status == 502);
    }
    assert!((1..=2).contains(&failed), "{failed} requests failed");
}

both_versions!(where_no_server_listens_the_answer_is_502, |http| {
    let servers = [dead_port(), dead_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let browser = Setup::before_servers(&servers).start().browser(http);
    for _ in 0..3 {
        let answer = browser.get("/").await;
        assert_eq!(answer.status, 502);
        assert!(answer.text().contains("Bad gateway"), "{}", answer.text());
    }
});

both_versions!(a_connection_that_takes_too_long_is_504, |http| {
    let silent = App::serving(|mut stream, _, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    // The time includes that of the TLS handshake, which this server never answers.
    let servers = [format!("https://{}", silent.address())];
    let gateway = Setup::before_servers(&servers).upstream("connect_timeout = \"200ms\"").start();
    let answer = gateway.browser(http).get("/").await;
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("Gateway timeout"), "{}", answer.text());
});

both_versions!(a_timeout_closes_the_abandoned_connection, |http| {
    let (closed, mut closings) = tokio::sync::mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, _, _| {
        let closed = closed.clone();
        async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let gateway = Setup::before(&app)
        .limits("body_timeout = \"200ms\"")
        .upstream("response_timeout = \"200ms\"")
        .start();
    // The connections of the application and of the downstream.
    assert_eq!(gateway.browser(http).get("/").await.status, 504);
    closings.recv().await.unwrap();
    let mut client = gateway.streaming(http).await;
    let (feed, coming) = client.send(request(http, Method::POST, "/")).await;
    assert!(feed.part("abc").await);
    assert_eq!(head_of(coming).await.status(), 408);
    closings.recv().await.unwrap();
    assert_eq!(app.connections(), 2);
});

both_versions!(a_slow_upload_is_no_slow_answer, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).upstream("response_timeout = \"200ms\"").start();
    let mut client = gateway.streaming(http).await;
    let (feed, coming) = client.send(request(http, Method::POST, "/")).await;
    for _ in 0..3 {
        assert!(feed.part("abc").await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    drop(feed);
    assert_eq!(head_of(coming).await.status(), 200);
    assert_eq!(app.last().body, b"abcabcabc");
});

both_versions!(an_application_behind_a_unix_socket_is_reached, |http| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut buffer, 0).await {
            assert_eq!(request.field("host"), Some("acme.example"));
            stream.write_all(&ok(&[], "by socket")).await.unwrap();
        }
    });
    let gateway = Setup::before_servers(&[format!("unix:{}", path.display())]).start();
    let browser = gateway.browser(http);
    for _ in 0..2 {
        assert_eq!(browser.get("/").await.text(), "by socket");
    }
});

/// An application over TLS, with a certificate for `names`, and the folder with the certificate's file.
pub(crate) async fn tls_app(names: &[&str]) -> (App, tempfile::TempDir) {
    let made = certificate::make(names, Clock::system().now()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path(), false).unwrap();
    let chain = CertificateDer::from_pem_slice(made.chain_pem.as_bytes()).unwrap();
    let key = std::fs::read(folder.path().join("dev.key")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let app = App::serving(move |stream, number, received| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                received.lock().unwrap().push(request);
                stream.write_all(&ok(&[], "by TLS")).await.unwrap();
            }
        }
    })
    .await;
    (app, folder)
}

async fn get_by_tls(http: Http, names: &[&str], trusted: Option<&[&str]>) -> (Answer, App) {
    let (app, own) = tls_app(names).await;
    let other = match trusted {
        Some(names) => tls_app(names).await.1,
        None => own,
    };
    let servers = [format!("https://localhost:{}", app.address().port())];
    let ca = format!("ca = {:?}", other.path().join("dev.crt"));
    let browser = Setup::before_servers(&servers).upstream(&ca).start().browser(http);
    (browser.get("/").await, app)
}

both_versions!(an_application_over_tls_is_verified_and_reached, |http| {
    let (answer, app) = get_by_tls(http, &["localhost"], None).await;
    assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "by TLS"));
    assert_eq!(app.last().field("host"), Some("acme.example"));
});

both_versions!(an_application_that_can_not_be_verified_gets_no_request, |http| {
    // A certificate of another authority, and one for another name.
    for (names, trusted) in [(&["localhost"], Some(&["localhost"][..])), (&["other.example"], None)]
    {
        let (answer, app) = get_by_tls(http, names, trusted).await;
        assert_eq!(answer.status, 502);
        assert!(app.received().is_empty());
    }
});

/// The effect of a fault that the browser observes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    /// An answer of the gateway's own.
    Status(u16),
    /// The application's 200, complete, with this body.
    Whole(&'static str),
    /// The application's 200, cut.
    Cut,
}

/// The application's behaviour after a faulty answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    Close,
    Reset,
    /// Sends nothing more, and waits for the gateway to close.
    Wait,
    /// Repeats this, until the gateway closes.
    Repeat(&'static str),
    /// Answers the next request as if nothing had happened.
    Serve,
}

async fn faulty(answer: Vec<u8>, then: Then) -> App {
    let answer = Arc::new(answer);
    App::serving(move |mut stream, number, received| {
        let answer = Arc::clone(&answer);
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                let fault = request.target() == "/fault";
                received.lock().unwrap().push(request);
                if !fault {
                    if stream.write_all(&ok(&[], "right")).await.is_err() {
                        return;
                    }
                    continue;
                }
                let _ = stream.write_all(&answer).await;
                match then {
                    Then::Close => return,
                    Then::Reset => return stream.set_zero_linger().unwrap(),
                    Then::Wait => return wait(&mut stream).await,
                    Then::Repeat(words) => {
                        while stream.write_all(words.as_bytes()).await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        return;
                    }
                    Then::Serve => {}
                }
            }
        }
    })
    .await
}

async fn wait(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn see(browser: &Browser) -> Seen {
    use http_body_util::BodyExt;
    // A cut that is known at once may cut the head, too.
    let answer = browser.try_send(browser.request(Method::GET, "/fault"), "").await;
    let Ok(answer) = answer else { return Seen::Cut };
    if answer.status() != 200 {
        return Seen::Status(answer.status().as_u16());
    }
    match answer.into_body().collect().await {
        Ok(body) => {
            assert_eq!(body.to_bytes(), "hello");
            WHOLE
        }
        Err(_) => Seen::Cut,
    }
}

/// Section 4 of the list of threats: each fault, on a fresh connection and on a kept one, and its effect;
/// after each, three correct answers to the same browser.
async fn see_faults(http: Http, faults: Vec<(&'static str, Vec<u8>, Then, Seen)>) {
    for (what, answer, then, expected) in faults {
        for kept in [false, true] {
            let app = faulty(answer.clone(), then).await;
            let gateway = Setup::before(&app)
                .upstream("response_timeout = \"500ms\"\nbody_timeout = \"500ms\"")
                .start();
            let browser = gateway.browser(http);
            if kept {
                assert_eq!(browser.get("/").await.text(), "right", "{what}");
            }
            assert_eq!(see(&browser).await, expected, "{what}, kept: {kept}");
            for _ in 0..3 {
                assert_eq!(browser.get("/").await.text(), "right", "{what}, kept: {kept}");
            }
        }
    }
}

fn plain(answer: &str) -> Vec<u8> {
    answer.as_bytes().to_vec()
}

/// A complete answer with one more line in its head.
fn with_line(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n{line}\r\n\r\nhello").into_bytes()
}

const BAD: Seen = Seen::Status(502);
const LATE: Seen = Seen::Status(504);
const WHOLE: Seen = Seen::Whole("hello");

both_versions!(faults_before_the_answer_are_502_and_timeouts_are_504, |http| {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let faults = vec![
        ("a close", plain(""), Then::Close, BAD),
        ("a reset", plain(""), Then::Reset, BAD),
        ("silence", plain(""), Then::Wait, LATE),
        ("a partial status line", plain("HTTP/1.1 20"), Then::Close, BAD),
        ("a partial status line, then silence", plain("HTTP/1.1 20"), Then::Wait, LATE),
        ("a partial head", plain("HTTP/1.1 200 OK\r\ncontent-len"), Then::Close, BAD),
        ("a partial head, then a reset", plain("HTTP/1.1 200 OK\r\nx: y\r\n"), Then::Reset, BAD),
        ("a slow head", plain("HTTP/1.1 200 OK\r\n"), Then::Repeat("a: b\r\n"), LATE),
        ("no HTTP", plain("SSH-2.0-OpenSSH\r\n"), Then::Close, BAD),
        ("HTTP/0.9", plain("<html>hello</html>"), Then::Close, BAD),
        ("an invalid version", plain("HTTP/3.7 200 OK\r\n\r\n"), Then::Close, BAD),
        ("a status of two digits", plain("HTTP/1.1 99 x\r\n\r\n"), Then::Close, BAD),
        ("a status of no digits", plain("HTTP/1.1 abc x\r\n\r\n"), Then::Close, BAD),
        ("a status of 0", plain("HTTP/1.1 000 x\r\n\r\n"), Then::Close, BAD),
        ("endless interim answers", plain(""), Then::Repeat(interim), LATE),
        ("a head that is all interim", plain(interim), Then::Close, BAD),
    ];
    see_faults(http, faults).await;
});

both_versions!(oversized_heads_are_502, |http| {
    let one_field = with_line(&format!("x-large: {}", "a".repeat(2 << 20)));
    let fields = with_line(&"x-many: a\r\n".repeat(20_000));
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10_000);
    let many_interim = format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let faults = vec![
        ("a head of 2 MB", one_field, Then::Close, BAD),
        ("20,000 fields", fields, Then::Close, BAD),
        ("10,000 interim answers", many_interim.into_bytes(), Then::Serve, WHOLE),
    ];
    see_faults(http, faults).await;
});

both_versions!(ts7_malformed_and_contradictory_heads_are_502, |http| {
    let chunked = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
    let te_and_cl = format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n{chunked}\r\n");
    let cl_after_te = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let faults = vec![
        ("both framings", te_and_cl.into_bytes(), Then::Serve, BAD),
        ("both framings, turned round", plain(cl_after_te), Then::Serve, BAD),
        ("two lengths", with_line("content-length: 6"), Then::Close, BAD),
        ("a length that is no number", with_line("content-length: five"), Then::Close, BAD),
        ("a negative length", with_line("content-length: -5"), Then::Close, BAD),
        ("a length with a sign", with_line("content-length: +5"), Then::Close, BAD),
        (
            "an unknown coding",
            plain("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello"),
            Then::Close,
            BAD,
        ),
        (
            "a coding that nobody undoes",
            plain(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ),
            Then::Close,
            BAD,
        ),
        ("a folded field", with_line("x-a: b\r\n c"), Then::Close, BAD),
        ("a space before the colon", with_line("set-cookie : _ga=1"), Then::Close, BAD),
        ("a bare CR", with_line("x-a: b\rset-cookie: _ga=1"), Then::Close, BAD),
        ("a NUL", with_line("x-a: b\0c"), Then::Close, BAD),
        ("a field without a colon", with_line("x-a"), Then::Close, BAD),
    ];
    see_faults(http, faults).await;
});

both_versions!(broken_bodies_are_cut, |http| {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = |body: &str| format!("{head}{body}").into_bytes();
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    let faults = vec![
        ("a short body", plain(short), Then::Close, Seen::Cut),
        ("a reset body", plain(short), Then::Reset, Seen::Cut),
        ("a body that pauses", plain(short), Then::Wait, Seen::Cut),
        ("no last chunk", chunked("5\r\nhello\r\n"), Then::Close, Seen::Cut),
        ("a chunk of no size", chunked("zz\r\nhello\r\n0\r\n\r\n"), Then::Close, Seen::Cut),
        ("a chunk that is too long", chunked("3\r\nhello\r\n0\r\n\r\n"), Then::Close, Seen::Cut),
        ("an endless size", chunked(&"0".repeat(100_000)), Then::Wait, Seen::Cut),
        ("a size past 64 bits", chunked("10000000000000005\r\nhello"), Then::Close, Seen::Cut),
    ];
    see_faults(http, faults).await;
});

both_versions!(ts13_complete_answers_stay_complete_and_surplus_bytes_are_dropped, |http| {
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nset-cookie: _ga=1\r\n\r\npoison";
    let whole = String::from_utf8(with_line("x: y")).unwrap();
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned();
    let faults = vec![
        ("an answer after the answer", format!("{whole}{poison}").into(), Then::Serve, WHOLE),
        ("an answer after the last chunk", format!("{chunked}{poison}").into(), Then::Serve, WHOLE),
        ("bytes after the answer", format!("{whole}\r\n").into(), Then::Serve, WHOLE),
        ("a close after the answer", with_line("x: y"), Then::Close, WHOLE),
        ("a reset after the answer", with_line("x: y"), Then::Reset, WHOLE),
        ("a connection: close that stays open", with_line("connection: close"), Then::Wait, WHOLE),
        (
            "a body that ends with the connection",
            plain("HTTP/1.1 200 OK\r\n\r\nhello"),
            Then::Close,
            WHOLE,
        ),
        ("HTTP/1.0", plain("HTTP/1.0 200 OK\r\n\r\nhello"), Then::Close, WHOLE),
        (
            "HTTP/1.0 with a length",
            plain("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
            Then::Wait,
            WHOLE,
        ),
        (
            "line ends of LF alone",
            plain("HTTP/1.1 200 OK\ncontent-length: 5\n\nhello"),
            Then::Serve,
            WHOLE,
        ),
        ("a length sent twice", with_line("content-length: 5"), Then::Serve, WHOLE),
    ];
    see_faults(http, faults).await;
});

both_versions!(ts13_bytes_on_an_idle_connection_close_it, |http| {
    let closed = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&closed);
    let app = App::serving(move |mut stream, number, _| {
        let saw = Arc::clone(&saw);
        async move {
            let mut buffer = Vec::new();
            let body = if number == 0 { "first" } else { "right" };
            while read_request(&mut stream, &mut buffer, number).await.is_some() {
                stream.write_all(&ok(&[], body)).await.unwrap();
                if number == 0 {
                    stream.write_all(&ok(&[], "poison")).await.unwrap();
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    saw.store(true, SeqCst);
                }
            }
        }
    })
    .await;
    let browser = Setup::before(&app).start().browser(http);
    assert_eq!(browser.get("/").await.text(), "first");
    until("the connection is closed", || closed.load(SeqCst)).await;
    for _ in 0..3 {
        assert_eq!(browser.get("/").await.text(), "right");
    }
});

both_versions!(ts17_many_set_cookie_fields_are_all_judged, |http| {
    let lines: Vec<_> = (0..150)
        .map(|number| format!("set-cookie: _tracker{number}={}; Path=/", "a".repeat(1000)))
        .chain(["set-cookie: flexopus_session=s".to_owned()])
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let app = App::answering(&[("/", &lines)]).await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get("/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.set_cookies().len(), 1);
    assert!(answer.set_cookie("flexopus_session").starts_with("flexopus_session=s; Max-Age="));
});
