//! The limit on connections to a server, and the queue for them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use crumbgate_gateway::proxy::upstream::UpstreamState;
use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    task::JoinHandle,
};

use crate::harness::{
    ACME, Answer, App, Browser, Holding, Http, Running, Setup, both_versions, head_of, in_time, ok,
    read_request, request, spawn, until,
};

fn shared(gateway: &Running) -> Arc<UpstreamState> {
    gateway.inner().upstreams().remove(0)
}

fn limited(app: &App, connections: usize, queue: usize) -> Setup {
    let keys = format!("max_connections = {connections}\nqueue = {queue}");
    Setup::before(app).upstream(&keys)
}

async fn holding() -> Holding {
    Holding::replying(|_| ok(&[], "hello")).await
}

/// Posts to `/` in the background, and waits until it is the `place`th in the queue.
async fn line_up(gateway: &Running, http: Http, target: &str, place: usize) -> JoinHandle<Answer> {
    let (browser, target) = (gateway.browser(http), target.to_owned());
    let answered = spawn(async move { browser.post(&target).await });
    until("it waits", || shared(gateway).queued() == place).await;
    answered
}

both_versions!(a_server_gets_no_more_connections_than_max_connections, |http| {
    let held = holding().await;
    let gateway = limited(&held.app, 2, 10).start();
    let browsers: Vec<_> = (0..2).map(|_| Arc::new(gateway.browser(http))).collect();
    let mut answers =
        vec![held.begin(&browsers[0], "/", "a").await, held.begin(&browsers[1], "/", "b").await];
    for place in 1..=3 {
        answers.push(line_up(&gateway, http, "/", place).await);
    }
    assert_eq!((held.app.received().len(), shared(&gateway).servers()[0].connections()), (2, 2));
    assert_eq!(shared(&gateway).servers()[0].max_connections(), 2);
    held.let_go("a");
    held.let_go("b");
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!((held.app.received().len(), held.app.connections()), (5, 2));
    assert_eq!((shared(&gateway).queued(), shared(&gateway).queued_total()), (0, 3));
});

both_versions!(the_queue_is_first_in_first_out, |http| {
    let held = holding().await;
    let gateway = limited(&held.app, 1, 10).start();
    let mut answers = vec![held.begin(&Arc::new(gateway.browser(http)), "/", "first").await];
    for place in 1..=4 {
        answers.push(line_up(&gateway, http, &format!("/{place}"), place).await);
    }
    held.let_go("first");
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    let received = held.app.received();
    let targets: Vec<_> = received.iter().map(|request| request.target()).collect();
    assert_eq!(targets, ["/?hold=first", "/1", "/2", "/3", "/4"]);
    assert_eq!(held.app.connections(), 1, "the connection went from one to the next");
});

