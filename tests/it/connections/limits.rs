//! Every bound: its effect on the client that reaches it, and on no other.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
};

use crate::harness::{
    ACME, App, CONDITION_TIMEOUT, Exposed, Http, Running, Setup, both_versions, count,
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, frame, get_block,
        kinds_to_end, raw_h2,
    },
    head_of, next_part, ok, read_request, request, until,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: acme.example\r\n";

both_versions!(a_head_above_head_bytes_is_431, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("head_bytes = 8192\ncookie_bytes = 4096").start();
    let browser = gateway.browser(http);
    let with = |bytes| browser.request(Method::GET, "/").header("x-large", "a".repeat(bytes));
    assert_eq!(browser.send(with(7800), "").await.status, 200);
    let answer = browser.send(with(8192), "").await;
    assert_eq!(answer.status, 431);
    assert!(answer.text().contains("Request header fields too large"), "{}", answer.text());
    let long = browser.request(Method::GET, &format!("/?{}", "a".repeat(8192)));
    assert_eq!(browser.send(long, "").await.status, 431);
    // The connection stays open.
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(app.received().len(), 2);
});

both_versions!(a_head_far_above_head_bytes_is_431_without_a_page, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("head_bytes = 8192\ncookie_bytes = 4096").start();
    let browser = gateway.browser(http);
    let request = browser.request(Method::GET, "/").header("x-large", "a".repeat(900_000));
    let answer = browser.send(request, "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (431, 0));
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(app.received().len(), 1);
});

both_versions!(more_fields_than_head_fields_are_431, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("head_fields = 20").start();
    let browser = gateway.browser(http);
    let with = |fields| {
        let request = browser.request(Method::GET, "/");
        (0..fields).fold(request, |request, number| request.header(format!("x-{number}"), "a"))
    };
    assert_eq!(browser.send(with(15), "").await.status, 200);
    assert_eq!(browser.send(with(21), "").await.status, 431);
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(app.received().len(), 2);
});

#[tokio::test]
async fn r8_crumbs_are_one_field() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("head_fields = 20").start();
    let browser = gateway.browser(Http::Two);
    let request = (0..150).fold(browser.request(Method::GET, "/"), |request, number| {
        request.header("cookie", format!("_junk{number}=1"))
    });
    assert_eq!(browser.send(request.header("cookie", "XSRF-TOKEN=t"), "").await.status, 200);
    assert_eq!(app.last().field("cookie"), Some("XSRF-TOKEN=t"));
}

both_versions!(r8_declared_cookies_above_cookie_bytes_are_431, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("cookie_bytes = 1024").start();
    let browser = gateway.browser(http);
    let with = |bytes: usize| {
        let name = "flexopus_session=";
        format!("_ga=1; {name}{}; _gid=2", "a".repeat(bytes - name.len()))
    };
    let answer = browser.get_with_cookie("/", with(1025)).await;
    assert_eq!(answer.status, 431);
    assert!(answer.set_cookies().iter().all(|cookie| cookie.starts_with("_g")));
    assert!(!answer.set_cookies().is_empty());
    assert_eq!(browser.get_with_cookie("/", with(1024)).await.status, 200);
    assert_eq!(app.received().len(), 1);
});

both_versions!(r8_a_head_counts_without_the_cookies_that_are_stripped, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("head_bytes = 8192\ncookie_bytes = 4096").start();
    let browser = gateway.browser(http);
    let junk: String = (0..100).map(|n| format!("_junk{n}={}; ", "v".repeat(4000))).collect();
    let with = |bytes| {
        let request = browser.request(Method::GET, "/").header("cookie", &junk);
        request.header("x-large", "a".repeat(bytes))
    };
    assert_eq!(browser.send(with(7500), "").await.status, 200);
    assert_eq!(browser.send(with(8192), "").await.status, 431);
    assert_eq!(app.received().len(), 1);
});

/// The head of a request with this many bytes of cookies, without its end.
fn unfinished(bytes: usize) -> Vec<u8> {
    [GET.as_bytes(), b"cookie: _ga=", &vec![b'a'; bytes]].concat()
}

