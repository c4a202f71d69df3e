//! The texts of explanations, and the rules that they name.

use std::sync::Arc;

use super::{
    question::Question,
    rule::{Around, CookieOutcome},
    transcript::{Exchange, Fields, Request, Response},
    *,
};
use crumbgate_config::Limits;
use crumbgate_policy::{
    declaration::{DeclaredCookie, Inject},
    verdict::{Action, Reason, Verdict},
};

/// 2026-11-23 12:00:00.
const NOW: Now = Now { unix_s: 1_795_435_200, uptime_s: 0 };

fn tenant(name: &str) -> Tenant {
    let policy = Policy {
        declaration: Arc::new(Declaration::flexopus()),
        session: SessionDuration::ONE_WEEK,
        mode: Mode::Enforce,
        evict: EvictScope::Host,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    };
    Tenant { name: name.into(), policy, upstream: 0 }
}

fn explainer(change: impl Fn(&mut Policy)) -> Explainer {
    explainer_of(change, Limits { cookie_bytes: 1024, ..Limits::DEFAULT })
}

fn explainer_of(change: impl Fn(&mut Policy), limits: Limits) -> Explainer {
    let mut tenant = tenant("acme.example");
    change(&mut tenant.policy);
    let settings = Settings { limits: Arc::new(limits), ..Settings::default() };
    Explainer::serving(Arc::new(TenantTable::new([tenant], None)), settings, NOW)
}

/// A request with these cookies, and its answer.
fn exchange(path: &str, cookies: &[&str], set_cookies: &[&str]) -> Exchange {
    let fields = |name: &str, values: &[&str]| {
        let mut fields = Fields::default();
        fields.replace(name, values.iter().map(|value| value.as_bytes().to_vec()));
        fields
    };
    let (target, fields_of_request) = (path.to_owned(), fields("cookie", cookies));
    let mut request = Request { target, fields: fields_of_request, ..Request::default() };
    request.fields.replace("host", [b"acme.example".to_vec()]);
    let response = Response { fields: fields("set-cookie", set_cookies), ..Response::default() };
    Exchange { request: Some(request), response: Some(response), ..Exchange::default() }
}

fn navigation(mut exchange: Exchange) -> Exchange {
    exchange.request.as_mut().unwrap().fields.replace("accept", [b"text/html".to_vec()]);
    exchange
}

/// `name fate rules: reason` of each cookie.
fn lines(explanation: &Explanation) -> Vec<String> {
    let line = |cookie: &Cookie| {
        let name = String::from_utf8_lossy(&cookie.name);
        format!("{name} {:?} {:?}: {}", cookie.fate, cookie.rules, cookie.reason)
    };
    explanation.cookies.iter().map(line).collect()
}

#[track_caller]
fn assert_line(explanation: &Explanation, beginning: &str, word: &str) {
    let lines = lines(explanation);
    let is_there = lines.iter().any(|line| line.starts_with(beginning) && line.contains(word));
    assert!(is_there, "{beginning} … {word} in {lines:#?}");
}

fn explain(path: &str, cookies: &[&str], set_cookies: &[&str]) -> Explanation {
    explainer(|_| ()).explain(None, &exchange(path, cookies, set_cookies))
}

#[test]
fn r_each_verdict_on_a_request_names_its_rule() {
    let sent = "flexopus_session=s; _ga=1; flexopus_session=t; alone; XSRF-TOKEN=a b; flexopus%5Fsession=1";
    let explanation = explain("/", &[sent], &[]);
    for (beginning, word) in [
        ("flexopus_session Kept [R6]", "byte for byte"),
        ("_ga Stripped [R2]", "not declared"),
        ("flexopus_session Stripped [R3]", "before it"),
        (" Stripped [R4]", "no name"),
        ("XSRF-TOKEN Stripped [R5]", "a byte that none may have"),
        ("flexopus%5Fsession Stripped [R2]", "it is not flexopus_session, byte for byte"),
    ] {
        assert_line(&explanation, beginning, word);
    }
    assert_eq!(explanation.leaves.upstream, Upstream::Replaced(b"flexopus_session=s".to_vec()));
    let several = explain("/", &["a=1", "b=2"], &[]);
    assert!(several.remarks.iter().any(|remark| remark.rule == Some(Rule::R1)));
    assert_eq!(several.leaves.upstream, Upstream::Removed);
    assert_eq!(explain("/", &[], &[]).leaves.upstream, Upstream::Absent);
}

