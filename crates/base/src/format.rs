//! Numbers, shares, durations and moments as each language writes them: one place for reports, pages and the dashboard.
//!
//! ```
//! use crumbgate_base::language::Language;
//!
//! assert_eq!(Language::En.number(1_234_567), "1,234,567");
//! assert_eq!(Language::De.duration(5_400), "90 Minuten");
//! ```

use std::time::Duration;

use time::{Date, OffsetDateTime};

use crate::{
    language::{Language, Translations},
    text::rfc3339,
};

impl Language {
    /// Writes a number with separators between thousands: `1,234,567`.
    pub fn number(self, number: u64) -> String {
        let digits = number.to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(self.forms().thousands);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Writes a number with its sign, which is U+2212 if it is negative: `−1,234`.
    pub fn signed(self, number: i64) -> String {
        let sign = if number < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}", self.number(number.unsigned_abs()))
    }

    /// Writes a number and the word for one or several of its unit, with a no-break space between: `12 days`.
    pub fn counted(self, number: u64, [one, several]: [&str; 2]) -> String {
        format!("{}\u{a0}{}", self.number(number), if number == 1 { one } else { several })
    }

    /// Writes the share of `part` in `whole` in percent: `99.2 %`. It is rounded down, so that only the whole is 100 %.
    pub fn share(self, part: u64, whole: u64) -> String {
        let tenths = u128::from(part) * 1_000 / u128::from(whole.max(1));
        format!("{}\u{a0}%", self.tenths(u64::try_from(tenths).unwrap_or(u64::MAX)))
    }

    /// Writes a duration in seconds exactly: `2 hours`, `90 minutes`, `1 day, 1 hour and 5 seconds`.
    ///
    /// Its spaces are plain, because it is also part of JSON and of terminal output.
    pub fn duration(self, seconds: u64) -> String {
        let plain = |index: usize, number| self.unit(index, number).replace('\u{a0}', " ");
        let is_single = |&(_, unit_s): &(usize, u64)| {
            seconds.is_multiple_of(unit_s)
                && (1..=if unit_s >= DAY_S { u64::MAX } else { MAX_COUNT })
                    .contains(&(seconds / unit_s))
        };
        if let Some((index, unit_s)) = UNITS_S.into_iter().enumerate().find(is_single) {
            return plain(index, seconds / unit_s);
        }
        let parts: Vec<_> =
            parts(seconds).into_iter().map(|(index, number)| plain(index, number)).collect();
        match &*parts {
            [] => plain(UNITS_S.len() - 1, 0),
            [only] => only.clone(),
            [first @ .., last] => format!("{} {} {last}", first.join(", "), self.forms().and),
        }
    }

    /// Writes a duration in seconds, rounded down to two units: `1 day 1 hour`.
    pub fn elapsed(self, seconds: u64) -> String {
        let parts = parts(seconds).into_iter().take(2);
        let parts: Vec<_> = parts.map(|(index, number)| self.unit(index, number)).collect();
        if parts.is_empty() { self.unit(UNITS_S.len() - 1, 0) } else { parts.join(" ") }
    }

    /// Writes a short duration with two or three digits: `210 µs`, `2.9 ms`, `120 ms`, `1.3 s`.
    pub fn latency(self, duration: Duration) -> String {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        match us {
            0..1_000 => format!("{us}\u{a0}µs"),
            1_000..10_000 => format!("{}\u{a0}ms", self.tenths(us / 100)),
            10_000..1_000_000 => format!("{}\u{a0}ms", us / 1_000),
            1_000_000..10_000_000 => format!("{}\u{a0}s", self.tenths(us / 100_000)),
            _ => format!("{}\u{a0}s", self.number(us / 1_000_000)),
        }
    }

    /// Writes the time since a moment, rounded down to one unit: `just now`, `2 h ago`, `10 days ago`.
    pub fn ago(self, seconds: u64) -> String {
        let forms = self.forms();
        let [minute, hour, day] = forms.ago_units;
        let ago = match seconds {
            0..60 => return forms.just_now.to_owned(),
            60..3_600 => self.counted(seconds / 60, minute),
            3_600..DAY_S => self.counted(seconds / 3_600, hour),
            _ => self.counted(seconds / DAY_S, day),
        };
        (forms.ago)(&ago)
    }

