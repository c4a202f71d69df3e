//! `Date` fields: reads those of applications, and writes them where an application sends none.

use std::cell::Cell;

use http::HeaderValue;

use crumbgate_policy::date::{self, ImfFixdate};

/// Reads the dates of responses. Responses of the same second have the same text, which is parsed once.
#[derive(Debug, Default)]
pub struct Dates(Cell<([u8; 29], Option<u64>)>);

impl Dates {
    /// Parses a response's date into seconds since the Unix epoch (S2).
    pub fn read(&self, date: &HeaderValue) -> Option<u64> {
        let (known, unix_s) = self.0.get();
        if date.as_bytes() == known {
            return unix_s;
        }
        let unix_s = date::parse_cookie_date(date.as_bytes());
        let unix_s = unix_s.and_then(|unix_s| u64::try_from(unix_s).ok());
        if let Ok(text) = date.as_bytes().try_into() {
            self.0.set((text, unix_s));
        }
        unix_s
    }
}

pub(super) fn http_date(unix_s: u64) -> HeaderValue {
    HeaderValue::from_bytes(ImfFixdate::new(unix_s).as_bytes()).expect("a date is visible ASCII")
}
