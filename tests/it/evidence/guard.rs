//! Rules W7 and A7: what browsers report of the guard, how it is counted, bounded, kept, exported and verified.

use std::fs;

use crumbgate_audit::{GuardEvent, GuardOutcome, MAX_SCRIPTED_NAMES, OTHER, ScriptedKind};
use crumbgate_policy::{
    GuardMode,
    verdict::{Action, Direction, Reason},
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    evidence::{
        agreements::run_script,
        export::{export, members, verify, write},
    },
    harness::{
        ACME, Answer, App, Browser, Exposed, Guard, Http, Kept, NOW_UNIX_S, Running, Setup, Site,
        both_versions, in_time,
        ledger::{LedgerWriter, USUAL},
        ok, until,
    },
};

const SEEN: &str = "/.well-known/cookies/seen";
const RIVAL: &str = "globex.example";

/// An application whose answers say which method it received.
async fn app() -> App {
    App::replying(|request| ok(&[], request.method())).await
}

fn guarded(app: &App, keys: &str) -> Setup {
    Setup::before(app).tenant(ACME, keys)
}

/// Sends a report, as a browser does for a page of the same origin.
async fn report(browser: &Browser, body: &str) -> Answer {
    let request = browser.request(Method::POST, SEEN).header("sec-fetch-site", "same-origin");
    browser.send(request, body).await
}

fn reported(kept: &Kept, tenant: &str) -> Vec<(ScriptedKind, Option<String>, u64)> {
    let of_tenant = kept.guards.iter().filter(|guard| guard.tenant == tenant);
    let mut rows: Vec<_> = of_tenant
        .map(|Guard { event, name, count, .. }| match event {
            GuardEvent::Reported(kind) => (*kind, name.clone(), *count),
            GuardEvent::Page(outcome) => panic!("{outcome:?}"),
        })
        .collect();
    rows.sort();
    rows
}

fn beacons(gateway: &Running, outcome: &str) -> f64 {
    Exposed::by(gateway).get(&format!("crumbgate_beacons_total{{outcome=\"{outcome}\"}}"))
}

both_versions!(w7_a_report_is_counted_by_name_and_never_forwarded, |http| {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"watch\"").start();
    let browser = gateway.browser(http);
    let names = "c_ga_G1ABC2\nltheme\nsdraft\nioffline\nc\ncflexopus_session\n?unknown";
    let request = browser.request(Method::POST, SEEN).header("sec-fetch-site", "same-origin");
    let answer = browser.send(request.header("cookie", "_ga=1; flexopus_session=s"), names).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (204, ""));
    assert!(answer.set_cookies().is_empty(), "it neither renews nor evicts");
    assert_eq!(report(&browser, "c_ga_G9XYZ8").await.status, 204);
    assert_eq!(app.received().len(), 0);
    assert_eq!(beacons(&gateway, "accepted"), 2.);
    for (kind, count) in
        [("cookie", 3.), ("indexed_db", 1.), ("local_storage", 1.), ("session_storage", 1.)]
    {
        let series = format!("crumbgate_scripted_names_total{{kind=\"{kind}\"}}");
        assert_eq!(Exposed::by(&gateway).get(&series), count, "{kind}");
    }

    let stopped = gateway.stop().await;
    let ledger = fs::read(stopped.ledger()).unwrap();
    for identifier in ["G1ABC2", "G9XYZ8"] {
        assert!(memchr::memmem::find(&ledger, identifier.as_bytes()).is_none(), "{identifier}");
    }
    let kept = Kept::read(&stopped.ledger());
    kept.assert_balanced();
    let expected = [
        (ScriptedKind::Cookie, None, 1),
        (ScriptedKind::Cookie, Some("_ga_{id}".to_owned()), 2),
        (ScriptedKind::IndexedDb, Some("offline".to_owned()), 1),
        (ScriptedKind::LocalStorage, Some("theme".to_owned()), 1),
        (ScriptedKind::SessionStorage, Some("draft".to_owned()), 1),
    ];
    assert_eq!(reported(&kept, ACME), expected);
    assert!(kept.guards.iter().all(|guard| guard.mode == GuardMode::Watch));
    let undeclared = Action::Strip(Reason::Undeclared);
    assert_eq!(kept.count(ACME, Direction::Request, undeclared), 1, "its cookies are judged");
    assert_eq!(kept.requests(ACME), 2);
});

