//! WebSockets: the handshake is judged like any exchange, then bytes go both ways untouched.
//!
//! Only `websocket` is upgraded to, only by a `GET` without a body (RFC 6455) or an extended `CONNECT` over HTTP/2
//! (RFC 8441), and only when the application has said 101. Any other `Upgrade`, `h2c` above all, is an ordinary
//! request without that field: nothing is tunnelled that the policy has not seen.

use std::{pin::pin, task::Poll, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body as _;
use hyper::{body::Incoming, ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, split},
    time::timeout,
};
use tracing::debug;

use super::{
    access::Record,
    body::Body,
    connection::{Order, Registered},
    forward::tokens,
    head::Marks,
    rejection::Rejection,
};

/// A request for a WebSocket.
pub(crate) struct Asked {
    /// Becomes the downstream's bytes once it was told that the upgrade holds.
    downstream: OnUpgrade,
    /// Over HTTP/2 the gateway makes the handshake upstream: this is the answer that the application owes it.
    owed: Option<HeaderValue>,
}

impl Asked {
    /// What `request` asks for, if it is a WebSocket. An extended `CONNECT` becomes the `GET` that HTTP/1.1 has for it.
    pub(crate) fn by(
        request: &mut Request<Incoming>,
        marks: Marks,
    ) -> Result<Option<Self>, Rejection> {
        let protocol = request.extensions().get::<Protocol>();
        if protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case(WEBSOCKET)) {
            let key = make_key();
            let owed = accept_of(key.as_bytes());
            *request.method_mut() = Method::GET;
            request.headers_mut().insert(header::SEC_WEBSOCKET_KEY, key);
            return Ok(Some(Self { downstream: hyper::upgrade::on(request), owed: Some(owed) }));
        }
        if !marks.any(Marks::UPGRADE) {
            return Ok(None);
        }
        let fields = request.headers();
        let asked = request.version() == Version::HTTP_11
            && *request.method() == Method::GET
            && lists(fields, &header::UPGRADE, WEBSOCKET)
            && lists(fields, &header::CONNECTION, "upgrade")
            && request.body().is_end_stream();
        Ok(asked.then(|| Self { downstream: hyper::upgrade::on(request), owed: None }))
    }

    /// Puts back the hop-by-hop fields that ask the application for the upgrade.
    pub(crate) fn ask(fields: &mut HeaderMap) {
        fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
    }

    /// Whether the request came by an extended `CONNECT`: to it, any 2xx says that the WebSocket is open.
    pub(crate) fn is_connect(&self) -> bool {
        self.owed.is_some()
    }

    /// Whether this answer, a 101, upgrades to what was asked for.
    pub(crate) fn check(&self, answer: &Response<Incoming>) -> Result<(), Rejection> {
        let fields = answer.headers();
        let right = lists(fields, &header::UPGRADE, WEBSOCKET)
            && self
                .owed
                .as_ref()
                .is_none_or(|owed| fields.get(header::SEC_WEBSOCKET_ACCEPT) == Some(owed));
        if right { Ok(()) } else { Err(Rejection::Upgrade) }
    }

    /// The answer that tells the downstream that the upgrade holds, made of the application's judged 101.
    pub(crate) fn confirm(&self, response: &mut Response<Body>) {
        if self.is_connect() {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(header::SEC_WEBSOCKET_ACCEPT);
        } else {
            Self::ask(response.headers_mut());
        }
    }

    /// Carries bytes both ways until both sides have closed, or one has and the other had time to; or until the tunnel
    /// is told to end.
    ///
    /// Over HTTP/1.1 the tunnel takes its connection's place in the registry; over HTTP/2 it is a stream like any
    /// other, and ends with its connection. The exchange counts as open until then.
    pub(crate) async fn tunnel(
        self,
        upstream: OnUpgrade,
        registered: Option<Registered>,
        mut record: Option<Record>,
    ) {
        if let Some(record) = &mut record {
            record.set_status(StatusCode::SWITCHING_PROTOCOLS);
            record.finish();
        }
        let mut carry = pin!(carry(self.downstream, upstream));
        std::future::poll_fn(|context| {
            let order = registered.as_ref().map(|registered| registered.poll_order(context));
            match order {
                Some(Order::Cut(_)) => Poll::Ready(()),
                Some(Order::Drain | Order::Rest | Order::Serve) | None => {
                    carry.as_mut().poll(context)
                }
            }
        })
        .await;
    }
}

async fn carry(downstream: OnUpgrade, upstream: OnUpgrade) {
    let (downstream, upstream) = match tokio::try_join!(downstream, upstream) {
        Ok(both) => both,
        Err(error) => return debug!(%error, "an upgrade did not come about"),
    };
    let (from_downstream, to_downstream) = split(TokioIo::new(downstream));
    let (from_upstream, to_upstream) = split(TokioIo::new(upstream));
    let mut up = pin!(pour(from_downstream, to_upstream));
    let mut down = pin!(pour(from_upstream, to_downstream));
    // Who has closed may still be told something, but not for ever: the other side may not even notice.
    tokio::select! {
        () = &mut up => drop(timeout(CLOSING, down).await),
        () = &mut down => drop(timeout(CLOSING, up).await),
    }
}

/// Carries one direction to its end, and passes the end on.
async fn pour(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let poured = tokio::io::copy(&mut from, &mut to).await;
    if let Err(error) = poured.and(to.shutdown().await) {
        debug!(%error, "a tunnel broke off");
    }
}

/// How long a tunnel goes on in one direction when the other has ended.
const CLOSING: Duration = Duration::from_secs(10);

const WEBSOCKET: &str = "websocket";

/// The target of an upstream request: origin-form (RFC 9112, section 3.2.1), or `*`.
pub(crate) fn origin_form(uri: &Uri) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = uri.path_and_query().cloned();
    Uri::from_parts(parts).unwrap_or_default()
}

fn lists(fields: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    tokens(fields, name).any(|listed| listed.eq_ignore_ascii_case(token))
}

/// A fresh `Sec-WebSocket-Key` (RFC 6455, section 4.1).
fn make_key() -> HeaderValue {
    let key = BASE64_STANDARD.encode(super::random::<16>());
    HeaderValue::try_from(key).expect("base64 is a field's value")
}

/// The `Sec-WebSocket-Accept` that answers `key` (RFC 6455, section 4.2.2).
fn accept_of(key: &[u8]) -> HeaderValue {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(hash.finish());
    HeaderValue::try_from(accept).expect("base64 is a field's value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_rfc_6455_has_its_answer() {
        let accept = accept_of(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
