//! Properties of responses (S, N, E), for any input.

use cookie::{Cookie, SameSite, time};
use crumbgate_policy::{
    EvictScope, Policy, SetCookieFields,
    date::{ImfFixdate, LAST_UNIX_S, parse_cookie_date},
    verdict::{Action, Direction},
};
use http::HeaderValue;
use proptest::prelude::*;

use crate::exchange::{DATE_UNIX_S, Exchange, any_exchange, any_policy, flexopus, is_on_seen};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn s2_an_outgoing_field_is_always_valid(exchange in any_exchange()) {
        for field in exchange.judge().set_cookie {
            prop_assert!(HeaderValue::from_bytes(&field).is_ok(), "{}", field.escape_ascii());
            let shown = field.escape_ascii().to_string();
            let attributes = attributes(&field);
            let first = attributes.iter().map(|(name, _)| name.as_str());
            prop_assert!(first.take(3).eq(["Max-Age", "Expires", "Path"]), "{}", shown);
            for name in ["Max-Age", "Expires", "Path", "Secure"] {
                let count = attributes.iter().filter(|(other, _)| other == name).count();
                prop_assert_eq!(count, 1, "{} in {}", name, shown);
            }
            let max_age_s: u64 = attributes[0].1.parse().expect("digits");
            let expires_unix_s = match max_age_s {
                0 => 0,
                _ => exchange.date_unix_s.saturating_add(max_age_s).min(LAST_UNIX_S),
            };
            let expires = httpdate_text(expires_unix_s);
            prop_assert_eq!(&attributes[1].1, &expires, "{}", shown);
        }
    }

    #[test]
    fn s2_the_cookie_crate_reads_the_declared_attributes(exchange in any_exchange()) {
        let date_unix_s = DATE_UNIX_S;
        let exchange = Exchange { date_unix_s, ..exchange };
        for field in exchange.judge().set_cookie {
            let Ok(text) = String::from_utf8(field) else { continue };
            let parsed = Cookie::parse(text.as_str()).expect("it has a name");
            let Some(cookie) = declared(&exchange.policy, &parsed) else {
                prop_assert_eq!(parsed.max_age(), Some(time::Duration::ZERO), "E1: {}", text);
                continue;
            };
            prop_assert_eq!(parsed.secure(), Some(true));
            prop_assert_eq!(parsed.http_only().unwrap_or(false), cookie.http_only);
            prop_assert_eq!(parsed.path(), Some(cookie.path.as_str()));
            prop_assert_eq!(parsed.domain(), cookie.domain.as_ref().map(|domain| domain.as_str()));
            prop_assert!(parsed.same_site() == Some(SameSite::Strict) || parsed.same_site().is_some());
            let max_age = parsed.max_age().expect("a number").whole_seconds();
            let expires = parsed.expires_datetime().expect("a date").unix_timestamp();
            let from = if max_age == 0 { 0 } else { date_unix_s.cast_signed() };
            prop_assert_eq!(expires, from + max_age);
        }
    }

    #[test]
    fn s2_judging_a_response_twice_changes_nothing(exchange in any_exchange()) {
        // An evicting field is undeclared, so the second judgement would strip it. And a field that was stripped the first
        // time no longer prevents the renewal of its name (N1), so the second response has a status that renews nothing
        // (N3).
        let policy = Policy { evict: EvictScope::Off, ..exchange.policy.clone() };
        let exchange = Exchange { policy, ..exchange };
        let first = exchange.judge();
        let again = Exchange { set_cookie: first.set_cookie, status: 500, ..exchange }.judge();
        prop_assert_eq!(&again.downstream, &SetCookieFields::Untouched);
        prop_assert_eq!(again.count(Direction::Response, |action| action != Action::Keep), 0);
    }

    #[test]
    fn a1_each_cookie_of_a_response_has_exactly_one_verdict(exchange in any_exchange()) {
        let outcome = exchange.judge();
        prop_assert_eq!(outcome.count(Direction::Response, is_on_seen), exchange.set_cookie.len());
        let is_through = |action| matches!(action, Action::Keep | Action::Rewrite);
        let is_added = |action| matches!(action, Action::Inject | Action::Renew);
        let through = outcome.count(Direction::Response, is_through);
        let added = outcome.count(Direction::Response, is_added);
        let names = outcome.set_cookie.iter().map(|field| name_of(field));
        let declared = names.filter(|name| is_declared(&exchange.policy, name)).count();
        prop_assert_eq!(through + added, declared);
    }

    #[test]
    fn e1_evictions_stay_within_their_bounds(
        exchange in any_exchange(),
        junk in prop::collection::vec((b'!'..=b'~', prop_oneof![1..4usize, 300..900usize]), 0..60),
    ) {
        let pairs = junk.iter().map(|(byte, length)| [&vec![*byte; *length], &b"=1"[..]].concat());
        let cookie = pairs.collect::<Vec<_>>().join(&b';');
        let exchange = Exchange {
            cookie: vec![cookie],
            set_cookie: Vec::new(),
            accepts_html: true,
            method: "GET".to_owned(),
            ..exchange
        };
        let outcome = exchange.judge();
        let evicted: Vec<&[u8]> = outcome
            .verdicts
            .iter()
            .filter(|(_, _, action)| *action == Action::Evict)
            .map(|(_, name, _)| name.as_slice())
            .collect();
        let fields: Vec<&Vec<u8>> = outcome
            .set_cookie
            .iter()
            .filter(|field| !is_declared(&exchange.policy, name_of(field)))
            .collect();
        prop_assert!(evicted.len() <= 20);
        prop_assert!(fields.iter().map(|field| field.len()).sum::<usize>() <= 8192);
        for (index, name) in evicted.iter().enumerate() {
            prop_assert!(!is_declared(&exchange.policy, name), "E2");
            prop_assert!(!evicted[..index].contains(name), "each once");
            prop_assert!(fields.iter().any(|field| name_of(field) == *name));
        }
        for field in fields {
            prop_assert!(evicted.contains(&name_of(field)));
        }
    }

    #[test]
    fn s_a_well_formed_field_is_read_as_the_cookie_crate_reads_it(
        policy in any_policy(),
        name in prop::sample::select(vec!["flexopus_session", "XSRF-TOKEN", "_ga"]),
        value in "[!#-+./0-9:<-@A-Z^_`a-z{|}~-]{0,40}",
        max_age in prop::option::of(-3..3i64),
        expires_in in prop::option::of(-100..100i64),
        is_strict in any::<bool>(),
    ) {
        let now = time::OffsetDateTime::from_unix_timestamp(DATE_UNIX_S.cast_signed()).unwrap();
        let mut sent = Cookie::new(name, value.as_str());
        sent.set_path("/elsewhere");
        sent.set_max_age(max_age.map(time::Duration::seconds));
        if let Some(seconds) = expires_in {
            sent.set_expires(now + time::Duration::seconds(seconds));
        }
        sent.set_same_site(is_strict.then_some(SameSite::Strict));
        let field = sent.to_string().into_bytes();
        let is_known = is_declared(&policy, name.as_bytes());
        let outcome = Exchange { set_cookie: vec![field], ..Exchange::plain(policy) }.judge();
        let left: Vec<_> = outcome.set_cookie.iter().filter(|f| name_of(f) == name.as_bytes()).collect();
        prop_assert_eq!(left.len(), usize::from(is_known));
        for field in left {
            let left = Cookie::parse(str::from_utf8(field).unwrap()).unwrap();
            let deletes = max_age.map_or(expires_in.is_some_and(|seconds| seconds <= 0), |s| s <= 0);
            prop_assert_eq!(left.value(), &value);
            prop_assert_eq!(left.max_age() == Some(time::Duration::ZERO), deletes);
            prop_assert_eq!(left.same_site() == Some(SameSite::Strict), is_strict);
        }
    }

    #[test]
    fn s4_a_date_that_was_written_is_read_back(unix_s in 0..=LAST_UNIX_S) {
        let text = ImfFixdate::new(unix_s);
        let expected = httpdate_text(unix_s);
        prop_assert_eq!(text.as_bytes(), expected.as_bytes());
        prop_assert_eq!(parse_cookie_date(text.as_bytes()), Some(unix_s.cast_signed()));
    }

    #[test]
    fn s4_the_older_forms_of_a_date_are_read_too(unix_s in 0..=LAST_UNIX_S) {
        let imf = httpdate_text(unix_s);
        let [weekday, day, month, year, clock, _] =
            imf.split(' ').collect::<Vec<_>>().try_into().expect("six words");
        let netscape = format!("{weekday} {day}-{month}-{year} {clock} GMT");
        let asctime = format!("{} {month} {day} {clock} {year}", weekday.trim_end_matches(','));
        for form in [netscape, asctime] {
            prop_assert_eq!(parse_cookie_date(form.as_bytes()), Some(unix_s.cast_signed()), "{}", form);
        }
        if (1970..2070).contains(&year.parse::<u16>().unwrap()) {
            let rfc_850 = format!("{weekday} {day}-{month}-{} {clock} GMT", &year[2..]);
            prop_assert_eq!(parse_cookie_date(rfc_850.as_bytes()), Some(unix_s.cast_signed()), "{}", rfc_850);
        }
    }

    /// A space before a date prevents the fast path for the usual form.
    #[test]
    fn s4_the_fast_path_for_dates_agrees_with_the_general_one(
        unix_s in 0..=LAST_UNIX_S,
        changes in prop::collection::vec((0..29usize, "[ -~]|[0-9]|Mar|Sun|x"), 0..3),
    ) {
        let mut text = httpdate_text(unix_s).into_bytes();
        for (at, change) in changes {
            let end = (at + change.len()).min(text.len());
            text.splice(at..end, change.bytes().take(end - at));
        }
        let general = [b" ", &text[..]].concat();
        prop_assert_eq!(parse_cookie_date(&text), parse_cookie_date(&general), "{:?}", text);
    }

    #[test]
    fn s4_no_text_is_a_date_out_of_range(text in prop::collection::vec(any::<u8>(), 0..48)) {
        let range = -11_644_473_600..=LAST_UNIX_S.cast_signed();
        prop_assert!(parse_cookie_date(&text).is_none_or(|unix_s| range.contains(&unix_s)));
    }
}

