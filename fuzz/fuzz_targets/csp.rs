//! Extends any bytes as a `Content-Security-Policy`. The guard's script then runs and reports, and what else a page may do
//! stays the same.

#![no_main]

use crumbgate_pages::guard::{GuardSources, allow_guard};
use crumbgate_testkit::csp::assert_allows_also;
use http::{HeaderMap, HeaderValue, header::CONTENT_SECURITY_POLICY};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(field) = HeaderValue::from_bytes(bytes) else { return };
    let extended = extend(&field);
    assert_eq!(extend(&extended), extended, "a second time changes nothing");
    let (before, after) = (policies(&field), policies(&extended));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.into_iter().zip(after) {
        assert_allows_also("https://acme.example", before, after, HASH, REPORT);
    }
});

const HASH: &str = "sha256-Z3VhcmQ=";
const REPORT: &str = "https://acme.example/.well-known/cookies/seen";

/// Returns the field after the guard has extended it.
fn extend(field: &HeaderValue) -> HeaderValue {
    let mut response = HeaderMap::from_iter([(CONTENT_SECURITY_POLICY, field.clone())]);
    let sources = GuardSources {
        script: "'sha256-Z3VhcmQ='",
        authority: "acme.example",
        path: "/.well-known/cookies/seen",
    };
    allow_guard(&mut response, sources);
    response[CONTENT_SECURITY_POLICY].clone()
}

fn policies(field: &HeaderValue) -> Vec<&[u8]> {
    field.as_bytes().split(|byte| *byte == b',').collect()
}
