//! Rules G1 to G8, in whole exchanges.

use std::sync::Arc;

use super::*;
use crate::{
    CookieField,
    declaration::Declaration,
    fixture::{DATE_UNIX_S, Exchange},
    seal::{Key, Version},
    verdict::{Action, NotRenewed},
};

const HOST: &str = "acme.flexopus.example";
const HOUR: u64 = 3600;

fn sealing() -> Sealing {
    Sealing {
        ring: KeyRing::new(vec![Key::new(&[7; 32])]).unwrap(),
        cookie: "flexopus_session".parse().unwrap(),
        version: Version([1; 8]),
        unsealed_until_unix_s: None,
        ask_again: false,
        open_paths: vec!["/imprint".parse().unwrap()],
    }
}

/// A request of a tenant that seals, with this way of asking.
fn sealing_exchange(
    method: &'static str,
    path: &'static str,
    agreement: AgreementMode,
) -> Exchange {
    let mut exchange = Exchange::of(method, path);
    exchange.policy.seal = true;
    exchange.policy.agreement = agreement;
    exchange.seal = Some(sealing());
    exchange
}

fn exchange(method: &'static str, path: &'static str) -> Exchange {
    sealing_exchange(method, path, AgreementMode::Off)
}

fn contents(value: Option<&[u8]>) -> Contents<'_> {
    let holder = Holder(*b"a holder");
    Contents { scope: HOST, issued_unix_s: DATE_UNIX_S, holder, agreement: None, value }
}

fn agreed(version: u8) -> Option<seal::Agreement> {
    Some(seal::Agreement { version: Version([version; 8]), at_unix_s: DATE_UNIX_S - 60 })
}

/// The `Cookie` pair with these contents, sealed.
fn pair(contents: &Contents<'_>) -> String {
    let sealed = sealing().ring.seal(b"flexopus_session", contents, &mut || [9; 32]).unwrap();
    format!("flexopus_session={}", String::from_utf8(sealed).unwrap())
}

/// Opens a `Set-Cookie` field of the sealed cookie.
fn opened(field: &str) -> Opened {
    let value = field.strip_prefix("flexopus_session=").unwrap().split(';').next().unwrap();
    sealing().ring.open(b"flexopus_session", value.as_bytes()).unwrap()
}

fn upstream(exchange: &Exchange) -> (Option<String>, Vec<Action>) {
    let (field, verdicts) = exchange.upstream();
    let field = match field {
        CookieField::Replaced(bytes) => Some(String::from_utf8(bytes).unwrap()),
        CookieField::Removed => None,
        CookieField::Untouched => Some(exchange.fields.join("; ")),
    };
    (field, verdicts.into_iter().map(|(_, action)| action).collect())
}

#[test]
fn g2_the_application_gets_back_its_own_value_and_the_browser_an_opaque_one() {
    let sent =
        exchange("GET", "/").sends(&format!("XSRF-TOKEN=t; {}", pair(&contents(Some(b"s")))));
    let (field, actions) = upstream(&sent);
    assert_eq!(field.as_deref(), Some("XSRF-TOKEN=t; flexopus_session=s"));
    assert_eq!(actions, [Action::Keep, Action::Keep]);
    let answer = sent.answers(&["flexopus_session=a b; Path=/", "XSRF-TOKEN=u"]);
    let [session, token] = answer.fields.as_slice() else { panic!("{:?}", answer.fields) };
    assert!(session.starts_with("flexopus_session=cg1."));
    assert!(session.ends_with("Path=/; Secure; HttpOnly; SameSite=Lax"), "{session}");
    assert_eq!(opened(session).contents(), contents(Some(b"a b")));
    assert!(token.starts_with("XSRF-TOKEN=u;"));
}

#[test]
fn g2_a_renewal_seals_the_value_anew_with_the_agreement_that_it_had() {
    let old = Contents {
        issued_unix_s: DATE_UNIX_S - HOUR,
        agreement: agreed(1),
        ..contents(Some(b"s"))
    };
    let answer = exchange("GET", "/api/x").sends(&pair(&old)).answers(&[]);
    let expected = Contents { issued_unix_s: DATE_UNIX_S, ..old };
    assert_eq!(opened(answer.fields.first().unwrap()).contents(), expected);
    assert_eq!(answer.verdicts.last().unwrap().1, Action::Renew);
}