#[test]
fn s_each_verdict_on_a_response_names_its_rules() {
    let huge = format!("flexopus_session={}", "v".repeat(5000));
    let kept = "XSRF-TOKEN=t; Max-Age=604800; Expires=Mon, 30 Nov 2026 12:00:00 GMT; Path=/; Secure; SameSite=Lax";
    for (field, beginning, word) in [
        ("_ga=1", "_ga Stripped [S1]", "not declared"),
        (
            "XSRF-TOKEN=t; Max-Age=60",
            "XSRF-TOKEN Rewritten [S2]",
            "for 1w from now; the application asked for an hour",
        ),
        (
            "visitedMapBuilder=1",
            "visitedMapBuilder Rewritten [S2]",
            "3w from now; the application asked for none",
        ),
        (kept, "XSRF-TOKEN Kept [S2]", "already"),
        ("XSRF-TOKEN=t; SameSite=Strict", "XSRF-TOKEN Rewritten [S2, S3]", "stricter"),
        ("XSRF-TOKEN=; Max-Age=0", "XSRF-TOKEN Rewritten [S4]", "a deletion"),
        ("alone", " Stripped [S6]", "no name"),
        (&huge, "flexopus_session Stripped [S6]", "4096"),
    ] {
        assert_line(&explain("/", &[], &[field]), beginning, word);
    }
    let several = explain("/", &[], &["XSRF-TOKEN=1", "XSRF-TOKEN=2"]);
    assert_line(&several, "XSRF-TOKEN Rewritten [S2, S7]", "one of 2, of which the last counts");
}

#[test]
fn s5_trailers_and_interim_answers_are_explained() {
    let mut exchange = exchange("/", &[], &[]);
    let response = exchange.response.as_mut().unwrap();
    response.trailers.replace("set-cookie", [b"XSRF-TOKEN=1".to_vec()]);
    response.fields.replace("set-cookie2", [b"a=1".to_vec()]);
    exchange.interim.push(Response { status: 103, ..Response::default() });
    exchange.request.as_mut().unwrap().fields.replace("cookie2", [b"$Version=1".to_vec()]);
    let explanation = explainer(|_| ()).explain(None, &exchange);
    assert_line(&explanation, "XSRF-TOKEN Stripped [S5]", "trailers");
    let rules: Vec<_> = explanation.remarks.iter().filter_map(|remark| remark.rule).collect();
    assert_eq!(rules, [Rule::R7, Rule::S5, Rule::S6]);
}

#[test]
fn r7_what_no_transcript_can_show_has_its_words_too() {
    let rules = |direction, reason| {
        let action = Action::Strip(reason);
        let verdict = Verdict {
            direction,
            name: b"a",
            action,
            requested: None,
            granted_s: None,
            seal: None,
            count: 1,
        };
        CookieOutcome::on(&verdict, Around::default()).rules
    };
    assert_eq!(rules(Direction::Request, Reason::Misplaced), [Rule::R7]);
    assert_eq!(rules(Direction::Response, Reason::Malformed), [Rule::S6]);
    let declaration = Declaration::flexopus();
    let cookie = declaration.cookies().first().unwrap();
    let huge = format!("{}={}", cookie.name, "v".repeat(4096));
    let explainer = explainer_of(|_| (), Limits::DEFAULT);
    let explanation = explainer.explain(None, &exchange("/api/me", &[&huge], &[]));
    assert_line(&explanation, "XSRF-TOKEN NotRenewed [N1]", "for its size");
}

#[test]
fn many_cookies_are_explained_in_a_moment() {
    let pairs: Vec<_> = (0..20_000).map(|n| format!("n{n}")).collect();
    let fields: Vec<_> = pairs.iter().map(String::as_str).collect();
    let explainer = explainer_of(
        |policy| policy.mode = Mode::Report,
        Limits { head_bytes: 1 << 20, ..Limits::DEFAULT },
    );
    let asked = navigation(exchange("/", &[&(pairs.join("=1;") + "=1")], &fields));
    let explanation = explainer.explain(None, &asked);
    assert_eq!(explanation.refusal, None);
    // 200 of the request are judged one by one.
    assert!(explanation.cookies.len() > 20_000 + 200, "{}", explanation.cookies.len());
}

