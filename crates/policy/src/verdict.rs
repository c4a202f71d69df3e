//! Verdicts on cookies, in the words that counters, logs and documents use.

use crate::requested::RequestedAttributes;

/// The decision on one cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict<'a> {
    /// The direction of the cookie.
    pub direction: Direction,
    /// The cookie's name: raw bytes from outside. It is empty for a nameless cookie, whose text is a value and is never
    /// passed on (A3).
    pub name: &'a [u8],
    /// The action that was taken.
    pub action: Action,
    /// The lifetime and attributes that the upstream requested; `None` if it has not set the cookie.
    pub requested: Option<RequestedAttributes>,
    /// The lifetime with which a declared cookie leaves for the browser, in seconds; 0 deletes it. `None` if no cookie
    /// leaves, or if it goes upstream.
    pub granted_s: Option<u32>,
    /// The step of its seal (G); `None` if the cookie is not a sealed one.
    pub seal: Option<SealStep>,
    /// The number of cookies that the verdict is on: 1, or more for `Strip(Excess)`.
    pub count: u32,
}

impl<'a> Verdict<'a> {
    /// Makes a verdict on a cookie that the upstream has not set.
    pub(crate) fn new(direction: Direction, name: &'a [u8], action: Action) -> Self {
        Self { direction, name, action, requested: None, granted_s: None, seal: None, count: 1 }
    }
}

/// A step of sealing or opening a cookie (G).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SealStep {
    /// The request's cookie was sealed, and was opened.
    Opened,
    /// The response's cookie leaves sealed.
    Sealed,
    /// The response's cookie leaves unsealed, because browsers would reject the size of the sealed one (G5).
    TooLarge,
    /// The request's cookie was not sealed, although its tenant seals (G3).
    Unsealed,
}

impl SealStep {
    /// All steps, in the order of the discriminants.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Sealed, Self::TooLarge, Self::Unsealed];

    /// Returns the value of the label in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Sealed => "sealed",
            Self::TooLarge => "too_large",
            Self::Unsealed => "unsealed",
        }
    }
}

/// The direction of a cookie.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// Downstream to upstream, in `Cookie`.
    Request,
    /// Upstream to downstream, in `Set-Cookie`.
    Response,
}

impl Direction {
    /// Both directions, in the order of the discriminants.
    pub const ALL: [Self; 2] = [Self::Request, Self::Response];

    /// Returns the word in metrics, the ledger and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
        }
    }
}

/// The action on a cookie. Each cookie that was seen gets exactly one of `Keep`, `Rewrite` and `Strip` (A1). `Evict`,
/// `Inject` and `Renew` are actions on cookies that the gateway adds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// The response deletes an undeclared cookie from the browser (E1, E4). Counted once for each name, however many fields
    /// delete it.
    Evict,
    /// The response sets a declared cookie that the browser does not have (N2).
    Inject,
    /// The cookie passes unchanged.
    Keep,
    /// The response sets a declared cookie again, to the value that the browser sent (N1).
    Renew,
    /// The cookie leaves with the declaration's attributes (S2).
    Rewrite,
    /// The cookie is removed.
    Strip(Reason),
}

impl Action {
    /// Every action, `Strip` with each reason.
    pub const ALL: [Self; 16] = [
        Self::Evict,
        Self::Inject,
        Self::Keep,
        Self::Renew,
        Self::Rewrite,
        Self::Strip(Reason::BeforeAgreement),
        Self::Strip(Reason::Duplicate),
        Self::Strip(Reason::Excess),
        Self::Strip(Reason::Expired),
        Self::Strip(Reason::Foreign),
        Self::Strip(Reason::Forged),
        Self::Strip(Reason::Malformed),
        Self::Strip(Reason::Misplaced),
        Self::Strip(Reason::Nameless),
        Self::Strip(Reason::Oversize),
        Self::Strip(Reason::Undeclared),
    ];

    /// Returns the position in [`Action::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Evict => 0,
            Self::Inject => 1,
            Self::Keep => 2,
            Self::Renew => 3,
            Self::Rewrite => 4,
            Self::Strip(reason) => (reason as usize).wrapping_add(5),
        }
    }

    /// Returns the word in metrics, the ledger and documents, without the reason.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Evict => "evict",
            Self::Inject => "inject",
            Self::Keep => "keep",
            Self::Renew => "renew",
            Self::Rewrite => "rewrite",
            Self::Strip(_) => "strip",
        }
    }

    /// Returns the reason of `Strip`.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Evict | Self::Inject | Self::Keep | Self::Renew | Self::Rewrite => None,
            Self::Strip(reason) => Some(reason),
        }
    }

    /// Returns the number in stored ledgers, which never changes: one for each action and reason.
    pub const fn code(self) -> i64 {
        match self {
            Self::Evict => 1,
            Self::Inject => 2,
            Self::Keep => 3,
            Self::Renew => 4,
            Self::Rewrite => 5,
            Self::Strip(Reason::Duplicate) => 6,
            Self::Strip(Reason::Malformed) => 7,
            Self::Strip(Reason::Misplaced) => 8,
            Self::Strip(Reason::Nameless) => 9,
            Self::Strip(Reason::Oversize) => 10,
            Self::Strip(Reason::Undeclared) => 11,
            Self::Strip(Reason::BeforeAgreement) => 12,
            Self::Strip(Reason::Expired) => 13,
            Self::Strip(Reason::Foreign) => 14,
            Self::Strip(Reason::Forged) => 15,
            Self::Strip(Reason::Excess) => 16,
        }
    }
}

