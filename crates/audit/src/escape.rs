//! Untrusted text in a CSV file (A4).

use std::borrow::Cow;

/// Escapes a cell so that no spreadsheet takes it for a formula: puts an apostrophe before text that could be one, as
/// OWASP advises ("CSV Injection").
///
/// The caller must also quote every cell. In an unquoted cell, a `;` begins a new cell for spreadsheets that separate
/// by semicolons, and this function does not check the text after it.
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    // Spreadsheets ignore leading spaces.
    if text.trim_start_matches(' ').starts_with(BEGINS_FORMULA) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Characters that begin a formula. The last four are full-width forms of the first four, which some spreadsheets treat
/// alike.
const BEGINS_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a4_no_cell_is_a_formula() {
        for begin in BEGINS_FORMULA {
            for text in [format!("{begin}1+1"), format!("  {begin}cmd|' /C calc'!A0")] {
                assert_eq!(csv_cell(&text), format!("'{text}"));
            }
        }
    }

    #[test]
    fn a4_text_that_is_no_formula_stays() {
        for text in ["", "_ga_{id}", "a=b", "'=1", "1-2", "Zählt Besuche."] {
            assert!(matches!(csv_cell(text), Cow::Borrowed(kept) if kept == text));
        }
    }
}
