//! Connections over HTTP/1.1 that are unused for a while: they release the memory of exchanges, and continue to work.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{App, Http, Raw, Running, Setup, in_time, ok, until};

const GET: &str = "GET / HTTP/1.1\r\nhost: acme.example\r\n\r\n";

async fn rests(gateway: &Running) {
    until("the connection rests", || {
        let metrics = gateway.inner().control().metrics_text(0);
        metrics.lines().any(|line| line == "crumbgate_connections{state=\"resting\"} 1")
    })
    .await;
}

async fn get(client: &mut Raw) {
    client.send(GET).await;
    let head = client.read_head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(client.read_until("hello").await, "hello");
}

/// An application, and a gateway before it.
async fn gateway(limits: &str) -> (App, Running) {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let gateway = Setup::before(&app).limits(limits).start();
    (app, gateway)
}

#[tokio::test]
async fn a_connection_that_rests_serves_the_next_request_and_rests_again() {
    in_time(async {
        let (app, gateway) = gateway("").await;
        let mut client = gateway.raw().await;
        for _ in 0..2 {
            get(&mut client).await;
            get(&mut client).await;
            rests(&gateway).await;
        }
        // The head arrives in pieces, and the next one together with its end.
        let (first, rest) = GET.split_at(9);
        client.send(first).await;
        client.send(format!("{rest}{GET}")).await;
        for _ in 0..2 {
            assert!(client.read_head().await.starts_with("HTTP/1.1 200 OK\r\n"));
            client.read_until("hello").await;
        }
        assert_eq!(app.received().len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_connection_rests_after_a_request_with_a_body() {
    in_time(async {
        let (_app, gateway) = gateway("").await;
        let mut client = gateway.raw().await;
        let post = "POST / HTTP/1.1\r\nhost: acme.example\r\ncontent-length: 3\r\n\r\nabc";
        client.send(post).await;
        client.read_until("hello").await;
        rests(&gateway).await;
        get(&mut client).await;
    })
    .await;
}

#[tokio::test]
async fn a_head_that_begins_after_a_rest_has_its_time_limit() {
    in_time(async {
        let (_app, gateway) = gateway("head_timeout = \"200ms\"").await;
        let mut client = gateway.raw().await;
        get(&mut client).await;
        rests(&gateway).await;
        client.send("GET / HT").await;
        let answer = client.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_rests_is_closed_when_its_time_is_over_and_in_a_drain() {
    in_time(async {
        let (_app, gateway) = gateway("idle_timeout = \"3s\"").await;
        let mut client = gateway.raw().await;
        get(&mut client).await;
        rests(&gateway).await;
        assert_eq!(client.read_to_end().await, "");

        let mut client = gateway.raw().await;
        get(&mut client).await;
        rests(&gateway).await;
        let drained = gateway.drain();
        assert_eq!(client.read_to_end().await, "");
        assert_eq!(drained.await.unwrap().cut, 0);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_closes_while_its_connection_rests_gets_a_close_notify() {
    in_time(async {
        let (_app, gateway) = gateway("").await;
        let mut tls = gateway.tls(Http::One).await;
        tls.write_all(GET.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        assert!(tls.read(&mut answer).await.unwrap() > 0);
        rests(&gateway).await;
        tls.shutdown().await.unwrap();
        // A close_notify: an end without it would be an error.
        let mut rest = Vec::new();
        tls.read_to_end(&mut rest).await.unwrap();
    })
    .await;
}
