//! The application's pages on their way to a browser: decides which of them can be changed, and finds the positions in them.
//!
//! With `guard = "enforce"` or `"watch"`, the guard's script is put first into the head of each page. With
//! `agreement = "notice"`, each page for a person who has not agreed shows a small banner, directly after its `<body …>`
//! tag. This module does no I/O: the caller passes in heads and bytes.
//!
//! - [`is_embedded`] and [`prepare_request`] change the request, so that the page can carry a banner.
//! - [`reduce_codings`] removes the content codings from a request that the gateway does not read.
//! - [`requested_documents`] decides if the response to a request may be a document.
//! - [`may_change`] decides if a response is a page that can be changed, and [`may_carry`] if it can carry a banner;
//!   `csp.rs` reads its `Content-Security-Policy`.
//! - [`requests_worker_script`] and [`may_change_script`] decide the same for the scripts of service workers, and
//!   [`Prologue`] finds the first code in them.
//! - [`prepare_response`] removes the fields that a banner makes wrong, and [`keep_from_shared_caches`] what lets such caches
//!   store a response; [`is_page`] decides which responses must not be stored because pages carry banners.
//! - [`Scanner`] finds the positions in the page without keeping any bytes; `head.rs` follows what the head depends on,
//!   and `tag.rs`, `comment.rs` and `raw_text.rs` read the parts of a page.

mod codings;
mod comment;
mod csp;
mod fields;
mod head;
mod outcome;
mod page;
mod prologue;
mod raw_text;
mod scanner;
mod tag;

pub use codings::{Coding, reduce_codings};
pub(crate) use fields::{SEC_FETCH_DEST, remove_fields_of_the_exact_page};
pub use fields::{
    is_embedded, keep_from_shared_caches, prepare_request, prepare_response, requested_documents,
    requests_worker_script,
};
pub use head::{Documents, HeadSearch, MAX_HELD_BYTES};
pub use outcome::BannerOutcome;
pub use page::{Obstacle, is_page, may_carry, may_change, may_change_script};
pub use prologue::Prologue;
pub use scanner::{BodySearch, Scanner};

#[cfg(test)]
mod tests;
