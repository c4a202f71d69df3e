//! Reads any text as a cookie date. A date that was read can be written and read back, and a space before it, which
//! prevents the fast path for the usual form, makes no difference.

#![no_main]

use crumbgate_policy::date::{ImfFixdate, parse_cookie_date};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    assert_eq!(parse_cookie_date(text), parse_cookie_date(&[b" ", text].concat()));
    let Some(unix_s) = parse_cookie_date(text) else { return };
    assert!((-11_644_473_600..=253_402_300_799).contains(&unix_s));
    if let Ok(since_epoch) = u64::try_from(unix_s) {
        let written = ImfFixdate::new(since_epoch);
        assert_eq!(parse_cookie_date(written.as_bytes()), Some(unix_s));
    }
});
