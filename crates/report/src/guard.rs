//! The results of the guard: pages that got its script, and names that browsers reported (W, A7).

use std::{cmp::Reverse, collections::BTreeMap};

use crumbgate_audit::{GuardEvent, GuardOutcome, ScriptedKind};
use crumbgate_ledger::entry::{self, TextId, Texts};
use crumbgate_policy::GuardMode;
use serde::{Serialize, Serializer};

use super::{
    period::Period,
    serialize::{moment, word},
    stripped::VendorHint,
    sum::{Map, add},
    vendors::Category,
};

/// The results of the guard.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct GuardHistory {
    /// The pages, by tenant and mode: the gateway's own observation.
    pub pages: Vec<GuardedPages>,
    /// The names that browsers reported, the ones most likely to be needed first. They are in no total: anybody can post a
    /// name.
    pub names: Vec<ScriptedName>,
}

/// The pages of one tenant, with the guard in one mode.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct GuardedPages {
    /// The tenant.
    pub tenant: String,
    /// The mode of the guard.
    #[serde(serialize_with = "word")]
    pub mode: GuardMode,
    /// Pages that were sent with the script.
    pub guarded: u64,
    /// Pages that were sent without it, by cause.
    #[serde(serialize_with = "outcomes")]
    pub unguarded: Vec<(GuardOutcome, u64)>,
    /// The minute of the first page, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The minute of the last one.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
}

/// A name that browsers reported, of one tenant and kind, with the guard in one mode.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ScriptedName {
    /// The tenant.
    pub tenant: String,
    /// The mode of the guard: with `watch`, the browser set the cookie.
    #[serde(serialize_with = "word")]
    pub mode: GuardMode,
    /// The kind.
    #[serde(serialize_with = "kind")]
    pub kind: ScriptedKind,
    /// The template of the name. `None`: it was empty.
    pub name: Option<String>,
    /// The usual vendor of cookies with this name. `None`: unknown, or the name of something else than a cookie.
    pub usually: Option<VendorHint>,
    /// The number of reports: each page reports a name once.
    pub reports: u64,
    /// The minute of the first report, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The minute of the last one.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
    /// The result of enforcing. `None`: the guard enforces already, or never blocks this kind.
    pub risk: Option<EnforcingRisk>,
}

/// The probability that the site needs a cookie that enforcing would block, judged by the usual purpose of its name, highest
/// first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnforcingRisk {
    /// A cookie of this name is usually necessary or functional.
    Likely,
    /// The purpose of the name is unknown.
    Unknown,
    /// A cookie of this name is usually for statistics or advertising.
    Unlikely,
}

impl EnforcingRisk {
    fn of(usually: Option<&VendorHint>) -> Self {
        match usually.map(|usually| usually.purpose) {
            None | Some(Category::Other) => Self::Unknown,
            Some(
                Category::Functional
                | Category::Necessary
                | Category::Personalization
                | Category::Security,
            ) => Self::Likely,
            Some(Category::Analytics | Category::Marketing) => Self::Unlikely,
        }
    }
}

/// The sums of entries while they are added.
#[derive(Debug, Default)]
pub(super) struct GuardCounter {
    pages: Map<(TextId, GuardMode), PageCounts>,
    names: Map<(TextId, GuardMode, ScriptedKind, Option<String>), Count>,
}

#[derive(Debug)]
struct PageCounts {
    outcomes: [u64; GuardOutcome::ALL.len()],
    minutes: Period,
}

#[derive(Debug)]
struct Count {
    reports: u64,
    minutes: Period,
}

impl GuardCounter {
    pub(super) fn add(&mut self, guard: entry::Guard) {
        let entry::Guard { tenant, mode, event, name, count, .. } = guard;
        let minutes = Period { since_unix_s: guard.first_unix_s, until_unix_s: guard.last_unix_s };
        match event {
            GuardEvent::Page(outcome) => {
                let new = || PageCounts { outcomes: [0; _], minutes };
                let counts = self.pages.entry((tenant, mode)).or_insert_with(new);
                add(&mut counts.outcomes[outcome as usize], count);
                counts.minutes = counts.minutes.with(minutes);
            }
            GuardEvent::Reported(kind) => {
                let new = || Count { reports: 0, minutes };
                let sum = self.names.entry((tenant, mode, kind, name)).or_insert_with(new);
                add(&mut sum.reports, count);
                sum.minutes = sum.minutes.with(minutes);
            }
        }
    }

    /// The result. `usually` returns the usual vendor of a cookie's name.
    pub(super) fn finish(
        self,
        texts: &Texts,
        usually: &dyn Fn(&str) -> Option<VendorHint>,
    ) -> GuardHistory {
        let pages = self.pages.into_iter().map(|((tenant, mode), counts)| {
            let pages = GuardedPages::of(texts.get(tenant), mode, &counts);
            ((pages.tenant.clone(), mode.code()), pages)
        });
        let names = self.names.into_iter().map(|((tenant, mode, kind, name), count)| {
            ScriptedName::of(texts.get(tenant), mode, kind, name, &count, usually)
        });
        let mut names: Vec<_> = names.collect();
        names.sort_by_cached_key(|name| name.rank());
        GuardHistory { pages: pages.collect::<BTreeMap<_, _>>().into_values().collect(), names }
    }
}

