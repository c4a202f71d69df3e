//! Runs the vectors of the IETF's http-state working group, if their folder is present.
//!
//! Each case is a full round trip: the application sends the fields of the vector, a simple jar stores the outgoing ones,
//! and the jar's `Cookie` field is judged on its way back. The cookies that the application then receives are compared
//! with those that the vector expects a browser to send.

use std::path::PathBuf;

use crumbgate_policy::{
    date::{ImfFixdate, parse_cookie_date},
    declaration::{CookieName, Declaration},
};
use serde_json::Value;

use crate::exchange::{Exchange, declared, policy};

/// 2011-02-01 00:00:00, when the vectors were written: their dates are in the future or in the past as intended.
const DATE_UNIX_S: u64 = 1_296_518_400;

/// The cases in which the policy decides differently, with the reasons.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "S2: every declared cookie is Secure, and the gateway speaks TLS; the vectors use plain HTTP",
        "0010 ATTRIBUTE0001 ATTRIBUTE0002 ATTRIBUTE0004 ATTRIBUTE0005 ATTRIBUTE0007 ATTRIBUTE0008 \
         ATTRIBUTE0009 ATTRIBUTE0010 ATTRIBUTE0011 ATTRIBUTE0012 ATTRIBUTE0013 ATTRIBUTE0025 \
         ATTRIBUTE0026",
    ),
    (
        "S2: the path is the declared one, whatever the upstream's path is",
        "ATTRIBUTE0017 ATTRIBUTE0018 ATTRIBUTE0019 ATTRIBUTE0020 ATTRIBUTE0022 ATTRIBUTE0024 \
         ORDERING0001 PATH0005 PATH0006 PATH0008 PATH0009 PATH0011 PATH0012 PATH0013 PATH0014 \
         PATH0018 PATH0023 PATH0024 PATH0025 PATH0028 PATH0029 PATH0031 PATH0032",
    ),
    (
        "S2: a cookie declared without a domain is host-only, and a Domain that browsers reject has no effect",
        "DOMAIN0004 DOMAIN0005 DOMAIN0010 DOMAIN0011 DOMAIN0013 DOMAIN0014 DOMAIN0015 DOMAIN0016 \
         DOMAIN0017 DOMAIN0018 DOMAIN0021 DOMAIN0025 DOMAIN0027 DOMAIN0031 DOMAIN0034 DOMAIN0037 \
         MOZILLA0011 OPTIONAL_DOMAIN0042",
    ),
    (
        "D: a name that is not a token can't be declared",
        "CHARSET0002 CHARSET0003 NAME0005 NAME0012 NAME0013 NAME0019 NAME0020 NAME0021 NAME0030",
    ),
    (
        "S6: RFC 6265bis ignores a field with a control byte, where RFC 6265 cut it there",
        "DISABLED_CHROMIUM0022 DISABLED_CHROMIUM0023",
    ),
    (
        "R5: the value that the browser sends is not cookie-octets",
        "0017 CHARSET0001 CHARSET0004 CHROMIUM0002 CHROMIUM0003 CHROMIUM0004 CHROMIUM0005 \
         CHROMIUM0006 CHROMIUM0007 CHROMIUM0008 CHROMIUM0011 CHROMIUM0015 COMMA0001 COMMA0002 \
         MOZILLA0012 VALUE0003 VALUE0004",
    ),
];

#[test]
fn s_the_http_state_vectors_hold_except_for_the_listed_cases() {
    let Some(cases) = vectors("parser.json") else { return };
    let mut differing = Vec::new();
    for case in &cases {
        let received = case["received"].as_array().unwrap().iter();
        let received: Vec<&str> = received.map(|field| field.as_str().unwrap()).collect();
        // The outgoing cookies are host-only, so other hosts than the vectors' own receive nothing.
        let target = case["sent-to"].as_str().unwrap_or_default().to_lowercase();
        let is_elsewhere =
            target.starts_with("http://") && !target.starts_with("http://home.example.org:");
        let seen = if is_elsewhere { Vec::new() } else { seen_by_the_application(&received) };
        if seen != pairs(&case["sent"]) {
            differing.push(case["test"].as_str().unwrap().to_owned());
        }
    }
    let mut listed: Vec<&str> =
        DIFFERENT.iter().flat_map(|(_, cases)| cases.split_whitespace()).collect();
    listed.sort_unstable();
    differing.sort_unstable();
    // A case that is listed and no longer differs fails too.
    assert_eq!(differing, listed);
    assert!(cases.len() > listed.len());
}

#[test]
fn s4_the_http_state_dates_are_read_as_expected() {
    for file in ["dates-examples.json", "dates-bsd-examples.json"] {
        for case in vectors(file).unwrap_or_default() {
            let text = case["test"].as_str().unwrap();
            let read = parse_cookie_date(text.as_bytes())
                .map(|unix_s| ImfFixdate::new(u64::try_from(unix_s).unwrap()));
            let read = read.map(|date| String::from_utf8(date.as_bytes().to_vec()).unwrap());
            assert_eq!(read.as_deref(), case["expected"].as_str(), "{text}");
        }
    }
}

/// Reads a file of vectors; `None` if the folder is absent.
#[expect(
    clippy::disallowed_methods,
    reason = "the vectors are files, and a variable names their folder"
)]
fn vectors(file: &str) -> Option<Vec<Value>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/http-state");
    let given = std::env::var_os("HTTP_STATE_VECTORS");
    let folder = given.clone().map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if given.is_none() && !folder.is_dir() {
        return None;
    }
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()));
    let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("//")).collect();
    Some(serde_json::from_str(&body.join("\n")).unwrap())
}

/// Returns the cookies that the application receives from a browser that got these fields. Every name that can be
/// declared is declared.
fn seen_by_the_application(received: &[&str]) -> Vec<(String, String)> {
    let mut names: Vec<CookieName> = Vec::new();
    for field in received {
        let name = field.split([';', '=']).next().unwrap_or_default().trim_matches([' ', '\t']);
        if let Ok(name) = name.parse::<CookieName>()
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    let cookies = names.iter().map(|name| declared(name.as_str())).collect();
    let start = Exchange {
        date_unix_s: DATE_UNIX_S,
        ..Exchange::plain(policy(Declaration::new(cookies).unwrap()))
    };
    let set_cookie = received.iter().map(|field| field.as_bytes().to_vec()).collect();
    let left = Exchange { set_cookie, ..start.clone() }.judge().set_cookie;

    let mut jar: Vec<(String, String)> = Vec::new();
    for field in left {
        let field = String::from_utf8(field).unwrap();
        let (pair, attributes) = field.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        let place = jar.iter().position(|(other, _)| other == name);
        let deletes = attributes.starts_with("Max-Age=0;");
        match place {
            Some(place) if deletes => drop(jar.remove(place)),
            Some(place) => jar[place].1 = value.to_owned(),
            None if deletes => {}
            None => jar.push((name.to_owned(), value.to_owned())),
        }
    }
    let sent: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = vec![sent.join("; ").into_bytes()];
    let upstream = Exchange { cookie, ..start }.judge().cookie.unwrap_or_default();
    let upstream = String::from_utf8(upstream).unwrap();
    let pairs = upstream.split("; ").filter_map(|pair| pair.split_once('='));
    let mut pairs: Vec<_> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    pairs.sort();
    pairs
}

fn pairs(sent: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = sent.as_array().unwrap().iter();
    let mut pairs: Vec<_> = pairs.map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect();
    pairs.sort();
    pairs
}
