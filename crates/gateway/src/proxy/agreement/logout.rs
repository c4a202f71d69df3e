//! Ends a person's session at the application, when they withdraw their agreement (G7).

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header, uri::PathAndQuery};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tracing::warn;

use super::super::{
    downstream::Exchange, forward, forwarded::Forwarded, head::HeaderFlags, judged::Judged,
    tenant_cache::ServedTenant,
};

/// Reports the end of the session to the application, as the person's browser would. Its answer changes nothing: the browser
/// deletes the session cookie in any case. `cookies` are those by which the application knows the session.
pub(super) async fn end_session(
    exchange: &Exchange<'_>,
    judged: &Judged<'_>,
    mut request: Request<Incoming>,
    logout: &PathAndQuery,
    cookies: HeaderValue,
) {
    let ServedTenant { recorder, upstream } = &judged.admitted.tenant;
    request.headers_mut().insert(header::COOKIE, cookies);
    prepare_logout(&mut request, logout);
    let forwarded = Forwarded {
        flags: HeaderFlags::of(request.headers()),
        trusted: exchange.trusts_peer(),
        version: request.version(),
        authority: &judged.admitted.authority,
    };
    let request = forward::prepare(exchange, request, &forwarded, recorder, false);
    let tenant = &*judged.tenant().name;
    match upstream.send(request, false).await {
        Ok(answer) if answer.response.status().as_u16() < 400 => {}
        Ok(answer) => {
            let status = answer.response.status().as_u16();
            warn!(tenant, status, "the application did not end the session after a withdrawal");
        }
        Err(error) => {
            warn!(tenant, %error, "the application could not be informed of a withdrawal");
        }
    }
}

/// Makes of a form's request the one by which a browser ends its session: a `POST` to `logout`, with the CSRF token as
/// Laravel's own scripts send it.
fn prepare_logout<B>(request: &mut Request<B>, logout: &PathAndQuery) {
    *request.uri_mut() = Uri::from(logout.clone());
    let token = csrf_token(request.headers());
    let fields = request.headers_mut();
    fields.remove(X_XSRF_TOKEN);
    if let Some(token) = token {
        fields.insert(X_XSRF_TOKEN, token);
    }
}

/// Returns the value of the cookie `XSRF-TOKEN`, as a script reads it.
fn csrf_token(fields: &HeaderMap) -> Option<HeaderValue> {
    let cookies = fields.get(header::COOKIE)?.to_str().ok()?;
    let value = cookies.split("; ").find_map(|pair| pair.strip_prefix("XSRF-TOKEN="))?;
    let decoded: Vec<u8> = percent_decode_str(value).collect();
    HeaderValue::try_from(decoded).ok()
}

const X_XSRF_TOKEN: HeaderName = HeaderName::from_static("x-xsrf-token");
