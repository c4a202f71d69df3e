//! Reports on known ledgers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{vendors::Category, *};
use crumbgate_base::{language::Language, text::rfc3339};
use crumbgate_ledger::{
    entry::{EventKind, Figures},
    read::Reader,
};
use crumbgate_policy::{
    Mode,
    requested::RequestedLifetime,
    verdict::{Action, Reason},
};
use crumbgate_testkit::ledger::{HOSTILE, Seen, TENANTS, UnsignedLedger, hostile, rich};

const ACME: &str = "acme.example";

/// 2026-11-23 10:00:00 UTC
const NOW: u64 = 1_795_428_000;
const WINDOW: u64 = 300;

/// The report of a ledger that `write` writes.
fn report(selection: &Selection, write: impl FnOnce(&mut UnsignedLedger)) -> Report {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut writer = UnsignedLedger::new(&path, WINDOW);
    write(&mut writer);
    writer.finish();
    build(&path, selection)
}

fn build(path: &std::path::Path, selection: &Selection) -> Report {
    let reader = Reader::open(path).unwrap();
    let usually = |name: &str| {
        (name == "_ga").then(|| VendorHint {
            platform: "Google Analytics".to_owned(),
            purpose: Category::Analytics,
            category: "Analytics".to_owned(),
            description: None,
        })
    };
    Report::build(&reader, selection, NOW + 900, &usually).unwrap()
}

fn rich_report() -> Report {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    rich(&path, NOW);
    build(&path, &Selection::default())
}

fn all() -> Selection {
    Selection::default()
}

#[test]
fn a1_the_totals_balance_or_the_report_has_the_difference() {
    let seen = [Seen::kept("flexopus_session", 5), Seen::sent("_ga", 3)];
    let balanced = report(&all(), |writer| writer.traffic(NOW, ACME, 4, &seen));
    assert!(balanced.totals.is_balanced());
    let DirectionTotals { seen: counted, kept, stripped, .. } = balanced.totals.request;
    assert_eq!((counted, kept, stripped), (8, 5, 3));

    let short = report(&all(), |writer| {
        writer.traffic(NOW, ACME, 4, &seen);
        let counted = Figures { request: 10, ..Figures::default() };
        let dropped = Figures { request: 4, ..Figures::default() };
        writer.heartbeat_of(NOW, ACME, 1, counted, dropped);
        writer.verdicts(NOW, ACME, &Seen::rewritten("a", RequestedLifetime::Day, 60, 2));
    });
    assert!(!short.totals.is_balanced());
    assert_eq!((short.totals.request.difference(), short.totals.response.difference()), (6, -2));
    let text = short.text(Language::En, false);
    assert!(text.contains("no, by 6, \u{2212}2"), "{text}");
    assert!(text.contains("4 cookies were counted, but have no entry in the ledger"), "{text}");
}

#[test]
fn a_change_of_a_tenant_is_reported_with_its_actor_and_only_for_that_tenant() {
    let write = |writer: &mut UnsignedLedger| {
        writer.heartbeat(NOW, NOW + 299);
        writer.change(NOW, ACME, "ada", &json!({ "before": null, "after": { "session": "20m" } }));
        writer.change(NOW, "b.example", "bob", &json!({ "before": {}, "after": null }));
        let configurations = json!({ "old": "1", "new": "2" });
        writer.event(NOW, EventKind::Configuration, "eve", &configurations);
    };
    let events_of = |selection: &Selection| {
        let report = report(selection, write);
        let text = report.text(Language::En, false);
        for event in &report.events {
            assert!(text.contains(&*event.actor), "{text}");
        }
        let event = |event: &RecordedEvent| (event.tenant.clone(), event.actor.clone());
        (report.events.iter().map(event).collect::<Vec<_>>(), text)
    };
    let of = |tenant: Option<&str>, actor: &str| (tenant.map(str::to_owned), actor.to_owned());
    let (events, text) = events_of(&all());
    let (acme, other) = (of(Some(ACME), "ada"), of(Some("b.example"), "bob"));
    assert_eq!(events, [acme.clone(), other, of(None, "eve")]);
    assert!(text.contains("tenant changed") && text.contains("20m"), "{text}");
    let selection = Selection { tenant: Some(ACME.to_owned()), ..all() };
    let (events, text) = events_of(&selection);
    assert_eq!(events, [acme, of(None, "eve")]);
    assert!(!text.contains("b.example") && !text.contains("bob"), "{text}");
}

