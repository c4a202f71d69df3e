//! Rules A2 to A5 in the ledger's file: the content of an entry, what it never contains, and that nothing is lost.

use std::{collections::BTreeSet, time::Duration};

use crumbgate_audit::{MAX_NAMES, Window};
use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::{
    Mode,
    requested::RequestedLifetime,
    verdict::{Action, Direction, Reason},
};
use tokio::time::sleep;

use crate::harness::{
    ACME, App, Http, Kept, NOW_UNIX_S, Running, Setup, both_versions, ok, on_each_worker,
};

const UNDECLARED: Action = Action::Strip(Reason::Undeclared);

/// An application that sets a declared cookie and a tracker, and deletes one.
async fn tracking() -> App {
    App::replying(|_| {
        let fields = [
            "date: Mon, 23 Nov 2026 10:00:00 GMT",
            "set-cookie: flexopus_session=s; Max-Age=7200; HttpOnly; SameSite=Lax",
            "set-cookie: _ga=G; Max-Age=63072000; Path=/; Domain=acme.example; SameSite=None; Secure",
            "set-cookie: XSRF-TOKEN=; Max-Age=0",
        ];
        ok(&fields, "hello")
    })
    .await
}

/// An application that gives everybody the same answer.
async fn plain() -> App {
    App::replying(|_| ok(&[], "hello")).await
}

both_versions!(a2_an_entry_contains_what_the_rule_lists, |http| {
    let app = tracking().await;
    let gateway = Setup::before(&app).tenant("acme.example", "session = \"2h\"").start();
    let browser = gateway.browser(http);
    browser.get_with_cookie("/api/desks/42?who=ada", "_ga=GA1.1.2; flexopus_session=s").await;
    gateway.advance(61);
    browser.get_with_cookie("/api/desks/43", "_ga=GA1.1.2; flexopus_session=s").await;
    let kept = Kept::read(&gateway.stop().await.ledger());
    kept.assert_balanced();

    let find = |direction, action, name: &str| {
        let of = |row: &&_| {
            let crate::harness::Verdicts { direction: d, action: a, name: n, .. } = row;
            *d == direction && *a == action && n.as_deref() == Some(name)
        };
        let found: Vec<_> = kept.verdicts.iter().filter(of).collect();
        assert_eq!(found.len(), 1, "{direction:?} {action:?} {name}: {:#?}", kept.verdicts);
        found[0]
    };
    let sent = find(Direction::Request, UNDECLARED, "_ga");
    assert_eq!((sent.lifetime, sent.granted_s, sent.count), (None, None, 2));
    assert_eq!((&*sent.tenant, &*sent.route, sent.mode), (ACME, "/api/desks/{id}", Mode::Enforce));
    assert_eq!(sent.window, Window { start_unix_s: NOW_UNIX_S, length_s: 300 });
    assert_eq!((sent.first_unix_s, sent.last_unix_s), (NOW_UNIX_S, NOW_UNIX_S + 60), "by minutes");

    let set = find(Direction::Response, UNDECLARED, "_ga");
    assert_eq!((set.lifetime, set.granted_s), (Some(RequestedLifetime::Longer), None));
    assert_eq!(set.attributes, ["Secure", "Domain", "Max-Age", "Path", "SameSite=None"]);
    let granted = find(Direction::Response, Action::Rewrite, "flexopus_session");
    assert_eq!((granted.lifetime, granted.granted_s), (Some(RequestedLifetime::Day), Some(7_200)));
    let deleted = find(Direction::Response, Action::Rewrite, "XSRF-TOKEN");
    assert_eq!((deleted.lifetime, deleted.granted_s), (Some(RequestedLifetime::Deletion), Some(0)));
});

#[tokio::test]
async fn a5_a_window_without_traffic_has_the_gateways_heartbeat_alone() {
    let app = plain().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(Http::One);
    browser.get("/").await;
    for _ in 0..3 {
        // The ledger's thread reads the clock several times a second.
        sleep(Duration::from_millis(400)).await;
        gateway.advance(300);
    }
    browser.get("/").await;
    let kept = Kept::read(&gateway.stop().await.ledger());

    let windows = |tenant| {
        let beats = kept.heartbeats_of(tenant).into_iter();
        beats.map(|beat| (beat.window.start_unix_s - NOW_UNIX_S, beat.number)).collect::<Vec<_>>()
    };
    assert_eq!(windows(None), [(0, 1), (300, 2), (600, 3), (900, 4)]);
    assert_eq!(windows(Some(ACME)), [(0, 1), (900, 2)]);
    assert_eq!(kept.requests(ACME), 2);
}

