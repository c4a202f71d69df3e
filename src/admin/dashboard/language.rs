//! In which language the dashboard is shown: the one that the address names, or else the one that the browser prefers.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use serde::Deserialize;

use crate::ledger::Language;

/// A language, as the address names it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tongue {
    De,
    En,
}

/// The language that was asked for.
pub(super) fn language(asked: Option<Tongue>, fields: &HeaderMap) -> Language {
    match asked {
        Some(Tongue::De) => Language::De,
        Some(Tongue::En) => Language::En,
        None => preferred(fields),
    }
}

/// What the browser prefers (RFC 9110, section 12.5.4). English where it prefers neither.
fn preferred(fields: &HeaderMap) -> Language {
    let values = fields.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let (mut best, mut best_weight) = (Language::En, 0);
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, per_mille);
        let language = match tag.split('-').next().unwrap_or_default() {
            primary if primary.eq_ignore_ascii_case("de") => Language::De,
            primary if primary.eq_ignore_ascii_case("en") => Language::En,
            _ => continue,
        };
        if weight > best_weight {
            (best, best_weight) = (language, weight);
        }
    }
    best
}

/// A weight from 0 to 1 with up to three digits; 0 where it is none.
fn per_mille(weight: &str) -> u32 {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = format!("{whole}{rest:0<3}");
    digits.parse().ok().filter(|weight| rest.len() <= 3 && *weight <= 1_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_address_or_else_of_the_browser() {
        for (accepted, expected) in [
            ("", Language::En),
            ("de", Language::De),
            ("de-AT,de;q=0.9,en;q=0.8", Language::De),
            ("en-GB,de;q=0.9", Language::En),
            ("fr, en;q=0.2, de;q=0.25", Language::De),
            ("fr", Language::En),
            ("de;q=0, fr", Language::En),
            ("de;q=nonsense", Language::En),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(language(None, &fields), expected, "{accepted}");
            assert_eq!(language(Some(Tongue::En), &fields), Language::En);
        }
    }
}
