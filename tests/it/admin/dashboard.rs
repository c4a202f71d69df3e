//! The dashboard as it is served: its content, its access control, and what it never contains.
//! (`tests/browser/dashboard.rs` uses it in a browser.)

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use crumbgate_ledger::read::Reader;
use crumbgate_policy::verdict::{Action, Reason};
use crumbgate_report::{Report, Selection, overview::SummaryReader};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    ACME, App, Http, NOW_UNIX_S, Operator, Setup, Site, in_time, ledger::LedgerWriter,
};

const OPERATOR: &str = "operator-0123456789abcdef0123456789";
const AUDITOR: &str = "auditor-0123456789abcdef0123456789";
const STRIP: Action = Action::Strip(Reason::Undeclared);

fn setup() -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()])
}

async fn panel(operator: &Operator, place: &str) -> String {
    let panels = operator.get("/dashboard/panels").await;
    assert_eq!(panels.status, 200, "{}", panels.body);
    panels.json()["panels"][place].as_str().unwrap().to_owned()
}

/// Waits until a panel contains this text.
async fn until_panel(operator: &Operator, place: &str, text: &str) -> String {
    loop {
        let panel = panel(operator, place).await;
        if panel.contains(text) {
            return panel;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_page_loads_only_from_its_own_address() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let page = operator.get("/").await;
        assert_eq!(
            (page.status.as_u16(), page.field("content-type")),
            (200, "text/html; charset=utf-8")
        );
        let policy = page.field("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
        {
            assert_eq!(page.field(name), value);
        }
        for absent in ["<style", "style=", "onclick=", "javascript:", "http://", "https://"] {
            let body = page.body.replace("http://127.0.0.1:9<", "");
            assert!(!body.contains(absent), "{absent} in {body}");
        }
        for (path, media_type) in [
            ("/dashboard/style.css", "text/css; charset=utf-8"),
            ("/dashboard/script.js", "text/javascript; charset=utf-8"),
            ("/dashboard/icon.svg", "image/svg+xml"),
        ] {
            assert!(page.body.contains(path), "{path}");
            let file = operator.get(path).await;
            assert_eq!((file.status.as_u16(), file.field("content-type")), (200, media_type));
            assert!(
                file.field("content-security-policy").starts_with("default-src 'none'; frame-")
            );
        }
        // The page is for people, and not part of the API.
        assert!(!operator.get("/openapi.json").await.body.contains("/dashboard"));
    })
    .await;
}

#[tokio::test]
async fn with_tokens_the_page_holds_nothing_of_the_gateway() {
    in_time(async {
        let site = Site::of(&setup().admin("token_file = \"tokens\""));
        let tokens = format!("alice operator {OPERATOR}\nbob auditor {AUDITOR}\n");
        fs::write(site.path("tokens"), tokens).unwrap();
        fs::set_permissions(site.path("tokens"), fs::Permissions::from_mode(0o600)).unwrap();
        let mut program = site.start();
        let anybody = Operator::at(&program.admin().await);
        let (alice, bob) = (anybody.with_token(OPERATOR), anybody.with_token(AUDITOR));
        alice.put("/v1/tenants/kept.example", &json!({"session": "2h"})).await;
        // A token in the request changes nothing: an address that a browser opens carries none.
        for page in [anybody.get("/?q=kept").await, alice.get("/").await] {
            assert_eq!(page.status, 200);
            for expected in [ACME, "kept.example", "127.0.0.1:9", "dev.crt", "config.toml"] {
                assert!(!page.body.contains(expected), "{expected} in {}", page.body);
            }
        }
        for path in ["/dashboard/panels", "/dashboard/tenants", "/dashboard/tenants?q=kept"] {
            anybody.get(path).await.problem(401);
        }
        let edits = |html: &str| html.matches("class=\"edit\"").count();
        let (of_alice, of_bob) =
            (alice.get("/dashboard/tenants").await, bob.get("/dashboard/tenants").await);
        assert!(of_alice.body.contains("kept.example") && of_bob.body.contains("kept.example"));
        assert_eq!((edits(&of_alice.body), edits(&of_bob.body)), (1, 0), "{}", of_alice.body);
    })
    .await;
}

#[tokio::test]
async fn a_link_on_another_site_opens_the_page_and_nothing_else() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let from_elsewhere = |method: &Method, path: &str, mode: &str, destination: &str| {
            operator
                .request(method.clone(), path)
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", destination)
        };
        let opened = from_elsewhere(&Method::GET, "/", "navigate", "document");
        assert_eq!(operator.send(opened, "").await.status, 200);
        for (method, path, mode, destination) in [
            (Method::GET, "/", "navigate", "iframe"),
            (Method::GET, "/", "no-cors", "script"),
            (Method::POST, "/", "navigate", "document"),
            (Method::GET, "/v1/status", "navigate", "document"),
            (Method::GET, "/dashboard/panels", "navigate", "document"),
            (Method::GET, "/dashboard/script.js", "no-cors", "script"),
        ] {
            let request = from_elsewhere(&method, path, mode, destination);
            operator.send(request, "").await.problem(403);
        }
    })
    .await;
}

