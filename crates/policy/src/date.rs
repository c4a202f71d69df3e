//! Reads and writes cookie dates as seconds since the Unix epoch.
//!
//! Dates are read as a browser reads them: RFC 6265bis, section 5.1.1, finds a time, a day, a month and a year in almost
//! any text. They are written as an IMF-fixdate (RFC 9110, section 5.6.7). Neither direction allocates. The calendar is
//! the `time` crate's.

use time::{Date, Month, Time, UtcDateTime};

/// 9999-12-31 23:59:59, the last second that an IMF-fixdate can express. Later seconds are written as this one.
pub const LAST_UNIX_S: u64 = 253_402_300_799;

/// The text of a date as an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImfFixdate([u8; 29]);

impl ImfFixdate {
    /// The Unix epoch: the `Expires` of each deletion (S4, E1).
    pub const EPOCH: Self = Self(*b"Thu, 01 Jan 1970 00:00:00 GMT");

    /// Writes a second since the Unix epoch, at most [`LAST_UNIX_S`].
    pub fn new(unix_s: u64) -> Self {
        let in_range = i64::try_from(unix_s.min(LAST_UNIX_S)).ok();
        let Some(date) = in_range.and_then(|s| UtcDateTime::from_unix_timestamp(s).ok()) else {
            return Self::EPOCH; // Unreachable: every second up to LAST_UNIX_S is a date.
        };
        let [w1, w2, w3] = weekday_text(date);
        let [d1, d2] = two_digits(date.day());
        let [m1, m2, m3] = month_text(date.month());
        let [y1, y2, y3, y4] = four_digits(date.year());
        let [h1, h2] = two_digits(date.hour());
        let [i1, i2] = two_digits(date.minute());
        let [s1, s2] = two_digits(date.second());
        #[rustfmt::skip]
        let text = [
            w1, w2, w3, b',', b' ', d1, d2, b' ', m1, m2, m3, b' ', y1, y2, y3, y4, b' ',
            h1, h2, b':', i1, i2, b':', s1, s2, b' ', b'G', b'M', b'T',
        ];
        Self(text)
    }

    /// Returns the text: visible ASCII and spaces.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads a cookie date (RFC 6265bis, section 5.1.1) as seconds since the Unix epoch, negative before it.
///
/// `None` if the text contains no date, or one outside the years 1601 to 9999.
pub fn parse_cookie_date(text: &[u8]) -> Option<i64> {
    let DateParts { time: (hour, minute, second), day, month, year } =
        DateParts::in_usual_form(text).or_else(|| DateParts::in_any_form(text))?;
    let year = match year {
        70..=99 => year.checked_add(1900)?,
        0..=69 => year.checked_add(2000)?,
        year => year,
    };
    if year < 1601 {
        return None;
    }
    let day = u8::try_from(day).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
    Some(UtcDateTime::new(date, Time::from_hms(hour, minute, second).ok()?).unix_timestamp())
}

/// The parts of a date as the text names them. The date itself may not exist, such as 30 February.
struct DateParts {
    time: (u8, u8, u8),
    day: u16,
    month: Month,
    year: u16,
}

impl DateParts {
    /// Reads the form `Sun, 06 Nov 1994 08:49:37 GMT`, with spaces or dashes in the date. Almost every date has this form.
    /// The result is that of `in_any_form`, in a tenth of the time.
    fn in_usual_form(text: &[u8]) -> Option<Self> {
        #[rustfmt::skip]
        let &[
            w1, w2, w3, b',', b' ', d1, d2, b' ' | b'-', m1, m2, m3, b' ' | b'-', y1, y2, y3, y4, b' ',
            h1, h2, b':', i1, i2, b':', s1, s2, b' ', b'G', b'M', b'T',
        ] = text else { return None };
        if !WEEKDAYS.contains(&[w1, w2, w3]) {
            return None;
        }
        let number = |[tens, ones]: [u8; 2]| {
            (tens.is_ascii_digit() && ones.is_ascii_digit())
                .then(|| (tens & 0xf).wrapping_mul(10).wrapping_add(ones & 0xf))
        };
        let (century, year) = (number([y1, y2])?, number([y3, y4])?);
        Some(Self {
            time: (number([h1, h2])?, number([i1, i2])?, number([s1, s2])?),
            day: number([d1, d2])?.into(),
            month: read_month(&[m1, m2, m3])?,
            year: u16::from(century).wrapping_mul(100).wrapping_add(year.into()),
        })
    }

