//! Properties of requests (R), for any input.

use std::collections::HashSet;

use cookie::Cookie;
use crumbgate_policy::{
    CookieField, Policy,
    verdict::{Action, Direction},
};
use proptest::prelude::*;

use crate::exchange::{Exchange, any_exchange, any_policy, is_on_seen, well_formed_pairs};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn r2_no_bytes_bring_an_undeclared_name_upstream(exchange in any_exchange()) {
        let outgoing = exchange.judge().cookie.unwrap_or_default();
        for name in names_that_php_sees(&outgoing) {
            prop_assert!(is_declared(&exchange.policy, &name), "{}", outgoing.escape_ascii());
        }
        let mut seen = HashSet::new();
        for part in naive_parts(&outgoing) {
            let at = part.iter().position(|byte| *byte == b'=').expect("a pair has a name");
            let (name, value) = (&part[..at], &part[at + 1..]);
            prop_assert!(is_declared(&exchange.policy, name));
            prop_assert!(seen.insert(name), "R3: one pair of a name");
            let quoted = value.len() >= 2 && value.starts_with(b"\"") && value.ends_with(b"\"");
            let octets = if quoted { &value[1..value.len() - 1] } else { value };
            let is_octet = |byte: &u8| byte.is_ascii_graphic() && !b"\",;\\".contains(byte);
            prop_assert!(octets.iter().all(is_octet), "R5: {}", outgoing.escape_ascii());
        }
    }

    #[test]
    fn r6_judging_a_request_twice_changes_nothing(exchange in any_exchange()) {
        let first = exchange.judge();
        let again = Exchange { cookie: Vec::from_iter(first.cookie), ..exchange }.judge();
        prop_assert_eq!(&again.upstream, &CookieField::Untouched);
        prop_assert_eq!(again.count(Direction::Request, |action| action != Action::Keep), 0);
    }

    #[test]
    fn r6_the_pairs_that_stay_keep_their_bytes_and_order(exchange in any_exchange()) {
        let received: Vec<&[u8]> = exchange.cookie.iter().flat_map(|field| naive_parts(field)).collect();
        let outgoing = exchange.judge().cookie.unwrap_or_default();
        let mut received = received.into_iter();
        for part in naive_parts(&outgoing) {
            prop_assert!(received.any(|other| other == part), "in the order of the request");
        }
    }

    #[test]
    fn a1_each_cookie_of_a_request_has_exactly_one_verdict(exchange in any_exchange()) {
        let seen = exchange.cookie.iter().flat_map(|field| naive_parts(field)).count();
        let outcome = exchange.judge();
        prop_assert_eq!(outcome.count(Direction::Request, |_| true), seen);
        prop_assert_eq!(outcome.count(Direction::Request, is_on_seen), seen);
        prop_assert_eq!(outcome.count(Direction::Request, |action| action == Action::Rewrite), 0);
        let kept = outcome.count(Direction::Request, |action| action == Action::Keep);
        prop_assert_eq!(naive_parts(&outcome.cookie.unwrap_or_default()).count(), kept);
    }

    #[test]
    fn t4_report_mode_changes_no_byte_and_no_verdict(exchange in any_exchange()) {
        let reported = exchange.reported().judge();
        let joined = (!exchange.cookie.is_empty()).then(|| exchange.cookie.join(&b"; "[..]));
        prop_assert_eq!(&reported.cookie, &joined);
        prop_assert_eq!(&reported.set_cookie, &exchange.set_cookie);
        prop_assert_eq!(reported.verdicts, exchange.judge().verdicts);
    }

    #[test]
    fn r_a_well_formed_field_is_read_as_the_cookie_crate_reads_it(
        policy in any_policy(),
        field in well_formed_pairs(),
    ) {
        let text = String::from_utf8(field.clone()).unwrap();
        let mut seen = HashSet::new();
        let expected: Vec<String> = Cookie::split_parse(text.as_str())
            .map(|cookie| cookie.expect("it is well-formed"))
            .filter(|cookie| is_declared(&policy, cookie.name().as_bytes()))
            .filter(|cookie| seen.insert(cookie.name().to_owned()))
            .map(|cookie| cookie.to_string())
            .collect();
        let outcome = Exchange { cookie: vec![field], ..Exchange::plain(policy) }.judge();
        let expected = (!expected.is_empty()).then(|| expected.join("; ").into_bytes());
        prop_assert_eq!(outcome.cookie, expected);
    }
}

fn is_declared(policy: &Policy, name: &[u8]) -> bool {
    policy.declaration.cookies().iter().any(|cookie| cookie.name.as_bytes() == name)
}

/// Splits a field into the parts that are not only white space.
fn naive_parts(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    field.split(|byte| *byte == b';').filter_map(move |part| {
        let start = part.iter().position(|byte| !is_blank(byte))?;
        let end = part.iter().rposition(|byte| !is_blank(byte))?;
        Some(&part[start..=end])
    })
}

/// Returns the names under which PHP's `$_COOKIE` would hold the cookies of a field. `php_default_treat_data` splits at
/// `;` and skips white space; `php_register_variable_ex` replaces ` `, `.` and a lone `[` by `_`, and ends a name where an
/// array's index begins. A pair without `=` is a cookie too, and a NUL ends the field.
fn names_that_php_sees(field: &[u8]) -> Vec<Vec<u8>> {
    let field = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut names = Vec::new();
    for part in field.split(|byte| *byte == b';') {
        let start = part.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b);
        let Some(part) = start.map(|start| &part[start..]) else { continue };
        let raw = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        let opening = raw.iter().position(|byte| *byte == b'[');
        let closes = opening.is_some_and(|at| at > 0 && raw[at..].contains(&b']'));
        let end = opening.filter(|_| closes).unwrap_or(raw.len());
        let fold = |byte: &u8| if matches!(byte, b' ' | b'.' | b'[') { b'_' } else { *byte };
        let name: Vec<u8> = raw[..end].iter().map(fold).collect();
        if !name.is_empty() {
            names.push(name);
        }
    }
    names
}

#[test]
fn r2_the_model_of_php_folds_names_as_php_does() {
    for field in [
        "flexopus.session=e",
        " flexopus session=e",
        "flexopus[session=e",
        "flexopus_session[x]=e",
        "flexopus_session",
        "\t\x0bflexopus_session=e",
    ] {
        assert_eq!(names_that_php_sees(field.as_bytes()), [b"flexopus_session"], "{field}");
    }
    let other = ["flexopus%5Fsession=e", "=flexopus_session=z", "a=b,flexopus_session=c"];
    for field in other {
        assert_ne!(names_that_php_sees(field.as_bytes()), [b"flexopus_session"], "{field}");
    }
}
