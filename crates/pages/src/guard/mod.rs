//! The guard against cookies that scripts set: what a page with its script needs.
//!
//! - [`allow_guard`] extends the `Content-Security-Policy` of the page, so that the script runs.
//! - [`prepare_conditions`] and [`mark_page`] keep a browser from using a stored page with another script, or without one.

mod csp;
mod validators;

pub use csp::{GuardSources, allow_guard};
pub use validators::{StoredPage, mark_page, may_be_page, prepare_conditions};
