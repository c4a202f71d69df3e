//! The gateway's start and end: the real binary, controlled by signals.

use std::{
    fmt::Debug,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{client::SendRequest, ext::Protocol};
use http::{Method, Request, StatusCode, Version};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use rustls::pki_types::ServerName;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::{Event, Metadata, Subscriber, field::Field, span};

use crate::harness::{
    ACME, App, CONDITION_TIMEOUT, Http, NOW_UNIX_S, Program, Raw, Setup, Site, both_versions,
    in_time, json_lines, ok, read_request, until, without_variables,
};

const JSON: &str = "[log]\nformat = \"json\"";

/// Longer than any test may take: a program that ends before was not ended by it.
const LONG_DRAIN: &str = "drain = \"1h\"";

/// An application that holds its answers to `/slow` until it is asked to release them.
async fn holding_back() -> (App, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let app = App::serving(move |mut stream, number, received| {
        let gate = Arc::clone(&opened);
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                let is_slow = request.target() == "/slow";
                received.lock().unwrap().push(request);
                if is_slow {
                    gate.acquire().await.unwrap().forget();
                }
                if stream.write_all(&ok(&[], "done")).await.is_err() {
                    return;
                }
            }
        }
    });
    (app.await, gate)
}

fn refuses_connections(address: SocketAddr) -> bool {
    std::net::TcpStream::connect(address).is_err()
}

#[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

/// A bare HTTP/2 connection: it shows frames that a browser hides.
async fn http2(
    program: &mut Program<'_>,
) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(program.https().await).await.unwrap();
    let config = Arc::new(program.client_config(Http::Two));
    let name = ServerName::try_from(ACME).unwrap();
    let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    (sender.ready().await.unwrap(), spawn(connection))
}

/// Waits for the gateway's GOAWAY.
async fn went_away(sender: &mut SendRequest<Bytes>) -> h2::Error {
    loop {
        match std::future::poll_fn(|context| sender.poll_ready(context)).await {
            Ok(()) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => {
                assert!(error.is_go_away() && error.is_remote(), "{error:?}");
                return error;
            }
        }
    }
}

fn get(path: &str) -> Request<()> {
    Request::builder()
        .version(Version::HTTP_2)
        .uri(format!("https://{ACME}{path}"))
        .body(())
        .unwrap()
}

both_versions!(a_stop_lets_open_exchanges_finish_and_accepts_no_new_ones, |http| {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let (app, gate) = holding_back().await;
        let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(JSON));
        let mut program = site.start();
        let address = program.https().await;
        let browser = program.browser(http).await;
        let answer = spawn(async move { browser.get("/slow").await });
        until("the application has the request", || app.received().len() == 1).await;

        program.signal(signal);
        assert_eq!(program.logged("draining").await["signal"], name);
        until("no connection is accepted", || refuses_connections(address)).await;
        gate.add_permits(1);
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, &*answer.text()), (StatusCode::OK, "done"));

        let finished = program.exit().await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(finished.last_line()["message"], "stopped; every exchange was completed");
    }
});

#[tokio::test]
async fn no_memory_is_taken_in_huge_pages() {
    in_time(async {
        let app = App::answering(&[]).await;
        let site = Site::of(&Setup::before(&app));
        let mut program = site.start();
        program.https().await;
        let pid = program.pid().as_raw_nonzero();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.lines().any(|line| line == "THP_enabled:\t0"), "{status}");
    })
    .await;
}