#[tokio::test]
async fn a5_windows_during_which_the_ledgers_thread_was_suspended_have_heartbeats() {
    let app = plain().await;
    let gateway = Setup::before(&app).start();
    gateway.browser(Http::One).get("/").await;
    sleep(Duration::from_millis(400)).await;
    gateway.advance(1_000);
    sleep(Duration::from_millis(400)).await;
    let kept = Kept::read(&gateway.stop().await.ledger());
    let starts: Vec<_> =
        kept.heartbeats_of(None).iter().map(|b| b.window.start_unix_s - NOW_UNIX_S).collect();
    assert_eq!(starts, [0, 300, 600, 900]);
    assert!(kept.events_of(EventKind::Clock).is_empty(), "both clocks moved on");
}

#[tokio::test]
async fn a3_a4_names_are_templates_and_at_most_a_thousand_per_tenant_and_window_are_distinct() {
    let app = plain().await;
    let gateway = Setup::before(&app).server("workers = 2").start();
    let workers = on_each_worker(&app, &gateway.browser(Http::One)).await;
    let mut sent = 0;
    // Each worker alone stays below the bound, both together exceed it.
    for (number, browser) in workers.into_iter().enumerate() {
        for chunk in 0..16 {
            let names = (0..50).map(|name| word(chunk * 50 + name, number));
            let cookie = names.map(|name| format!("{name}=1")).collect::<Vec<_>>().join("; ");
            browser.get_with_cookie("/", cookie).await;
            sent += 50;
        }
    }
    let kept = Kept::read(&gateway.stop().await.ledger());
    kept.assert_balanced();
    assert_eq!(kept.count(ACME, Direction::Request, UNDECLARED), sent);
    let names: BTreeSet<_> = kept.verdicts.iter().filter_map(|row| row.name.as_deref()).collect();
    assert_eq!(names.len(), MAX_NAMES + 1);
    assert!(names.contains("(other)"));
}

/// A name of letters that no template folds.
fn word(number: u32, worker: usize) -> String {
    let letter = |n: u32| char::from(b"bcdfghjklmnpqrst"[(n % 16) as usize]);
    let letters = [number, number / 16, number / 256].map(letter);
    let worker = ["x", "y"][worker];
    format!("{worker}a{}e{}i{}o", letters[0], letters[1], letters[2])
}

#[tokio::test]
async fn t4_report_mode_is_recorded_so_that_a_report_can_show_the_effect_of_enforcing() {
    let app = tracking().await;
    let gateway = Setup::before(&app).tenant("acme.example", "mode = \"report\"").start();
    gateway.browser(Http::One).get_with_cookie("/", "_ga=GA1.1.2; theme=dark").await;
    let kept = Kept::read(&gateway.stop().await.ledger());
    let sent_back: BTreeSet<_> = kept
        .verdicts
        .iter()
        .filter(|row| row.mode == Mode::Report && row.direction == Direction::Request)
        .filter_map(|row| row.name.as_deref())
        .collect();
    assert_eq!(sent_back, BTreeSet::from(["_ga", "theme"]));
}

#[tokio::test]
async fn a_segment_is_closed_every_hour_and_at_the_end() {
    let app = plain().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(Http::One);
    browser.get("/").await;
    let status = gateway.inner().ledger().unwrap().clone();
    gateway.advance(3_603);
    crate::harness::until("a segment is closed", || status.segments() == 1).await;
    browser.get("/").await;
    let kept = Kept::read(&gateway.stop().await.ledger());
    kept.assert_balanced();
    assert_eq!(kept.requests(ACME), 2);
    let ranges: Vec<_> = kept.segments.iter().map(|s| (s.number, s.first, s.last)).collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert_eq!((ranges[0].1, ranges[1].1), (1, ranges[0].2 + 1));
}

#[tokio::test]
async fn entries_older_than_the_retention_are_removed_and_their_segments_stay() {
    let app = plain().await;
    let gateway = Setup::before(&app).sections("[audit]\nretention = \"1d\"").start();
    let browser = gateway.browser(Http::One);
    browser.get("/old").await;
    let status = gateway.inner().ledger().unwrap().clone();
    for segments in 1..=3 {
        gateway.advance(if segments == 3 { 86_403 } else { 3_603 });
        crate::harness::until("a segment is closed", || status.segments() == segments).await;
    }
    browser.get("/new").await;
    let kept = Kept::read(&gateway.stop().await.ledger());
    let pruned: Vec<_> = kept.segments.iter().map(|s| s.pruned_unix_s.is_some()).collect();
    assert_eq!(pruned, [true, true, false, false]);
    assert_eq!(kept.requests(ACME), 1, "that of the old day is gone");
    assert_eq!(kept.events_of(EventKind::Prune)[0]["segments"], 2);
}

/// Without a ledger only the counters remain.
#[tokio::test]
async fn a_ledger_can_be_switched_off() {
    let app = tracking().await;
    let gateway = Setup::before(&app).sections("[audit]\nledger = false").start();
    gateway.browser(Http::One).get_with_cookie("/", "_ga=1").await;
    assert_eq!(gateway.counters_of(ACME).stripped(Direction::Request), 1);
    assert!(Running::inner(&gateway).ledger().is_none());
    assert!(!gateway.stop().await.ledger().exists());
}
