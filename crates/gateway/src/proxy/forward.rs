//! Makes of a judged request what goes upstream.

use http::{HeaderValue, Request, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{
    downstream::Exchange,
    forwarded::Forwarded,
    head::HeaderFlags,
    hop_by_hop::{accepts_trailers, remove_hop_by_hop, remove_obsolete_cookies},
    recorder::Recorder,
    request_body::RequestBody,
    request_id::REQUEST_ID,
    upgrade,
};
use crumbgate_policy::Mode;

/// Prepares a request for the application: the target in origin-form, hop-by-hop fields removed, forwarding fields set.
pub(super) fn prepare(
    exchange: &Exchange<'_>,
    request: Request<Incoming>,
    forwarded: &Forwarded<'_>,
    recorder: &Recorder,
    is_websocket: bool,
) -> Request<RequestBody> {
    let limits = exchange.config.limits();
    let mut request = request.map(|body| RequestBody::new(body, limits, recorder));
    let has_unknown_length = request.body().size_hint().exact().is_none();
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = upgrade::origin_form(request.uri());
    request.extensions_mut().clear();
    let (fields, flags) = (request.headers_mut(), forwarded.flags);
    let trailers = accepts_trailers(fields, flags);
    remove_hop_by_hop(fields, flags);
    if flags.any(HeaderFlags::EXPECT) {
        // The gateway itself answers 100 Continue when the application reads the first byte.
        fields.remove(header::EXPECT);
    }
    if recorder.tenant().policy.mode == Mode::Enforce {
        remove_obsolete_cookies(fields, flags);
    }
    if has_unknown_length {
        // Without this field hyper assumes that a GET has no body, and omits it.
        fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if trailers {
        fields.insert(header::TE, HeaderValue::from_static("trailers"));
        fields.insert(header::CONNECTION, HeaderValue::from_static("TE"));
    }
    if is_websocket {
        upgrade::request_websocket(fields);
    }
    exchange.downstream.origin.set_forwarding_fields(fields, forwarded);
    if fields.get(header::HOST) != Some(forwarded.authority) {
        fields.insert(header::HOST, forwarded.authority.clone());
    }
    fields.insert(REQUEST_ID, exchange.id.value());
    request
}
