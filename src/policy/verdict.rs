//! Verdicts on cookies, in the words that counters, logs and documents use.

use super::asked::Asked;

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
    pub asked: Option<Asked>,
    /// The lifetime with which a declared cookie leaves for the browser, in seconds; 0 deletes it. `None` if no cookie
    /// leaves, or if it goes upstream.
    pub granted_s: Option<u32>,
    /// The step of its seal (G); `None` if the cookie is not a sealed one.
    pub seal: Option<SealStep>,
}

impl<'a> Verdict<'a> {
    /// Makes a verdict on a cookie that the upstream has not set.
    pub(super) fn unasked(direction: Direction, name: &'a [u8], action: Action) -> Self {
        Self { direction, name, action, asked: None, granted_s: None, seal: None }
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
    pub fn word(self) -> &'static str {
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

/// The action on a cookie. Each cookie that was seen gets exactly one of `Keep`, `Rewrite` and `Strip` (A1). `Evict`,
/// `Inject` and `Renew` are actions on cookies that the gateway adds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// The response deletes an undeclared cookie from the browser (E1). Counted once for each name, however many fields
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

/// The reason why a cookie is stripped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// The person has not agreed to the use of cookies (G6).
    BeforeAgreement,
    /// A pair of the same name counts instead (R3, G2).
    Duplicate,
    /// The cookie was sealed longer ago than the tenant's session duration (G4).
    Expired,
    /// The cookie was sealed for another host or tenant (G4).
    Foreign,
    /// The cookie has the form of a sealed one and no key of the ring opens it, or it is unsealed after
    /// `seal.unsealed_until` (G3, G4).
    Forged,
    /// The cookie contains a byte that is not allowed there (R5, S6).
    Malformed,
    /// The cookie is in trailers (R7, S5).
    Misplaced,
    /// The cookie has no name (R4, S6).
    Nameless,
    /// The name and the value have more than 4096 bytes together (S6).
    Oversize,
    /// The declaration does not contain the name (R2, S1).
    Undeclared,
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
    /// The declaration says `inject = "off"` (N2).
    Off,
    /// The request's method is `OPTIONS` (N3).
    Options,
    /// Browsers would reject the size of the value that was sent.
    Oversize,
    /// The upstream sets or deletes the cookie in this response (N1).
    SetByUpstream,
    /// A shared cache may store the response (N3).
    Shareable,
    /// The status of the response is neither 2xx nor 3xx (N3).
    Status,
    /// The upstream has replaced or deleted the value that the browser sent (N4).
    Superseded,
}

/// The reason why a response evicts nothing, whatever the browser sent (E1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NotEvicted {
    /// The request is not a `GET` that accepts `text/html`.
    NoNavigation,
    /// The tenant's `evict` setting is `"off"`.
    Off,
    /// A shared cache may store the response.
    Shareable,
    /// The response is an upgrade, not a page.
    Upgrade,
}
