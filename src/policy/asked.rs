//! What the upstream asked a browser to do with a cookie, in steps too coarse to recognise anybody by (A2).

use super::{
    date::parse_cookie_date,
    set_cookie::MAX_ATTRIBUTE_BYTES,
    syntax::{parts, split_once, trim},
};

/// What one `Set-Cookie` field asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    /// How long the cookie should live.
    pub lifetime: AskedLifetime,
    /// Which attributes it came with.
    pub attributes: Attributes,
}

/// How long a cookie should live, in coarse steps. A month has 31 days, a year 366.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AskedLifetime {
    /// As long as the browser is open: neither `Max-Age` nor `Expires`.
    #[default]
    BrowserSession,
    /// Not at all: a `Max-Age` of zero or less, or a date that has passed.
    Deletion,
    /// An hour at most.
    Hour,
    /// A day at most.
    Day,
    /// A week at most.
    Week,
    /// A month at most.
    Month,
    /// A year at most.
    Year,
    /// More than a year.
    Longer,
}

/// A set of attribute names, with values where a closed set of them exists (`SameSite`, `Priority`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Attributes(u16);

impl Asked {
    /// Reads the attributes of a field, what stands behind its first `;` (RFC 6265bis, section 5.6: the last valid one
    /// of each name counts, and `Max-Age` counts before `Expires`).
    pub(super) fn read(attributes: &[u8], date_unix_s: u64) -> Self {
        let (mut max_age, mut expires) = (None, None);
        let mut found = Attributes::default();
        for attribute in parts(attributes).filter(|attribute| !attribute.is_empty()) {
            let (name, value) = split_once(attribute, b'=').unwrap_or((attribute, b""));
            let (name, value) = (trim(name), trim(value));
            let bit = Attributes::of(name, value);
            found.0 |= bit;
            if value.len() > MAX_ATTRIBUTE_BYTES {
                continue;
            }
            if bit == Attributes::MAX_AGE {
                max_age = max_age_s(value).or(max_age);
            } else if bit == Attributes::EXPIRES {
                expires = Some(value).filter(|value| !value.is_empty()).or(expires);
            }
        }
        let until_expiry_s = || {
            let expires_unix_s = parse_cookie_date(expires?)?;
            Some(expires_unix_s.saturating_sub(i64::try_from(date_unix_s).unwrap_or(i64::MAX)))
        };
        let lifetime_s = max_age.or_else(until_expiry_s);
        Self { lifetime: lifetime_s.map_or_else(Default::default, step), attributes: found }
    }
}

/// The step of a number of seconds.
fn step(seconds: i64) -> AskedLifetime {
    const DAY: i64 = 86_400;
    const STEPS: [(i64, AskedLifetime); 6] = [
        (0, AskedLifetime::Deletion),
        (3_600, AskedLifetime::Hour),
        (DAY, AskedLifetime::Day),
        (7 * DAY, AskedLifetime::Week),
        (31 * DAY, AskedLifetime::Month),
        (366 * DAY, AskedLifetime::Year),
    ];
    let fits = STEPS.iter().find(|(most, _)| seconds <= *most);
    fits.map_or(AskedLifetime::Longer, |(_, step)| *step)
}

/// A `Max-Age`, as far as a number can hold it; none where it is no number (RFC 6265bis, section 5.6.2).
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

impl AskedLifetime {
    /// Every step, shortest first.
    pub const ALL: [Self; 8] = [
        Self::BrowserSession,
        Self::Deletion,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Year,
        Self::Longer,
    ];
}

impl Attributes {
    const EXPIRES: u16 = 1 << 2;
    const MAX_AGE: u16 = 1 << 4;
    const OTHER: u16 = 1 << 15;

    /// The words of the bits, lowest first.
    const WORDS: [&str; 16] = [
        "Secure",
        "Domain",
        "Expires",
        "HttpOnly",
        "Max-Age",
        "Partitioned",
        "Path",
        "Priority=High",
        "Priority=Low",
        "Priority=Medium",
        "SameSite=Lax",
        "SameSite=None",
        "SameSite=Strict",
        "Priority",
        "SameSite",
        "(other)",
    ];