    /// Reads any text, with the algorithm of browsers.
    fn in_any_form(text: &[u8]) -> Option<Self> {
        let mut time = None;
        let mut day = None;
        let mut month = None;
        let mut year = None;
        for token in text.split(|byte| is_delimiter(*byte)) {
            // A token becomes the first missing part that it matches.
            if time.is_none()
                && let Some(found) = read_time(token)
            {
                time = Some(found);
            } else if day.is_none()
                && let Some(found) = read_number(token, 1..=2)
            {
                day = Some(found);
            } else if month.is_none()
                && let Some(found) = read_month(token)
            {
                month = Some(found);
            } else if year.is_none() {
                year = read_number(token, 2..=4);
            }
        }
        Some(Self { time: time?, day: day?, month: month?, year: year? })
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// Reads `hms-time [ non-digit *OCTET ]`: three fields of one or two digits.
fn read_time(token: &[u8]) -> Option<(u8, u8, u8)> {
    let mut fields = token.splitn(3, |byte| *byte == b':');
    let (hour, minute, second) = (fields.next()?, fields.next()?, fields.next()?);
    let whole = |field: &[u8]| field.iter().all(u8::is_ascii_digit);
    if !whole(hour) || !whole(minute) {
        return None;
    }
    let number = |field| read_number(field, 1..=2).and_then(|n| u8::try_from(n).ok());
    Some((number(hour)?, number(minute)?, number(second)?))
}

/// Reads a number of as many digits as `lengths` allows. A non-digit and any bytes may follow.
fn read_number(token: &[u8], lengths: core::ops::RangeInclusive<usize>) -> Option<u16> {
    let end = token.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(token.len());
    let digits = token.get(..end).filter(|digits| lengths.contains(&digits.len()))?;
    str::from_utf8(digits).ok()?.parse().ok()
}

fn read_month(token: &[u8]) -> Option<Month> {
    let start = token.get(..3)?;
    ALL_MONTHS.into_iter().find(|month| start.eq_ignore_ascii_case(&month_text(*month)))
}

fn two_digits(number: u8) -> [u8; 2] {
    [digit(number / 10), digit(number)]
}

fn four_digits(year: i32) -> [u8; 4] {
    let [high, low] = [year / 100, year % 100].map(|part| u8::try_from(part).unwrap_or(0));
    let [[y1, y2], [y3, y4]] = [two_digits(high), two_digits(low)];
    [y1, y2, y3, y4]
}

fn digit(number: u8) -> u8 {
    b'0'.wrapping_add(number % 10)
}

fn weekday_text(date: UtcDateTime) -> [u8; 3] {
    use time::Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    match date.weekday() {
        Monday => *b"Mon",
        Tuesday => *b"Tue",
        Wednesday => *b"Wed",
        Thursday => *b"Thu",
        Friday => *b"Fri",
        Saturday => *b"Sat",
        Sunday => *b"Sun",
    }
}

fn month_text(month: Month) -> [u8; 3] {
    match month {
        Month::January => *b"Jan",
        Month::February => *b"Feb",
        Month::March => *b"Mar",
        Month::April => *b"Apr",
        Month::May => *b"May",
        Month::June => *b"Jun",
        Month::July => *b"Jul",
        Month::August => *b"Aug",
        Month::September => *b"Sep",
        Month::October => *b"Oct",
        Month::November => *b"Nov",
        Month::December => *b"Dec",
    }
}

const WEEKDAYS: [[u8; 3]; 7] = [*b"Mon", *b"Tue", *b"Wed", *b"Thu", *b"Fri", *b"Sat", *b"Sun"];

const ALL_MONTHS: [Month; 12] = [
    Month::January,
    Month::February,
    Month::March,
    Month::April,
    Month::May,
    Month::June,
    Month::July,
    Month::August,
    Month::September,
    Month::October,
    Month::November,
    Month::December,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_a_date_is_read_as_a_browser_reads_it() {
        let cases: [(&str, Option<i64>); 22] = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
            ("Thursday, 01-Jan-70 00:00:01 GMT", Some(1)),
            ("Thu Jan  1 00:00:02 1970", Some(2)),
            ("00:00:3 jANUARY 1 1970", Some(3)),
            ("1 Jan 1970 0:0:4x y", Some(4)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("1 Jan 1601 00:00:00", Some(-11_644_473_600)),
            ("1 Jan 69 00:00:00", Some(3_124_224_000)), // 2069
            ("29 Feb 2024 00:00:00", Some(1_709_164_800)),
            ("29 Feb 2023 00:00:00", None),
            ("1 Jan 1600 00:00:00", None),
            ("0 Jan 2020 00:00:00", None),
            ("32 Jan 2020 00:00:00", None),
            ("1 Jan 2020 24:00:00", None),
            ("1 Jan 2020 00:60:00", None),
            ("1 Jan 2020 00:00:60", None),
            ("1 Jan 2020 00:00:", None),
            ("1 Jan 2020 000:00:00", None),
            ("1 Jan 2020", None),
            ("1 Ja 2020 00:00:00", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_cookie_date(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn s2_expires_is_an_imf_fixdate() {
        let cases = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (LAST_UNIX_S, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST_UNIX_S + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (unix_s, expected) in cases {
            assert_eq!(ImfFixdate::new(unix_s).as_bytes(), expected.as_bytes());
        }
        assert_eq!(ImfFixdate::EPOCH, ImfFixdate::new(0));
    }
}
