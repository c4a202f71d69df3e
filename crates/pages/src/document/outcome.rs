//! The results of the attempt to show a banner.

/// The result of the attempt to show a banner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BannerOutcome {
    /// The exchange ended before the banner's position was reached.
    Broken,
    /// The page has a content coding that the gateway does not read, or several.
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
