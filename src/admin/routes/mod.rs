//! The routes, and the document that is made of them: what is not in it is not served, but for the dashboard.

#![expect(unused_qualifications, reason = "the macros that document the routes write whole paths")]

mod alive;
mod audit;
mod operation;
mod tenants;

use std::{
    panic::resume_unwind,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRef, FromRequest, FromRequestParts, Path, Query, Request,
        rejection::PathRejection,
    },
};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    dashboard::{self, Dashboard},
    problem::Problem,
};
use crate::{clock::Clock, gateway::Control};

/// What the routes ask.
#[derive(Clone)]
pub(super) struct App {
    control: Control,
    clock: Clock,
    work: Arc<Semaphore>,
    dashboard: Dashboard,
}

impl FromRef<App> for Dashboard {
    fn from_ref(app: &App) -> Self {
        app.dashboard.clone()
    }
}

impl App {
    /// Does what may take long on a thread that may wait: at most [`MAX_WORK`] of it at once, whether anybody still
    /// waits for it or not. What must always answer does without.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(permit) = Arc::clone(&self.work).try_acquire_owned() else {
            let detail =
                format!("found {MAX_WORK} requests that are being worked on, no more can be");
            let help = "ask again in a moment";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).help(help));
        };
        let done = waiting(move || {
            let done = work();
            drop(permit);
            done
        });
        Ok(done.await)
    }
}

/// Half of the threads that may wait: the rest is for signs of life, metrics and status.
const MAX_WORK: usize = 8;

/// Every route.
pub(super) fn router(control: &Control, clock: &Clock) -> Router {
    let app = App {
        control: control.clone(),
        clock: clock.clone(),
        work: Arc::new(Semaphore::new(MAX_WORK)),
        dashboard: Dashboard::start(control, clock),
    };
    let (router, _) = documented().split_for_parts();
    let router = router.merge(dashboard::routes());
    let router = router.fallback(alive::nothing).method_not_allowed_fallback(alive::wrong_method);
    // Whoever has read the body has bounded it.
    router.layer(DefaultBodyLimit::disable()).with_state(app)
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(alive::healthz))
        .routes(routes!(alive::readyz))
        .routes(routes!(alive::metrics))
        .routes(routes!(alive::openapi))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::show, tenants::set, tenants::remove))
        .routes(routes!(tenants::change))
        .routes(routes!(operation::declaration))
        .routes(routes!(audit::report))
        .routes(routes!(audit::status))
        .routes(routes!(operation::explain))
        .routes(routes!(operation::reload))
        .routes(routes!(operation::status))
        .routes(routes!(operation::config))
        .routes(routes!(operation::upstreams))
}

/// The path of many changes at once, whose body may be large.
pub(super) const BATCH: &str = "/v1/tenants/batch";

/// The OpenAPI document.
fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let (_, document) = documented().split_for_parts();
        // Nothing in it can fail to be written.
        document.to_pretty_json().unwrap_or_default()
    })
}

/// The administration of a running Crumbgate. A tenant's keys are those of `config.toml`. Errors are problem documents
/// (RFC 9457) that name the key. Without `admin.token_file` no token is needed, and none is looked at.
#[derive(OpenApi)]
#[openapi(info(title = "Crumbgate"), modifiers(&Bearer))]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of `admin.token_file`: an operator's, or an auditor's."))
            .build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        let no_scopes: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::new("token", no_scopes)]);
    }
}

/// Does what waits for the disk or for workers on a thread that may wait.
pub(super) async fn waiting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The gateway ends, and this with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The parameters behind the question mark: each known, and each once.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&head.uri);
        query.map(|Query(parameters)| Self(parameters)).map_err(|rejection| {
            let detail = std::error::Error::source(&rejection)
                .map_or_else(|| rejection.body_text(), ToString::to_string);
            let problem = Problem::new(StatusCode::BAD_REQUEST, detail).key("the query");
            problem.help("/openapi.json lists the parameters of each route")
        })
    }
}

/// The host in the path.
struct Host(String);

impl<S: Send + Sync> FromRequestParts<S> for Host {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, app: &S) -> Result<Self, Problem> {
        let host = Path::<String>::from_request_parts(head, app).await;
        host.map(|Path(host)| Self(host)).map_err(|rejection: PathRejection| {
            Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()).key("host")
        })
    }
}

/// A body, read as JSON.
struct Json<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, app).await;
        let body = body.map_err(|rejection| {
            Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()).key("the body")
        })?;
        read(&body).map(Self)
    }
}

/// What a body says, as JSON. A large one takes its time.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let key = error.path().to_string();
        let cause = error.into_inner();
        let status = match cause.classify() {
            serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        let key = if key == "." { "the body".to_owned() } else { key };
        Problem::new(status, cause.to_string()).key(key)
    })?;
    let rest = reader
        .end()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()).key("the body"));
    rest.map(|()| value)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::known_keys;

    #[test]
    fn a_tenant_has_the_keys_of_the_file_and_no_others() {
        let document: Value = serde_json::from_str(document()).unwrap();
        let schema = &document["components"]["schemas"]["TenantKeys"];
        assert_eq!(schema["additionalProperties"], false);
        let documented: Vec<_> =
            schema["properties"].as_object().unwrap().keys().cloned().collect();
        let mut known: Vec<_> =
            known_keys().iter().filter_map(|key| key.strip_prefix("tenants.*.")).collect();
        known.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn the_document_has_each_operation_with_what_can_go_wrong() {
        let document: Value = serde_json::from_str(document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 13, "{paths:?}");
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                let is_sign_of_life = ["/healthz", "/readyz"].contains(&path.as_str());
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key("default"), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
                let is_open = operation["security"] == serde_json::json!([{}]);
                assert_eq!(is_open, is_sign_of_life, "{method} {path}");
            }
        }
    }
}