#[tokio::test]
async fn a_stop_sends_goaway_over_http_2_and_finishes_open_streams() {
    in_time(async {
        let (app, gate) = holding_back().await;
        let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(JSON));
        let mut program = site.start();
        let (mut sender, connection) = http2(&mut program).await;
        let (answer, _) = sender.send_request(get("/slow"), true).unwrap();
        until("the application has the request", || app.received().len() == 1).await;

        program.signal(Signal::TERM);
        assert_eq!(went_away(&mut sender).await.reason(), Some(h2::Reason::NO_ERROR));
        gate.add_permits(1);
        let mut answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), "done");
        assert_eq!(program.exit().await.code, Some(0));
        drop(connection);
    })
    .await;
}

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(JSON));
        let mut program = site.start();
        let mut kept_alive = program.raw().await;
        kept_alive.send(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n\r\n")).await;
        kept_alive.read_until("hello").await;
        let (mut sender, connection) = http2(&mut program).await;
        let (answer, _) = sender.send_request(get("/"), true).unwrap();
        answer.await.unwrap().body_mut().data().await.unwrap().unwrap();
        // A new connection gets a moment for its first request: it is the last to be closed.
        let mut fresh = program.raw().await;

        program.signal(Signal::TERM);
        assert_eq!(kept_alive.read_to_end().await, "");
        let refusal = went_away(&mut sender).await;
        assert_eq!(refusal.reason(), Some(h2::Reason::NO_ERROR));
        // Its last bytes may or may not reach the gateway.
        let _ = connection.await.unwrap();
        assert!(fresh.is_silent_for(Duration::ZERO).await, "the others did not wait for it");
        assert_eq!(fresh.read_to_end().await, "");
        let finished = program.exit().await;
        assert_eq!(finished.code, Some(0));
        assert_eq!(finished.last_line()["message"], "stopped; every exchange was completed");
    })
    .await;
}

/// An application that upgrades `/socket` to a silent WebSocket, and streams events without end elsewhere.
async fn endless() -> App {
    App::serving(|mut stream, number, received| async move {
        let mut buffer = Vec::new();
        let Some(request) = read_request(&mut stream, &mut buffer, number).await else { return };
        let head = match request.field("sec-websocket-key") {
            Some(key) => format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            ),
            None => "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                     transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
                .to_owned(),
        };
        stream.write_all(head.as_bytes()).await.unwrap();
        received.lock().unwrap().push(request);
        std::future::pending().await
    })
    .await
}

async fn open_websocket(program: &mut Program<'_>) -> Raw {
    let mut socket = program.raw().await;
    socket
        .send(format!(
            "GET /socket HTTP/1.1\r\nhost: {ACME}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ))
        .await;
    assert!(socket.read_head().await.starts_with("HTTP/1.1 101 "));
    socket
}

/// An extended `CONNECT` (RFC 8441).
async fn open_http2_websocket(
    sender: &mut SendRequest<Bytes>,
) -> (h2::RecvStream, h2::SendStream<Bytes>) {
    let settings = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        match sender.is_extended_connect_protocol_enabled() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    settings.await;
    let mut request = get("/socket");
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    let (answer, sending) = sender.send_request(request, false).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    (answer.into_body(), sending)
}

#[tokio::test]
async fn exchanges_that_never_end_are_cut_at_the_deadline_and_counted_once_each() {
    in_time(async {
        let app = endless().await;
        let site = Site::of(&Setup::before(&app).server("drain = \"1s\"").sections(JSON));
        let mut program = site.start();
        let mut socket = open_websocket(&mut program).await;
        let mut events = program.raw().await;
        events.send(format!("GET /events HTTP/1.1\r\nhost: {ACME}\r\n\r\n")).await;
        events.read_until("data: 1\n\n").await;
        let (mut sender, connection) = http2(&mut program).await;
        let (mut http2_socket, _sending) = open_http2_websocket(&mut sender).await;
        let (answer, _) = sender.send_request(get("/events"), true).unwrap();
        let mut http2_events = answer.await.unwrap().into_body();
        http2_events.data().await.unwrap().unwrap();

        program.signal(Signal::TERM);
        program.logged("draining").await;
        let began = Instant::now();
        assert_eq!(socket.read_to_end().await, "");
        assert!(!events.read_to_end().await.contains("0\r\n\r\n"), "a cut is no clean end");
        assert!(http2_events.data().await.is_none_or(|part| part.is_err()));
        assert!(http2_socket.data().await.is_none_or(|part| part.is_err()));
        let finished = program.exit().await;
        assert!(began.elapsed() > Duration::from_millis(900), "they had the time of the drain");
        assert_eq!(finished.code, Some(0), "a drain that cuts is a drain");
        let last = finished.last_line();
        assert_eq!(
            last["message"],
            "stopped; exchanges that were still open after the drain were cut"
        );
        assert_eq!((&last["cut"], &last["level"]), (&4.into(), &"WARN".into()));
        drop(connection);
    })
    .await;
}

#[tokio::test]
async fn connections_in_the_accept_queue_at_the_stop_are_answered() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let site =
            Site::of(&Setup::before(&app).server(LONG_DRAIN).server("workers = 2").sections(JSON));
        let mut program = site.start();
        let address = program.https().await;
        let config = Arc::new(program.client_config(Http::One));
        program.signal(Signal::STOP);
        let mut waiting = Vec::new();
        for _ in 0..16 {
            // The kernel completes the handshake: the gateway is stopped.
            let stream = TcpStream::connect(address).await.unwrap();
            let connector = TlsConnector::from(Arc::clone(&config));
            waiting.push(spawn(async move {
                let name = ServerName::try_from(ACME).unwrap();
                let stream = connector.connect(name, stream).await.unwrap();
                let mut raw = Raw::new(stream);
                raw.send(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n\r\n")).await;
                raw.read_until("hello").await
            }));
        }
        program.signal(Signal::TERM);
        program.signal(Signal::CONT);
        for answer in waiting {
            assert!(answer.await.unwrap().starts_with("HTTP/1.1 200 "));
        }
        let finished = program.exit().await;
        assert_eq!(finished.code, Some(0));
        assert_eq!(finished.last_line()["message"], "stopped; every exchange was completed");
    })
    .await;
}

