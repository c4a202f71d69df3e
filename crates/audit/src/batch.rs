//! A batch of counts, which a worker sends to the ledger's thread.

use std::sync::Arc;

use super::{
    agreement::{AgreementEvent, ShownPage},
    guard_event::GuardEvent,
    window::{Figures, Window},
};
use crumbgate_policy::{
    GuardMode, Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Action, Direction},
};

/// The counts of one worker since its last batch, all within one window and under one declaration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// The window of time.
    pub window: Window,
    /// The version of the declaration that the verdicts are based on.
    pub declaration: Arc<str>,
    /// One for each tenant with traffic.
    pub tenants: Vec<TenantCount>,
    /// The counts of verdicts.
    pub verdicts: Vec<VerdictCount>,
    /// The counts of events on the gateway's own pages.
    pub agreements: Vec<AgreementCount>,
    /// The counts of events of the guard, which are outside the totals.
    pub guards: Vec<GuardCount>,
    /// Number of events of the guard that are in no row, because there was no room.
    pub dropped_guard_events: u64,
}

/// The totals of one tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantCount {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The first minute with traffic, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
    /// Number of requests whose cookies were judged.
    pub requests: u64,
    /// Cookies and agreements as the metrics counted them.
    pub seen: Figures,
    /// The part of `seen` that is in no row, because there was no room.
    pub dropped: Figures,
}

/// The count of one verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerdictCount {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The mode: whether verdicts were applied or only counted.
    pub mode: Mode,
    /// The direction of the cookies.
    pub direction: Direction,
    /// The action taken.
    pub action: Action,
    /// The template of the cookie's name; `None` for a nameless cookie.
    pub name: Option<Arc<str>>,
    /// The lifetime that the upstream set.
    pub lifetime: Option<RequestedLifetime>,
    /// The lifetime sent to the browser, in seconds.
    pub granted_s: Option<u32>,
    /// The route template.
    pub route: Arc<str>,
    /// Number of cookies.
    pub count: u64,
    /// The first minute in which one was seen, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
    /// The union of the attributes that the cookies were set with.
    pub attributes: Attributes,
}

/// The count of one event on one of the gateway's own pages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgreementCount {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The kind of event.
    pub event: AgreementEvent,
    /// The page as it was sent.
    pub page: Arc<ShownPage>,
    /// Number of events.
    pub count: u64,
    /// The first minute with such an event, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
}

/// The count of one event of the guard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuardCount {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The mode in which the guard acted.
    pub mode: GuardMode,
    /// The event.
    pub event: GuardEvent,
    /// The template of the reported name; `None` for events of pages and for an empty name.
    pub name: Option<Arc<str>>,
    /// Number of events: pages, or reports of the name.
    pub count: u64,
    /// The first minute with such an event, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
}

/// Returns `true` if the name of such a verdict's cookie is not declared: it is then kept as a template, and the number
/// of names is limited (A3, A4).
pub fn has_foreign_name(action: Action) -> bool {
    use crumbgate_policy::verdict::Reason::{
        BeforeAgreement, Duplicate, Excess, Expired, Foreign, Forged, Malformed, Misplaced,
        Nameless, Oversize, Undeclared,
    };
    match action {
        Action::Evict | Action::Strip(Misplaced | Undeclared) => true,
        // Names are judged first: a cookie stripped for another reason has a declared name, or none.
        Action::Strip(
            BeforeAgreement | Duplicate | Excess | Expired | Foreign | Forged | Malformed
            | Nameless | Oversize,
        )
        | Action::Inject
        | Action::Keep
        | Action::Renew
        | Action::Rewrite => false,
    }
}
