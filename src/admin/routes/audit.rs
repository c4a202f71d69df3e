//! The ledger: its report and its state.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use crate::admin::{
    problem::{Document, Problem},
    request::Parameters,
    word::LanguageWord,
};
use crumbgate_base::language::Language;
use crumbgate_config::Evidence;
use crumbgate_ledger::{
    period::Moment,
    read::{ReadError, Reader},
};
use crumbgate_report::{Report, Selection, vendors::Catalogue};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// Only this tenant, by its name in the configuration.
    #[param(max_length = 255, nullable = false)]
    tenant: Option<String>,
    /// The start: a day (`2026-11-25`), a time (`2026-11-25T20:00:00Z`), or an age (`7d`).
    #[param(nullable = false)]
    since: Option<String>,
    /// The end: a day (included), a time, or an age.
    #[param(nullable = false)]
    until: Option<String>,
    /// The language of the texts.
    #[param(nullable = false, inline)]
    language: Option<LanguageWord>,
}

/// Report the declared and the stripped cookies, and whether the counts balance
///
/// The same JSON as `crumbgate audit report --format json`.
#[utoipa::path(
    get, path = "/v1/audit/report", params(ReportQuery), tag = "audit",
    responses(
        (status = 200, body = Object, content_type = "application/json"),
        (status = 404, body = Document, content_type = "application/problem+json", description = "There is no ledger, or no such tenant in it"),
        (status = 422, body = Document, content_type = "application/problem+json", description = "The time is invalid"),
        (status = "default", body = Document, content_type = "application/problem+json"),
    )
)]
pub(super) async fn report(
    State(app): State<App>,
    Parameters(query): Parameters<ReportQuery>,
) -> Result<Response, Problem> {
    let now_unix_s = app.clock.now().unix_s;
    let selection = query.selection(now_unix_s)?;
    let language = query.language.map_or_else(Language::default, |word| word.0);
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

impl ReportQuery {
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
            let detail = "until must be later than since";
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
            let help = "audit.ledger = true turns it on";
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
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        .help("run crumbgate audit verify for details")
}

/// The state of the ledger.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Figures {
    /// True where the gateway keeps a ledger.
    kept: bool,
    /// True while the file can't be written; new entries wait in memory.
    failing: bool,
    /// Entries written since the start.
    rows_written: u64,
    /// Entries that are not written yet.
    rows_waiting: u64,
    /// Cookies that are in no entry because the queue was full.
    cookies_dropped: u64,
    /// Segments closed since the start.
    segments_closed: u64,
}

/// Show the state of the ledger
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