#[tokio::test]
async fn r8_large_heads_share_what_a_worker_has() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let overloaded = "crumbgate_rejections_total{reason=\"overloaded\"}";
    let mut held = Vec::new();
    // 32 MiB for each worker, beyond 128 KiB for each head.
    while Exposed::by(&gateway).get(overloaded) == 0. {
        assert!(held.len() < 200, "{} connections hold 700 KB each", held.len());
        let mut tls = gateway.tls(Http::One).await;
        // Fails where the gateway has closed the connection.
        let _ = tls.write_all(&unfinished(700_000)).await;
        held.push(tls);
    }
    assert!(held.len() > 32 * 1024 * 1024 / 700_000, "{} connections", held.len());
    for http in [Http::One, Http::Two] {
        let browser = gateway.browser(http);
        let small = format!("flexopus_session=s; _ga={}", "a".repeat(100_000));
        assert_eq!(browser.get_with_cookie("/", small).await.status, 200);
    }
    drop(held);
    let large = format!("flexopus_session=s; _ga={}", "a".repeat(700_000));
    let mut refused = 0;
    while gateway.browser(Http::Two).get_with_cookie("/", &large).await.status != 200 {
        refused += 1;
        assert!(refused < 500, "large heads are not served again");
    }
}

both_versions!(a_body_above_body_bytes_is_413, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_bytes = 10").start();
    let browser = gateway.browser(http);
    let post = || browser.request(Method::POST, "/");
    assert_eq!(browser.send(post(), "0123456789").await.status, 200);
    let answer = browser.send(post(), "0123456789a").await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("Content too large"), "{}", answer.text());
    assert_eq!(app.received().len(), 1);
    assert_eq!(browser.send(post(), "0123456789").await.status, 200);
});

both_versions!(a_body_that_grows_above_body_bytes_is_413, |http| {
    let (rest, mut rests) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, _, _| {
        let rest = rest.clone();
        async move {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes).await;
            rest.send(String::from_utf8(bytes).unwrap()).unwrap();
        }
    })
    .await;
    let gateway = Setup::before(&app).limits("body_bytes = 10").start();
    let mut client = gateway.streaming(http).await;
    let (feed, coming) = client.send(request(http, Method::POST, "/")).await;
    assert!(feed.part("01234").await);
    until("the application is asked", || app.connections() == 1).await;
    assert!(feed.part("56789a").await);
    assert_eq!(head_of(coming).await.status(), 413);
    // The application got no complete request.
    let got = rests.recv().await.unwrap();
    assert!(!got.ends_with("\r\n0\r\n\r\n") && !got.contains("56789a"), "{got}");
});

both_versions!(a_connection_above_the_limit_is_503_while_all_are_used, |http| {
    let (app, go) = waiting().await;
    let limits = "connections = 1\nsource_connections = 9";
    let gateway = Setup::before(&app).limits(limits).start();
    let mut first = gateway.streaming(Http::Two).await;
    let coming = first.begin(request(Http::Two, Method::GET, "/")).await;
    until("it is there", || app.received().len() == 1).await;
    let second = gateway.browser(http);
    // Over HTTP/2 the connection may get a GOAWAY before its request was sent.
    let answer = second.try_send(second.request(Method::GET, "/"), "").await;
    match (http, answer) {
        (_, Ok(answer)) => {
            assert_eq!(answer.status(), 503);
            assert_eq!(answer.headers()["retry-after"], "5");
        }
        (Http::One, Err(error)) => panic!("{error}"),
        (Http::Two, Err(_)) => {}
    }
    go.send(()).unwrap();
    assert_eq!(head_of(coming).await.status(), 200);
    assert_eq!(app.received().len(), 1);
    drop((first, second));
    go.send(()).unwrap();
    served_again(&gateway, http).await;
});

/// The number of connections that the gateway has cut for this cause.
fn cut(gateway: &Running, cause: &str) -> f64 {
    Exposed::by(gateway).get(&format!("crumbgate_connections_cut_total{{cause=\"{cause}\"}}"))
}

