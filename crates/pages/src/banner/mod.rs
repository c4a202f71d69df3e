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
mod page;
mod raw_text;
mod scanner;
mod tag;

pub use fields::{is_embedded, prepare_request, prepare_response};
pub use page::may_carry;
pub use scanner::{ScanResult, Scanner};

/// The result of the attempt to show a banner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BannerOutcome {
    /// The exchange ended before the banner's position was reached.
    Broken,
    /// The page is compressed, although the request did not allow it.
    Compressed,
    /// The page has a charset or a syntax that the scanner does not read, such as UTF-16 or XHTML.
    Encoding,
    /// The page forbids the banner's parts, or forbids changes.
    Forbidden,
    /// The page has no `<body>` tag, or content of the body before it.
    NoBody,
    /// The response is not a page: a redirect, a download, or not HTML.
    NoPage,
    /// The banner was sent with the page.
    Shown,
    /// The `<body>` tag is not within the first `limits.banner_bytes`.
    TooLarge,
}

impl BannerOutcome {
    /// All results in order, each with its word.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Broken, "broken"),
        (Self::Compressed, "compressed"),
        (Self::Encoding, "encoding"),
        (Self::Forbidden, "forbidden"),
        (Self::NoBody, "no_body"),
        (Self::NoPage, "no_page"),
        (Self::Shown, "shown"),
        (Self::TooLarge, "too_large"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_at_the_index_of_its_discriminant() {
        for (index, (outcome, word)) in BannerOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{word}");
        }
    }
}