impl GuardedPages {
    fn of(tenant: &str, mode: GuardMode, counts: &PageCounts) -> Self {
        let outcomes = GuardOutcome::ALL.into_iter().zip(counts.outcomes);
        let is_cause = |(outcome, count): &(GuardOutcome, u64)| {
            *outcome != GuardOutcome::Guarded && *count > 0
        };
        Self {
            tenant: tenant.to_owned(),
            mode,
            guarded: counts.outcomes[GuardOutcome::Guarded as usize],
            unguarded: outcomes.filter(is_cause).collect(),
            first_unix_s: counts.minutes.since_unix_s,
            last_unix_s: counts.minutes.until_unix_s,
        }
    }
}

impl ScriptedName {
    fn of(
        tenant: &str,
        mode: GuardMode,
        kind: ScriptedKind,
        name: Option<String>,
        count: &Count,
        usually: &dyn Fn(&str) -> Option<VendorHint>,
    ) -> Self {
        let is_cookie = kind == ScriptedKind::Cookie;
        let usually = name.as_deref().filter(|_| is_cookie).and_then(usually);
        let is_at_risk = is_cookie && mode == GuardMode::Watch;
        Self {
            tenant: tenant.to_owned(),
            mode,
            kind,
            risk: is_at_risk.then(|| EnforcingRisk::of(usually.as_ref())),
            name,
            usually,
            reports: count.reports,
            first_unix_s: count.minutes.since_unix_s,
            last_unix_s: count.minutes.until_unix_s,
        }
    }

    /// The sort key: those at risk first, then cookies, then the most frequent.
    fn rank(&self) -> impl Ord + use<> {
        let Self { tenant, mode, kind, name, reports, risk, .. } = self;
        let of_name = (name.clone(), tenant.clone(), mode.code());
        (risk.is_none(), *risk, *kind, Reverse(*reports), of_name)
    }
}

fn kind<S: Serializer>(kind: &ScriptedKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.word())
}

fn outcomes<S: Serializer>(
    outcomes: &[(GuardOutcome, u64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct OutcomeCount {
        cause: &'static str,
        count: u64,
    }
    let counts =
        outcomes.iter().map(|(cause, count)| OutcomeCount { cause: cause.word(), count: *count });
    serializer.collect_seq(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_audit::Window;

    fn reported(kind: ScriptedKind, mode: GuardMode, name: &str, count: u64) -> entry::Guard {
        entry::Guard {
            window: Window::default(),
            tenant: TextId(0),
            mode,
            event: GuardEvent::Reported(kind),
            name: Some(name.to_owned()),
            declaration: TextId(0),
            count,
            first_unix_s: 60,
            last_unix_s: 120,
        }
    }

    fn usually(name: &str) -> Option<VendorHint> {
        let purpose = match name {
            "consent" => Category::Necessary,
            "_ga" | "key" => Category::Analytics,
            "odd" => Category::Other,
            _ => return None,
        };
        let (platform, category) = (name.to_owned(), String::new());
        Some(VendorHint { platform, purpose, category, description: None })
    }

    #[test]
    fn names_that_enforcing_may_break_come_first_and_only_watched_cookies_are_at_risk() {
        let mut counter = GuardCounter::default();
        let (cookie, watch) = (ScriptedKind::Cookie, GuardMode::Watch);
        for guard in [
            reported(cookie, GuardMode::Enforce, "consent", 900),
            reported(ScriptedKind::LocalStorage, watch, "key", 800),
            reported(cookie, watch, "_ga", 700),
            reported(cookie, watch, "new", 1),
            reported(cookie, watch, "odd", 2),
            reported(cookie, watch, "consent", 1),
            reported(cookie, watch, "consent", 2),
        ] {
            counter.add(guard);
        }
        let names = counter.finish(&Texts::default(), &usually).names;
        let rows = names
            .iter()
            .map(|named| (named.name.as_deref().unwrap_or_default(), named.risk, named.reports));
        let expected = [
            ("consent", Some(EnforcingRisk::Likely), 3),
            ("odd", Some(EnforcingRisk::Unknown), 2),
            ("new", Some(EnforcingRisk::Unknown), 1),
            ("_ga", Some(EnforcingRisk::Unlikely), 700),
            ("consent", None, 900),
            ("key", None, 800),
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        assert_eq!(names[5].usually, None, "a key is no cookie");
    }

    #[test]
    fn pages_are_summed_up_by_mode_and_cause() {
        let mut counter = GuardCounter::default();
        for (mode, outcome, count) in [
            (GuardMode::Watch, GuardOutcome::Guarded, 7),
            (GuardMode::Watch, GuardOutcome::Guarded, 1),
            (GuardMode::Watch, GuardOutcome::Partial, 2),
            (GuardMode::Enforce, GuardOutcome::Encoding, u64::MAX),
            (GuardMode::Enforce, GuardOutcome::Encoding, 1),
        ] {
            let event = GuardEvent::Page(outcome);
            let guard = reported(ScriptedKind::Cookie, mode, "", count);
            counter.add(entry::Guard { event, name: None, ..guard });
        }
        let pages = counter.finish(&Texts::default(), &usually).pages;
        let rows: Vec<_> =
            pages.iter().map(|pages| (pages.mode, pages.guarded, &*pages.unguarded)).collect();
        let expected: [(_, _, &[_]); 2] = [
            (GuardMode::Enforce, 0, &[(GuardOutcome::Encoding, u64::MAX)]),
            (GuardMode::Watch, 8, &[(GuardOutcome::Partial, 2)]),
        ];
        assert_eq!(rows, expected);
    }
}
