//! *Untouched is free*: where the policy changes nothing it allocates nothing. This binary counts allocations.

use std::{hint::black_box, sync::Arc, time::Duration};

use crumbgate_audit::{Aggregator, Counters, NameBuffer, name_template};
use crumbgate_gateway::metrics::{Metrics, RejectionReason};
use crumbgate_policy::{
    AgreementMode, CookieField, EvictScope, GuardMode, Mode, OutgoingSetCookie, Policy,
    RequestFacts, Resources, ResponseFacts, SetCookieFields,
    declaration::{Declaration, SessionDuration},
    superseded::Superseded,
    verdict::Verdict,
};

const XSRF: &[u8] = b"XSRF-TOKEN=eyJpdiI6IkFBQUEiLCJ2YWx1ZSI6IkJCQkIiLCJtYWMiOiJDQ0NDIn0%3D";
const SESSION: &[u8] =
    b"flexopus_session=eyJpdiI6IkFBQUEiLCJ2YWx1ZSI6IkJCQkIiLCJtYWMiOiJDQ0NDIn0%3D";

/// A page outside of the renewing paths.
const PAGE: RequestFacts<'_> = RequestFacts {
    method: "GET",
    path: "/dashboard",
    host: "acme.flexopus.example",
    accepts_html: true,
    seal: None,
};

fn policy() -> Policy {
    Policy {
        declaration: Arc::new(Declaration::flexopus()),
        session: SessionDuration::ONE_WEEK,
        mode: Mode::Enforce,
        evict: EvictScope::Host,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    }
}

/// The number of allocations of an exchange, and the fields that result.
fn count(
    request: RequestFacts<'_>,
    cookie: &[&[u8]],
    set_cookie: &[&[u8]],
) -> (u64, CookieField, SetCookieFields) {
    let policy = policy();
    let superseded = Superseded::new(64, 7);
    let mut outcome = None;
    let counted = allocation_counter::measure(|| {
        let mut verdicts = 0;
        let mut record = |_: Verdict<'_>| verdicts += 1;
        let (upstream, judged) = policy.judge_request(request, cookie.iter().copied(), &mut record);
        let response = ResponseFacts {
            status: 200,
            date_unix_s: 1_795_435_200,
            now_unix_s: 1_795_435_200,
            uptime_s: 1,
        };
        let resources =
            Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
        let set_cookie = set_cookie.iter().copied();
        let downstream = judged.judge_response(response, set_cookie, resources, &mut record);
        black_box(verdicts);
        outcome = Some((upstream, downstream));
    });
    let (upstream, downstream) = outcome.expect("the closure has run");
    (counted.count_total, upstream, downstream)
}

#[test]
fn r6_a_request_with_nothing_to_strip_allocates_nothing() {
    let both = [XSRF, b"; ", SESSION].concat();
    for fields in [&[][..], &[XSRF], &[both.as_slice()]] {
        assert_eq!(
            count(PAGE, fields, &[]),
            (0, CookieField::Untouched, SetCookieFields::Untouched)
        );
    }
}

#[test]
fn s_a_response_that_is_as_declared_allocates_nothing() {
    let (_, _, downstream) =
        count(PAGE, &[XSRF], &[b"XSRF-TOKEN=new", b"flexopus_session=; Max-Age=0"]);
    let SetCookieFields::Replaced(fields) = downstream else { panic!("both are rewritten") };
    let built = fields.iter().map(|field| match field {
        OutgoingSetCookie::Built(bytes) => bytes.as_slice(),
        OutgoingSetCookie::Kept(_) => panic!("both are rewritten"),
    });
    let built: Vec<&[u8]> = built.collect();
    let (allocations, _, downstream) = count(PAGE, &[XSRF], &built);
    assert_eq!((allocations, downstream), (0, SetCookieFields::Untouched));
}

#[test]
fn s2_a_field_that_changes_is_one_allocation_beside_their_list() {
    let set_cookie = [XSRF, SESSION, b"_ga=1", b"_gid=2"];
    let (allocations, ..) = count(PAGE, &[], &set_cookie);
    assert_eq!(allocations, 3);
}

#[test]
fn r6_what_is_left_of_a_field_is_one_allocation() {
    let api = RequestFacts { accepts_html: false, path: "/", ..PAGE };
    let field = [XSRF, b"; =nameless; flexopus_session=a b"].concat();
    let (allocations, upstream, _) = count(api, &[&field], &[]);
    assert_eq!((allocations, upstream), (1, CookieField::Replaced(XSRF.to_vec())));
}

#[test]
fn a3_a_name_becomes_a_template_without_an_allocation() {
    let mut buffer = NameBuffer::default();
    let long = b"some-42-\xff-".repeat(1_000);
    for name in [&b""[..], b"_ga_G1ABC2", b"1P_JAR", b"user%5F42", b"ada@example.org", &long] {
        let counted = allocation_counter::measure(|| {
            black_box(name_template(name, &mut buffer));
        });
        assert_eq!(counted.count_total, 0, "{}", name.escape_ascii());
    }
}

#[test]
fn the_metrics_of_an_exchange_cost_no_allocation() {
    let worker = Metrics::default().open();
    let counted = allocation_counter::measure(|| {
        for status in [101, 200, 404, 999] {
            worker.count_upstream_answer(Duration::from_micros(status.into()));
            worker.count_rejection(RejectionReason::UpstreamLate);
            worker.count_answer(status, Duration::from_micros(status.into()));
        }
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a2_what_was_met_before_is_written_down_without_an_allocation() {
    let (sender, pages) = std::sync::mpsc::sync_channel(8);
    let aggregator = Aggregator::new(Arc::new(Counters::default()), Some((sender, 300)));
    let account = aggregator.recorder(&"acme.example".into(), &"first".into());
    let exchange = |session: &[u8]| {
        let path = format!("/api/desks/{}", session.len());
        let cookies = [session, b"; _ga_G1ABC2=1; nameless; flexopus_session=a b"].concat();
        let mut verdicts = Vec::new();
        let mut record = |verdict: Verdict<'_>| {
            verdicts.push((verdict.name.to_vec(), verdict.direction, verdict.action));
        };
        let policy = policy();
        let facts = RequestFacts { path: &path, ..PAGE };
        let _ = policy.judge_request(facts, [cookies.as_slice()], &mut record);
        allocation_counter::measure(|| {
            let route = account.route(&path);
            account.count_request(60);
            for (name, direction, action) in &verdicts {
                let (direction, action) = (*direction, *action);
                let verdict = Verdict {
                    direction,
                    name,
                    action,
                    requested: None,
                    granted_s: None,
                    seal: None,
                    count: 1,
                };
                account.count(&verdict, Mode::Enforce, route.as_ref(), 60);
            }
        })
        .count_total
    };
    assert!(exchange(XSRF) > 0, "each row is made once");
    assert_eq!(exchange(b"XSRF-TOKEN=other"), 0);
    aggregator.flush();
    assert_eq!(exchange(b"XSRF-TOKEN=t"), 0, "a page that was handed on takes no row with it");
    assert_eq!(pages.try_iter().count(), 1);
}
