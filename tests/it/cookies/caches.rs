//! Rule S9: no shared cache ever gets a person's cookie. Rule G9: nor a page that another person must see differently.

use crumbgate_policy::verdict::Reason;
use http::{Method, StatusCode};

use super::responses::stripped;
use crate::harness::{
    ACME, Answer, App, Http, Setup, SharedCache, both_versions, in_time, ok, request,
};

/// The fields by which an answer lets a shared cache store it, each in a way of its own (RFC 9111, section 3; RFC 9213).
const WAYS: [&[&str]; 18] = [
    &[],
    &["last-modified: Mon, 23 Nov 2020 10:00:00 GMT"],
    &["cache-control: max-age=60"],
    &["cache-control: public"],
    &["Cache-Control: Max-Age=60, PUBLIC"],
    &["cache-control: s-maxage=60"],
    &["cache-control: no-cache=\"x\", s-maxage=60"],
    &["cache-control: private=\"x-own\", max-age=60"],
    &["cache-control: no-cache", "cache-control: public, max-age=60"],
    &["cache-control: must-understand, no-store, max-age=60"],
    &["cache-control: x=\"private, max-age=60"],
    &["expires: Thu, 31 Dec 2099 10:00:00 GMT"],
    &["cdn-cache-control: max-age=60", "cache-control: private"],
    &["cloudflare-cdn-cache-control: max-age=60", "cache-control: no-store"],
    &["surrogate-control: max-age=60", "cache-control: private"],
    &["edge-control: !no-store, cache-maxage=1h", "cache-control: no-store"],
    &["x-accel-expires: 60", "cache-control: private"],
    &["x-litespeed-cache-control: public, max-age=60"],
];

/// Returns true if a shared cache of any product may store an answer, or a part of it.
fn may_be_shared(answer: &Answer) -> bool {
    let is_targeted = |name: &str| {
        name.ends_with("-cache-control")
            || ["edge-control", "surrogate-control", "x-accel-expires"].contains(&name)
    };
    if answer.fields.keys().any(|name| is_targeted(name.as_str())) {
        return true;
    }
    let mut values = answer.fields.get_all("cache-control").iter().map(|v| v.to_str().unwrap());
    let is_closed = |value: &str| {
        let names: Vec<_> = value.split(',').map(|it| it.trim().to_ascii_lowercase()).collect();
        let has = |name: &str| names.iter().any(|it| it == name);
        let is_open = names.iter().any(|it| it == "public" || it.starts_with("s-maxage"));
        !is_open && (has("private") || (has("no-store") && !has("must-understand")))
    };
    answer.field("cache-control").is_none() || !values.all(is_closed)
}

both_versions!(s9_whoever_sets_a_cookie_no_shared_cache_may_store_the_answer, |http| {
    for way in WAYS {
        let sets = [way, &["set-cookie: flexopus_session=new"]].concat();
        let paths = [("/api/me", way), ("/map-builder", way), ("/", way), ("/login", &sets)];
        let app = App::answering(&paths).await;
        let gateway = Setup::before(&app).start();
        let browser = gateway.browser(http);
        for (what, path, cookie, expected) in [
            ("renewed", "/api/me", "flexopus_session=s", 1),
            ("injected", "/map-builder", "", 1),
            ("evicted", "/", "_ga=1", 3),
            ("kept", "/login", "", 1),
        ] {
            let answer = browser.get_with_cookie(path, cookie).await;
            assert_eq!(answer.set_cookies().len(), expected, "{what} {way:?}");
            assert!(!may_be_shared(&answer), "{what} {way:?}: {:?}", answer.fields);
        }
        // Without a cookie the answer passes as it is.
        let answer = browser.get_with_cookie("/api/me", "").await;
        for field in way {
            let (name, value) = field.split_once(": ").unwrap();
            let values = answer.fields.get_all(name);
            assert!(values.iter().any(|other| other == value), "{way:?}: {:?}", answer.fields);
        }
        assert!(!way.is_empty() || answer.field("cache-control").is_none());
    }
});

