//! The cookie policy: decides which cookies may cross, in either direction, and with which attributes they leave. The
//! rules and their numbers are those of `docs/policy.md`.
//!
//! **Pure**: bytes in, verdicts out. The policy has no clock, no randomness, no I/O and no `async`; the caller passes in
//! the time, random bits and the bounded memory of rule N4. Judging never fails: an odd cookie gets a verdict, not an
//! error. Nothing is allocated where nothing changes.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]
#![warn(missing_docs)]

mod agreement;
mod cookie;
pub mod date;
pub mod declaration;
mod eviction;
mod exchange;
#[cfg(test)]
mod fixture;
mod headers;
mod judge;
mod limits;
mod outgoing;
mod policy;
mod renewal;
pub mod requested;
pub mod seal;
pub mod sealing;
mod session;
mod set_cookie;
pub mod superseded;
mod syntax;
mod terms;
mod value;
pub mod verdict;

pub use cookie::judge_misplaced_cookie;
pub use exchange::{
    CookieField, OutgoingSetCookie, RequestFacts, Resources, ResponseFacts, SetCookieFields,
};
pub use headers::{accepts_html, cookie_bytes, may_be_shared};
pub use judge::{JudgedRequest, judge_misplaced_set_cookie};
pub use policy::{AgreementMode, EvictScope, Mode, Policy};
pub use syntax::{is_token, trim};
