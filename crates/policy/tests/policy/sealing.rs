//! Properties of sealing and agreement (G), for any input.

use crumbgate_policy::{
    AgreementMode, CookieField, SetCookieFields,
    seal::{Key, KeyRing, Version},
    sealing::Sealing,
    verdict::{Action, Direction, Reason},
};
use proptest::prelude::*;

use crate::exchange::{DATE_UNIX_S, Exchange, any_exchange, flexopus, is_on_seen};

fn sealing() -> Sealing {
    Sealing {
        ring: KeyRing::new(vec![Key::new(&[7; 32])]).unwrap(),
        cookie: "flexopus_session".parse().unwrap(),
        version: Version([1; 8]),
        unsealed_until_unix_s: None,
        ask_again: false,
        open_paths: Vec::new(),
    }
}

/// Any exchange of a tenant that seals, with any of these ways of asking.
fn any_sealing_exchange(agreements: &'static [AgreementMode]) -> impl Strategy<Value = Exchange> {
    (any_exchange(), prop::sample::select(agreements)).prop_map(|(mut exchange, agreement)| {
        exchange.policy.seal = true;
        exchange.policy.agreement = agreement;
        exchange.sealing = Some(sealing());
        exchange
    })
}

/// Any value that an application may set, without white space at its ends.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>()
        .prop_filter("no control, no separator", |byte| !byte.is_ascii_control() && *byte != b';');
    let short = prop::collection::vec(byte, 0..200);
    let long = (2500..4070usize).prop_map(|length| vec![b'v'; length]);
    prop_oneof![4 => short, 1 => long].prop_filter("it would be trimmed", |value| {
        let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        !is_space(value.first()) && !is_space(value.last())
    })
}

proptest! {
    #[test]
    fn g2_g5_the_application_gets_back_the_value_that_it_has_set(value in any_value()) {
        let mut exchange = Exchange::plain(flexopus());
        exchange.policy.seal = true;
        exchange.sealing = Some(sealing());
        exchange.set_cookie = vec![[b"flexopus_session=", &*value, b"; Path=/"].concat()];
        let set = exchange.judge().set_cookie.concat();
        let pair = set.split(|byte| *byte == b';').next().unwrap().to_vec();
        prop_assert!(pair.len() - 1 <= 4096, "browsers keep it");

        exchange.set_cookie = Vec::new();
        exchange.cookie = vec![pair.clone()];
        let upstream = exchange.judge().cookie;
        let own = [b"flexopus_session=", &*value].concat();
        let is_sealed = pair.starts_with(b"flexopus_session=cg1.");
        prop_assert!(is_sealed || value.len() > 2500, "only a value that is too large leaves unsealed");
        prop_assert_eq!(upstream, Some(own));
    }

    #[test]
    fn a1_each_cookie_has_one_verdict_when_it_is_sealed_and_when_it_is_held_back(
        exchange in any_sealing_exchange(&[AgreementMode::Off, AgreementMode::Notice, AgreementMode::Required]),
    ) {
        let plain = Exchange { sealing: None, ..exchange.clone() }.judge();
        let sealed = exchange.judge();
        for direction in [Direction::Request, Direction::Response] {
            prop_assert_eq!(plain.count(direction, is_on_seen), sealed.count(direction, is_on_seen));
        }
    }

    #[test]
    fn g6_before_an_agreement_no_declared_cookie_passes_in_either_direction(
        exchange in any_sealing_exchange(&[AgreementMode::Required]),
    ) {
        // A value that is too large for sealing passes without an agreement (G5).
        prop_assume!(exchange.cookie.iter().all(|field| field.len() < 2500));
        prop_assume!(exchange.policy.declaration.cookies().iter().any(|c| c.name.as_str() == "flexopus_session"));
        let outcome = exchange.judge();
        prop_assert!(outcome.cookie.is_none() || outcome.upstream == CookieField::Untouched && exchange.cookie.is_empty());
        for field in &outcome.set_cookie {
            let field = String::from_utf8_lossy(field);
            prop_assert!(field.contains("; Max-Age=0; "), "{field} only deletes");
        }
        let is_kept = |action: &Action| matches!(action, Action::Keep | Action::Renew | Action::Inject);
        prop_assert!(!outcome.verdicts.iter().any(|(_, _, action)| is_kept(action)));
    }

    #[test]
    fn t4_report_mode_changes_no_byte_of_a_sealed_cookie(
        exchange in any_sealing_exchange(&[AgreementMode::Off, AgreementMode::Notice, AgreementMode::Required]),
    ) {
        let reported = exchange.reported().judge();
        prop_assert_eq!(&reported.downstream, &SetCookieFields::Untouched);
        let plain = Exchange { sealing: None, ..exchange.reported() }.judge();
        prop_assert_eq!(reported, plain);
    }

    #[test]
    fn g4_a_value_that_only_looks_sealed_does_not_reach_the_application(text in "[A-Za-z0-9_.-]{0,80}") {
        let mut exchange = Exchange::plain(flexopus());
        exchange.policy.seal = true;
        exchange.sealing = Some(sealing());
        exchange.date_unix_s = DATE_UNIX_S;
        exchange.cookie = vec![format!("flexopus_session=cg1.{text}").into_bytes()];
        let outcome = exchange.judge();
        prop_assert_eq!(outcome.cookie, None);
        let forged = Action::Strip(Reason::Forged);
        prop_assert_eq!(outcome.verdicts.first().map(|(_, _, action)| *action), Some(forged));
    }
}
