//! The input and the output of judging one exchange.

use alloc::vec::Vec;
use core::fmt;

use crate::{sealing::SealFacts, superseded::Superseded};

/// The facts about a request that the policy needs besides its cookies.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'r> {
    /// The method as sent (case-sensitive).
    pub method: &'r str,
    /// The path of the target without its query.
    pub path: &'r str,
    /// The host of the authority, in lower case and without a port.
    pub host: &'r str,
    /// True if an `Accept` field of the request lists `text/html` (see [`accepts_html`](crate::accepts_html)).
    pub accepts_html: bool,
    /// The keys and rules for the sealed cookie; `None` if there are no keys.
    pub seal: Option<SealFacts<'r>>,
}

/// The replacement of the request's `Cookie` fields on the way upstream.
///
/// `Debug` shows no value (A3).
#[derive(Clone, Eq, PartialEq)]
pub enum CookieField {
    /// One field with these bytes (R1, R6).
    Replaced(Vec<u8>),
    /// No `Cookie` field (R6).
    Removed,
    /// The request's own fields: either none, or one whose pairs all stay (R6).
    Untouched,
}

/// The facts about a final response that the policy needs besides its cookies.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts {
    /// The status code.
    pub status: u16,
    /// The response's date in seconds since the Unix epoch (S2, N5).
    pub date_unix_s: u64,
    /// The time of the gateway's clock in seconds since the Unix epoch: the time of issue of a sealed cookie (G2).
    pub now_unix_s: u64,
    /// Seconds on a monotonic clock, for the memory of N4.
    pub uptime_s: u32,
}

/// Returns true if a cache that receives this response updates the fields of another one that it has stored: a 304, or the
/// answer to `HEAD` (RFC 9111, sections 4.3.4 and 4.3.5). Such a response sets no cookie (S9).
pub(crate) fn freshens(request: RequestFacts<'_>, response: ResponseFacts) -> bool {
    response.status == 304 || request.method == "HEAD"
}

/// A `Set-Cookie` field on its way downstream.
///
/// `Debug` shows no value (A3).
#[derive(Clone, Eq, PartialEq)]
pub enum OutgoingSetCookie {
    /// A field that the policy has built: rewritten, renewed, injected or evicting.
    Built(Vec<u8>),
    /// The upstream's field at this index, unchanged.
    Kept(usize),
}

/// The replacement of the response's `Set-Cookie` fields on the way downstream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetCookieFields {
    /// These fields, in this order.
    Replaced(Vec<OutgoingSetCookie>),
    /// The response's own fields.
    Untouched,
}

/// The memory and the randomness that judging a response uses.
pub struct Resources<'a> {
    /// The tenant's name. A value is superseded within its tenant only.
    pub tenant: &'a str,
    /// The bounded memory of N4.
    pub superseded: &'a Superseded,
    /// Returns fresh random bits, for `inject = "random"` (N2) and for sealing (G2).
    pub random: &'a mut dyn FnMut() -> [u8; 32],
}

impl fmt::Debug for CookieField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "Removed",
            Self::Replaced(_) => "Replaced(..)",
            Self::Untouched => "Untouched",
        })
    }
}

impl fmt::Debug for OutgoingSetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Built(_) => f.write_str("Built(..)"),
            Self::Kept(index) => f.debug_tuple("Kept").field(index).finish(),
        }
    }
}