#[test]
fn n_each_renewal_and_each_that_is_not_names_its_rule() {
    let session = "flexopus_session=s";
    assert_line(&explain("/api/me", &[session], &[]), "flexopus_session Renewed [N1]", "for 1w");
    let injected = explain("/map-builder", &[], &[]);
    assert_line(&injected, "visitedMapBuilder Injected [N2]", "lives 3w from now");
    let not = "flexopus_session NotRenewed ";
    let set = explain("/api/me", &[session], &["flexopus_session=t"]);
    assert_line(&set, &format!("{not}[N1]"), "the application has set or deleted it");
    assert_line(&explain("/api/me", &[], &[]), &format!("{not}[N1]"), "the browser sent none");
    let elsewhere = explain("/x?/api/", &[session], &[]);
    assert_line(
        &elsewhere,
        &format!("{not}[D3]"),
        "GET /x does not renew it; any method on /api/* does",
    );
    let twice = explain("/api/me", &[session, session], &[]);
    assert_line(&twice, &format!("{not}[N6]"), "several of this name");

    let answered = |change: fn(&mut Exchange)| {
        let mut exchange = exchange("/api/me", &[session], &[]);
        change(&mut exchange);
        explainer(|_| ()).explain(None, &exchange)
    };
    let status = answered(|exchange| exchange.response.as_mut().unwrap().status = 419);
    assert_line(&status, &format!("{not}[N3]"), "the answer is 419");
    let confirmed = answered(|exchange| exchange.response.as_mut().unwrap().status = 304);
    assert_line(&confirmed, &format!("{not}[S9]"), "neither a 304");
    let options =
        answered(|exchange| "OPTIONS".clone_into(&mut exchange.request.as_mut().unwrap().method));
    assert_line(&options, &format!("{not}[N3]"), "OPTIONS");

    let explainer = explainer(|_| ());
    explainer.explain(None, &exchange("/logout", &[session], &["flexopus_session=; Max-Age=0"]));
    let slow = explainer.explain(None, &exchange("/api/slow", &[session], &[]));
    assert_line(&slow, &format!("{not}[N4]"), "an exchange before");
}

#[test]
fn n2_a_random_value_is_a_labelled_placeholder_and_off_is_explained() {
    let declared = |inject: Inject| {
        explainer(move |policy| {
            let flexopus = Declaration::flexopus();
            let change = |cookie: &DeclaredCookie| DeclaredCookie {
                inject: inject.clone(),
                ..cookie.clone()
            };
            let cookies = flexopus.cookies().iter().map(change).collect();
            policy.declaration = Arc::new(Declaration::new(cookies).unwrap());
        })
    };
    let random = declared(Inject::Random).explain(None, &exchange("/api/me", &[], &[]));
    assert_line(&random, "XSRF-TOKEN Injected [N2]", "the browser has none");
    let placeholder = format!("XSRF-TOKEN={}; ", judge::PLACEHOLDER);
    assert!(random.leaves.downstream[0].starts_with(placeholder.as_bytes()));
    let is_placeholder = |remark: &Remark| remark.words.starts_with(judge::PLACEHOLDER);
    assert!(random.remarks.iter().any(is_placeholder));
    let off = declared(Inject::Off).explain(None, &exchange("/api/me", &["XSRF-TOKEN=t"], &[]));
    assert_line(&off, "XSRF-TOKEN NotRenewed [N2]", "off");
}

