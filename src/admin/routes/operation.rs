//! The state of the gateway and of its upstreams, the configuration, the declaration, reloading and explaining.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::app::App;
use crate::{
    admin::{
        blocking::blocking,
        guard::Caller,
        problem::{Document, Fault, Problem, faults},
        request::Json,
    },
    explain::{
        self, Explainer,
        question::{Question, Unclear},
    },
};
use crumbgate_audit::ScriptedKind;
use crumbgate_base::text::rfc3339;
use crumbgate_gateway::{
    gateway::{ReloadError, Status, UnchangedSetting},
    proxy::upstream::UpstreamStatus,
};
use crumbgate_ledger as ledger;
use crumbgate_report::{
    overview::{GuardSummary, ReportedName},
    vendors::Catalogue,
};

/// Get the declared cookies
///
/// With the keys of `[[cookies]]` and every default written out. Durations are in seconds.
#[utoipa::path(
    get, path = "/v1/declaration", tag = "operation",
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn declaration(State(app): State<App>) -> axum::Json<Value> {
    let record = app.control.config(|config| ledger::declaration::record(&config.declaration, 0));
    let mut declaration: Value = serde_json::from_str(&record.json).unwrap_or_default();
    declaration["hash"] = record.hash.into();
    axum::Json(declaration)
}

/// The cookies to explain: one by one, in a transcript, or both. Single values override those of the transcript.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Question)]
pub(super) struct Cookies {
    /// The tenant: a host or a tenant's name.
    #[schema(nullable = false)]
    tenant: Option<String>,
    /// The request's method.
    #[schema(nullable = false, pattern = "^[A-Za-z]{1,20}$")]
    method: Option<String>,
    /// The request's path.
    #[schema(nullable = false, pattern = "^/[!-~]*$")]
    path: Option<String>,
    /// True where the request accepts `text/html`, as a page navigation does.
    #[serde(default)]
    navigation: bool,
    /// True where the person counts as one who has agreed to the use of cookies.
    #[serde(default)]
    agreed: bool,
    /// `Cookie` headers of the request.
    #[serde(default)]
    cookie: Vec<String>,
    /// The status of the application's response.
    #[schema(nullable = false, minimum = 100, maximum = 999)]
    status: Option<u16>,
    /// `Set-Cookie` headers of the response.
    #[serde(default)]
    set_cookie: Vec<String>,
    /// `Cache-Control` headers of the response.
    #[serde(default)]
    cache_control: Vec<String>,
    /// The output of `curl -v`, or heads of HTTP messages.
    #[schema(nullable = false)]
    transcript: Option<String>,
}

/// Explain the verdict on each cookie, its rule, and the resulting bytes
///
/// Uses the current tenants and declaration. The same JSON as `crumbgate explain --json`; nothing is sent upstream.
#[utoipa::path(
    post, path = "/v1/explain", tag = "operation", request_body = Cookies,
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The question is incomplete"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn explain(
    State(app): State<App>,
    Json(cookies): Json<Cookies>,
) -> Result<Response, Problem> {
    let question = cookies.question()?;
    let worker = app.clone();
    let json = worker.work(move || {
        let settings = app.control.config(explain::Settings::of);
        let explainer = Explainer::serving(app.control.table(), settings, app.clock.now());
        let explanations = question.answer(&explainer).map_err(|error| unclear(&error))?;
        let file = app.control.status().config_file;
        Ok(explain::json::render(Some(&file), &explanations))
    });
    Ok(([(CONTENT_TYPE, "application/json")], json.await??).into_response())
}

impl Cookies {
    fn question(self) -> Result<Question, Problem> {
        let refuse = |key: &str, expected: &str| {
            let detail = format!("{key} is invalid, expected {expected}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).key(key))
        };
        let is_method = |text: &String| {
            (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic())
        };
        if self.method.as_ref().is_some_and(|method| !is_method(method)) {
            return refuse("method", "a method such as GET");
        }
        let is_path = |text: &String| {
            text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.path.as_ref().is_some_and(|path| !is_path(path)) {
            return refuse("path", "a path such as /api/me");
        }
        if self.status.is_some_and(|status| !(100..=999).contains(&status)) {
            return refuse("status", "a number from 100 to 999");
        }
        let bytes = |texts: Vec<String>| texts.into_iter().map(String::into_bytes).collect();
        Ok(Question {
            tenant: self.tenant,
            method: self.method,
            path: self.path,
            navigation: self.navigation,
            agreed: self.agreed,
            cookie: bytes(self.cookie),
            status: self.status,
            set_cookie: bytes(self.set_cookie),
            cache_control: bytes(self.cache_control),
            transcript: self.transcript.map(String::into_bytes),
        })
    }
}

fn unclear(unclear: &Unclear) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, unclear.to_string());
    match unclear {
        Unclear::NoHost { .. } => {
            problem.key("tenant").help("write a host, for example \"www.example.com\"")
        }
        Unclear::NoMessage => problem.key("transcript").help("pass the complete output of curl -v"),
        Unclear::NoTenant => problem.key("tenants").help("set one"),
        Unclear::Nothing => problem.help("write cookie, set_cookie, path or transcript"),
        Unclear::Whose { hosts, others } => {
            let others = if *others == 0 { "" } else { ", or of another tenant" };
            let help = format!("write tenant: one of {}{others}", hosts.join(", "));
            problem.key("tenant").help(help)
        }
    }
}

