//! A catalogue of cookie names and their usual vendors, as a hint in reports. A match means that the vendor uses the name,
//! and not that a cookie is the vendor's.

mod built_in;
mod names;
mod open_cookie_database;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use names::Category;
pub use open_cookie_database::CatalogueError;

use crate::stripped::VendorHint;
use crumbgate_base::language::Language;
use names::{Entry, Names};

/// Names of cookies, and their usual vendors.
#[derive(Debug)]
pub struct Catalogue(Names);

/// The usual vendor and purpose of a cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vendor<'a> {
    /// The product, such as "Google Analytics".
    pub platform: &'a str,
    /// The usual purpose.
    pub category: Category,
    entry: &'a Entry,
}

impl Catalogue {
    /// The built-in catalogue of well-known cookies, with descriptions in English and German.
    pub fn built_in() -> Self {
        Self(built_in::read())
    }

    /// The built-in catalogue, extended by the Open Cookie Database (a CSV file). The file's entries replace built-in ones
    /// of the same name; of several rows with one name the first counts. Its descriptions are in English.
    ///
    /// # Errors
    ///
    /// The file can't be read, is too large, or is not an Open Cookie Database.
    pub fn with_open_cookie_database(path: &Path) -> Result<Self, CatalogueError> {
        let mut names = built_in::read();
        let file = open_cookie_database::read(path)?;
        names.exact.extend(file.exact);
        names.prefixes.extend(file.prefixes);
        Ok(Self(names))
    }

    /// The usual vendor of the cookies with this [template](crumbgate_audit::name_template): the entry of exactly this
    /// name, or else of the longest known prefix. Case-sensitive.
    pub fn find(&self, template: &str) -> Option<Vendor<'_>> {
        let longest_prefix = || {
            let prefixes = (1..=template.len()).rev().filter_map(|length| template.get(..length));
            prefixes.filter_map(|prefix| self.0.prefixes.get(prefix)).next()
        };
        let entry = self.0.exact.get(template).or_else(longest_prefix)?;
        Some(Vendor { platform: &entry.platform, category: entry.category, entry })
    }

    /// The usual vendor in the form of a report.
    pub fn usually(&self, template: &str, language: Language) -> Option<VendorHint> {
        let vendor = self.find(template)?;
        let description = vendor.description(language);
        Some(VendorHint {
            platform: vendor.platform.to_owned(),
            purpose: vendor.category,
            category: vendor.category.word(language).to_owned(),
            description: (!description.is_empty()).then(|| description.to_owned()),
        })
    }
}

impl<'a> Vendor<'a> {
    /// The purpose of the cookie in one or two sentences, in English where there is no text in this language.
    pub fn description(&self, language: Language) -> &'a str {
        match language {
            Language::De => self.entry.de.as_ref().unwrap_or(&self.entry.en),
            Language::En => &self.entry.en,
        }
    }
}
