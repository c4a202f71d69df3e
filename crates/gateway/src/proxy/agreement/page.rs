//! The gateway's own pages as answers. Other sites can't frame them, and the only cookies that they change are those that
//! they delete.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::{
    super::{body::Body, headers::sensitive, rejection::Representation},
    action::AgreementAction,
    endpoint::AgreementEndpoint,
};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::language::Language;
use crumbgate_pages::page::{
    self, Page, PageKind,
    settings::{PagePath, PageRoute},
};
use crumbgate_policy::{AgreementMode, Mode};

/// A request for one of the gateway's own places, by its method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PageRequest {
    /// Sends a form.
    Form(AgreementAction),
    /// Has another method than these.
    NotAllowed(&'static str),
    /// Reads the page or the style at this place.
    Read(PageRoute),
    /// Reads the place of a form, when somebody reloads its answer, for example. The answer redirects to the cookie page.
    SeeOther,
}

impl PageRequest {
    /// Reads a request to `target` as one for the gateway's own pages at `path`; `None` if it is for the application or a
    /// beacon. A tenant in report mode has no such pages, because they would not be true there.
    pub fn of(path: Option<&PagePath>, mode: Mode, target: &str, method: &Method) -> Option<Self> {
        let place = path.filter(|_| mode == Mode::Enforce)?.place(target)?;
        if place == PageRoute::Seen {
            return None;
        }
        let reads = *method == Method::GET || *method == Method::HEAD;
        Some(match AgreementAction::at(place) {
            Some(action) if *method == Method::POST => Self::Form(action),
            Some(_) if reads => Self::SeeOther,
            Some(_) => Self::NotAllowed("GET, HEAD, POST"),
            None if reads => Self::Read(place),
            None => Self::NotAllowed("GET, HEAD"),
        })
    }

    /// Returns the status of the answer. A browser that has the page already gets a 304 in place of the 200.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Form(_) | Self::SeeOther => StatusCode::SEE_OTHER,
            Self::NotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Read(_) => StatusCode::OK,
        }
    }
}

/// Answers with the page or the style at a place, and counts the cookie page as shown if it asks for an agreement.
/// `fields` are those of the request. `may_confirm` allows a 304.
pub(super) fn read(
    endpoint: &AgreementEndpoint<'_>,
    place: PageRoute,
    fields: &HeaderMap,
    (is_head, may_confirm): (bool, bool),
) -> Response<Body> {
    let language = Language::preferred(fields);
    let conditions = may_confirm.then_some(fields);
    let response = match kind(place) {
        None => style(conditions),
        Some(PageKind::Cookies) if Representation::asked_by(fields) == Representation::Json => {
            let json = endpoint.pages.json(language);
            let response = document("application/json", json.bytes.clone(), &json.hash, conditions);
            with_language(response, language)
        }
        Some(kind) => {
            let page = endpoint.pages.get(kind, language);
            let asks = endpoint.recorder.tenant().policy.agreement != AgreementMode::Off;
            if asks && kind == PageKind::Cookies && !is_head {
                endpoint.count(AgreementEvent::Shown, page);
            }
            let response = document(HTML, page.html.clone(), page.hash(), conditions);
            guarded(with_language(response, language))
        }
    };
    if is_head { bodiless(response) } else { response }
}

/// Returns the page at a place; `None` for the style.
fn kind(place: PageRoute) -> Option<PageKind> {
    match place {
        PageRoute::Declined => Some(PageKind::Declined),
        PageRoute::Withdrawn => Some(PageKind::Withdrawn),
        PageRoute::Agree | PageRoute::Cookies | PageRoute::Decline | PageRoute::Withdraw => {
            Some(PageKind::Cookies)
        }
        PageRoute::BannerStyle | PageRoute::Seen => None,
    }
}

/// Answers with a page in place of the application. No cache stores it.
pub(super) fn instead(page: &Page, status: StatusCode, is_head: bool) -> Response<Body> {
    let mut response = Response::new(Body::own(page.html.clone()));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let response = guarded(with_language(response, page.language));
    if is_head { bodiless(response) } else { response }
}

/// Redirects to a path of the same origin (RFC 9110, section 15.4.4).
pub(super) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::none());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let fields = response.headers_mut();
    // A path comes from a field or from the configuration: it is one of visible ASCII.
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    fields.insert(header::LOCATION, path);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers with a document that is the same for everybody. Caches may store it, but must ask each time whether it has
/// changed (RFC 9111, section 5.2.2.4). `conditions` are the fields of a request that a 304 may answer.
fn document(
    content_type: &'static str,
    bytes: Bytes,
    hash: &str,
    conditions: Option<&HeaderMap>,
) -> Response<Body> {
    let tag = format!("\"{hash}\"");
    let mut known = conditions.iter().flat_map(|fields| fields.get_all(header::IF_NONE_MATCH));
    let is_known = known.any(|known| names(known, &tag));
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

/// Returns true if a field lists this entity tag (RFC 9110, section 13.1.2).
fn names(field: &HeaderValue, tag: &str) -> bool {
    let mut listed = field.to_str().unwrap_or_default().split(',').map(str::trim);
    listed.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn with_language(mut response: Response<Body>, language: Language) -> Response<Body> {
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    fields.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    response
}

/// Adds the fields by which a page runs, loads and is framed by nothing, and keeps its address from other sites.
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

fn style(conditions: Option<&HeaderMap>) -> Response<Body> {
    let style = page::banner_style();
    document("text/css; charset=utf-8", style.bytes.clone(), &style.hash, conditions)
}

/// Rejects a method, and lists the allowed ones.
pub(super) fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::none());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Removes the body, for `HEAD`.
fn bodiless(mut response: Response<Body>) -> Response<Body> {
    use http_body::Body as _;
    if let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > 0) {
        response.headers_mut().insert(header::CONTENT_LENGTH, bytes.into());
    }
    response.map(|_| Body::none())
}

/// Adds `Set-Cookie` fields.
pub(super) fn with_cookies(
    mut response: Response<Body>,
    set_cookies: impl IntoIterator<Item = Vec<u8>>,
) -> Response<Body> {
    let fields = response.headers_mut();
    let set_cookies = set_cookies.into_iter().filter_map(sensitive);
    fields.extend(set_cookies.map(|field| (header::SET_COOKIE, field)));
    response
}

const HTML: &str = "text/html; charset=utf-8";