#[test]
fn g2_an_agreement_alone_does_not_go_upstream_and_is_renewed() {
    let alone = Contents { agreement: agreed(1), ..contents(None) };
    let sent = exchange("GET", "/api/x").sends(&pair(&alone));
    assert_eq!(upstream(&sent), (None, vec![Action::Keep]));
    let answer = sent.answers(&[]);
    assert_eq!(opened(answer.fields.first().unwrap()).contents(), alone);
    let answer = sent.answers(&["flexopus_session=s"]);
    let expected = Contents { value: Some(b"s"), ..alone };
    assert_eq!(opened(answer.fields.first().unwrap()).contents(), expected);
}

#[test]
fn g2_n4_the_memory_holds_the_application_s_values() {
    let first = exchange("GET", "/api/x").sends(&pair(&contents(Some(b"s"))));
    let other = Contents { issued_unix_s: DATE_UNIX_S - 1, ..contents(Some(b"s")) };
    let slow = Exchange { superseded: first.superseded.clone(), ..exchange("GET", "/api/y") };
    let slow = slow.sends(&pair(&other));
    assert_eq!(slow.answers(&[]).added().len(), 1);
    first.answers(&["flexopus_session=new"]);
    let answer = slow.answers(&[]);
    assert_eq!((answer.fields.len(), answer.added().len()), (0, 0));
    assert!(answer.declined.contains(&("flexopus_session".to_owned(), NotRenewed::Superseded)));
}

#[test]
fn g2_if_hosts_share_the_cookie_its_scope_is_the_tenant() {
    let mut sent = exchange("GET", "/");
    let mut cookies = sent.policy.declaration.cookies().to_vec();
    cookies.get_mut(1).unwrap().domain = Some("flexopus.example".parse().unwrap());
    sent.policy.declaration = Arc::new(Declaration::new(cookies).unwrap());
    sent.tenant = "*.flexopus.example";
    let shared = Contents { scope: "*.flexopus.example", ..contents(Some(b"s")) };
    let (field, _) = upstream(&Exchange { fields: vec![pair(&shared)], ..sent.clone() });
    assert_eq!(field.as_deref(), Some("flexopus_session=s"));
    let (_, actions) = upstream(&Exchange { fields: vec![pair(&contents(Some(b"s")))], ..sent });
    assert_eq!(actions, [Action::Strip(Reason::Foreign)]);
}

#[test]
fn g3_a_value_from_before_sealing_passes_and_the_next_navigation_seals_it() {
    let sent = exchange("GET", "/anywhere").html();
    let sent = sent.sends("flexopus_session=old; XSRF-TOKEN=t");
    assert_eq!(upstream(&sent).0.as_deref(), Some("flexopus_session=old; XSRF-TOKEN=t"));
    let answer = sent.answers(&[]);
    assert_eq!(answer.added(), [("flexopus_session", Action::Renew)]);
    let set = opened(answer.fields.first().unwrap());
    assert_eq!(set.contents(), Contents { holder: set.holder(), ..contents(Some(b"old")) });
    assert!(sent.clone().status(500).answers(&[]).fields.is_empty());
    let mut late = sent;
    let until = late.seal.as_mut().unwrap();
    until.unsealed_until_unix_s = Some(DATE_UNIX_S);
    assert_eq!(upstream(&late).1, [Action::Strip(Reason::Forged), Action::Keep]);
    late.seal.as_mut().unwrap().unsealed_until_unix_s = Some(DATE_UNIX_S + 1);
    assert_eq!(upstream(&late).1, [Action::Keep, Action::Keep]);
}

#[test]
fn g3_only_a_response_that_may_set_a_cookie_seals_the_session() {
    let old = "flexopus_session=old";
    for (sent, expected) in [
        (exchange("GET", "/page").html(), 1),
        (exchange("GET", "/api/x"), 1),
        (exchange("GET", "/logo.css"), 0),
        (exchange("GET", "/page").html().status(304), 0),
    ] {
        assert_eq!(sent.sends(old).answers(&[]).fields.len(), expected);
    }
}