both_versions!(a_second_signal_ends_the_drain_at_once, |http| {
    for second in [Signal::TERM, Signal::INT] {
        let (app, _gate) = holding_back().await;
        let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(JSON));
        let mut program = site.start();
        let browser = program.browser(http).await;
        let answer = spawn(async move {
            browser.try_send(browser.request(Method::GET, "/slow"), "").await.map(|_| ())
        });
        until("the application has the request", || app.received().len() == 1).await;
        program.signal(Signal::TERM);
        program.logged("draining").await;
        assert!(!answer.is_finished());

        // A second signal right after the first counts as the same: the user sends it again later.
        program
            .wait_for("a second signal to be heard", |program| {
                let heard =
                    program.stderr().contains("a second signal: cutting what is still open");
                if !heard {
                    program.signal(second);
                }
                heard.then_some(())
            })
            .await;
        let finished = program.exit().await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(answer.await.unwrap().is_err(), "it is cut");
        assert_eq!(finished.last_line()["cut"], 1);
        finished.logged("a second signal: cutting what is still open");
    }
});

both_versions!(two_signals_at_once_count_as_one, |http| {
    let (app, gate) = holding_back().await;
    let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(JSON));
    let mut program = site.start();
    let browser = program.browser(http).await;
    let answer = spawn(async move { browser.get("/slow").await });
    until("the application has the request", || app.received().len() == 1).await;
    // As `timeout` sends it: to the process, and to its group. Both wait until the process continues.
    program.signal(Signal::STOP);
    program.signal(Signal::TERM);
    program.signal(Signal::INT);
    program.signal(Signal::CONT);
    program.logged("draining").await;
    gate.add_permits(1);
    assert_eq!(answer.await.unwrap().status, StatusCode::OK);
    let finished = program.exit().await;
    assert_eq!(finished.last_line()["message"], "stopped; every exchange was completed");
});

#[tokio::test]
async fn a_hangup_does_not_end_the_gateway() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let site = Site::of(&Setup::before(&app).sections(JSON));
        let mut program = site.start();
        program.https().await;
        program.signal(Signal::HUP);
        program.logged("reloaded").await;
        assert_eq!(program.browser(Http::One).await.get("/").await.status, 200);
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
    })
    .await;
}

/// A configuration with these listeners, and an application that gets no request.
fn listening_at(https: &str, http: &str) -> String {
    let text = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]).sections(JSON).text();
    text.replace("https = [\"127.0.0.1:0\"]", &format!("https = [{https:?}]"))
        .replace("http = [\"127.0.0.1:0\"]", &format!("http = [{http:?}]"))
}

