//! A new configuration for a running gateway: adopted completely or not at all, and without closing a connection.

use std::{fs, sync::Arc};

use crumbgate::certificate;
use crumbgate_base::clock::Clock;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use rustix::process::Signal;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use crate::harness::{
    ACME, App, Http, Load, Program, Raw, Setup, Site, Streaming, both_versions, client_config,
    count, in_time, json_lines, next_part, ok, on_each_worker, read_request, request, tls_to,
};

const JSON: &str = "[log]\nformat = \"json\"";
const REFUSED: &str = "a reload was refused; the old configuration stays in force";

/// Writes the configuration anew, sends the program a signal, and returns the event that it logs.
async fn reload(site: &Site, program: &mut Program<'_>, setup: &Setup) -> Value {
    fs::write(site.path("config.toml"), setup.text()).unwrap();
    send_reload_signal(program).await
}

/// Sends the program the signal to reload, and returns the event that it logs.
async fn send_reload_signal(program: &mut Program<'_>) -> Value {
    let before = reloads(program).len();
    program.signal(Signal::HUP);
    program.wait_for("the reload", |program| reloads(program).get(before).cloned()).await
}

fn reloads(program: &Program<'_>) -> Vec<Value> {
    let is_reload =
        |line: &Value| ["reloaded", REFUSED].iter().any(|text| line["message"] == *text);
    json_lines(&program.stderr()).into_iter().filter(is_reload).collect()
}

/// Two workers before an application that sets a session.
fn with_session(app: &App, session: &str) -> Setup {
    let session = format!("session = {session:?}");
    Setup::before(app).server("workers = 2").sections(JSON).tenant(ACME, &session)
}

async fn tls(program: &mut Program<'_>, http: Http) -> TlsStream<TcpStream> {
    let (address, config) = (program.https().await, program.client_config(http));
    tls_to(address, config).await
}

async fn chat(program: &mut Program<'_>) -> WebSocketStream<TlsStream<TcpStream>> {
    let tls = tls(program, Http::One).await;
    tokio_tungstenite::client_async("wss://acme.example/chat", tls).await.unwrap().0
}

async fn session_app() -> App {
    App::answering(&[("/", &["set-cookie: flexopus_session=a"])]).await
}

both_versions!(a_reload_holds_for_the_next_request_on_every_worker, |http| {
    let app = session_app().await;
    let site = Site::of(&with_session(&app, "2h"));
    let mut program = site.start();
    let browser = program.browser(http).await;
    let workers = on_each_worker(&app, &browser).await;
    for (session, max_age) in [("20m", "Max-Age=1200;"), ("3d", "Max-Age=259200;")] {
        let event = reload(&site, &mut program, &with_session(&app, session)).await;
        assert_eq!((&event["message"], &event["actor"]), (&"reloaded".into(), &"SIGHUP".into()));
        for browser in &workers {
            let cookie = browser.get("/").await.set_cookie("flexopus_session").to_owned();
            assert!(cookie.contains(max_age), "{cookie}");
        }
    }
});

#[tokio::test]
async fn five_bad_configurations_are_refused_and_the_old_one_stays_in_force() {
    in_time(Box::pin(async {
        let app = session_app().await;
        let good = with_session(&app, "2h");
        let site = Site::of(&good);
        let mut program = site.start();
        let browser = program.browser(Http::Two).await;
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap();
        let text = good.text();
        let foreign = tempfile::tempdir().unwrap();
        let made = certificate::make(&["elsewhere.example"], Clock::system().now());
        made.unwrap().write(foreign.path(), false).unwrap();
        let foreign_key = foreign.path().join("dev.key").display().to_string();
        for (broken, expected) in [
            (text.replace("[defaults]", "[defaults"), "unclosed table"),
            (text.replace("2h", "2 parsecs"), "2 parsecs"),
            (text.replace("key = \"dev.key\"", "key = \"gone.key\""), "gone.key"),
            (text.replace("\"dev.key\"", &format!("{foreign_key:?}")), "does not"),
            (
                text.replace(
                    "https = [\"127.0.0.1:0\"]",
                    &format!("https = [\"127.0.0.1:0\", \"{taken}\"]"),
                ),
                "another program uses this address",
            ),
        ] {
            assert_ne!(broken, text);
            fs::write(site.path("config.toml"), &broken).unwrap();
            let checked = site.run(&["check"]).await;
            let event = send_reload_signal(&mut program).await;
            assert_eq!(event["message"], REFUSED, "{expected}");
            let is_why = |line: &Value| {
                line["problem"].as_str().is_some_and(|problem| problem.contains(expected))
            };
            let why = program.wait_for("its problem", |program| {
                json_lines(&program.stderr()).into_iter().find(is_why)
            });
            let why = why.await;
            let problem = why["problem"].as_str().unwrap();
            // The only way to find out if an address is free is to bind it.
            let is_reported = checked.stderr.contains(problem)
                || problem.contains("another program uses this address");
            assert!(is_reported, "{problem}\n{}", checked.stderr);
            let cookie = browser.get("/").await.set_cookie("flexopus_session").to_owned();
            assert!(cookie.contains("Max-Age=7200;"), "{cookie}");
        }
        let event = reload(&site, &mut program, &with_session(&app, "20m")).await;
        assert_eq!(event["message"], "reloaded");
        let cookie = browser.get("/").await.set_cookie("flexopus_session").to_owned();
        assert!(cookie.contains("Max-Age=1200;"), "{cookie}");
    }))
    .await;
}

