//! A real Laravel application behind the gateway, and curl with a cookie jar before it; in `chromium.rs` a real browser.
//!
//! The application (in the folder `application`, on Debian's `php-laravel-framework`) sets its session and its CSRF
//! token for two hours, plants trackers, and one cookie called `flexopus.session`, which PHP reads as
//! `flexopus_session`: without a gateway that lets no such name through, nobody could log in.

mod agreement;
mod application;
mod browser;
mod chromium;
mod gateway;
mod migration;
#[path = "../process/mod.rs"]
mod process;
mod sealing;

use std::time::{Duration, UNIX_EPOCH};

use crumbgate_base::clock::Clock;

use crate::{
    application::Application,
    browser::{Answer, Browser, Http},
    gateway::Gateway,
};

const DECLARED: [&str; 3] = ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"];
const SESSION: [&str; 2] = ["XSRF-TOKEN", "flexopus_session"];
const TWO_HOURS: u64 = 2 * 60 * 60;
const THREE_DAYS: u64 = 3 * 24 * 60 * 60;
const WEEK: u64 = 7 * 24 * 60 * 60;

/// One body, over HTTP/1.1 and over HTTP/2.
macro_rules! both_versions {
    ($name:ident, $body:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn http_1() {
                run(Http::One);
            }

            #[test]
            fn http_2() {
                run(Http::Two);
            }

            fn run(http: Http) {
                let application = Application::start();
                let gateway = Gateway::before(&application);
                let body: fn(Application, &dyn Fn(&str) -> Browser) = $body;
                body(application, &|host| Browser::new(http, &gateway, host));
            }
        }
    };
}

use both_versions;

both_versions!(d1_a_session_has_the_duration_of_its_tenant, |_, at| {
    let durations = [
        ("acme.flexopus.example", TWO_HOURS),
        ("beta.flexopus.example", THREE_DAYS),
        ("gamma.flexopus.example", WEEK),
    ];
    for (host, duration) in durations {
        let browser = at(host);
        let before = Clock::system().now().unix_s;
        let answer = browser.navigate("/login");
        let after = Clock::system().now().unix_s;

        assert_eq!(browser.names(), SESSION);
        for name in SESSION {
            assert_issues(&answer, name, &browser.value(name), duration);
            let kept_until = browser.expiry(name);
            assert!((before + duration..=after + duration).contains(&kept_until), "{kept_until}");
        }
    }
});

both_versions!(n1_a_call_renews_cookies_that_laravel_does_not_set, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();
    let before = SESSION.map(|name| browser.value(name));

    let answer = browser.call("/api/ping");

    assert_eq!(answer.json()["pong"], true);
    for (name, value) in SESSION.into_iter().zip(&before) {
        assert_issues(&answer, name, value, TWO_HOURS);
    }
});

both_versions!(n1_a_cookie_that_laravel_sets_is_not_renewed_as_well, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();
    let before = SESSION.map(|name| browser.value(name));

    let answer = browser.call("/api/desks");

    assert_eq!(answer.json()["desks"][0], "A1");
    for (name, value) in SESSION.into_iter().zip(&before) {
        // Laravel encrypts anew each time.
        assert_ne!(&browser.value(name), value);
        assert_issues(&answer, name, &browser.value(name), TWO_HOURS);
    }
});

both_versions!(n2_opening_the_map_editor_is_remembered_for_three_weeks, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();

    let answer = browser.navigate("/map-builder");

    assert_eq!(answer.status, 200);
    assert_issues(&answer, "visitedMapBuilder", "1", 3 * WEEK);
    assert_eq!(browser.names(), DECLARED);
});

both_versions!(n3_a_wrong_token_is_refused_and_renews_nothing, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();

    let booked = browser.post("/api/desks/B1/bookings", "");
    assert_eq!((booked.status, booked.json()["booked"].as_str()), (201, Some("B1")));

    let refused = browser.post_with_token("/api/desks/B1/bookings", "", "a-guess");
    assert_eq!(refused.status, 419);
    assert_eq!(refused.set_cookies("XSRF-TOKEN").count(), 0);
});

both_versions!(s1_no_undeclared_cookie_reaches_the_jar, |application, at| {
    let planted = application.cookies_it_sets("/login");
    for tracker in ["_ga_server", "_fbp", "flexopus.session"] {
        assert!(planted.iter().any(|name| name == tracker), "{planted:?}");
    }

    let browser = at("acme.flexopus.example");
    browser.log_in();
    browser.navigate("/map-builder");
    browser.call("/api/desks");
    browser.post("/logout", "");

    assert_eq!(browser.names(), DECLARED);
});

