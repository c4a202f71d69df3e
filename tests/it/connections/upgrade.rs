//! WebSockets, over HTTP/1.1 and over HTTP/2 (RFC 8441), and all other upgrades.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{Method, Response, request::Builder};
use hyper::{body::Incoming, ext::Protocol, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::{derive_accept_key, server},
        protocol::Role,
    },
};

use crate::harness::{
    ACME, App, CONDITION_TIMEOUT, Http, Received, Setup, Streaming, both_versions, count, head_of,
    ok, read_request, request, until,
};

/// An application that echoes WebSocket messages, and answers the handshake with two cookies.
async fn echoing() -> App {
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    fn with_cookies(
        _: &server::Request,
        mut response: server::Response,
    ) -> Result<server::Response, server::ErrorResponse> {
        for cookie in ["_ga=1", "flexopus_session=s; Max-Age=5"] {
            response.headers_mut().append("set-cookie", cookie.parse().unwrap());
        }
        Ok(response)
    }
    App::serving(|mut stream, number, received| async move {
        let mut head = vec![0; 64 << 10];
        let read = stream.peek(&mut head).await.unwrap();
        let mut seen = std::io::Cursor::new(head[..read].to_vec());
        let Some(request) = read_request(&mut seen, &mut Vec::new(), number).await else { return };
        let websocket = request.field("upgrade") == Some("websocket");
        received.lock().unwrap().push(request);
        if !websocket {
            return stream.write_all(&ok(&["connection: close"], "hello")).await.unwrap();
        }
        let accepted = tokio_tungstenite::accept_hdr_async(&mut stream, with_cookies).await;
        let mut socket = accepted.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if !message.is_close() {
                socket.send(message).await.unwrap();
            }
        }
    })
    .await
}

/// A request for a WebSocket, by the handshake of either version.
fn asking(http: Http, path: &str) -> Builder {
    let request = match http {
        Http::One => request(http, Method::GET, path)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Http::Two => {
            request(http, Method::CONNECT, path).extension(Protocol::from_static("websocket"))
        }
    };
    request.header("sec-websocket-version", "13").header("origin", "https://acme.example")
}