#[tokio::test]
async fn w7_without_a_guard_the_place_of_reports_is_the_applications() {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"off\"").start();
    let answer = report(&gateway.browser(Http::One), "c_ga").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "POST"));
    assert_eq!(app.last().target(), SEEN);
    assert!(Kept::read(&gateway.stop().await.ledger()).guards.is_empty());
}

#[tokio::test]
async fn w7_reports_are_answered_in_report_mode_and_before_an_agreement() {
    for (keys, mode) in [
        ("guard = \"enforce\"\nmode = \"report\"", GuardMode::Watch),
        ("guard = \"enforce\"\nagreement = \"required\"", GuardMode::Enforce),
    ] {
        let app = app().await;
        let gateway = guarded(&app, keys).start();
        let browser = gateway.browser(Http::Two);
        assert_eq!(report(&browser, "c_ga").await.status, 204, "{keys}");
        let answer = browser.get(SEEN).await;
        assert_eq!((answer.status.as_u16(), answer.field("allow")), (405, Some("POST")), "{keys}");
        assert_eq!(app.received().len(), 0, "{keys}");
        let kept = Kept::read(&gateway.stop().await.ledger());
        let [Guard { mode: kept_mode, name, count: 1, .. }] = &kept.guards[..] else {
            panic!("{kept:?}")
        };
        assert_eq!((*kept_mode, name.as_deref()), (mode, Some("_ga")));
    }
}

#[tokio::test]
async fn a7_a_report_of_another_site_or_with_a_large_body_is_not_counted_and_answered_alike() {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"watch\"").start();
    let browser = gateway.browser(Http::One);
    for (field, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("accept", "*/*"),
    ] {
        let request = browser.request(Method::POST, SEEN).header(field, value);
        assert_eq!(browser.send(request, "c_ga").await.status, 204, "{field}: {value}");
    }
    let browser = gateway.browser(Http::Two);
    assert_eq!(report(&browser, &"c_ga\n".repeat(10_000)).await.status, 204);
    assert_eq!([beacons(&gateway, "cross_site"), beacons(&gateway, "incomplete")], [4., 1.]);
    assert!(Kept::read(&gateway.stop().await.ledger()).guards.is_empty());
}

/// Names, most of which are their own templates.
fn invented(number: usize) -> String {
    let syllable = |n: usize| ["ba", "de", "fi", "go", "lu", "ma", "ne", "po", "ri", "su"][n % 10];
    let syllables = [1, 10, 100, 1_000, 10_000, 100_000].map(|step| syllable(number / step));
    syllables.concat()
}

#[tokio::test]
async fn a7_a_flood_of_beacons_makes_a_bounded_number_of_entries_and_displaces_no_other_tenant() {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"watch\"").tenant(RIVAL, "guard = \"watch\"").start();
    let flood = gateway.browser(Http::One);
    for second in 0..50 {
        gateway.advance(1);
        for beacon in 0..40 {
            let first = (second * 40 + beacon) * 64;
            let lines = (first..first + 64).map(|number| format!("c{}\n", invented(number)));
            assert_eq!(report(&flood, &lines.collect::<String>()).await.status, 204);
        }
    }
    let rival = gateway.browser_at(RIVAL, Http::One);
    assert_eq!(report(&rival, "clate").await.status, 204);
    assert_eq!([beacons(&gateway, "accepted"), beacons(&gateway, "dropped")], [1_001., 1_000.]);
    assert_eq!(app.received().len(), 0);
    let kept = Kept::read(&gateway.stop().await.ledger());
    kept.assert_balanced();
    let rows = reported(&kept, ACME);
    assert_eq!(rows.len(), MAX_SCRIPTED_NAMES + 1);
    assert_eq!(rows.iter().map(|(.., count)| count).sum::<u64>(), 64_000);
    assert!(rows.iter().any(|(_, name, _)| name.as_deref() == Some(OTHER)), "{rows:?}");
    let expected = [(ScriptedKind::Cookie, Some("late".to_owned()), 1)];
    assert_eq!(reported(&kept, RIVAL), expected);
}