#[tokio::test]
async fn through_a_tunnel_to_a_unix_socket_a_page_may_change_tenants_if_its_host_is_configured() {
    in_time(async {
        for (hosts, status) in [("", 403), ("hosts = [\"localhost\"]", 201)] {
            let listen = "listen = \"unix:admin.sock\"\n";
            let site = Site::of(&setup().admin(&format!("{listen}{hosts}")));
            let mut program = site.start();
            let operator = program.operator().await;
            let put = |origin: &str| {
                operator
                    .request(Method::PUT, "/v1/tenants/new.example")
                    .header("host", "localhost:9000")
                    .header("origin", origin)
                    .header("content-type", "application/json")
            };
            let foreign = operator.send(put("http://localhost:9001"), "{}").await;
            assert_eq!(foreign.status, 403, "{}", foreign.body);
            let own = operator.send(put("http://localhost:9000"), "{}").await;
            assert_eq!(own.status, status, "{}", own.body);
        }
    })
    .await;
}

#[tokio::test]
async fn the_language_is_that_of_the_address_or_else_of_the_browser() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        for (path, accepted, language, words) in [
            ("/", "de-AT,en;q=0.5", "de", "Mandanten"),
            ("/", "fr", "en", "Tenants"),
            ("/?lang=en", "de", "en", "Tenants"),
            ("/?lang=de&q=%3Cb%3E", "en", "de", "Kein Host enthält \u{201e}&lt;b&gt;\u{201c}"),
        ] {
            let request = operator.request(Method::GET, path).header("accept-language", accepted);
            let page = operator.send(request, "").await;
            assert!(
                page.body.contains(&format!("<html lang=\"{language}\">")),
                "{path} {accepted}"
            );
            assert!(page.body.contains(words), "{words} in {}", page.body);
        }
        for path in ["/?lang=fr", "/?language=de", "/dashboard/panels?lang=de&lang=en"] {
            operator.get(path).await.problem(400);
        }
    })
    .await;
}

#[tokio::test]
async fn a_search_shows_the_first_fifty_and_counts_the_rest() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let changes: Vec<_> = (0..4_500)
            .map(|i| json!({"host": format!("customer-{i:04}.example"), "set": {"session": "1h"}}))
            .collect();
        let made = operator.post("/v1/tenants/batch", &json!({ "changes": changes })).await;
        assert_eq!(made.status, 200, "{}", made.body);
        let hosts = |html: &str| html.matches("data-host=").count();
        let all = operator.get("/dashboard/tenants").await.body;
        assert_eq!(hosts(&all), 50);
        assert!(all.contains("The first 50 are shown, 4,451 more match"), "{all}");
        // In the middle of hosts, across the limit of one search, and in any case.
        let some = operator.get("/dashboard/tenants?q=ER-0%20").await.body;
        assert!(some.contains("The first 50 are shown, 950 more match"), "{some}");
        let one = operator.get("/dashboard/tenants?q=4499").await.body;
        assert!(hosts(&one) == 1 && one.contains("customer-4499.example"), "{one}");
        assert!(one.contains("1 tenant<"), "{one}");
        let long = format!("/dashboard/tenants?q={}", "a".repeat(256));
        operator.get(&long).await.problem(400);
    })
    .await;
}