both_versions!(a_new_connection_takes_the_place_of_the_one_that_waited_longest, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let limits = "connections = 2\nsource_connections = 9";
    let gateway = Setup::before(&app).limits(limits).start();
    let mut older = gateway.streaming(http).await;
    let answer = older.get(request(http, Method::GET, "/")).await;
    count(answer.into_body()).await.unwrap();
    // The time by which waiting is measured advances with each sweep.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let newer = gateway.browser(http);
    assert_eq!(newer.get("/").await.status, 200);
    let connections = Exposed::by(&gateway).get("crumbgate_connections_accepted_total");
    assert_eq!(gateway.browser(http).get("/").await.status, 200);
    assert_eq!(cut(&gateway, "place"), 1.);
    assert_eq!(newer.get("/").await.status, 200);
    // The newer one still is the same connection.
    let accepted = Exposed::by(&gateway).get("crumbgate_connections_accepted_total");
    assert_eq!(accepted, connections + 1.);
    assert_eq!(app.received().len(), 4);
});

both_versions!(one_source_does_not_take_every_place, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("connections = 9\nsource_connections = 2").start();
    let (first, second) = (gateway.browser(http), gateway.browser(http));
    for browser in [&first, &second] {
        assert_eq!(browser.get("/").await.status, 200);
    }
    let mut third = TcpStream::connect(gateway.https()).await.unwrap();
    let read = tokio::time::timeout(CONDITION_TIMEOUT, third.read_u8()).await;
    assert!(read.expect("it is closed at once").is_err());
    let refused = "crumbgate_rejections_total{reason=\"source_connections\"}";
    assert_eq!(Exposed::by(&gateway).get(refused), 1.);
    for browser in [&first, &second] {
        assert_eq!(browser.get("/").await.status, 200);
    }
    drop(first);
    let connections = || Exposed::by(&gateway).sum("crumbgate_connections");
    until("the place is free", || connections() == 1.).await;
    assert_eq!(gateway.browser(http).get("/").await.status, 200);
});

#[tokio::test]
async fn a_trusted_proxy_may_have_every_place() {
    let app = App::answering(&[("/", &[])]).await;
    let setup = Setup::before(&app).limits("connections = 9\nsource_connections = 2");
    let gateway = setup.server("trusted_proxies = [\"127.0.0.0/8\"]").start();
    let browsers: Vec<_> = (0..9).map(|_| gateway.browser(Http::One)).collect();
    for browser in &browsers {
        assert_eq!(browser.get("/").await.status, 200);
    }
}

async fn served_again(gateway: &Running, http: Http) {
    let deadline = tokio::time::Instant::now() + CONDITION_TIMEOUT;
    loop {
        let browser = gateway.browser(http);
        let answer = browser.try_send(browser.request(Method::GET, "/"), "").await;
        if answer.is_ok_and(|answer| answer.status() == 200) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "the place was never free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn of_connections_that_send_nothing_only_the_newest_stay() {
    let app = App::answering(&[("/", &[])]).await;
    let limits = "connections = 10\nsource_connections = 1000";
    let gateway = Setup::before(&app).limits(limits).start();
    let mut silent = JoinSet::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(gateway.https()).await.unwrap();
        silent.spawn(async move { stream.read_u8().await });
    }
    for _ in 0..190 {
        let ended = tokio::time::timeout(CONDITION_TIMEOUT, silent.join_next()).await;
        assert!(ended.expect("it is closed").unwrap().unwrap().is_err());
    }
    assert_eq!(gateway.browser(Http::Two).get("/").await.status, 200);
    assert!(silent.len() >= 9, "{}", silent.len());
}