both_versions!(queued_requests_use_a_limit_that_a_reload_has_raised, |http| {
    let held = holding().await;
    let gateway = limited(&held.app, 1, 10).start();
    let mut answers = vec![held.begin(&Arc::new(gateway.browser(http)), "/", "long").await];
    for place in 1..=3 {
        answers.push(line_up(&gateway, http, &format!("/{place}"), place).await);
    }
    gateway.reload(&limited(&held.app, 10, 10), "test").await;
    for answer in answers.drain(1..) {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(gateway.browser(http).get("/").await.status, 200, "nobody is before it");
    assert!(!answers[0].is_finished());
    held.let_go("long");
    assert_eq!(answers.remove(0).await.unwrap().status, 200);
});

/// They are ahead of every request after the reload: if they kept waiting for the old server, all would.
#[tokio::test]
async fn queued_requests_use_a_server_that_a_reload_has_added() {
    let (held, other) = (holding().await, holding().await);
    let gateway = limited(&held.app, 1, 10).server("workers = 2").start();
    let first = held.begin(&Arc::new(gateway.browser(Http::Two)), "/", "long").await;
    let mut waiting = Vec::new();
    for place in 1..=6 {
        waiting.push(line_up(&gateway, Http::Two, "/waited", place).await);
    }
    gateway.reload(&limited(&other.app, 1, 10).server("workers = 2"), "test").await;
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(gateway.browser(Http::Two).get("/").await.status, 200);
    assert_eq!((held.app.received().len(), other.app.received().len()), (1, 7));
    held.let_go("long");
    assert_eq!(first.await.unwrap().status, 200);
}

both_versions!(a_request_that_finds_the_queue_full_is_refused_at_once, |http| {
    for queue in [0, 2] {
        let held = holding().await;
        let gateway = limited(&held.app, 1, queue).start();
        let mut answers = vec![held.begin(&Arc::new(gateway.browser(http)), "/", "a").await];
        for place in 1..=queue {
            answers.push(line_up(&gateway, http, "/", place).await);
        }
        let refused = gateway.browser(http).get("/").await;
        assert_eq!((refused.status.as_u16(), refused.field("retry-after")), (503, Some("5")));
        assert!(refused.text().contains("very busy"), "{}", refused.text());
        assert_eq!(shared(&gateway).queue_refused_total(), 1);
        held.let_go("a");
        for answer in answers {
            assert_eq!(answer.await.unwrap().status, 200);
        }
        assert_eq!(gateway.browser(http).get("/").await.status, 200);
    }
});

both_versions!(no_request_waits_longer_than_queue_timeout, |http| {
    let held = holding().await;
    let gateway = limited(&held.app, 1, 5).upstream("queue_timeout = \"200ms\"").start();
    let first = held.begin(&Arc::new(gateway.browser(http)), "/", "a").await;
    let late = gateway.browser(http).get("/").await;
    assert_eq!((late.status.as_u16(), late.field("retry-after")), (503, Some("5")));
    assert_eq!((shared(&gateway).queued(), shared(&gateway).queue_timeouts_total()), (0, 1));
    held.let_go("a");
    assert_eq!(first.await.unwrap().status, 200);
});

#[tokio::test]
async fn a_client_that_disconnects_frees_its_place_in_the_queue() {
    let held = holding().await;
    let gateway = limited(&held.app, 1, 2).start();
    let first = held.begin(&Arc::new(gateway.browser(Http::Two)), "/", "a").await;
    let second = line_up(&gateway, Http::Two, "/second", 1).await;
    let third = line_up(&gateway, Http::Two, "/third", 2).await;
    second.abort();
    until("one place is free", || shared(&gateway).queued() == 1).await;
    held.let_go("a");
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(third.await.unwrap().status, 200);
    assert_eq!(held.app.last().target(), "/third");
    assert_eq!(held.app.received().len(), 2);
}

#[tokio::test]
async fn the_body_of_a_queued_request_is_not_read() {
    let held = holding().await;
    let gateway = limited(&held.app, 1, 1).start();
    let first = held.begin(&Arc::new(gateway.browser(Http::One)), "/", "a").await;
    let mut client = gateway.streaming(Http::Two).await;
    let (feed, coming) = client.send(request(Http::Two, Method::POST, "/upload")).await;
    until("it waits", || shared(&gateway).queued() == 1).await;
    // More than any HTTP/2 window admits before it is extended.
    let sent = Arc::new(AtomicUsize::new(0));
    let parts = Arc::clone(&sent);
    let feeding = spawn(async move {
        for _ in 0..200 {
            assert!(feed.part(vec![0; 64 << 10]).await);
            parts.fetch_add(1, SeqCst);
        }
    });
    assert!(!held.app.received().iter().any(|request| request.target() == "/upload"));
    held.let_go("a");
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(head_of(coming).await.status(), 200);
    feeding.await.unwrap();
    assert_eq!(held.app.last().body.len(), 200 * (64 << 10));
}

/// Browsers of which the first is served by another worker than the second. With one connection to the application at a
/// time, workers differ in having to open a new one.
async fn on_both_workers(app: &App, gateway: &Running, http: Http) -> [Browser; 2] {
    let first = gateway.browser(http);
    assert_eq!(first.get("/").await.status, 200);
    for _ in 0..64 {
        let connection = app.last().connection;
        let other = gateway.browser(http);
        assert_eq!(other.get("/").await.status, 200);
        if app.last().connection != connection {
            return [first, other];
        }
    }
    panic!("64 connections were all given to one worker");
}

/// The same without a queue: an unused connection is no reason to refuse a request.
#[tokio::test]
async fn an_unused_connection_of_one_worker_is_closed_for_another_worker() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = limited(&app, 1, 0).server("workers = 2").start();
        let browsers = on_both_workers(&app, &gateway, Http::One).await;
        for _ in 0..20 {
            for browser in &browsers {
                let before = app.connections();
                assert_eq!(browser.get("/").await.status, 200);
                assert_eq!(app.connections(), before + 1);
            }
        }
    })
    .await;
}