    /// The set as a number, to be kept.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The set of a number that [`Attributes::bits`] gave.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The attributes, each as it would be written; `(other)` stands for all that RFC 6265bis and browsers don't know,
    /// and a bare `SameSite` or `Priority` for any other value.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let is_set =
            move |(bit, _): &(u32, _)| self.0.checked_shr(*bit).is_some_and(|b| b & 1 == 1);
        (0..).zip(Self::WORDS).filter(is_set).map(|(_, word)| word)
    }

    /// The bit of one attribute.
    fn of(name: &[u8], value: &[u8]) -> u16 {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        let says = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
        // By length and first letters, because this runs for each attribute of each answer.
        match name.len() {
            4 if is("Path") => 1 << 6,
            6 if is("Secure") => 1,
            6 if is("Domain") => 1 << 1,
            7 if is("Expires") => Self::EXPIRES,
            7 if is("Max-Age") => Self::MAX_AGE,
            8 if is("HttpOnly") => 1 << 3,
            8 if is("SameSite") => match () {
                () if says("Lax") => 1 << 10,
                () if says("None") => 1 << 11,
                () if says("Strict") => 1 << 12,
                () => 1 << 14,
            },
            8 if is("Priority") => match () {
                () if says("High") => 1 << 7,
                () if says("Low") => 1 << 8,
                () if says("Medium") => 1 << 9,
                () => 1 << 13,
            },
            11 if is("Partitioned") => 1 << 5,
            _ => Self::OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 12:00:00 UTC
    const DATE_UNIX_S: u64 = 1_795_435_200;

    #[test]
    fn a2_a_lifetime_is_told_in_coarse_steps() {
        use AskedLifetime::*;
        for (attributes, expected) in [
            ("", BrowserSession),
            ("Path=/; Secure", BrowserSession),
            ("Max-Age=x", BrowserSession),
            ("Expires=never", BrowserSession),
            ("Max-Age=0", Deletion),
            ("max-age=-5; Expires=Tue, 24 Nov 2026 12:00:00 GMT", Deletion),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", Deletion),
            ("Max-Age=1", Hour),
            ("Max-Age=3600", Hour),
            ("Max-Age=3601", Day),
            ("Max-Age=7200; Max-Age=x", Day),
            ("Max-Age=60; Max-Age=604800", Week),
            ("Expires=Mon, 30 Nov 2026 12:00:00 GMT", Week),
            ("Expires=Mon, 30 Nov 2026 12:00:01 GMT; Expires", Month),
            ("Max-Age=31536000", Year),
            ("Max-Age=63072000", Longer),
            ("Max-Age=99999999999999999999", Longer),
            ("Expires=Fri, 31 Dec 2034 23:59:59 GMT; Max-Age=60", Hour),
        ] {
            let asked = Asked::read(attributes.as_bytes(), DATE_UNIX_S);
            assert_eq!(asked.lifetime, expected, "{attributes}");
        }
    }

    #[test]
    fn a2_attributes_are_told_by_name_and_by_value_only_from_a_closed_set() {
        let words = |attributes: &str| {
            let asked = Asked::read(attributes.as_bytes(), DATE_UNIX_S);
            asked.attributes.words().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(""), "");
        assert_eq!(words(" ; ;"), "");
        assert_eq!(
            words("PATH=/ada; domain=ada.example; secure; HttpOnly=x; Partitioned"),
            "Secure Domain HttpOnly Partitioned Path"
        );
        assert_eq!(words("samesite=lax; Priority=HIGH"), "Priority=High SameSite=Lax");
        assert_eq!(words("SameSite=ada; Priority=ada; ada=lovelace"), "Priority SameSite (other)");
        let all = Attributes::from_bits(u16::MAX);
        assert_eq!(all.words().count(), 16);
        assert_eq!(Attributes::from_bits(all.bits()), all);
        let union = Attributes::from_bits(1).union(Attributes::from_bits(2));
        assert_eq!(union.words().collect::<Vec<_>>(), ["Secure", "Domain"]);
    }
}
