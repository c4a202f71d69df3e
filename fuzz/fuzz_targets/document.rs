//! Searches any bytes as a page, in parts whose lengths are the first bytes of the input. The banner's position does
//! not depend on the parts, and is directly after a `<body …>` tag.

#![no_main]

use crumbgate_pages::document::{BannerOutcome, ScanResult, Scanner};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((lengths, page)) = bytes.split_at_checked(LENGTHS) else { return };
    let whole = look([page]);
    assert_eq!(look(in_parts(page, lengths)), whole);
    assert_eq!(look(page.chunks(1)), whole);
    if let Ok(at) = whole {
        assert_eq!(page[at - 1], b'>');
        assert!(page[..at].to_ascii_lowercase().windows(5).any(|tag| tag == b"<body"));
        assert_eq!(look([&page[..at]]), whole, "nothing after the position counts");
        assert_eq!(look([&page[..at - 1]]), Err(BannerOutcome::NoBody));
    }
});

/// The number of bytes of the input that are lengths.
const LENGTHS: usize = 4;

const LIMIT: usize = 4096;

/// Returns the beginning of the body of a page in these parts.
fn look<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Result<usize, BannerOutcome> {
    let mut scanner = Scanner::new(LIMIT);
    let mut passed = 0;
    for part in parts {
        match scanner.scan(part) {
            ScanResult::Body(at) => return Ok(passed + at),
            ScanResult::More => passed += part.len(),
            ScanResult::NoPosition(outcome) => return Err(outcome),
        }
    }
    Err(BannerOutcome::NoBody)
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
