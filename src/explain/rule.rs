//! Translates a verdict into the rule's number and the reason in words.

use std::fmt;

use serde::Serialize;

use crumbgate_policy::{
    declaration::{DeclaredCookie, PathPattern, SameSite, SessionDuration},
    requested::RequestedLifetime,
    verdict::{Action, Direction, NotEvicted, NotRenewed, Reason, Verdict},
};

/// A rule of `docs/policy.md`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/policy.md is their documentation")]
pub enum Rule {
    D3,
    E1,
    E2,
    E4,
    G2,
    G4,
    G6,
    G7,
    N1,
    N2,
    N3,
    N4,
    N6,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S9,
    T1,
    T2,
    T4,
    W7,
}

impl Rule {
    /// Every rule that an explanation may name.
    #[cfg(test)]
    pub(super) const ALL: [Self; 33] = {
        use Rule::*;
        [
            D3, E1, E2, E4, G2, G4, G6, G7, N1, N2, N3, N4, N6, R1, R2, R3, R4, R5, R6, R7, R8, S1,
            S2, S3, S4, S5, S6, S7, S9, T1, T2, T4, W7,
        ]
    };
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The fate of a cookie, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The response deletes it in the browser.
    Evicted,
    /// The browser, which has none, is given one.
    Injected,
    /// It passes unchanged.
    Kept,
    /// It stays in the browser, although it is not declared.
    NotEvicted,
    /// Its lifetime is not extended, although it is declared.
    NotRenewed,
    /// The browser's own is set again.
    Renewed,
    /// It leaves with the declaration's attributes.
    Rewritten,
    /// It does not pass.
    Stripped,
}

/// The fate of a cookie, with its rules and its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct CookieOutcome {
    pub(super) fate: Fate,
    pub(super) rules: Vec<Rule>,
    pub(super) reason: String,
}

/// The circumstances of a verdict.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around<'a> {
    /// The declared cookie of this name, or of one that it looks like.
    pub(super) declared: Option<&'a DeclaredCookie>,
    /// The field that replaces the received one.
    pub(super) leaves: Option<&'a [u8]>,
    /// The number of fields of the response with this name.
    pub(super) fields: usize,
    /// The number of fields that delete it.
    pub(super) deletions: usize,
    /// True if the answer is that to a withdrawal.
    pub(super) withdraws: bool,
    /// True if the answer updates what a cache has stored: a 304, or that to `HEAD`.
    pub(super) freshens: bool,
}

impl CookieOutcome {
    fn of(fate: Fate, rule: Rule, reason: impl Into<String>) -> Self {
        Self { fate, rules: vec![rule], reason: reason.into() }
    }

    /// The outcome for a cookie that was seen, or that the gateway has added.
    pub(super) fn on(verdict: &Verdict<'_>, around: Around<'_>) -> Self {
        let lives = || lifetime(verdict.granted_s);
        match verdict.action {
            Action::Evict => {
                let reason = match around.deletions {
                    1 => "not declared; 1 deletion, for the likeliest place".to_owned(),
                    places => {
                        format!(
                            "not declared; {places} deletions, each for a place where it may be"
                        )
                    }
                };
                let rule = if around.withdraws { Rule::E4 } else { Rule::E1 };
                Self::of(Fate::Evicted, rule, reason)
            }
            Action::Inject => Self::of(
                Fate::Injected,
                Rule::N2,
                format!("the browser has none; this one lives {} from now", lives()),
            ),
            Action::Keep => match verdict.direction {
                Direction::Request => Self::of(Fate::Kept, Rule::R6, "declared; byte for byte"),
                Direction::Response => {
                    let kept =
                        Self::of(Fate::Kept, Rule::S2, "already exactly as the declaration says");
                    kept.among(around.fields)
                }
            },
            Action::Renew => Self::of(
                Fate::Renewed,
                Rule::N1,
                format!("the browser's value again, for {} from now", lives()),
            ),
            Action::Rewrite => Self::rewritten(verdict, around).among(around.fields),
            Action::Strip(reason) => Self::stripped(reason, verdict.direction, around),
        }
    }

    fn stripped(reason: Reason, direction: Direction, around: Around<'_>) -> Self {
        let (in_request, in_response, words) = match reason {
            Reason::BeforeAgreement => {
                (Rule::G6, Rule::G6, "the person has not agreed to the use of cookies")
            }
            Reason::Duplicate => (Rule::R3, Rule::R3, "a pair of this name came before it"),
            Reason::Excess => {
                (Rule::R8, Rule::R8, "200 cookies came before, more than a browser sends")
            }
            Reason::Expired => (Rule::G4, Rule::G4, "its seal is older than the session duration"),
            Reason::Foreign => (Rule::G4, Rule::G4, "it was sealed for another tenant"),
            Reason::Forged => (Rule::G4, Rule::G4, "no key of the gateway opens it"),
            Reason::Malformed => match direction {
                Direction::Request => (
                    Rule::R5,
                    Rule::S6,
                    "its value has a byte that none may have: a space, comma, quote, backslash or no ASCII",
                ),
                Direction::Response => (Rule::R5, Rule::S6, "it has a control byte"),
            },
            Reason::Misplaced if around.freshens => (Rule::R7, Rule::S9, NO_COOKIE),
            Reason::Misplaced => (Rule::R7, Rule::S5, "it stands in the trailers"),
            Reason::Nameless => (Rule::R4, Rule::S6, "it has no name"),
            Reason::Oversize => (Rule::S6, Rule::S6, "name and value have more than 4096 bytes"),
            Reason::Undeclared => (Rule::R2, Rule::S1, "not declared"),
        };
        let rule = match direction {
            Direction::Request => in_request,
            Direction::Response => in_response,
        };
        let stripped = Self::of(Fate::Stripped, rule, words);
        match around.declared.filter(|_| reason == Reason::Undeclared) {
            Some(other) => {
                stripped.and(None, &format!(": it is not {}, byte for byte", other.name))
            }
            None => stripped,
        }
    }

