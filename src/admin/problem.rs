//! What is answered where something can't be done: a problem document (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{self, Problems, Severity};

/// What is wrong, and how to mend it.
#[derive(Clone, Debug)]
pub(super) struct Problem(Box<Document>);

/// What is wrong, and how to mend it (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What was found, and what was expected.
    detail: String,
    /// What it is about: a key of the configuration, a member of the body, a parameter or a field of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Everything that is wrong, where several things can be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Fault>,
    /// The same as `crumbgate check` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// One thing that is wrong or odd in a configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Fault {
    /// Whether the configuration is refused for it.
    severity: Weight,
    /// Where it stands: file, line and column.
    place: String,
    /// The dotted key; empty where it is about no key.
    key: String,
    /// What was found, and what was expected.
    message: String,
    /// How to mend it.
    help: Option<String>,
}

/// Whether a configuration is refused for a fault.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Weight {
    Error,
    Warning,
}

impl Problem {
    /// A problem; `detail` says what was found and expected.
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

    /// Says what it is about.
    pub(super) fn key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// Says how to mend it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds all that is wrong with a configuration; the first of the errors is the problem's own key and help.
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

/// What is wrong with a configuration, for programs.
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
        // Strings and numbers: there is always a text.
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
