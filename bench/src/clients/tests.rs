//! The loads, against a TLS server of their own.

use std::{cell::Cell, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use rustls::{
    ServerConfig, crypto::aws_lc_rs::Ticketer, pki_types::PrivateKeyDer,
    server::NoServerSessionStorage,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    task::{LocalSet, spawn_local},
};
use tokio_rustls::TlsAcceptor;

use super::{
    Endpoint, Request, bodies,
    closed::{Closed, Until},
    frame::{self, Header},
    handshakes, http1, idle, paced, paths,
    upstream::{Answers, Upstream, serve_connection},
    websocket,
};

const SHORT: Duration = Duration::from_millis(50);

/// A TLS server with the application's answers; it runs as long as the test's `LocalSet`.
struct Server {
    endpoint: Endpoint,
    accepted: Rc<Cell<usize>>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(tickets: bool) -> Self {
        let made = rcgen::generate_simple_self_signed(["app.example".to_owned()]).unwrap();
        let chain = vec![made.cert.der().clone()];
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(chain.clone(), key).unwrap();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if tickets {
            config.ticketer = Ticketer::new().unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint {
            address: listener.local_addr().unwrap(),
            server_name: "app.example".to_owned(),
            roots: chain,
        };
        let accepted = Rc::new(Cell::new(0));
        spawn_local(accept(listener, TlsAcceptor::from(Arc::new(config)), Rc::clone(&accepted)));
        Self { endpoint, accepted }
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, accepted: Rc<Cell<usize>>) {
    let answers = Rc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        accepted.set(accepted.get() + 1);
        let (tls, answers) = (tls.clone(), Rc::clone(&answers));
        spawn_local(async move {
            if let Ok(stream) = tls.accept(stream).await {
                serve_connection(stream, answers).await;
            }
        });
    }
}

async fn locally<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

#[tokio::test]
async fn a_paced_load_sends_as_many_requests_as_it_should() {
    locally(async {
        let server = Server::start().await;
        let request = Request::get(paths::TINY);
        let latencies = paced::run(&server.endpoint, request, 1000.0, 3, SHORT).await.unwrap();
        assert_eq!((latencies.requests, latencies.errors), (50, 0));
        assert!(0.0 < latencies.p50_us && latencies.p50_us <= latencies.p99_us);
        assert!(latencies.p99_us <= latencies.p999_us);
        assert_eq!(server.accepted.get(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_waits_for_a_connection_is_late_from_when_it_was_due() {
    locally(async {
        let server = Server::start().await;
        // All are due within 2 ms, and one connection carries a body of 1 MiB for each: they can't be done in time.
        let request = Request::get(paths::DOWN);
        let duration = Duration::from_millis(2);
        let latencies = paced::run(&server.endpoint, request, 10_000.0, 1, duration).await.unwrap();
        assert_eq!((latencies.requests, latencies.errors), (20, 0));
        // The one in the middle waits for half of them, the last for all.
        assert!(latencies.p999_us > 1.2 * latencies.p50_us, "{latencies:?}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_an_error() {
    locally(async {
        let server = Server::start().await;
        let paced = paced::Paced::open(&server.endpoint, Request::get("/missing"), 1).await;
        let error = format!("{:#}", paced.err().unwrap());
        assert!(error.contains("the answer is 404"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn full_handshakes_bring_no_ticket() {
    locally(async {
        let server = Server::start().await;
        let full = handshakes::Resumption::Full;
        let done = handshakes::run(&server.endpoint, full, SHORT).await.unwrap();
        assert!(done.count > 0 && done.resumed == 0 && done.errors == 0, "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn resumed_handshakes_all_resume() {
    locally(async {
        let server = Server::start().await;
        let resumed = handshakes::Resumption::Resumed;
        let done = handshakes::run(&server.endpoint, resumed, SHORT).await.unwrap();
        assert!(done.count > 0 && done.resumed == done.count && done.errors == 0, "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_target_that_resumes_nothing_is_noticed() {
    locally(async {
        let server = Server::start_with(false).await;
        let resumed = handshakes::Resumption::Resumed;
        let done = handshakes::run(&server.endpoint, resumed, SHORT).await.unwrap();
        assert!(done.count == 0 && done.errors > 0, "{done:?}");
        assert!(done.first_error.unwrap().contains("the handshake was Full"));
    })
    .await;
}

#[tokio::test]
async fn idle_connections_stay_open() {
    locally(async {
        let server = Server::start().await;
        let idle = idle::open(&server.endpoint, 40).await.unwrap();
        assert_eq!((idle.count_open(), server.accepted.get()), (40, 40));
    })
    .await;
}

#[tokio::test]
async fn bodies_go_down_and_up() {
    locally(async {
        let server = Server::start().await;
        for direction in [bodies::Direction::Down, bodies::Direction::Up] {
            let done = bodies::run(&server.endpoint, direction, 2, SHORT).await.unwrap();
            assert!(done.requests > 0 && done.errors == 0, "{done:?}");
            assert_eq!(done.bytes, done.requests << 20);
        }
    })
    .await;
}

#[tokio::test]
async fn messages_come_back() {
    locally(async {
        let server = Server::start().await;
        for bytes in [0, 125, 126, 16_384, 65_000] {
            let done = websocket::run(&server.endpoint, 2, bytes, SHORT).await.unwrap();
            assert!(done.messages > 0 && done.errors == 0, "{bytes} bytes: {done:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_load_takes_turns_over_its_connections() {
    locally(async {
        let server = Server::start().await;
        let first = Request::get(paths::TINY);
        let closed = Closed::open(&server.endpoint, &first, 10).await.unwrap();
        let mut number = 0;
        let write = |request: &mut Vec<u8>| {
            number += 1;
            let path = format!("{}?{number}", paths::TINY);
            request.extend(Request::get(&path).to_bytes("app.example"));
        };
        let done = closed.run(4, Until::Requests(25), write).await.unwrap();
        assert_eq!((done.requests, done.errors, number), (25, 0, 25));
        assert_eq!(server.accepted.get(), 10);
    })
    .await;
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_application_counts_what_is_sent_over_tcp_and_unix() {
    locally(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let upstream = Upstream::bind(any, Some(&path)).unwrap();
        let address = upstream.address().unwrap();
        spawn_local(upstream.serve());
        let request =
            "POST /up?x=y HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde";
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let mut unix = UnixStream::connect(&path).await.unwrap();
        for answer in [ask(&mut tcp, request).await, ask(&mut unix, request).await] {
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n5"));
        }
    })
    .await;
}

#[test]
fn fields_are_found_whatever_their_case() {
    let head = b"HTTP/1.1 200 OK\r\nX: a:b\r\nCONTENT-length:  12 \r\n\r\n";
    assert_eq!(http1::field(head, "x"), Some(b"a:b".as_slice()));
    assert_eq!(http1::field(head, "content"), None);
    assert_eq!((http1::status(head).unwrap(), http1::body_bytes(head).unwrap()), (200, 12));
    assert!(http1::body_bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    assert!(http1::status(b"HTTP/2 200\r\n\r\n").is_err());
}

#[test]
fn a_frame_is_read_as_it_is_written() {
    for length in [0, 125, 126, 65_535, 65_536] {
        for is_client in [false, true] {
            let bytes = frame::header(frame::BINARY, length, is_client);
            let header = Header::read(&bytes).unwrap();
            assert_eq!((header.length, header.size), (length, bytes.len()));
            assert_eq!(header.mask, is_client.then_some([0; 4]));
            assert!((0..bytes.len()).all(|cut| Header::read(&bytes[..cut]).is_none()));
        }
    }
}
