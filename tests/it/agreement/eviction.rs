//! Rules S8 and E4: the gateway's own pages evict like any navigation, and a withdrawal deletes every name that came.

use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::{Method, request::Builder};

use crate::harness::{ACME, Answer, App, Browser, Http, Setup, both_versions, ok, request};

const PAGE: &str = "/.well-known/cookies";
const TENANT: &str = "tenant.flexopus.example";

async fn app() -> App {
    App::replying(|_| ok(&[], "the application")).await
}

/// The request of a browser when a person opens a page.
fn navigation(http: Http, path: &str) -> Builder {
    request(http, Method::GET, path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

/// The names that an answer deletes, each once.
fn deleted(answer: &Answer) -> Vec<String> {
    let mut names: Vec<_> = answer
        .set_cookies()
        .iter()
        .map(|field| field.split_once("=; Max-Age=0; ").expect("a deletion").0.to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

both_versions!(s8_the_gateways_own_pages_evict_like_any_navigation, |http| {
    let app = app().await;
    for (agreement, question) in [("off", 200), ("notice", 200), ("required", 403)] {
        let gateway =
            Setup::before(&app).tenant(ACME, &format!("agreement = {agreement:?}")).start();
        let browser = gateway.browser(http);
        let paths = ["/desks", PAGE, "/.well-known/cookies/declined"].map(str::to_owned);
        let more = ["withdrawn", "withdraw", "agree"].map(|below| format!("{PAGE}/{below}"));
        for path in paths.iter().chain(&more) {
            let asked = navigation(http, path).header("cookie", "_ga=1; XSRF-TOKEN=t; _gid=2");
            let answer = browser.send(asked, "").await;
            let context = format!("{agreement} {path} {answer:?}");
            if path == "/desks" {
                assert_eq!(answer.status, question, "{context}");
            }
            assert_eq!(deleted(&answer), ["_ga", "_gid"], "{context}");
            assert_eq!(answer.field("clear-site-data"), None);
        }
        let counters = gateway.counters_of(ACME);
        assert_eq!(counters.of(Direction::Response, Action::Evict), 12, "{agreement}");
        let stripped = counters.of(Direction::Request, Action::Strip(Reason::Undeclared));
        assert_eq!((stripped, counters.requests), (12, 6), "{agreement}");
    }
});

both_versions!(s8_a_page_that_evicts_is_kept_out_of_shared_caches, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let clean = browser.send(navigation(http, PAGE), "").await;
    assert_eq!((clean.field("cache-control"), deleted(&clean)), (Some("no-cache"), Vec::new()));
    let tag = clean.field("etag").unwrap();
    for known in [None, Some(tag)] {
        let asked = navigation(http, PAGE).header("cookie", "_ga=1");
        let asked = known.into_iter().fold(asked, |asked, tag| asked.header("if-none-match", tag));
        let answer = browser.send(asked, "").await;
        assert_eq!(answer.status.as_u16(), 200, "a 304 sets no cookie");
        assert_eq!(answer.field("cache-control"), Some("private, no-cache"));
        assert_eq!((answer.field("etag"), deleted(&answer)), (Some(tag), vec!["_ga".to_owned()]));
    }
});

both_versions!(s8_an_answer_of_the_gateways_own_to_no_navigation_evicts_nothing, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).tenant(ACME, "agreement = \"required\"").start();
    let browser = gateway.browser(http);
    let style = "/.well-known/cookies/banner.css";
    for asked in [
        request(http, Method::GET, PAGE).header("accept", "application/json"),
        request(http, Method::HEAD, PAGE).header("accept", "text/html"),
        request(http, Method::GET, style).header("accept", "text/css,*/*;q=0.1"),
        request(http, Method::GET, "/api/me").header("accept", "application/json"),
        request(http, Method::POST, "/login").header("accept", "text/html"),
        request(http, Method::DELETE, PAGE).header("accept", "text/html"),
    ] {
        let answer = browser.send(asked.header("cookie", "_ga=1"), "").await;
        assert_eq!(deleted(&answer), [""; 0], "{answer:?}");
    }
    assert_eq!(gateway.counters_of(ACME).of(Direction::Response, Action::Evict), 0);
});

both_versions!(s8_evict_off_is_off_on_the_gateways_own_pages, |http| {
    let app = app().await;
    let keys = "evict = \"off\"\nagreement = \"required\"";
    let gateway = Setup::before(&app).tenant(ACME, keys).start();
    for path in ["/", PAGE] {
        let asked = navigation(http, path).header("cookie", "_ga=1");
        assert_eq!(deleted(&gateway.browser(http).send(asked, "").await), [""; 0], "{path}");
    }
});

both_versions!(e1_the_browser_of_a_person_who_has_not_agreed_is_cleaned, |http| {
    let app = app().await;
    let keys = "agreement = \"required\"\nevict = \"domain\"";
    let gateway = Setup::before(&app).tenant(TENANT, keys).start();
    let browser = gateway.browser_at(TENANT, http);
    browser.set_by_script("_ga=1; Path=/; Domain=flexopus.example", "/");
    browser.set_by_script("_gid=2; Path=/; Domain=tenant.flexopus.example", "/");
    browser.set_by_script("_fbp=3", "/rooms/7/edit");
    browser.set_by_script("flexopus_session=s; Path=/", "/");
    assert_eq!(browser.get("/rooms/7/edit").await.status, 403);
    assert_eq!(browser.jar(), ["flexopus_session=s"], "what is declared waits for the agreement");
    assert!(app.received().is_empty());
});

/// Opens the cookie page, and returns the address of its form.
async fn withdrawal(browser: &Browser, http: Http) -> String {
    let page = browser.send(navigation_at(http, TENANT, PAGE), "").await.text();
    let start = format!("action=\"{PAGE}/withdraw");
    let rest = &page[page.find(&start).expect("a form") + "action=\"".len()..];
    rest.split('"').next().unwrap().to_owned()
}

/// A navigation to a tenant that has another host than the usual one.
fn navigation_at(http: Http, host: &str, path: &str) -> Builder {
    let asked = http::Request::builder().method(Method::GET).header("accept", "text/html");
    match http {
        Http::One => asked.uri(path).header("host", host),
        Http::Two => asked.uri(format!("https://{host}{path}")),
    }
}

both_versions!(e4_a_withdrawal_leaves_an_empty_jar_whatever_evict_says, |http| {
    let app = app().await;
    for evict in ["host", "domain", "off"] {
        let gateway = Setup::before(&app).tenant(TENANT, &format!("evict = {evict:?}")).start();
        let browser = gateway.browser_at(TENANT, http);
        let action = withdrawal(&browser, http).await;
        for field in [
            "flexopus_session=s; Path=/",
            "flexopus_session=t; Path=/; Domain=flexopus.example",
            "XSRF-TOKEN=t; Path=/.well-known",
            "_ga=1; Path=/; Domain=flexopus.example",
            "_ga=2; Path=/; Domain=tenant.flexopus.example",
            "_gid=3; Path=/",
            "_gid=4; Path=/.well-known/cookies; Domain=flexopus.example",
        ] {
            browser.set_by_script(field, "/");
        }
        for n in 0..2 {
            browser.set_by_script(&format!("t{n}=1; Path=/; Domain=flexopus.example"), "/");
        }
        assert_eq!(browser.jar().len(), 9);
        let form = browser.request(Method::POST, &action).header("sec-fetch-site", "same-origin");
        let answer = browser.send(form, "").await;
        assert_eq!(answer.status, 303);
        assert_eq!(browser.jar(), [""; 0], "{evict}");
        let evicted = gateway.counters_of(TENANT).of(Direction::Response, Action::Evict);
        assert_eq!(evicted, 4, "{evict}");
        assert_eq!(browser.get(answer.field("location").unwrap()).await.status, 200);
    }
});
