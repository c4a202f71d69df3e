//! The content of a report.

use serde::Serialize;

use super::{
    agreement::AgreementHistory,
    chain::ChainState,
    declared::{CookieUsage, DeclarationVersion},
    guard::GuardHistory,
    liveness::{Gap, Heartbeats, RecordedEvent},
    period::Period,
    serialize::moment,
    stripped::StrippedCookie,
    timeline::Timeline,
    totals::{TenantTotals, Totals},
};

/// The content of a report, in the order of its sections. Text from outside is unchanged: each output format escapes it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of the program that made the report.
    pub version: &'static str,
    /// The time of the report, in seconds since the Unix epoch.
    #[serde(rename = "made", serialize_with = "moment")]
    pub made_unix_s: u64,
    /// The selected tenant. `None`: all tenants.
    pub tenant: Option<String>,
    /// The period. A window that overlaps it counts as a whole.
    pub period: Period,
    /// The gateway versions that ran in this period, in order.
    pub gateway_versions: Vec<String>,
    /// The totals of all tenants of the report.
    #[serde(rename = "books")]
    pub totals: Totals,
    /// The totals of each tenant, sorted by name.
    pub tenants: Vec<TenantTotals>,
    /// Declared cookies in the order of the declaration, then those that only older declarations have.
    pub declared: Vec<CookieUsage>,
    /// Stripped cookies, most frequent first.
    pub stripped: Vec<StrippedCookie>,
    /// The use of the gateway's own pages, by tenant and declaration.
    pub agreements: Vec<AgreementHistory>,
    /// The results of the guard against cookies that scripts set.
    pub guard: GuardHistory,
    /// Counts over time.
    pub timeline: Timeline,
    /// The heartbeats of the gateway.
    pub heartbeats: Heartbeats,
    /// Periods in which the gateway was not running, or may not have recorded everything.
    pub gaps: Vec<Gap>,
    /// Events of the gateway, and changes of tenants.
    pub events: Vec<RecordedEvent>,
    /// The versions of the declaration, oldest first.
    pub declarations: Vec<DeclarationVersion>,
    /// The closed and signed segments.
    pub chain: ChainState,
    /// Every tenant that has entries in the ledger, regardless of the selection.
    #[serde(skip)]
    pub known_tenants: Vec<String>,
}

impl Report {
    /// Undeclared cookies of tenants in report mode, with those first on which the application may depend. They should be
    /// reviewed before enforcing.
    pub fn before_enforcing(&self) -> Vec<&StrippedCookie> {
        let mut watched: Vec<_> =
            self.stripped.iter().filter(|stripped| stripped.dependence.is_some()).collect();
        watched.sort_by_key(|stripped| stripped.dependence);
        watched
    }

    /// True where the report is about more than one tenant.
    pub(super) fn has_tenants(&self) -> bool {
        self.tenant.is_none() && self.tenants.len() != 1
    }
}
