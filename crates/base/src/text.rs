//! Forms of bytes and moments as text, and text that is safe to print.

use std::ops::Range;

use time::{Date, Month, OffsetDateTime, Time};

/// The bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A moment in UTC, to the second: `2026-11-25T20:00:00Z` (RFC 3339). The year 9999 is the last.
pub fn rfc3339(unix_s: u64) -> String {
    String::from_utf8_lossy(&rfc3339_bytes(unix_s)).into_owned()
}

/// The bytes of [`rfc3339`], without an allocation: every line of the ledger has up to three of them.
pub fn rfc3339_bytes(unix_s: u64) -> [u8; 20] {
    let seconds = i64::try_from(unix_s).unwrap_or(LAST_UNIX_S).min(LAST_UNIX_S);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let mut text = *b"0000-00-00T00:00:00Z";
    let century = u8::try_from(year / 100).unwrap_or_default();
    let year = u8::try_from(year % 100).unwrap_or_default();
    let parts = [(0, century), (2, year), (5, u8::from(month)), (8, day)];
    for (at, number) in parts.into_iter().chain([(11, hour), (14, minute), (17, second)]) {
        text[at] += number / 10;
        text[at + 1] += number % 10;
    }
    text
}

/// Reads a moment in exactly the form that [`rfc3339`] writes, in seconds since the Unix epoch. `None` for any other form.
pub fn unix_s_of(text: &str) -> Option<u64> {
    let number = |range: Range<usize>| text.get(range)?.parse::<u16>().ok();
    let small = |range: Range<usize>| u8::try_from(number(range)?).ok();
    let month = Month::try_from(small(5..7)?).ok()?;
    let date = Date::from_calendar_date(number(0..4)?.into(), month, small(8..10)?).ok()?;
    let time = Time::from_hms(small(11..13)?, small(14..16)?, small(17..19)?).ok()?;
    let unix_s = u64::try_from(date.with_time(time).assume_utc().unix_timestamp()).ok()?;
    // Compares the separators and the number of digits.
    (rfc3339_bytes(unix_s) == text.as_bytes()).then_some(unix_s)
}

/// 9999-12-31T23:59:59Z
const LAST_UNIX_S: i64 = 253_402_300_799;

/// The text with U+FFFD in place of each control character but the tab: a terminal would obey them. The number of
/// characters stays the same, so columns stay aligned.
pub fn printable(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && c != '\t';
    text.replace(obeyed, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_moment_is_that_of_the_year_9999() {
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(unix_s_of("9999-12-31T23:59:59Z"), Some(253_402_300_799));
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_428_060, "2026-11-23T10:01:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix_s), text);
            assert_eq!(unix_s_of(text), Some(unix_s));
        }
        for text in ["", "2026-02-29T00:00:00Z", "2026-11-23T10:01:00", "2026-11-23 10:01:00Z"] {
            assert_eq!(unix_s_of(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_become_two_digits_each() {
        assert_eq!(hex(&[0, 0xab, 0x0f]), "00ab0f");
    }

    #[test]
    fn no_control_character_but_the_tab_is_printed() {
        assert_eq!(printable("a\tb\u{1b}[31mc\n"), "a\tb\u{fffd}[31mc\u{fffd}");
    }
}