both_versions!(s9_browsers_may_store_an_answer_as_before, |http| {
    let fields: &[&str] = &[
        "cache-control: public, max-age=60, s-maxage=9, no-transform",
        "cache-control: must-revalidate",
        "expires: Mon, 23 Nov 2026 11:00:00 GMT",
        "vary: accept",
    ];
    let app = App::answering(&[("/api/me", fields)]).await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get_with_cookie("/api/me", "flexopus_session=s").await;
    let cache_control: Vec<_> = answer.fields.get_all("cache-control").iter().collect();
    assert_eq!(cache_control, ["private, max-age=60, no-transform", "private, must-revalidate"]);
    assert_eq!(answer.field("expires"), Some("Mon, 23 Nov 2026 11:00:00 GMT"));
    assert_eq!(answer.field("vary"), Some("accept"));
});

both_versions!(s9_in_report_mode_too_no_shared_cache_may_store_a_cookie, |http| {
    let fields: &[&str] = &["cache-control: max-age=60", "set-cookie: _ga=1"];
    let app = App::answering(&[("/", fields), ("/plain", &fields[..1])]).await;
    let gateway = Setup::before(&app).tenant(ACME, "mode = \"report\"").start();
    let browser = gateway.browser(http);
    let answer = browser.get("/").await;
    assert_eq!(answer.set_cookies(), ["_ga=1"]);
    assert_eq!(answer.field("cache-control"), Some("private, max-age=60"));
    let answer = browser.get("/plain").await;
    assert_eq!(answer.field("cache-control"), Some("max-age=60"));
});

