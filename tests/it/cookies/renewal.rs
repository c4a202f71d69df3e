//! Rules N: the cookies that are renewed, those that are injected, and deleted sessions that stay deleted.

use std::{collections::HashSet, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;

use crate::harness::{
    App, Holding, Http, Received, Running, Setup, both_versions, ok, on_each_worker,
};

/// From the date of the answers in these tests.
const ONE_WEEK: &str = "Max-Age=604800; Expires=Mon, 30 Nov 2026 10:00:00 GMT; Path=/; Secure";
const TWO_HOURS: &str = "Max-Age=7200; Expires=Mon, 23 Nov 2026 12:00:00 GMT; Path=/; Secure";
const THREE_WEEKS: &str = "Max-Age=1814400; Expires=Mon, 14 Dec 2026 10:00:00 GMT; Path=/; Secure";

fn token(value: &str, lifetime: &str) -> String {
    format!("XSRF-TOKEN={value}; {lifetime}; SameSite=Lax")
}

fn session(value: &str, lifetime: &str) -> String {
    format!("flexopus_session={value}; {lifetime}; HttpOnly; SameSite=Lax")
}

fn mark(value: &str) -> String {
    format!("visitedMapBuilder={value}; {THREE_WEEKS}; SameSite=Lax")
}

const BOTH: &str = "flexopus_session=s; XSRF-TOKEN=t";

both_versions!(n1_a_cookie_that_the_browser_sent_is_renewed_for_a_full_lifetime, |http| {
    let app = App::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for path in ["/api", "/api/", "/api/bookings/7?from=/"] {
        let answer = browser.get_with_cookie(path, BOTH).await;
        assert_eq!(answer.set_cookies(), [token("t", ONE_WEEK), session("s", ONE_WEEK)], "{path}");
    }
    for path in ["/", "/apis", "/API/", "/x/api/", "/?x=/api/"] {
        let answer = browser.get_with_cookie(path, BOTH).await;
        assert!(answer.set_cookies().is_empty(), "{path}");
    }
    let alone = browser.get_with_cookie("/api/me", "XSRF-TOKEN=\"t\"; visitedMapBuilder=1").await;
    assert_eq!(alone.set_cookies(), [token("\"t\"", ONE_WEEK)]);
});

both_versions!(n1_every_method_of_an_api_request_renews, |http| {
    let app = App::answering(&[("/api/me", &[])]).await;
    let gateway = Setup::before(&app).tenant("acme.example", "session = \"2h\"").start();
    let browser = gateway.browser(http);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "REPORT"] {
        let request = browser.request(method.parse().unwrap(), "/api/me").header("cookie", BOTH);
        let answer = browser.send(request, "").await;
        assert_eq!(
            answer.set_cookies(),
            [token("t", TWO_HOURS), session("s", TWO_HOURS)],
            "{method}"
        );
    }
});

both_versions!(n1_a_cookie_that_the_application_sets_itself_is_not_renewed, |http| {
    let oversize = format!("set-cookie: flexopus_session={}", "v".repeat(4096));
    let app = App::answering(&[
        ("/api/login", &["set-cookie: flexopus_session=new; Max-Age=60"]),
        ("/api/logout", &["set-cookie: flexopus_session=; Max-Age=0"]),
        ("/api/odd", &[&oversize]),
    ])
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let sets = |path: &'static str| browser.get_with_cookie(path, BOTH);
    let set = sets("/api/login").await;
    assert_eq!(set.set_cookies(), [session("new", ONE_WEEK), token("t", ONE_WEEK)]);
    let deleted = "flexopus_session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure; \
                   HttpOnly; SameSite=Lax";
    let logged_out = sets("/api/logout").await;
    assert_eq!(logged_out.set_cookies(), [deleted, &token("t", ONE_WEEK)]);
    // A cookie that no browser would store was set nevertheless.
    assert_eq!(sets("/api/odd").await.set_cookies(), [token("t", ONE_WEEK)]);
});