/// Requests a WebSocket. Over HTTP/2 the client first has to learn that it may.
async fn ask(client: &mut Streaming, http: Http, request: Builder) -> Response<Incoming> {
    if http == Http::Two {
        let first = client.get(crate::harness::request(http, Method::GET, "/first")).await;
        count(first.into_body()).await.unwrap();
    }
    client.get(request).await
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn socket_of(http: Http, answer: Response<Incoming>) -> Socket {
    assert_eq!(answer.status(), if http == Http::One { 101 } else { 200 });
    let upgraded = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await
}

async fn echo(socket: &mut Socket, message: Message) {
    socket.send(message.clone()).await.unwrap();
    let echoed = tokio::time::timeout(CONDITION_TIMEOUT, socket.next()).await.expect("an echo");
    assert!(echoed.unwrap().unwrap() == message);
}

both_versions!(a_websocket_passes_and_its_handshake_is_judged, |http| {
    let app = echoing().await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let request = asking(http, "/chat?room=1").header("cookie", "_ga=1; flexopus_session=s");
    let answer = ask(&mut client, http, request).await;
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    assert!(cookies[0].to_str().unwrap().starts_with("flexopus_session=s; Max-Age=604800; "));
    let accept = answer.headers().get("sec-websocket-accept");
    match http {
        Http::One => assert_eq!(accept.unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        // RFC 8441, section 5: neither key nor accept.
        Http::Two => assert_eq!(accept, None),
    }
    let mut socket = socket_of(http, answer).await;
    echo(&mut socket, Message::text("hello")).await;
    echo(&mut socket, Message::binary(vec![7; 1 << 20])).await;
    echo(&mut socket, Message::text("again")).await;
    let metric = |name: &str| {
        let text = gateway.inner().control().metrics_text(0);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(|value| value.parse::<u64>().unwrap())
    };
    assert_eq!(metric("crumbgate_tunnels"), Some(1));

    let received = app.last();
    assert_eq!((received.method(), received.target()), ("GET", "/chat?room=1"));
    assert_eq!(received.field("host"), Some(ACME));
    assert_eq!(received.field("cookie"), Some("flexopus_session=s"));
    assert_eq!(received.field("connection"), Some("Upgrade"));
    assert_eq!(received.field("origin"), Some("https://acme.example"));
    assert_eq!(received.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(received.field("sec-websocket-version"), Some("13"));
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    until("the tunnel is closed", || metric("crumbgate_tunnels") == Some(0)).await;
    assert_eq!(metric("crumbgate_tunnels_opened_total"), Some(1));
});

#[tokio::test]
async fn an_unmodified_websocket_client_is_served() {
    let app = echoing().await;
    let gateway = Setup::before(&app).start();
    let tls = gateway.tls(Http::One).await;
    let (mut socket, answer) =
        tokio_tungstenite::client_async("wss://acme.example/chat", tls).await.unwrap();
    assert_eq!(answer.status(), 101);
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
}

both_versions!(a_refused_upgrade_is_an_ordinary_answer, |http| {
    let app = App::replying(|request: &Received| match request.target() {
        "/chat" => {
            b"HTTP/1.1 403 Forbidden\r\nset-cookie: _ga=1\r\ncontent-length: 2\r\n\r\nno".to_vec()
        }
        _ => ok(&[], "hello"),
    })
    .await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    for _ in 0..2 {
        let answer = ask(&mut client, http, asking(http, "/chat")).await;
        assert_eq!(answer.status(), 403);
        assert!(!answer.headers().contains_key("set-cookie"));
        assert_eq!(count(answer.into_body()).await.unwrap(), 2);
        let next = client.get(request(http, Method::GET, "/")).await;
        assert_eq!((next.status().as_u16(), count(next.into_body()).await.unwrap()), (200, 5));
    }
});

both_versions!(a_200_is_no_upgrade, |http| {
    let app = App::answering(&[("/first", &[]), ("/chat", &[])]).await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let answer = ask(&mut client, http, asking(http, "/chat")).await;
    match http {
        Http::One => {
            assert_eq!(
                (answer.status().as_u16(), count(answer.into_body()).await.unwrap()),
                (200, 5)
            );
        }
        // There a 200 would say that the WebSocket is open.
        Http::Two => assert_eq!(answer.status(), 502),
    }
    assert_eq!(client.get(request(http, Method::GET, "/first")).await.status(), 200);
});

/// An application that answers `/` and `/first` correctly and everything else with these bytes; it reports the bytes
/// after.
async fn upgrading(answer: &str) -> (App, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (rest, rests) = mpsc::unbounded_channel();
    let answer = answer.to_owned();
    let app = App::serving(move |mut stream, number, received| {
        let (answer, rest) = (answer.clone(), rest.clone());
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                let right = matches!(request.target(), "/" | "/first");
                received.lock().unwrap().push(request);
                if right {
                    stream.write_all(&ok(&[], "hello")).await.unwrap();
                    continue;
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.read_to_end(&mut buffer).await;
                rest.send(buffer).unwrap();
                return;
            }
        }
    })
    .await;
    (app, rests)
}

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n";

/// The application upgrades to another protocol: 502, nothing is tunnelled, and the next request is served.
async fn is_not_tunnelled(http: Http, answer: &str, asked: Builder) {
    let (app, mut rests) = upgrading(answer).await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let refused = ask(&mut client, http, asked).await;
    assert_eq!(refused.status(), 502, "{answer}");
    assert!(!refused.headers().contains_key("set-cookie"));
    assert_eq!(rests.recv().await.unwrap(), b"", "nothing went upstream");
    count(refused.into_body()).await.unwrap();
    let next = client.get(request(http, Method::GET, "/")).await;
    assert_eq!((next.status().as_u16(), count(next.into_body()).await.unwrap()), (200, 5));
}

both_versions!(ts12_an_unrequested_101_is_502, |http| {
    let answer = format!("{SWITCHING}upgrade: websocket\r\nset-cookie: _ga=1\r\n\r\nsmuggled");
    is_not_tunnelled(http, &answer, request(http, Method::GET, "/other")).await;
    is_not_tunnelled(http, &answer, request(http, Method::POST, "/other")).await;
});

both_versions!(tp9_an_upgrade_to_something_else_is_502, |http| {
    for other in ["upgrade: h2c\r\n", "upgrade: websocketx\r\n", ""] {
        // With the correct accept value, so that only the protocol is wrong.
        let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        let answer = format!("{SWITCHING}{other}{accept}\r\n");
        is_not_tunnelled(http, &answer, asking(http, "/chat")).await;
    }
});

#[tokio::test]
async fn a_wrong_accept_over_http_2_is_502() {
    for accept in ["", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"] {
        let answer = format!("{SWITCHING}upgrade: websocket\r\n{accept}\r\n");
        is_not_tunnelled(Http::Two, &answer, asking(Http::Two, "/chat")).await;
    }
}

#[tokio::test]
async fn tp9_h2c_is_never_tunnelled() {
    let answer = format!("{SWITCHING}upgrade: h2c\r\n\r\n");
    let asked = || {
        request(Http::One, Method::GET, "/other")
            .header("connection", "Upgrade, HTTP2-Settings")
            .header("upgrade", "h2c")
            .header("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA")
    };
    is_not_tunnelled(Http::One, &answer, asked()).await;
    let (app, _rests) = upgrading("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(Http::One).await;
    assert_eq!(client.get(asked()).await.status(), 200);
    for name in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(app.last().field(name), None, "{name}");
    }
}

#[tokio::test]
async fn only_a_get_without_a_body_requests_a_websocket() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let requests = [
        format!("POST / HTTP/1.1\r\nhost: acme.example\r\n{upgrade}content-length: 0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: acme.example\r\n{upgrade}content-length: 3\r\n\r\nabc"),
        "GET / HTTP/1.1\r\nhost: acme.example\r\nupgrade: websocket\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.0\r\nhost: acme.example\r\n{upgrade}\r\n"),
    ];
    for request in requests {
        let mut raw = gateway.raw().await;
        raw.send(&request).await;
        let answer = raw.read_until("hello").await;
        assert!(answer.contains(" 200 OK\r\n"), "{answer}");
        assert_eq!(app.last().field("upgrade"), None, "{request}");
    }
}

