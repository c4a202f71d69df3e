//! Judges cookies: decides which cookies may cross a reverse proxy, in either direction, and with which attributes they
//! leave. `docs/policy.md` defines the rules; comments and tests refer to them by their numbers.
//!
//! An operator publishes a [`Declaration`](declaration::Declaration) of cookies. A [`Policy`] adds the settings of one
//! tenant. [`Policy::judge_request`] judges the `Cookie` fields of a request (rules R) and returns a [`JudgedRequest`],
//! whose [`judge_response`](JudgedRequest::judge_response) judges the `Set-Cookie` fields of its response (rules S), renews
//! declared cookies (rules N) and evicts undeclared ones (rules E). Each cookie gets exactly one
//! [`Verdict`](verdict::Verdict). [`sealing`] and [`seal`] make session cookies opaque and store a person's agreement in
//! them (rules G).
//!
//! **Pure**: bytes in, verdicts out. There is no clock, no randomness, no I/O and no `async`: the caller passes in the
//! time, random bits and the bounded memory of rule N4. Outside of tests the crate is `no_std`, so that the compiler
//! excludes most of these; `clippy.toml` excludes the rest. Judging never fails: an odd cookie gets a verdict, not an
//! error. Nothing is allocated where nothing changes.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use crumbgate_policy::{
//!     CookieField, OutgoingSetCookie, Policy, RequestFacts, Resources, ResponseFacts, SetCookieFields,
//!     declaration::Declaration, superseded::Superseded,
//! };
//!
//! let policy = Policy::new(Arc::new(Declaration::flexopus()));
//! let mut verdicts = Vec::new();
//! let mut record = |verdict: crumbgate_policy::verdict::Verdict<'_>| verdicts.push(verdict.action);
//!
//! // The request: an undeclared cookie is stripped, a declared one goes upstream.
//! let (method, path, host) = ("POST", "/login", "acme.example");
//! let request = RequestFacts { method, path, host, accepts_html: false, seal: None };
//! let cookie: [&[u8]; 1] = [b"_ga=GA1.2; XSRF-TOKEN=t"];
//! let (upstream, judged) = policy.judge_request(request, cookie, &mut record);
//! assert_eq!(upstream, CookieField::Replaced(b"XSRF-TOKEN=t".to_vec()));
//!
//! // The response: the declaration decides the attributes.
//! let now_unix_s = 1_795_435_200; // 2026-11-23 12:00:00 UTC
//! let response = ResponseFacts {
//!     status: 302,
//!     date_unix_s: now_unix_s,
//!     now_unix_s,
//!     uptime_s: 60,
//! };
//! // A real caller passes in a random seed, and random bits.
//! let superseded = Superseded::new(1_000, 7);
//! let resources = Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
//! let set_cookie: [&[u8]; 1] = [b"flexopus_session=s; Max-Age=31536000; Domain=.example"];
//! let downstream = judged.judge_response(response, set_cookie, resources, &mut record);
//! let expected = b"flexopus_session=s; Max-Age=604800; Expires=Mon, 30 Nov 2026 12:00:00 GMT; Path=/; \
//!     Secure; HttpOnly; SameSite=Lax";
//! let expected = vec![OutgoingSetCookie::Built(expected.to_vec())];
//! assert_eq!(downstream, SetCookieFields::Replaced(expected));
//!
//! let words: Vec<_> = verdicts.iter().map(|action| action.word()).collect();
//! assert_eq!(words, ["strip", "keep", "rewrite"]);
//! ```
//!
//! `examples/judge.rs` is a program of about ten lines that prints verdicts.

#![cfg_attr(not(test), no_std)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]
#![warn(missing_docs)]

extern crate alloc;

mod agreement;
mod caches;
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
mod location;
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

pub use caches::{is_for_shared_caches, make_private};
pub use cookie::judge_misplaced_cookie;
pub use exchange::{
    CookieField, OutgoingSetCookie, RequestFacts, Resources, ResponseFacts, SetCookieFields,
};
pub use headers::{accepts_html, cookie_bytes};
pub use judge::{JudgedRequest, judge_misplaced_set_cookie};
pub use location::registrable_domain;
pub use policy::{AgreementMode, EvictScope, GuardMode, Mode, Policy};
pub use syntax::{is_token, trim};
