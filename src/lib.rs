//! Crumbgate: a TLS-terminating reverse proxy that makes a cookie declaration true.
//!
//! One request's journey, in the words that the functions have:
//! **accept → handshake → admit → judge request → forward → judge response → record → answer**.
//!
//! - [`policy`]: pure; which cookie may cross, and how it leaves; [`seal`]: pure; a session's value, unreadable outside.
//! - [`banner`]: pure; which of the application's pages may carry a banner, and where it goes in them.
//! - [`tenants`]: in memory; whose request it is.
//! - [`audit`]: in memory; what was done, counted; [`ledger`]: on disk; the same, kept and signed.
//! - [`state`]: the thread that writes the ledger and the tenants set at run time; [`report`]: reports on a ledger.
//! - [`metrics`]: in memory; what an operator's monitoring reads; [`process`]: the same of the process.
//! - [`text`] and [`error`]: moments, bytes and errors as text.
//! - [`language`]: the languages that people are shown things in.
//! - [`page`]: what people are shown: the cookie page, and the question whether they agree.
//! - [`config`]: text to the values above.
//! - [`proxy`]: the data path: hyper, tokio, rustls.
//! - [`traces`]: which exchanges are followed across services, and how their spans leave.
//! - [`explain`]: what would become of some cookies, and why.
//! - [`gateway`]: puts them together: start, reload, drain; [`admin`]: how it is administered; [`cli`]: what people type.
//! - [`certificate`] and [`demo`]: for trying it.

// Tests here and in `tests/` write ledgers by the same words.
#[cfg(test)]
extern crate self as crumbgate;

pub mod admin;
pub mod audit;
pub mod banner;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod explain;
pub mod gateway;
pub mod language;
pub mod ledger;
pub mod metrics;
pub mod page;
pub mod policy;
pub mod process;
pub mod proxy;
pub mod report;
pub mod seal;
pub mod seal_keys;
pub mod state;
mod telemetry;
pub mod tenants;
pub mod text;
pub mod traces;
