//! Health checks, metrics, the OpenAPI document, and the responses for unknown paths and methods.

use axum::{extract::State, response::IntoResponse};
use http::{Method, StatusCode, Uri, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;

use super::app::App;
use crate::admin::{
    blocking::blocking,
    problem::{Document, Problem},
};

/// The result of a health check.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// "ok".
    status: &'static str,
}

/// Check that the gateway is alive
///
/// Needs no token.
#[utoipa::path(
    get, path = "/healthz", security(()),
    responses(
        (status = 200, body = Alive),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn healthz() -> axum::Json<Alive> {
    axum::Json(Alive { status: "ok" })
}

/// Check that the gateway is ready for traffic
///
/// 503 while the gateway drains, and after the start until each upstream with health checks has had a healthy server.
/// Later failures of upstreams do not change it.
/// Needs no token.
#[utoipa::path(
    get, path = "/readyz", security(()),
    responses(
        (status = 200, body = Alive),
        (status = 503, body = Document, content_type = "application/problem+json"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn readyz(State(app): State<App>) -> Result<axum::Json<Alive>, Problem> {
    match app.control.readiness() {
        Ok(()) => Ok(axum::Json(Alive { status: "ok" })),
        Err(why) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string())),
    }
}

/// Get the metrics for Prometheus
///
/// Text format 0.0.4. An auditor's token is sufficient.
#[utoipa::path(
    get, path = "/metrics",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let text = blocking(move || {
        let tenant_series = app.control.config(|config| config.admin.tenant_series);
        app.control.metrics_text(tenant_series)
    });
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.await)
}

/// Get this document
#[utoipa::path(
    get, path = "/openapi.json",
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn openapi(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], app.document.to_string())
}

/// Answers a request for a path without a route.
pub(super) async fn not_found(uri: Uri) -> Problem {
    let detail = format!("there is no route {:?}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail).help("/openapi.json lists every route")
}

/// Answers a request with a method that its route does not have. axum adds `Allow`.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{:?} does not support {method}", uri.path());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
    problem.help("the header Allow lists the methods; /openapi.json describes them")
}
