//! Messages that two parsers might read differently: refused, or forwarded in a form that has only one reading.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::harness::{
    ACME, App, Setup,
    frames::{DATA, END_HEADERS, END_STREAM, HEADERS, frame, kinds_to_end, literal, raw_h2},
    until,
};

/// The result of bytes that a client sends.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// An answer of 400, or no answer; the application receives no complete request.
    Refused,
    /// The application receives requests with these targets and bodies, and no other.
    Seen(&'static [(&'static str, &'static str)]),
}

use Outcome::{Refused, Seen};

async fn becomes(cases: &[(&str, &str, Outcome)]) {
    let app = App::answering(&[]).await;
    let gateway = Setup::before(&app).start();
    for &(what, request, outcome) in cases {
        let before = app.received().len();
        let mut raw = gateway.raw().await;
        raw.send(request).await;
        // A connection that is still open after this is closed.
        raw.send("GET /last HTTP/1.1\r\nhost: acme.example\r\nconnection: close\r\n\r\n").await;
        let answer = raw.read_to_end().await;
        let seen = app.received().split_off(before);
        let mut seen: Vec<_> = seen
            .iter()
            .map(|request| (request.target(), String::from_utf8_lossy(&request.body).into_owned()))
            .collect();
        seen.retain(|(target, _)| *target != "/last");
        match outcome {
            Refused => {
                assert!(
                    answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
                    "{what}: {answer}"
                );
                assert!(seen.is_empty(), "{what}: {seen:?}");
            }
            Seen(expected) => {
                let expected: Vec<_> =
                    expected.iter().map(|(target, body)| (*target, (*body).to_owned())).collect();
                assert_eq!(seen, expected, "{what}: {answer}");
            }
        }
    }
}

/// A POST with these fields (each ended by CR LF) and this text after its head.
macro_rules! post {
    ($fields:literal, $body:literal) => {
        concat!("POST / HTTP/1.1\r\nhost: acme.example\r\n", $fields, "\r\n", $body)
    };
}

/// A GET with these bytes among its fields.
macro_rules! get {
    ($fields:literal) => {
        concat!("GET / HTTP/1.1\r\nhost: acme.example\r\n", $fields, "\r\n\r\n")
    };
}

