//! Searches any bytes as a page, in parts whose lengths are the first bytes of the input. The positions do not depend on the
//! parts. The head's position is before that of the body, and nothing but declarations is before it. The body's position is
//! directly after a `<body …>` tag.

#![no_main]

use crumbgate_pages::document::{
    BannerOutcome, BodySearch, Documents, HeadSearch, MAX_HELD_BYTES, Scanner,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((lengths, page)) = bytes.split_at_checked(LENGTHS) else { return };
    for documents in [None, Some(Documents::All), Some(Documents::Declared)] {
        let whole = look(documents, [page]);
        assert_eq!(look(documents, in_parts(page, lengths)), whole);
        assert_eq!(look(documents, page.chunks(1)), whole);
        let (head, body) = whole;
        if let HeadSearch::Found(at) = head {
            let mut before = Scanner::new(LIMIT, documents, false);
            before.scan(&page[..at]);
            let is_tag = before.head() == head;
            assert!(is_tag || before.head() == HeadSearch::Open && before.settled() == at);
            assert!(!matches!(body, BodySearch::Found(body) if body <= at));
        }
        if let BodySearch::Found(at) = body {
            assert_eq!(page[at - 1], b'>');
            assert!(page[..at].to_ascii_lowercase().windows(5).any(|tag| tag == b"<body"));
            assert_eq!(look(documents, [&page[..at]]), whole, "nothing after the position counts");
            let (_, cut) = look(documents, [&page[..at - 1]]);
            assert_eq!(cut, BodySearch::NoPosition(BannerOutcome::NoBody));
        }
    }
});

/// The number of bytes of the input that are lengths.
const LENGTHS: usize = 4;

const LIMIT: usize = 4096;

/// Searches a page in these parts.
fn look<'p>(
    documents: Option<Documents>,
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> (HeadSearch, BodySearch) {
    let mut scanner = Scanner::new(LIMIT, documents, true);
    let mut passed = 0;
    for part in parts {
        scanner.scan(part);
        passed += part.len();
        assert!(scanner.is_over() || passed - scanner.settled() <= MAX_HELD_BYTES);
    }
    scanner.end();
    assert!(scanner.is_over());
    (scanner.head(), scanner.body())
}

/// Splits the page into parts of these lengths, repeated as often as needed. A length may be zero.
fn in_parts<'p>(page: &'p [u8], lengths: &[u8]) -> Vec<&'p [u8]> {
    let (mut parts, mut rest) = (Vec::new(), page);
    for length in lengths.iter().cycle().map(|length| usize::from(*length)) {
        if rest.is_empty() || lengths.iter().all(|length| *length == 0) {
            break;
        }
        let (part, behind) = rest.split_at(length.min(rest.len()));
        parts.push(part);
        rest = behind;
    }
    parts.push(rest);
    parts
}
