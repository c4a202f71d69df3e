//! The beginning and the end of a period, as people type them.

use std::str::FromStr;

use time::{
    Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description,
};

/// A moment as it was typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// A number of seconds ago.
    Ago(u64),
    /// A number of seconds after the Unix epoch.
    At(u64),
    /// A day, by its first second after the Unix epoch.
    Day(u64),
}

/// The text is not a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected a day (2026-11-25), a moment (2026-11-25T20:00:00Z, or with an offset), or how long ago (90m, 12h, 7d, 4w)"
)]
pub struct NoMoment;

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let unix_s = |moment: OffsetDateTime| u64::try_from(moment.unix_timestamp());
        if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            return unix_s(date.midnight().assume_utc()).map(Self::Day).map_err(|_| NoMoment);
        }
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return unix_s(moment).map(Self::At).map_err(|_| NoMoment);
        }
        let (unit, unit_s) =
            UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit)).ok_or(NoMoment)?;
        let number = text.strip_suffix(unit).ok_or(NoMoment)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u64>().ok().filter(|_| is_number).ok_or(NoMoment)?;
        number.checked_mul(unit_s).map(Self::Ago).ok_or(NoMoment)
    }
}

impl Moment {
    /// Returns the moment as the beginning of a period, in seconds since the Unix epoch: a day
    /// begins with its first second.
    pub fn begin(self, now_unix_s: u64) -> u64 {
        match self {
            Self::Ago(seconds) => now_unix_s.saturating_sub(seconds),
            Self::At(unix_s) | Self::Day(unix_s) => unix_s,
        }
    }

    /// Returns the moment as the exclusive end of a period, in seconds since the Unix epoch: a day
    /// ends with the first second of the next, so the day is included.
    pub fn end(self, now_unix_s: u64) -> u64 {
        match self {
            Self::Ago(_) | Self::At(_) => self.begin(now_unix_s),
            Self::Day(unix_s) => unix_s.saturating_add(DAY_S),
        }
    }
}

const DAY_S: u64 = 86_400;
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', DAY_S), ('w', 7 * DAY_S)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form() {
        let now = 1_795_428_000; // 2026-11-23T10:00:00Z
        for (text, begin, end) in [
            ("2026-11-23", 1_795_392_000, 1_795_478_400),
            ("2026-11-23T10:00:00Z", now, now),
            ("2026-11-23T11:00:00+01:00", now, now),
            ("7d", now - 604_800, now - 604_800),
            ("90m", now - 5_400, now - 5_400),
            ("0s", now, now),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!((moment.begin(now), moment.end(now)), (begin, end), "{text}");
        }
        for text in [
            "",
            "d",
            "-7d",
            "+7d",
            "7",
            "7y",
            "yesterday",
            "2026-02-30",
            "1960-01-01",
            "99999999999999w",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(NoMoment), "{text}");
        }
    }
}