#[tokio::test]
async fn a7_a_reported_name_does_not_hide_a_new_cookie() {
    in_time(async {
        let app = app().await;
        let gateway = guarded(&app, "guard = \"watch\"").start();
        let browser = gateway.browser(Http::One);
        report(&browser, "cnewtracker").await;
        let read = |series: &str| Exposed::by(&gateway).get(series);
        until("it is written", || read("crumbgate_audit_rows_total") > 2.).await;
        assert_eq!(Exposed::by(&gateway).sum("crumbgate_audit_new_names_total"), 0.);
        browser.get_with_cookie("/shop", "newtracker=1").await;
        until("it is counted", || {
            read("crumbgate_audit_new_names_total{direction=\"request\"}") == 1.
        })
        .await;
    })
    .await;
}

/// A ledger of one segment, with the guard of two tenants.
fn site() -> (Site, LedgerWriter) {
    let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
    let mut writer = LedgerWriter::new(&site.path("crumbgate.db"), NOW_UNIX_S);
    let [cookie, key] =
        [ScriptedKind::Cookie, ScriptedKind::LocalStorage].map(GuardEvent::Reported);
    let [guarded, forbidden] =
        [GuardOutcome::Guarded, GuardOutcome::Forbidden].map(GuardEvent::Page);
    writer.gateway_heartbeat();
    writer.traffic(ACME, &USUAL);
    writer.guards(
        ACME,
        &[
            (GuardMode::Watch, guarded, None, 40),
            (GuardMode::Watch, forbidden, None, 2),
            (GuardMode::Watch, cookie, Some("_ga"), 31),
            (GuardMode::Watch, key, Some("=theme"), 5),
        ],
    );
    writer.guards(RIVAL, &[(GuardMode::Enforce, cookie, Some("rivals_own"), 3)]);
    writer.next_window();
    writer.gateway_heartbeat();
    writer.close();
    (site, writer)
}

