//! The answers that the gateway gives in the application's place: a status, a neutral page, no cookie (S8).
//!
//! Bytes that are not HTTP, and heads that are far too large, get no page: hyper rejects them before there is a request,
//! with a bare 400, 414 or 431 over HTTP/1.1, and over HTTP/2 with a 431, or an error of the stream or the connection.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{
    body::Body,
    request_body::Fault,
    request_id::{REQUEST_ID, RequestId},
    upstream,
};
use crate::metrics::RejectionReason;

/// The reason that the gateway answers a request itself.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// Nobody has agreed to the use of cookies yet (G6). This is the answer to programs; people get a page that asks.
    #[error("nobody has agreed to the use of cookies yet")]
    AgreementRequired {
        /// The address of the page on which to agree.
        page: String,
    },
    /// The authority is missing, duplicated, malformed or contradictory (T2).
    #[error("the host of the request is not clear: {0}")]
    Authority(&'static str),
    /// The client aborted the request's body.
    #[error("the request's body ended early")]
    BodyBroken,
    /// No part of the request's body came within `limits.body_timeout`.
    #[error("the request's body came too slowly")]
    BodyLate,
    /// The request's body is larger than `limits.body_bytes`.
    #[error("the request's body has more than {limit} bytes")]
    BodyTooLarge {
        /// The limit, in bytes or fields.
        limit: u64,
    },
    /// The `Cookie` fields are larger than `limits.cookie_bytes` (R8).
    #[error("the Cookie fields have {got} bytes, more than {limit}")]
    CookieTooLarge {
        /// The number of bytes or fields in the request.
        got: usize,
        /// The limit, in bytes or fields.
        limit: usize,
        /// `Set-Cookie` fields that delete undeclared cookies.
        evictions: Vec<Vec<u8>>,
    },
    /// A form of the gateway's own pages was sent from another site (G7).
    #[error("the form was sent from another site")]
    CrossSite,
    /// The end of the body is ambiguous, or the body has a coding that the gateway does not decode.
    #[error("the length of the request's body is ambiguous")]
    Framing,
    /// The head is larger than `limits.head_bytes`.
    #[error("the head has {got} bytes, more than {limit}")]
    HeadTooLarge {
        /// The number of bytes or fields in the request.
        got: usize,
        /// The limit, in bytes or fields.
        limit: usize,
        /// `Set-Cookie` fields that delete undeclared cookies.
        evictions: Vec<Vec<u8>>,
    },
    /// The method is `CONNECT` or `TRACE`, which no application behind a gateway serves.
    #[error("the method is not supported")]
    Method,
    /// No tenant has this host, or the connection was made for another one (T1, T2).
    #[error("{0}")]
    Misdirected(&'static str),
    /// There are `limits.connections` connections already.
    #[error("the gateway has its maximum of connections")]
    Overloaded,
    /// The head has more fields than `limits.head_fields`.
    #[error("the head has {got} fields, more than {limit}")]
    TooManyFields {
        /// The number of bytes or fields in the request.
        got: usize,
        /// The limit, in bytes or fields.
        limit: usize,
        /// `Set-Cookie` fields that delete undeclared cookies.
        evictions: Vec<Vec<u8>>,
    },
    /// The application answered with an upgrade that the request did not ask for.
    #[error("the application upgraded the connection in a way that the request did not ask for")]
    Upgrade,
    /// The application gave no answer.
    #[error(transparent)]
    Upstream(upstream::Error),
}

impl From<upstream::Error> for Rejection {
    fn from(error: upstream::Error) -> Self {
        match error {
            upstream::Error::Body(Fault::Broken) => Self::BodyBroken,
            upstream::Error::Body(Fault::Late) => Self::BodyLate,
            upstream::Error::Body(Fault::TooLarge(limit)) => Self::BodyTooLarge { limit },
            error => Self::Upstream(error),
        }
    }
}

impl Rejection {
    /// Returns the `Set-Cookie` fields of the answer, which delete cookies that do not belong there.
    pub fn into_evictions(self) -> Vec<Vec<u8>> {
        match self {
            Self::CookieTooLarge { evictions, .. }
            | Self::HeadTooLarge { evictions, .. }
            | Self::TooManyFields { evictions, .. } => evictions,
            Self::AgreementRequired { .. }
            | Self::Authority(_)
            | Self::BodyBroken
            | Self::BodyLate
            | Self::BodyTooLarge { .. }
            | Self::CrossSite
            | Self::Framing
            | Self::Method
            | Self::Misdirected(_)
            | Self::Overloaded
            | Self::Upgrade
            | Self::Upstream(_) => Vec::new(),
        }
    }

    /// Returns the status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Authority(_) | Self::BodyBroken | Self::Framing => StatusCode::BAD_REQUEST,
            Self::BodyLate => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::CookieTooLarge { .. }
            | Self::HeadTooLarge { .. }
            | Self::TooManyFields { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::AgreementRequired { .. } | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upgrade => StatusCode::BAD_GATEWAY,
            Self::Upstream(upstream::Error::Late) => StatusCode::GATEWAY_TIMEOUT,
            Self::Upstream(upstream::Error::QueueFull | upstream::Error::QueueLate) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Upstream(upstream::Error::Connect(upstream::ConnectError::Late)) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Upstream(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// Returns the reason, as metrics name it.
    pub fn reason(&self) -> RejectionReason {
        match self {
            Self::AgreementRequired { .. } => RejectionReason::AgreementRequired,
            Self::Authority(_) => RejectionReason::Authority,
            Self::BodyBroken | Self::Upstream(upstream::Error::Body(_)) => {
                RejectionReason::BodyBroken
            }
            Self::BodyLate => RejectionReason::BodyLate,
            Self::BodyTooLarge { .. } => RejectionReason::BodyTooLarge,
            Self::CookieTooLarge { .. } => RejectionReason::CookieTooLarge,
            Self::CrossSite => RejectionReason::CrossSite,
            Self::Framing => RejectionReason::Framing,
            Self::HeadTooLarge { .. } => RejectionReason::HeadTooLarge,
            Self::Method => RejectionReason::Method,
            Self::Misdirected(_) => RejectionReason::Misdirected,
            Self::Overloaded => RejectionReason::Overloaded,
            Self::TooManyFields { .. } => RejectionReason::TooManyFields,
            Self::Upgrade => RejectionReason::Upgrade,
            Self::Upstream(upstream::Error::Broken(_)) => RejectionReason::UpstreamBroken,
            Self::Upstream(upstream::Error::Connect(_)) => RejectionReason::UpstreamUnreachable,
            Self::Upstream(upstream::Error::Framing) => RejectionReason::UpstreamFraming,
            Self::Upstream(upstream::Error::Late) => RejectionReason::UpstreamLate,
            Self::Upstream(upstream::Error::QueueFull | upstream::Error::QueueLate) => {
                RejectionReason::UpstreamBusy
            }
        }
    }

    /// Returns the title and the text of the page: the problem, and the remedy.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::AgreementRequired { .. } => (
                "Agreement required",
                "This site uses cookies, and nobody has agreed to them in this browser yet.",
            ),
            Self::Authority(_) | Self::BodyBroken | Self::Framing => {
                ("Bad request", "The request could not be understood.")
            }
            Self::BodyLate => ("Request timeout", "The request came too slowly. Please try again."),
            Self::BodyTooLarge { .. } => {
                ("Content too large", "What was sent is larger than this site accepts.")
            }
            Self::CookieTooLarge { evictions, .. }
            | Self::HeadTooLarge { evictions, .. }
            | Self::TooManyFields { evictions, .. }
                if evictions.is_empty() =>
            {
                (
                    "Request header fields too large",
                    "The request's head is larger than this site accepts.",
                )
            }
            Self::CookieTooLarge { .. }
            | Self::HeadTooLarge { .. }
            | Self::TooManyFields { .. } => (
                "Too many cookies",
                "The browser sent more than this site accepts, mostly cookies that do not belong to it. \
                 They are being removed: please reload the page once or twice.",
            ),
            Self::CrossSite => (
                "Forbidden",
                "That was sent from another site. Please open the page of this site and try again there.",
            ),
            Self::Method => ("Method not allowed", "This site does not serve such requests."),
            Self::Misdirected(_) => ("Misdirected request", "There is no such site here."),
            Self::Overloaded
            | Self::Upstream(upstream::Error::QueueFull | upstream::Error::QueueLate) => {
                ("Service unavailable", "This site is very busy. Please try again in a moment.")
            }
            Self::Upstream(_) if self.status() == StatusCode::GATEWAY_TIMEOUT => {
                ("Gateway timeout", "The application took too long. Please try again in a moment.")
            }
            Self::Upgrade | Self::Upstream(_) => {
                ("Bad gateway", "The application can't be reached. Please try again in a moment.")
            }
        }
    }

    /// Returns true if the connection must close, because the rest of the request was not read.
    fn closes(&self) -> bool {
        match self {
            Self::BodyBroken
            | Self::BodyLate
            | Self::BodyTooLarge { .. }
            | Self::Framing
            | Self::Overloaded => true,
            Self::AgreementRequired { .. }
            | Self::Authority(_)
            | Self::CookieTooLarge { .. }
            | Self::CrossSite
            | Self::HeadTooLarge { .. }
            | Self::Method
            | Self::Misdirected(_)
            | Self::TooManyFields { .. }
            | Self::Upgrade
            | Self::Upstream(_) => false,
        }
    }

    /// Makes the answer, in the representation that the request asks for.
    pub(crate) fn into_response(
        self,
        asked: Representation,
        id: &RequestId,
        http1: bool,
    ) -> Response<Body> {
        let status = self.status();
        let (title, words) = self.words();
        let (asked, page) = match &self {
            Self::AgreementRequired { page } => {
                let asked = Representation::Json;
                (asked, asked.render(status, title, words, id, Some(("agreement", page))))
            }
            _ => (asked, asked.render(status, title, words, id, None)),
        };
        let mut response = Response::new(Body::own(page));
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(asked.content_type()));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(REQUEST_ID, id.value());
        if self.closes() && http1 {
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            fields.insert(header::ALLOW, allowed);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            fields.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
        for eviction in self.into_evictions() {
            if let Ok(value) = HeaderValue::try_from(eviction) {
                fields.append(header::SET_COOKIE, value);
            }
        }
        response
    }
}

