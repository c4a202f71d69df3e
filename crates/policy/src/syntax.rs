//! Syntax that both directions share.

use memchr::memchr;

/// Splits at the first `byte`, which is in neither part.
pub(crate) fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, from) = bytes.split_at_checked(memchr(byte, bytes)?)?;
    Some((before, from.get(1..)?))
}

/// Splits a field at its semicolons, also inside quotes (R5), and trims each part. Parts may be empty.
pub(crate) fn parts(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    core::iter::from_fn(move || {
        let field = rest?;
        let (part, behind) = match split_once(field, b';') {
            Some((part, behind)) => (part, Some(behind)),
            None => (field, None),
        };
        rest = behind;
        Some(trim(part))
    })
}

/// Splits a pair into name and value; `None` if it has no name (R4).
pub(crate) fn read_pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    split_once(part, b'=').filter(|(name, _)| !name.is_empty())
}

/// Removes the spaces and tabs at both ends, the only white space in RFC 6265bis.
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Returns true for a `__Host-` name, in any case: browsers bind its cookie to the host and to `/` (RFC 6265bis,
/// section 5.7).
pub(crate) fn has_host_prefix(name: &[u8]) -> bool {
    name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"__Host-"))
}

/// Returns true for a token (RFC 9110, section 5.6.2). Only names that are tokens are echoed to the browser (E2).
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

/// Returns true for cookie-octets, possibly between two double quotes (RFC 6265bis, section 4.1.1).
pub(crate) fn is_cookie_value(value: &[u8]) -> bool {
    let octets = match value {
        [b'"', octets @ .., b'"'] => octets,
        octets => octets,
    };
    // The loop has no early exit, so that the compiler vectorizes it: the value of a session has hundreds of bytes.
    octets.iter().fold(true, |all, byte| all & is_cookie_octet(*byte))
}

/// Returns true for visible ASCII except the bytes that end or quote a value.
fn is_cookie_octet(byte: u8) -> bool {
    (byte > 0x20)
        & (byte < 0x7f)
        & (byte != b'"')
        & (byte != b',')
        & (byte != b';')
        & (byte != b'\\')
}

/// Returns true if there is a byte for which browsers ignore a `Set-Cookie` (RFC 6265bis, section 5.6): any control byte
/// except the tab.
pub(crate) fn has_control_byte(bytes: &[u8]) -> bool {
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