#[tokio::test]
async fn tp9_bytes_after_a_refused_upgrade_are_an_ordinary_request() {
    let app = App::replying(|request: &Received| match request.target() {
        "/chat" => b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n".to_vec(),
        _ => ok(&[], "hello"),
    })
    .await;
    let mut raw = Setup::before(&app).start().raw().await;
    raw.send(
        "GET /chat HTTP/1.1\r\nhost: acme.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         GET /after HTTP/1.1\r\nhost: acme.example\r\ncookie: _ga=1\r\nx-forwarded-for: 1.2.3.4\r\n\r\n",
    )
    .await;
    assert!(raw.read_head().await.starts_with("HTTP/1.1 426 "));
    assert!(raw.read_until("hello").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(app.last().target(), "/after");
    assert_eq!(app.last().field("cookie"), None);
    assert_eq!(app.last().field("x-forwarded-for"), Some("127.0.0.1"));
}

both_versions!(connect_is_refused, |http| {
    let app = App::answering(&[("/first", &[])]).await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let connect = match http {
        Http::One => http::Request::connect("acme.example:443").header("host", "acme.example:443"),
        Http::Two => http::Request::connect("https://acme.example:443"),
    };
    assert_eq!(client.get(connect).await.status(), 405);
    if http == Http::Two {
        let other = request(http, Method::CONNECT, "/").extension(Protocol::from_static("masque"));
        assert_eq!(ask(&mut client, http, other).await.status(), 405);
    }
});

/// An application that upgrades, and then does as `serve` demands; the upgrade is over HTTP/1.1 for certain.
async fn accepting(first_words: &'static str) -> (App, mpsc::UnboundedReceiver<()>) {
    let (ended, endings) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, number, _| {
        let ended = ended.clone();
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                let Some(key) = request.field("sec-websocket-key") else {
                    stream.write_all(&ok(&[], "hello")).await.unwrap();
                    continue;
                };
                let accept = derive_accept_key(key.as_bytes());
                let answer = format!(
                    "{SWITCHING}upgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n{first_words}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                if first_words != "bye" {
                    let _ = stream.read_to_end(&mut buffer).await;
                }
                drop(stream);
                return ended.send(()).unwrap();
            }
        }
    })
    .await;
    (app, endings)
}

