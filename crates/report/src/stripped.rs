//! Stripped cookies, and what stripping them may mean for the application.

use serde::{Serialize, Serializer};

use super::{
    serialize::{lifetimes, moment, word},
    sum::add,
    vendors::Category,
};
use crumbgate_ledger::entry::Verdicts;
use crumbgate_policy::{
    Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Direction, Reason},
};

/// The cookies of one tenant, mode and name that were stripped for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct StrippedCookie {
    /// The tenant.
    pub tenant: String,
    /// The mode.
    #[serde(serialize_with = "word")]
    pub mode: Mode,
    /// The template of the name. `None`: nameless cookies.
    pub name: Option<String>,
    /// The reason.
    #[serde(serialize_with = "reason")]
    pub reason: Reason,
    /// The usual vendor of cookies with this name. `None`: unknown. A name proves nothing.
    pub usually: Option<VendorHint>,
    /// Cookies from browsers.
    pub in_requests: u64,
    /// Cookies from the application.
    pub in_responses: u64,
    /// The minute of the first one, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The minute of the last one.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
    /// The routes, most frequent first.
    pub routes: Vec<RouteCount>,
    /// The attributes with which the application set them.
    #[serde(serialize_with = "attributes")]
    pub attributes: Attributes,
    /// The lifetimes that the application requested, shortest first.
    #[serde(serialize_with = "lifetimes")]
    pub lifetimes: Vec<(RequestedLifetime, u64)>,
    /// Evictions that were sent (in report mode: would have been sent).
    pub evictions: u64,
    /// True where browsers sent the name in a later window than the first eviction: another browser, a script that sets
    /// the cookie again, or a domain or path that an eviction can't reach.
    pub in_spite_of_evictions: bool,
    /// The dependence that enforcing may break. `None`: it is enforced already, or the name says nothing.
    pub dependence: Option<Dependence>,
}

/// The number of cookies on a route.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RouteCount {
    /// The template of the route.
    pub route: String,
    /// The number of cookies.
    pub count: u64,
}

/// The usual vendor of a cookie.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct VendorHint {
    /// The product or company.
    pub platform: String,
    /// The usual purpose.
    #[serde(skip)]
    pub purpose: Category,
    /// The usual purpose, in the report's language.
    pub category: String,
    /// The usual content, in the report's language.
    pub description: Option<String>,
}

/// The dependence of an application on an undeclared cookie, as far as a proxy can see, with the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// The application set the cookie and received it: it may depend on it.
    SetAndSentBack,
    /// The application received the cookie, but did not set it in this period: a script set it, or it is older.
    SentOnly,
    /// The application set the cookie, and browsers did not send it in this period.
    NeverCameBack,
}

/// The counts of a [`StrippedCookie`] while entries are added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    in_requests: u64,
    in_responses: u64,
    first_unix_s: u64,
    last_unix_s: u64,
    attributes: Attributes,
    lifetimes: [u64; RequestedLifetime::ALL.len()],
    /// The start of the latest window in which a browser sent one.
    last_sent_unix_s: Option<u64>,
}

/// The evictions of one tenant and name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evictions {
    pub(super) count: u64,
    /// The start of the first window with an eviction.
    pub(super) first_unix_s: u64,
}

impl Counts {
    pub(super) fn none() -> Self {
        Self {
            in_requests: 0,
            in_responses: 0,
            first_unix_s: u64::MAX,
            last_unix_s: 0,
            attributes: Attributes::default(),
            lifetimes: [0; RequestedLifetime::ALL.len()],
            last_sent_unix_s: None,
        }
    }

    pub(super) fn add(&mut self, verdicts: &Verdicts) {
        match verdicts.direction {
            Direction::Request => {
                add(&mut self.in_requests, verdicts.count);
                self.last_sent_unix_s =
                    self.last_sent_unix_s.max(Some(verdicts.window.start_unix_s));
            }
            Direction::Response => add(&mut self.in_responses, verdicts.count),
        }
        self.first_unix_s = self.first_unix_s.min(verdicts.first_unix_s);
        self.last_unix_s = self.last_unix_s.max(verdicts.last_unix_s);
        self.attributes = self.attributes.union(verdicts.attributes);
        if let Some(lifetime) = verdicts.lifetime {
            add(&mut self.lifetimes[lifetime as usize], verdicts.count);
        }
    }
}

impl StrippedCookie {
    /// Makes a row of these counts, without `usually` and `routes`.
    pub(super) fn new(
        tenant: &str,
        mode: Mode,
        name: Option<&str>,
        reason: Reason,
        counts: &Counts,
        evictions: Option<Evictions>,
    ) -> Self {
        let is_watched = mode == Mode::Report && reason == Reason::Undeclared;
        let requested = RequestedLifetime::ALL.into_iter().zip(counts.lifetimes);
        let sent_after = |first: u64| counts.last_sent_unix_s.is_some_and(|last| last > first);
        Self {
            tenant: tenant.to_owned(),
            mode,
            name: name.map(str::to_owned),
            reason,
            usually: None,
            in_requests: counts.in_requests,
            in_responses: counts.in_responses,
            first_unix_s: counts.first_unix_s,
            last_unix_s: counts.last_unix_s,
            routes: Vec::new(),
            attributes: counts.attributes,
            lifetimes: requested.filter(|(_, count)| *count > 0).collect(),
            evictions: evictions.map_or(0, |evictions| evictions.count),
            in_spite_of_evictions: mode == Mode::Enforce
                && evictions.is_some_and(|evictions| sent_after(evictions.first_unix_s)),
            dependence: is_watched.then(|| Dependence::of(counts, name)),
        }
    }

    /// The number of cookies in both directions.
    pub fn count(&self) -> u64 {
        self.in_requests.saturating_add(self.in_responses)
    }
}

impl Dependence {
    /// `(other)` stands for many names, so setting one and receiving one does not mean that they are the same.
    fn of(counts: &Counts, name: Option<&str>) -> Self {
        match (counts.in_requests, counts.in_responses) {
            (0, _) => Self::NeverCameBack,
            (_, 1..) if name != Some(OTHER) => Self::SetAndSentBack,
            _ => Self::SentOnly,
        }
    }
}

/// The name that stands for all names beyond the limit of a tenant (A4).
pub(super) const OTHER: &str = "(other)";

fn reason<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.word())
}

fn attributes<S: Serializer>(attributes: &Attributes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(attributes.words())
}
