//! WebSockets: the handshake is judged like any exchange, then bytes pass in both directions unchanged.
//!
//! The only upgrade is `websocket`, by a `GET` without a body (RFC 6455) or an extended `CONNECT` over HTTP/2
//! (RFC 8441), after the application's 101. A request with any other `Upgrade`, `h2c` for example, is an ordinary request
//! without that field: no bytes are tunnelled that the policy has not seen.

use std::{pin::pin, task::Poll, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body as HttpBody;
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
    head::{HeaderFlags, tokens},
    rejection::Rejection,
};

/// The way in which a request asks for a WebSocket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WebSocket {
    /// An extended `CONNECT` over HTTP/2.
    Connect,
    /// A `GET` with `Upgrade` over HTTP/1.1.
    Upgrade,
}

impl WebSocket {
    /// Returns the way in which this request asks for a WebSocket, if it does. `flags` are those of its fields.
    pub fn requested_by<B: HttpBody>(request: &Request<B>, flags: HeaderFlags) -> Option<Self> {
        let protocol = request.extensions().get::<Protocol>();
        if protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case(WEBSOCKET)) {
            return Some(Self::Connect);
        }
        if !flags.any(HeaderFlags::UPGRADE) {
            return None;
        }
        let fields = request.headers();
        let is_upgrade = request.version() == Version::HTTP_11
            && *request.method() == Method::GET
            && lists(fields, &header::UPGRADE, WEBSOCKET)
            && lists(fields, &header::CONNECTION, "upgrade")
            && request.body().is_end_stream();
        is_upgrade.then_some(Self::Upgrade)
    }
}

/// Returns true if an answer of this status, with these fields, turns the connection into the tunnel that was requested.
/// `owed` is the `Sec-WebSocket-Accept` that the answer must have.
///
/// # Errors
///
/// [`Rejection::Upgrade`] if it upgrades to anything else.
pub fn check_answer(
    requested: Option<WebSocket>,
    owed: Option<&HeaderValue>,
    status: StatusCode,
    fields: &HeaderMap,
) -> Result<bool, Rejection> {
    match (requested, status) {
        (Some(_), StatusCode::SWITCHING_PROTOCOLS) => {
            let is_accepted =
                owed.is_none_or(|owed| fields.get(header::SEC_WEBSOCKET_ACCEPT) == Some(owed));
            let is_websocket = lists(fields, &header::UPGRADE, WEBSOCKET) && is_accepted;
            if is_websocket { Ok(true) } else { Err(Rejection::Upgrade) }
        }
        (None, StatusCode::SWITCHING_PROTOCOLS) => Err(Rejection::Upgrade),
        // To an extended CONNECT any 2xx means that the WebSocket is open.
        (Some(WebSocket::Connect), status) if status.is_success() => Err(Rejection::Upgrade),
        (Some(_) | None, _) => Ok(false),
    }
}

/// Sets the hop-by-hop fields that ask for a WebSocket over HTTP/1.1, or confirm it.
pub(super) fn request_websocket(fields: &mut HeaderMap) {
    fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// The handshake of a WebSocket that a request has asked for.
pub(crate) struct Handshake {
    /// Becomes the bytes of the downstream once the client has the answer.
    downstream: OnUpgrade,
    /// The `Sec-WebSocket-Accept` that the application owes the gateway, which makes the handshake for an extended
    /// `CONNECT`.
    owed: Option<HeaderValue>,
}

impl Handshake {
    /// Begins the handshake that `request` asks for. An extended `CONNECT` becomes the `GET` of HTTP/1.1.
    pub(crate) fn begin(websocket: WebSocket, request: &mut Request<Incoming>) -> Self {
        let owed = match websocket {
            WebSocket::Connect => {
                let key = make_key();
                let owed = accept_of(key.as_bytes());
                *request.method_mut() = Method::GET;
                request.headers_mut().insert(header::SEC_WEBSOCKET_KEY, key);
                Some(owed)
            }
            WebSocket::Upgrade => None,
        };
        Self { downstream: hyper::upgrade::on(request), owed }
    }

    /// Returns the `Sec-WebSocket-Accept` that the application owes the gateway.
    pub(crate) fn owed(&self) -> Option<&HeaderValue> {
        self.owed.as_ref()
    }

    /// Returns true if the request is an extended `CONNECT`.
    pub(crate) fn is_connect(&self) -> bool {
        self.owed.is_some()
    }

    /// Makes of the application's judged 101 the answer that confirms the WebSocket to the client.
    pub(crate) fn confirm(&self, response: &mut Response<Body>) {
        if self.is_connect() {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(header::SEC_WEBSOCKET_ACCEPT);
        } else {
            request_websocket(response.headers_mut());
        }
    }

    /// Copies bytes in both directions until both sides have closed, or one has closed and the other had its time; or until
    /// the worker ends the tunnel.
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
        Err(error) => return debug!(%error, "an upgrade failed"),
    };
    let (from_downstream, to_downstream) = split(TokioIo::new(downstream));
    let (from_upstream, to_upstream) = split(TokioIo::new(upstream));
    let mut up = pin!(pour(from_downstream, to_upstream));
    let mut down = pin!(pour(from_upstream, to_downstream));
    // The side that has closed may still receive, but not for ever: the other side may not notice the end.
    tokio::select! {
        () = &mut up => drop(timeout(CLOSING, down).await),
        () = &mut down => drop(timeout(CLOSING, up).await),
    }
}

/// Copies one direction to its end, and closes the other side.
async fn pour(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let poured = tokio::io::copy(&mut from, &mut to).await;
    if let Err(error) = poured.and(to.shutdown().await) {
        debug!(%error, "a tunnel broke");
    }
}

/// The time for which a tunnel goes on in one direction after the other has ended.
const CLOSING: Duration = Duration::from_secs(10);

const WEBSOCKET: &str = "websocket";

/// Returns the target of an upstream request: origin-form (RFC 9112, section 3.2.1), or `*`.
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