#[tokio::test]
async fn a_connection_without_a_request_has_the_time_of_a_head() {
    let app = App::answering(&[("/", &[])]).await;
    let limits = "idle_timeout = \"1h\"\nhead_timeout = \"200ms\"";
    let gateway = Setup::before(&app).limits(limits).start();
    for http in [Http::One, Http::Two] {
        let mut unused = gateway.tls(http).await;
        read_until_closed(&mut unused).await;
    }
    let used = gateway.browser(Http::One);
    assert_eq!(used.get("/").await.status, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cut(&gateway, "head"), 0.);
    assert_eq!(Exposed::by(&gateway).sum("crumbgate_connections"), 1.);
}

/// An application that answers once for each word that it is sent.
async fn waiting() -> (App, mpsc::UnboundedSender<()>) {
    let (go, gone) = mpsc::unbounded_channel::<()>();
    let gone = std::sync::Arc::new(tokio::sync::Mutex::new(gone));
    let app = App::serving(move |mut stream, number, received| {
        let gone = std::sync::Arc::clone(&gone);
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                received.lock().unwrap().push(request);
                gone.lock().await.recv().await;
                if stream.write_all(&ok(&[], "hello")).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (app, go)
}

#[tokio::test]
async fn no_more_streams_than_h2_streams_are_open_at_once() {
    let (app, go) = waiting().await;
    let gateway = Setup::before(&app).limits("h2_streams = 2").start();
    let mut client = gateway.streaming(Http::Two).await;
    go.send(()).unwrap();
    count(client.get(request(Http::Two, Method::GET, "/")).await.into_body()).await.unwrap();
    let mut coming = Vec::new();
    for _ in 0..3 {
        coming.push(client.begin(request(Http::Two, Method::GET, "/")).await);
    }
    until("two are there", || app.received().len() == 3).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(app.received().len(), 3, "the fourth request waits");
    go.send(()).unwrap();
    until("the next one is there", || app.received().len() == 4).await;
    go.send(()).unwrap();
    go.send(()).unwrap();
    for coming in coming {
        assert_eq!(head_of(coming).await.status(), 200);
    }
}

struct H2 {
    client: h2::client::SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

async fn h2(gateway: &Running) -> H2 {
    let (client, connection) = h2::client::handshake(gateway.tls(Http::Two).await).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    let connection = tokio::spawn(connection);
    H2 { client, connection }
}

fn get() -> Request<()> {
    Request::get("https://acme.example/").body(()).unwrap()
}

#[tokio::test]
async fn tp1_more_resets_than_h2_resets_end_the_connection() {
    let (app, _go) = waiting().await;
    let gateway = Setup::before(&app).limits("h2_resets = 10").start();
    let H2 { mut client, connection } = h2(&gateway).await;
    let (mut opened, mut asked) = (0, 0);
    while !connection.is_finished() {
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        let Ok((answer, mut stream)) = client.send_request(get(), true) else { break };
        opened += 1;
        let before = app.received().len();
        let mut answer = Box::pin(answer);
        // Each request reaches the application, or is refused, before it is reset.
        while app.received().len() == before {
            let refused = tokio::time::timeout(Duration::from_millis(5), &mut answer).await;
            if let Ok(refused) = refused {
                if let Ok(answer) = refused {
                    assert_eq!(answer.status(), 503);
                }
                break;
            }
        }
        asked = app.received().len();
        stream.send_reset(h2::Reason::CANCEL);
        assert!(opened < 10_000, "the connection never ends");
    }
    let _ = tokio::time::timeout(CONDITION_TIMEOUT, connection).await.expect("the connection ends");
    assert!((10..=11).contains(&asked), "{asked} of {opened} requests went upstream");
}

#[tokio::test]
async fn tp1_a_rapid_reset_ends_the_connection() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let H2 { mut client, connection } = h2(&gateway).await;
    for _ in 0..100_000 {
        let Ok(ready) = client.ready().await else { break };
        client = ready;
        let Ok((_, mut stream)) = client.send_request(get(), true) else { break };
        stream.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    let ended =
        tokio::time::timeout(CONDITION_TIMEOUT, connection).await.expect("the connection ends");
    let error = ended.unwrap().expect_err("by a GOAWAY");
    assert!(error.is_go_away() || error.is_io(), "{error}");
    assert!(app.received().len() <= 201, "{} requests went upstream", app.received().len());
    assert_eq!(gateway.browser(Http::Two).get("/").await.status, 200);
}

#[tokio::test]
async fn tp3_a_flood_of_continuation_frames_ends_the_connection() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let literal = [&[0, 1, b'a', 0x7f, 0x81, 0x7e][..], &[b'a'; 16_000][..]].concat();
    for part in [&b""[..], &literal] {
        let tls = raw_h2(&gateway).await;
        let (mut reading, mut writing) = tokio::io::split(tls);
        let flood = async {
            let block = get_block();
            let head = frame(HEADERS, END_STREAM, 1, &block);
            let mut written = writing.write_all(&head).await;
            let more = frame(CONTINUATION, 0, 1, part);
            for _ in 0..1_000_000 {
                if written.is_err() {
                    return;
                }
                written = writing.write_all(&more).await;
            }
            panic!("a million frames were read");
        };
        let ((), kinds) = tokio::join!(flood, kinds_to_end(&mut reading));
        assert!(!kinds.contains(&HEADERS) || kinds.contains(&GOAWAY), "{kinds:?}");
    }
    assert!(app.received().is_empty());
    assert_eq!(gateway.browser(Http::Two).get("/").await.status, 200);
}

#[tokio::test]
async fn tp4_empty_data_frames_are_no_progress() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_timeout = \"300ms\"").start();
    let H2 { client, .. } = h2(&gateway).await;
    let post = Request::post("https://acme.example/").body(()).unwrap();
    let (mut answer, mut stream) = client.ready().await.unwrap().send_request(post, false).unwrap();
    let answer = loop {
        let _ = stream.send_data(Bytes::new(), false);
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(20), &mut answer).await {
            break answer.unwrap();
        }
    };
    assert_eq!(answer.status(), 408);
}

