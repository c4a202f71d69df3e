//! Reads the attributes of a `Set-Cookie` once, as a browser reads them (RFC 6265bis, section 5.6).

use crate::{
    date::parse_cookie_date,
    limits::MAX_ATTRIBUTE_BYTES,
    requested::{Attributes, RequestedAttributes, RequestedLifetime},
    syntax::{parts, trim},
};

/// The attributes with which the upstream sets a cookie. The last valid attribute of each name counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Terms {
    /// The names of all attributes.
    pub(crate) attributes: Attributes,
    /// True for `SameSite=Strict`.
    pub(crate) is_strict: bool,
    /// The lifetime in seconds; zero or less for a deletion, `None` for a cookie that lives until the browser closes.
    /// `Max-Age` has precedence over `Expires`.
    pub(crate) lifetime_s: Option<i64>,
}

impl Terms {
    /// Reads the text after a field's first `;`, relative to `date_unix_s`.
    pub(crate) fn read(attributes: &[u8], date_unix_s: u64) -> Self {
        let mut terms = Self::default();
        for (name, value) in named(attributes) {
            let attribute = Attributes::of(name, value);
            terms.attributes = terms.attributes.union(attribute);
            if value.len() > MAX_ATTRIBUTE_BYTES {
                continue;
            }
            match attribute {
                Attributes::MAX_AGE => terms.lifetime_s = max_age_s(value).or(terms.lifetime_s),
                Attributes::SAME_SITE_STRICT => terms.is_strict = true,
                Attributes::SAME_SITE_LAX | Attributes::SAME_SITE_NONE => {
                    terms.is_strict = false;
                }
                _ => {}
            }
        }
        // Most applications also send `Max-Age`, which saves reading the date.
        if terms.lifetime_s.is_none() && terms.attributes.contains(Attributes::EXPIRES) {
            terms.lifetime_s = expires_unix_s(attributes)
                .map(|s| s.saturating_sub(i64::try_from(date_unix_s).unwrap_or(i64::MAX)));
        }
        terms
    }

    /// Returns the lifetime and the attributes in coarse steps (A2).
    pub(crate) fn requested(self) -> RequestedAttributes {
        let lifetime = self.lifetime_s.map_or_else(Default::default, RequestedLifetime::of_seconds);
        RequestedAttributes { lifetime, attributes: self.attributes }
    }

    /// Returns true for a deletion (S4). An `Expires` of the current second is one, because the lifetime is zero.
    pub(crate) fn deletes(self) -> bool {
        self.lifetime_s.is_some_and(|s| s <= 0)
    }
}

/// Splits the attributes that are not empty into name and value.
fn named(attributes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    parts(attributes).filter(|attribute| !attribute.is_empty()).map(|attribute| {
        // Names are short, so comparing byte by byte is faster than `memchr`.
        let mut halves = attribute.splitn(2, |byte| *byte == b'=');
        (trim(halves.next().unwrap_or_default()), trim(halves.next().unwrap_or_default()))
    })
}

/// Returns the last `Expires` that contains a date.
fn expires_unix_s(attributes: &[u8]) -> Option<i64> {
    named(attributes)
        .filter(|(name, value)| {
            Attributes::of(name, value) == Attributes::EXPIRES && value.len() <= MAX_ATTRIBUTE_BYTES
        })
        .filter_map(|(_, value)| parse_cookie_date(value))
        .last()
}

/// Reads a `Max-Age`, saturating at the range of the type; `None` if it is not a number (RFC 6265bis, section 5.6.2).
fn max_age_s(value: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')))
    });
    Some(if is_negative { 0 } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 12:00:00 UTC
    const DATE_UNIX_S: u64 = 1_795_435_200;

    fn lifetime_s(attributes: &str) -> Option<i64> {
        Terms::read(attributes.as_bytes(), DATE_UNIX_S).lifetime_s
    }

    #[test]
    fn s4_the_last_valid_attribute_counts_and_max_age_before_expires() {
        assert_eq!(lifetime_s("Max-Age=7200; Max-Age=x; max-age"), Some(7200));
        assert_eq!(lifetime_s("Max-Age=60; MAX-AGE=-1"), Some(0));
        assert_eq!(lifetime_s("Max-Age=99999999999999999999"), Some(i64::MAX));
        let in_a_minute = "Expires=Mon, 23 Nov 2026 12:01:00 GMT";
        assert_eq!(lifetime_s(&format!("{in_a_minute}; Max-Age=5")), Some(5));
        assert_eq!(lifetime_s(&format!("Max-Age=x; {in_a_minute}; Expires=never")), Some(60));
        assert_eq!(lifetime_s(&format!("Expires=Thu, 01 Jan 1970; {in_a_minute}")), Some(60));
        assert_eq!(lifetime_s("Expires=; Expires; Expires=never"), None);
        assert_eq!(lifetime_s("Path=/; Max-Age="), None);
    }

    #[test]
    fn s4_a_value_that_is_too_long_for_browsers_is_ignored() {
        let digits = "1".repeat(MAX_ATTRIBUTE_BYTES);
        assert_eq!(lifetime_s(&format!("Max-Age={digits}")), Some(i64::MAX));
        assert_eq!(lifetime_s(&format!("Max-Age={digits}1")), None);
        let spaces = " ".repeat(MAX_ATTRIBUTE_BYTES);
        let long = format!("Expires=Mon, 23 Nov 2026{spaces}12:01:00 GMT");
        assert_eq!(lifetime_s(&long), None);
    }

    #[test]
    fn s2_the_last_valid_same_site_counts() {
        let is_strict = |attributes: &str| Terms::read(attributes.as_bytes(), 0).is_strict;
        assert!(is_strict("SameSite=Lax; samesite=STRICT; SameSite=x; SameSite"));
        assert!(!is_strict("SameSite=Strict; SameSite=None"));
        assert!(!is_strict("SameSite=Strict; Samesite=lax"));
    }
}
