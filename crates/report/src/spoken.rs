//! Numbers, moments and stretches of time, as a language writes them.

use super::words::Words;
use crumbgate_base::language::grouped;
use crumbgate_ledger::line::rfc3339;

impl Words {
    /// `1,234,567`
    pub(super) fn number(&self, number: u64) -> String {
        grouped(number, self.thousands)
    }

    /// `−1,234`
    pub(super) fn signed(&self, number: i64) -> String {
        let sign = if number < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}", self.number(number.unsigned_abs()))
    }

    /// A number of seconds in one unit or two: `1 week`, `30 days`, `1 day 12 hours`; longer in seconds, if it is not
    /// round, and always exact.
    pub(super) fn exactly(&self, seconds: u64) -> String {
        let is_weeks = seconds.is_multiple_of(UNITS_S[0]) && seconds > 0;
        let parts = self.parts(seconds, usize::from(!is_weeks));
        if parts.len() > 2 { self.part(4, seconds) } else { parts.join(" ") }
    }

    /// The same, cut behind the second unit: how long something took.
    pub(super) fn roughly(&self, seconds: u64) -> String {
        let parts = self.parts(seconds, 0);
        parts[..parts.len().min(2)].join(" ")
    }

    /// How many of each unit, from the `largest` on.
    fn parts(&self, seconds: u64, largest: usize) -> Vec<String> {
        let mut rest = seconds;
        let mut parts = Vec::new();
        for (index, unit_s) in UNITS_S.into_iter().enumerate().skip(largest) {
            let number = rest / unit_s;
            rest %= unit_s;
            if number > 0 || (seconds == 0 && unit_s == 1) {
                parts.push(self.part(index, number));
            }
        }
        parts
    }

    fn part(&self, unit: usize, number: u64) -> String {
        let (one, several) = self.units[unit];
        format!("{}\u{a0}{}", self.number(number), if number == 1 { one } else { several })
    }

    /// A part of a whole: `99.2 %`. Rounded down, so that nothing but all is 100 %.
    pub(super) fn share(&self, part: u64, whole: u64) -> String {
        let tenths = u128::from(part) * 1_000 / u128::from(whole.max(1));
        let point = if self.thousands == "." { "," } else { "." };
        format!("{}{point}{}\u{a0}%", tenths / 10, tenths % 10)
    }
}

/// A week, a day, an hour, a minute, a second.
const UNITS_S: [u64; 5] = [604_800, 86_400, 3_600, 60, 1];

/// `2026-11-25 20:05`, in UTC.
pub(super) fn minute(unix_s: u64) -> String {
    let second = second(unix_s);
    second.get(..16).unwrap_or(&second).to_owned()
}

/// `2026-11-25 20:05:09`, in UTC.
pub(super) fn second(unix_s: u64) -> String {
    rfc3339(unix_s).replace('T', " ").trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::Words;
    use crumbgate_base::language::Language;

    #[test]
    fn numbers_are_written_as_each_language_does() {
        for (number, en, de) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1.000"),
            (1_234_567, "1,234,567", "1.234.567"),
        ] {
            assert_eq!(Words::of(Language::En).number(number), en);
            assert_eq!(Words::of(Language::De).number(number), de);
        }
        assert_eq!(Words::of(Language::En).signed(-1_200), "\u{2212}1,200");
        assert_eq!(Words::of(Language::En).share(999, 1_000), "99.9\u{a0}%");
        assert_eq!(Words::of(Language::De).share(9_999, 10_000), "99,9\u{a0}%");
    }

    #[test]
    fn a_lifetime_is_spoken_exactly() {
        for (seconds, en, de) in [
            (0, "0 seconds", "0 Sekunden"),
            (60, "1 minute", "1 Minute"),
            (7_200, "2 hours", "2 Stunden"),
            (129_600, "1 day 12 hours", "1 Tag 12 Stunden"),
            (604_800, "1 week", "1 Woche"),
            (1_814_400, "3 weeks", "3 Wochen"),
            (2_592_000, "30 days", "30 Tage"),
            (90_061, "90,061 seconds", "90.061 Sekunden"),
        ] {
            let plain = |text: String| text.replace('\u{a0}', " ");
            assert_eq!(plain(Words::of(Language::En).exactly(seconds)), en);
            assert_eq!(plain(Words::of(Language::De).exactly(seconds)), de);
        }
        assert_eq!(Words::of(Language::En).roughly(90_061).replace('\u{a0}', " "), "1 day 1 hour");
    }
}