/// Waits until the gateway closes; returns the bytes that it sent.
async fn read_until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut received = Vec::new();
    let reading = stream.read_to_end(&mut received);
    let _ = tokio::time::timeout(CONDITION_TIMEOUT, reading).await.expect("the gateway closes");
    received
}

#[tokio::test]
async fn tp6_a_handshake_that_takes_too_long_is_ended() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("handshake_timeout = \"200ms\"").start();
    // Nothing at all, and the beginning of a ClientHello.
    for words in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = TcpStream::connect(gateway.https()).await.unwrap();
        stream.write_all(words).await.unwrap();
        assert_eq!(read_until_closed(&mut stream).await, b"");
    }
    assert_eq!(gateway.browser(Http::One).get("/").await.status, 200);
}

#[tokio::test]
async fn tp6_a_head_that_takes_too_long_is_408() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("head_timeout = \"200ms\"").start();
    let mut raw = gateway.raw().await;
    raw.send(GET).await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    // The same for the second head of a connection, and for a head that arrives byte by byte.
    let mut raw = gateway.raw().await;
    raw.send(format!("{GET}\r\n")).await;
    raw.read_until("hello").await;
    for byte in GET.bytes() {
        raw.send([byte]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(raw.read_to_end().await.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(app.received().len(), 1);
    // A plain connection gets no answer.
    let mut stream = TcpStream::connect(gateway.http()).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    read_until_closed(&mut stream).await;
}

#[tokio::test]
async fn tp6_an_http_2_head_that_takes_too_long_ends_the_connection() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("idle_timeout = \"200ms\"").start();
    let mut tls = raw_h2(&gateway).await;
    tls.write_all(&frame(HEADERS, END_STREAM, 1, &get_block())).await.unwrap();
    kinds_to_end(&mut tls).await;
    assert!(app.received().is_empty());
}

both_versions!(tp6_an_idle_connection_is_closed, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("idle_timeout = \"200ms\"").start();
    // A connection that never sends anything, and one that has had its answer.
    let mut silent = gateway.tls(http).await;
    read_until_closed(&mut silent).await;
    let mut used = gateway.tls(http).await;
    match http {
        Http::One => {
            used.write_all(format!("{GET}\r\n").as_bytes()).await.unwrap();
            let received = read_until_closed(&mut used).await;
            assert!(received.ends_with(b"hello"));
        }
        Http::Two => {
            used = raw_h2(&gateway).await;
            let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &get_block());
            used.write_all(&head).await.unwrap();
            let kinds = kinds_to_end(&mut used).await;
            assert!(kinds.contains(&DATA) && kinds.contains(&GOAWAY), "{kinds:?}");
        }
    }
});

