//! Makes text from outside harmless for terminals, pages and spreadsheets (A4).

use std::borrow::Cow;

/// Writes characters that act instead of being shown as `\u{…}`: control characters (terminal escapes), characters that
/// change the direction of writing, and characters without width.
///
/// All other characters stay: each output format escapes `<`, `=` and so on itself.
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

/// True for a character that acts instead of being shown.
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
    fn a4_characters_that_act_are_escaped() {
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