#[test]
fn e_each_eviction_and_each_that_is_not_names_its_rule() {
    let page = explainer(|_| ()).explain(None, &navigation(exchange("/", &["_ga=1; a[]=2"], &[])));
    assert_line(&page, "_ga Evicted [E1]", "3 deletions");
    assert_line(&page, "a[] NotEvicted [E2]", "can't be written");
    let many: Vec<_> = (0..30).map(|n| format!("n{n}=1")).collect();
    let many =
        explainer(|_| ()).explain(None, &navigation(exchange("/", &[&many.join("; ")], &[])));
    assert_eq!(many.cookies.iter().filter(|cookie| cookie.fate == Fate::NotEvicted).count(), 10);
    assert!(
        lines(&many).iter().any(|line| line.contains("NotEvicted [E1]: one answer deletes 20"))
    );

    let remark = |explanation: &Explanation| {
        let of_eviction = |remark: &&Remark| remark.rule == Some(Rule::E1);
        explanation.remarks.iter().find(of_eviction).map(|remark| remark.words.clone())
    };
    assert!(remark(&explain("/", &["_ga=1"], &[])).unwrap().contains("no navigation"));
    assert_eq!(remark(&explain("/", &["a[]=1"], &[])), None, "there is nothing to evict");
    let off = explainer(|policy| policy.evict = EvictScope::Off);
    let off = off.explain(None, &navigation(exchange("/", &["_ga=1"], &[])));
    assert!(remark(&off).unwrap().contains("\"off\""));
    for (status, word) in [(101, "upgrade"), (304, "a 304")] {
        let mut exchange = navigation(exchange("/", &["_ga=1"], &[]));
        exchange.response.as_mut().unwrap().status = status;
        let explanation = explainer(|_| ()).explain(None, &exchange);
        assert!(remark(&explanation).unwrap().contains(word), "{explanation:?}");
    }
}

#[test]
fn s9_an_answer_that_is_made_private_has_a_remark() {
    let set_cookie = &["flexopus_session=s"];
    let remarks = |cache_control: Option<&str>, set_cookies: &[&str]| {
        let mut exchange = exchange("/login", &[], set_cookies);
        let fields = &mut exchange.response.as_mut().unwrap().fields;
        fields.replace("cache-control", cache_control.map(|value| value.as_bytes().to_vec()));
        let remarks = explainer(|_| ()).explain(None, &exchange).remarks;
        remarks.into_iter().filter(|remark| remark.rule == Some(Rule::S9)).count()
    };
    assert_eq!(remarks(None, set_cookie), 1);
    assert_eq!(remarks(Some("public, max-age=60"), set_cookie), 1);
    assert_eq!(remarks(Some("no-cache, private"), set_cookie), 0);
    assert_eq!(remarks(Some("public, max-age=60"), &["_ga=1"]), 0);
    let mut confirmed = exchange("/login", &[], set_cookie);
    confirmed.response.as_mut().unwrap().status = 304;
    let confirmed = explainer(|_| ()).explain(None, &confirmed);
    assert_line(&confirmed, "flexopus_session Stripped [S9]", "caches add it");
}

#[test]
fn s5_a_101_without_its_request_answers_a_websocket() {
    let tenant = || Some("acme.example".to_owned());
    let set_cookie = b"flexopus_session=s".to_vec();
    let of_options = Question {
        tenant: tenant(),
        status: Some(101),
        set_cookie: vec![set_cookie],
        ..Question::default()
    };
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSet-Cookie: flexopus_session=s\r\n\r\n";
    let transcript = |text: String| Question {
        tenant: tenant(),
        transcript: Some(text.into_bytes()),
        ..Question::default()
    };
    for question in [of_options, transcript(answer.to_owned())] {
        let explanations = question.answer(&explainer(|_| ())).unwrap();
        let [explanation] = explanations.as_slice() else { panic!("{explanations:?}") };
        assert_eq!((explanation.status, &explanation.refusal), (101, &None));
        assert_eq!(explanation.leaves.downstream.len(), 1);
    }

    let pasted = transcript(format!("GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n{answer}"));
    let explanations = pasted.answer(&explainer(|_| ())).unwrap();
    assert_eq!(explanations[0].refusal.as_ref().map(|refusal| refusal.status), Some(502));
}

#[test]
fn w7_a_browsers_report_is_answered_by_the_gateway_in_both_modes_where_there_is_a_guard() {
    let refused = |guard, mode, method: &str| {
        let mut asked = exchange("/.well-known/cookies/seen", &["_ga=1"], &[]);
        asked.request.as_mut().unwrap().method = method.to_owned();
        let explainer = explainer(|policy| (policy.guard, policy.mode) = (guard, mode));
        let refusal = explainer.explain(None, &asked).refusal;
        refusal.map(|refusal| (refusal.status, refusal.rule))
    };
    for mode in Mode::ALL {
        let report = refused(GuardMode::Watch, mode, "POST");
        assert_eq!(report, Some((204, Some(Rule::W7))), "{mode:?}");
        assert_eq!(refused(GuardMode::Off, mode, "POST"), None, "{mode:?}");
    }
    let read = refused(GuardMode::Enforce, Mode::Enforce, "GET");
    assert_eq!(read, Some((405, Some(Rule::W7))));
}

