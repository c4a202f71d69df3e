//! Cookie names and their usual vendors.

use std::collections::HashMap;

use crumbgate_base::language::Language;

/// Entries by exact name and by prefix.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) exact: HashMap<String, Entry>,
    pub(super) prefixes: HashMap<String, Entry>,
}

/// The usual purpose of a cookie.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Category {
    /// Statistics of visits.
    Analytics,
    /// Functions that a visitor requested, but that are not necessary.
    Functional,
    /// Advertising.
    Marketing,
    /// Functions without which a website does not work.
    Necessary,
    /// Any other category.
    Other,
    /// Selection of the content for a visitor.
    Personalization,
    /// Protection of a website or its visitors.
    Security,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) platform: String,
    pub(super) category: Category,
    pub(super) en: String,
    pub(super) de: Option<String>,
}

impl Category {
    /// The word in this language.
    pub fn word(self, language: Language) -> &'static str {
        let (en, de) = match self {
            Self::Analytics => ("analytics", "Statistik"),
            Self::Functional => ("functional", "Funktion"),
            Self::Marketing => ("marketing", "Werbung"),
            Self::Necessary => ("necessary", "Notwendig"),
            Self::Other => ("other", "Sonstiges"),
            Self::Personalization => ("personalization", "Personalisierung"),
            Self::Security => ("security", "Sicherheit"),
        };
        match language {
            Language::De => de,
            Language::En => en,
        }
    }

    /// Parses the English word, in any case.
    pub(super) fn read(word: &str) -> Self {
        let categories = [
            Self::Analytics,
            Self::Functional,
            Self::Marketing,
            Self::Necessary,
            Self::Personalization,
            Self::Security,
        ];
        let is_it = |category: &Self| category.word(Language::En).eq_ignore_ascii_case(word.trim());
        categories.into_iter().find(is_it).unwrap_or(Self::Other)
    }
}
