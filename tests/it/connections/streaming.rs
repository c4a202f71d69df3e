//! Bodies in transit: streamed with back-pressure, cut where the sender cut them, and messages without a body.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::harness::{
    App, CONDITION_TIMEOUT, Feed, Http, Setup, both_versions, count, head_of, next_part, request,
    until,
};

const BODY_BYTES: usize = 96 << 20;

/// More than all buffers between the two ends can hold, mainly those of the kernel.
const BUFFERED_BYTES: usize = 48 << 20;

const PART_BYTES: usize = 64 << 10;

/// Waits until a count has not changed for a while. A count that only seems stable is too low, which can't
/// make an upper bound fail.
async fn at_rest(count: &AtomicUsize) -> usize {
    loop {
        let before = count.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(400)).await;
        if before > 0 && count.load(SeqCst) == before {
            return before;
        }
    }
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

/// Waits until the other side has closed or reset the connection, and ignores the bytes before.
async fn closed(stream: &mut TcpStream) {
    let mut bytes = vec![0; PART_BYTES];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

both_versions!(a_download_stops_while_its_reader_stops, |http| {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let app = App::serving(move |mut stream, _, _| {
        let written = Arc::clone(&counter);
        async move {
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..BODY_BYTES / PART_BYTES {
                stream.write_all(&[b'a'; PART_BYTES]).await.unwrap();
                written.fetch_add(PART_BYTES, SeqCst);
            }
        }
    })
    .await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let answer = client.get(request(http, Method::GET, "/")).await;
    let stalled_at = at_rest(&written).await;
    assert!(stalled_at < BUFFERED_BYTES, "{stalled_at} bytes are buffered somewhere");
    assert_eq!(count(answer.into_body()).await.unwrap(), BODY_BYTES);
});

both_versions!(an_upload_stops_while_its_reader_stops, |http| {
    let (go, gone) = tokio::sync::watch::channel(false);
    let app = App::serving(move |mut stream, _, _| {
        let mut gone = gone.clone();
        async move {
            read_head(&mut stream).await;
            gone.wait_for(|gone| *gone).await.unwrap();
            let mut bytes = vec![0; BODY_BYTES];
            stream.read_exact(&mut bytes).await.unwrap();
            assert!(bytes.iter().all(|byte| *byte == b'a'));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let upload = request(http, Method::POST, "/").header("content-length", BODY_BYTES);
    let (feed, coming) = client.send(upload).await;
    let written = Arc::new(AtomicUsize::new(0));
    let feeding = feed_all(feed, Arc::clone(&written));
    let stalled_at = at_rest(&written).await;
    assert!(stalled_at < BUFFERED_BYTES, "{stalled_at} bytes are buffered somewhere");
    go.send(true).unwrap();
    assert_eq!(head_of(coming).await.status(), 200);
    feeding.await.unwrap();
});

#[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
fn feed_all(feed: Feed, written: Arc<AtomicUsize>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        for _ in 0..BODY_BYTES / PART_BYTES {
            assert!(feed.part(vec![b'a'; PART_BYTES]).await);
            written.fetch_add(PART_BYTES, SeqCst);
        }
    })
}

both_versions!(events_arrive_one_by_one, |http| {
    let (ask, asked) = mpsc::channel::<()>(1);
    let asked = Arc::new(tokio::sync::Mutex::new(asked));
    let app = App::serving(move |mut stream, _, _| {
        let asked = Arc::clone(&asked);
        async move {
            read_head(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                        transfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while asked.lock().await.recv().await.is_some() {
                stream.write_all(b"9\r\ndata: x\n\n\r\n").await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    // The head arrives before any event.
    let mut body = client.get(request(http, Method::GET, "/")).await.into_body();
    for _ in 0..5 {
        ask.send(()).await.unwrap();
        assert_eq!(next_part(&mut body).await.unwrap().unwrap(), "data: x\n\n");
    }
    drop(ask);
    assert_eq!(count(body).await.unwrap(), 0);
});

both_versions!(ts9_trailers_of_an_answer_cross_without_cookies, |http| {
    let app = App::replying(|_| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie, connection\r\n\r\n\
          3\r\nabc\r\n0\r\nX-Sum: 6\r\nSet-Cookie: _ga=1\r\nSet-Cookie2: a\r\nConnection: x\r\n\r\n"
            .to_vec()
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for _ in 0..3 {
        let request = browser.request(Method::GET, "/").header("te", "trailers");
        let answer = browser.send(request, "").await;
        assert_eq!(answer.text(), "abc");
        assert_eq!(answer.trailers.len(), 1, "{:?}", answer.trailers);
        assert_eq!(answer.trailers["x-sum"], "6");
    }
    // Trailers are an end like any other: the connection is used again.
    assert_eq!(app.connections(), 1);
});

both_versions!(tq14_trailers_of_a_request_cross_without_cookies, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    for _ in 0..3 {
        let upload = request(http, Method::POST, "/").header("trailer", "x-sum, cookie");
        let (feed, coming) = client.send(upload).await;
        assert!(feed.part("abc").await);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("6"));
        trailers.insert("cookie", HeaderValue::from_static("flexopus_session=s"));
        trailers.insert("cookie2", HeaderValue::from_static("$Version=1"));
        feed.trailers(trailers).await;
        let answer = head_of(coming).await;
        assert_eq!(count(answer.into_body()).await.unwrap(), 5);
        assert_eq!(app.last().body, b"abc");
        assert_eq!(app.last().trailers.to_ascii_lowercase(), "x-sum: 6\r\n");
    }
    assert_eq!(app.connections(), 1);
});

both_versions!(t4_report_mode_changes_no_cookie_of_trailers, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).tenant(crate::harness::ACME, "mode = \"report\"").start();
    let mut client = gateway.streaming(http).await;
    let upload = request(http, Method::POST, "/").header("trailer", "cookie");
    let (feed, coming) = client.send(upload).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("cookie", HeaderValue::from_static("_ga=1"));
    feed.trailers(trailers).await;
    head_of(coming).await;
    assert_eq!(app.last().trailers.to_ascii_lowercase(), "cookie: _ga=1\r\n");
});

both_versions!(a_get_with_a_body_of_unknown_length_keeps_it, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let with_body = match http {
        Http::One => request(http, Method::GET, "/").header("transfer-encoding", "chunked"),
        Http::Two => request(http, Method::GET, "/"),
    };
    let (feed, coming) = client.send(with_body).await;
    assert!(feed.part("{\"query\":").await);
    assert!(feed.part("1}").await);
    drop(feed);
    assert_eq!(head_of(coming).await.status(), 200);
    assert_eq!(app.last().body, b"{\"query\":1}");
});

const EXPECTING: &str = "POST / HTTP/1.1\r\nhost: acme.example\r\nexpect: 100-continue\r\n";

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it() {
    let app = App::answering(&[("/", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    for _ in 0..2 {
        raw.send(format!("{EXPECTING}content-length: 3\r\n\r\n")).await;
        assert_eq!(raw.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        raw.send("abc").await;
        let answer = raw.read_until("hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(app.last().body, b"abc");
    }
}

#[tokio::test]
async fn a_refused_body_is_never_requested() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_bytes = 10").start();
    let mut raw = gateway.raw().await;
    raw.send(format!("{EXPECTING}content-length: 11\r\n\r\n")).await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(app.connections(), 0);
}

#[tokio::test]
async fn curl_waits_for_100_continue_and_gets_it() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let port = gateway.https().port();
    let curl = tokio::task::spawn_blocking(move || {
        std::process::Command::new("curl")
            .args(["-skv", "--http1.1", "--max-time", "20", "-H", "Expect: 100-continue"])
            .args(["--expect100-timeout", "15", "-d", "abc", "--resolve"])
            .arg(format!("acme.example:{port}:127.0.0.1"))
            .arg(format!("https://acme.example:{port}/"))
            .output()
            .unwrap()
    });
    let output = curl.await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("< HTTP/1.1 100 Continue"), "{stderr}");
    assert_eq!(app.last().body, b"abc");
}

both_versions!(ts8_interim_answers_are_dropped, |http| {
    let app = App::replying(|_| {
        b"HTTP/1.1 100 Continue\r\nset-cookie: _ga=0\r\n\r\n\
          HTTP/1.1 103 Early Hints\r\nset-cookie: _ga=1\r\nlink: </a.css>\r\n\r\n\
          HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
            .to_vec()
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for _ in 0..2 {
        let answer = browser.get("/").await;
        assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "hello"));
        assert!(answer.fields.get("link").is_none() && answer.set_cookies().is_empty());
    }
    assert_eq!(app.connections(), 1);
    if http == Http::One {
        let mut raw = gateway.raw().await;
        raw.send("GET / HTTP/1.1\r\nhost: acme.example\r\n\r\n").await;
        assert!(raw.read_head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
});

both_versions!(answers_without_a_body_end_at_their_head, |http| {
    let app = App::replying(|request| {
        let answer: &[u8] = match request.target() {
            "/204" => b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
            "/304" => b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: \"a\"\r\n\r\n",
            "/head" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        };
        answer.to_vec()
    })
    .await;
    let browser = Setup::before(&app).start().browser(http);
    for _ in 0..2 {
        assert_eq!(browser.get("/204").await.status, 204);
        let answer = browser.get("/304").await;
        assert_eq!((answer.status.as_u16(), answer.field("etag")), (304, Some("\"a\"")));
        let answer = browser.send(browser.request(Method::HEAD, "/head"), "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(browser.get("/").await.text(), "hello");
    }
    assert_eq!(app.connections(), 1);
});

both_versions!(a_head_request_gets_no_page, |http| {
    let app = App::answering(&[]).await;
    let gateway = Setup::before(&app).upstream("response_timeout = \"1s\"").start();
    let browser = gateway.browser(http);
    for _ in 0..2 {
        let unknown = match http {
            Http::One => http::Request::head("/").header("host", "nobody.example"),
            Http::Two => http::Request::head("https://nobody.example/"),
        };
        let answer = browser.send(unknown, "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (421, 0));
    }
    let mut client = h2_client(&gateway).await;
    if http == Http::Two {
        let unknown = http::Request::head("https://nobody.example/").body(()).unwrap();
        let (answer, _) = client.send_request(unknown, true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 421);
        assert!(answer.body().is_end_stream(), "the answer to a HEAD has no DATA");
    }
});

async fn h2_client(gateway: &crate::harness::Running) -> h2::client::SendRequest<bytes::Bytes> {
    let (client, connection) = h2::client::handshake(gateway.tls(Http::Two).await).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// An application that answers an upload at its head, and then reads on or closes; it reports the end of its
/// connection.
async fn early(answer: &'static str, close: bool) -> (App, mpsc::UnboundedReceiver<()>) {
    let (ended, endings) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, _, received| {
        let ended = ended.clone();
        async move {
            read_head(&mut stream).await;
            received.lock().unwrap().push(crate::harness::Received {
                connection: 0,
                head: String::new(),
                body: Vec::new(),
                trailers: String::new(),
            });
            stream.write_all(answer.as_bytes()).await.unwrap();
            if !close {
                closed(&mut stream).await;
            }
            drop(stream);
            ended.send(()).unwrap();
        }
    })
    .await;
    (app, endings)
}

both_versions!(an_early_answer_ends_the_upload_and_closes_the_connection, |http| {
    let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
    let (app, mut endings) = early(answer, false).await;
    let gateway = Setup::before(&app).start();
    for round in 1..=3 {
        let mut client = gateway.streaming(http).await;
        let upload = request(http, Method::POST, "/").header("content-length", BODY_BYTES);
        let (feed, coming) = client.send(upload).await;
        assert!(feed.part(vec![b'a'; PART_BYTES]).await);
        let answer = head_of(coming).await;
        assert_eq!(answer.status(), 403);
        assert_eq!(count(answer.into_body()).await.unwrap(), 2);
        // Nobody reads the rest; the application's connection, in mid-request, is closed and not used again.
        endings.recv().await.unwrap();
        until("the upload ends", || feed.is_over()).await;
        assert_eq!(app.connections(), round);
    }
});

#[tokio::test]
async fn unread_bytes_of_a_request_do_not_destroy_the_answer() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_bytes = 10").start();
    let refused = [
        format!("{POST}content-length: {BODY_BYTES}\r\n\r\n"),
        format!("{POST}cookie: {}", "a".repeat(1 << 20)),
        "not HTTP\r\n\r\n".to_owned(),
    ];
    for (request, status) in refused.iter().zip(["413", "431", "400"]) {
        let mut tls = gateway.tls(Http::One).await;
        tls.write_all(request.as_bytes()).await.unwrap();
        for _ in 0..64 {
            tls.write_all(&[b'a'; PART_BYTES]).await.unwrap();
        }
        let mut answer = Vec::new();
        tls.read_to_end(&mut answer).await.expect("a clean end");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

const POST: &str = "POST / HTTP/1.1\r\nhost: acme.example\r\n";

both_versions!(an_early_answer_of_an_application_that_closes_arrives, |http| {
    let answer =
        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
    let (app, _endings) = early(answer, true).await;
    let gateway = Setup::before(&app).start();
    for _ in 0..10 {
        let mut client = gateway.streaming(http).await;
        let upload = request(http, Method::POST, "/").header("content-length", BODY_BYTES);
        let (feed, coming) = client.send(upload).await;
        let feeding = feed_some(feed);
        let answer = head_of(coming).await;
        assert_eq!(answer.status(), 413);
        assert_eq!(count(answer.into_body()).await.unwrap(), 2);
        feeding.await.unwrap();
    }
});

/// Sends as long as the body is read.
#[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
fn feed_some(feed: Feed) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        for _ in 0..BODY_BYTES / PART_BYTES {
            if !feed.part(vec![b'a'; PART_BYTES]).await {
                return;
            }
        }
    })
}

/// An application that writes `answer` once it has a request's head, and reports when the gateway has closed.
async fn watching(answer: &'static str) -> (App, mpsc::UnboundedReceiver<()>) {
    let (ended, endings) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, _, _| {
        let ended = ended.clone();
        async move {
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            closed(&mut stream).await;
            ended.send(()).unwrap();
        }
    })
    .await;
    (app, endings)
}

async fn ended(endings: &mut mpsc::UnboundedReceiver<()>) {
    let ended = tokio::time::timeout(CONDITION_TIMEOUT, endings.recv()).await;
    ended.expect("the upstream connection is closed").unwrap();
}

both_versions!(a_client_gone_before_the_answer_closes_the_upstream_connection, |http| {
    let (app, mut endings) = watching("").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let _coming = client.begin(request(http, Method::GET, "/")).await;
    until("the application has the request", || app.connections() == 1).await;
    client.cut();
    ended(&mut endings).await;
});

both_versions!(a_client_gone_in_mid_answer_closes_the_upstream_connection, |http| {
    let (app, mut endings) =
        watching("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let mut body = client.get(request(http, Method::GET, "/")).await.into_body();
    assert_eq!(next_part(&mut body).await.unwrap().unwrap(), "abc");
    client.cut();
    ended(&mut endings).await;
});

both_versions!(a_client_gone_in_mid_upload_closes_the_upstream_connection, |http| {
    let (app, mut endings) = watching("").await;
    let gateway = Setup::before(&app).start();
    let mut client = gateway.streaming(http).await;
    let upload = request(http, Method::POST, "/").header("content-length", "10");
    let (feed, _coming) = client.send(upload).await;
    assert!(feed.part("abc").await);
    until("the application has the request", || app.connections() == 1).await;
    feed.abort().await;
    ended(&mut endings).await;
});

#[tokio::test]
async fn a_reset_stream_closes_the_upstream_connection_and_no_other_stream() {
    let (app, mut endings) = watching("").await;
    let gateway = Setup::before(&app).start();
    let mut client = h2_client(&gateway).await;
    let get = || http::Request::get("https://acme.example/").body(()).unwrap();
    let (first, mut first_stream) = client.send_request(get(), true).unwrap();
    let (_second, mut second_stream) = client.send_request(get(), true).unwrap();
    until("both requests are there", || app.connections() == 2).await;
    first_stream.send_reset(h2::Reason::CANCEL);
    drop(first);
    ended(&mut endings).await;
    assert!(endings.try_recv().is_err());
    second_stream.send_reset(h2::Reason::CANCEL);
    ended(&mut endings).await;
}

/// Answers that stop before their end.
const BROKEN: [(&str, &str); 3] = [
    ("a short body", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
    ("no last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ("a broken chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
];

both_versions!(an_application_that_disconnects_in_mid_answer_cuts_it, |http| {
    for (what, answer) in BROKEN {
        let app = App::serving(move |mut stream, _, _| async move {
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let gateway = Setup::before(&app).start();
        let mut client = gateway.streaming(http).await;
        let answer = client.get(request(http, Method::GET, "/")).await;
        assert_eq!(answer.status(), 200, "{what}");
        count(answer.into_body()).await.expect_err(what);
    }
});

#[tokio::test]
async fn an_http_1_0_client_can_distinguish_a_cut_answer_from_a_complete_one() {
    for (what, answer) in BROKEN {
        let app = App::serving(move |mut stream, _, _| async move {
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let gateway = Setup::before(&app).start();
        let mut tls = gateway.tls(Http::One).await;
        tls.write_all(b"GET / HTTP/1.0\r\nhost: acme.example\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // A clean end of TLS would be a clean end of the body.
        tls.read_to_end(&mut answer).await.expect_err(what);
        assert!(answer.starts_with(b"HTTP/1.0 200 OK\r\n"), "{what}");
    }
}
