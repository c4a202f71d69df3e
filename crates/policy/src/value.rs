//! The single values of a declaration. Each is checked when it is parsed, so its type guarantees its form.

use alloc::{borrow::ToOwned, format, string::String};
use core::{fmt, str::FromStr, time::Duration};

use crate::{
    limits::{MAX_ATTRIBUTE_BYTES, MAX_PAIR_BYTES},
    syntax::{is_cookie_value, is_token},
};

/// The lifetime of a cookie in whole seconds (D2): a tenant's session duration, or a declared cookie's fixed lifetime.
///
/// It is at least one minute, and at most 400 days, to which user agents limit a cookie's lifetime (RFC 6265bis,
/// section 5.5). `FromStr` reads `604800`, `90s`, `15m`, `2h`, `3d` and `1w`; `Display` writes the shortest form.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SessionDuration(u32);

impl SessionDuration {
    /// One week: the duration of a tenant that sets none (D1).
    pub const ONE_WEEK: Self = Self(604_800);
    /// The shortest duration, one minute.
    pub const MIN: Self = Self(60);
    /// The longest duration, 400 days.
    pub const MAX: Self = Self(34_560_000);

    /// Returns the number of seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// Returns the time as a standard `Duration`.
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

impl TryFrom<u64> for SessionDuration {
    type Error = ParseError;

    fn try_from(seconds: u64) -> Result<Self, ParseError> {
        let range = Self::MIN.0..=Self::MAX.0;
        let in_range = u32::try_from(seconds).ok().filter(|s| range.contains(s));
        in_range.map(Self).ok_or_else(|| ParseError::OutOfRange { found: format!("{seconds} s") })
    }
}

impl FromStr for SessionDuration {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text.get(digits.len()..).unwrap_or_default();
        let unit_s = match unit {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(ParseError::Duration { found: text.to_owned() }),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseError::Duration { found: text.to_owned() });
        }
        let out_of_range = || ParseError::OutOfRange { found: text.to_owned() };
        let count: u64 = digits.parse().map_err(|_| out_of_range())?;
        Self::try_from(count.saturating_mul(unit_s)).map_err(|_| out_of_range())
    }
}

impl fmt::Display for SessionDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            s if s.is_multiple_of(604_800) => (s / 604_800, "w"),
            s if s.is_multiple_of(86_400) => (s / 86_400, "d"),
            s if s.is_multiple_of(3_600) => (s / 3_600, "h"),
            s if s.is_multiple_of(60) => (s / 60, "m"),
            s => (s, "s"),
        };
        write!(f, "{number}{unit}")
    }
}

/// A path, or a prefix that ends in `/*` and also covers the prefix itself.
///
/// It is compared with the path of a request byte for byte, without percent-decoding and without the query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathPattern {
    /// This path only.
    Exact(String),
    /// This path (without a trailing slash; empty for `/*`) and all paths below it.
    Prefix(String),
}

impl PathPattern {
    /// Returns true if the pattern covers `path`.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|r| r.is_empty() || r.starts_with('/')),
        }
    }
}

impl FromStr for PathPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let prefix = text.strip_suffix("/*");
        let path = prefix.unwrap_or(text);
        let is_path_byte =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'?' | b'#');
        if !text.starts_with('/') || !path.bytes().all(is_path_byte) {
            return Err(ParseError::PathPattern { found: text.to_owned() });
        }
        Ok(match prefix {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(path.to_owned()),
        })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(prefix) => write!(f, "{prefix}/*"),
        }
    }
}

/// A cookie's name: a non-empty token (RFC 9110, section 5.6.2) of at most 128 bytes, because the audit cuts longer names
/// (A4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookieName(String);

/// A cookie's `Path`: visible ASCII without `;` that starts with `/`, at most 1024 bytes, because browsers ignore longer
/// attributes (RFC 6265bis, section 5.6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookiePath(String);

/// A cookie's `Domain`: a lower-case host name with at least two labels, no leading dot, no address, and no public
/// suffix such as `co.uk`, because browsers reject those (RFC 6265bis, section 5.7).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookieDomain(String);

