//! Rule E, and the 431 of rule R8: undeclared cookies are deleted from the browser.

use crumbgate_policy::verdict::{Action, Direction};
use http::Method;

use crate::harness::{ACME, App, Browser, Running, Setup, both_versions, ok, request};

/// The tenant of most of these tests: one label below a domain that can be registered.
const TENANT: &str = "tenant.flexopus.example";

/// A deletion of this name, with the rest of its attributes.
fn deleted(name: &str, rest: &str) -> String {
    format!("{name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path={rest}")
}

/// An application that answers every request.
async fn application() -> App {
    App::replying(|_| ok(&[], "hello")).await
}

/// A gateway with [`TENANT`], and these keys for it.
fn gateway(app: &App, keys: &str) -> Running {
    Setup::before(app).tenant(TENANT, keys).start()
}

/// The number of names that were evicted.
fn evicted(gateway: &Running, tenant: &str) -> u64 {
    gateway.counters_of(tenant).of(Direction::Response, Action::Evict)
}

/// The names in these deletions, each once.
fn names<'a>(set_cookies: &[&'a str]) -> Vec<&'a str> {
    let mut names: Vec<_> =
        set_cookies.iter().filter_map(|field| field.split('=').next()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

both_versions!(
    e1_a_navigation_deletes_undeclared_names_at_every_possible_domain_and_path,
    |http| {
        let app = application().await;
        let gateway = gateway(&app, "");
        let browser = gateway.browser_at(TENANT, http);
        let sent = "_ga=1; flexopus_session=s";
        let answer = browser.get_with_cookie("/rooms/7/edit", sent).await;
        assert_eq!(
            answer.set_cookies(),
            [
                deleted("_ga", "/; Secure"),
                deleted("_ga", "/; Domain=tenant.flexopus.example; Secure"),
                deleted("_ga", "/; Secure; SameSite=None; Partitioned"),
                deleted("_ga", "/rooms/7/edit; Secure"),
                deleted("_ga", "/rooms/7/edit; Domain=tenant.flexopus.example; Secure"),
                deleted("_ga", "/rooms/7; Secure"),
                deleted("_ga", "/rooms/7; Domain=tenant.flexopus.example; Secure"),
                deleted("_ga", "/rooms; Secure"),
                deleted("_ga", "/rooms; Domain=tenant.flexopus.example; Secure"),
            ]
        );
        assert_eq!(answer.text(), "hello");
        assert_eq!(app.last().field("cookie"), Some("flexopus_session=s"));
    }
);

both_versions!(e1_evict_domain_reaches_the_registrable_domain_and_no_further, |http| {
    let app = application().await;
    let gateway = gateway(&app, "evict = \"domain\"");
    let answer = gateway.browser_at(TENANT, http).get_with_cookie("/", "_ga=1").await;
    assert_eq!(
        answer.set_cookies(),
        [
            deleted("_ga", "/; Secure"),
            deleted("_ga", "/; Domain=tenant.flexopus.example; Secure"),
            deleted("_ga", "/; Domain=flexopus.example; Secure"),
            deleted("_ga", "/; Secure; SameSite=None; Partitioned"),
        ]
    );
});

both_versions!(e1_evict_off_strips_and_deletes_nothing, |http| {
    let app = application().await;
    let gateway = gateway(&app, "evict = \"off\"");
    let answer = gateway.browser_at(TENANT, http).get_with_cookie("/", "_ga=1").await;
    assert_eq!(answer.set_cookies(), [""; 0]);
    assert_eq!(app.last().field("cookie"), None);
    assert_eq!(evicted(&gateway, TENANT), 0);
});

both_versions!(e1_only_a_navigation_deletes, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let by_script = |accept| request(http, Method::GET, "/").header("accept", accept);
    for other in [
        browser.request(Method::POST, "/"),
        browser.request(Method::HEAD, "/"),
        by_script("*/*"),
        by_script("application/json, text/plain, */*"),
        by_script("text/html;q=0, */*"),
        request(http, Method::GET, "/"),
    ] {
        let other = other.header("cookie", "_ga=1");
        let what = format!("{:?}", (other.method_ref(), other.uri_ref(), other.headers_ref()));
        assert_eq!(browser.send(other, "").await.set_cookies(), [""; 0], "{what}");
    }
    assert_eq!(evicted(&gateway, ACME), 0);
    assert_eq!(names(&browser.get_with_cookie("/", "_ga=1").await.set_cookies()), ["_ga"]);
});