#[tokio::test]
async fn the_version_of_the_tenants_changes_with_every_change() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let version = async || operator.get("/dashboard/panels").await.json()["tenants"].clone();
        let first = version().await;
        assert_eq!(version().await, first);
        let listed = operator.get("/dashboard/tenants").await.body;
        assert!(listed.contains(&format!("data-version={first}")), "{listed}");
        operator.put("/v1/tenants/new.example", &json!({})).await;
        let second = version().await;
        assert_ne!(second, first);
        let with_another = setup().admin("").tenant("other.example", "");
        fs::write(site.path("config.toml"), with_another.text()).unwrap();
        operator.post("/v1/reload", &json!({})).await;
        assert_ne!(version().await, second);
    })
    .await;
}

#[tokio::test]
async fn alerts_come_first_and_are_in_the_title() {
    in_time(async {
        let site = Site::of(
            &setup().admin("").upstream("health = { path = \"/up\", interval = \"100ms\" }"),
        );
        let mut program = site.start();
        let operator = program.operator().await;
        let state = until_panel(&operator, "state", "http://127.0.0.1:9 is down").await;
        assert!(state.contains("not ready"), "{state}");
        until_panel(&operator, "upstreams", "class=\"mark bad\">down").await;
        fs::write(site.path("config.toml"), "[servr]\n<b>").unwrap();
        assert_eq!(operator.post("/v1/reload", &json!({})).await.status, 422);
        let panels = operator.get("/dashboard/panels").await.json();
        assert_eq!(panels["title"], "(3) Crumbgate");
        let state = panels["panels"]["state"].as_str().unwrap();
        assert!(state.contains("3 problems") && state.contains("was rejected"), "{state}");
        let configuration = panels["panels"]["configuration"].as_str().unwrap();
        assert!(configuration.contains("rejected, requested by local"), "{configuration}");
        assert!(
            configuration.contains("<details open") && configuration.contains("&lt;b&gt;"),
            "{configuration}"
        );
    })
    .await;
}