    fn rewritten(verdict: &Verdict<'_>, around: Around<'_>) -> Self {
        if verdict.granted_s == Some(0) {
            return Self::of(Fate::Rewritten, Rule::S4, "a deletion stays a deletion");
        }
        let requested = verdict.requested.unwrap_or_default();
        let lifetime_requested = match requested.lifetime {
            RequestedLifetime::BrowserSession => "none (until the browser closes)",
            RequestedLifetime::Deletion => "a deletion",
            RequestedLifetime::Hour => "an hour at most",
            RequestedLifetime::Day => "a day at most",
            RequestedLifetime::Week => "a week at most",
            RequestedLifetime::Month => "a month at most",
            RequestedLifetime::Year => "a year at most",
            RequestedLifetime::Longer => "more than a year",
        };
        let lives = lifetime(verdict.granted_s);
        let reason = format!(
            "as declared, for {lives} from now; the application asked for {lifetime_requested}"
        );
        let rewritten = Self::of(Fate::Rewritten, Rule::S2, reason);
        let is_strict = around.leaves.is_some_and(|field| field.ends_with(b"; SameSite=Strict"));
        let is_stricter =
            is_strict && around.declared.is_some_and(|c| c.same_site != SameSite::Strict);
        if is_stricter {
            rewritten.and(Some(Rule::S3), "; its stricter SameSite stays")
        } else {
            rewritten
        }
    }

    /// Adds a note if a response has several fields of one name (S7).
    fn among(self, fields: usize) -> Self {
        if fields < 2 {
            return self;
        }
        self.and(Some(Rule::S7), &format!("; one of {fields}, of which the last counts"))
    }

    fn and(mut self, rule: Option<Rule>, words: &str) -> Self {
        self.rules.extend(rule);
        self.reason += words;
        self
    }

    /// The outcome for a declared cookie that is neither renewed nor injected, in an exchange of this method, path and
    /// status.
    pub(super) fn on_declined(
        cookie: &DeclaredCookie,
        reason: NotRenewed,
        (method, path): (&str, &str),
        status: u16,
    ) -> Self {
        let (rule, words) = match reason {
            NotRenewed::Absent => (Rule::N1, "the browser sent none that could be renewed".into()),
            NotRenewed::BeforeAgreement => {
                (Rule::G6, "the person has not agreed to the use of cookies".into())
            }
            NotRenewed::Duplicated => (Rule::N6, "the browser sent several of this name".into()),
            NotRenewed::Elsewhere => {
                let renewing = renewing(cookie);
                (Rule::D3, format!("{method} {path} does not renew it; {renewing}"))
            }
            NotRenewed::Freshening => (Rule::S9, NO_COOKIE.into()),
            NotRenewed::Off => (Rule::N2, "its declaration says inject = \"off\"".into()),
            NotRenewed::Options => (Rule::N3, "an OPTIONS request renews nothing".into()),
            NotRenewed::Oversize => (Rule::N1, "browsers would refuse it, for its size".into()),
            NotRenewed::SetByUpstream => {
                (Rule::N1, "the application has set or deleted it in this response".into())
            }
            NotRenewed::Status => {
                (Rule::N3, format!("only 2xx and 3xx renew, and the answer is {status}"))
            }
            NotRenewed::Superseded => (
                Rule::N4,
                "the application has replaced or deleted this value in an exchange before".into(),
            ),
        };
        Self::of(Fate::NotRenewed, rule, words)
    }

    /// The outcome for an undeclared cookie that stays in the browser, where others are evicted.
    pub(super) fn on_left(is_token: bool) -> Self {
        if is_token {
            let reason = "one answer deletes 20 names with 8 KiB at most: another one has room";
            Self::of(Fate::NotEvicted, Rule::E1, reason)
        } else {
            Self::of(Fate::NotEvicted, Rule::E2, "such a name can't be written in a deletion")
        }
    }
}

/// Returns the reason that a response evicts nothing, in words.
pub(super) fn words_for_no_eviction(reason: NotEvicted) -> &'static str {
    match reason {
        NotEvicted::Freshening => "nothing is evicted: a 304 sets no cookie",
        NotEvicted::NoNavigation => {
            "nothing is evicted: the request is no navigation (a GET that accepts text/html)"
        }
        NotEvicted::Off => "nothing is evicted: the tenant has evict = \"off\"",
        NotEvicted::Upgrade => "nothing is evicted: the response is an upgrade, and no page",
    }
}

/// The reason why a response that updates what a cache has stored leaves without cookies.
const NO_COOKIE: &str =
    "neither a 304 nor the answer to HEAD sets a cookie: caches add it to what they have stored";

/// Describes the requests that renew a cookie (D3).
fn renewing(cookie: &DeclaredCookie) -> String {
    let renew_on = &cookie.renew_on;
    if renew_on.paths.is_empty() {
        return "nothing does but the application".to_owned();
    }
    let methods = match renew_on.methods.as_slice() {
        [] => "any method".to_owned(),
        methods => methods.join(", "),
    };
    let paths: Vec<_> = renew_on.paths.iter().map(PathPattern::to_string).collect();
    format!("{methods} on {} does", paths.join(", "))
}

fn lifetime(granted_s: Option<u32>) -> String {
    let seconds = granted_s.unwrap_or(0);
    let duration = SessionDuration::try_from(u64::from(seconds));
    duration.map_or_else(|_| format!("{seconds}s"), |duration| duration.to_string())
}