/// The result of a reload.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reloaded {
    /// The hash of the configuration that is in force now.
    config_hash: String,
    /// The number of tenants, without the default one.
    tenants: usize,
    /// Changes in the file that need a restart.
    kept: Vec<UnchangedSetting>,
    /// Warnings about valid but suspicious values.
    warnings: Vec<Fault>,
    /// The warnings as `crumbgate check` prints them.
    text: String,
}

/// Reload the configuration
///
/// If the new configuration has an error, nothing changes, and the problem document lists all errors.
#[utoipa::path(
    post, path = "/v1/reload", tag = "operation",
    responses(
        (status = 200, body = Reloaded),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The configuration can't be used"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn reload(
    State(app): State<App>,
    caller: axum::Extension<Caller>,
) -> Result<axum::Json<Reloaded>, Problem> {
    let actor = caller.name.clone();
    let control = app.control.clone();
    match app.work(move || control.reload(&actor)).await? {
        Ok(done) => Ok(axum::Json(Reloaded {
            config_hash: done.config_hash,
            tenants: done.tenants,
            kept: done.kept,
            warnings: faults(&done.warnings),
            text: done.warnings.to_string(),
        })),
        Err(refused) => {
            let detail = refused.to_string();
            Err(match refused {
                ReloadError::Problems(problems) => {
                    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with(&problems)
                }
                ReloadError::Busy | ReloadError::Draining => {
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
                }
            })
        }
    }
}

/// Show the state of the gateway
#[utoipa::path(
    get, path = "/v1/status", tag = "operation",
    responses(
        (status = 200, body = GatewayState),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn status(State(app): State<App>) -> axum::Json<GatewayState> {
    let ledger = app.dashboard.ledger().await;
    let guard = ledger.map(|(summary, catalogue)| GuardState::of(&summary.guard, &catalogue));
    let status = blocking(move || app.control.status()).await;
    axum::Json(GatewayState { status, guard })
}

/// The state of the gateway, and the events of the guard in its ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GatewayState {
    #[serde(flatten)]
    status: Status,
    /// The events of the guard; null while the ledger was not read, and without a ledger.
    guard: Option<GuardState>,
}

/// The events of the guard in the ledger, which is read every few seconds.
#[derive(Debug, Serialize, ToSchema)]
struct GuardState {
    /// Pages that were sent with the guard.
    guarded: u64,
    /// Pages that were sent without it.
    unguarded: u64,
    /// The number of names that browsers reported, of each tenant and kind. Anybody can send a report.
    names: usize,
    /// The names that were reported last.
    reported: Vec<Reported>,
}

/// A name that browsers reported.
#[derive(Debug, Serialize, ToSchema)]
struct Reported {
    /// The template of the name.
    name: String,
    /// `cookie`, `indexed_db`, `local_storage` or `session_storage`.
    kind: &'static str,
    tenant: String,
    /// The mode of the guard at the last report: `enforce` or `watch`.
    mode: &'static str,
    /// The usual vendor of a cookie of this name; null: unknown, or not a cookie.
    vendor: Option<String>,
    /// The number of reports.
    reports: u64,
    /// The minute of the first one (RFC 3339).
    first: String,
    /// The minute of the last one (RFC 3339).
    last: String,
}

impl GuardState {
    fn of(guard: &GuardSummary, catalogue: &Catalogue) -> Self {
        let reported = guard.reported.iter().map(|reported| {
            let ReportedName { name, kind, tenant, mode, .. } = reported;
            let vendor = catalogue.find(name).filter(|_| *kind == ScriptedKind::Cookie);
            Reported {
                name: name.clone(),
                kind: kind.word(),
                tenant: tenant.clone(),
                mode: mode.word(),
                vendor: vendor.map(|vendor| vendor.platform.to_owned()),
                reports: reported.reports,
                first: rfc3339(reported.first_unix_s),
                last: rfc3339(reported.last_unix_s),
            }
        });
        Self {
            guarded: guard.guarded,
            unguarded: guard.unguarded,
            names: guard.names,
            reported: reported.collect(),
        }
    }
}

/// The configuration in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Values {
    /// The configuration file.
    file: String,
    hash: String,
    /// Every value and its origin, as `crumbgate check --print` shows them.
    toml: String,
}

/// Get the configuration in force, with the origin of each value
///
/// Secrets are kept in separate files and are never included.
#[utoipa::path(
    get, path = "/v1/config", tag = "operation",
    responses(
        (status = 200, body = Values),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn config(State(app): State<App>) -> Result<axum::Json<Values>, Problem> {
    let control = app.control.clone();
    let values = app.work(move || {
        let status = control.status();
        let toml = control.effective();
        Values { file: status.config_file, hash: status.config_hash, toml }
    });
    Ok(axum::Json(values.await?))
}

/// The current upstreams.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Upstreams {
    upstreams: Vec<UpstreamStatus>,
}

/// Show the upstreams and the state of their servers
#[utoipa::path(
    get, path = "/v1/upstreams", tag = "operation",
    responses(
        (status = 200, body = Upstreams),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upstreams(State(app): State<App>) -> axum::Json<Upstreams> {
    let upstreams = app.control.upstreams().iter().map(|upstream| upstream.status()).collect();
    axum::Json(Upstreams { upstreams })
}
