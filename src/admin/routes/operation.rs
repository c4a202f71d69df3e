//! How the gateway does, by which values, and what can be asked of it.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use super::{App, Json, waiting};
use crate::{
    admin::{
        guard::Caller,
        problem::{Document, Fault, Problem, faults},
    },
    explain::{
        self, Explainer,
        question::{Question, Unclear},
    },
    gateway::{self, ReloadRefused},
    ledger,
    proxy::upstream,
};

/// The cookies that are declared
///
/// With the keys of `[[cookies]]`, every default written out; durations are numbers of seconds.
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

/// Cookies that are asked about: named one by one, in a transcript, or both. What is named counts more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Question)]
pub(super) struct Cookies {
    /// Whose request it is: a host, or a tenant's name.
    #[schema(nullable = false)]
    tenant: Option<String>,
    /// The request's method.
    #[schema(nullable = false, pattern = "^[A-Za-z]{1,20}$")]
    method: Option<String>,
    /// The request's path.
    #[schema(nullable = false, pattern = "^/[!-~]*$")]
    path: Option<String>,
    /// Whether the request accepts `text/html`, as one does that opens a page.
    #[serde(default)]
    navigation: bool,
    /// `Cookie` fields of the request.
    #[serde(default)]
    cookie: Vec<String>,
    /// The status of the application's answer.
    #[schema(nullable = false, minimum = 100, maximum = 999)]
    status: Option<u16>,
    /// `Set-Cookie` fields of the answer.
    #[serde(default)]
    set_cookie: Vec<String>,
    /// `Cache-Control` fields of the answer.
    #[serde(default)]
    cache_control: Vec<String>,
    /// What `curl -v` has printed, or heads of HTTP messages.
    #[schema(nullable = false)]
    transcript: Option<String>,
}

/// Say what would become of these cookies, by which rule, and which bytes would leave
///
/// By the tenants and the declaration that hold now. The same as `crumbgate explain --json`; nothing is sent.
#[utoipa::path(
    post, path = "/v1/explain", tag = "operation", request_body = Cookies,
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "It is not clear what is asked"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn explain(
    State(app): State<App>,
    Json(cookies): Json<Cookies>,
) -> Result<Response, Problem> {
    let question = cookies.question()?;
    let asked = app.clone();
    let json = asked.work(move || {
        let limits = app.control.config(|config| config.limits.clone());
        let explainer = Explainer::serving(app.control.table(), limits, app.clock.now());
        let explanations = question.answer(&explainer).map_err(|error| unclear(&error))?;
        let file = app.control.status().config_file;
        Ok(explain::json::render(Some(&file), &explanations))
    });
    Ok(([(CONTENT_TYPE, "application/json")], json.await??).into_response())
}

impl Cookies {
    fn question(self) -> Result<Question, Problem> {
        let refuse = |key: &str, expected: &str| {
            let detail = format!("{key} is something else, expected {expected}");
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
        Unclear::NoHost { .. } => problem.key("tenant").help("write \"www.example.com\", say"),
        Unclear::NoMessage => problem.key("transcript").help("give all that curl -v prints"),
        Unclear::NoTenant => problem.key("tenants").help("set one"),
        Unclear::Nothing => problem.help("write cookie, set_cookie, path or transcript"),
        Unclear::Whose { hosts, others } => {
            let others = if *others == 0 { "" } else { ", or of another tenant" };
            let help = format!("write tenant: one of {}{others}", hosts.join(", "));
            problem.key("tenant").help(help)
        }
    }
}

/// What a reload has done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reloaded {
    /// Which configuration holds now.
    config_hash: String,
    /// Tenants, without the default one.
    tenants: usize,
    /// What the file asks for and only a restart does.
    kept: Vec<Kept>,
    /// What is valid, and probably not what was meant.
    warnings: Vec<Fault>,
    /// The warnings as `crumbgate check` prints them.
    text: String,
}

/// A value that only a restart changes.
#[derive(Debug, Serialize, ToSchema)]
struct Kept {
    /// Its key.
    key: String,
    /// What stays as it is, and what the file asks for.
    message: String,
}

/// Read the configuration anew, and go by it
///
/// Where anything is wrong with it, nothing changes, and the problem lists all of it.
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
            kept: done
                .kept
                .into_iter()
                .map(|kept| Kept { key: kept.key.to_owned(), message: kept.message })
                .collect(),
            warnings: faults(&done.warnings),
            text: done.warnings.to_string(),
        })),
        Err(refused) => {
            let detail = refused.to_string();
            Err(match refused {
                ReloadRefused::Problems(problems) => {
                    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with(&problems)
                }
                ReloadRefused::Busy | ReloadRefused::Draining => {
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
                }
            })
        }
    }
}

/// How the gateway does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    /// When it started (RFC 3339).
    started: String,
    uptime_s: u32,
    /// Whether it takes traffic; where not, `not_ready` says why.
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready: Option<String>,
    draining: bool,
    config_file: String,
    config_hash: String,
    /// The declaration's hash.
    declaration: String,
    last_reload: LastReload,
    listeners: Vec<Listener>,
    workers: usize,
    /// Connections from outside that are open now.
    connections: usize,
    /// Tenants, without the default one.
    tenants: usize,
    /// Those of them that were set while it ran.
    live_tenants: usize,
}