#[tokio::test]
async fn a7_bundles_contain_the_guards_events_of_their_tenant_and_verify_by_script_alone() {
    in_time(async {
        let (site, _writer) = site();
        export(&site, &["--output", "all.zip"]).await;
        export(&site, &["--tenant", ACME, "--output", "acme.zip"]).await;
        for (output, has_rival) in [("all.zip", true), ("acme.zip", false)] {
            assert_eq!(verify(&site, output).await["verifies"], true);
            let members = members(&site.path(output));
            let (code, verification) = run_script(&members);
            assert_eq!(code, Some(0), "{verification}");
            let text = |name: &str| {
                let member = members.iter().find(|(member, _)| member == name);
                String::from_utf8(member.unwrap().1.clone()).unwrap()
            };
            let lines = text("entries.ndjson");
            let of_guard = lines.lines().filter(|line| line.contains("\"kind\":\"guard\""));
            assert_eq!(of_guard.count(), if has_rival { 5 } else { 4 });
            assert_eq!(lines.contains("rivals_own"), has_rival);
            let table = text("entries.csv");
            assert!(table.lines().any(|row| row.ends_with(",gateway")), "{table}");
            assert!(table.contains(",'=theme,"), "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn a7_a_changed_removed_or_added_event_of_the_guard_is_reported() {
    in_time(async {
        let (site, writer) = site();
        assert_eq!(verify(&site, "crumbgate.db").await["verifies"], true);
        for (tamper, restore, finding) in [
            (
                "UPDATE guards SET count = 30 WHERE count = 31",
                "UPDATE guards SET count = 31 WHERE count = 30",
                "changed",
            ),
            (
                "UPDATE guards SET name = 'x' WHERE name = '_ga'",
                "UPDATE guards SET name = '_ga' WHERE name = 'x'",
                "changed",
            ),
            (
                "UPDATE guards SET mode = 7 WHERE name = '_ga'",
                "UPDATE guards SET mode = 3 WHERE name = '_ga'",
                "unreadable",
            ),
            (
                "CREATE TABLE kept AS SELECT * FROM guards; DELETE FROM guards WHERE name = '_ga'",
                "DELETE FROM guards; INSERT INTO guards SELECT * FROM kept; DROP TABLE kept",
                "missing",
            ),
        ] {
            writer.connection.execute_batch(tamper).unwrap();
            let verification = verify(&site, "crumbgate.db").await;
            assert_eq!(verification["finding"], finding, "{tamper}: {verification}");
            writer.connection.execute_batch(restore).unwrap();
        }
        assert_eq!(verify(&site, "crumbgate.db").await["verifies"], true);
    })
    .await;
}

#[tokio::test]
async fn a7_the_report_has_the_guards_events_in_every_format() {
    in_time(async {
        let (site, _writer) = site();
        let report = async |arguments: &[&str]| {
            let ledger = ["audit", "report", "--ledger", "crumbgate.db", "--tenant", ACME];
            let finished = site.run(&[&ledger, arguments].concat()).await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
            finished.stdout
        };
        let json: Value = serde_json::from_str(&report(&["--format", "json"]).await).unwrap();
        let [pages] = &json["guard"]["pages"].as_array().unwrap()[..] else { panic!("{json}") };
        assert_eq!((&pages["mode"], &pages["guarded"]), (&json!("watch"), &json!(40)));
        assert_eq!(pages["unguarded"], json!([{ "cause": "forbidden", "count": 2 }]));
        let [cookie, key] = &json["guard"]["names"].as_array().unwrap()[..] else {
            panic!("{json}")
        };
        assert_eq!((&cookie["name"], &cookie["reports"]), (&json!("_ga"), &json!(31)));
        assert_eq!((&cookie["risk"], &key["risk"]), (&json!("unlikely"), &Value::Null));
        assert_eq!(cookie["usually"]["platform"], "Google Analytics");
        assert_eq!((&key["kind"], &key["usually"]), (&json!("local_storage"), &Value::Null));
        assert!(!json.to_string().contains("rivals_own"));
        for (language, words) in [
            ("en", ["Cookies that scripts set", "Reports", "changes forbidden (no-transform): 2"]),
            ("de", ["Cookies, die Skripte setzen", "Meldungen", "Änderungen verboten"]),
        ] {
            for format in ["text", "html"] {
                let written = report(&["--format", format, "--language", language]).await;
                for word in [&words[..], &["_ga", "=theme"]].concat() {
                    assert!(written.contains(word), "{word} in {written}");
                }
            }
        }
        let csv = report(&["--format", "csv"]).await;
        for row in ["scripted,acme.example,watch,_ga,", "guard,acme.example,watch,"] {
            assert!(csv.lines().any(|line| line.starts_with(row)), "{row} in {csv}");
        }
    })
    .await;
}

/// As older versions write them: the same members, without the entries and columns of later kinds.
#[tokio::test]
async fn bundles_of_the_previous_formats_still_verify() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let mut writer = LedgerWriter::new(&site.path("crumbgate.db"), NOW_UNIX_S);
        writer.gateway_heartbeat();
        writer.traffic(ACME, &USUAL);
        writer.next_window();
        writer.close();
        export(&site, &["--output", "new.zip"]).await;
        for (format, missing_columns) in [("crumbgate-bundle-2", 1), ("crumbgate-bundle-1", 4)] {
            let mut bundle = members(&site.path("new.zip"));
            for (name, content) in &mut bundle {
                let text = String::from_utf8(content.clone()).unwrap();
                match name.as_str() {
                    "bundle.json" => {
                        assert!(text.contains("crumbgate-bundle-3"));
                        *content = text.replace("crumbgate-bundle-3", format).into();
                    }
                    "entries.csv" => {
                        let cut = |row: &str| {
                            let row = row.rsplitn(missing_columns + 1, ',').last().unwrap();
                            format!("{row}\r\n")
                        };
                        *content =
                            text.split_terminator("\r\n").map(cut).collect::<String>().into();
                        assert!(content.starts_with(b"seq,kind,"));
                    }
                    _ => {}
                }
            }
            write(&site.path("old.zip"), &bundle);
            let verification = verify(&site, "old.zip").await;
            assert_eq!(verification["verifies"], true, "{format}: {verification}");
            assert_eq!(run_script(&bundle).0, Some(0), "{format}");
        }
    })
    .await;
}
