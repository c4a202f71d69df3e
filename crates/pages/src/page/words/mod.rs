//! The texts of the pages in each language.

mod de;
mod en;
mod texts;

pub(in crate::page) use texts::Words;

use crumbgate_base::language::{Language, Translations};

static WORDS: Translations<Words> = Translations { de: de::WORDS, en: en::WORDS };

impl Words {
    /// Returns the texts in this language.
    pub(in crate::page) fn of(language: Language) -> &'static Self {
        WORDS.of(language)
    }
}
