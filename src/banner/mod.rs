//! The banner on the application's pages: where it goes, and which pages may carry it.
//!
//! A person who has not agreed is told so by a small banner, right behind the `<body …>` tag of each page (`agreement =
//! "notice"`). Nothing here does I/O: heads and bytes are handed in.
//!
//! - [`is_embedded`], [`prepare_request`]: what is asked of the application, so that its page can carry one.
//! - [`may_carry`]: whether the answer can; `csp.rs`: whether its `Content-Security-Policy` lets it.
//! - [`prepare_response`]: what no longer holds of an answer that may carry one.
//! - [`Scanner`]: where in the page it goes. It keeps no bytes of it; `tag.rs`, `comment.rs` and `raw_text.rs` are what it
//!   passes on its way.

mod comment;
mod csp;
mod fields;
mod page;
mod raw_text;
mod scanner;
mod tag;

pub use fields::{is_embedded, prepare_request, prepare_response};
pub use page::may_carry;
pub use scanner::{Scanner, Sight};

/// What became of a banner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The exchange ended before the banner's place was reached.
    Broken,
    /// The page is compressed, though nobody asked for that.
    Compressed,
    /// The page is of a charset or a syntax that is not read here, such as UTF-16 or XHTML.
    Encoding,
    /// The page does not let the banner work, or does not want to be changed.
    Forbidden,
    /// The page has no `<body>` tag, or something of its body stands before that.
    NoBody,
    /// The answer is no page: a redirect, a download, or no HTML.
    NoPage,
    /// It was handed on with the page.
    Shown,
    /// The `<body>` tag is not within the first `limits.banner_bytes`.
    TooLarge,
}

impl Outcome {
    /// All of them, in order, with the word for each.
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
    fn every_outcome_is_in_its_place() {
        for (index, (outcome, word)) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{word}");
        }
    }
}
