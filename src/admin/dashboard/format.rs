//! Short formats of numbers, durations and times.

use std::time::Duration;

use maud::{Markup, html};
use time::{OffsetDateTime, macros::format_description};

use super::words::{Unit, Words};
use crumbgate_base::language::grouped;

impl Words {
    /// `1,234,567`
    pub(super) fn number(&self, number: u64) -> String {
        grouped(number, self.thousands)
    }

    /// `210 µs`, `2.9 ms`, `120 ms`, `1.3 s`: at least two significant digits.
    pub(super) fn duration(&self, duration: Duration) -> String {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        match us {
            0..1_000 => format!("{us}\u{a0}µs"),
            1_000..10_000 => format!("{}\u{a0}ms", self.tenths(us / 100)),
            10_000..1_000_000 => format!("{}\u{a0}ms", us / 1_000),
            1_000_000..10_000_000 => format!("{}\u{a0}s", self.tenths(us / 100_000)),
            _ => format!("{}\u{a0}s", self.number(us / 1_000_000)),
        }
    }

    /// `1 day`, `12 days`
    pub(super) fn days(&self, days: u64) -> String {
        let [one, several] = self.days;
        format!("{}\u{a0}{}", self.number(days), if days == 1 { one } else { several })
    }

    /// The share of `part` in `whole`, such as `12.5 %`.
    pub(super) fn share(&self, part: u64, whole: u64) -> String {
        let tenths = u128::from(part) * 1_000 / u128::from(whole.max(1));
        format!("{}\u{a0}%", self.tenths(u64::try_from(tenths).unwrap_or(u64::MAX)))
    }

    fn tenths(&self, tenths: u64) -> String {
        format!("{}{}{}", self.number(tenths / 10), self.point, tenths % 10)
    }

    /// The time since a moment, such as `2 h ago`, with the exact time as a tooltip.
    pub(super) fn ago(&self, unix_s: u64, now_unix_s: u64) -> Markup {
        let seconds = now_unix_s.saturating_sub(unix_s);
        let ago = match seconds {
            0..60 => self.now.to_owned(),
            60..3_600 => (self.ago)(seconds / 60, Unit::Minute),
            3_600..86_400 => (self.ago)(seconds / 3_600, Unit::Hour),
            _ => (self.ago)(seconds / 86_400, Unit::Day),
        };
        html! { time datetime=(rfc3339(unix_s)) title={ (minute(unix_s)) " UTC" } { (ago) } }
    }
}

fn moment(unix_s: u64) -> OffsetDateTime {
    let seconds = i64::try_from(unix_s).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `2026-11-25 20:05`, in UTC.
fn minute(unix_s: u64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]");
    moment(unix_s).format(form).unwrap_or_default()
}

/// `2026-11-25T20:05:09Z`
fn rfc3339(unix_s: u64) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    moment(unix_s).format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, *};
    use crumbgate_base::language::Language;

    #[test]
    fn numbers_and_durations_have_the_format_of_the_language() {
        let (en, de) = (words(Language::En), words(Language::De));
        assert_eq!(
            (en.number(1_234_567), de.number(1_234_567)),
            ("1,234,567".into(), "1.234.567".into())
        );
        assert_eq!((en.number(999), en.share(1, 8)), ("999".into(), "12.5\u{a0}%".into()));
        for (us, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (2_990, "2,9 ms"),
            (10_000, "10 ms"),
            (999_999, "999 ms"),
            (1_340_000, "1,3 s"),
            (61_000_000, "61 s"),
        ] {
            assert_eq!(de.duration(Duration::from_micros(us)).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn a_time_is_shown_as_its_age() {
        let now = 1_795_428_000;
        for (before_s, en, de) in [
            (59, "just now", "eben"),
            (60, "1\u{a0}min ago", "vor 1\u{a0}Min."),
            (7_300, "2\u{a0}h ago", "vor 2\u{a0}Std."),
            (86_400, "1\u{a0}day ago", "vor 1\u{a0}Tag"),
            (864_000, "10\u{a0}days ago", "vor 10\u{a0}Tagen"),
        ] {
            for (language, text) in [(Language::En, en), (Language::De, de)] {
                let markup = words(language).ago(now - before_s, now).into_string();
                assert!(markup.contains(&format!(">{text}<")), "{markup}");
            }
        }
        let markup = words(Language::En).ago(now, now).into_string();
        assert!(
            markup.contains("datetime=\"2026-11-23T10:00:00Z\" title=\"2026-11-23 10:00 UTC\""),
            "{markup}"
        );
    }
}
