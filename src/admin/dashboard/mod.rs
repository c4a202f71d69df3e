//! The dashboard: a page for operators, at `GET /` of the admin address.
//!
//! | route | |
//! |---|---|
//! | `GET /` | the page; without data where a token is required and the request has none |
//! | `GET /dashboard/style.css` · `script.js` · `icon.svg` | its files, which need no token |
//! | `GET /dashboard/panels` | all panels as HTML within JSON; the page requests it every few seconds |
//! | `GET /dashboard/tenants` | the tenants that match a search, as HTML |
//!
//! These routes exist for the page and change with it, so the OpenAPI document does not list them. Changes go through the
//! API.

pub(super) mod assets;
mod format;
mod ledger;
mod model;
mod page;
mod panels;
mod rate;
mod sparkline;
mod tenants;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Router,
    extract::{FromRef, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName},
};
use maud::Markup;
use serde::{Deserialize, Serialize};

use self::{
    assets::{CSS, ICON, JS, PICTURE, SCRIPT, STYLE, version},
    ledger::{LedgerReader, LedgerReading},
    model::DashboardModel,
    page::{Content, page, title},
    panels::panel,
    rate::RateSampler,
    tenants::SearchResult,
    words::{Words, words},
};
use super::{blocking::blocking, guard::Caller, problem::Problem, request::Parameters};
use crumbgate_base::{clock::Clock, language::Language};
use crumbgate_gateway::gateway::Control;
use crumbgate_report::{overview::LedgerSummary, vendors::Catalogue};

/// The sources of the dashboard's values.
#[derive(Clone)]
pub(super) struct Dashboard {
    control: Control,
    clock: Clock,
    sampler: Arc<RateSampler>,
    ledger: Arc<LedgerReader>,
}

impl Dashboard {
    /// Starts sampling the traffic, until the gateway ends.
    pub(super) fn start(control: &Control, clock: &Clock) -> Self {
        let sampler = Arc::<RateSampler>::default();
        control.runtime().spawn(Arc::clone(&sampler).run(control.clone()));
        Self { control: control.clone(), clock: clock.clone(), sampler, ledger: Arc::default() }
    }

    async fn model(&self) -> DashboardModel {
        DashboardModel::read(&self.control, &self.clock, &self.sampler, &self.ledger).await
    }

    /// The last reading of the ledger, with the catalogue of vendors; `None` while there is none.
    pub(super) async fn ledger(&self) -> Option<(Arc<LedgerSummary>, Arc<Catalogue>)> {
        match self.ledger.read(&self.control).await {
            LedgerReading::Read(summary, catalogue) => Some((summary, catalogue)),
            LedgerReading::NotYet | LedgerReading::Off | LedgerReading::Unreadable(_) => None,
        }
    }

    async fn find(&self, text: Option<String>) -> Result<SearchResult, Problem> {
        let text = text.unwrap_or_default().trim().to_lowercase();
        if text.chars().count() > MAX_SEARCH {
            let detail = format!("the text has more than {MAX_SEARCH} characters");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).key("q"));
        }
        let control = self.control.clone();
        let found = blocking(move || {
            // Read before the tenants, so that a change in between makes the page load them again.
            let version = control.tenants_version();
            let (tenants, count) = control.find_tenants(&text, tenants::SHOWN);
            SearchResult { text, tenants, count, version }
        });
        Ok(found.await)
    }
}

/// The routes of the dashboard.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S>
where
    Dashboard: FromRef<S>,
{
    let text = |media_type: &'static str, text: &'static str| {
        get(move || async move { ([(CONTENT_TYPE, media_type)], text) })
    };
    Router::new()
        .route("/", get(show))
        .route("/dashboard/panels", get(show_panels))
        .route("/dashboard/tenants", get(show_tenants))
        .route(CSS, text("text/css; charset=utf-8", STYLE))
        .route(JS, text("text/javascript; charset=utf-8", SCRIPT))
        .route(ICON, text("image/svg+xml", PICTURE))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    lang: Option<Language>,
    /// A part of the hosts to show.
    q: Option<String>,
}

impl PageQuery {
    /// The texts in the requested language, or else in the one that the browser prefers.
    fn words(&self, fields: &HeaderMap) -> &'static Words {
        words(self.lang.unwrap_or_else(|| Language::preferred(fields)))
    }
}

async fn show(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    fields: HeaderMap,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    let words = query.words(&fields);
    let content = if caller.is_anonymous {
        None
    } else {
        let (found, model) = (dashboard.find(query.q).await?, dashboard.model().await);
        Some(Content { model, found, role: caller.role })
    };
    Ok(as_page(&page(content.as_ref(), words)))
}

/// An update for the page.
#[derive(Serialize)]
struct Panels {
    title: String,
    /// The version of the page's files. The page reloads when it changes.
    version: &'static str,
    /// The version of the tenants. The page requests the table again when it changes.
    tenants: String,
    /// HTML, by panel.
    panels: BTreeMap<&'static str, String>,
}

async fn show_panels(
    State(dashboard): State<Dashboard>,
    fields: HeaderMap,
    Parameters(query): Parameters<PageQuery>,
) -> axum::Json<Panels> {
    let words = query.words(&fields);
    let model = dashboard.model().await;
    axum::Json(Panels::of(model, words))
}

impl Panels {
    fn of(model: DashboardModel, words: &Words) -> Self {
        let places = panels::TOP.iter().chain(&panels::MAIN).chain(&panels::SIDE);
        Self {
            title: title(Some(&model)),
            version: version(),
            panels: places
                .map(|place| (*place, panel(place, &model, words).into_string()))
                .collect(),
            tenants: model.tenants_version,
        }
    }
}

async fn show_tenants(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    fields: HeaderMap,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Response, Problem> {
    let words = query.words(&fields);
    let found = dashboard.find(query.q).await?;
    Ok(as_page(&tenants::table(&found, caller.role, words)))
}

fn as_page(markup: &Markup) -> Response {
    let mut response =
        ([(CONTENT_TYPE, "text/html; charset=utf-8")], markup.0.clone()).into_response();
    for (name, value) in PAGE_FIELDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Headers that allow resources of this address only, no inline scripts or styles, and no embedding or access by pages
/// of other origins.
const PAGE_FIELDS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

const MAX_SEARCH: usize = 255;