#[test]
fn cookies_in_report_mode_do_not_count_as_held_back() {
    let report = report(&all(), |writer| {
        let evict = Seen::added(Action::Evict, "_ga", None, 2);
        writer.traffic(NOW, ACME, 1, &[Seen::sent("_ga", 3).watched(), evict.watched()]);
        writer.traffic(NOW, "b.example", 1, &[Seen::sent("_ga", 4), evict]);
    });
    let totals = &report.totals;
    assert_eq!((totals.held_back(), totals.only_watched(), totals.evictions_sent()), (4, 3, 2));
    assert!(totals.is_balanced());
    assert_eq!(report.tenants[0].modes, [Mode::Report]);
    assert_eq!(report.tenants[1].modes, [Mode::Enforce]);
}

#[test]
fn cookies_on_which_an_application_may_depend_come_first() {
    let report = report(&all(), |writer| {
        let year = RequestedLifetime::Year;
        let watched = [
            Seen::sent("by script", 90),
            Seen::set("never back", year, 80),
            Seen::sent("(other)", 70),
            Seen::set("(other)", year, 70),
            Seen::sent("depended on", 2),
            Seen::set("depended on", year, 1),
            Seen { action: Action::Strip(Reason::Nameless), name: None, ..Seen::sent("", 5) },
        ];
        writer.traffic(NOW, ACME, 1, &watched.map(Seen::watched));
        writer.traffic(NOW, "enforced.example", 1, &[Seen::sent("enforced", 9)]);
    });
    let listed: Vec<_> = report
        .before_enforcing()
        .iter()
        .map(|row| (row.name.as_deref().unwrap_or_default(), row.dependence.unwrap()))
        .collect();
    let expected = [
        ("depended on", Dependence::SetAndSentBack),
        ("(other)", Dependence::SentOnly),
        ("by script", Dependence::SentOnly),
        ("never back", Dependence::NeverCameBack),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn e3_a_name_sent_in_a_later_window_than_its_eviction_is_reported() {
    let evict = |name| Seen::added(Action::Evict, name, None, 1);
    let report = report(&all(), |writer| {
        writer.traffic(
            NOW,
            ACME,
            1,
            &[Seen::sent("gone", 1), evict("gone"), Seen::sent("stays", 1), evict("stays")],
        );
        writer.traffic(
            NOW + WINDOW,
            ACME,
            1,
            &[Seen::sent("stays", 1), Seen::set("gone", RequestedLifetime::Day, 1)],
        );
        writer.traffic(NOW, "watched.example", 1, &[evict("stays").watched()]);
        writer.traffic(NOW + WINDOW, "watched.example", 1, &[Seen::sent("stays", 1).watched()]);
    });
    let evictions_of = |tenant: &str, name: &str| {
        let row = report
            .stripped
            .iter()
            .find(|row| row.tenant == tenant && row.name.as_deref() == Some(name));
        let row = row.unwrap();
        (row.evictions, row.in_spite_of_evictions)
    };
    assert_eq!(evictions_of(ACME, "stays"), (1, true));
    // The application set it anew, but no browser has sent it.
    assert_eq!(evictions_of(ACME, "gone"), (1, false));
    // Nothing was evicted, so nothing comes in spite of it.
    assert_eq!(evictions_of("watched.example", "stays"), (1, false));
}

#[test]
fn a_row_has_vendor_routes_times_and_attributes() {
    let report = report(&all(), |writer| {
        let set = Seen::set("_ga", RequestedLifetime::Longer, 2);
        writer.traffic(
            NOW,
            ACME,
            1,
            &[Seen::sent("_ga", 5).on("/login"), set.on("/"), Seen::sent("own", 1)],
        );
        writer.traffic(NOW + WINDOW, ACME, 1, &[Seen::sent("_ga", 1).on("/")]);
    });
    let row = &report.stripped[0];
    assert_eq!((row.count(), row.in_requests, row.in_responses), (8, 6, 2));
    assert_eq!((row.first_unix_s, row.last_unix_s), (NOW + 60, NOW + 2 * WINDOW - 60));
    let routes: Vec<_> = row.routes.iter().map(|route| (&*route.route, route.count)).collect();
    assert_eq!(routes, [("/login", 5), ("/", 3)]);
    assert_eq!(row.lifetimes, [(RequestedLifetime::Longer, 2)]);
    assert_eq!(row.attributes.words().collect::<Vec<_>>(), ["Max-Age", "Path"]);
    assert_eq!(row.usually.as_ref().unwrap().platform, "Google Analytics");
    assert!(report.stripped[1].usually.is_none());
    assert!(report.text(Language::En, false).contains("unknown"));
}

#[test]
fn a_selection_is_by_tenant_and_by_overlapping_windows() {
    let write = |writer: &mut UnsignedLedger| {
        for index in 0..4_u32 {
            writer.traffic(
                NOW + u64::from(index) * WINDOW,
                ACME,
                1,
                &[Seen::sent("_ga", 10_u64.pow(index))],
            );
        }
        writer.traffic(NOW, "b.example", 1, &[Seen::sent("_ga", 7)]);
    };
    let sum = |tenant: Option<&str>, since, until| {
        let selection = Selection {
            tenant: tenant.map(str::to_owned),
            since_unix_s: since,
            until_unix_s: until,
        };
        report(&selection, write).totals.seen()
    };
    assert_eq!(sum(None, None, None), 1_118);
    assert_eq!(sum(Some(ACME), None, None), 1_111);
    assert_eq!(sum(Some("c.example"), None, None), 0);
    assert_eq!(sum(Some(ACME), Some(NOW + WINDOW), None), 1_110);
    assert_eq!(sum(Some(ACME), Some(NOW + 2 * WINDOW - 1), None), 1_110);
    assert_eq!(sum(Some(ACME), None, Some(NOW + WINDOW)), 1);
    assert_eq!(sum(Some(ACME), None, Some(NOW + WINDOW + 1)), 11);
    let unknown = Selection { tenant: Some("c.example".to_owned()), ..all() };
    assert_eq!(report(&unknown, write).known_tenants, [ACME, "b.example"]);
}

#[test]
fn a5_each_gap_has_its_reason_and_its_losses() {
    let hour = 3_600;
    let since = NOW - 24 * hour;
    let selection = Selection { since_unix_s: Some(since), until_unix_s: Some(NOW), ..all() };
    let report = report(&selection, |writer| {
        // It was stopped before the report's time begins.
        writer.heartbeat(since - hour, since - 601);
        writer.event(since - 600, EventKind::Stop, "run", &json!({}));
        writer.heartbeat(since + hour, since + 2 * hour - 1);
        // A restart within seconds is no gap.
        writer.heartbeat(since + 2 * hour + 20, since + 4 * hour - 1);
        let detail = json!({ "from": rfc3339(since + 4 * hour), "until": since + 5 * hour });
        writer.event(since + 5 * hour, EventKind::UncleanStop, "run", &detail);
        writer.heartbeat(since + 5 * hour, since + 8 * hour - 1);
        let detail = json!({ "from": since + 6 * hour, "until": since + 7 * hour, "cookies": 9, "requests": 3 });
        writer.event(since + 7 * hour, EventKind::Loss, "run", &detail);
        writer.heartbeat(since + 10 * hour, since + 11 * hour - 1);
    });
    let gaps: Vec<_> = report
        .gaps
        .iter()
        .map(|gap| {
            let hours = |unix_s: u64| (unix_s - since) / hour;
            (
                hours(gap.period.since_unix_s),
                hours(gap.period.until_unix_s),
                gap.reason,
                gap.cookies,
            )
        })
        .collect();
    assert_eq!(
        gaps,
        [
            (0, 1, GapReason::Stop, None),
            (4, 5, GapReason::UncleanStop, None),
            (6, 7, GapReason::Loss, Some(9)),
            (8, 10, GapReason::Unknown, None),
            (11, 24, GapReason::Unknown, None),
        ]
    );
    assert_eq!(report.heartbeats, Heartbeats { count: 4, missing: 0, alive_s: 7 * hour - 20 });
    // What explains the first gap is not of this time.
    assert_eq!(report.events.len(), 2);
}

#[test]
fn a7_a_loss_of_the_guards_events_alone_is_an_event_and_no_gap() {
    let lost = |cookies: u64| {
        report(&all(), |writer| {
            writer.heartbeat(NOW, NOW + 299);
            let detail = json!({ "cookies": cookies, "requests": 0, "from": NOW, "until": NOW, "guard_events": 9 });
            writer.event(NOW, EventKind::Loss, "crumbgate run", &detail);
        })
    };
    let reasons =
        |report: &Report| report.gaps.iter().filter(|gap| gap.reason == GapReason::Loss).count();
    assert_eq!([0, 1].map(|cookies| reasons(&lost(cookies))), [0, 1]);
    let report = lost(0);
    assert!(report.events[0].detail.contains(&("guard_events".to_owned(), "9".to_owned())));
}

#[test]
fn a5_entries_that_are_not_written_yet_are_not_a_gap() {
    let last_gap = |windows_ago: u64| {
        let selection = Selection { until_unix_s: Some(NOW + 900), ..all() };
        let report = report(&selection, |writer| {
            let until = NOW + 900 - windows_ago * WINDOW;
            writer.heartbeat(until - WINDOW, until - 1);
        });
        report.gaps.last().map(|gap| gap.reason)
    };
    assert_eq!(last_gap(1), None);
    assert_eq!(last_gap(2), None);
    assert_eq!(last_gap(4), Some(GapReason::Unknown));
}

#[test]
fn the_time_before_the_ledger_is_a_gap() {
    let selection = Selection { since_unix_s: Some(NOW - 7_200), ..all() };
    let report = report(&selection, |writer| writer.heartbeat(NOW - 3_600, NOW));
    let [gap] = &*report.gaps else { panic!("{:?}", report.gaps) };
    assert_eq!((gap.reason, gap.period.seconds()), (GapReason::Before, 3_600));
}

#[test]
fn each_version_of_the_declaration_has_its_changes() {
    let report = rich_report();
    let [first, second] = &*report.declarations else { panic!("{:?}", report.declarations) };
    assert_eq!((first.cookies.as_ref().unwrap().len(), &*first.added), (3, &[] as &[String]));
    assert_eq!(
        (&*second.added, &*second.removed, &*second.changed),
        (&["locale".to_owned()][..], &[][..], &[][..])
    );
    assert!(first.ruled.unwrap().until_unix_s <= second.ruled.unwrap().since_unix_s);
    let names: Vec<_> = report.declared.iter().map(|declared| &*declared.cookie.name).collect();
    assert_eq!(names, ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder", "locale"]);
    let acme = &report.declared[1].tenants[0];
    assert_eq!(acme.granted.iter().map(|granted| granted.seconds).collect::<Vec<_>>(), [0, 7_200]);
}

#[test]
fn a_restored_declaration_is_the_current_one() {
    let a = |path: &str| json!({ "name": "a", "lifetime": "session", "path": path });
    let b = json!({ "name": "b", "lifetime": 60 });
    let report = report(&all(), |writer| {
        writer.declare(NOW, "first", &json!([a("/")]));
        writer.heartbeat(NOW, NOW + WINDOW - 1);
        writer.declare(NOW + WINDOW, "second", &json!([a("/"), b]));
        writer.heartbeat(NOW + WINDOW, NOW + 2 * WINDOW - 1);
        writer.rule("first");
        writer.heartbeat(NOW + 2 * WINDOW, NOW + 3 * WINDOW - 1);
        writer.traffic(NOW, ACME, 1, &[Seen::kept("lost", 1)]);
        writer.declare(NOW + 4 * WINDOW, "never ruled", &json!([a("/elsewhere")]));
    });
    let current = |name: &str| {
        let declared = report.declared.iter().find(|declared| declared.cookie.name == name);
        declared.map(|declared| (declared.is_current, declared.cookie.lifetime.clone()))
    };
    let written = |text: &str| Lifetime::Written(text.to_owned());
    assert_eq!(current("a"), Some((true, written("session"))));
    assert_eq!(current("b"), Some((false, Lifetime::Fixed(60))));
    assert_eq!(current("lost"), Some((false, written(""))));
    // What the report does not show of a cookie has changed.
    assert_eq!(report.declarations[2].changed, ["a"]);
    assert!(report.declarations[2].ruled.is_none());
}

#[test]
fn the_time_line_adds_up_to_the_totals() {
    let report = rich_report();
    let sum = |of: fn(&Bucket) -> u64| report.timeline.buckets.iter().map(of).sum::<u64>();
    assert_eq!(sum(|bucket| bucket.passed), report.totals.passed());
    assert_eq!(sum(|bucket| bucket.stripped), report.totals.held_back());
    assert_eq!(sum(|bucket| bucket.only_watched), report.totals.only_watched());
    assert!((2..=64).contains(&report.timeline.buckets.len()));
}

#[test]
fn an_empty_ledger_makes_a_report_that_says_so() {
    let report = report(&all(), |_| {});
    assert!(
        report.text(Language::En, false).contains("The ledger has no entries for this period.")
    );
    assert!(
        report.html(Language::De).contains("Das Protokoll enthält nichts aus diesem Zeitraum.")
    );
    assert!(report.totals.is_balanced());
}

#[test]
fn a_damaged_count_does_not_overflow() {
    let most = u64::try_from(i64::MAX).unwrap();
    let report = report(&all(), |writer| {
        for _ in 0..4 {
            writer.verdicts(NOW, ACME, &Seen::sent("_ga", most));
            writer.verdicts(NOW, ACME, &Seen::kept("a", most));
        }
    });
    assert_eq!(report.totals.request.stripped, u64::MAX);
    let _ = (report.text(Language::En, true), report.html(Language::De), report.csv().unwrap());
}

#[test]
fn both_languages_have_the_same_structure() {
    let report = rich_report();
    let tags = |html: String| {
        html.split('<')
            .map(|tag| tag.split([' ', '>']).next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(tags(report.html(Language::De)), tags(report.html(Language::En)));
    let [de, en] = [Language::De, Language::En].map(|language| report.text(language, false));
    assert!(de.contains("2.320.672") && en.contains("2,320,672"), "{de}\n{en}");
    // Sentences of the one are not in the other.
    for sentence in ["This report", "does not balance", " the ", "browsers"] {
        assert!(!de.contains(sentence), "{sentence} in {de}");
    }
}

/// A report with hostile names.
fn hostile_report() -> Report {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    hostile(&path, NOW);
    build(&path, &all())
}

/// True for a text with a character that acts on a terminal or is invisible.
fn acts(text: &str) -> bool {
    text.chars().any(|c| {
        c != '\n'
            && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    })
}

#[test]
fn a4_no_name_acts_in_a_text() {
    let text = hostile_report().text(Language::En, false);
    assert!(!acts(&text));
    for shown in [
        "\\u{1b}[2J\\u{9b}31m",
        "\\u{202e}gpj.exe\\u{2066}",
        "<script>alert(1)</script>",
        "a,b\"c\\u{d}\\u{a}d",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
}

#[test]
fn a4_no_name_acts_in_html() {
    let html = hostile_report().html(Language::En);
    assert!(!acts(html.split("<body>").nth(1).unwrap().split("<script>").next().unwrap()));
    for tag in ["<script>alert", "<img", "<b>", "<i>", "<u>", "<s>", "<key>", "<root>"] {
        assert!(!html.contains(tag), "{tag}");
    }
    assert_eq!(html.matches("<script>").count(), 1);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn a4_no_name_acts_in_json_and_none_is_lost() {
    let json = hostile_report().json(Language::En).unwrap();
    assert!(!acts(&json));
    let read: Value = serde_json::from_str(&json).unwrap();
    let rows = read["stripped"].as_array().unwrap();
    let names: BTreeSet<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, HOSTILE.into());
}

#[test]
fn a4_no_cell_of_the_csv_is_a_formula() {
    let csv = hostile_report().csv().unwrap();
    let text = String::from_utf8(csv.clone()).unwrap();
    assert!(text.starts_with("\u{feff}kind,tenant,"));
    assert!(text.lines().count() > 2 * HOSTILE.len());
    let mut reader = ::csv::Reader::from_reader(&*csv);
    let columns = reader.headers().unwrap().len();
    let mut rows = 0;
    for row in reader.records() {
        let row = row.unwrap();
        rows += 1;
        assert_eq!(row.len(), columns);
        for cell in &row {
            let begin = cell.trim_start().chars().next();
            assert!(!begin.is_some_and(|begin| "=+-@＝＋－＠".contains(begin)), "{cell}");
            assert!(!acts(cell), "{cell}");
        }
    }
    // The declared cookie, and each name as a stripped and as a reported one.
    assert_eq!(rows, TENANTS.len() * (2 * HOSTILE.len() + 1));
}

/// The paths of all keys of a JSON document, such as `stripped[].routes[].count`.
fn keys(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => {
            values.iter().for_each(|value| keys(value, &format!("{at}[]"), found))
        }
        Value::Object(members) => {
            for (key, value) in members {
                let is_open = at.ends_with("purpose") || at.ends_with("detail");
                let key = if is_open { "*" } else { key };
                let at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
                found.insert(at.clone());
                // Documented once.
                if at != "tenants[].books" {
                    keys(value, &at, found);
                }
            }
        }
        _ => {}
    }
}

const DOCUMENT: &str = include_str!("../../../docs/reference/report.md");

/// The first column of the document's table that has this head.
fn documented(head: &str) -> Vec<&'static str> {
    let rows = DOCUMENT.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap()).collect()
}

#[test]
fn the_document_lists_every_field_of_the_json() {
    let mut found = BTreeSet::new();
    let json = rich_report().json(Language::En).unwrap();
    keys(&serde_json::from_str(&json).unwrap(), "", &mut found);
    let documented: BTreeSet<_> = documented("| field |").into_iter().map(str::to_owned).collect();
    assert_eq!(found, documented);
}

#[test]
fn the_document_lists_every_column_of_the_csv() {
    assert_eq!(documented("| column |"), csv::COLUMNS);
}