both_versions!(e1_an_error_page_of_the_application_deletes_too, |http| {
    let app = App::answering(&[]).await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get_with_cookie("/nowhere", "_ga=1").await;
    assert_eq!(answer.status, 404);
    assert_eq!(names(&answer.set_cookies()), ["_ga"]);
});

both_versions!(e1_one_response_deletes_at_most_20_names_in_8_kib, |http| {
    let app = application().await;
    let gateway = gateway(&app, "evict = \"domain\"");
    let browser = gateway.browser_at(TENANT, http);
    let cookies: Vec<_> = (0..60).map(|n| format!("tracker_{n}=1")).collect();
    let answer = browser.get_with_cookie("/rooms/7/edit", cookies.join("; ")).await;
    let set_cookies = answer.set_cookies();
    assert_eq!(names(&set_cookies).len(), 20);
    assert_eq!(evicted(&gateway, TENANT), 20);
    let bytes: usize = set_cookies.iter().map(|field| field.len()).sum();
    assert!((8000..=8192).contains(&bytes), "{bytes} bytes");
    // A few long names take the room of many.
    let long: Vec<_> = (0..20).map(|n| format!("{n}{}=1", "n".repeat(1000))).collect();
    let answer = browser.get_with_cookie("/", long.join("; ")).await;
    assert_eq!(names(&answer.set_cookies()).len(), 7);
    assert_eq!(evicted(&gateway, TENANT), 27);
});

both_versions!(e1_the_site_data_is_never_cleared, |http| {
    let app = application().await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get_with_cookie("/", "_ga=1; _gid=2").await;
    assert_eq!(names(&answer.set_cookies()), ["_ga", "_gid"]);
    assert_eq!(answer.field("clear-site-data"), None);
});

both_versions!(e1_deletions_follow_what_the_application_sets, |http| {
    let app = App::replying(|_| ok(&["set-cookie: XSRF-TOKEN=t"], "hello")).await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get_with_cookie("/", "_ga=1").await;
    assert!(answer.set_cookies()[0].starts_with("XSRF-TOKEN=t; Max-Age=604800; "));
    assert!(answer.set_cookies()[1..].iter().all(|field| field.starts_with("_ga=; Max-Age=0; ")));
});

both_versions!(e2_a_name_that_is_no_token_is_never_echoed, |http| {
    let app = application().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let sent: &[u8] = b"a b=1; <script>=2; n\xc3\xa4me=3; a,b=4; \"q\"=5; nameless; =x; [0]=6";
    let answer = browser.get_with_cookie("/", sent).await;
    assert_eq!(answer.set_cookies(), [""; 0]);
    assert_eq!(evicted(&gateway, ACME), 0);
});

both_versions!(e2_a_declared_name_is_never_deleted, |http| {
    let app = application().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    // All of them are stripped: as duplicates, as malformed, as nameless.
    let sent = "flexopus_session=1; flexopus_session=2; XSRF-TOKEN=a b; visitedMapBuilder";
    assert_eq!(browser.get_with_cookie("/", sent).await.set_cookies(), [""; 0]);
    // A name that only resembles a declared one is undeclared.
    let answer = browser.get_with_cookie("/", "Flexopus_Session=1").await;
    assert_eq!(names(&answer.set_cookies()), ["Flexopus_Session"]);
});

both_versions!(e3_an_eviction_is_an_action_of_its_own, |http| {
    let app = application().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for _ in 0..3 {
        browser.get_with_cookie("/", "_ga=1; _gid=2; _ga=3").await;
    }
    let counters = gateway.counters_of(ACME);
    // A name is counted each time it is sent; the browser's cookies were seen in the requests alone.
    assert_eq!(counters.of(Direction::Response, Action::Evict), 6);
    assert_eq!(counters.stripped(Direction::Request), 9);
    assert_eq!(counters.seen(Direction::Response), 0);
});

/// Navigates to this path until a request contains no undeclared name. Returns the number of navigations before that.
async fn heal(browser: &Browser, gateway: &Running, path: &str) -> usize {
    for navigations in 0..10 {
        let before = gateway.counters_of(TENANT).stripped(Direction::Request);
        browser.get(path).await;
        if gateway.counters_of(TENANT).stripped(Direction::Request) == before {
            return navigations;
        }
        gateway.advance(1);
    }
    panic!("still in the jar: {:?}", browser.jar());
}