/// Asserts that a start was refused: one line, which names the key, the address, the cause and the fix.
#[track_caller]
fn assert_refused(finished: &crate::harness::Finished, key: &str, address: SocketAddr) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let message: Vec<_> =
        finished.stderr.lines().filter(|line| line.starts_with("crumbgate: ")).collect();
    assert_eq!(message.len(), 1, "{finished:?}");
    for part in [key, &address.to_string(), "another program uses this address", "another port"] {
        assert!(message[0].contains(part), "{part} in {}", message[0]);
    }
    assert_eq!(finished.stdout, "");
    assert!(!finished.stderr.contains("listening for"), "{}", finished.stderr);
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_the_key_the_address_and_the_fix() {
    in_time(async {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let text = address.to_string();
        for (key, config) in [
            ("server.https", listening_at(&text, "127.0.0.1:0")),
            ("server.http", listening_at("127.0.0.1:0", &text)),
        ] {
            let finished = Site::with_config(&config).run(&["run"]).await;
            assert_refused(&finished, key, address);
        }
    })
    .await;
}

#[tokio::test]
async fn a_port_is_not_shared_with_another_program() {
    in_time(async {
        let generous = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        generous.set_reuse_address(true).unwrap();
        generous.set_reuse_port(true).unwrap();
        generous.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        generous.listen(1).unwrap();
        let address = generous.local_addr().unwrap().as_socket().unwrap();
        let config = listening_at(&address.to_string(), "127.0.0.1:0");
        let finished = Site::with_config(&config).run(&["run"]).await;
        assert_refused(&finished, "server.https", address);
    })
    .await;
}

#[tokio::test]
async fn of_two_gateways_on_one_port_the_second_refuses() {
    in_time(async {
        let first = Site::with_config(&listening_at("127.0.0.1:0", "127.0.0.1:0"));
        let mut first = first.start();
        let address = first.https().await;
        let second = Site::with_config(&listening_at(&address.to_string(), "127.0.0.1:0"));
        assert_refused(&second.run(&["run"]).await, "server.https", address);
    })
    .await;
}

#[tokio::test]
async fn two_gateways_that_start_together_never_share_a_port() {
    in_time(async {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let site = Site::with_config(&listening_at(&free.to_string(), "127.0.0.1:0"));
            let mut both = [site.start(), site.start()];
            let mut listening = 0;
            for program in &mut both {
                let listens = program.wait_for("a start or a refusal", |program| {
                    let printed = program.stderr();
                    let refused = printed.contains("crumbgate: ").then_some(false);
                    refused.or(printed.contains("listening for https").then_some(true))
                });
                listening += usize::from(listens.await);
            }
            // `None` where each blocked the other.
            assert!(listening <= 1);
            for program in both {
                if program.stderr().contains("listening for https") {
                    program.signal(Signal::TERM);
                    assert_eq!(program.exit().await.code, Some(0));
                } else {
                    assert_refused(&program.exit().await, "server.https", free);
                }
            }
        }
    })
    .await;
}

/// Runs the gateway with at most this number of open files.
fn start_with_files(site: &Site, files: u32) -> Program<'_> {
    let mut command = Command::new("sh");
    command.current_dir(site.path("."));
    command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" run")]);
    command.arg(env!("CARGO_BIN_EXE_crumbgate"));
    without_variables(&mut command);
    site.start_command(&mut command)
}

/// The number that the next file of a process gets.
fn next_file(program: &Program<'_>) -> u64 {
    let is_free =
        |number: &u64| !std::fs::exists(format!("/proc/{}/fd/{number}", program.pid())).unwrap();
    (0..).find(is_free).unwrap()
}

/// Sets the number of files that a process may have open; returns the one before.
fn limit_files(program: &Program<'_>, files: u64) -> u64 {
    let before = getrlimit(Resource::Nofile);
    let limit = Rlimit { current: Some(files), maximum: before.maximum };
    prlimit(Some(program.pid()), Resource::Nofile, limit).unwrap().current.unwrap()
}

