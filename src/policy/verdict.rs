//! What becomes of a cookie: the words that the counters, the logs and the documents speak.

use super::asked::Asked;

/// What was decided about one cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict<'a> {
    /// Which way the cookie went.
    pub direction: Direction,
    /// The cookie's name, raw bytes from outside; empty where it has none (A3: the text of a nameless cookie is a
    /// value and is never handed out).
    pub name: &'a [u8],
    /// What happens to it.
    pub action: Action,
    /// What the upstream asked for, where it has set the cookie.
    pub asked: Option<Asked>,
    /// For how many seconds a declared cookie leaves for the browser; 0 deletes it. None where none leaves, or where
    /// it goes upstream.
    pub granted_s: Option<u32>,
    /// What its seal has to do with it (G); none where it has none, and gets none.
    pub seal: Option<SealStep>,
}

impl<'a> Verdict<'a> {
    /// A verdict on a cookie that no upstream has set.
    pub(super) fn unasked(direction: Direction, name: &'a [u8], action: Action) -> Self {
        Self { direction, name, action, asked: None, granted_s: None, seal: None }
    }
}

/// What was done about the seal of a cookie (G).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SealStep {
    /// It came sealed, and was opened.
    Opened,
    /// It leaves sealed.
    Sealed,
    /// It leaves as it is: browsers would refuse it sealed, for its size (G5).
    TooLarge,
    /// It came as it is, although its tenant seals (G3).
    Unsealed,
}

impl SealStep {
    /// Each of them, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Sealed, Self::TooLarge, Self::Unsealed];

    /// Its word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Sealed => "sealed",
            Self::TooLarge => "too_large",
            Self::Unsealed => "unsealed",
        }
    }
}

/// Which way a cookie goes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// Downstream to upstream, in `Cookie`.
    Request,
    /// Upstream to downstream, in `Set-Cookie`.
    Response,
}

/// What happens to a cookie. `Keep`, `Rewrite` and `Strip` are the verdicts on a cookie that was seen: each seen
/// cookie has exactly one (A1). `Evict`, `Inject` and `Renew` stand beside those: cookies that the gateway adds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// The browser is told to delete an undeclared cookie (E1); once for each name, whatever the fan-out.
    Evict,
    /// A declared cookie that the browser has not is set (N2).
    Inject,
    /// It goes on as it came.
    Keep,
    /// A declared cookie is set again with the value that the browser sent (N1).
    Renew,
    /// It leaves with the declaration's attributes (S2).
    Rewrite,
    /// It does not go on.
    Strip(Reason),
}

/// Why a cookie is stripped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// Whoever it belongs to has not agreed to the use of cookies (G6).
    BeforeAgreement,
    /// A pair of this name came before it (R3).
    Duplicate,
    /// It was sealed longer ago than the tenant's session duration (G4).
    Expired,
    /// It was sealed for another tenant (G4).
    Foreign,
    /// It claims to be sealed, and no key of ours has sealed it so (G4).
    Forged,
    /// A byte that does not belong there (R5, S6).
    Malformed,
    /// It stands in trailers (R7, S5).
    Misplaced,
    /// It has no name (R4, S6).
    Nameless,
    /// Name and value have more than 4096 bytes (S6).
    Oversize,
    /// The declaration has no such name (R2, S1).
    Undeclared,
}

/// Why a response neither renews nor injects a declared cookie (N). Where several reasons hold, the one that is told is
/// what an operator would have to change first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NotRenewed {
    /// The browser has sent no usable value, and the declaration injects none (N1, N2).
    Absent,
    /// Whoever it belongs to has not agreed to the use of cookies, or has withdrawn (G6, G7).
    BeforeAgreement,
    /// The browser has sent several of this name (N6).
    Duplicated,
    /// The request is none of those that renew it (D3).
    Elsewhere,
    /// The declaration says `inject = "off"` (N2).
    Off,
    /// The request's method is `OPTIONS` (N3).
    Options,
    /// Browsers would refuse the value that they sent, for its size.
    Oversize,
    /// The upstream has set or deleted it in this response (N1).
    SetByUpstream,
    /// A shared cache may store the response (N3).
    Shareable,
    /// The response's status is no 2xx or 3xx (N3).
    Status,
    /// The upstream has replaced or deleted the value that the browser sent (N4).
    Superseded,
}

/// Why a response evicts nothing, whatever the browser sent (E1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NotEvicted {
    /// The request is no `GET` that accepts `text/html`.
    NoNavigation,
    /// The tenant's `evict` is `"off"`.
    Off,
    /// A shared cache may store the response.
    Shareable,
    /// The response is an upgrade, and no page.
    Upgrade,
}
