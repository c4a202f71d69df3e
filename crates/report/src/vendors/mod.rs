//! Who usually sets a cookie of this name: a naming aid for reports. A hit says who uses the name, never that this
//! cookie is that one.

mod built_in;
mod open_cookie_database;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, path::Path};

pub use open_cookie_database::CatalogueError;

use super::Usually;
use crumbgate_base::language::Language;

/// Names of cookies, and who usually sets them.
#[derive(Debug, Default)]
pub struct Catalogue {
    exact: HashMap<String, Entry>,
    prefixes: HashMap<String, Entry>,
}

/// Who usually sets a cookie, and what for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vendor<'a> {
    /// The product: "Google Analytics".
    pub platform: &'a str,
    /// What it usually serves.
    pub category: Category,
    entry: &'a Entry,
}

/// What a cookie usually serves.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Category {
    /// Statistics of visits.
    Analytics,
    /// What a visitor asked for, and could do without.
    Functional,
    /// Advertising.
    Marketing,
    /// What a website can't do without.
    Necessary,
    /// A word that is none of these.
    Other,
    /// What a visitor is shown.
    Personalization,
    /// Protection of a website or its visitors.
    Security,
}

#[derive(Debug, Eq, PartialEq)]
struct Entry {
    platform: String,
    category: Category,
    en: String,
    de: Option<String>,
}

impl Catalogue {
    /// The best-known cookies of others, described in English and German.
    pub fn built_in() -> Self {
        built_in::read()
    }

    /// The same and what the Open Cookie Database (a CSV file) says; where both know a name, the file's entry counts,
    /// and of several rows of one name the first. Its descriptions are English.
    ///
    /// # Errors
    ///
    /// Where the file can't be read, is too large, or is no such file.
    pub fn with_open_cookie_database(path: &Path) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::built_in();
        let file = open_cookie_database::read(path)?;
        catalogue.exact.extend(file.exact);
        catalogue.prefixes.extend(file.prefixes);
        Ok(catalogue)
    }

    /// Who usually sets the cookies of this [template](crumbgate_audit::name_template): an entry of exactly that name, or
    /// else the one of its longest known prefix. Case counts.
    pub fn find(&self, template: &str) -> Option<Vendor<'_>> {
        let longest_prefix = || {
            let prefixes = (1..=template.len()).rev().filter_map(|length| template.get(..length));
            prefixes.filter_map(|prefix| self.prefixes.get(prefix)).next()
        };
        let entry = self.exact.get(template).or_else(longest_prefix)?;
        Some(Vendor { platform: &entry.platform, category: entry.category, entry })
    }

    /// The same as a report says it.
    pub fn usually(&self, template: &str, language: Language) -> Option<Usually> {
        let vendor = self.find(template)?;
        let description = vendor.description(language);
        Some(Usually {
            platform: vendor.platform.to_owned(),
            category: vendor.category.word(language).to_owned(),
            description: (!description.is_empty()).then(|| description.to_owned()),
        })
    }
}

impl<'a> Vendor<'a> {
    /// What the cookie is for, in a sentence or two; in English where there is none in this language.
    pub fn description(&self, language: Language) -> &'a str {
        match language {
            Language::De => self.entry.de.as_ref().unwrap_or(&self.entry.en),
            Language::En => &self.entry.en,
        }
    }
}

impl Category {
    /// The word for it.
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

    /// Of its English word, in whatever case.
    fn read(word: &str) -> Self {
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
