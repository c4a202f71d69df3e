//! The languages of texts for people, and the choice of the one that a browser prefers.

#[cfg(feature = "http")]
use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use serde::Deserialize;

/// A language of texts for people.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::De, Self::En];

    /// Returns the language tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    /// Returns the language that a browser prefers (RFC 9110, section 12.5.4), or English if it prefers neither.
    #[cfg(feature = "http")]
    pub fn preferred(fields: &HeaderMap) -> Self {
        let values = fields.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let (mut best, mut best_weight) = (Self::En, 0);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, per_mille);
            let primary = tag.split('-').next().unwrap_or_default();
            let known = Self::ALL.into_iter().find(|l| primary.eq_ignore_ascii_case(l.tag()));
            let Some(language) = known else { continue };
            if weight > best_weight {
                (best, best_weight) = (language, weight);
            }
        }
        best
    }
}

/// Reads a weight from 0 to 1 with up to three digits, in thousandths. A malformed weight is 0.
#[cfg(feature = "http")]
fn per_mille(weight: &str) -> u32 {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = format!("{whole}{rest:0<3}");
    digits.parse().ok().filter(|weight| rest.len() <= 3 && *weight <= 1_000).unwrap_or(0)
}

/// A value for each language, such as the texts of a page. A language without a value does not compile.
#[derive(Clone, Copy, Debug)]
pub struct Translations<T> {
    /// The German one.
    pub de: T,
    /// The English one.
    pub en: T,
}

impl<T> Translations<T> {
    /// Returns the value for a language.
    pub const fn of(&self, language: Language) -> &T {
        match language {
            Language::De => &self.de,
            Language::En => &self.en,
        }
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_prefers() {
        for (accepted, expected) in [
            ("", Language::En),
            ("de", Language::De),
            ("DE-ch", Language::De),
            ("de-AT,de;q=0.9,en;q=0.8", Language::De),
            ("en-GB,de;q=0.9", Language::En),
            ("fr, en;q=0.2, de;q=0.25", Language::De),
            ("fr", Language::En),
            ("de;q=0, fr", Language::En),
            ("de;q=nonsense", Language::En),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Language::preferred(&fields), expected, "{accepted}");
        }
    }
}
