//! The table of tenants: looked at, and changed.

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

use super::{App, Host, Json, Parameters, read};
use crate::{
    admin::{
        guard::Caller,
        problem::{Document, Problem},
    },
    config::{self, TenantKeys},
    gateway::{self, ChangeTenantsError, Expected, TenantView},
    policy::{Agreement, EvictScope, Mode},
};

/// A tenant, as requests are judged by it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    /// Its host, or `*.` and a host.
    host: String,
    /// The upstream that it is served from.
    upstream: String,
    /// How long a session lives without use, as the file writes it.
    session: String,
    /// The same in seconds.
    session_s: u32,
    mode: ModeWord,
    evict: EvictWord,
    /// Whether the session cookie is sealed.
    seal: bool,
    agreement: AgreementWord,
    origin: Origin,
    /// The keys that were set here; what is not among them comes from `[defaults]`. Absent for a tenant of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TenantSchema>)]
    keys: Option<Map<String, Value>>,
    /// Where it is written: file, line and column. Absent for a tenant that was set here, and in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// Changes whenever anything of it does: for `If-Match`.
    etag: String,
}

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ModeWord {
    /// They are.
    Enforce,
    /// They are counted, and nothing is changed.
    Report,
}

/// How far the deletion of undeclared cookies reaches.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EvictWord {
    /// To the cookies of parent domains, too.
    Domain,
    /// To those of the host alone.
    Host,
    /// Nothing is deleted.
    Off,
}

/// Whether people are asked before cookies are used.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AgreementWord {
    /// A banner tells those who have not agreed.
    Notice,
    /// Nobody is asked.
    Off,
    /// Nothing is set, and nothing but the question shown, before a person agrees.
    Required,
}

/// Where a tenant was set.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// In the configuration file, and only there it can be changed.
    File,
    /// Here, while the gateway ran.
    Live,
}

/// The keys of a tenant, as in `config.toml`; what is left out comes from `[defaults]`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantKeys)]
#[expect(dead_code, reason = "it is the form of what the configuration's reader reads")]
pub(super) struct TenantSchema {
    /// The name of an upstream.
    #[schema(nullable = false, pattern = "^[a-z0-9_-]+$")]
    upstream: Option<String>,
    /// How long a session lives without use, from 60 s to 400 d.
    #[schema(schema_with = session)]
    session: Option<String>,
    #[schema(nullable = false)]
    mode: Option<ModeWord>,
    #[schema(nullable = false)]
    evict: Option<EvictWord>,
    /// Whether the session cookie is sealed.
    #[schema(nullable = false)]
    seal: Option<bool>,
    #[schema(nullable = false)]
    agreement: Option<AgreementWord>,
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

/// Some tenants, in the order of hosts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenants {
    tenants: Vec<Tenant>,
    /// What `after` must be for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What became of one tenant, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed {
    host: String,
    /// What there was; null: nothing.
    before: Option<Tenant>,
    /// What there is now; null: nothing.
    after: Option<Tenant>,
}

/// What became of many tenants, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AllChanged {
    /// How many were changed.
    changed: usize,
    /// Whether nothing was changed, and this only says what would be.
    dry_run: bool,
    /// The first thousand of them.
    changes: Vec<Changed>,
}

/// Changes of which all are made, or none.
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
    /// The host, or `*.` and a host.
    #[schema(max_length = 255)]
    host: String,
    /// The keys that it has from now on, instead of all that it had; null: it is removed.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<TenantSchema>, required = true)]
    set: Option<Map<String, Value>>,
    /// The `etag` that it must have for the change to be made, or `*` for any.
    #[serde(default)]
    #[schema(nullable = false)]
    if_match: Option<Tag>,
    /// Whether there must be no such tenant.
    #[serde(default)]
    if_absent: bool,
}

/// An entity tag, or `*`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 100)]
struct Tag(String);

/// Absent is not the same as null: what removes a tenant must be written.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Map<String, Value>>, D::Error> {
    Option::deserialize(deserializer)
}

/// Which tenants are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<usize>,
    /// Those whose hosts come after this one.
    #[param(max_length = 255, nullable = false)]
    after: Option<String>,
    /// Those whose hosts begin so.
    #[param(max_length = 255, nullable = false)]
    prefix: Option<String>,
}

/// Whether a change is made.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DryRun {
    /// True: nothing is changed, and the answer says what would be.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
}