/// The processor time of a process, in hundredths of a second (`proc(5)`).
fn cpu_centiseconds(program: &Program<'_>) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", program.pid())).unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let times = after_name.split(' ').skip(11).take(2);
    times.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn without_file_descriptors_the_gateway_waits_without_load_and_recovers() {
    in_time(async {
        const PAUSED: &str = "no connection can be accepted; trying again in a moment";
        let app = App::answering(&[("/", &[])]).await;
        let site = Site::of(&Setup::before(&app).sections(JSON));
        let mut program = site.start();
        let address = program.https().await;
        let before = limit_files(&program, next_file(&program));
        let waiting = TcpStream::connect(address).await.unwrap();
        program.logged(PAUSED).await;
        let pauses = |program: &Program<'_>| {
            json_lines(&program.stderr()).iter().filter(|line| line["message"] == PAUSED).count()
        };
        let (pauses_before, cpu_before, began) =
            (pauses(&program), cpu_centiseconds(&program), Instant::now());
        program
            .wait_for("some more tries", |program| {
                (pauses(program) >= pauses_before + 10).then_some(())
            })
            .await;
        let waited = began.elapsed();
        let tries = pauses(&program) - pauses_before;
        // A listener's pause is 100 ms, and only the https listener has a connection to accept.
        assert!(waited.as_millis() + 150 >= tries as u128 * 100, "{tries} tries in {waited:?}");
        let cpu = Duration::from_millis(10 * (cpu_centiseconds(&program) - cpu_before));
        assert!(cpu < waited / 4, "{cpu:?} of processor time in {waited:?}");

        limit_files(&program, before);
        drop(waiting);
        assert_eq!(program.browser(Http::One).await.get("/").await.status, 200);
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_fails_the_start() {
    in_time(async {
        let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
        let site = Site::of(&setup.server("workers = 8").sections(JSON));
        // Enough to read the files and to bind, too few for eight runtimes.
        let finished = start_with_files(&site, 32).exit().await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let message = finished.stderr.lines().find(|line| line.starts_with("crumbgate: "));
        let message = message.unwrap_or_else(|| panic!("{finished:?}"));
        assert!(message.contains("Too many open files"), "{message}");
        assert!(!finished.stderr.contains("listening for"), "{}", finished.stderr);
    })
    .await;
}

#[tokio::test]
async fn a_log_pipe_without_a_reader_stops_nothing() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let access = "[log]\nformat = \"json\"\naccess = true";
        let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(access));
        let mut child = site.command(&["run"]).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = log.next().expect("it says where it listens").unwrap();
            if let Some(address) = listening(&line) {
                break address;
            }
        };
        drop(log);
        let browser = site.browser_to(address, Http::Two);
        for _ in 0..3 {
            assert_eq!(browser.get("/").await.status, 200);
        }
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert_eq!(ended.await.unwrap().code(), Some(0));
    })
    .await;
}

#[tokio::test]
async fn a_full_log_pipe_stops_neither_requests_nor_the_drain() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let access = "[log]\nformat = \"json\"\naccess = true";
        let site = Site::of(&Setup::before(&app).server(LONG_DRAIN).sections(access));
        let mut child = site.command(&["run"]).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            log.read_line(&mut line).unwrap();
            if let Some(address) = listening(&line) {
                break address;
            }
        };
        // The pipe holds 64 KiB: far fewer lines than these.
        let browser = site.browser_to(address, Http::Two);
        for _ in 0..1000 {
            assert_eq!(browser.get("/").await.status, 200);
        }
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert_eq!(ended.await.unwrap().code(), Some(0));
        drop(log);
    })
    .await;
}

#[tokio::test]
async fn a_silent_connection_does_not_delay_a_stop() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let limits = "handshake_timeout = \"1h\"";
        let server = "drain = \"1h\"";
        let site = Site::of(&Setup::before(&app).server(server).limits(limits).sections(JSON));
        let mut program = site.start();
        let mut silent = TcpStream::connect(program.https().await).await.unwrap();
        // The gateway has it: it was accepted before this one, on the only worker.
        let mut served = program.raw().await;
        served.send(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n\r\n")).await;
        served.read_until("hello").await;
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
    })
    .await;
}

