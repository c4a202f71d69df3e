//! Text from outside in a file that a spreadsheet opens (A4).

use std::borrow::Cow;

/// The text as a cell that no spreadsheet takes for a formula: where it could, an apostrophe stands before it, as
/// OWASP advises ("CSV Injection").
///
/// This is half of it. The writer of the file must quote every cell: in one that is not quoted, a `;` begins a new
/// cell for whoever's spreadsheet separates them so, and what follows it is not seen here.
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    // Spreadsheets drop spaces before they look.
    if text.trim_start_matches(' ').starts_with(BEGINS_FORMULA) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The last four are the wide forms of the first four, which some spreadsheets read alike.
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
    fn a4_what_is_no_formula_stays() {
        for text in ["", "_ga_{id}", "a=b", "'=1", "1-2", "Zählt Besuche."] {
            assert!(matches!(csv_cell(text), Cow::Borrowed(kept) if kept == text));
        }
    }
}
