//! Durations and days in words.

use time::OffsetDateTime;

use super::words::Words;
use crumbgate_policy::declaration::{DeclaredCookie, Inject, Lifetime, SessionDuration};

impl Words {
    /// Writes a duration exactly: `2 hours`, `90 minutes`, `1 day, 1 hour and 5 seconds`.
    pub(super) fn exactly(&self, duration: SessionDuration) -> String {
        let seconds = duration.seconds();
        let whole = UNITS_S.into_iter().zip(&self.units).find(|(unit_s, _)| {
            seconds.is_multiple_of(*unit_s) && (*unit_s >= DAY_S || seconds / unit_s <= COUNTED)
        });
        if let Some((unit_s, names)) = whole {
            return counted(seconds / unit_s, names);
        }
        let mut rest = seconds;
        let parts = UNITS_S.into_iter().zip(&self.units).map(|(unit_s, names)| {
            let count = rest / unit_s;
            rest %= unit_s;
            (count, names)
        });
        let parts = parts.filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts.map(|(count, names)| counted(count, names)).collect();
        match &*parts {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{} {} {last}", first.join(", "), self.and),
        }
    }

    /// Writes the duration of a cookie and its beginning, for a tenant with this session duration.
    pub(super) fn kept(&self, cookie: &DeclaredCookie, session: SessionDuration) -> String {
        let duration = self.exactly(lifetime(cookie, session));
        let is_renewed = cookie.inject != Inject::Off && !cookie.renew_on.paths.is_empty();
        if is_renewed { (self.after_use)(&duration) } else { (self.after_set)(&duration) }
    }

    /// `23 November 2026`, in UTC.
    pub(super) fn day(&self, unix_s: u64) -> String {
        let date = date(unix_s);
        let month = self.months.get(usize::from(u8::from(date.month())) - 1).copied();
        (self.date)(date.day(), month.unwrap_or_default(), date.year())
    }
}

/// Returns the lifetime of a cookie, for a tenant with this session duration.
pub(super) fn lifetime(cookie: &DeclaredCookie, session: SessionDuration) -> SessionDuration {
    match cookie.lifetime {
        Lifetime::Fixed(duration) => duration,
        Lifetime::Session => session,
    }
}

/// `2026-11-23`, in UTC.
pub(super) fn iso_day(unix_s: u64) -> String {
    date(unix_s).to_string()
}

fn date(unix_s: u64) -> time::Date {
    let moment = i64::try_from(unix_s).ok().map(OffsetDateTime::from_unix_timestamp);
    moment.and_then(Result::ok).unwrap_or(OffsetDateTime::UNIX_EPOCH).date()
}

fn counted(count: u32, [one, many]: &[&str; 2]) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Weeks, days, hours, minutes, seconds.
const UNITS_S: [u32; 5] = [604_800, DAY_S, 3_600, 60, 1];
const DAY_S: u32 = 86_400;
/// Up to how many hours, minutes or seconds people count.
const COUNTED: u32 = 120;

#[cfg(test)]
mod tests {
    use super::Words;
    use crumbgate_base::language::Language;
    use crumbgate_policy::declaration::Declaration;

    #[test]
    fn every_duration_has_words_that_say_exactly_that() {
        let (en, de) = (Words::of(Language::En), Words::of(Language::De));
        for (text, english, german) in [
            ("1w", "1 week", "1 Woche"),
            ("3w", "3 weeks", "3 Wochen"),
            ("1d", "1 day", "1 Tag"),
            ("400d", "400 days", "400 Tage"),
            ("2h", "2 hours", "2 Stunden"),
            ("36h", "36 hours", "36 Stunden"),
            ("1h", "1 hour", "1 Stunde"),
            ("90m", "90 minutes", "90 Minuten"),
            ("60s", "1 minute", "1 Minute"),
            ("61s", "61 seconds", "61 Sekunden"),
            ("121h", "5 days and 1 hour", "5 Tage und 1 Stunde"),
            ("3661s", "1 hour, 1 minute and 1 second", "1 Stunde, 1 Minute und 1 Sekunde"),
        ] {
            let duration = text.parse().unwrap();
            assert_eq!(
                (en.exactly(duration), de.exactly(duration)),
                (english.into(), german.into())
            );
        }
    }

    #[test]
    fn a_cookie_that_nothing_renews_counts_from_when_it_is_set() {
        let words = Words::of(Language::En);
        let declaration = Declaration::flexopus();
        let mut cookie = declaration.cookies()[1].clone();
        let session = "2h".parse().unwrap();
        assert_eq!(words.kept(&cookie, session), "2 hours after the last use");
        cookie.renew_on.paths.clear();
        assert_eq!(words.kept(&cookie, session), "2 hours after it is set");
    }

    #[test]
    fn a_day_is_that_of_utc() {
        for (unix_s, english, german, iso) in [
            (0, "1 January 1970", "1. Januar 1970", "1970-01-01"),
            (1_795_391_999, "22 November 2026", "22. November 2026", "2026-11-22"),
            (1_795_392_000, "23 November 2026", "23. November 2026", "2026-11-23"),
            (u64::MAX, "1 January 1970", "1. Januar 1970", "1970-01-01"),
        ] {
            assert_eq!(Words::of(Language::En).day(unix_s), english);
            assert_eq!(Words::of(Language::De).day(unix_s), german);
            assert_eq!(super::iso_day(unix_s), iso);
        }
    }
}
