//! Error responses of the API: problem documents (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;
use utoipa::ToSchema;

use crumbgate_config::{self as config, Problems, Severity};

/// An error response.
#[derive(Clone, Debug)]
pub(super) struct Problem(Box<Document>);

/// A problem and its fix (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The value that was found, and the expected one.
    detail: String,
    /// The subject: a key of the configuration, a member of the body, a parameter or a header of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// All problems of a configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Fault>,
    /// The same problems as `crumbgate check` prints them.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// One error or warning about a configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Fault {
    /// `error`: the configuration is rejected.
    severity: Weight,
    /// File, line and column.
    place: String,
    /// The dotted key; empty where the problem is about no key.
    key: String,
    /// The value that was found, and the expected one.
    message: String,
    /// The fix.
    help: Option<String>,
}

/// The severity of a problem: an error makes the configuration unusable.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Weight {
    Error,
    Warning,
}

impl Problem {
    /// Makes a problem. `detail` states what was found and what was expected.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Document {
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            key: None,
            help: None,
            problems: Vec::new(),
            text: None,
        }))
    }

    /// Sets the subject.
    pub(super) fn key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// Sets the advice.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the problems of a configuration. Key and help become those of the first error.
    pub(super) fn with(mut self, problems: &Problems) -> Self {
        self.0.problems = faults(problems);
        self.0.text = Some(problems.to_string());
        let first = problems.iter().find(|problem| problem.severity == Severity::Error);
        if let Some(first) = first {
            self.0.key = Some(first.key.clone()).filter(|key| !key.is_empty());
            self.0.help.clone_from(&first.help);
        }
        self
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Converts the problems of a configuration for JSON.
pub(super) fn faults(problems: &Problems) -> Vec<Fault> {
    problems.iter().map(Fault::of).collect()
}

impl Fault {
    fn of(problem: &config::Problem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Error => Weight::Error,
                Severity::Warning => Weight::Warning,
            },
            place: problem.place.to_string(),
            key: problem.key.clone(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings and numbers can always be written as JSON.
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let kind = HeaderValue::from_static(MEDIA_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The media type of a problem document.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
