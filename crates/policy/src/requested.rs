//! The lifetime and attributes that the upstream requested for a cookie, coarse enough to identify nobody (A2).

/// The lifetime and attributes that one `Set-Cookie` field requested.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RequestedAttributes {
    /// The requested lifetime, in coarse steps.
    pub lifetime: RequestedLifetime,
    /// The names of the attributes.
    pub attributes: Attributes,
}

/// A requested lifetime in coarse steps. A month has 31 days, a year 366.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RequestedLifetime {
    /// Until the browser closes: neither `Max-Age` nor `Expires`.
    #[default]
    BrowserSession,
    /// Deletion: a `Max-Age` of zero or less, or an `Expires` in the past.
    Deletion,
    /// At most an hour.
    Hour,
    /// At most a day.
    Day,
    /// At most a week.
    Week,
    /// At most a month.
    Month,
    /// At most a year.
    Year,
    /// More than a year.
    Longer,
}

/// A set of attribute names. `SameSite` and `Priority` include the value, because it is one of a closed set.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Attributes(u16);

impl RequestedLifetime {
    /// Every step, shortest first, in the order of the discriminants.
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

    /// Returns the word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BrowserSession => "browser session",
            Self::Deletion => "deletion",
            Self::Hour => "<=1h",
            Self::Day => "<=1d",
            Self::Week => "<=1w",
            Self::Month => "<=1month",
            Self::Year => "<=1y",
            Self::Longer => ">1y",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::BrowserSession => 1,
            Self::Deletion => 2,
            Self::Hour => 3,
            Self::Day => 4,
            Self::Week => 5,
            Self::Month => 6,
            Self::Year => 7,
            Self::Longer => 8,
        }
    }

    /// Returns the step of a lifetime in seconds; zero or less is a deletion.
    pub(crate) fn of_seconds(seconds: i64) -> Self {
        const DAY: i64 = 86_400;
        const STEPS: [(i64, RequestedLifetime); 6] = [
            (0, RequestedLifetime::Deletion),
            (3_600, RequestedLifetime::Hour),
            (DAY, RequestedLifetime::Day),
            (7 * DAY, RequestedLifetime::Week),
            (31 * DAY, RequestedLifetime::Month),
            (366 * DAY, RequestedLifetime::Year),
        ];
        let fits = STEPS.iter().find(|(most, _)| seconds <= *most);
        fits.map_or(Self::Longer, |(_, step)| *step)
    }
}

impl Attributes {
    pub(crate) const EXPIRES: Self = Self(1 << 2);
    pub(crate) const MAX_AGE: Self = Self(1 << 4);
    pub(crate) const SAME_SITE_LAX: Self = Self(1 << 10);
    pub(crate) const SAME_SITE_NONE: Self = Self(1 << 11);
    pub(crate) const SAME_SITE_STRICT: Self = Self(1 << 12);
    const OTHER: Self = Self(1 << 15);

    /// The words of the bits, lowest bit first.
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

    /// Returns the set as a number, for storage.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Returns the set of a number that [`Attributes::bits`] returned.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Returns the attributes that are in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Lists the attributes as they are written in a field. `(other)` stands for attributes that neither RFC 6265bis nor
    /// browsers know, and a bare `SameSite` or `Priority` for an unknown value.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let is_set =
            move |(bit, _): &(u32, _)| self.0.checked_shr(*bit).is_some_and(|b| b & 1 == 1);
        (0..).zip(Self::WORDS).filter(is_set).map(|(_, word)| word)
    }

    /// Returns true if the set contains all of `other`.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the set that holds this one attribute.
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Self {
        // The common spellings are compared first, because this runs for each attribute of each response.
        let is = |usual: &[&[u8]], word: &str| {
            usual.contains(&name) || name.eq_ignore_ascii_case(word.as_bytes())
        };
        let says = |usual: &[&[u8]], word: &str| {
            usual.contains(&value) || value.eq_ignore_ascii_case(word.as_bytes())
        };
        match name.len() {
            4 if is(&[b"Path", b"path"], "path") => Self(1 << 6),
            6 if is(&[b"Secure", b"secure"], "secure") => Self(1),
            6 if is(&[b"Domain", b"domain"], "domain") => Self(1 << 1),
            7 if is(&[b"Max-Age", b"max-age"], "max-age") => Self::MAX_AGE,
            7 if is(&[b"Expires", b"expires"], "expires") => Self::EXPIRES,
            8 if is(&[b"HttpOnly", b"httponly"], "httponly") => Self(1 << 3),
            8 if is(&[b"SameSite", b"samesite"], "samesite") => match () {
                () if says(&[b"Lax", b"lax"], "lax") => Self::SAME_SITE_LAX,
                () if says(&[b"None", b"none"], "none") => Self::SAME_SITE_NONE,
                () if says(&[b"Strict", b"strict"], "strict") => Self::SAME_SITE_STRICT,
                () => Self(1 << 14),
            },
            8 if is(&[], "priority") => match () {
                () if says(&[], "high") => Self(1 << 7),
                () if says(&[], "low") => Self(1 << 8),
                () if says(&[], "medium") => Self(1 << 9),
                () => Self(1 << 13),
            },
            11 if is(&[], "partitioned") => Self(1 << 5),
            _ => Self::OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Terms;

    /// 2026-11-23 12:00:00 UTC
    const DATE_UNIX_S: u64 = 1_795_435_200;

    #[test]
    fn a2_a_lifetime_is_reported_in_coarse_steps() {
        use RequestedLifetime::*;
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
            let asked = Terms::read(attributes.as_bytes(), DATE_UNIX_S).requested();
            assert_eq!(asked.lifetime, expected, "{attributes}");
        }
    }

    #[test]
    fn a2_attributes_are_reported_by_name_and_by_value_only_from_a_closed_set() {
        let words = |attributes: &str| {
            let asked = Terms::read(attributes.as_bytes(), DATE_UNIX_S).requested();
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