/// How the last reload went.
#[derive(Debug, Serialize, ToSchema)]
struct LastReload {
    /// When (RFC 3339); null: there was none.
    at: Option<String>,
    /// Who asked for it.
    actor: String,
    /// Whether the old configuration went on.
    refused: bool,
    /// What was wrong or odd, as `crumbgate check` prints it.
    problems: String,
}

/// Where it listens.
#[derive(Debug, Serialize, ToSchema)]
struct Listener {
    /// The key that asks for it.
    key: &'static str,
    address: String,
}

/// How the gateway does
#[utoipa::path(
    get, path = "/v1/status", tag = "operation",
    responses(
        (status = 200, body = Status),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn status(State(app): State<App>) -> axum::Json<Status> {
    axum::Json(waiting(move || Status::of(app.control.status(), app.control.readiness())).await)
}

impl Status {
    fn of(status: gateway::Status, readiness: Result<(), gateway::NotReady>) -> Self {
        let listener = |listener: &gateway::Listener| Listener {
            key: listener.key.as_str(),
            address: listener.exact.to_string(),
        };
        let reload = status.last_reload;
        Self {
            version: status.version,
            started: moment(status.started_unix_s),
            uptime_s: status.uptime_s,
            ready: readiness.is_ok(),
            not_ready: readiness.err().map(|why| why.to_string()),
            draining: status.is_draining,
            config_file: status.config_file,
            config_hash: status.config_hash,
            declaration: status.declaration,
            last_reload: LastReload {
                at: reload.at_unix_s.map(moment),
                actor: reload.actor,
                refused: reload.is_refused,
                problems: reload.problems,
            },
            listeners: status.listeners.iter().map(listener).collect(),
            workers: status.workers,
            connections: status.connections,
            tenants: status.tenants,
            live_tenants: status.live_tenants,
        }
    }
}

fn moment(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or(i64::MAX);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// The values that hold.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Values {
    /// The file that they come from.
    file: String,
    hash: String,
    /// Every value and where it comes from, as `crumbgate check --print` shows them.
    toml: String,
}

/// The values that hold, and where each comes from
///
/// Secrets are in files, and thus never among them.
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

/// The upstreams that rule now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Upstreams {
    upstreams: Vec<Upstream>,
}

/// An application, and how its servers do.
#[derive(Debug, Serialize, ToSchema)]
struct Upstream {
    name: String,
    /// Whether a server is there for requests, as far as active checks tell; always where there are none.
    ready: bool,
    /// Exchanges that wait for a connection now.
    queued: usize,
    /// Exchanges that have had to wait.
    queued_total: u64,
    /// Exchanges that found the queue full.
    queue_refused_total: u64,
    /// Exchanges that waited in vain.
    queue_timeouts_total: u64,
    servers: Vec<Server>,
}

/// One server of an application.
#[derive(Debug, Serialize, ToSchema)]
struct Server {
    address: String,
    /// What active checks say; null where there are none, or none has ended yet.
    up: Option<bool>,
    /// Whether it is left alone because it failed exchanges.
    ejected: bool,
    /// Failures without a success between them.
    failures: u32,
    /// Connections that are open.
    connections: usize,
    /// How many there may be; null: any number.
    max_connections: Option<usize>,
    requests_total: u64,
    failures_total: u64,
    ejections_total: u64,
    checks_total: u64,
    checks_failed_total: u64,
    last_check: Option<Check>,
}

/// How the last active check went.
#[derive(Debug, Serialize, ToSchema)]
struct Check {
    /// Whether the server was well.
    healthy: bool,
    /// The status that came, or why none did.
    outcome: String,
    took_ms: u64,
    ago_ms: u64,
}

/// The upstreams, and how their servers do
#[utoipa::path(
    get, path = "/v1/upstreams", tag = "operation",
    responses(
        (status = 200, body = Upstreams),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upstreams(State(app): State<App>) -> axum::Json<Upstreams> {
    let upstreams = app.control.upstreams().iter().map(|shared| Upstream::of(shared)).collect();
    axum::Json(Upstreams { upstreams })
}

impl Upstream {
    fn of(shared: &upstream::Shared) -> Self {
        Self {
            name: shared.name().to_owned(),
            ready: shared.is_ready(),
            queued: shared.queued(),
            queued_total: shared.queued_total(),
            queue_refused_total: shared.queue_refused_total(),
            queue_timeouts_total: shared.queue_timeouts_total(),
            servers: shared.servers().iter().map(|server| Server::of(server)).collect(),
        }
    }
}

impl Server {
    fn of(server: &upstream::ServerState) -> Self {
        Self {
            address: server.address().to_string(),
            up: server.is_up(),
            ejected: server.is_ejected(),
            failures: server.failures(),
            connections: server.connections(),
            max_connections: server.max_connections(),
            requests_total: server.requests_total(),
            failures_total: server.failures_total(),
            ejections_total: server.ejections_total(),
            checks_total: server.checks_total(),
            checks_failed_total: server.checks_failed_total(),
            last_check: server.last_check().map(|check| Check {
                healthy: check.healthy,
                outcome: check.outcome,
                took_ms: whole_ms(check.took),
                ago_ms: whole_ms(check.at.elapsed()),
            }),
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