#[test]
fn s7_every_one_of_many_fields_is_judged() {
    let tracker = |n: usize| format!("tracker{n}={}; Path=/", "x".repeat(4000)).into_bytes();
    let mut set_cookie: Vec<Vec<u8>> = (0..150).map(tracker).collect();
    set_cookie.push(b"XSRF-TOKEN=t".to_vec());
    let outcome = Exchange { set_cookie, ..Exchange::plain(flexopus()) }.judge();
    assert_eq!(outcome.count(Direction::Response, is_on_seen), 151);
    assert_eq!(
        outcome.set_cookie.iter().map(|field| name_of(field)).collect::<Vec<_>>(),
        [b"XSRF-TOKEN"]
    );
}

fn is_declared(policy: &Policy, name: &[u8]) -> bool {
    policy.declaration.cookies().iter().any(|cookie| cookie.name.as_bytes() == name)
}

fn declared<'p>(
    policy: &'p Policy,
    parsed: &Cookie<'_>,
) -> Option<&'p crumbgate_policy::declaration::DeclaredCookie> {
    policy.declaration.cookies().iter().find(|cookie| cookie.name.as_str() == parsed.name())
}

fn name_of(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// Returns the attributes of a field, in order.
fn attributes(field: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(field);
    let attributes = text.split("; ").skip(1);
    attributes
        .map(|attribute| attribute.split_once('=').unwrap_or((attribute, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn httpdate_text(unix_s: u64) -> String {
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_s);
    httpdate::fmt_http_date(date)
}
