//! The dashboard: one page that an operator keeps open, at `GET /` of the admin address.
//!
//! | route | |
//! |---|---|
//! | `GET /` | the page; without any data for who would need a token and has sent none |
//! | `GET /dashboard/style.css` · `script.js` · `icon.svg` | what it needs, for everybody |
//! | `GET /dashboard/panels` | every panel as HTML, within JSON: the page asks for it every few seconds |
//! | `GET /dashboard/tenants` | the tenants that a search finds, as HTML |
//!
//! These are for the page alone and change with it, so they are not in the document of the API. What changes something
//! goes through the API, as everybody's requests do.

mod evidence;
mod pace;
mod page;
mod panels;
mod sight;
mod sparkline;
mod spoken;
mod tenants;
mod words;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{SHA256, digest};
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
    evidence::Evidence,
    pace::Pace,
    page::{Content, page, title},
    panels::panel,
    sight::Sight,
    tenants::Found,
    words::{Words, words},
};
use super::{
    guard::Caller,
    problem::Problem,
    routes::{Parameters, waiting},
};
use crate::{clock::Clock, gateway::Control, language::Language};

/// What the page shows things from.
#[derive(Clone)]
pub(super) struct Dashboard {
    control: Control,
    clock: Clock,
    pace: Arc<Pace>,
    evidence: Arc<Evidence>,
}

/// The page, and whatever is for everybody: none of it tells anything of this gateway to who has no token.
pub(super) const FOR_EVERYBODY: [&str; 4] = ["/", CSS, JS, ICON];

const CSS: &str = "/dashboard/style.css";
const JS: &str = "/dashboard/script.js";
const ICON: &str = "/dashboard/icon.svg";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const PICTURE: &str = include_str!("icon.svg");

impl Dashboard {
    /// Begins to watch the traffic, until the gateway ends.
    pub(super) fn start(control: &Control, clock: &Clock) -> Self {
        let pace = Arc::<Pace>::default();
        control.runtime().spawn(Arc::clone(&pace).keep(control.clone()));
        Self { control: control.clone(), clock: clock.clone(), pace, evidence: Arc::default() }
    }

    async fn sight(&self) -> Sight {
        Sight::of(&self.control, &self.clock, &self.pace, &self.evidence).await
    }

    async fn find(&self, text: Option<String>) -> Result<Found, Problem> {
        let text = text.unwrap_or_default().trim().to_lowercase();
        if text.chars().count() > MAX_SEARCH {
            let detail = format!("found a text of more than {MAX_SEARCH} characters");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).key("q"));
        }
        let control = self.control.clone();
        let found = waiting(move || {
            // Before they are looked at: what changes meanwhile is another version.
            let version = control.tenants_version();
            let (tenants, count) = control.find_tenants(&text, tenants::SHOWN);
            Found { text, tenants, count, version }
        });
        Ok(found.await)
    }
}

/// Its routes.
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

/// In which language, and which tenants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    lang: Option<Language>,
    /// What their hosts have in them.
    q: Option<String>,
}

impl Asked {
    /// The texts in the language that the address names, or else in the one that the browser prefers.
    fn words(&self, fields: &HeaderMap) -> &'static Words {
        words(self.lang.unwrap_or_else(|| Language::preferred(fields)))
    }
}

async fn show(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    fields: HeaderMap,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let words = asked.words(&fields);
    let content = if caller.is_anybody {
        None
    } else {
        let (found, sight) = (dashboard.find(asked.q).await?, dashboard.sight().await);
        Some(Content { sight, found, role: caller.role })
    };
    Ok(as_page(&page(content.as_ref(), words)))
}

/// What the page shows anew.
#[derive(Serialize)]
struct Panels {
    title: String,
    /// Of the page itself: with another one, it loads itself again.
    version: &'static str,
    /// Of the tenants: with another one, it asks for them again.
    tenants: String,
    /// By their places.
    panels: BTreeMap<&'static str, String>,
}

async fn show_panels(
    State(dashboard): State<Dashboard>,
    fields: HeaderMap,
    Parameters(asked): Parameters<Asked>,
) -> axum::Json<Panels> {
    let words = asked.words(&fields);
    let sight = dashboard.sight().await;
    axum::Json(Panels::of(sight, words))
}

impl Panels {
    fn of(sight: Sight, words: &Words) -> Self {
        let places = panels::TOP.iter().chain(&panels::MAIN).chain(&panels::SIDE);
        Self {
            title: title(Some(&sight)),
            version: version(),
            panels: places
                .map(|place| (*place, panel(place, &sight, words).into_string()))
                .collect(),
            tenants: sight.tenants_version,
        }
    }
}

async fn show_tenants(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    fields: HeaderMap,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let words = asked.words(&fields);
    let found = dashboard.find(asked.q).await?;
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

/// Only what this address itself serves, and nothing that is written in the page; and no page of others has a hold of it.
const PAGE_FIELDS: [(HeaderName, &str); 2] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Changes with whatever the page and its script have to agree on.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let whole = [env!("CARGO_PKG_VERSION"), STYLE, SCRIPT].concat();
        let digest = digest(&SHA256, whole.as_bytes());
        digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    })
}

const MAX_SEARCH: usize = 255;
