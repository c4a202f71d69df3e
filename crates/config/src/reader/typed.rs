//! Values of common types: numbers, durations, words, paths.

use std::{
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::node::Node;
use crate::{
    suggestion::suggestion,
    written::{Choice, Written, parse_duration, quoted},
};

impl Node<'_> {
    /// Reads a word of a closed set.
    pub(crate) fn choice<T: Choice>(&self) -> Option<T> {
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

    /// Reads a whole number within bounds.
    pub(crate) fn number<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<u64>,
    {
        let found = self.as_number();
        let number = found.and_then(|number| T::try_from(number).ok());
        number.filter(|number| range.contains(number)).or_else(|| {
            let (low, high) = (range.start(), range.end());
            let help = match (found, number.filter(|number| number < low)) {
                (Some(_), Some(_)) => format!("write {low}, the smallest value"),
                (Some(_), None) => format!("write {high}, the largest value"),
                (None, _) => "write a number without quotes, sign or unit".to_owned(),
            };
            self.refuse(format!("a whole number from {low} to {high}"), help)
        })
    }

    /// Reads a duration within bounds.
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let duration = match self.as_number() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => self.as_text().and_then(parse_duration),
        };
        duration.filter(|duration| range.contains(duration)).or_else(|| {
            let (low, high) = (range.start().written(), range.end().written());
            let help = match duration {
                Some(duration) if duration < *range.start() => {
                    format!("write {low}, the smallest value")
                }
                Some(_) => format!("write {high}, the largest value"),
                None => DURATION_HELP.to_owned(),
            };
            self.refuse(format!("a duration from {low} to {high}"), help)
        })
    }

    /// Reads a value of a type whose error states what it expects.
    pub(crate) fn parsed<T>(&self, help: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        self.text()?.parse().map_err(|error: T::Err| self.error::<()>(error.to_string(), help)).ok()
    }

    /// Reads the path of a file.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.is_empty() || text.contains('\0') {
            return self.refuse("the path of a file", PATH_HELP);
        }
        Some(Path::new(text).to_owned())
    }
}

const DURATION_HELP: &str = "write a number of seconds, or a number with a unit: \"500ms\", \"90s\", \"15m\", \"2h\", \"3d\", \"1w\"";

const PATH_HELP: &str =
    "write the path of a file; a relative path is relative to the folder of the configuration file";