both_versions!(n1_a_session_in_use_is_extended_and_an_unused_one_expires, |http| {
    let login: &[&str] = &["set-cookie: flexopus_session=s", "set-cookie: XSRF-TOKEN=t"];
    let app = App::answering(&[("/login", login), ("/api/me", &[]), ("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    browser.post("/login").await;
    for _ in 0..5 {
        gateway.advance(6 * 24 * 3600);
        browser.get("/api/me").await;
        assert_eq!(app.last().field("cookie"), Some(BOTH));
    }
    // A page is no API request.
    gateway.advance(6 * 24 * 3600);
    browser.get("/").await;
    assert_eq!(app.last().field("cookie"), Some(BOTH));
    gateway.advance(24 * 3600);
    browser.get("/api/me").await;
    assert_eq!(app.last().field("cookie"), None);
});

both_versions!(n2_the_map_editors_cookie_is_injected_where_it_is_missing, |http| {
    let app = App::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for path in ["/map-builder", "/map-builder/3?floor=2"] {
        assert_eq!(browser.get_with_cookie(path, "").await.set_cookies(), [mark("1")], "{path}");
    }
    assert_eq!(browser.get("/map-builder").await.set_cookies(), [mark("1")]);
    assert_eq!(browser.jar(), ["visitedMapBuilder=1"]);
    let seven = browser.get_with_cookie("/map-builder", "visitedMapBuilder=7").await;
    assert_eq!(seven.set_cookies(), [mark("7")]);
    let malformed = browser.get_with_cookie("/map-builder", "visitedMapBuilder=a b").await;
    assert_eq!(malformed.set_cookies(), [mark("1")]);
    assert!(browser.get("/map-builders").await.set_cookies().is_empty());
    assert!(browser.post("/map-builder").await.set_cookies().is_empty());
});

/// A declaration of one cookie, which every request renews.
fn declare(inject: &str) -> String {
    format!("[[cookies]]\nname = \"csrf\"\nrenew_on = {{ paths = [\"/*\"] }}\ninject = {inject}")
}

both_versions!(n2_each_way_of_injecting, |http| {
    let field = |value: &str| format!("csrf={value}; {ONE_WEEK}; HttpOnly; SameSite=Lax");
    for (inject, without, with) in [
        ("\"off\"", None, None),
        ("\"renew\"", None, Some("sent")),
        ("{ value = \"given\" }", Some("given"), Some("sent")),
    ] {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).sections(&declare(inject)).start();
        let browser = gateway.browser(http);
        let fresh = browser.get_with_cookie("/", "").await;
        assert_eq!(fresh.set_cookies(), Vec::from_iter(without.map(field)), "{inject}");
        let sent = browser.get_with_cookie("/", "csrf=sent").await;
        assert_eq!(sent.set_cookies(), Vec::from_iter(with.map(field)), "{inject}");
    }
});

both_versions!(n2_an_injected_random_value_can_not_be_guessed, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).sections(&declare("\"random\"")).start();
    let browser = gateway.browser(http);
    let mut values = HashSet::new();
    for _ in 0..20 {
        let answer = browser.get_with_cookie("/", "").await;
        let value = value_of(answer.set_cookie("csrf")).to_owned();
        assert_eq!(URL_SAFE_NO_PAD.decode(&value).unwrap().len(), 32);
        let field = format!("csrf={value}; {ONE_WEEK}; HttpOnly; SameSite=Lax");
        assert_eq!(answer.set_cookies(), [field]);
        assert!(values.insert(value), "the same bits came twice");
    }
    browser.get("/").await;
    let kept = browser.jar();
    assert_eq!(browser.get("/").await.set_cookies().len(), 1);
    assert_eq!(browser.jar(), kept, "what the browser has is renewed");
});

/// The value that a `Set-Cookie` field sets.
fn value_of(field: &str) -> &str {
    field.split(';').next().and_then(|pair| pair.split_once('=')).map_or("", |(_, value)| value)
}

