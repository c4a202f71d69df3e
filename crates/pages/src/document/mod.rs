//! The banner on the application's pages: decides which pages may carry it, and finds its position.
//!
//! With `agreement = "notice"`, each page for a person who has not agreed shows a small banner, directly after its
//! `<body …>` tag. This module does no I/O: the caller passes in heads and bytes.
//!
//! - [`is_embedded`] and [`prepare_request`] change the request, so that the page can carry a banner.
//! - [`may_carry`] decides if the response can carry one; `csp.rs` reads its `Content-Security-Policy`.
//! - [`prepare_response`] removes the fields that a banner makes wrong.
//! - [`Scanner`] finds the position in the page without keeping any bytes; `tag.rs`, `comment.rs` and `raw_text.rs` read
//!   the parts before it.

mod comment;
mod csp;
mod fields;
mod outcome;
mod page;
mod raw_text;
mod scanner;
mod tag;

pub(crate) use fields::{SEC_FETCH_DEST, remove_fields_of_the_exact_page};
pub use fields::{is_embedded, prepare_request, prepare_response};
pub use outcome::BannerOutcome;
pub use page::may_carry;
pub use scanner::{ScanResult, Scanner};