async fn raw_tunnel(http: Http, answer: Response<Incoming>) -> TokioIo<Upgraded> {
    assert_eq!(answer.status(), if http == Http::One { 101 } else { 200 });
    TokioIo::new(hyper::upgrade::on(answer).await.unwrap())
}

both_versions!(bytes_that_come_with_the_101_are_not_lost, |http| {
    let (app, _endings) = accepting("first words").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let mut tunnel = raw_tunnel(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    let mut words = [0; 11];
    tunnel.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"first words");
});

both_versions!(a_tunnel_ends_with_the_application, |http| {
    let (app, _endings) = accepting("bye").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let mut tunnel = raw_tunnel(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    let mut words = Vec::new();
    tunnel.read_to_end(&mut words).await.unwrap();
    assert_eq!(words, b"bye");
});

both_versions!(a_tunnel_ends_with_the_client, |http| {
    let (app, mut endings) = accepting("").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let tunnel = raw_tunnel(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    drop(tunnel);
    endings.recv().await.unwrap();
    let mut client = gateway.streaming(http).await;
    let tunnel = raw_tunnel(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    client.cut();
    drop(tunnel);
    endings.recv().await.unwrap();
});

both_versions!(a_tunnel_ends_even_if_the_application_does_not_close, |http| {
    let (gone, mut closed) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, number, _| {
        let gone = gone.clone();
        async move {
            let request = read_request(&mut stream, &mut Vec::new(), number).await.unwrap();
            let accept = derive_accept_key(request.field("sec-websocket-key").unwrap().as_bytes());
            let answer =
                format!("{SWITCHING}upgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            // It never closes: it notices that nobody reads its bytes.
            while stream.write_all(b"still here").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            gone.send(()).unwrap();
        }
    })
    .await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let mut tunnel = raw_tunnel(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    tunnel.shutdown().await.unwrap();
    // The client keeps its socket, and reads nothing.
    closed.recv().await.unwrap();
});

both_versions!(a_silent_tunnel_is_not_idle, |http| {
    let app = echoing().await;
    let gateway = Setup::before(&app)
        .limits("idle_timeout = \"1s\"\nhead_timeout = \"1s\"\nbody_timeout = \"1s\"")
        .upstream("idle_timeout = \"1s\"\nbody_timeout = \"1s\"\nresponse_timeout = \"5s\"")
        .start();
    let mut client = gateway.streaming(http).await;
    let mut socket = socket_of(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        echo(&mut socket, Message::text("still there")).await;
    }
});

both_versions!(tunnels_continue_during_a_drain_and_end_with_it, |http| {
    let app = echoing().await;
    let gateway = Setup::before(&app).server("drain = \"3s\"").start();
    let mut client = gateway.streaming(http).await;
    let mut socket = socket_of(http, ask(&mut client, http, asking(http, "/chat")).await).await;
    echo(&mut socket, Message::text("before")).await;
    let address = gateway.https();
    let drain = gateway.drain();
    until("nobody listens any more", || std::net::TcpStream::connect(address).is_err()).await;
    echo(&mut socket, Message::text("in the middle")).await;
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    let report = drain.await.unwrap();
    assert_eq!((report.cut, report.failed_workers), (1, 0));
});

both_versions!(a_websocket_uses_a_connection_of_its_own, |http| {
    let app = echoing().await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let coming = client.begin(request(http, Method::GET, "/first")).await;
    count(head_of(coming).await.into_body()).await.unwrap();
    let answer = ask(&mut client, http, asking(http, "/chat")).await;
    let mut socket = socket_of(http, answer).await;
    echo(&mut socket, Message::text("hello")).await;
    // A tunnel's upstream connection is never used for another request.
    let other = gateway.browser(http);
    assert_eq!(other.get("/").await.text(), "hello");
    echo(&mut socket, Message::text("hello")).await;
});
