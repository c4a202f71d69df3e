//! The languages that people are shown things in, and what all of them share.

/// A language of reports.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
}

/// A number with `mark` between its thousands: `1,234,567`.
pub fn grouped(number: u64, mark: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push_str(mark);
        }
        grouped.push(digit);
    }
    grouped
}
