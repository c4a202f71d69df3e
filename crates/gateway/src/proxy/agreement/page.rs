//! The gateway's own pages as answers: cached by who may ask for them, with no cookie, and for no other site's frame.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::{
    super::{body::Body, rejection::Representation},
    action::AgreementAction,
};
use crumbgate_audit::tenants::Tenant;
use crumbgate_base::language::Language;
use crumbgate_pages::page::{
    self, Kind, Page, Pages,
    settings::{PagePath, Place},
};
use crumbgate_policy::Mode;

/// Which of the gateway's own places a request is for, if it is for one. Where a tenant is only watched there are none:
/// what a page says is not true there.
pub(crate) fn place(path: Option<&PagePath>, tenant: &Tenant, target: &str) -> Option<Place> {
    path.filter(|_| tenant.policy.mode == Mode::Enforce)?.place(target)
}

/// The answer to a request for one of the places that are only read, and the page that it shows, where people can agree
/// on it; none for a form.
pub(crate) fn read<B>(
    place: Place,
    request: &Request<B>,
    path: &PagePath,
    pages: &Pages,
) -> Option<(Response<Body>, Option<Arc<Page>>)> {
    let (method, fields) = (request.method(), request.headers());
    let reads = *method == Method::GET || *method == Method::HEAD;
    if AgreementAction::at(place).is_some() {
        return match *method {
            Method::POST => None,
            // Whoever reloads what a form has led to, say.
            _ if reads => Some((see_other(path.as_str()), None)),
            _ => Some((not_allowed("GET, HEAD, POST"), None)),
        };
    }
    if !reads {
        return Some((not_allowed("GET, HEAD"), None));
    }
    let language = Language::preferred(fields);
    let is_head = *method == Method::HEAD;
    let (response, page) = match kind(place) {
        None => (style(fields), None),
        Some(Kind::Cookies) if Representation::asked_by(fields) == Representation::Json => {
            let json = pages.json(language);
            let response = document("application/json", json.bytes.clone(), &json.hash, fields);
            (spoken(response, language), None)
        }
        Some(kind) => {
            let page = pages.get(kind, language);
            let response = document(HTML, page.html.clone(), page.hash(), fields);
            let asks = kind == Kind::Cookies && !is_head;
            (guarded(spoken(response, language)), asks.then(|| Arc::clone(page)))
        }
    };
    Some((if is_head { bodiless(response) } else { response }, page))
}

/// What is shown at a place; none: a style.
fn kind(place: Place) -> Option<Kind> {
    match place {
        Place::Declined => Some(Kind::Declined),
        Place::Withdrawn => Some(Kind::Withdrawn),
        Place::Agree | Place::Cookies | Place::Decline | Place::Withdraw => Some(Kind::Cookies),
        Place::BannerStyle => None,
    }
}

/// A page in the application's place, which no cache keeps.
pub(crate) fn instead(page: &Page, status: StatusCode, is_head: bool) -> Response<Body> {
    let mut response = Response::new(Body::own(page.html.clone()));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let response = guarded(spoken(response, page.language));
    if is_head { bodiless(response) } else { response }
}

/// Leads to a path of the same origin (RFC 9110, section 15.4.4).
pub(crate) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::none());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let fields = response.headers_mut();
    // A path comes from a field or from the configuration: it is one of visible ASCII.
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    fields.insert(header::LOCATION, path);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Something that is the same for everybody, and may be kept as long as it is asked for again each time: so it is
/// always true (RFC 9111, section 5.2.2.4).
fn document(
    content_type: &'static str,
    bytes: Bytes,
    hash: &str,
    asked: &HeaderMap,
) -> Response<Body> {
    let tag = format!("\"{hash}\"");
    let is_known = asked.get_all(header::IF_NONE_MATCH).iter().any(|known| names(known, &tag));
    let mut response = Response::new(if is_known { Body::none() } else { Body::own(bytes) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        fields.insert(header::ETAG, tag);
    }
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether a field lists this entity tag (RFC 9110, section 13.1.2).
fn names(field: &HeaderValue, tag: &str) -> bool {
    let mut listed = field.to_str().unwrap_or_default().split(',').map(str::trim);
    listed.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn spoken(mut response: Response<Body>, language: Language) -> Response<Body> {
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    fields.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    response
}

/// With what keeps a page from running, loading or being framed by anything, and the way back from telling others.
fn guarded(mut response: Response<Body>) -> Response<Body> {
    let fields = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(page::content_security_policy()) {
        fields.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn style(asked: &HeaderMap) -> Response<Body> {
    let style = page::banner_style();
    document("text/css; charset=utf-8", style.bytes.clone(), &style.hash, asked)
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::none());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The same without its body, as `HEAD` has it.
fn bodiless(mut response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;
    if let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > 0) {
        response.headers_mut().insert(header::CONTENT_LENGTH, bytes.into());
    }
    response.map(|_| Body::none())
}

const HTML: &str = "text/html; charset=utf-8";