both_versions!(e1_one_navigation_empties_the_jar_of_all_places_of_the_host, |http| {
    let app = application().await;
    let gateway = gateway(&app, "");
    let browser = gateway.browser_at(TENANT, http);
    browser.set_by_script("_ga=1; Path=/", "/");
    browser.set_by_script("_ga=2; Path=/; Domain=tenant.flexopus.example", "/");
    browser.set_by_script("_ga=3", "/rooms/7/edit");
    browser.set_by_script("_ga=4; Path=/rooms; Domain=tenant.flexopus.example", "/rooms/7");
    browser.set_by_script("_ga=5; Path=/rooms/7/edit", "/");
    browser.set_by_script("flexopus_session=s; Path=/", "/");
    assert_eq!(browser.jar().len(), 6);
    assert_eq!(heal(&browser, &gateway, "/rooms/7/edit").await, 1);
    assert_eq!(browser.jar(), ["flexopus_session=s"]);
    assert!(app.received().iter().all(|got| got.field("cookie") == Some("flexopus_session=s")));
});

both_versions!(e1_evict_host_leaves_the_neighbours_their_parent_domain, |http| {
    let app = application().await;
    let gateway = gateway(&app, "");
    let browser = gateway.browser_at(TENANT, http);
    browser.set_by_script("sso=1; Path=/; Domain=flexopus.example", "/");
    browser.get("/").await;
    browser.get("/").await;
    assert_eq!(browser.jar(), ["sso=1"]);
    assert!(app.received().iter().all(|got| got.field("cookie").is_none()));
    assert_eq!(evicted(&gateway, TENANT), 2);
});

both_versions!(e1_evict_domain_empties_the_jar_of_parent_domains, |http| {
    let app = application().await;
    let gateway = gateway(&app, "evict = \"domain\"");
    let browser = gateway.browser_at(TENANT, http);
    browser.set_by_script("_ga=1; Path=/; Domain=flexopus.example", "/");
    browser.set_by_script("_ga=2; Path=/; Domain=tenant.flexopus.example", "/");
    browser.set_by_script("_gid=3; Path=/", "/");
    assert_eq!(heal(&browser, &gateway, "/").await, 1);
    assert!(browser.jar().is_empty(), "{:?}", browser.jar());
});

both_versions!(e1_later_responses_delete_the_remaining_names_until_the_jar_is_empty, |http| {
    let app = application().await;
    let gateway = gateway(&app, "");
    let browser = gateway.browser_at(TENANT, http);
    for n in 0..60 {
        browser.set_by_script(&format!("tracker_{n}=1; Path=/"), "/");
    }
    browser.set_by_script("XSRF-TOKEN=t; Path=/", "/");
    assert_eq!(heal(&browser, &gateway, "/").await, 3);
    assert_eq!(browser.jar(), ["XSRF-TOKEN=t"]);
});

both_versions!(r8_junk_of_any_size_that_browsers_store_locks_nobody_out, |http| {
    let app = application().await;
    for (evict, domain) in [("", ""), ("evict = \"domain\"", "; Domain=flexopus.example")] {
        let gateway = gateway(&app, evict);
        let browser = gateway.browser_at(TENANT, http);
        browser.set_by_script("flexopus_session=s; Path=/", "/");
        // As much as a browser stores for one site.
        for n in 100..280 {
            let junk = format!("junk_{n}={}; Path=/{domain}", "x".repeat(4096 - "junk_100".len()));
            browser.set_by_script(&junk, "/");
        }
        assert_eq!(browser.get("/").await.status, 200);
        assert_eq!(app.last().field("cookie"), Some("flexopus_session=s"));
        // 20 names a page (E1).
        for _ in 1..9 {
            gateway.advance(1);
            assert_eq!(browser.get("/").await.status, 200);
        }
        assert_eq!(browser.jar(), ["flexopus_session=s"]);
        assert_eq!(app.last().field("cookie"), Some("flexopus_session=s"));
    }
});

both_versions!(r8_an_answer_that_refuses_a_head_evicts, |http| {
    let app = application().await;
    let gateway = gateway(&app, "");
    let browser = gateway.browser_at(TENANT, http);
    browser.set_by_script("_ga=1; Path=/", "/");
    let request = browser.request(Method::GET, "/").header("x-large", "x".repeat(70_000));
    let refused = browser.send(request.header("cookie", "_ga=1"), "").await;
    assert_eq!(refused.status, 431);
    assert_eq!(names(&refused.set_cookies()), ["_ga"]);
    assert!(app.received().is_empty());
});