#[tokio::test]
async fn tp5_a_request_has_one_end() {
    becomes(&[
        (
            "both framings, the length shorter",
            post!(
                "content-length: 3\r\ntransfer-encoding: chunked\r\n",
                "3\r\nabc\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nhost: acme.example\r\n\r\n"
            ),
            Seen(&[("/", "abc")]),
        ),
        (
            "both framings, the length longer",
            post!(
                "transfer-encoding: chunked\r\ncontent-length: 60\r\n",
                "0\r\n\r\nGET /evil HTTP/1.1\r\nhost: acme.example\r\n\r\n"
            ),
            Seen(&[("/", "")]),
        ),
        ("two lengths", post!("content-length: 3\r\ncontent-length: 5\r\n", "abcde"), Refused),
        ("two lengths in one", post!("content-length: 3, 5\r\n", "abcde"), Refused),
        (
            "a length sent twice",
            post!("content-length: 3\r\ncontent-length: 3\r\n", "abc"),
            Seen(&[("/", "abc")]),
        ),
        ("a length with a sign", post!("content-length: +3\r\n", "abc"), Refused),
        ("a negative length", post!("content-length: -3\r\n", "abc"), Refused),
        ("a length in hexadecimal", post!("content-length: 0x3\r\n", "abc"), Refused),
        ("a length of nothing", post!("content-length: \r\n", "abc"), Refused),
        (
            "a length past 64 bits",
            post!("content-length: 184467440737095516163\r\n", "abc"),
            Refused,
        ),
        (
            "a length that Connection names",
            post!("connection: content-length\r\ncontent-length: 3\r\n", "abc"),
            Seen(&[("/", "abc")]),
        ),
        (
            "a coding that Connection names",
            post!(
                "connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n",
                "3\r\nabc\r\n0\r\n\r\n"
            ),
            Seen(&[("/", "abc")]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn tp5_the_only_coding_is_chunked() {
    becomes(&[
        (
            "capitals",
            post!("transfer-encoding: CHUNKED\r\n", "3\r\nabc\r\n0\r\n\r\n"),
            Seen(&[("/", "abc")]),
        ),
        ("an unknown one", post!("transfer-encoding: xchunked\r\n", "0\r\n\r\n"), Refused),
        (
            "chunked, and not last",
            post!("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
            Refused,
        ),
        ("one within another", post!("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"), Refused),
        (
            "one within another, in two fields",
            post!("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            Refused,
        ),
        (
            "chunked twice",
            post!("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            Refused,
        ),
        (
            "chunked twice in one",
            post!("transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n"),
            Refused,
        ),
        ("in quotes", post!("transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n"), Refused),
        ("after a vertical tab", post!("transfer-encoding: \x0bchunked\r\n", "0\r\n\r\n"), Refused),
        ("none at all", post!("transfer-encoding: \r\n", "0\r\n\r\n"), Refused),
        ("a name with a space", post!("transfer-encoding : chunked\r\n", "0\r\n\r\n"), Refused),
        ("a folded one", post!("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"), Refused),
        (
            "in HTTP/1.0",
            "POST / HTTP/1.0\r\nhost: acme.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn tp5_chunks_are_read_strictly() {
    becomes(&[
        (
            "an extension",
            post!("transfer-encoding: chunked\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n"),
            Seen(&[("/", "abc")]),
        ),
        ("no number", post!("transfer-encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n"), Refused),
        ("no size", post!("transfer-encoding: chunked\r\n", "\r\nabc\r\n0\r\n\r\n"), Refused),
        ("a sign", post!("transfer-encoding: chunked\r\n", "+3\r\nabc\r\n0\r\n\r\n"), Refused),
        (
            "a negative size",
            post!("transfer-encoding: chunked\r\n", "-3\r\nabc\r\n0\r\n\r\n"),
            Refused,
        ),
        ("a prefix", post!("transfer-encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), Refused),
        (
            "past 64 bits",
            post!("transfer-encoding: chunked\r\n", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
            Refused,
        ),
        (
            "more than was announced",
            post!("transfer-encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n"),
            Refused,
        ),
        (
            "LF after the size",
            post!("transfer-encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"),
            Refused,
        ),
        (
            "LF in an extension",
            post!("transfer-encoding: chunked\r\n", "3;a\nabc\r\n0\r\n\r\n"),
            Refused,
        ),
        ("a bare CR", post!("transfer-encoding: chunked\r\n", "3\rabc\r\n0\r\n\r\n"), Refused),
        (
            "LF after the part",
            post!("transfer-encoding: chunked\r\n", "3\r\nabc\n0\r\n\r\n"),
            Refused,
        ),
    ])
    .await;
}

#[tokio::test]
async fn tp5_fields_are_read_strictly() {
    becomes(&[
        ("a space before the colon", get!("x-a : b"), Refused),
        ("a space before the name", get!(" x-a: b"), Refused),
        ("a folded value", get!("x-a: b\r\n evil: c"), Refused),
        ("a field folded by a tab", get!("x-a: b\r\n\tevil: c"), Refused),
        ("no colon", get!("x-a"), Refused),
        ("no name", get!(": b"), Refused),
        ("a bare CR", get!("x-a: b\revil: c"), Refused),
        ("a bare CR at the end", get!("x-a: b\r\r\nevil: c"), Refused),
        ("a NUL", get!("x-a: b\0c"), Refused),
        ("a NUL in the name", get!("x\0a: b"), Refused),
        ("a DEL", get!("x-a: b\x7fc"), Refused),
        ("tq12: a control byte in a cookie", get!("cookie: flexopus_session=a\x01"), Refused),
        ("a bracket in the name", get!("x(a): b"), Refused),
        ("line ends of LF alone", "GET /lf HTTP/1.1\nhost: acme.example\n\n", Seen(&[("/lf", "")])),
        (
            "an empty line before",
            "\r\nGET /crlf HTTP/1.1\r\nhost: acme.example\r\n\r\n",
            Seen(&[("/crlf", "")]),
        ),
        ("a target with a space", "GET /a b HTTP/1.1\r\nhost: acme.example\r\n\r\n", Refused),
        ("a target with a NUL", "GET /a\0b HTTP/1.1\r\nhost: acme.example\r\n\r\n", Refused),
        ("a target with a bare CR", "GET /a\rb HTTP/1.1\r\nhost: acme.example\r\n\r\n", Refused),
        ("a target that is none", "GET evil HTTP/1.1\r\nhost: acme.example\r\n\r\n", Refused),
        ("a tab for a space", "GET\t/ HTTP/1.1\r\nhost: acme.example\r\n\r\n", Refused),
        ("no version", "GET /\r\nhost: acme.example\r\n\r\n", Refused),
        ("another version", "GET / HTTP/1.2\r\nhost: acme.example\r\n\r\n", Refused),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused),
    ])
    .await;
}

#[tokio::test]
async fn tp8_only_one_valid_host_is_accepted() {
    becomes(&[
        ("none", "GET / HTTP/1.1\r\n\r\n", Refused),
        ("two", get!("host: acme.example"), Refused),
        ("two different ones", get!("host: evil.example"), Refused),
        ("an empty one", "GET / HTTP/1.1\r\nhost: \r\n\r\n", Refused),
        ("two in one", "GET / HTTP/1.1\r\nhost: acme.example, evil.example\r\n\r\n", Refused),
        ("a user", "GET / HTTP/1.1\r\nhost: evil@acme.example\r\n\r\n", Refused),
        ("a path", "GET / HTTP/1.1\r\nhost: acme.example/evil\r\n\r\n", Refused),
        ("a port that is none", "GET / HTTP/1.1\r\nhost: acme.example:80a\r\n\r\n", Refused),
        ("an escape", "GET / HTTP/1.1\r\nhost: acme%2eexample\r\n\r\n", Refused),
        (
            "another one in the target",
            "GET https://evil.example/ HTTP/1.1\r\nhost: acme.example\r\n\r\n",
            Refused,
        ),
        (
            "a user in the target",
            "GET https://evil@acme.example/ HTTP/1.1\r\nhost: acme.example\r\n\r\n",
            Refused,
        ),
        ("none beside the target", "GET https://acme.example/ HTTP/1.1\r\n\r\n", Refused),
    ])
    .await;
}

#[tokio::test]
async fn pipelined_requests_are_each_judged() {
    let app = App::answering(&[("/a", &[]), ("/b", &[]), ("/c", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    raw.send(
        "POST /a HTTP/1.1\r\nhost: acme.example\r\ncookie: _ga=1\r\ncontent-length: 3\r\n\r\nabc\
         GET /b HTTP/1.1\r\nhost: acme.example\r\ncookie: _ga=1; flexopus_session=s\r\n\r\n\
         GET /c HTTP/1.1\r\nhost: acme.example\r\ncookie: _ga=2\r\n\r\n",
    )
    .await;
    for _ in 0..3 {
        assert!(raw.read_until("hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let received = app.received();
    let seen: Vec<_> =
        received.iter().map(|request| (request.target(), request.field("cookie"))).collect();
    assert_eq!(seen, [("/a", None), ("/b", Some("flexopus_session=s")), ("/c", None)]);
}

#[tokio::test]
async fn tp8_a_connection_made_for_one_tenant_serves_no_other() {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).tenant(ACME, "").tenant("globex.example", "").start();
    let mut raw = gateway.raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: globex.example\r\n\r\n").await;
    assert!(raw.read_head().await.starts_with("HTTP/1.1 421 "));
    let browser = gateway.browser(crate::harness::Http::Two);
    let other = http::Request::get("https://globex.example/");
    assert_eq!(browser.send(other, "").await.status, 421);
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(app.received().len(), 1);
}

/// A head in HTTP/2 with these pseudo-fields before and these fields after the ordinary ones.
fn head(method: &str, path: &str, fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = literal(b":method", method.as_bytes());
    block.extend(literal(b":scheme", b"https"));
    block.extend(literal(b":authority", ACME.as_bytes()));
    block.extend(literal(b":path", path.as_bytes()));
    for (name, value) in fields {
        block.extend(literal(name, value));
    }
    block
}

/// Sends each of these as the first stream of a connection, followed by a correct request: the application receives
/// none of the first, and the second only where the connection has survived.
async fn are_refused(cases: Vec<(&str, Vec<u8>)>) {
    let app = App::answering(&[]).await;
    let gateway = Setup::before(&app).start();
    for (what, frames) in cases {
        let before = app.received().len();
        let mut tls = raw_h2(&gateway).await;
        tls.write_all(&frames).await.unwrap();
        let right = frame(HEADERS, END_STREAM | END_HEADERS, 3, &head("GET", "/right", &[]));
        let _ = tls.write_all(&right).await;
        let _ = tls.flush().await;
        let (mut reading, mut writing) = tokio::io::split(tls);
        let mut ended = std::pin::pin!(kinds_to_end(&mut reading));
        tokio::select! {
            _ = &mut ended => {}
            () = until("the right request is there", || app.received().len() > before) => {
                // The previous stream was decided on before.
                let _ = writing.shutdown().await;
            }
        }
        for request in app.received().split_off(before) {
            assert_eq!(request.target(), "/right", "{what}: {}", request.head);
        }
    }
}

fn get_with(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &head("GET", "/evil", fields))
}

fn raw_head(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)
}

#[tokio::test]
async fn tp5_http_2_fields_with_another_meaning_in_http_1_are_refused() {
    are_refused(vec![
        ("CR LF in a value", get_with(&[(b"x-a", b"b\r\nevil: c")])),
        ("LF in a value", get_with(&[(b"x-a", b"b\nevil: c")])),
        ("CR in a value", get_with(&[(b"x-a", b"b\revil: c")])),
        ("NUL in a value", get_with(&[(b"x-a", b"b\0c")])),
        ("CR LF in a cookie", get_with(&[(b"cookie", b"flexopus_session=a\r\nevil: c")])),
        ("CR LF in a name", get_with(&[(b"x-a: b\r\nevil", b"c")])),
        ("a space in a name", get_with(&[(b"x-a ", b"c")])),
        ("a colon in a name", get_with(&[(b"x-a:evil", b"c")])),
        ("capitals in a name", get_with(&[(b"X-Evil", b"c")])),
        ("an empty name", get_with(&[(b"", b"c")])),
        ("transfer-encoding", get_with(&[(b"transfer-encoding", b"chunked")])),
        ("connection", get_with(&[(b"connection", b"close")])),
        ("keep-alive", get_with(&[(b"keep-alive", b"timeout=5")])),
        ("proxy-connection", get_with(&[(b"proxy-connection", b"close")])),
        ("upgrade", get_with(&[(b"upgrade", b"websocket")])),
        ("another host", get_with(&[(b"host", b"evil.example")])),
        ("two hosts", get_with(&[(b"host", ACME.as_bytes()), (b"host", ACME.as_bytes())])),
    ])
    .await;
}

#[tokio::test]
async fn tp5_http_2_request_lines_with_another_meaning_in_http_1_are_refused() {
    let (method, scheme) = ((&b":method"[..], &b"GET"[..]), (&b":scheme"[..], &b"https"[..]));
    let authority = (&b":authority"[..], ACME.as_bytes());
    let path = |path: &'static [u8]| raw_head(&[method, scheme, authority, (b":path", path)]);
    let evil = (&b":path"[..], &b"/evil"[..]);
    are_refused(vec![
        ("a space in the path", path(b"/evil HTTP/1.1")),
        ("CR LF in the path", path(b"/evil HTTP/1.1\r\nevil: a")),
        ("an empty path", path(b"")),
        ("a path without a slash", path(b"evil")),
        ("no path", raw_head(&[method, scheme, authority])),
        ("no method", raw_head(&[scheme, authority, evil])),
        ("no scheme", raw_head(&[method, authority, evil])),
        ("no authority and no host", raw_head(&[method, scheme, evil])),
        ("two paths", raw_head(&[method, scheme, authority, evil, evil])),
        ("two methods", raw_head(&[method, method, scheme, authority, evil])),
        ("an unknown pseudo-field", raw_head(&[method, scheme, authority, evil, (b":evil", b"a")])),
        (
            "a pseudo-field after a field",
            raw_head(&[method, scheme, authority, (b"x-a", b"b"), evil]),
        ),
        ("a space in the method", raw_head(&[(b":method", b"GET /evil"), scheme, authority, evil])),
        (
            "a user in the authority",
            raw_head(&[method, scheme, (b":authority", b"evil@acme.example"), evil]),
        ),
        (
            "CR LF in the authority",
            raw_head(&[method, scheme, (b":authority", b"acme.example\r\nevil: a"), evil]),
        ),
        (
            "a path in the authority",
            raw_head(&[method, scheme, (b":authority", b"acme.example/evil"), evil]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn tp5_http_2_bodies_of_another_length_are_refused() {
    let post = |length: &'static [u8], parts: &[&[u8]]| {
        let fields = head("POST", "/evil", &[(b"content-length", length)]);
        let mut frames = frame(HEADERS, END_HEADERS, 1, &fields);
        for (index, part) in parts.iter().enumerate() {
            let last = if index + 1 == parts.len() { END_STREAM } else { 0 };
            frames.extend(frame(DATA, last, 1, part));
        }
        frames
    };
    let two = head("POST", "/evil", &[(b"content-length", b"3"), (b"content-length", b"5")]);
    let two = [frame(HEADERS, END_HEADERS, 1, &two), frame(DATA, END_STREAM, 1, b"abc")].concat();
    are_refused(vec![
        ("shorter than it says", post(b"5", &[b"abc"])),
        ("longer than it says", post(b"3", &[b"abc", b"GET /evil"])),
        ("none, where it says some", get_with(&[(b"content-length", b"5")])),
        ("no number", post(b"+3", &[b"abc"])),
        ("two lengths", two),
    ])
    .await;
}

#[tokio::test]
async fn te_over_http_2_other_than_trailers_is_not_forwarded() {
    let app = App::answering(&[("/te", &[])]).await;
    let gateway = Setup::before(&app).start();
    let mut tls = raw_h2(&gateway).await;
    let request = head("GET", "/te", &[(b"te", b"gzip")]);
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &request);
    tls.write_all(&request).await.unwrap();
    let after = frame(HEADERS, END_STREAM | END_HEADERS, 3, &head("GET", "/right", &[]));
    tls.write_all(&after).await.unwrap();
    tls.flush().await.unwrap();
    let (mut reading, _writing) = tokio::io::split(tls);
    tokio::select! {
        _ = kinds_to_end(&mut reading) => {}
        () = until("the next one is there", || {
            app.received().iter().any(|request| request.target() == "/right")
        }) => {}
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(app.received().iter().all(|request| request.field("te").is_none()));
}