#[test]
fn g4_foreign_forged_and_expired_values_are_stripped_and_not_renewed() {
    let edge = Contents { issued_unix_s: DATE_UNIX_S - HOUR, ..contents(Some(b"s")) };
    let expired = Contents { issued_unix_s: DATE_UNIX_S - HOUR - 1, ..contents(Some(b"s")) };
    let future = Contents { issued_unix_s: DATE_UNIX_S + 5, ..contents(Some(b"s")) };
    let foreign = Contents { scope: "globex.flexopus.example", ..contents(Some(b"s")) };
    let altered = pair(&edge).replace("cg1.", "cg1.A");
    for (sent, expected) in [
        (pair(&edge), Action::Keep),
        (pair(&future), Action::Keep),
        (pair(&expired), Action::Strip(Reason::Expired)),
        (pair(&foreign), Action::Strip(Reason::Foreign)),
        (altered, Action::Strip(Reason::Forged)),
        ("flexopus_session=cg1.".to_owned(), Action::Strip(Reason::Forged)),
    ] {
        for seal in [true, false] {
            let mut sent = exchange("GET", "/api/x").sends(&sent);
            sent.policy.seal = seal;
            let answer = sent.answers(&[]);
            assert_eq!(answer.verdicts.first().unwrap().1, expected, "{sent:?}");
            assert_eq!(answer.added().is_empty(), expected != Action::Keep);
        }
    }
}

#[test]
fn g4_a_tenant_that_no_longer_seals_opens_sealed_values_and_sets_them_unsealed() {
    let mut sent = exchange("GET", "/api/x").sends(&pair(&contents(Some(b"s"))));
    sent.policy.seal = false;
    assert_eq!(upstream(&sent).0.as_deref(), Some("flexopus_session=s"));
    assert!(sent.answers(&[]).fields.first().unwrap().starts_with("flexopus_session=s; "));
}

#[test]
fn g5_a_value_that_is_too_large_leaves_unsealed_and_is_accepted_again() {
    let huge = format!("flexopus_session={}", "v".repeat(4000));
    let sent = exchange("GET", "/api/x");
    assert!(sent.answers(&[&huge]).fields.first().unwrap().starts_with(&huge));
    let back = sent.sends(&huge);
    assert_eq!(upstream(&back), (Some(huge.clone()), vec![Action::Keep]));
    assert!(back.answers(&[]).fields.first().unwrap().starts_with(&huge));
    // Otherwise the person would be asked again and again.
    let asked = sealing_exchange("GET", "/", AgreementMode::Required).html().sends(&huge);
    assert_eq!(asked.agreement_state(false), (AgreementState::Agreed, None));
    // Anybody can make a value larger, so after that date its size is no exception.
    let mut late = back;
    late.seal.as_mut().unwrap().unsealed_until_unix_s = Some(DATE_UNIX_S);
    assert_eq!(upstream(&late).1, [Action::Strip(Reason::Forged)]);
}

#[test]
fn g5_an_agreement_that_has_no_room_beside_the_session_does_not_end_it() {
    let fits_alone = format!("flexopus_session={}", "v".repeat(2975));
    let held = exchange("GET", "/page").html().sends(&fits_alone).answers(&[]);
    let pair = held.fields.first().unwrap().split(';').next().unwrap();
    assert!(pair.starts_with("flexopus_session=cg1."));
    let agrees = |agreement| sealing_exchange("POST", "/", agreement).sends(pair).agrees();
    assert_eq!(agrees(AgreementMode::Notice), None, "the banner stays");
    assert_eq!(opened(&agrees(AgreementMode::Required).unwrap()).value(), None);
}

#[test]
fn g6_before_an_agreement_no_declared_cookie_passes_in_either_direction() {
    let fields = format!("XSRF-TOKEN=t; _ga=1; {}", pair(&contents(Some(b"s"))));
    let sent = sealing_exchange("GET", "/image.png", AgreementMode::Required).sends(&fields);
    let held = Action::Strip(Reason::BeforeAgreement);
    assert_eq!(upstream(&sent), (None, vec![held, Action::Strip(Reason::Undeclared), held]));
    let answer = sent.answers(&["flexopus_session=new", "XSRF-TOKEN=; Max-Age=0", "x=1"]);
    let actions: Vec<_> = answer.verdicts.iter().skip(3).map(|(_, action)| *action).collect();
    assert_eq!(actions, [held, held, Action::Strip(Reason::Undeclared)]);
    assert_eq!(
        answer.fields,
        Vec::<String>::new(),
        "a request before the agreement logs nobody out"
    );
    let map = sealing_exchange("GET", "/map-builder", AgreementMode::Required).answers(&[]);
    assert_eq!(map.added(), [], "nothing is injected");
}

