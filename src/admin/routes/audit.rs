//! The ledger: what was done, and how it does itself.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{App, Parameters};
use crate::{
    admin::problem::{Document, Problem},
    config::Evidence,
    language::Language,
    ledger::{
        period::Moment,
        read::{ReadError, Reader},
    },
    report::{Report, Selection, vendors::Catalogue},
};

/// Of which tenant, and of which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// One tenant alone, by its name in the configuration.
    #[param(max_length = 255, nullable = false)]
    tenant: Option<String>,
    /// From when: a day (`2026-11-25`), a moment (`2026-11-25T20:00:00Z`), or how long ago (`7d`).
    #[param(nullable = false)]
    since: Option<String>,
    /// Until when: a day (which is in), a moment, or how long ago.
    #[param(nullable = false)]
    until: Option<String>,
    /// In which language.
    #[param(nullable = false, inline)]
    language: Option<Tongue>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Tongue {
    /// German.
    De,
    /// English.
    #[default]
    En,
}

/// Say what was declared, what was stripped, and whether the books balance
///
/// The same as `crumbgate audit report --format json`.
#[utoipa::path(
    get, path = "/v1/audit/report", params(Asked), tag = "audit",
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = 404, body = Document, content_type = "application/problem+json", description = "There is no ledger, or no such tenant in it"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The time is none"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn report(
    State(app): State<App>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let now_unix_s = app.clock.now().unix_s;
    let selection = asked.selection(now_unix_s)?;
    let language = match asked.language.unwrap_or_default() {
        Tongue::De => Language::De,
        Tongue::En => Language::En,
    };
    let evidence = app.control.config(|config| config.evidence.clone());
    let control = app.control.clone();
    let json = app.work(move || {
        let report = build(&evidence, &selection, now_unix_s, language)?;
        let knows = |tenant: &str| {
            report.known_tenants.iter().any(|known| **known == *tenant)
                || control.tenant(tenant).is_some()
        };
        if let Some(tenant) = selection.tenant.filter(|tenant| !knows(tenant)) {
            let detail =
                format!("neither the ledger nor the configuration has a tenant {tenant:?}");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail).key("tenant"));
        }
        report.json(language).map_err(unreadable)
    });
    Ok(([(CONTENT_TYPE, "application/json")], json.await??).into_response())
}

impl Asked {
    fn selection(&self, now_unix_s: u64) -> Result<Selection, Problem> {
        let moment = |key: &'static str, text: &Option<String>| {
            let read = text.as_ref().map(|text| text.parse::<Moment>()).transpose();
            read.map_err(|error| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).key(key)
            })
        };
        let since = moment("since", &self.since)?.map(|since| since.begin(now_unix_s));
        let until = moment("until", &self.until)?.map(|until| until.end(now_unix_s));
        if since.is_some_and(|since| since >= until.unwrap_or(u64::MAX)) {
            let detail = "until is not after since: there is no time between them";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).key("until"));
        }
        let tenant = self.tenant.as_ref().map(|tenant| tenant.to_ascii_lowercase());
        Ok(Selection { tenant, since_unix_s: since, until_unix_s: until })
    }
}

fn build(
    evidence: &Evidence,
    selection: &Selection,
    now_unix_s: u64,
    language: Language,
) -> Result<Report, Problem> {
    let reader = Reader::open(&evidence.path).map_err(|error| match error {
        ReadError::Absent { .. } => {
            let help = "audit.ledger = true keeps one";
            Problem::new(StatusCode::NOT_FOUND, "there is no ledger").help(help)
        }
        error => unreadable(error),
    })?;
    let catalogue = match &evidence.names {
        Some(names) => Catalogue::with_open_cookie_database(names).map_err(unreadable)?,
        None => Catalogue::built_in(),
    };
    let usually = |name: &str| catalogue.usually(name, language);
    Report::build(&reader, selection, now_unix_s, &usually).map_err(unreadable)
}

fn unreadable(error: impl std::error::Error) -> Problem {
    let detail = format!("the ledger can't be read: {error}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).help("crumbgate audit verify says more")
}

/// How the ledger does.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Figures {
    /// Whether there is a ledger.
    kept: bool,
    /// Whether its file can't be written now; what is new waits in memory.
    failing: bool,
    /// Entries that were written since the start.
    rows_written: u64,
    /// Entries that wait to be written.
    rows_waiting: u64,
    /// Cookies that are in no entry, for want of room.
    cookies_dropped: u64,
    /// Segments that were closed since the start.
    segments_closed: u64,
}

/// How the ledger does
#[utoipa::path(
    get, path = "/v1/audit/status", tag = "audit",
    responses(
        (status = 200, body = Figures),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn status(State(app): State<App>) -> axum::Json<Figures> {
    let figures = app.control.ledger().map(|ledger| Figures {
        kept: true,
        failing: ledger.is_failing(),
        rows_written: ledger.written(),
        rows_waiting: ledger.waiting(),
        cookies_dropped: ledger.dropped(),
        segments_closed: ledger.segments(),
    });
    axum::Json(figures.unwrap_or_default())
}