both_versions!(n3_only_a_request_that_the_application_has_accepted_renews, |http| {
    let app = App::replying(|request| {
        let status = request.target().rsplit('/').next().unwrap();
        format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").into_bytes()
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for (status, renews) in [
        (200, true),
        (201, true),
        (204, true),
        (299, true),
        (302, true),
        (303, true),
        (304, false),
        (399, true),
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (419, false),
        (422, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let answer = browser.get_with_cookie(&format!("/api/{status}"), BOTH).await;
        assert_eq!(answer.status, status);
        let expected = if renews { 2 } else { 0 };
        assert_eq!(answer.set_cookies().len(), expected, "{status}: {:?}", answer.set_cookies());
    }
});

both_versions!(n3_an_interim_answer_is_no_reason_to_renew, |http| {
    let app = App::replying(|_| {
        let answer = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n";
        answer.as_bytes().to_vec()
    })
    .await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get_with_cookie("/api/me", BOTH).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (401, vec![]));
});

both_versions!(n3_a_preflight_renews_nothing, |http| {
    let app = App::answering(&[("/api/me", &[])]).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let preflight = browser.request(Method::OPTIONS, "/api/me").header("cookie", BOTH);
    assert!(browser.send(preflight, "").await.set_cookies().is_empty());
});

both_versions!(n3_an_answer_of_the_gateway_itself_renews_nothing, |http| {
    let app = App::serving(|stream, _, _| async move { drop(stream) }).await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get_with_cookie("/api/me", BOTH).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (502, vec![]));
});

both_versions!(n5_all_cookies_that_one_response_renews_expire_at_one_instant, |http| {
    // Three minutes after the gateway's clock, and an hour before it.
    for (date, expires) in [
        ("Mon, 23 Nov 2026 10:03:00 GMT", "Mon, 30 Nov 2026 10:03:00 GMT"),
        ("Mon, 23 Nov 2026 09:00:00 GMT", "Mon, 30 Nov 2026 09:00:00 GMT"),
    ] {
        let date_field = format!("date: {date}");
        let app = App::answering(&[
            ("/api/me", &[&date_field]),
            ("/api/token", &[&date_field, "set-cookie: XSRF-TOKEN=new; Max-Age=1"]),
        ])
        .await;
        let gateway = Setup::before(&app).start();
        let browser = gateway.browser(http);
        let lifetime = format!("Max-Age=604800; Expires={expires}; Path=/; Secure");
        let renewed = browser.get_with_cookie("/api/me", BOTH).await;
        assert_eq!(renewed.set_cookies(), [token("t", &lifetime), session("s", &lifetime)]);
        assert_eq!(renewed.field("date"), Some(date));
        let mixed = browser.get_with_cookie("/api/token", BOTH).await;
        assert_eq!(mixed.set_cookies(), [token("new", &lifetime), session("s", &lifetime)]);
    }
});

both_versions!(n5_a_slow_answer_renews_from_its_own_end, |http| {
    let holding = Holding::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&holding.app).start();
    let browser = Arc::new(gateway.browser(http));
    browser.set_by_script("flexopus_session=s; Path=/", "/");
    browser.set_by_script("XSRF-TOKEN=t; Path=/", "/");
    let slow = holding.begin(&browser, "/api/export", "slow").await;
    gateway.advance(3600);
    holding.let_go("slow");
    let answer = slow.await.unwrap();
    let lifetime = "Max-Age=604800; Expires=Mon, 30 Nov 2026 11:00:00 GMT; Path=/; Secure";
    assert_eq!(answer.set_cookies(), [token("t", lifetime), session("s", lifetime)]);
    assert_eq!(answer.field("date"), Some("Mon, 23 Nov 2026 11:00:00 GMT"));
});

both_versions!(n6_a_name_that_was_sent_twice_is_not_renewed, |http| {
    let app = App::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for field in [
        "flexopus_session=s; flexopus_session=r; XSRF-TOKEN=t",
        "flexopus_session=s; XSRF-TOKEN=t; flexopus_session=s",
        "flexopus_session=a b; XSRF-TOKEN=t; flexopus_session=s",
    ] {
        let answer = browser.get_with_cookie("/api/me", field).await;
        assert_eq!(answer.set_cookies(), [token("t", ONE_WEEK)], "{field}");
    }
    // Two fields are one list (R1).
    let request = browser.request(Method::GET, "/api/me");
    let request = request.header("cookie", BOTH).header("cookie", "flexopus_session=r");
    assert_eq!(browser.send(request, "").await.set_cookies(), [token("t", ONE_WEEK)]);
    // It is not injected either.
    let twice = "visitedMapBuilder=a b; visitedMapBuilder=1";
    assert!(browser.get_with_cookie("/map-builder", twice).await.set_cookies().is_empty());
    // The next response renews again.
    let healed = browser.get_with_cookie("/api/me", BOTH).await;
    assert_eq!(healed.set_cookies(), [token("t", ONE_WEEK), session("s", ONE_WEEK)]);
});

/// The cookies that the application sets: `/login/VALUE` sets the session, `/logout` deletes it, and every other path
/// sets none.
fn signing(request: &Received) -> Vec<u8> {
    let path = request.target().split('?').next().unwrap_or_default();
    if let Some(value) = path.strip_prefix("/login/") {
        ok(&[&format!("set-cookie: flexopus_session={value}; Path=/")], "")
    } else if path == "/logout" {
        ok(&["set-cookie: flexopus_session=deleted; Path=/; Max-Age=0"], "")
    } else {
        ok(&[], "")
    }
}

/// A gateway of two workers before such an application.
async fn two_workers() -> (Holding, Running) {
    let holding = Holding::replying(signing).await;
    let gateway = Setup::before(&holding.app).server("workers = 2").start();
    (holding, gateway)
}

/// The order in which two answers leave the application.
const ORDERS: [[&str; 2]; 2] = [["slow", "sign"], ["sign", "slow"]];

