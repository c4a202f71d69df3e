//! The host of an authority (`Host`, `:authority`), by which tenants are found (T1).

use std::{borrow::Cow, net::Ipv6Addr};

use memchr::memchr;

/// Returns the host of an authority in lower case and without its port. An IPv6 address keeps its brackets and gets its
/// canonical form (RFC 5952). A host that already has this form is not copied.
///
/// Returns `None` if the host is empty, is longer than 253 characters, or has a user name, percent-encoding, an empty label
/// or a character other than letters, digits, `-`, `.` and `_`; and if a colon is not followed by a valid port. A trailing
/// dot is kept, since it makes a different host.
pub fn host_of_authority(authority: &str) -> Option<Cow<'_, str>> {
    split_authority(authority).map(|(host, _)| host)
}

/// Returns the host as [`host_of_authority`] does, and the port if there is one.
pub fn split_authority(authority: &str) -> Option<(Cow<'_, str>, Option<u16>)> {
    let host_len = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')?.checked_add(2)?,
        None => memchr(b':', authority.as_bytes()).unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_len)?;
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(read_port(digits)?),
        None if port.is_empty() => None,
        None => return None,
    };
    Some((normalise(host)?, port))
}

/// Reads a port that has only digits; the parser of `u16` would also accept a sign.
fn read_port(digits: &str) -> Option<u16> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn normalise(host: &str) -> Option<Cow<'_, str>> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let canonical = format!("[{}]", address.parse::<Ipv6Addr>().ok()?);
        return Some(if canonical == host { Cow::Borrowed(host) } else { Cow::Owned(canonical) });
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let (mut has_upper_case, mut is_label_empty) = (false, true);
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => is_label_empty = false,
            b'A'..=b'Z' => (has_upper_case, is_label_empty) = (true, false),
            b'.' if !is_label_empty => is_label_empty = true,
            _ => return None,
        }
    }
    if is_label_empty || name.len() > MAX_NAME_BYTES {
        return None;
    }
    Some(if has_upper_case { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) })
}

/// The longest host name: 255 octets including the length of each label (RFC 1035, section 3.1).
const MAX_NAME_BYTES: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_the_host_of_an_authority_is_in_lower_case_without_its_port() {
        for (authority, host) in [
            ("acme.example", "acme.example"),
            ("ACME.Example:8443", "acme.example"),
            ("acme.example.", "acme.example."),
            ("a_b-c.example:0", "a_b-c.example"),
            ("localhost", "localhost"),
            ("127.0.0.1:8443", "127.0.0.1"),
            ("[::1]:8443", "[::1]"),
            ("[0:0::1]", "[::1]"),
            ("[FE80::A]", "[fe80::a]"),
        ] {
            assert_eq!(host_of_authority(authority).as_deref(), Some(host), "{authority}");
        }
    }

    #[test]
    fn t1_an_invalid_host_has_no_tenant() {
        let long = "a.".repeat(127) + "b";
        for authority in [
            "",
            ":",
            ":8443",
            ".",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a%41",
            "user@a",
            "a/b",
            "a?b",
            "a:",
            "a:b",
            "a:+1",
            "a:65536",
            "a:1:2",
            "é.example",
            "a\0",
            "*.a",
            "::1",
            "[",
            "[]",
            "[::1",
            "[::1]8",
            "[::1]:",
            "[::1%25eth0]",
            "[a.example]",
            "[::1].",
            "a,b",
            "(default)",
            &long,
        ] {
            assert_eq!(host_of_authority(authority), None, "{authority}");
        }
    }

    #[test]
    fn a_host_in_lower_case_is_not_copied() {
        for authority in ["acme.example:8443", "[::1]:1"] {
            assert!(matches!(host_of_authority(authority), Some(Cow::Borrowed(_))), "{authority}");
        }
    }
}