/// List tenants, page by page
#[utoipa::path(
    get, path = "/v1/tenants", params(Page), tag = "tenants",
    responses(
        (status = 200, body = Tenants),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Parameters(page): Parameters<Page>,
) -> Result<axum::Json<Tenants>, Problem> {
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("found {limit}, expected a number from 1 to {MAX_LIMIT}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).key("limit"));
    }
    for (key, text) in [("after", &page.after), ("prefix", &page.prefix)] {
        let length = text.as_ref().map_or(0, |text| text.chars().count());
        if length > MAX_HOST_CHARACTERS {
            let detail = format!("found {length} characters, expected no more than 255");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).key(key));
        }
    }
    let control = app.control.clone();
    let listed = app.work(move || {
        let prefix = page.prefix.unwrap_or_default().to_ascii_lowercase();
        let after = page.after.map(|after| after.to_ascii_lowercase());
        // One more than asked for: whether there is a next page.
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
    Parameters(Nothing {}): Parameters<Nothing>,
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
/// The keys that are sent are all that it has of its own from now on. `If-Match` with the `etag` that was looked at
/// keeps two operators from overwriting one another; `If-None-Match: *` makes only new ones.
#[utoipa::path(
    put, path = "/v1/tenants/{host}", tag = "tenants",
    params(
        ("host" = String, Path, description = "The host, or `*.` and a host", min_length = 1),
        DryRun,
        ("If-Match" = Option<String>, Header, description = "Entity tags, or `*`", nullable = false),
        ("If-None-Match" = Option<String>, Header, description = "`*`: there must be none yet", nullable = false),
    ),
    request_body = TenantSchema,
    responses(
        (status = 200, body = Changed, description = "Changed, or with `dry_run` what would be", headers(("etag" = Option<String>))),
        (status = 201, body = Changed, description = "Made", headers(("etag" = String))),
        (status = 409, body = Document, content_type = "application/problem+json", description = "It is written in the file"),
        (status = 412, body = Document, content_type = "application/problem+json", description = "It is another one than was looked at"),
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
        (status = 200, body = Changed, description = "Removed, or with `dry_run` what would be"),
        (status = 404, body = Document, content_type = "application/problem+json"),
        (status = 409, body = Document, content_type = "application/problem+json", description = "It is written in the file"),
        (status = 412, body = Document, content_type = "application/problem+json", description = "It is another one than was looked at"),
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
        (status = 200, body = AllChanged, description = "Changed, or with `dry_run` what would be"),
        (status = 404, body = Document, content_type = "application/problem+json", description = "There is none to remove"),
        (status = 409, body = Document, content_type = "application/problem+json", description = "One is written in the file"),
        (status = 412, body = Document, content_type = "application/problem+json", description = "One is another than was looked at"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The keys of one can't be used"),
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
    // All of it, also reading and writing JSON: it may be of megabytes.
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
    let batch: Batch = read(body)?;
    if batch.changes.len() > MAX_CHANGES {
        let found = batch.changes.len();
        let detail = format!("found {found} changes, expected no more than {MAX_CHANGES}");
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

/// What the fields say of what must be there (RFC 9110, section 13.1). A condition that can't be read, or that is asked
/// of a tenant otherwise than here, is one that nothing fulfils: whoever wrote it did not mean that anything goes.
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

/// The tags of a list, without their quotes; `*` alone is itself. A weak one stays what it is, and fits nothing.
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
    Problem::new(StatusCode::NOT_FOUND, detail).key("host").help("GET /v1/tenants lists them")
}

/// Why nothing was changed, in the words of HTTP.
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
        // Nothing is wrong with what was asked: it can't be kept, so it is not done.
        ChangeTenantsError::Stale { .. } => {
            let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail).key("If-Match");
            problem.help("look at it again, and send the etag that it has now, in quotes")
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
            session: config::spoken(Duration::from_secs(policy.session.seconds().into())),
            session_s: policy.session.seconds(),
            mode: match policy.mode {
                Mode::Enforce => ModeWord::Enforce,
                Mode::Report => ModeWord::Report,
            },
            evict: match policy.evict {
                EvictScope::Domain => EvictWord::Domain,
                EvictScope::Host => EvictWord::Host,
                EvictScope::Off => EvictWord::Off,
            },
            seal: policy.seal,
            agreement: match policy.agreement {
                Agreement::Notice => AgreementWord::Notice,
                Agreement::Off => AgreementWord::Off,
                Agreement::Required => AgreementWord::Required,
            },
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

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_read_as_rfc_9110_has_it() {
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
    fn the_path_of_batches_is_that_of_the_route() {
        let path = <__path_change as utoipa::Path>::path();
        assert_eq!(path, super::super::BATCH);
    }
}