#[tokio::test]
async fn a_listener_and_an_upstream_can_be_added_and_unchanged_keys_are_reported() {
    in_time(Box::pin(async {
        let (app, other) = (session_app().await, session_app().await);
        let site = Site::of(&with_session(&app, "2h"));
        let mut program = site.start();
        let first = program.https().await;
        program.browser(Http::Two).await.get("/").await;
        let port = {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap()
        };
        let upstream = format!("[upstreams.other]\nservers = [\"http://{}\"]", other.address());
        let added = Setup::before(&app)
            .server("workers = 1")
            .sections(JSON)
            .sections(&upstream)
            .tenant(ACME, "upstream = \"other\"");
        let https = format!("https = [\"127.0.0.1:0\", \"{port}\"]\nhttp = []");
        let both = "https = [\"127.0.0.1:0\"]\nhttp = [\"127.0.0.1:0\"]";
        let added = added.text().replacen(both, &https, 1);
        fs::write(site.path("config.toml"), added).unwrap();
        assert_eq!(send_reload_signal(&mut program).await["message"], "reloaded");
        let kept = program.wait_for("what stays as it is", |program| {
            let lines = json_lines(&program.stderr()).into_iter();
            let keys = lines.filter_map(|line| Some(line.get("key")?.as_str()?.to_owned()));
            Some(keys.collect::<Vec<_>>()).filter(|keys| keys.len() >= 2)
        });
        let kept = kept.await;
        assert_eq!(kept, ["server.http", "server.workers"]);
        for address in [first, port] {
            site.browser_to(address, Http::One).get("/").await;
        }
        assert_eq!(other.received().len(), 2);
    }))
    .await;
}