    /// Writes a day in UTC: `23 November 2026`.
    pub fn day(self, unix_s: u64) -> String {
        let date = date(unix_s);
        let month = self.forms().months.get(usize::from(u8::from(date.month())) - 1).copied();
        (self.forms().day)(date.day(), month.unwrap_or_default(), date.year())
    }

    fn unit(self, index: usize, number: u64) -> String {
        self.counted(number, self.forms().units.get(index).copied().unwrap_or_default())
    }

    fn tenths(self, tenths: u64) -> String {
        format!("{}{}{}", self.number(tenths / 10), self.forms().point, tenths % 10)
    }

    fn forms(self) -> &'static Forms {
        FORMS.of(self)
    }
}

/// Writes a day in UTC as a date of ISO 8601: `2026-11-23`.
pub fn iso_day(unix_s: u64) -> String {
    date(unix_s).to_string()
}

/// Writes a moment in UTC to the minute: `2026-11-25 20:05`.
pub fn minute(unix_s: u64) -> String {
    let second = second(unix_s);
    second.get(..16).unwrap_or(&second).to_owned()
}

/// Writes a moment in UTC to the second: `2026-11-25 20:05:09`.
pub fn second(unix_s: u64) -> String {
    rfc3339(unix_s).replace('T', " ").trim_end_matches('Z').to_owned()
}

/// The day of a moment, in UTC. The last one is that of 9999-12-31, as in [`rfc3339`].
fn date(unix_s: u64) -> Date {
    let moment = i64::try_from(unix_s).ok().map(OffsetDateTime::from_unix_timestamp);
    moment.and_then(Result::ok).map_or(Date::MAX, OffsetDateTime::date)
}

/// The numbers of all units in a duration that are not zero, with their indexes in [`UNITS_S`].
fn parts(seconds: u64) -> Vec<(usize, u64)> {
    let mut rest = seconds;
    let parts = UNITS_S.into_iter().enumerate().map(|(index, unit_s)| {
        let number = rest / unit_s;
        rest %= unit_s;
        (index, number)
    });
    parts.filter(|(_, number)| *number > 0).collect()
}

/// Week, day, hour, minute and second, in seconds.
const UNITS_S: [u64; 5] = [604_800, DAY_S, 3_600, 60, 1];
const DAY_S: u64 = 86_400;
/// The largest number of hours, minutes or seconds that is written as one number, such as `90 minutes`.
const MAX_COUNT: u64 = 120;