/// A connection that one worker has kept since before there was a limit is closed for the other one's request, too;
/// and a connection in use does not count as unused because it was kept before.
#[tokio::test]
async fn a_limit_that_a_reload_adds_or_removes_counts_unused_connections_correctly() {
    in_time(async {
        let held = holding().await;
        let unlimited = || Setup::before(&held.app).server("workers = 2");
        let limited = || limited(&held.app, 1, 0).server("workers = 2");
        let gateway = limited().start();
        let [first, other] = on_both_workers(&held.app, &gateway, Http::One).await;
        // A connection that was opened and kept while there was no limit.
        gateway.reload(&unlimited().upstream("idle_connections = 0"), "test").await;
        assert_eq!(other.get("/").await.status, 200);
        until("none is open", || shared(&gateway).servers()[0].connections() == 0).await;
        gateway.reload(&unlimited(), "test").await;
        assert_eq!(other.get("/").await.status, 200);
        gateway.reload(&limited(), "test").await;
        assert_eq!(first.get("/").await.status, 200, "the kept one gives way");
        assert_eq!(other.get("/").await.status, 200);
        // And a connection that was kept under a limit, and is used without one.
        gateway.reload(&unlimited(), "test").await;
        let other = Arc::new(other);
        let answered = held.begin(&other, "/", "long").await;
        gateway.reload(&limited(), "test").await;
        assert_eq!(first.get("/").await.status, 503, "the only place is in use");
        let shared = shared(&gateway);
        assert_eq!((shared.queue_refused_total(), shared.queue_timeouts_total()), (1, 0));
        held.let_go("long");
        assert_eq!(answered.await.unwrap().status, 200);
        assert_eq!(first.get("/").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_kept_connection_is_used_again_after_a_reload() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(Http::Two);
    for idle in [8, 9, 10] {
        assert_eq!(browser.get("/").await.status, 200);
        let setup = Setup::before(&app).upstream(&format!("idle_connections = {idle}"));
        gateway.reload(&setup, "test").await;
    }
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!((app.received().len(), app.connections()), (4, 1));
}

#[tokio::test]
async fn a_worker_under_load_starves_no_other() {
    in_time(async {
        let app = App::answering(&[("/", &[]), ("/load", &[])]).await;
        let gateway = limited(&app, 1, 100).server("workers = 2").start();
        let [loaded, spared] = on_both_workers(&app, &gateway, Http::Two).await;
        let (loaded, stop) = (Arc::new(loaded), Arc::new(AtomicBool::new(false)));
        let loads: Vec<_> = (0..6)
            .map(|_| {
                let (browser, stop) = (Arc::clone(&loaded), Arc::clone(&stop));
                spawn(async move {
                    while !stop.load(SeqCst) {
                        assert_eq!(browser.get("/load").await.status, 200);
                    }
                })
            })
            .collect();
        until("it is under load", || app.received().len() > 100).await;
        for _ in 0..20 {
            let before = app.received().len();
            assert_eq!(spared.get("/").await.status, 200);
            let first = app.received().len() - before;
            assert!(first < 100, "{first} others went first");
        }
        stop.store(true, SeqCst);
        for load in loads {
            load.await.unwrap();
        }
    })
    .await;
}

/// The application itself counts its open connections.
#[tokio::test]
async fn many_workers_and_requests_never_exceed_the_limit() {
    in_time(async {
        let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, peak) = (Arc::clone(&open), Arc::clone(&most));
        let app = App::serving(move |mut stream, number, _| {
            let (open, most) = (Arc::clone(&count), Arc::clone(&peak));
            async move {
                most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
                let mut buffer = Vec::new();
                // Now and then it closes a connection, and announces that before.
                for left in (0..20).rev() {
                    let request = read_request(&mut stream, &mut buffer, number).await;
                    if request.is_none() || left == 0 {
                        open.fetch_sub(1, SeqCst);
                    }
                    let close = ["connection: close"];
                    let fields = if left == 0 { &close[..] } else { &[] };
                    if request.is_none() || stream.write_all(&ok(fields, "hello")).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        let gateway = limited(&app, 3, 1000).server("workers = 4").start();
        let loads: Vec<_> = (0..24)
            .map(|number| {
                let http = if number % 2 == 0 { Http::One } else { Http::Two };
                let browser = gateway.browser(http);
                spawn(async move {
                    for _ in 0..50 {
                        assert_eq!(browser.get("/").await.status, 200);
                    }
                })
            })
            .collect();
        for load in loads {
            load.await.unwrap();
        }
        // The application notices a moment later that the gateway has closed a connection.
        assert!(most.load(SeqCst) <= 3 + 3, "{} at once", most.load(SeqCst));
        assert!(shared(&gateway).servers()[0].connections() <= 3);
        assert_eq!(shared(&gateway).queued(), 0);
    })
    .await;
}

/// An application that accepts WebSockets, and answers everything else.
async fn with_websockets() -> (App, mpsc::UnboundedReceiver<()>) {
    let (closed, closings) = mpsc::unbounded_channel();
    let app = App::serving(move |mut stream, number, received| {
        let closed = closed.clone();
        async move {
            let mut buffer = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                let websocket = request.field("upgrade").is_some();
                received.lock().unwrap().push(request);
                if websocket {
                    let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                                  upgrade: websocket\r\n\
                                  sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    return closed.send(()).unwrap();
                }
                stream.write_all(&ok(&[], "hello")).await.unwrap();
            }
        }
    });
    (app.await, closings)
}

#[tokio::test]
async fn a_websocket_holds_its_connection_as_long_as_it_is_open() {
    let (app, mut closings) = with_websockets().await;
    let gateway = limited(&app, 1, 0).start();
    let browser = gateway.browser(Http::Two);
    // A kept connection is closed for the WebSocket, which needs a fresh one.
    assert_eq!(browser.get("/").await.status, 200);
    let mut socket = gateway.raw().await;
    socket
        .send(format!(
            "GET /chat HTTP/1.1\r\nhost: {ACME}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        ))
        .await;
    assert!(socket.read_head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(app.connections(), 2);
    for _ in 0..3 {
        assert_eq!(browser.get("/").await.status, 503);
    }
    drop(socket);
    closings.recv().await.unwrap();
    until("its connection is closed", || shared(&gateway).servers()[0].connections() == 0).await;
    assert_eq!(browser.get("/").await.status, 200);
}

/// Two servers that may have one connection each, both with a request that they hold; the answers by the server's
/// index.
async fn two_busy_servers(both: &[Holding; 2]) -> (Running, [JoinHandle<Answer>; 2]) {
    let servers = both.each_ref().map(|held| format!("http://{}", held.app.address()));
    let keys = "max_connections = 1\nqueue = 5";
    let gateway = Setup::before_servers(&servers).upstream(keys).start();
    let received = || both.each_ref().map(|held| held.app.received().len());
    let mut answers = Vec::new();
    for begun in 1..=2 {
        let (browser, before) = (gateway.browser(Http::Two), received());
        let answer = spawn(async move { browser.post("/?hold=long").await });
        until("it is there", || received().iter().sum::<usize>() == begun).await;
        let index = usize::from(received()[1] > before[1]);
        answers.push((index, answer));
    }
    assert_eq!(received(), [1, 1], "nobody waits where another server is free");
    answers.sort_by_key(|(index, _)| *index);
    let mut answers = answers.into_iter().map(|(_, answer)| answer);
    let answers = [(); 2].map(|()| answers.next().unwrap());
    (gateway, answers)
}

#[tokio::test]
async fn a_queued_request_goes_to_the_server_that_is_free_first() {
    for free in [0, 1] {
        let both = [holding().await, holding().await];
        let (gateway, answers) = two_busy_servers(&both).await;
        let third = line_up(&gateway, Http::Two, "/third", 1).await;
        both[free].let_go("long");
        assert_eq!(third.await.unwrap().status, 200);
        assert_eq!(both[free].app.last().target(), "/third");
        both[1 - free].let_go("long");
        for answer in answers {
            assert_eq!(answer.await.unwrap().status, 200);
        }
    }
}

#[tokio::test]
async fn an_ejected_server_offers_no_place() {
    let both = [holding().await, holding().await];
    let (gateway, [first, second]) = two_busy_servers(&both).await;
    let third = line_up(&gateway, Http::Two, "/third", 1).await;
    let [dying, living] = both;
    dying.app.kill().await;
    assert_eq!(first.await.unwrap().status, 502, "it was under way");
    assert!(shared(&gateway).servers()[0].is_ejected());
    assert_eq!(shared(&gateway).queued(), 1);
    living.let_go("long");
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(third.await.unwrap().status, 200);
    assert_eq!(living.app.last().target(), "/third");
}
