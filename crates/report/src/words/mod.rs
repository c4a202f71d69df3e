//! The texts of a report in each language. A text that is missing in one language is a compile error.

mod de;
mod en;
mod texts;

pub(super) use texts::Words;

use crumbgate_base::language::{Language, Translations};

static WORDS: Translations<Words> = Translations { de: de::WORDS, en: en::WORDS };

/// The texts of reports in this language.
pub(super) fn words(language: Language) -> &'static Words {
    WORDS.of(language)
}
