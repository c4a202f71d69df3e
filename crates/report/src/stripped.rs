//! What was stripped, and what that may mean for an application.

use serde::{Serialize, Serializer};

use super::{books::add, moment, word};
use crumbgate_ledger::entry::Verdicts;
use crumbgate_policy::{
    Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Direction, Reason},
};

/// Cookies of one tenant and name that were stripped for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Stripped {
    /// The tenant.
    pub tenant: String,
    /// Whether they were held back, or only watched.
    #[serde(serialize_with = "word")]
    pub mode: Mode,
    /// The template of their name; none for nameless ones.
    pub name: Option<String>,
    /// Why.
    #[serde(serialize_with = "reason")]
    pub reason: Reason,
    /// Who usually sets a cookie of this name; none: unknown. A name proves nothing.
    pub usually: Option<Usually>,
    /// How many came from browsers.
    pub in_requests: u64,
    /// How many came from the application.
    pub in_responses: u64,
    /// The first minute in which one was seen, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The last such minute.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
    /// Where, most frequent first.
    pub routes: Vec<Route>,
    /// What the application set them with.
    #[serde(serialize_with = "attributes")]
    pub attributes: Attributes,
    /// How long the application wanted them to live, shortest first.
    #[serde(serialize_with = "lifetimes")]
    pub lifetimes: Vec<(RequestedLifetime, u64)>,
    /// How often a browser was told to delete them (in report mode: would have been).
    pub evictions: u64,
    /// Whether browsers still sent them in a window after the first eviction: another browser that had not been told,
    /// a script that sets them anew, or a domain or path out of the eviction's reach.
    pub in_spite_of_evictions: bool,
    /// What enforcing may break; none where it is enforced already, or says nothing.
    pub dependence: Option<Dependence>,
}

/// A route, and how often.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Route {
    /// Its template.
    pub route: String,
    /// How often.
    pub count: u64,
}

/// Who usually sets a cookie.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Usually {
    /// The product or company.
    pub platform: String,
    /// What it usually serves, in the report's language.
    pub category: String,
    /// What it usually holds, in the report's language.
    pub description: Option<String>,
}

/// What an application may do with an undeclared cookie, as far as a proxy can see; the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// The application set it and got it back: it may depend on it.
    SetAndSentBack,
    /// The application got it, and did not set it in this time: a script did, or it was set before.
    SentOnly,
    /// The application set it, and it never came back in this time.
    NeverCameBack,
}

/// The counts of a [`Stripped`], as they grow.
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

/// What evictions of one tenant and name add up to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evictions {
    pub(super) count: u64,
    /// The start of the first window that has one.
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

impl Stripped {
    /// The row of these counts; `usually` and `routes` are left to be filled.
    pub(super) fn new(
        tenant: &str,
        mode: Mode,
        name: Option<&str>,
        reason: Reason,
        counts: &Counts,
        evictions: Option<Evictions>,
    ) -> Self {
        let is_watched = mode == Mode::Report && reason == Reason::Undeclared;
        let asked = RequestedLifetime::ALL.into_iter().zip(counts.lifetimes);
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
            lifetimes: asked.filter(|(_, count)| *count > 0).collect(),
            evictions: evictions.map_or(0, |evictions| evictions.count),
            in_spite_of_evictions: mode == Mode::Enforce
                && evictions.is_some_and(|evictions| sent_after(evictions.first_unix_s)),
            dependence: is_watched.then(|| Dependence::of(counts, name)),
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.in_requests.saturating_add(self.in_responses)
    }
}

impl Dependence {
    /// `(other)` stands for many names: that one of them was set and one sent back says nothing of either.
    fn of(counts: &Counts, name: Option<&str>) -> Self {
        match (counts.in_requests, counts.in_responses) {
            (0, _) => Self::NeverCameBack,
            (_, 1..) if name != Some(OTHER) => Self::SetAndSentBack,
            _ => Self::SentOnly,
        }
    }
}

/// The name of names that were too many to tell apart (A4).
pub(super) const OTHER: &str = "(other)";

fn reason<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.word())
}

fn attributes<S: Serializer>(attributes: &Attributes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(attributes.words())
}

pub(super) fn lifetimes<S: Serializer>(
    lifetimes: &[(RequestedLifetime, u64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Asked {
        lifetime: &'static str,
        count: u64,
    }
    let asked =
        lifetimes.iter().map(|(step, count)| Asked { lifetime: step.word(), count: *count });
    serializer.collect_seq(asked)
}