#[test]
fn g6_the_kind_of_request_decides_the_answer_before_an_agreement() {
    let ask = |method, path, html, is_upgrade| {
        let sent = sealing_exchange(method, path, AgreementMode::Required).with_html(html);
        sent.agreement_state(is_upgrade).1
    };
    for (method, path, html, is_upgrade, expected) in [
        ("GET", "/", true, false, Some(AgreementChallenge::Question)),
        ("HEAD", "/bookings", true, false, Some(AgreementChallenge::Question)),
        ("POST", "/login", true, false, Some(AgreementChallenge::Question)),
        ("POST", "/login", false, false, Some(AgreementChallenge::Problem)),
        ("GET", "/api/me", false, false, Some(AgreementChallenge::Problem)),
        ("GET", "/socket", false, true, Some(AgreementChallenge::Problem)),
        ("GET", "/socket", true, true, Some(AgreementChallenge::Problem)),
        ("GET", "/logo.svg", false, false, None),
        ("GET", "/imprint", true, false, None),
        ("OPTIONS", "/api/me", false, false, None),
    ] {
        assert_eq!(ask(method, path, html, is_upgrade), expected, "{method} {path}");
    }
}

#[test]
fn g6_g8_with_ask_again_an_agreement_holds_for_the_current_version_only() {
    for (agreement, ask_again, version, expected) in [
        (AgreementMode::Off, true, None, AgreementState::NotAsked),
        (AgreementMode::Notice, false, None, AgreementState::Notified),
        (AgreementMode::Required, false, None, AgreementState::Pending),
        (AgreementMode::Required, false, Some(2), AgreementState::Agreed),
        (AgreementMode::Required, true, Some(2), AgreementState::Pending),
        (AgreementMode::Notice, true, Some(2), AgreementState::Notified),
        (AgreementMode::Notice, true, Some(1), AgreementState::Agreed),
    ] {
        let held = Contents { agreement: version.and_then(agreed), ..contents(Some(b"s")) };
        let mut sent = sealing_exchange("GET", "/", agreement).html().sends(&pair(&held));
        sent.seal.as_mut().unwrap().ask_again = ask_again;
        assert_eq!(sent.agreement_state(false).0, expected);
    }
}

#[test]
fn g6_agreeing_keeps_the_session_that_was_held_back() {
    for (field, value) in [
        (None, None),
        (Some("flexopus_session=old".to_owned()), Some(&b"old"[..])),
        (Some(pair(&contents(Some(b"s")))), Some(b"s")),
        (Some("flexopus_session=cg1.x".to_owned()), None),
    ] {
        let mut sent = sealing_exchange("POST", "/", AgreementMode::Required);
        sent.fields.extend(field);
        let set = sent.agrees().unwrap();
        let agreement = seal::Agreement { version: Version([1; 8]), at_unix_s: DATE_UNIX_S };
        let expected = Contents { agreement: Some(agreement), ..contents(value) };
        let expected = Contents { holder: opened(&set).holder(), ..expected };
        assert_eq!(opened(&set).contents(), expected);
    }
}

#[test]
fn g2_a_slow_call_with_an_agreement_alone_does_not_undo_a_login() {
    let alone = pair(&Contents { agreement: agreed(1), ..contents(None) });
    let slow = exchange("GET", "/api/x").sends(&alone);
    assert_eq!(slow.answers(&[]).added().len(), 1);
    // The cookie was renewed in the meantime: the text differs, the holder is the same.
    let renewed = slow.answers(&[]).fields.remove(0);
    let renewed = renewed.split(';').next().unwrap();
    let login = Exchange { superseded: slow.superseded.clone(), ..exchange("POST", "/login") };
    assert_eq!(login.sends(renewed).answers(&["flexopus_session=new"]).fields.len(), 1);
    let late = slow.answers(&[]);
    assert!(late.declined.contains(&("flexopus_session".to_owned(), NotRenewed::Superseded)));
    assert_eq!(late.fields.len(), 0);
}