// A cache that revalidates for several people adds the fields of a 304 to what it has stored for all of them.
both_versions!(s9_neither_a_304_nor_the_answer_to_head_sets_a_cookie, |http| {
    let app = App::replying(|request| {
        let status = match request.method() {
            "GET" => "304 Not Modified",
            "HEAD" => "200 OK",
            _ => return ok(&[], ""),
        };
        let set = "set-cookie: XSRF-TOKEN=new\r\nset-cookie: flexopus_session=; Max-Age=0\r\n";
        let set = if request.target() == "/api/set" { set } else { "" };
        format!("HTTP/1.1 {status}\r\netag: \"a\"\r\ncache-control: max-age=60\r\n{set}\r\n")
            .into_bytes()
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for method in [Method::GET, Method::HEAD] {
        for path in ["/api/me", "/api/set", "/map-builder"] {
            let asked = browser.request(method.clone(), path).header("if-none-match", "\"a\"");
            let asked = asked.header("cookie", "flexopus_session=s; XSRF-TOKEN=t; _ga=1");
            let answer = browser.send(asked, "").await;
            assert_eq!(answer.status == StatusCode::NOT_MODIFIED, method == Method::GET);
            assert_eq!(answer.set_cookies(), [""; 0], "{method} {path}");
            assert_eq!(answer.field("cache-control"), Some("max-age=60"), "{method} {path}");
        }
    }
    assert_eq!(stripped(&gateway, Reason::Misplaced), 4);
    // What never reached the browser supersedes nothing (N4).
    let asked = browser.request(Method::POST, "/api/me");
    let answer = browser.send(asked.header("cookie", "flexopus_session=s; XSRF-TOKEN=t"), "").await;
    assert_eq!(answer.set_cookies().len(), 2);
});

/// Each way that nginx knows: the target, and the fields of the application's answer.
const STORED_BY_NGINX: [(&str, &str); 7] = [
    ("/api/max-age", "cache-control: max-age=600"),
    ("/api/public", "cache-control: public, max-age=600"),
    ("/api/s-maxage", "cache-control: s-maxage=600"),
    ("/api/expires", "expires: Thu, 31 Dec 2099 10:00:00 GMT"),
    ("/api/accel", "x-accel-expires: 600"),
    ("/api/accel-private", "x-accel-expires: 600\r\ncache-control: private"),
    ("/heuristic/api", "last-modified: Mon, 23 Nov 2020 10:00:00 GMT"),
];

#[tokio::test]
async fn s9_a_second_person_gets_no_cookie_of_the_first_from_a_shared_cache() {
    let app = App::replying(|request| {
        let path = request.target().split('?').next().unwrap();
        let way = STORED_BY_NGINX.iter().find(|(target, _)| *target == path).unwrap().1;
        match request.target().ends_with("?sets") {
            true => ok(&[way, "set-cookie: flexopus_session=of-ada"], "hello"),
            false => ok(&[way], "hello"),
        }
    })
    .await;
    let renewed_everywhere =
        "[[cookies]]\nname = \"flexopus_session\"\nrenew_on = { paths = [\"/*\"] }";
    in_time(async {
        let gateway = Setup::before(&app).sections(renewed_everywhere).start();
        let cache = SharedCache::before(&gateway).await;
        for (target, way) in STORED_BY_NGINX {
            // The cache stores such answers: a second person without a cookie gets that to the first.
            let plain = format!("{target}?plain");
            cache.get(&plain, &[]).await;
            let again = cache.get(&plain, &[]).await;
            assert!(again.contains("x-cache: HIT"), "{way}: {again}");
            for (query, cookie) in [
                ("?sets", "x=y"),
                ("?renewed", "flexopus_session=of-ada"),
                ("?evicted", "of-ada=1"),
            ] {
                let target = format!("{target}{query}");
                let first = cache.get(&target, &[format!("cookie: {cookie}")]).await;
                assert!(first.contains("of-ada"), "{way}: {first}");
                let second = cache.get(&target, &[]).await;
                assert!(second.ends_with("hello"), "{way}: {second}");
                assert!(query == "?sets" || !second.contains("of-ada"), "{way}: {second}");
                assert!(second.contains("x-cache: MISS"), "{way}: {second}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn g9_a_shared_cache_gives_nobody_a_page_without_the_banner_or_the_question() {
    const PAGE: &str = "<!DOCTYPE html><body><main>Desks</main>";
    let app = App::replying(|request| match request.target() {
        "/logo" => ok(&["content-type: image/png", "cache-control: public, max-age=600"], "PNG"),
        _ => ok(&["content-type: text/html", "cache-control: public, max-age=600"], PAGE),
    })
    .await;
    in_time(async {
        for (agreement, asking) in [("notice", "crumbgate-banner"), ("required", "HTTP/1.1 403")] {
            let keys = format!("agreement = {agreement:?}\nevict = \"off\"");
            let gateway = Setup::before(&app).tenant(ACME, &keys).start();
            let cache = SharedCache::before(&gateway).await;
            let browser = gateway.browser(Http::One);
            let asked = cache.get("/?question", &[]).await;
            assert!(asked.contains(asking), "{asked}");
            let action = asked.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
            let form =
                request(Http::One, Method::POST, action).header("sec-fetch-site", "same-origin");
            let agreed = browser.send(form, "").await;
            let session = agreed.set_cookie("flexopus_session").split(';').next().unwrap();
            let by = |destination: &str| {
                [format!("cookie: {session}"), format!("sec-fetch-dest: {destination}")]
            };
            for (target, destination) in
                [("/", "document"), ("/part", "empty"), ("/frame", "iframe")]
            {
                let first = cache.get(target, &by(destination)).await;
                assert!(first.ends_with(PAGE), "{agreement} {first}");
                assert!(first.contains("private, max-age=600"), "{agreement} {first}");
                let second = cache.get(target, &[]).await;
                assert!(second.contains(asking), "{agreement} {target} {second}");
            }
            // Whatever is no page stays in the cache.
            cache.get("/logo", &by("image")).await;
            let logo = cache.get("/logo", &[]).await;
            assert!(logo.contains("x-cache: HIT"), "{agreement} {logo}");
        }
    })
    .await;
}
