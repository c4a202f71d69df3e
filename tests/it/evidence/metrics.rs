//! The metrics for alarms about the evidence: new names, segments that do not balance, gaps.

use std::fs;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::harness::{ACME, App, Exposed, Http, Program, Setup, Site, in_time, ok, until};

/// An application that sets a tracker at `/shop`.
async fn application() -> App {
    App::replying(|request| {
        let tracker: &[&str] =
            if request.target() == "/shop" { &["set-cookie: _fbp=1"] } else { &[] };
        ok(tracker, "")
    })
    .await
}

const NEW_IN_REQUESTS: &str = "crumbgate_audit_new_names_total{direction=\"request\"}";
const NEW_IN_RESPONSES: &str = "crumbgate_audit_new_names_total{direction=\"response\"}";

fn site_before(app: &App) -> Site {
    Site::of(&Setup::before(app).admin("tenant_series = 1").sections("[log]\nformat = \"json\""))
}

/// The metrics of a program with an admin listener.
async fn metrics_of(program: &mut Program<'_>) -> Exposed {
    Exposed::of(&program.operator().await.get("/metrics").await.body)
}

/// Waits until the ledger has met this number of new names, in requests and in responses.
async fn until_written(program: &mut Program<'_>, names: [f64; 2]) {
    loop {
        let metrics = metrics_of(program).await;
        let found = [metrics.get(NEW_IN_REQUESTS), metrics.get(NEW_IN_RESPONSES)];
        if found == names {
            return;
        }
        assert!(found[0] <= names[0] && found[1] <= names[1], "{found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_name_is_new_once_per_ledger_and_not_once_per_gateway() {
    in_time(async {
        let app = application().await;
        let site = site_before(&app);
        let mut program = site.start();
        let browser = program.browser(Http::One).await;
        browser.get_with_cookie("/", "_ga=1; flexopus_session=s; _gid=2").await;
        until_written(&mut program, [2., 0.]).await;
        // Another value, a declared name, a known name, and one that the application sets.
        browser.get_with_cookie("/shop", "_ga=3; XSRF-TOKEN=t").await;
        until_written(&mut program, [2., 1.]).await;
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));

        let mut program = site.start();
        let browser = program.browser(Http::One).await;
        browser.get_with_cookie("/shop", "_ga=1; _fbp=1; hubspotutk=1").await;
        until_written(&mut program, [1., 0.]).await;
    })
    .await;
}

#[tokio::test]
async fn a_name_that_returns_at_once_was_set_by_the_application() {
    in_time(async {
        let app = application().await;
        let gateway = Setup::before(&app).start();
        let browser = gateway.browser(Http::One);
        // A navigation, which evicts the name; all three are in one transaction, or the first of them is.
        let request = browser.request(http::Method::GET, "/shop").header("accept", "text/html");
        browser.send(request.header("cookie", "_fbp=1"), "").await;
        until("it is counted", || {
            Exposed::by(&gateway).sum("crumbgate_audit_new_names_total") > 0.
        })
        .await;
        assert_eq!(Exposed::by(&gateway).get(NEW_IN_RESPONSES), 1.);
        assert_eq!(Exposed::by(&gateway).get(NEW_IN_REQUESTS), 0.);
    })
    .await;
}

#[tokio::test]
async fn a_segment_with_changed_entries_does_not_balance() {
    in_time(async {
        let app = application().await;
        let gateway = Setup::before(&app).start();
        let browser = gateway.browser(Http::One);
        let read = |series: &str| Exposed::by(&gateway).get(series);
        browser.get_with_cookie("/shop", "_ga=1; flexopus_session=s").await;
        until("it is written", || read("crumbgate_audit_rows_total") > 3.).await;
        gateway.advance(2 * 3_600);
        until("the first hour is closed", || read("crumbgate_audit_segments_total") > 0.).await;
        assert_eq!(read("crumbgate_audit_unbalanced_total"), 0.);

        let rows = read("crumbgate_audit_rows_total");
        browser.get_with_cookie("/shop", "_ga=1; flexopus_session=s").await;
        until("it is written", || read("crumbgate_audit_rows_total") >= rows + 4.).await;
        let closed = read("crumbgate_audit_segments_total");
        let connection = Connection::open(gateway.ledger()).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        let last = "(SELECT max(seq) FROM verdicts)";
        let change = format!("UPDATE verdicts SET count = count + 7 WHERE seq = {last}");
        assert_eq!(connection.execute(&change, []), Ok(1));
        gateway.advance(2 * 3_600);
        until("the second one is, too", || read("crumbgate_audit_segments_total") > closed).await;
        assert_eq!(read("crumbgate_audit_unbalanced_total"), 7.);
    })
    .await;
}

#[tokio::test]
async fn gaps_are_counted_by_their_kind() {
    in_time(async {
        let app = application().await;
        let site = site_before(&app);
        let gap = |metrics: &Exposed, kind: &str| {
            metrics.get(&format!("crumbgate_audit_gaps_total{{kind=\"{kind}\"}}"))
        };
        let mut program = site.start();
        program.browser(Http::One).await.get_with_cookie("/", "_ga=1").await;
        until_written(&mut program, [1., 0.]).await;
        assert_eq!(metrics_of(&mut program).await.sum("crumbgate_audit_gaps_total"), 0.);
        program.signal(Signal::KILL);
        program.exit().await;

        let mut program = site.start();
        program
            .logged("the previous gateway was not stopped properly: entries may be missing")
            .await;
        let metrics = metrics_of(&mut program).await;
        assert_eq!((gap(&metrics, "unclean_stop"), gap(&metrics, "damage")), (1., 0.));
        program.signal(Signal::TERM);
        program.exit().await;

        fs::remove_file(site.path("state/crumbgate.db")).unwrap();
        let mut program = site.start();
        program.logged("a new ledger begins").await;
        let metrics = metrics_of(&mut program).await;
        assert_eq!((gap(&metrics, "unclean_stop"), gap(&metrics, "damage")), (0., 1.));
        assert_eq!(gap(&metrics, "clock"), 0.);
    })
    .await;
}

#[tokio::test]
async fn without_a_ledger_no_name_is_new_and_no_gap_is_counted() {
    in_time(async {
        let app = application().await;
        let gateway = Setup::before(&app).sections("[audit]\nledger = false").start();
        gateway.browser(Http::One).get_with_cookie("/shop", "_ga=1").await;
        assert_eq!(gateway.counters_of(ACME).requests, 1);
        for name in ["new_names_total", "unbalanced_total", "gaps_total"] {
            assert_eq!(Exposed::by(&gateway).sum(&format!("crumbgate_audit_{name}")), 0., "{name}");
        }
    })
    .await;
}