/// The address in a line that reports where https is served.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let says = line["message"] == "listening for https";
    says.then(|| line["address"].as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn an_application_that_is_down_at_the_start_is_reached_when_it_comes_up() {
    in_time(async {
        // Bound, so that no other program gets the port, and not listening: connections are refused.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let site = Site::of(&Setup::before_servers(&[format!("http://{address}")]).sections(JSON));
        let mut program = site.start();
        let browser = program.browser(Http::Two).await;
        assert_eq!(browser.get("/").await.status, 502);
        assert_eq!(program.logged("an upstream server failed").await["level"], "WARN");

        socket.listen(16).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(socket.into()).unwrap();
        let app = App::serving_on(listener, |mut stream, number, received| async move {
            while let Some(request) = read_request(&mut stream, &mut Vec::new(), number).await {
                received.lock().unwrap().push(request);
                stream.write_all(&ok(&[], "up")).await.unwrap();
            }
        });
        assert_eq!(browser.get("/").await.text(), "up");
        assert_eq!(app.received().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_application_with_an_unknown_name_does_not_stop_the_start() {
    in_time(async {
        let setup = Setup::before_servers(&["http://nowhere.invalid".to_owned()]);
        let site = Site::of(&setup.sections(JSON));
        let mut program = site.start();
        let status = program.browser(Http::One).await.get("/").await.status;
        assert!(matches!(status.as_u16(), 502 | 504), "{status}");
    })
    .await;
}

both_versions!(to5_a_wrong_clock_causes_valid_dates, |http| {
    const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
    let app = App::answering(&[("/", &["set-cookie: flexopus_session=s"])]).await;
    let gateway = Setup::before(&app).tenant(ACME, "session = \"2h\"").start();
    // Back and forth, so that each step follows a jump.
    for unix_s in [0, LAST, 1, u64::MAX, LAST - 1, NOW_UNIX_S] {
        gateway.set_unix_s(unix_s);
        let answer = gateway.browser(http).get("/").await;
        assert_eq!(answer.status, 200);
        let cookie = answer.set_cookie("flexopus_session").to_owned();
        let attribute = |name: &str| {
            let named = cookie.split("; ").find_map(|part| part.strip_prefix(name));
            named.unwrap_or_else(|| panic!("{name} in {cookie}")).to_owned()
        };
        assert_eq!(attribute("Max-Age="), "7200");
        let read = |date: &str| {
            let date = httpdate::parse_http_date(date).unwrap_or_else(|_| panic!("{date}"));
            date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(read(&attribute("Expires=")), unix_s.saturating_add(7200).min(LAST), "{cookie}");
        assert_eq!(read(answer.field("date").unwrap()), unix_s.min(LAST));
    }
});

/// The id of the request whose exchange panics.
const PANICKING: &str = "this-exchange-panics";

/// A subscriber that panics when it is given a line about the request [`PANICKING`].
struct PanickingSubscriber;

impl Subscriber for PanickingSubscriber {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut |field: &Field, value: &dyn Debug| {
            let is_panicking =
                field.name() == "request_id" && format!("{value:?}").contains(PANICKING);
            assert!(!is_panicking, "the panic of this test");
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

both_versions!(to12_a_panic_in_one_exchange_does_not_end_the_gateway, |http| {
    // No known request provokes a panic. A subscriber that panics inside the exchange does.
    let _ = tracing::subscriber::set_global_default(PanickingSubscriber);
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).tenant("*.flexopus.example", "").tenant(ACME, "").start();
    let bystander = gateway.browser(http);
    assert_eq!(bystander.get("/").await.status, 200);

    let victim = gateway.browser_at("new.flexopus.example", http);
    let rejected = || victim.request(Method::TRACE, "/");
    assert_eq!(victim.try_send(rejected(), "").await.unwrap().status(), 405);
    let request = rejected().header("x-request-id", PANICKING);
    assert!(victim.try_send(request, "").await.is_err());

    assert_eq!(bystander.get("/").await.status, 200);
    assert_eq!(gateway.browser(http).get("/").await.status, 200);
    let report =
        tokio::time::timeout(CONDITION_TIMEOUT, gateway.drain()).await.expect("it drains").unwrap();
    assert_eq!((report.cut, report.failed_workers), (0, 0));
});