/// Combines a slow call and a login or logout in every order: each begins first, each is answered first, on one worker
/// and on two, on one connection (HTTP/2) and on two. In every order, the jar ends with the result of the login or
/// logout.
async fn meet(http: Http, path: &str, expected: &[&str]) {
    let (holding, gateway) = two_workers().await;
    let [one, other] = on_each_worker(&holding.app, &gateway.browser(http)).await;
    let third = Arc::new(one.on_another_connection());
    let mut pairs = vec![(&one, &other), (&other, &one), (&one, &third), (&third, &other)];
    if http == Http::Two {
        pairs.push((&one, &one));
    }
    let mut round = 0;
    for (slow_on, sign_on) in pairs {
        for begins in ORDERS {
            for answers in ORDERS {
                round += 1;
                // The values of the previous round do not matter any more.
                one.set_by_script(&format!("flexopus_session=old-{round}; Path=/"), "/");
                let names = begins.map(|call| format!("{call}-{round}"));
                let mut open = Vec::new();
                for (call, name) in begins.iter().zip(&names) {
                    let (on, path) =
                        if *call == "slow" { (slow_on, "/api/export") } else { (sign_on, path) };
                    open.push((*call, holding.begin(on, path, name).await));
                }
                for call in answers {
                    holding.let_go(&format!("{call}-{round}"));
                    let at = open.iter().position(|(begun, _)| *begun == call).unwrap();
                    let answer = open.remove(at).1.await.unwrap();
                    assert_eq!(answer.status, 200);
                    let is_late = call == "slow" && answers[0] == "sign";
                    assert!(!is_late || answer.set_cookies().is_empty(), "{begins:?} {answers:?}");
                }
                assert_eq!(one.jar(), expected, "{begins:?} {answers:?}");
            }
        }
    }
}

both_versions!(n4_a_slow_call_overwrites_no_new_session, |http| {
    meet(http, "/login/new", &["flexopus_session=new"]).await;
});

both_versions!(n4_a_slow_call_undoes_no_logout, |http| {
    meet(http, "/logout", &[]).await;
});

both_versions!(n4_many_slow_calls_change_no_login_or_logout, |http| {
    let (holding, gateway) = two_workers().await;
    let browser = gateway.browser(http);
    let workers = on_each_worker(&holding.app, &browser).await;
    let mut slow = Vec::new();
    // Under way on both workers during a login, a logout and another login; answered at different times.
    let begin = async |when: &'static str| {
        let mut begun = Vec::new();
        for n in 0..6 {
            let connection = Arc::new(workers[n % 2].on_another_connection());
            let name = format!("{when}-{n}");
            begun.push((holding.begin(&connection, "/api/export", &name).await, name));
        }
        begun
    };
    browser.set_by_script("flexopus_session=first; Path=/", "/");
    slow.extend(begin("first").await);
    workers[0].post("/login/second").await;
    slow.extend(begin("second").await);
    workers[1].post("/logout").await;
    assert!(browser.jar().is_empty());
    for (answer, name) in slow.drain(..6) {
        holding.let_go(&name);
        assert!(answer.await.unwrap().set_cookies().is_empty(), "{name}");
    }
    workers[0].post("/login/third").await;
    for (answer, name) in slow {
        holding.let_go(&name);
        assert!(answer.await.unwrap().set_cookies().is_empty(), "{name}");
    }
    assert_eq!(browser.jar(), ["flexopus_session=third"]);
    for worker in &workers {
        assert_eq!(worker.get("/api/me").await.set_cookies(), [session("third", ONE_WEEK)]);
    }
});

both_versions!(n4_holds_on_every_connection, |http| {
    let (holding, gateway) = two_workers().await;
    let browser = gateway.browser(http);
    let workers = on_each_worker(&holding.app, &browser).await;
    for (round, worker) in workers.iter().enumerate() {
        let dead = format!("flexopus_session=dead-{round}");
        worker.get_with_cookie("/logout", &dead).await;
        for connection in &workers {
            assert!(connection.get_with_cookie("/api/me", &dead).await.set_cookies().is_empty());
        }
        for _ in 0..8 {
            let fresh = browser.on_another_connection();
            assert!(fresh.get_with_cookie("/api/me", &dead).await.set_cookies().is_empty());
        }
    }
});

