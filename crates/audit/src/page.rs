//! What a worker hands on: what it has counted since its last page, within one window.

use std::sync::Arc;

use super::{
    agreement::{AgreementEvent, ShownPage},
    window::{Figures, Window},
};
use crumbgate_policy::{
    Mode,
    asked::{AskedLifetime, Attributes},
    verdict::{Action, Direction},
};

/// What one worker has counted since its last page. All of it happened in one window, and was judged by one declaration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The window.
    pub window: Window,
    /// The version of the declaration that ruled.
    pub declaration: Arc<str>,
    /// The tenants that had traffic.
    pub accounts: Vec<PageAccount>,
    /// What became of their cookies.
    pub rows: Vec<PageRow>,
    /// What became of the gateway's own pages.
    pub agreements: Vec<PageAgreement>,
}

/// What one tenant's traffic adds up to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageAccount {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The first minute with traffic, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
    /// Requests of which the cookies were judged.
    pub requests: u64,
    /// Cookies and agreements, as the counters of the metrics have them.
    pub seen: Figures,
    /// Those of them that are in no row.
    pub dropped: Figures,
}

/// How often one verdict was reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageRow {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// Whether verdicts were carried out.
    pub mode: Mode,
    /// Which way the cookies went.
    pub direction: Direction,
    /// What happened to them.
    pub action: Action,
    /// The template of their name; none for nameless ones.
    pub name: Option<Arc<str>>,
    /// What the upstream asked for.
    pub lifetime: Option<AskedLifetime>,
    /// For how many seconds they left for the browser.
    pub granted_s: Option<u32>,
    /// The route template.
    pub route: Arc<str>,
    /// How many.
    pub count: u64,
    /// The first minute in which one was seen, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
    /// All attributes that any of them was set with.
    pub attributes: Attributes,
}

/// How often one thing happened to a page of the gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageAgreement {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// What happened.
    pub event: AgreementEvent,
    /// The very page.
    pub page: Arc<ShownPage>,
    /// How often.
    pub count: u64,
    /// The first minute in which it did, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
}

/// Whether a verdict's name comes from outside: then it is kept as a template, and bounded (A3, A4).
pub fn has_foreign_name(action: Action) -> bool {
    use crumbgate_policy::verdict::Reason::{
        BeforeAgreement, Duplicate, Expired, Foreign, Forged, Malformed, Misplaced, Nameless,
        Oversize, Undeclared,
    };
    match action {
        Action::Evict | Action::Strip(Misplaced | Undeclared) => true,
        // Names are judged first: what is stripped for another reason has a declared one, or none.
        Action::Strip(
            BeforeAgreement | Duplicate | Expired | Foreign | Forged | Malformed | Nameless
            | Oversize,
        )
        | Action::Inject
        | Action::Keep
        | Action::Renew
        | Action::Rewrite => false,
    }
}
