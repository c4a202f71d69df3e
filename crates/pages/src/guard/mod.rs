//! The guard against cookies that scripts set (W): its script, and what a page with that script needs.
//!
//! - [`GuardScript`] is the script that the gateway puts into pages and in front of the scripts of service workers.
//! - [`allow_guard`] extends the `Content-Security-Policy` of the page, so that the script runs.
//! - [`prepare_conditions`] and [`mark_page`] keep a browser from using a stored page with another script, or without one.

mod csp;
mod script;
mod validators;

pub use csp::{GuardSources, allow_guard};
pub use script::GuardScript;
pub use validators::{StoredPage, mark_page, may_be_page, prepare_conditions};
