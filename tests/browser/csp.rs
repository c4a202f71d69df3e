//! Chromium and Firefox open pages with the policies of `crates/pages/src/guard/policies.txt`, as the application sends them and as
//! the guard extends them.

use std::fs;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use crumbgate_pages::guard::{GuardSources, allow_guard};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{FIREFOX, drive, process};

#[test]
fn the_guard_runs_and_a_page_may_do_what_it_could_with_every_policy() {
    let cases = cases();
    let found = visit(&cases);
    for browser in ["chromium", "firefox"] {
        for (case, seen) in cases.iter().zip(found[browser].as_array().expect("an array")) {
            let policies = &case.before;
            assert_eq!(seen["after"], seen["before"], "{browser}: {policies:?}");
            let runs = !case.blocked_in.split(' ').any(|word| word == browser);
            assert_eq!(seen["ran"], runs, "{browser}: {policies:?}");
            assert_eq!(seen["reported"], runs, "{browser}: {policies:?}");
        }
        let worked = |what: &str| {
            let pages = found[browser].as_array().expect("an array").iter();
            pages.filter(|page| page["before"][what] == "1").count()
        };
        // The table has pages in which each kind of script runs, and pages in which it does not.
        for what in ["dynamic", "external", "handler", "nonce", "other", "own", "timer", "unknown"]
        {
            assert!((10..cases.len() - 10).contains(&worked(what)), "{browser}: {what}");
        }
    }
}

const GUARD: &str = "document.documentElement.dataset.guard = 1;\
    navigator.sendBeacon('/.well-known/cookies/seen', location.pathname);";
const HANDLER: &str = "document.documentElement.dataset.handler = 1;";
const OWN: &str = "document.documentElement.dataset.own = 1;";

/// The authority of the pages. The driver replaces the word with the port of its server.
const AUTHORITY: &str = "page.localhost:PORT";

/// The fields of a page, before and after the guard.
struct Case {
    before: Vec<(HeaderName, String)>,
    after: Vec<(HeaderName, String)>,
    /// The browsers that block the guard's script, separated by spaces.
    blocked_in: String,
}

/// Reads the table.
fn cases() -> Vec<Case> {
    let text = include_str!("../../crates/pages/src/guard/policies.txt")
        .replace("{hash}", &source("sha256", &digest::SHA256, GUARD))
        .replace("{report}", &format!("https://{AUTHORITY}/.well-known/cookies/seen"))
        .replace("{own256}", &source("sha256", &digest::SHA256, OWN))
        .replace("{own384}", &source("sha384", &digest::SHA384, OWN))
        .replace("{own512}", &source("sha512", &digest::SHA512, OWN))
        .replace("{handler}", &source("sha256", &digest::SHA256, HANDLER));
    text.split("\n\n").map(Case::read).filter(|case| !case.before.is_empty()).collect()
}

impl Case {
    fn read(paragraph: &str) -> Self {
        let values = |key: &str| -> Vec<String> {
            let prefix = format!("{key}: ");
            paragraph
                .lines()
                .filter_map(|line| line.strip_prefix(&prefix))
                .map(str::to_owned)
                .collect()
        };
        let named = |name: HeaderName, values: Vec<String>| {
            values.into_iter().map(move |value| (name.clone(), value)).collect::<Vec<_>>()
        };
        let mut before = named(header::CONTENT_SECURITY_POLICY, values("policy"));
        before.extend(named(header::CONTENT_SECURITY_POLICY_REPORT_ONLY, values("reported")));
        Self { after: extend(&before), before, blocked_in: values("blocked in").concat() }
    }
}

/// Returns the fields after the guard has extended them. The text of a field is that of a browser: a character for each
/// byte.
fn extend(before: &[(HeaderName, String)]) -> Vec<(HeaderName, String)> {
    let script = source("sha256", &digest::SHA256, GUARD);
    let mut fields = HeaderMap::new();
    for (name, value) in before {
        let bytes: Vec<u8> =
            value.chars().map(|character| u8::try_from(character).expect("Latin 1")).collect();
        fields.append(name, HeaderValue::try_from(bytes).expect("a field"));
    }
    let path = "/.well-known/cookies/seen";
    allow_guard(&mut fields, GuardSources { script: &script, authority: AUTHORITY, path });
    let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
    fields.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Returns the hash of a script as a source.
fn source(name: &str, algorithm: &'static digest::Algorithm, script: &str) -> String {
    format!("'{name}-{}'", STANDARD.encode(digest::digest(algorithm, script.as_bytes())))
}

/// Opens each page in both browsers, with and without the guard.
fn visit(cases: &[Case]) -> Value {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let certificate =
        process::run(process::crumbgate().arg("certificate").current_dir(folder.path()));
    assert!(certificate.status.success());
    let read = |name: &str| {
        fs::read_to_string(folder.path().join("certs").join(name)).expect("it was written")
    };
    let fields = |fields: &[(HeaderName, String)]| -> Vec<[String; 2]> {
        fields.iter().map(|(name, value)| [name.to_string(), value.clone()]).collect()
    };
    let pages: Vec<_> = cases
        .iter()
        .map(|case| json!({ "before": fields(&case.before), "after": fields(&case.after) }))
        .collect();
    let file = folder.path().join("pages.json");
    let text = json!({
        "certificate": read("dev.crt"), "key": read("dev.key"),
        "guard": GUARD, "own": OWN, "handler": HANDLER, "cases": pages,
    });
    fs::write(&file, text.to_string()).expect("the folder can be written");
    drive("csp.js", &[FIREFOX.as_ref(), file.as_os_str()])
}
