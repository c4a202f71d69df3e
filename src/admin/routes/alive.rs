//! Signs of life, what the API is, and what it is not.

use axum::{extract::State, response::IntoResponse};
use http::{Method, StatusCode, Uri, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, document, waiting};
use crate::admin::problem::{Document, Problem};

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// "ok".
    status: &'static str,
}

/// Whether the gateway is alive
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

/// Whether traffic should be sent here
///
/// 503 while the gateway drains, and at first until each upstream with health checks has a healthy server; what they do
/// later changes nothing.
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

/// What is measured, for Prometheus
///
/// In its text format 0.0.4. An auditor's token is enough.
#[utoipa::path(
    get, path = "/metrics",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let text = waiting(move || {
        let tenant_series = app.control.config(|config| config.admin.tenant_series);
        app.control.metrics_text(tenant_series)
    });
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.await)
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json",
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}

/// What is said of a path that has no route.
pub(super) async fn nothing(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {:?}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail).help("/openapi.json lists every route")
}

/// What is said of a method that a route does not have; the `Allow` field says which it has.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not for {:?}", uri.path());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
    problem.help("the field Allow has the methods that are; /openapi.json tells what they do")
}