const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The format of an answer of the gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Representation {
    /// For browsers.
    Html,
    /// For programs: a problem document (RFC 9457).
    Json,
    /// For any other client.
    Text,
}

impl Representation {
    /// Chooses by the `Accept` fields: HTML if they list it, JSON if they list only that.
    pub(crate) fn asked_by(fields: &HeaderMap) -> Self {
        let accepts = |media_type: &str| {
            super::head::tokens(fields, &header::ACCEPT)
                .map(|range| range.split(';').next().unwrap_or_default().trim())
                .any(|range| range.eq_ignore_ascii_case(media_type))
        };
        if accepts("text/html") {
            Self::Html
        } else if accepts("application/json") || accepts("application/problem+json") {
            Self::Json
        } else {
            Self::Text
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/problem+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    // The id has only letters, digits and "-_.", which need no escape in any of the three formats. `more` is an additional
    // member of the JSON object.
    fn render(
        self,
        status: StatusCode,
        title: &str,
        words: &str,
        id: &RequestId,
        more: Option<(&str, &str)>,
    ) -> Bytes {
        let (code, id) = (status.as_u16(), id.as_str());
        let text = match self {
            Self::Html => format!(
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
                 <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
                 <title>{title}</title>\n<style>\n\
                 :root {{ color-scheme: light dark; }}\n\
                 body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem; }}\n\
                 small {{ opacity: 0.7; }}\n</style>\n\
                 <h1>{title}</h1>\n<p>{words}</p>\n<p><small>{code} · request {id}</small></p>\n</html>\n"
            ),
            Self::Json => {
                let more =
                    more.map(|(name, value)| format!(",\"{name}\":{}", serde_json::json!(value)));
                let more = more.unwrap_or_default();
                format!(
                    "{{\"title\":\"{title}\",\"status\":{code},\"detail\":\"{words}\",\"request_id\":\"{id}\"{more}}}\n"
                )
            }
            Self::Text => format!("{title}\n{words}\n{code}, request {id}\n"),
        };
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &'static str) -> Representation {
        let mut fields = HeaderMap::new();
        fields.insert(header::ACCEPT, HeaderValue::from_static(accept));
        Representation::asked_by(&fields)
    }

    #[test]
    fn browsers_get_html_and_programs_what_they_ask_for() {
        assert_eq!(asked("text/html,application/xhtml+xml,*/*;q=0.8"), Representation::Html);
        assert_eq!(asked("application/json, text/html"), Representation::Html);
        assert_eq!(asked("Application/JSON; charset=utf-8"), Representation::Json);
        assert_eq!(asked("*/*"), Representation::Text);
        assert_eq!(Representation::asked_by(&HeaderMap::new()), Representation::Text);
    }
}