#[tokio::test]
async fn keys_that_need_a_restart_are_reported_each_time() {
    in_time(Box::pin(async {
        let app = session_app().await;
        let setup = |keys: &str, rest: &str| {
            Setup::before(&app).server(keys).sections(rest).tenant(ACME, "").text()
        };
        let gateway = Setup::before(&app).server("workers = 2").tenant(ACME, "").start();
        let control = gateway.inner().control().clone();
        let file = control.config_file();
        let reload = async |text: String| {
            fs::write(&file, text).unwrap();
            let control = control.clone();
            let done = tokio::task::spawn_blocking(move || control.reload("alice")).await.unwrap();
            done.unwrap().kept.iter().map(|kept| kept.key).collect::<Vec<_>>()
        };
        let other = "[state]\npath = \"elsewhere/other.db\"\n[audit]\nwindow = \"15m\"";
        for _ in 0..2 {
            let kept = reload(setup("workers = 4", other)).await;
            assert_eq!(kept, ["server.workers", "state.path", "audit.window"]);
            let path = control.config(|config| config.evidence.path.clone());
            assert!(path.ends_with("state/crumbgate.db"), "the one that is written: {path:?}");
        }
        assert!(reload(setup("workers = 2", "")).await.is_empty());
        // Without TLS listeners in the file, the existing ones continue.
        let text = setup("workers = 2", "").replace("https = [\"127.0.0.1:0\"]", "https = []");
        assert_eq!(reload(text).await, ["server.https"]);
        assert_eq!(gateway.browser(Http::One).get("/").await.status, 200);
    }))
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_used_from_the_next_handshake_on_and_open_connections_continue() {
    in_time(Box::pin(async {
        let app = session_app().await;
        let site = Site::of(&with_session(&app, "2h"));
        let mut program = site.start();
        let mut old = program.raw().await;
        let address = program.https().await;
        let shown = |site: &Site| fs::read_to_string(site.path("dev.crt")).unwrap();
        let before = shown(&site);
        let now = Clock::system().now();
        let made = certificate::make(&[ACME], now).unwrap();
        made.write(site.path("").as_path(), true).unwrap();
        assert_ne!(before, shown(&site));
        assert_eq!(send_reload_signal(&mut program).await["message"], "reloaded");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(made.chain_pem.as_bytes()).unwrap()).unwrap();
        // Only the new one is trusted: a handshake that succeeds received it.
        let trusting = client_config(&Arc::new(roots), Http::One);
        let mut new = Raw::new(tls_to(address, trusting).await);
        new.send(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n\r\n")).await;
        assert!(new.read_head().await.starts_with("HTTP/1.1 200"));
        old.send(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n\r\n")).await;
        assert!(old.read_head().await.starts_with("HTTP/1.1 200"));
    }))
    .await;
}

/// An application that echoes a WebSocket at `/chat`, streams events at `/events` on demand, and answers everything
/// else.
async fn lively() -> (App, watch::Sender<u32>) {
    let (tick, ticks) = watch::channel(0);
    let app = App::serving(move |mut stream, number, received| {
        let mut ticks = ticks.clone();
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                let target = request.target().to_owned();
                let key = request.field("sec-websocket-key").map(str::to_owned);
                received.lock().unwrap().push(request);
                match &*target {
                    "/chat" => {
                        let accept = derive_accept_key(key.unwrap().as_bytes());
                        let head = format!(
                            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
                             connection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
                        );
                        stream.write_all(head.as_bytes()).await.unwrap();
                        let mut socket =
                            WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
                        while let Some(Ok(message)) = socket.next().await {
                            if socket.send(message).await.is_err() {
                                return;
                            }
                        }
                        return;
                    }
                    "/events" => {
                        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                                    transfer-encoding: chunked\r\n\r\n";
                        stream.write_all(head.as_bytes()).await.unwrap();
                        while ticks.changed().await.is_ok() {
                            let event = format!("data: {}\n\n", *ticks.borrow());
                            let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                            if stream.write_all(chunk.as_bytes()).await.is_err() {
                                return;
                            }
                        }
                        return;
                    }
                    _ if stream.write_all(&ok(&[], "fine")).await.is_err() => return,
                    _ => {}
                }
            }
        }
    });
    (app.await, tick)
}

both_versions!(a_reload_cuts_no_open_exchange, |http| {
    let (app, tick) = lively().await;
    let site = Site::of(&with_session(&app, "2h"));
    let mut program = site.start();
    let mut chat = chat(&mut program).await;
    let mut client = Streaming::over(tls(&mut program, http).await, http).await;
    // Over HTTP/1.1 the events use the connection alone.
    let mut other = Streaming::over(tls(&mut program, http).await, http).await;
    let mut events = client.get(request(http, Method::GET, "/events")).await.into_body();
    for round in 1..=20_u32 {
        let session = format!("{round}h");
        reload(&site, &mut program, &with_session(&app, &session)).await;
        chat.send(Message::text(session.clone())).await.unwrap();
        assert_eq!(chat.next().await.unwrap().unwrap(), Message::text(session));
        tick.send(round).unwrap();
        let event = next_part(&mut events).await.unwrap().unwrap();
        assert_eq!(event, format!("data: {round}\n\n"));
        let answer = other.get(request(http, Method::GET, "/")).await;
        assert_eq!(answer.status(), 200);
        count(answer.into_body()).await.unwrap();
    }
});

#[tokio::test]
async fn a_thousand_reloads_under_load_fail_no_request() {
    in_time(Box::pin(async {
        let (app, _tick) = lively().await;
        let gateway = Setup::before(&app).server("workers = 2").start();
        let control = gateway.inner().control().clone();
        let tls = gateway.tls(Http::One).await;
        let (mut chat, _) =
            tokio_tungstenite::client_async("wss://acme.example/chat", tls).await.unwrap();
        let load = Load::start(gateway.https());
        let reloading = tokio::task::spawn_blocking(move || {
            for _ in 0..1_000 {
                control.reload("test").unwrap();
            }
        });
        reloading.await.unwrap();
        chat.send(Message::text("still there")).await.unwrap();
        assert_eq!(chat.next().await.unwrap().unwrap(), Message::text("still there"));
        load.stop().await.assert_clean();
    }))
    .await;
}
