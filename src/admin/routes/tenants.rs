//! Reading and changing the table of tenants.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        OneOfBuilder, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use super::app::App;
use crate::admin::{
    guard::Caller,
    problem::{Document, Problem},
    request::{Host, Json, Parameters, read_json},
    word::{AgreementWord, EvictWord, GuardWord, ModeWord, Word},
};
use crumbgate_config::{self as config, TenantKeys};
use crumbgate_gateway::gateway::{self, ChangeTenantsError, Expected, TenantView};

/// A tenant and its effective policy.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    /// A host, or `*.` and a host.
    host: String,
    /// The name of the upstream.
    upstream: String,
    /// The lifetime of an unused session, in the notation of the file.
    session: String,
    /// The same in seconds.
    session_s: u32,
    mode: ModeWord,
    evict: EvictWord,
    /// True where the session cookie is sealed.
    seal: bool,
    agreement: AgreementWord,
    guard: GuardWord,
    origin: Origin,
    /// The keys that were set through the API; the others come from `[defaults]`. Absent for a tenant of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TenantSchema>)]
    keys: Option<Map<String, Value>>,
    /// File, line and column of the tenant. Absent in lists and for a tenant that was set through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// A tag for `If-Match`, which changes whenever the tenant changes.
    etag: String,
}

/// The origin of a tenant.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// The configuration file. The tenant can be changed only there.
    File,
    /// The API, while the gateway ran.
    Live,
}

/// The keys of a tenant, as in `config.toml`. Missing keys come from `[defaults]`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantKeys)]
#[expect(dead_code, reason = "only its schema is used: the configuration's reader reads the keys")]
pub(super) struct TenantSchema {
    /// The name of an upstream.
    #[schema(nullable = false, pattern = "^[a-z0-9_-]+$")]
    upstream: Option<String>,
    /// The lifetime of an unused session, from 60 s to 400 d.
    #[schema(schema_with = session)]
    session: Option<String>,
    #[schema(nullable = false)]
    mode: Option<ModeWord>,
    #[schema(nullable = false)]
    evict: Option<EvictWord>,
    /// True where the session cookie is sealed.
    #[schema(nullable = false)]
    seal: Option<bool>,
    #[schema(nullable = false)]
    agreement: Option<AgreementWord>,
    #[schema(nullable = false)]
    guard: Option<GuardWord>,
}

fn session() -> Schema {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9]{1,8}(s|m|h|d|w)$"))
        .description(Some("A number and a unit: 90s, 15m, 2h, 3d or 1w."));
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(60))
        .maximum(Some(34_560_000))
        .description(Some("Seconds."));
    Schema::OneOf(OneOfBuilder::new().item(text).item(number).build())
}

/// A page of tenants, sorted by host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenants {
    tenants: Vec<Tenant>,
    /// The value of `after` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The change of one tenant, made or simulated.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed {
    host: String,
    /// The tenant before; null: none.
    before: Option<Tenant>,
    /// The tenant after; null: none.
    after: Option<Tenant>,
}

/// The changes of a batch, made or simulated.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AllChanged {
    /// The number of changed tenants.
    changed: usize,
    /// True where the changes were only simulated.
    dry_run: bool,
    /// The first thousand changes.
    changes: Vec<Changed>,
}

/// Changes that are made all together, or not at all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    #[schema(max_items = 200_000)]
    changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// A host, or `*.` and a host.
    #[schema(max_length = 255)]
    host: String,
    /// The new keys, which replace all previous ones; null removes the tenant.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<TenantSchema>, required = true)]
    set: Option<Map<String, Value>>,
    /// The `etag` that the tenant must have, or `*` for any existing tenant.
    #[serde(default)]
    #[schema(nullable = false)]
    if_match: Option<Tag>,
    /// True: the tenant must not exist.
    #[serde(default)]
    if_absent: bool,
}

/// An entity tag, or `*`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 100)]
struct Tag(String);

/// Requires the member: an absent `set` is an error, while null removes the tenant.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Map<String, Value>>, D::Error> {
    Option::deserialize(deserializer)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// The size of the page.
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<usize>,
    /// Only hosts after this one.
    #[param(max_length = 255, nullable = false)]
    after: Option<String>,
    /// Only hosts with this prefix.
    #[param(max_length = 255, nullable = false)]
    prefix: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DryRun {
    /// True: the change is only simulated.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
}