/// The forms of one language.
struct Forms {
    thousands: char,
    point: char,
    /// Week, day, hour, minute and second, each in singular and plural.
    units: [[&'static str; 2]; 5],
    /// The conjunction before the last part of a duration.
    and: &'static str,
    just_now: &'static str,
    /// Minute, hour and day, each in singular and plural, as they stand in `ago`.
    ago_units: [[&'static str; 2]; 3],
    ago: fn(&str) -> String,
    months: [&'static str; 12],
    /// A date, from day, month and year.
    day: fn(u8, &str, i32) -> String,
}

static FORMS: Translations<Forms> = Translations {
    de: Forms {
        thousands: '.',
        point: ',',
        units: [
            ["Woche", "Wochen"],
            ["Tag", "Tage"],
            ["Stunde", "Stunden"],
            ["Minute", "Minuten"],
            ["Sekunde", "Sekunden"],
        ],
        and: "und",
        just_now: "eben",
        ago_units: [["Min.", "Min."], ["Std.", "Std."], ["Tag", "Tagen"]],
        ago: |duration| format!("vor {duration}"),
        months: [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        day: |day, month, year| format!("{day}. {month} {year}"),
    },
    en: Forms {
        thousands: ',',
        point: '.',
        units: [
            ["week", "weeks"],
            ["day", "days"],
            ["hour", "hours"],
            ["minute", "minutes"],
            ["second", "seconds"],
        ],
        and: "and",
        just_now: "just now",
        ago_units: [["min", "min"], ["h", "h"], ["day", "days"]],
        ago: |duration| format!("{duration} ago"),
        months: [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        day: |day, month, year| format!("{day} {month} {year}"),
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace('\u{a0}', " ")
    }

    #[test]
    fn numbers_and_shares_are_written_as_each_language_does() {
        for (number, en, de) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1.000"),
            (1_234_567, "1,234,567", "1.234.567"),
        ] {
            assert_eq!(Language::En.number(number), en);
            assert_eq!(Language::De.number(number), de);
        }
        assert_eq!(Language::En.signed(-1_200), "\u{2212}1,200");
        assert_eq!(Language::En.share(1, 8), "12.5\u{a0}%");
        assert_eq!(Language::En.share(999, 1_000), "99.9\u{a0}%");
        assert_eq!(Language::De.share(9_999, 10_000), "99,9\u{a0}%");
        assert_eq!(Language::De.share(0, 0), "0,0\u{a0}%");
    }

    #[test]
    fn a_duration_is_written_exactly() {
        for (seconds, english, german) in [
            (0, "0 seconds", "0 Sekunden"),
            (60, "1 minute", "1 Minute"),
            (61, "61 seconds", "61 Sekunden"),
            (3_600, "1 hour", "1 Stunde"),
            (3_661, "1 hour, 1 minute and 1 second", "1 Stunde, 1 Minute und 1 Sekunde"),
            (5_400, "90 minutes", "90 Minuten"),
            (7_200, "2 hours", "2 Stunden"),
            (86_400, "1 day", "1 Tag"),
            (129_600, "36 hours", "36 Stunden"),
            (435_600, "5 days and 1 hour", "5 Tage und 1 Stunde"),
            (604_800, "1 week", "1 Woche"),
            (1_814_400, "3 weeks", "3 Wochen"),
            (2_592_000, "30 days", "30 Tage"),
            (34_560_000, "400 days", "400 Tage"),
        ] {
            assert_eq!(Language::En.duration(seconds), english);
            assert_eq!(Language::De.duration(seconds), german);
        }
    }

    #[test]
    fn an_elapsed_time_has_at_most_two_units() {
        for (seconds, english) in
            [(0, "0 seconds"), (59, "59 seconds"), (604_800, "1 week"), (90_061, "1 day 1 hour")]
        {
            assert_eq!(plain(&Language::En.elapsed(seconds)), english);
        }
    }

    #[test]
    fn a_latency_has_two_or_three_digits() {
        for (us, german) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (2_990, "2,9 ms"),
            (10_000, "10 ms"),
            (999_999, "999 ms"),
            (1_340_000, "1,3 s"),
            (61_000_000, "61 s"),
        ] {
            assert_eq!(plain(&Language::De.latency(Duration::from_micros(us))), german);
        }
    }

    #[test]
    fn the_time_since_a_moment_has_one_unit() {
        for (seconds, english, german) in [
            (59, "just now", "eben"),
            (60, "1 min ago", "vor 1 Min."),
            (7_300, "2 h ago", "vor 2 Std."),
            (86_400, "1 day ago", "vor 1 Tag"),
            (864_000, "10 days ago", "vor 10 Tagen"),
        ] {
            assert_eq!(plain(&Language::En.ago(seconds)), english);
            assert_eq!(plain(&Language::De.ago(seconds)), german);
        }
    }

    #[test]
    fn a_moment_is_written_in_utc() {
        for (unix_s, english, german, iso) in [
            (0, "1 January 1970", "1. Januar 1970", "1970-01-01"),
            (1_795_391_999, "22 November 2026", "22. November 2026", "2026-11-22"),
            (1_795_392_000, "23 November 2026", "23. November 2026", "2026-11-23"),
            (u64::MAX, "31 December 9999", "31. Dezember 9999", "9999-12-31"),
        ] {
            assert_eq!(Language::En.day(unix_s), english);
            assert_eq!(Language::De.day(unix_s), german);
            assert_eq!(iso_day(unix_s), iso);
        }
        assert_eq!(minute(1_795_392_069), "2026-11-23 00:01");
        assert_eq!(second(1_795_392_069), "2026-11-23 00:01:09");
    }
}