#[test]
fn r8_what_is_too_large_is_answered_431_and_evicts() {
    let cookie = format!("flexopus_session={}", "v".repeat(1024));
    let asked = navigation(exchange("/api/me", &["_ga=1", &cookie], &[]));
    let refused = explainer(|_| ()).explain(None, &asked);
    let refusal = refused.refusal.as_ref().unwrap();
    assert_eq!((refusal.status, refusal.rule), (431, Some(Rule::R8)));
    assert_eq!(refusal.reason, "the Cookie fields have 1041 bytes, more than 1024");
    assert_eq!(refused.leaves.upstream, Upstream::Refused);
    assert_line(&refused, "_ga Evicted [E1]", "deletions");
    let evicts =
        refused.leaves.downstream.iter().all(|field| field.starts_with(b"_ga=; Max-Age=0"));
    assert!(evicts && !refused.leaves.downstream.is_empty());

    let reported = explainer(|policy| policy.mode = Mode::Report).explain(None, &asked);
    assert_eq!(reported.refusal, None);
    let words: Vec<_> = reported.remarks.iter().map(|remark| remark.words.as_str()).collect();
    assert!(
        words.iter().any(|words| words.starts_with("enforcing would answer 431: ")),
        "{words:?}"
    );

    let long = "a".repeat(Limits::DEFAULT.head_bytes);
    let mut head = exchange("/", &[], &[]);
    head.request.as_mut().unwrap().fields.replace("x", [long.clone().into_bytes()]);
    let head = explainer(|_| ()).explain(None, &head);
    assert!(head.refusal.unwrap().reason.starts_with("the head has 65"));
    let target = explain(&format!("/?{long}"), &[], &[]);
    assert_eq!(target.refusal.map(|refusal| refusal.status), Some(414));
}

#[test]
fn t4_report_mode_shows_both_what_leaves_and_what_enforcing_would_let_leave() {
    let asked = exchange("/api/me", &["_ga=1; flexopus_session=s"], &["_ga=2"]);
    let enforced = explainer(|_| ()).explain(None, &asked);
    let reported = explainer(|policy| policy.mode = Mode::Report).explain(None, &asked);
    assert_eq!(reported.cookies, enforced.cookies);
    assert_eq!(reported.enforced, Some(enforced.leaves));
    let sent = b"_ga=1; flexopus_session=s".to_vec();
    let downstream = vec![b"_ga=2".to_vec()];
    assert_eq!(reported.leaves, Leaving { upstream: Upstream::Untouched(sent), downstream });
    assert_eq!(reported.remarks[0].rule, Some(Rule::T4));
}

#[test]
fn t1_t2_a_request_without_a_tenant_is_explained_with_the_gateways_answer() {
    let refusal = |hosts: &[&str]| {
        let mut exchange = exchange("/", &["_ga=1"], &[]);
        let fields = &mut exchange.request.as_mut().unwrap().fields;
        fields.replace("host", hosts.iter().map(|host| host.as_bytes().to_vec()));
        let explanation = explainer(|_| ()).explain(None, &exchange);
        assert!(explanation.refusal.is_none() || explanation.cookies.is_empty());
        explanation.refusal.map(|refusal| (refusal.status, refusal.rule))
    };
    assert_eq!(refusal(&["ACME.example:8443"]), None);
    assert_eq!(refusal(&["other.example"]), Some((421, Some(Rule::T1))));
    for hosts in [&["acme.example", "acme.example"][..], &["a b"], &[]] {
        assert_eq!(refusal(hosts), Some((400, Some(Rule::T2))), "{hosts:?}");
    }
    assert_eq!(refusal(&["acme.example\u{7}"]), Some((400, None)));
}

#[test]
fn control_bytes_are_refused_as_http_refuses_them() {
    let request = explain("/", &["a=\u{1b}[2J"], &[]);
    assert_eq!(request.refusal.map(|refusal| refusal.status), Some(400));
    let response = explain("/", &["_ga=1; XSRF-TOKEN=t"], &["a=\u{1b}[2J"]);
    assert_eq!(response.refusal.map(|refusal| refusal.status), Some(502));
    assert_eq!(response.leaves.upstream, Upstream::Replaced(b"XSRF-TOKEN=t".to_vec()));
    assert!(response.leaves.downstream.is_empty());
}

