//! Ends a person's session at the application, when they withdraw their agreement (G7).

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

/// Makes of a form's request the one by which the browser would end its session: a `POST` to `logout`, with the CSRF token
/// as Laravel's own scripts send it.
pub(crate) fn prepare_logout<B>(request: &mut Request<B>, logout: &PathAndQuery) {
    *request.uri_mut() = Uri::from(logout.clone());
    let token = csrf_token(request.headers());
    let fields = request.headers_mut();
    fields.remove(X_XSRF_TOKEN);
    if let Some(token) = token {
        fields.insert(X_XSRF_TOKEN, token);
    }
}

/// The value of the cookie `XSRF-TOKEN`, as a script reads it.
fn csrf_token(fields: &HeaderMap) -> Option<HeaderValue> {
    let cookies = fields.get(header::COOKIE)?.to_str().ok()?;
    let value = cookies.split("; ").find_map(|pair| pair.strip_prefix("XSRF-TOKEN="))?;
    let decoded: Vec<u8> = percent_decode_str(value).collect();
    HeaderValue::try_from(decoded).ok()
}

const X_XSRF_TOKEN: HeaderName = HeaderName::from_static("x-xsrf-token");