#[tokio::test]
async fn tp6_frames_without_a_request_do_not_keep_a_connection() {
    let app = App::answering(&[("/", &[])]).await;
    let limits = "idle_timeout = \"200ms\"\nbody_timeout = \"200ms\"";
    let gateway = Setup::before(&app).limits(limits).start();
    let (mut reading, mut writing) = tokio::io::split(raw_h2(&gateway).await);
    let pinging = async {
        while writing.write_all(&frame(PING, 0, 0, &[0; 8])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ((), kinds) = tokio::join!(pinging, kinds_to_end(&mut reading));
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
}

both_versions!(a_connection_whose_answer_is_awaited_is_not_idle, |http| {
    let (app, go) = waiting().await;
    let gateway = Setup::before(&app)
        .limits("idle_timeout = \"100ms\"\nhead_timeout = \"100ms\"\nbody_timeout = \"100ms\"")
        .start();
    let mut client = gateway.streaming(http).await;
    let coming = client.begin(request(http, Method::GET, "/")).await;
    until("the application is asked", || app.received().len() == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    go.send(()).unwrap();
    let answer = head_of(coming).await;
    assert_eq!((answer.status().as_u16(), count(answer.into_body()).await.unwrap()), (200, 5));
});

both_versions!(tp6_an_upload_that_pauses_too_long_is_408, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_timeout = \"300ms\"").start();
    let mut client = gateway.streaming(http).await;
    let (feed, coming) = client.send(request(http, Method::POST, "/")).await;
    assert!(feed.part("abc").await);
    let answer = head_of(coming).await;
    assert_eq!(answer.status(), 408);
    assert!(app.received().is_empty());
    drop(feed);
});

both_versions!(a_body_that_comes_too_slowly_is_408, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_timeout = \"1s\"\nmin_rate = 1000").start();
    let mut client = gateway.streaming(http).await;
    let (feed, coming) = client.send(request(http, Method::POST, "/")).await;
    let mut coming = std::pin::pin!(head_of(coming));
    let answer = loop {
        // No pause comes near the time limit of one.
        let _ = feed.part("a").await;
        if let Ok(answer) = tokio::time::timeout(Duration::from_millis(50), &mut coming).await {
            break answer;
        }
    };
    assert_eq!(answer.status(), 408);
    assert!(app.received().is_empty());
});

