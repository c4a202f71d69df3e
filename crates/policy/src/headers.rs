//! Reads the fields other than cookies on which the policy depends.

use crate::syntax::{parts, split_once};

/// Counts the bytes of a request's `Cookie` fields once they are joined into one field (R8).
pub fn cookie_bytes<'a>(cookie_fields: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let lengths = cookie_fields.into_iter().map(|field| field.len().saturating_add("; ".len()));
    lengths.fold(0, usize::saturating_add).saturating_sub("; ".len())
}

/// Returns true if one of these `Accept` fields lists `text/html` with a weight above zero (E1).
///
/// A wildcard does not count, because scripts and images send it too. A weight that is not a number is ignored.
pub fn accepts_html<'a>(accept_fields: impl IntoIterator<Item = &'a [u8]>) -> bool {
    accept_fields.into_iter().flat_map(|field| field.split(|byte| *byte == b',')).any(|range| {
        let mut parts = parts(range);
        let is_html = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(b"text/html"));
        is_html && !parts.any(is_zero_weight)
    })
}

/// Recognises `q=0`, with any number of zeros after the point (RFC 9110, section 12.4.2).
fn is_zero_weight(parameter: &[u8]) -> bool {
    match split_once(parameter, b'=') {
        Some((name, [b'0', rest @ ..])) if name.eq_ignore_ascii_case(b"q") => {
            matches!(rest, [] | [b'.', ..]) && rest.iter().all(|byte| matches!(byte, b'.' | b'0'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_cookies_are_as_large_as_the_one_field_that_they_make() {
        let fields: [&[u8]; 3] = [b"a=1", b"", b"b=2"];
        assert_eq!(cookie_bytes(fields), "a=1; ; b=2".len());
        assert_eq!((cookie_bytes([&b"a=1"[..]]), cookie_bytes([])), (3, 0));
    }

    #[test]
    fn e1_accept_lists_text_html() {
        for (field, expected) in [
            ("text/html", true),
            ("TEXT/HTML;q=0.1", true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, text/html ; level=1", true),
            ("text/html;q=0, text/html", true),
            ("text/html;q=1.000", true),
            ("text/html;q=0", false),
            ("text/html; Q=0.000", false),
            ("text/html;level=1;q=0.", false),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
            ("text/html5", false),
            ("", false),
        ] {
            assert_eq!(accepts_html([field.as_bytes()]), expected, "{field}");
        }
        assert!(accepts_html([&b"image/png"[..], b"text/html"]));
        assert!(!accepts_html([]));
    }
}