both_versions!(n4_a_refused_answer_supersedes_too, |http| {
    let app = App::replying(|request| match request.target() {
        "/api/expired" => b"HTTP/1.1 401 No\r\nset-cookie: flexopus_session=; Max-Age=0\r\n\
                            content-length: 0\r\n\r\n"
            .to_vec(),
        _ => ok(&[], ""),
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    browser.get_with_cookie("/api/expired", BOTH).await;
    let later = browser.get_with_cookie("/api/me", BOTH).await;
    assert_eq!(later.set_cookies(), [token("t", ONE_WEEK)]);
});

both_versions!(n4_a_value_that_the_application_sets_again_is_valid_again, |http| {
    let (holding, gateway) = two_workers().await;
    let browser = gateway.browser(http);
    let [one, other] = on_each_worker(&holding.app, &browser).await;
    one.get_with_cookie("/logout", "flexopus_session=s").await;
    assert!(other.get_with_cookie("/api/me", "flexopus_session=s").await.set_cookies().is_empty());
    other.post("/login/s").await;
    for connection in [one, other] {
        let renewed = connection.get_with_cookie("/api/me", "flexopus_session=s").await;
        assert_eq!(renewed.set_cookies(), [session("s", ONE_WEEK)]);
    }
});

both_versions!(n4_a_cookie_that_is_set_to_the_same_value_stays_valid, |http| {
    let (holding, gateway) = two_workers().await;
    let browser = gateway.browser(http);
    let [one, other] = on_each_worker(&holding.app, &browser).await;
    one.get_with_cookie("/login/s", "flexopus_session=s").await;
    let renewed = other.get_with_cookie("/api/me", "flexopus_session=s").await;
    assert_eq!(renewed.set_cookies(), [session("s", ONE_WEEK)]);
});

both_versions!(n4_is_forgotten_after_five_minutes, |http| {
    let (holding, gateway) = two_workers().await;
    let browser = gateway.browser(http);
    let workers = on_each_worker(&holding.app, &browser).await;
    let renewed = async |dead: &str| {
        let mut fields = 0;
        for worker in &workers {
            fields += worker.get_with_cookie("/api/me", dead).await.set_cookies().len();
        }
        fields
    };
    workers[0].get_with_cookie("/logout", "flexopus_session=a").await;
    gateway.advance(1);
    workers[1].get_with_cookie("/logout", "flexopus_session=b").await;
    gateway.advance(298);
    assert_eq!(renewed("flexopus_session=a").await, 0);
    gateway.advance(1);
    assert_eq!(renewed("flexopus_session=a").await, 2);
    assert_eq!(renewed("flexopus_session=b").await, 0);
    gateway.advance(1);
    assert_eq!(renewed("flexopus_session=b").await, 2);
});

both_versions!(n4_holds_within_one_tenant_and_one_cookie, |http| {
    let app = App::replying(signing).await;
    let gateway = Setup::before(&app)
        .server("workers = 2")
        .tenant("acme.example", "")
        .tenant("globex.example", "")
        .tenant("*.flexopus.example", "")
        .start();
    let acme = gateway.browser(http);
    acme.get_with_cookie("/logout", "flexopus_session=s; XSRF-TOKEN=s").await;
    let own = acme.get_with_cookie("/api/me", "flexopus_session=s; XSRF-TOKEN=s").await;
    assert_eq!(own.set_cookies(), [token("s", ONE_WEEK)]);
    for host in ["globex.example", "acme.flexopus.example"] {
        let neighbour = gateway.browser_at(host, http);
        let renewed = neighbour.get_with_cookie("/api/me", "flexopus_session=s").await;
        assert_eq!(renewed.set_cookies(), [session("s", ONE_WEEK)], "{host}");
    }
});

both_versions!(n4_slow_calls_of_several_tenants_stay_apart, |http| {
    let holding = Holding::replying(signing).await;
    let hosts = ["acme.example", "globex.example", "initech.flexopus.example"];
    let setup = Setup::before(&holding.app).server("workers = 2");
    let tenants = ["acme.example", "globex.example", "*.flexopus.example"];
    let gateway = tenants.iter().fold(setup, |setup, tenant| setup.tenant(tenant, "")).start();
    // All have the same value. One logs in, one logs out, one does neither.
    let browsers = hosts.map(|host| Arc::new(gateway.browser_at(host, http)));
    let mut slow = Vec::new();
    for (browser, host) in browsers.iter().zip(hosts) {
        browser.set_by_script("flexopus_session=s; Path=/", "/");
        slow.push(holding.begin(browser, "/api/export", host).await);
    }
    browsers[0].on_another_connection().post("/login/new").await;
    browsers[1].on_another_connection().post("/logout").await;
    for (answer, host) in slow.into_iter().zip(hosts) {
        holding.let_go(host);
        answer.await.unwrap();
    }
    let jars = browsers.map(|browser| browser.jar());
    assert_eq!(jars, [vec!["flexopus_session=new"], vec![], vec!["flexopus_session=s"]]);
});
