//! The few pieces of syntax that both directions share.

use memchr::memchr;

/// What stands before the first `byte`, and what stands behind it.
pub(super) fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, from) = bytes.split_at_checked(memchr(byte, bytes)?)?;
    Some((before, from.get(1..)?))
}

/// The parts of a field between its semicolons, each without the white space around it; some may be empty. Quotes
/// hide no semicolon (R5).
pub(super) fn parts(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    std::iter::from_fn(move || {
        let field = rest?;
        let (part, behind) = match split_once(field, b';') {
            Some((part, behind)) => (part, Some(behind)),
            None => (field, None),
        };
        rest = behind;
        Some(trim(part))
    })
}

/// Without the spaces and tabs at both ends: the only white space that RFC 6265bis knows.
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether a cookie of this name is bound to its host and to `/` (RFC 6265bis, section 5.7: without case).
pub(super) fn has_host_prefix(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"__Host-"))
}

/// Whether a name is a token (RFC 9110, section 5.6.2): only those are echoed to the browser (E2).
pub fn is_token(bytes: &[u8]) -> bool {
    let is_token_byte = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            )
    };
    !bytes.is_empty() && bytes.iter().all(is_token_byte)
}

/// RFC 6265bis, section 4.1.1: cookie-octets, or cookie-octets between two double quotes.
pub(super) fn is_cookie_value(value: &[u8]) -> bool {
    let octets = match value {
        [b'"', octets @ .., b'"'] => octets,
        octets => octets,
    };
    // Without a way out of the loop the compiler checks many bytes at once; a session's value has hundreds.
    octets.iter().fold(true, |all, byte| all & is_cookie_octet(*byte))
}

/// Visible ASCII without what ends or quotes a value elsewhere.
fn is_cookie_octet(byte: u8) -> bool {
    (byte > 0x20)
        & (byte < 0x7f)
        & (byte != b'"')
        & (byte != b',')
        & (byte != b';')
        & (byte != b'\\')
}

/// Whether a byte stands there that ends the reading of a `Set-Cookie` (RFC 6265bis, section 5.6): any control byte
/// but the tab.
pub(super) fn has_control_byte(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, &byte| any | (byte < 0x20) & (byte != b'\t') | (byte == 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r5_parts_split_at_every_semicolon() {
        let read = |field: &'static str| -> Vec<&[u8]> { parts(field.as_bytes()).collect() };
        assert_eq!(read(""), [b""]);
        assert_eq!(read(";"), [b"", b""]);
        assert_eq!(read(" a=1 ;\tb=2\t"), [b"a=1", b"b=2"]);
        assert_eq!(read("a=\"x; b=2\""), [&b"a=\"x"[..], b"b=2\""]);
        assert_eq!(read(" \t ; ;;"), [b"", b"", b"", b""]);
    }

    #[test]
    fn r5_cookie_octets_are_those_of_rfc_6265() {
        let grammar =
            |byte: u8| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
        for byte in 0..=u8::MAX {
            assert_eq!(is_cookie_value(&[byte]), grammar(byte), "{byte:#x}");
            assert_eq!(is_cookie_value(&[b'"', byte, b'"']), grammar(byte), "quoted {byte:#x}");
        }
        for (value, expected) in
            [("", true), ("\"\"", true), ("\"", false), ("\"a", false), ("a\"", false)]
        {
            assert_eq!(is_cookie_value(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn e2_tokens_are_those_of_rfc_9110() {
        for byte in 0..=u8::MAX {
            let is_delimiter = b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_token(&[byte]), byte.is_ascii_graphic() && !is_delimiter, "{byte:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn s6_control_bytes_are_those_of_rfc_6265bis() {
        for byte in 0..=u8::MAX {
            let expected = matches!(byte, 0x00..=0x08 | 0x0a..=0x1f | 0x7f);
            assert_eq!(has_control_byte(&[b'a', byte]), expected, "{byte:#x}");
        }
    }
}
