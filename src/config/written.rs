//! Values as a configuration writes them: durations, numbers and names are read here, and every value is written back.

use std::{
    fmt::Display,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;

use super::reader::{Node, suggestion};

/// A value that `--print` can write as TOML.
pub(super) trait Written {
    /// The value in TOML: what is read from it is the same value.
    fn written(&self) -> String;
}

impl Written for bool {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for u32 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for u64 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for usize {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for String {
    fn written(&self) -> String {
        quoted(self)
    }
}

impl Written for PathBuf {
    fn written(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Written for SocketAddr {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Written for IpNet {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Written for Duration {
    fn written(&self) -> String {
        quoted(&spoken(*self))
    }
}

impl<T: Written> Written for Vec<T> {
    fn written(&self) -> String {
        format!("[{}]", self.iter().map(T::written).collect::<Vec<_>>().join(", "))
    }
}

/// A value out of a closed set, each with its word.
pub(super) trait Choice: Copy + PartialEq + Sized + 'static {
    /// Every value, with the word that stands for it in the file.
    const WORDS: &'static [(&'static str, Self)];

    /// The word that stands for it.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

impl<T: Choice> Written for T {
    fn written(&self) -> String {
        quoted(self.word())
    }
}

impl Node<'_> {
    /// One of a closed set of words.
    pub(super) fn choice<T: Choice>(&self) -> Option<T> {
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        let text = self.as_text().unwrap_or_default();
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let quoted_words: Vec<_> = words().map(quoted).collect();
        let (last, others) = quoted_words.split_last()?;
        let expected = format!("{} or {last}", others.join(", "));
        let near = suggestion(text, words()).or(words().next()).unwrap_or_default();
        self.refuse(expected, format!("write {}", quoted(near)))
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<u64>,
    {
        let found = self.as_number();
        let number = found.and_then(|number| T::try_from(number).ok());
        number.filter(|number| range.contains(number)).or_else(|| {
            let (low, high) = (range.start(), range.end());
            let help = match (found, number.filter(|number| number < low)) {
                (Some(_), Some(_)) => format!("write {low}, the least"),
                (Some(_), None) => format!("write {high}, the most"),
                (None, _) => "write a number without quotes, sign and unit".to_owned(),
            };
            self.refuse(format!("a whole number from {low} to {high}"), help)
        })
    }

    /// A duration within bounds.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let duration = match self.as_number() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => self.as_text().and_then(parse_duration),
        };
        duration.filter(|duration| range.contains(duration)).or_else(|| {
            let (low, high) = (range.start().written(), range.end().written());
            let help = match duration {
                Some(duration) if duration < *range.start() => format!("write {low}, the least"),
                Some(_) => format!("write {high}, the most"),
                None => DURATION_HELP.to_owned(),
            };
            self.refuse(format!("a duration from {low} to {high}"), help)
        })
    }

    /// A value of a type that says itself what it expects.
    pub(super) fn parsed<T>(&self, help: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        self.text()?.parse().map_err(|error: T::Err| self.error::<()>(error.to_string(), help)).ok()
    }

    /// The path of a file.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.is_empty() || text.contains('\0') {
            return self.refuse("the path of a file", PATH_HELP);
        }
        Some(Path::new(text).to_owned())
    }
}

/// What a duration looks like.
pub(super) const DURATION_HELP: &str =
    "write a number of seconds, or \"500ms\", \"90s\", \"15m\", \"2h\", \"3d\", \"1w\"";

const PATH_HELP: &str = "a relative path starts at the folder of the configuration file";

/// Reads `90s`; `None` where it is no duration, or longer than a number of seconds can say.
fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let number: u64 = number.parse().ok()?;
    if unit == "ms" {
        return Some(Duration::from_millis(number));
    }
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*seconds).map(Duration::from_secs)
}

/// A duration as a person would write it: in the largest unit that leaves no rest.
pub fn spoken(duration: Duration) -> String {
    if duration.subsec_nanos() != 0 {
        return format!("{}ms", duration.as_millis());
    }
    let seconds = duration.as_secs();
    let fits = |(_, unit): &&(&str, u64)| seconds >= *unit && seconds.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((name, unit)) => format!("{}{name}", seconds / unit),
        None => "0s".to_owned(),
    }
}

/// Units in seconds, the largest first.
const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A basic string of TOML.
pub fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_has_one_number_and_one_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7_200), ("1w", 604_800)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        for text in
            ["", "s", "90", "90 s", "-1s", "1.5h", "1h30m", "1S", "1y", "99999999999999999w"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_spoken_is_read_back(milliseconds in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&spoken(duration)), Some(duration));
        }

        #[test]
        fn what_is_quoted_is_read_back(text: String) {
            let document = format!("key = {}", quoted(&text));
            let read: toml::Table = document.parse().unwrap();
            prop_assert_eq!(read["key"].as_str(), Some(text.as_str()));
        }
    }
}