#[test]
fn g7_a_late_response_does_not_lose_an_agreement() {
    let slow = sealing_exchange("GET", "/api/x", AgreementMode::Notice);
    let slow = slow.sends(&pair(&contents(Some(b"s"))));
    assert!(slow.agrees().is_some());
    for fields in [&[][..], &["flexopus_session=t"]] {
        let answer = slow.answers(fields);
        assert!(opened(answer.fields.first().unwrap()).agreement().is_some());
    }
    let other = pair(&Contents { holder: Holder(*b"no other"), ..contents(Some(b"s")) });
    let answer = Exchange { fields: vec![other], ..slow }.answers(&["flexopus_session=t"]);
    assert_eq!(opened(answer.fields.first().unwrap()).agreement(), None);
}

#[test]
fn g2_of_several_values_the_one_that_opens_counts() {
    let held = Contents { agreement: agreed(1), ..contents(Some(b"s")) };
    let fields = format!("flexopus_session=tossed; {}; flexopus_session=cg1.x", pair(&held));
    let sent = sealing_exchange("GET", "/api/x", AgreementMode::Required).sends(&fields);
    let duplicate = Action::Strip(Reason::Duplicate);
    let expected =
        (Some("flexopus_session=s".to_owned()), vec![duplicate, Action::Keep, duplicate]);
    assert_eq!(upstream(&sent), expected);
    assert_eq!(sent.answers(&[]).added(), [("flexopus_session", Action::Renew)]);
    let none = exchange("GET", "/").sends("flexopus_session=a; flexopus_session=b");
    assert_eq!(
        upstream(&none),
        (Some("flexopus_session=a".to_owned()), vec![Action::Keep, duplicate])
    );
}

#[test]
fn g7_a_withdrawal_deletes_all_and_holds_late_responses_back() {
    for value in [Some(&b"s"[..]), None] {
        let held = Contents { agreement: agreed(1), ..contents(value) };
        let slow = sealing_exchange("GET", "/api/x", AgreementMode::Required).sends(&pair(&held));
        let (deleted, evicted) = slow.withdraws();
        let names: Vec<_> = deleted.iter().filter_map(|field| field.split('=').next()).collect();
        let declared = ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"];
        assert!(names.starts_with(&declared), "{names:?}");
        let is_sent = |name: &&str| *name == "flexopus_session";
        assert!(names.iter().skip(3).all(is_sent), "E4: also where it is not declared");
        assert_eq!(evicted, [""; 0]);
        assert!(
            deleted.iter().all(|field| field.contains("=; Max-Age=0; Expires=Thu, 01 Jan 1970"))
        );
        let answer = slow.answers(&["flexopus_session=new", "XSRF-TOKEN=t"]);
        assert_eq!(answer.fields, Vec::<String>::new());
        // The application has set another value in the meantime, as Laravel does with each response.
        let older = Contents { value: Some(b"older"), ..held };
        let older = Exchange { fields: vec![pair(&older)], ..slow.clone() };
        assert_eq!(older.answers(&["flexopus_session=new"]).fields, Vec::<String>::new());
        let other = Contents { holder: Holder(*b"no other"), ..held };
        let other = Exchange { fields: vec![pair(&other)], ..slow };
        assert_eq!(other.answers(&["flexopus_session=new"]).fields.len(), 1);
    }
}

#[test]
fn t4_report_mode_opens_seals_and_asks_nothing() {
    let sent = sealing_exchange("GET", "/api/x", AgreementMode::Required).html().report();
    let pair = pair(&contents(Some(b"s")));
    let sent = sent.sends(&pair);
    assert_eq!(upstream(&sent), (Some(pair), vec![Action::Keep]));
    assert_eq!(sent.agreement_state(false), (AgreementState::NotAsked, None));
    assert_eq!(sent.answers(&["flexopus_session=n"]).fields, ["flexopus_session=n"]);
}