/// The reason why a cookie is stripped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// The person has not agreed to the use of cookies (G6).
    BeforeAgreement,
    /// A pair of the same name counts instead (R3, G2).
    Duplicate,
    /// The request has 200 cookies before this one, more than a browser sends (R8).
    Excess,
    /// The cookie was sealed longer ago than the tenant's session duration (G4).
    Expired,
    /// The cookie was sealed for another host or tenant (G4).
    Foreign,
    /// The cookie has the form of a sealed one and no key of the ring opens it, or it is unsealed after
    /// `seal.unsealed_until` (G3, G4).
    Forged,
    /// The cookie contains a byte that is not allowed there (R5, S6).
    Malformed,
    /// The cookie is in trailers (R7, S5), or in a response that updates what a cache has stored (S9).
    Misplaced,
    /// The cookie has no name (R4, S6).
    Nameless,
    /// The name and the value have more than 4096 bytes together (S6).
    Oversize,
    /// The declaration does not contain the name (R2, S1).
    Undeclared,
}

impl Reason {
    /// Every reason, in the order of the discriminants.
    pub const ALL: [Self; 11] = [
        Self::BeforeAgreement,
        Self::Duplicate,
        Self::Excess,
        Self::Expired,
        Self::Foreign,
        Self::Forged,
        Self::Malformed,
        Self::Misplaced,
        Self::Nameless,
        Self::Oversize,
        Self::Undeclared,
    ];

    /// Returns the word in metrics, the ledger and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BeforeAgreement => "before_agreement",
            Self::Duplicate => "duplicate",
            Self::Excess => "excess",
            Self::Expired => "expired",
            Self::Foreign => "foreign",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::Misplaced => "misplaced",
            Self::Nameless => "nameless",
            Self::Oversize => "oversize",
            Self::Undeclared => "undeclared",
        }
    }
}

/// The reason why a response neither renews nor injects a declared cookie (N). If several reasons apply, it is the one
/// that an operator would have to remove first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NotRenewed {
    /// The browser sent no usable value, and the declaration injects none (N1, N2).
    Absent,
    /// The person has not agreed to the use of cookies, or has withdrawn the agreement (G6, G7).
    BeforeAgreement,
    /// The browser sent several cookies of this name (N6).
    Duplicated,
    /// The request does not match the cookie's renewal paths and methods (D3).
    Elsewhere,
    /// The response updates what a cache has stored: a 304, or the answer to `HEAD` (S9).
    Freshening,
    /// The cookie is declared with `inject = "off"` (N2).
    Off,
    /// The request's method is `OPTIONS` (N3).
    Options,
    /// Browsers would reject the size of the value that was sent.
    Oversize,
    /// The upstream sets or deletes the cookie in this response (N1).
    SetByUpstream,
    /// The status of the response is neither 2xx nor 3xx (N3).
    Status,
    /// The upstream has replaced or deleted the value that the browser sent (N4).
    Superseded,
}

/// The reason why a response evicts nothing, whatever the browser sent (E1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NotEvicted {
    /// The response updates what a cache has stored: a 304 (S9).
    Freshening,
    /// The request is not a `GET` that accepts `text/html`.
    NoNavigation,
    /// The tenant's `evict` setting is `"off"`.
    Off,
    /// The response is an upgrade, not a page.
    Upgrade,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_member_of_a_closed_set_is_at_its_index_and_has_its_own_word() {
        for (index, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index(), index, "{action:?}");
        }
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
        for (index, direction) in Direction::ALL.into_iter().enumerate() {
            assert_eq!(direction as usize, index, "{direction:?}");
        }
        for (index, step) in SealStep::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, index, "{step:?}");
        }
        let words = |action: Action| (action.word(), action.reason().map(Reason::word));
        assert_eq!(Action::ALL.map(words).into_iter().collect::<HashSet<_>>().len(), 16);
        assert_eq!(Action::ALL.map(Action::code).into_iter().collect::<HashSet<_>>().len(), 16);
        assert_eq!(SealStep::ALL.map(SealStep::word).into_iter().collect::<HashSet<_>>().len(), 4);
    }
}