both_versions!(r2_no_undeclared_cookie_reaches_laravel, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();
    for name in ["_ga", "flexopus.session", "flexopus_session[]", "Flexopus_Session", "xsrf-token"]
    {
        browser.set_by_script(&format!("{name}=planted"));
    }
    assert_eq!(browser.names().len(), 7);

    let seen = browser.call("/whoami").json();

    let mut names: Vec<_> = seen["cookies"].as_array().expect("a list").iter().collect();
    names.sort_by_key(|name| name.as_str());
    assert_eq!(names, ["XSRF-TOKEN", "flexopus_session"]);
    for pair in seen["cookie_field"].as_str().expect("a field").split("; ") {
        let (name, value) = pair.split_once('=').expect("a pair");
        assert_eq!(value, browser.value(name));
    }
    assert_eq!(seen["user"], "ada@acme.example");
});

both_versions!(e1_a_navigation_deletes_cookies_that_scripts_have_set, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();
    for tracker in ["_ga", "_hjSessionUser_1", "flexopus.session"] {
        browser.set_by_script(&format!("{tracker}=planted; Max-Age=63072000; Path=/"));
    }

    browser.call("/api/ping");
    assert_eq!(browser.names().len(), 5);

    browser.navigate("/map-builder");
    assert_eq!(browser.names(), DECLARED);
});

both_versions!(s4_logging_out_works, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();
    assert_eq!(browser.post("/logout", "").status, 302);
    assert_eq!(browser.user(), None);
    assert_eq!(browser.call("/api/ping").status, 401);
});

both_versions!(s4_cookies_that_laravel_deletes_leave_the_jar, |_, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();
    assert_eq!(browser.post("/logout/forget", "").status, 302);
    assert!(browser.names().is_empty(), "{:?}", browser.names());
    assert_eq!(browser.call("/api/ping").status, 401);
});

both_versions!(n4_a_slow_call_does_not_undo_a_logout, |mut application, at| {
    let (plain, sealed) = (at("acme.flexopus.example"), at("sealed.flexopus.example"));
    for (browser, logout) in [
        (&plain, "/logout"),
        (&plain, "/logout/forget"),
        (&sealed, "/logout"),
        (&sealed, "/logout/forget"),
    ] {
        browser.log_in();

        // Without a logout meanwhile, such a call renews both.
        let calm = browser.begin("/api/slow/calm");
        application.wait_until_under_way("calm");
        application.finish("calm");
        let answer = calm.answer();
        assert_eq!(answer.json()["finished"], "calm");
        assert_eq!(answer.set_cookies("flexopus_session").count(), 1);
        assert_eq!(answer.set_cookies("XSRF-TOKEN").count(), 1);

        let late = browser.begin("/api/slow/late");
        application.wait_until_under_way("late");
        assert_eq!(browser.post(logout, "").status, 302);
        application.finish("late");
        let answer = late.answer();
        assert_eq!(answer.json()["finished"], "late");
        assert_eq!(answer.set_cookies("flexopus_session").count(), 0);
        assert_eq!(answer.set_cookies("XSRF-TOKEN").count(), 0);

        assert_eq!(browser.user(), None);
        application.forget_calls();
    }
});

both_versions!(n4_a_slow_call_does_not_undo_a_login, |mut application, at| {
    let browser = at("acme.flexopus.example");
    browser.log_in();

    let late = browser.begin("/api/slow/late");
    application.wait_until_under_way("late");
    // Laravel gives a user who logs in a new session.
    browser.log_in();
    application.finish("late");

    let answer = late.answer();
    assert_eq!(answer.json()["finished"], "late");
    assert_eq!(answer.set_cookies("flexopus_session").count(), 0);
    assert_eq!(answer.set_cookies("XSRF-TOKEN").count(), 0);
});

both_versions!(laravel_receives_the_address_that_the_browser_requests, |_, at| {
    let browser = at("acme.flexopus.example");
    let spoofed =
        ["--header", "x-forwarded-host: evil.example", "--header", "x-forwarded-for: 9.9.9.9"];
    let seen = browser.send("/whoami", &spoofed).json();
    assert_eq!(seen["url"], browser.url("/whoami").as_str());
    assert_eq!(seen["client"], "127.0.0.1");
});

/// Asserts that the answer sets the cookie once, as declared, counted from the answer's own date.
#[track_caller]
fn assert_issues(answer: &Answer, name: &str, value: &str, lifetime_s: u64) {
    let expires = UNIX_EPOCH + Duration::from_secs(answer.date() + lifetime_s);
    let expires = httpdate::fmt_http_date(expires);
    let http_only = if name == "flexopus_session" { "HttpOnly; " } else { "" };
    let field = format!(
        "{name}={value}; Max-Age={lifetime_s}; Expires={expires}; Path=/; Secure; {http_only}SameSite=Lax"
    );
    assert_eq!(answer.set_cookies(name).collect::<Vec<_>>(), [field]);
}