#[test]
fn the_only_tenant_is_whose_request_it_is() {
    let of = |names: &[&str], default: Option<&str>| {
        let tenants = TenantTable::new(names.iter().map(|name| tenant(name)), default.map(tenant));
        Explainer::serving(Arc::new(tenants), Settings::default(), NOW).only_host()
    };
    assert_eq!(of(&["acme.example"], None).as_deref(), Some("acme.example"));
    assert_eq!(of(&["*.acme.example"], None).as_deref(), Some("www.acme.example"));
    assert_eq!(of(&[], Some("(default)")).as_deref(), Some("localhost"));
    assert_eq!(of(&["a.example", "b.example"], None), None);
    assert_eq!(of(&["a.example"], Some("(default)")), None);
    assert_eq!(of(&[], None), None);
}

#[test]
fn assumptions_about_missing_parts_are_remarks() {
    let explanation = Explainer::built_in(NOW).explain(Some("a.example"), &Exchange::default());
    let words: Vec<_> = explanation.remarks.iter().map(|remark| remark.words.as_str()).collect();
    assert!(words[0].contains("GET /") && words[1].contains("200"), "{words:?}");
}

#[test]
fn the_response_s_own_date_rules() {
    let mut asked = exchange("/", &[], &["XSRF-TOKEN=t"]);
    let fields = &mut asked.response.as_mut().unwrap().fields;
    fields.replace("date", [b"Sun, 06 Nov 1994 08:49:37 GMT".to_vec()]);
    let explanation = explainer(|_| ()).explain(None, &asked);
    let field = String::from_utf8_lossy(&explanation.leaves.downstream[0]).into_owned();
    assert!(field.contains("Expires=Sun, 13 Nov 1994 08:49:37 GMT"), "{field}");
}

#[test]
fn what_comes_from_outside_is_escaped_for_people_and_exact_for_programs() {
    let mut asked = exchange("/\u{9b}2J", &["x"], &["XSRF-TOKEN=\u{e4}\\"]);
    asked
        .request
        .as_mut()
        .unwrap()
        .fields
        .replace("cookie", [b"\x80\xff=1; \xe2\x80\xae=2".to_vec()]);
    let explanation = explainer(|_| ()).explain(None, &asked);
    for colour in [false, true] {
        let shown = text::render(&explanation, colour);
        assert!(
            shown.bytes().all(|byte| (b' '..=b'~').contains(&byte) || b"\n\x1b".contains(&byte))
        );
        assert_eq!(shown.contains('\u{1b}'), colour, "{shown}");
    }
    let shown = text::render(&explanation, false);
    assert!(
        shown.contains("  \\x80\\xff ") && shown.contains("XSRF-TOKEN=\\xc3\\xa4\\\\; "),
        "{shown}"
    );
    let document: serde_json::Value =
        serde_json::from_str(&json::render(None, &[explanation])).unwrap();
    let exchange = &document["exchanges"][0];
    assert_eq!(exchange["cookies"][0]["name"]["base64"], "gP8=");
    let field = exchange["leaves"]["set_cookie"][0].as_str().unwrap();
    assert!(field.starts_with("XSRF-TOKEN=\u{e4}\\; Max-Age=604800; "), "{field}");
}

#[test]
fn every_rule_is_one_of_the_policy() {
    let policy = include_str!("../../docs/policy.md");
    for rule in Rule::ALL {
        assert!(policy.contains(&format!("\n- {rule}. ")), "{rule}");
    }
}

#[test]
fn an_explanation_says_that_it_has_no_keys_and_nobody_s_agreement() {
    let rules = |change: &dyn Fn(&mut Policy)| {
        let explainer = explainer(|policy| change(policy));
        let explanation = explainer.explain(None, &exchange("/", &["flexopus_session=s"], &[]));
        explanation.remarks.iter().filter_map(|remark| remark.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(&|_| ()), []);
    assert_eq!(rules(&|policy| policy.seal = true), [Rule::G2]);
    assert_eq!(rules(&|policy| policy.agreement = AgreementMode::Required), [Rule::G2, Rule::G6]);
}