#[tokio::test]
async fn traffic_names_and_balance_are_shown_live() {
    in_time(async {
        let app =
            App::answering(&[("/", &["set-cookie: _fbp=1", "set-cookie: flexopus_session=s"])])
                .await;
        let site = Site::of(&Setup::before(&app).admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let browser = program.browser(Http::Two).await;
        until_panel(&operator, "names", "No undeclared cookie has been seen").await;
        for _ in 0..3 {
            browser.get_with_cookie("/", "_ga=1; flexopus_session=s; <b>=2").await;
        }
        let names = until_panel(&operator, "names", "_fbp").await;
        for expected in
            ["Meta", "marketing", "Google Analytics", "&lt;b&gt;", ACME, "set by the application"]
        {
            assert!(names.contains(expected), "{expected} in {names}");
        }
        // Each request had three cookies, each response two, and the gateway added one to each.
        let ledger = until_panel(&operator, "ledger", ">18<").await;
        assert!(ledger.contains("balances") && !ledger.contains("does not balance"), "{ledger}");
        let traffic =
            until_panel(&operator, "traffic", "Requests</dt><dd><span class=\"value\">3<").await;
        let stripped = "Cookies stripped</dt><dd><span class=\"value\">9<";
        let picture = "aria-label=\"Requests over the last 15 minutes: ";
        assert!(traffic.contains(stripped) && traffic.contains(picture), "{traffic}");
        assert!(!traffic.contains("no requests"), "both latencies are there: {traffic}");
    })
    .await;
}

#[tokio::test]
async fn names_that_browsers_report_are_on_the_dashboard_and_in_the_status() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let keys = "guard = \"watch\"";
        let site = Site::of(&Setup::before(&app).tenant(ACME, keys).admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let browser = program.browser(Http::Two).await;
        until_panel(&operator, "reported", "No browser has reported a name").await;
        for body in ["c_ga\nltheme", "c_ga"] {
            let request = browser.request(Method::POST, "/.well-known/cookies/seen");
            browser.send(request.header("sec-fetch-site", "same-origin"), body).await;
        }
        let reported = until_panel(&operator, "reported", "_ga").await;
        for expected in ["Google Analytics", "theme", "localStorage key", ACME, "only watched"] {
            assert!(reported.contains(expected), "{expected} in {reported}");
        }
        let status = operator.get("/v1/status").await.json();
        let guard = &status["guard"];
        assert_eq!((&guard["names"], &guard["guarded"]), (&json!(2), &json!(0)), "{status}");
        let name = &guard["reported"][0];
        assert_eq!((&name["name"], &name["reports"]), (&json!("_ga"), &json!(2)), "{status}");
        assert_eq!((&name["kind"], &name["mode"]), (&json!("cookie"), &json!("watch")));
        let shown = site.run(&["status", "--address", &operator.address()]).await;
        let line = "_ga (cookie, acme.example, watch, Google Analytics): 2 times, from 20";
        assert!(shown.stdout.contains(line), "{shown:?}");
        assert_eq!(app.received().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn without_a_ledger_its_panels_report_that() {
    in_time(async {
        let site = Site::of(&setup().admin("").sections("[audit]\nledger = false"));
        let mut program = site.start();
        let operator = program.operator().await;
        for place in ["names", "reported", "ledger"] {
            let panel = panel(&operator, place).await;
            assert!(panel.contains("The ledger is off"), "{place}: {panel}");
        }
    })
    .await;
}

#[test]
fn repeated_reading_adds_up_to_the_same_as_the_report() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut writer = LedgerWriter::new(&path, NOW_UNIX_S);
    let mut summaries = SummaryReader::default();
    let mut assert_same = |names: &[&str], all: usize| {
        let summary = summaries.read(&path, 2).unwrap();
        let reader = Reader::open(&path).unwrap();
        let report = Report::build(&reader, &Selection::default(), NOW_UNIX_S, &|_| None).unwrap();
        assert_eq!(summary.totals, report.totals);
        assert!(summary.totals.is_balanced());
        let newest: Vec<_> = summary.newest.iter().map(|name| &*name.name).collect();
        assert_eq!((newest, summary.names), (names.to_vec(), all));
        summary
    };
    let undeclared = |name| [(name, "/", STRIP, 3), ("flexopus_session", "/", Action::Rewrite, 2)];
    assert_same(&[], 0);
    writer.traffic(ACME, &undeclared("_ga"));
    let first = assert_same(&["_ga"], 1);
    assert_eq!((first.newest[0].first_unix_s, &*first.newest[0].tenant), (NOW_UNIX_S, ACME));
    assert_eq!(first.last_closed, None);
    writer.close();
    let closed = assert_same(&["_ga"], 1);
    assert_eq!(closed.last_closed.map(|(number, _)| number), Some(1));
    writer.next_window();
    writer.traffic("globex.example", &undeclared("_fbp"));
    writer.traffic(ACME, &[("_ga", "/", STRIP, 1), ("(other)", "/", STRIP, 5)]);
    let summary = assert_same(&["_fbp", "_ga"], 2);
    assert_eq!(summary.newest[1].first_unix_s, NOW_UNIX_S, "a name that comes again is not new");
    writer.close();
    writer.next_window();
    writer.traffic(ACME, &undeclared("hubspotutk"));
    assert_same(&["hubspotutk", "_fbp"], 3);
    // What is pruned is forgotten.
    let kept_from = writer.window_unix_s - 300;
    assert_eq!(writer.prune(kept_from), Some(1));
    assert_same(&["hubspotutk", "_fbp"], 3);
    writer.close();
    assert_same(&["hubspotutk", "_fbp"], 3);
}

#[tokio::test]
async fn the_panels_are_in_json_and_each_place_has_one() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let page = operator.get("/").await.body;
        let panels = operator.get("/dashboard/panels").await.json();
        let places: Vec<_> = panels["panels"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(places.len(), 8, "{places:?}");
        for place in places {
            assert!(page.contains(&format!("data-slot=\"{place}\"><section")), "{place} in {page}");
        }
        let version = &panels["version"];
        assert!(matches!(version, Value::String(_)));
        assert!(page.contains(&format!("data-version={version}")), "{version} in {page}");
    })
    .await;
}
