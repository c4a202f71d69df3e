//! The texts of the dashboard in each language. A text that is missing in one language is a compile error.

mod de;
mod en;
mod texts;

pub(super) use texts::{Unit, Words};

use crumbgate_base::language::Language;

/// The texts in this language.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::De => &de::WORDS,
        Language::En => &en::WORDS,
    }
}