/// List tenants, page by page
#[utoipa::path(
    get, path = "/v1/tenants", params(ListQuery), tag = "tenants",
    responses(
        (status = 200, body = Tenants),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<axum::Json<Tenants>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("found {limit}, expected a number from 1 to {MAX_LIMIT}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).key("limit"));
    }
    for (key, text) in [("after", &query.after), ("prefix", &query.prefix)] {
        let length = text.as_ref().map_or(0, |text| text.chars().count());
        if length > MAX_HOST_CHARACTERS {
            let detail = format!("found {length} characters, expected at most 255");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).key(key));
        }
    }
    let control = app.control.clone();
    let listed = app.work(move || {
        let prefix = query.prefix.unwrap_or_default().to_ascii_lowercase();
        let after = query.after.map(|after| after.to_ascii_lowercase());
        // One more than requested shows whether there is a next page.
        let mut views = control.tenants(&prefix, after.as_deref(), limit.saturating_add(1));
        let has_next = views.len() > limit;
        views.truncate(limit);
        let next = views.last().filter(|_| has_next).map(|view| view.tenant.name.to_string());
        Tenants { tenants: views.iter().map(Tenant::of).collect(), next }
    });
    Ok(axum::Json(listed.await?))
}

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
const MAX_HOST_CHARACTERS: usize = 255;
const MAX_CHANGES: usize = 200_000;
const SHOWN_CHANGES: usize = 1000;

