//! The form of values in a configuration: durations, quoted texts, words of closed sets.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

/// A value that `check --print` can write as TOML.
pub(super) trait Written {
    /// Returns the value in TOML. Reading it again gives the same value.
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
        quoted(&format_duration(*self))
    }
}

impl<T: Written> Written for Vec<T> {
    fn written(&self) -> String {
        format!("[{}]", self.iter().map(T::written).collect::<Vec<_>>().join(", "))
    }
}

/// A closed set of values, each with a word in the file.
pub(super) trait Choice: Copy + PartialEq + Sized + 'static {
    /// Every value with its word.
    const WORDS: &'static [(&'static str, Self)];

    /// Returns the word of this value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

impl<T: Choice> Written for T {
    fn written(&self) -> String {
        quoted(self.word())
    }
}

/// Reads a duration such as `90s`; `None` if it is malformed or overflows the seconds of a `u64`.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let number: u64 = number.parse().ok()?;
    if unit == "ms" {
        return Some(Duration::from_millis(number));
    }
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*seconds).map(Duration::from_secs)
}

/// Writes a duration as a configuration has it, in the largest unit that leaves no remainder: `90s`, `2h`.
pub fn format_duration(duration: Duration) -> String {
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

/// Units with their lengths in seconds, the largest first.
const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Writes a text as a basic string of TOML.
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

/// Writes a text in quotes for a message, cut after 80 characters.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((cut, _)) => format!("{}…", quoted(text.get(..cut).unwrap_or_default())),
        None => quoted(text),
    }
}

const EXCERPT_CHARACTERS: usize = 80;

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
        fn a_written_duration_reads_back_as_the_same_duration(milliseconds in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }

        #[test]
        fn a_quoted_text_reads_back_as_the_same_text(text: String) {
            let document = format!("key = {}", quoted(&text));
            let read: toml::Table = document.parse().unwrap();
            prop_assert_eq!(read["key"].as_str(), Some(text.as_str()));
        }
    }
}