/// A value that a declaration injects: cookie-octets (RFC 6265bis, section 4.1.1), possibly between one pair of double
/// quotes, at most 1024 bytes. It is published with the declaration, so it is not a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InjectedValue(String);

/// Implements parsing, `Display` and access to the text for a checked text.
macro_rules! checked_text {
    ($type:ident, $is_valid:expr, $error:ident) => {
        impl FromStr for $type {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if !is_valid(text) {
                    return Err(ParseError::$error { found: text.to_owned() });
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl $type {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the bytes of the text, which are ASCII.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
    };
}

checked_text!(
    CookieName,
    |text| is_token(text.as_bytes()) && text.len() <= MAX_NAME_BYTES,
    CookieName
);
checked_text!(
    CookiePath,
    |text| {
        let is_path_byte = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        text.starts_with('/') && text.bytes().all(is_path_byte) && text.len() <= MAX_ATTRIBUTE_BYTES
    },
    CookiePath
);
checked_text!(
    CookieDomain,
    |text| {
        let is_label_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(is_label_byte)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        text.len() <= 253
            && text.contains('.')
            && text.split('.').all(is_label)
            && !text.rsplit('.').next().is_none_or(is_number)
            && psl::domain_str(text).is_some()
    },
    CookieDomain
);
checked_text!(
    InjectedValue,
    |text| is_cookie_value(text.as_bytes()) && text.len() <= MAX_INJECTED_BYTES,
    InjectedValue
);

const MAX_NAME_BYTES: usize = 128;

const MAX_INJECTED_BYTES: usize = 1024;

const _: () =
    assert!(MAX_NAME_BYTES + MAX_INJECTED_BYTES <= MAX_PAIR_BYTES, "an injected value fits");

/// The reason why a text is not a valid value. The message contains the text that was found and the expected form; the
/// reader of the file adds the position.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// The text is not a [`CookieDomain`].
    #[error(
        "{found:?} is not a cookie domain: expected a host name in lower case with at least two labels, no leading dot, \
         no address and no public suffix, such as \"example.com\""
    )]
    CookieDomain {
        /// The text that was found.
        found: String,
    },
    /// The text is not a [`CookieName`].
    #[error(
        "{found:?} is not a cookie name: expected 1 to 128 letters, digits and !#$%&'*+-.^_`|~"
    )]
    CookieName {
        /// The text that was found.
        found: String,
    },
    /// The text is not a [`CookiePath`].
    #[error(
        "{found:?} is not a cookie path: expected a path that starts with \"/\", visible ASCII without \";\""
    )]
    CookiePath {
        /// The text that was found.
        found: String,
    },
    /// The text is not a duration.
    #[error(
        "{found:?} is not a duration: expected seconds, or a number with its unit such as 90s, 15m, 2h, 3d or 1w"
    )]
    Duration {
        /// The text that was found.
        found: String,
    },
    /// The text is not an [`InjectedValue`].
    #[error(
        "{found:?} is not a cookie value: expected at most 1024 bytes of visible ASCII without quotes, commas, semicolons \
         and backslashes"
    )]
    InjectedValue {
        /// The text that was found.
        found: String,
    },
    /// The text is a duration outside the range of [`SessionDuration`].
    #[error(
        "{found} is not a valid lifetime: expected from 60 s to 400 days (34560000 s), the limit of browsers"
    )]
    OutOfRange {
        /// The text that was found, or its number of seconds.
        found: String,
    },
    /// The text is not a [`PathPattern`].
    #[error(
        "{found:?} is not a path pattern: expected a path such as \"/login\", or a prefix such as \"/api/*\" (with the \
         star at the end, after a slash)"
    )]
    PathPattern {
        /// The text that was found.
        found: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_durations_are_read_and_shown_shortest() {
        for (text, seconds, shown) in [
            ("604800", 604_800, "1w"),
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("2h", 7_200, "2h"),
            ("72h", 259_200, "3d"),
            ("1w", 604_800, "1w"),
            ("60", 60, "1m"),
            ("400d", 34_560_000, "400d"),
            ("0060", 60, "1m"),
        ] {
            let duration: SessionDuration = text.parse().unwrap();
            assert_eq!((duration.seconds(), duration.to_string().as_str()), (seconds, shown));
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
        assert_eq!(SessionDuration::ONE_WEEK.duration(), Duration::from_secs(604_800));
    }

    #[test]
    fn d2_other_durations_are_errors_with_an_explanation() {
        for text in ["59", "0", "59s", "0w", "401d", "58w", "34560001", "99999999999999999999w"] {
            let error = text.parse::<SessionDuration>().unwrap_err();
            assert_eq!(error, ParseError::OutOfRange { found: text.to_owned() });
        }
        for text in ["", "s", "w1", "-60", "+60", "1.5h", "1 h", " 60", "2H", "1h30m", "1y", "٦٠"]
        {
            let error = text.parse::<SessionDuration>().unwrap_err();
            assert_eq!(error, ParseError::Duration { found: text.to_owned() });
        }
        assert_eq!(
            SessionDuration::try_from(30).unwrap_err().to_string(),
            "30 s is not a valid lifetime: expected from 60 s to 400 days (34560000 s), the limit of browsers"
        );
    }

    #[test]
    fn d3_path_patterns_are_read_and_shown() {
        for (text, expected) in [
            ("/login", PathPattern::Exact("/login".to_owned())),
            ("/", PathPattern::Exact("/".to_owned())),
            ("/api/*", PathPattern::Prefix("/api".to_owned())),
            ("/*", PathPattern::Prefix(String::new())),
        ] {
            assert_eq!(text.parse::<PathPattern>().unwrap(), expected);
            assert_eq!(expected.to_string(), text);
        }
        for text in ["", "api/*", "*", "/api*", "/*/x", "/a b", "/a?b", "/a#b", "/ä", "/*/*"] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
        assert!(PathPattern::Prefix(String::new()).matches("/anything"));
    }

    #[test]
    fn d_texts_that_would_break_a_field_are_errors() {
        for text in ["a", "XSRF-TOKEN", "__Host-a", "!#$%&'*+-.^_`|~09azAZ", &"n".repeat(128)] {
            assert!(text.parse::<CookieName>().is_ok(), "{text}");
        }
        for text in ["", "a b", "a=b", "a;b", "a,b", "a\"b", "[a]", "ä", "a\n", &"n".repeat(129)] {
            assert!(text.parse::<CookieName>().is_err(), "{text}");
        }
        for text in ["/", "/a/b", "/%20", "/*"] {
            assert!(text.parse::<CookiePath>().is_ok(), "{text}");
        }
        for text in ["", "a", "/a;b", "/a b", "/\r\n", "/ä", &format!("/{}", "p".repeat(1024))] {
            assert!(text.parse::<CookiePath>().is_err(), "{text}");
        }
        for text in ["example.com", "a.b-c.example.com", "xn--bcher-kva.example", "1.2.3.4.example"]
        {
            assert!(text.parse::<CookieDomain>().is_ok(), "{text}");
        }
        for text in [
            "",
            "localhost",
            ".example.com",
            "example.com.",
            "Example.com",
            "a..b",
            "-a.b",
            "a-.b",
            "192.0.2.1",
            "::1",
            "a_b.c",
            "a.b;c",
            "a.b c",
            "co.uk",
            "github.io",
        ] {
            assert!(text.parse::<CookieDomain>().is_err(), "{text}");
        }
        for text in ["", "1", "\"1\"", "a=b", "!#$%&'()*+-./:<=>?@[]^_`{|}~"] {
            assert!(text.parse::<InjectedValue>().is_ok(), "{text}");
        }
        for text in
            ["a b", "a;b", "a,b", "a\\b", "\"", "a\"b", "\"\"\"", "ä", "\u{7f}", &"v".repeat(1025)]
        {
            assert!(text.parse::<InjectedValue>().is_err(), "{text}");
        }
    }
}