/// Show a tenant
#[utoipa::path(
    get, path = "/v1/tenants/{host}", tag = "tenants",
    params(("host" = String, Path, description = "The host, or `*.` and a host", min_length = 1)),
    responses(
        (status = 200, body = Tenant, headers(("etag" = String))),
        (status = 404, body = Document, content_type = "application/problem+json"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Host(host): Host,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let control = app.control.clone();
    let shown = app.work(move || {
        let view = control.tenant(&host).ok_or_else(|| absent(&host))?;
        let mut tenant = Tenant::of(&view);
        if view.keys.is_none() {
            tenant.place = control.place_of_tenant(&view.tenant.name);
        }
        Ok((etag(&view.tag), axum::Json(tenant)).into_response())
    });
    shown.await?
}

/// Set a tenant
///
/// The keys in the body replace all previous keys of the tenant. `If-Match` with the `etag` that you have read prevents
/// overwriting another operator's change. `If-None-Match: *` only creates new tenants.
#[utoipa::path(
    put, path = "/v1/tenants/{host}", tag = "tenants",
    params(
        ("host" = String, Path, description = "The host, or `*.` and a host", min_length = 1),
        DryRun,
        ("If-Match" = Option<String>, Header, description = "Entity tags, or `*`", nullable = false),
        ("If-None-Match" = Option<String>, Header, description = "`*`: the tenant must not exist", nullable = false),
    ),
    request_body = TenantSchema,
    responses(
        (status = 200, body = Changed, description = "Changed, or simulated with `dry_run`", headers(("etag" = Option<String>))),
        (status = 201, body = Changed, description = "Created", headers(("etag" = String))),
        (status = 409, body = Document, content_type = "application/problem+json", description = "The tenant is in the configuration file"),
        (status = 412, body = Document, content_type = "application/problem+json", description = "The tenant has changed since you read it"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The keys can't be used"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set(
    State(app): State<App>,
    caller: axum::Extension<Caller>,
    Host(host): Host,
    Parameters(DryRun { dry_run }): Parameters<DryRun>,
    fields: HeaderMap,
    Json(keys): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    let expected = expected(&fields);
    let set = Some(TenantKeys::new(keys));
    let changed =
        change_one(app, &caller, gateway::Change { host, set, expected }, dry_run).await?;
    let is_new = changed.before.is_none() && !dry_run;
    let tag = changed.after.as_ref().map(|after| after.tag.clone());
    let body = axum::Json(Changed::of(&changed));
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(match tag.filter(|_| !dry_run) {
        Some(tag) => (status, etag(&tag), body).into_response(),
        None => (status, body).into_response(),
    })
}

/// Remove a tenant
#[utoipa::path(
    delete, path = "/v1/tenants/{host}", tag = "tenants",
    params(
        ("host" = String, Path, description = "The host, or `*.` and a host", min_length = 1),
        DryRun,
        ("If-Match" = Option<String>, Header, description = "Entity tags, or `*`", nullable = false),
    ),
    responses(
        (status = 200, body = Changed, description = "Removed, or simulated with `dry_run`"),
        (status = 404, body = Document, content_type = "application/problem+json"),
        (status = 409, body = Document, content_type = "application/problem+json", description = "The tenant is in the configuration file"),
        (status = 412, body = Document, content_type = "application/problem+json", description = "The tenant has changed since you read it"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn remove(
    State(app): State<App>,
    caller: axum::Extension<Caller>,
    Host(host): Host,
    Parameters(DryRun { dry_run }): Parameters<DryRun>,
    fields: HeaderMap,
) -> Result<axum::Json<Changed>, Problem> {
    let expected = expected(&fields);
    let change = gateway::Change { host, set: None, expected };
    let changed = change_one(app, &caller, change, dry_run).await?;
    Ok(axum::Json(Changed::of(&changed)))
}

/// Change many tenants: all of them, or none
#[utoipa::path(
    post, path = "/v1/tenants/batch", tag = "tenants",
    params(DryRun),
    request_body = Batch,
    responses(
        (status = 200, body = AllChanged, description = "Changed, or simulated with `dry_run`"),
        (status = 404, body = Document, content_type = "application/problem+json", description = "A tenant to remove does not exist"),
        (status = 409, body = Document, content_type = "application/problem+json", description = "A tenant is in the configuration file"),
        (status = 412, body = Document, content_type = "application/problem+json", description = "A tenant has changed since you read it"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The keys of a tenant can't be used"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: axum::Extension<Caller>,
    Parameters(DryRun { dry_run }): Parameters<DryRun>,
    body: Bytes,
) -> Result<Response, Problem> {
    let actor = caller.name.clone();
    let control = app.control.clone();
    // Includes parsing and writing JSON, which may have megabytes.
    let changed = app.work(move || {
        let changes = changes(&body)?;
        drop(body);
        let changed = control.change_tenants(changes, &actor, dry_run).map_err(refused)?;
        let shown = AllChanged {
            changed: changed.len(),
            dry_run,
            changes: changed.iter().take(SHOWN_CHANGES).map(Changed::of).collect(),
        };
        Ok(axum::Json(shown).into_response())
    });
    changed.await?
}

fn changes(body: &[u8]) -> Result<Vec<gateway::Change>, Problem> {
    let batch: Batch = read_json(body)?;
    if batch.changes.len() > MAX_CHANGES {
        let found = batch.changes.len();
        let detail = format!("found {found} changes, expected at most {MAX_CHANGES}");
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).key("changes");
        return Err(problem.help("send several batches"));
    }
    let changes = batch.changes.into_iter().enumerate().map(|(index, change)| change.read(index));
    changes.collect()
}

impl Change {
    fn read(self, index: usize) -> Result<gateway::Change, Problem> {
        let expected = match (self.if_match, self.if_absent) {
            (Some(_), true) => {
                let detail = "found if_match and if_absent, expected one of the two";
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
                return Err(problem.key(format!("changes[{index}]")));
            }
            (Some(Tag(tag)), false) if tag == "*" => Expected::Present,
            (Some(Tag(tag)), false) => Expected::Tags(vec![tag.trim_matches('"').to_owned()]),
            (None, true) => Expected::Absent,
            (None, false) => Expected::Any,
        };
        let set = self.set.map(TenantKeys::new);
        Ok(gateway::Change { host: self.host, set, expected })
    }
}

async fn change_one(
    app: App,
    caller: &Caller,
    change: gateway::Change,
    dry_run: bool,
) -> Result<gateway::Changed, Problem> {
    let actor = caller.name.clone();
    let host = change.host.clone();
    let control = app.control.clone();
    let changed = app.work(move || control.change_tenants(vec![change], &actor, dry_run)).await?;
    changed.map_err(refused)?.pop().ok_or_else(|| absent(&host))
}

/// Reads `If-Match` and `If-None-Match` (RFC 9110, section 13.1). An invalid or unsupported condition becomes one that no
/// tenant fulfils, so that a change is never made unconditionally by mistake.
fn expected(fields: &HeaderMap) -> Expected {
    let nothing = || Expected::Tags(Vec::new());
    let listed = |name: &HeaderName| {
        let values = fields.get_all(name).iter().map(HeaderValue::to_str);
        let values: Result<Vec<_>, _> = values.collect();
        values.ok().and_then(|values| tags(&values.join(",")))
    };
    let is_any = |tags: &[String]| tags.len() == 1 && tags[0] == "*";
    match (fields.contains_key(IF_MATCH), fields.contains_key(IF_NONE_MATCH)) {
        (false, false) => Expected::Any,
        (true, false) => match listed(&IF_MATCH) {
            Some(tags) if is_any(&tags) => Expected::Present,
            Some(tags) => Expected::Tags(tags),
            None => nothing(),
        },
        (false, true) if listed(&IF_NONE_MATCH).is_some_and(|tags| is_any(&tags)) => {
            Expected::Absent
        }
        (false | true, true) => nothing(),
    }
}

/// Parses a list of tags and removes their quotes. `*` stays `*`. A weak tag keeps its prefix, so it matches no tenant.
fn tags(list: &str) -> Option<Vec<String>> {
    if list.trim() == "*" {
        return Some(vec!["*".to_owned()]);
    }
    let tags = list.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let read = |tag: &str| {
        if tag.starts_with("W/\"") && tag.ends_with('"') {
            return Some(tag.to_owned());
        }
        let opaque = tag.strip_prefix('"')?.strip_suffix('"')?;
        (!opaque.contains('"')).then(|| opaque.to_owned())
    };
    let tags: Option<Vec<_>> = tags.map(read).collect();
    tags.filter(|tags| !tags.is_empty())
}

fn etag(tag: &str) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{tag}\""))]
}