both_versions!(a_client_that_reads_too_slowly_is_disconnected, |http| {
    let (app, mut endings) = endless().await;
    let limits = "body_timeout = \"1s\"\nmin_rate = 1000000000";
    let gateway = Setup::before(&app).limits(limits).start();
    let mut client = gateway.streaming(http).await;
    let mut body = client.get(request(http, Method::GET, "/")).await.into_body();
    let ended = async {
        while endings.try_recv().is_err() {
            // The client reads a part all the time, so no write waits for as long as the time limit.
            let _ = next_part(&mut body).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(CONDITION_TIMEOUT, ended).await.expect("the application is free again");
});

both_versions!(an_upload_that_makes_progress_is_not_cut, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).limits("body_timeout = \"1500ms\"\nmin_rate = 1").start();
    let mut client = gateway.streaming(http).await;
    let (feed, coming) = client.send(request(http, Method::POST, "/")).await;
    for _ in 0..10 {
        assert!(feed.part("abc").await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(feed);
    assert_eq!(head_of(coming).await.status(), 200);
});

/// An application that answers with more than any buffer holds, and reports when the gateway stops reading.
async fn endless() -> (App, mpsc::UnboundedReceiver<()>) {
    let (ended, endings) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, number, _| {
        let ended = ended.clone();
        async move {
            let request = read_request(&mut stream, &mut Vec::new(), number).await.unwrap();
            if request.target() == "/small" {
                return stream.write_all(&ok(&["connection: close"], "hello")).await.unwrap();
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(&[b'a'; 64 << 10]).await.is_ok() {}
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

#[tokio::test]
async fn tp6_a_downstream_that_does_not_read_is_cut() {
    let (app, mut endings) = endless().await;
    let gateway = Setup::before(&app).limits("body_timeout = \"300ms\"").start();
    let mut raw = gateway.raw().await;
    raw.send(format!("{GET}\r\n")).await;
    raw.read_head().await;
    ended(&mut endings).await;
}

#[tokio::test]
async fn tp6_an_http_2_downstream_that_does_not_read_is_cut() {
    let (app, mut endings) = endless().await;
    let gateway = Setup::before(&app).limits("body_timeout = \"300ms\"").start();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
    let tls = gateway.tls(Http::Two).await;
    let (mut client, mut connection) = builder.handshake::<_, Bytes>(tls).await.unwrap();
    let (answer, _) = client.send_request(get(), true).unwrap();
    tokio::select! {
        answer = answer => assert_eq!(answer.unwrap().status(), 200),
        _ = &mut connection => panic!("it ended"),
    }
    // From here on nobody reads the connection.
    ended(&mut endings).await;
}

#[tokio::test]
async fn tp4_a_stream_whose_window_stays_shut_is_cut_and_no_other() {
    let (app, mut endings) = endless().await;
    let gateway = Setup::before(&app).limits("body_timeout = \"300ms\"").start();
    let mut client = gateway.streaming(Http::Two).await;
    let large = client.get(request(Http::Two, Method::GET, "/")).await;
    ended(&mut endings).await;
    let small = client.get(request(Http::Two, Method::GET, "/small")).await;
    assert_eq!(count(small.into_body()).await.unwrap(), 5, "the connection goes on");
    count(large.into_body()).await.expect_err("the answer is cut");
}

both_versions!(a_downstream_that_reads_slowly_is_served, |http| {
    let (app, _endings) = endless().await;
    let gateway = Setup::before(&app).limits("body_timeout = \"1500ms\"").start();
    let mut client = gateway.streaming(http).await;
    let mut body = client.get(request(http, Method::GET, "/")).await.into_body();
    for _ in 0..20 {
        for _ in 0..8 {
            assert!(next_part(&mut body).await.unwrap().is_some());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
});

both_versions!(an_answer_of_the_gateway_has_the_format_that_the_client_accepts, |http| {
    let app = App::answering(&[]).await;
    let browser = Setup::before(&app).start().browser(http);
    let cases = [
        ("text/html,*/*;q=0.8", "text/html; charset=utf-8", "<!doctype html>"),
        ("application/json", "application/problem+json", "{\"title\":\"Method not allowed\","),
        ("application/problem+json, */*", "application/problem+json", "{\"title\":"),
        ("image/png", "text/plain; charset=utf-8", "Method not allowed\n"),
    ];
    for (accept, content_type, beginning) in cases {
        let request = match http {
            Http::One => Request::builder().uri("/").header("host", ACME),
            Http::Two => Request::builder().uri("https://acme.example/"),
        };
        let request = request.method("TRACE").header("accept", accept);
        let answer = browser.send(request.header("cookie", "_ga=1; flexopus_session=s"), "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.field("content-type")),
            (405, Some(content_type))
        );
        let text = answer.text();
        assert!(text.starts_with(beginning), "{text}");
        let id = answer.field("x-request-id").unwrap();
        assert!(!id.is_empty() && text.contains(id), "{text}");
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert!(answer.set_cookies().is_empty());
        if content_type == "application/problem+json" {
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&problem["status"], &problem["request_id"]), (&405.into(), &id.into()));
        }
    }
    assert!(app.received().is_empty());
});
