//! Texts that come from outside, made harmless for whatever shows them (A4).

use std::borrow::Cow;

/// The text with each character that would do something instead of being seen written as `\u{…}`: control characters
/// (terminal escapes), those that turn the direction of writing, and those that have no width.
///
/// What is seen is otherwise as it came: `<`, `=` and the like are for each format to deal with.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether a character does something instead of being seen.
pub(super) fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a4_what_acts_is_shown_instead() {
        for (text, shown) in [
            ("_ga", "_ga"),
            ("größe", "größe"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("a\u{200b}b\r\n\t", "a\\u{200b}b\\u{d}\\u{a}\\u{9}"),
            ("<script>", "<script>"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