fn absent(host: &str) -> Problem {
    let detail = format!("there is no tenant {host:?}");
    Problem::new(StatusCode::NOT_FOUND, detail)
        .key("host")
        .help("GET /v1/tenants lists all tenants")
}

/// Converts the error of a change into a response.
fn refused(error: ChangeTenantsError) -> Problem {
    let detail = error.to_string();
    match error {
        ChangeTenantsError::Absent { host } => absent(&host),
        ChangeTenantsError::Draining | ChangeTenantsError::State(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
        ChangeTenantsError::Invalid { problems, .. } => {
            let detail = format!("{detail}: {}", problems.first_message());
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with(&problems)
        }
        ChangeTenantsError::Stale { .. } => {
            let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail).key("If-Match");
            problem.help("read the tenant again, and send its current etag in quotes")
        }
        ChangeTenantsError::Twice { .. } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).key("changes")
        }
        ChangeTenantsError::Written { host, .. } => {
            let key = format!("tenants.{host:?}");
            Problem::new(StatusCode::CONFLICT, detail).key(key)
        }
    }
}

impl Tenant {
    fn of(view: &TenantView) -> Self {
        let policy = &view.tenant.policy;
        Self {
            host: view.tenant.name.to_string(),
            upstream: view.upstream.clone(),
            session: config::format_duration(Duration::from_secs(policy.session.seconds().into())),
            session_s: policy.session.seconds(),
            mode: Word(policy.mode),
            evict: Word(policy.evict),
            seal: policy.seal,
            agreement: Word(policy.agreement),
            guard: Word(policy.guard),
            origin: if view.keys.is_some() { Origin::Live } else { Origin::File },
            keys: view.keys.as_ref().map(|keys| keys.object().clone()),
            place: None,
            etag: view.tag.clone(),
        }
    }
}

impl Changed {
    fn of(changed: &gateway::Changed) -> Self {
        Self {
            host: changed.host.to_string(),
            before: changed.before.as_ref().map(Tenant::of),
            after: changed.after.as_ref().map(Tenant::of),
        }
    }
}

/// An empty list of query parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_parsed_as_in_rfc_9110() {
        for (list, expected) in [
            ("*", Some(vec!["*"])),
            ("\"a\"", Some(vec!["a"])),
            (" \"a\" ,, \"b\"", Some(vec!["a", "b"])),
            ("W/\"a\"", Some(vec!["W/\"a\""])),
            ("", None),
            ("a", None),
            ("\"a\"b\"", None),
            ("*, \"a\"", None),
        ] {
            let expected: Option<Vec<_>> =
                expected.map(|tags| tags.into_iter().map(str::to_owned).collect());
            assert_eq!(tags(list), expected, "{list}");
        }
    }

    #[test]
    fn the_path_for_large_bodies_is_that_of_the_batch_route() {
        let path = <__path_change as utoipa::Path>::path();
        assert_eq!(path, crate::admin::serve::BATCH);
    }
}
