//! Laravel's session, sealed: it works as it does unsealed, and a stolen one is refused elsewhere.
//!
//! Tests with several gateways use HTTP/2 alone, to save time: sealing does not depend on the version.

use crate::{Application, Browser, Gateway, Http, SESSION, TWO_HOURS, both_versions};

const SEALED: &str = "sealed.flexopus.example";
const RIVAL: &str = "rival.flexopus.example";
const USER: Option<&str> = Some("ada@acme.example");

/// Asserts that the browser holds a sealed value, and that Laravel receives the value that it has set: its own
fn assert_is_sealed(browser: &Browser) {
    let session = browser.session();
    assert!(session.starts_with("cg1."), "{session}");
    let seen = browser.call("/whoami").json();
    let field = seen["cookie_field"].as_str().expect("a field");
    assert_eq!(field.matches('=').count(), 2, "{field}");
    assert!(field.contains("flexopus_session=eyJ"), "{field}");
    assert!(!field.contains("cg1."), "{field}");
}

both_versions!(g2_laravel_works_behind_a_sealed_session, |_, at| {
    let browser = at(SEALED);
    browser.log_in();
    assert_is_sealed(&browser);

    let booked = browser.post("/api/desks/B1/bookings", "");
    assert_eq!((booked.status, booked.json()["booked"].as_str()), (201, Some("B1")));
    assert_is_sealed(&browser);
    assert_eq!(browser.post_with_token("/api/desks/B1/bookings", "", "a-guess").status, 419);

    let before = SESSION.map(|name| browser.value(name));
    let answer = browser.call("/api/ping");
    assert_eq!(answer.json()["pong"], true);
    let renewed = SESSION.map(|name| browser.value(name));
    assert_eq!(before[0], renewed[0]);
    assert_ne!(before[1], renewed[1], "it is sealed anew");
    for name in SESSION {
        assert_eq!(browser.expiry(name), answer.date() + TWO_HOURS);
    }
    assert_is_sealed(&browser);

    assert_eq!(browser.post("/logout", "").status, 302);
    assert!(browser.session().starts_with("cg1."), "a guest's is sealed, too");
    assert_eq!(browser.user(), None);
    assert_eq!(browser.call("/api/ping").status, 401);

    browser.log_in();
    assert_eq!(browser.post("/logout/forget", "").status, 302);
    assert!(browser.names().is_empty(), "{:?}", browser.names());
    assert_eq!(browser.call("/api/ping").status, 401);
});

both_versions!(g4_a_stolen_session_is_refused_at_another_tenant, |_, at| {
    // The application does not distinguish its hosts.
    let (victim, thief) = (at("acme.flexopus.example"), at("beta.flexopus.example"));
    victim.log_in();
    thief.take_session_of(&victim);
    assert_eq!(thief.user().as_deref(), USER);

    let victim = at(SEALED);
    victim.log_in();
    // With and without sealing of its own.
    for host in [RIVAL, "beta.flexopus.example"] {
        let thief = at(host);
        thief.take_session_of(&victim);
        assert_eq!(thief.user(), None);
        assert_eq!(thief.call("/api/ping").status, 401);
        assert_eq!(thief.call("/whoami").json()["cookies"].as_array().map(Vec::len), Some(0));
    }
    assert_eq!(victim.user().as_deref(), USER);
});

#[test]
fn g4_a_session_ends_after_its_duration_without_use() {
    let application = Application::start();
    let gateway = Gateway::before(&application);
    let after_one_hour = gateway.another().ahead(3_600).before(&application);
    let after_some_more = gateway.another().ahead(2 * 3_600 + 60).before(&application);

    let unused = Browser::new(Http::Two, &gateway, SEALED);
    unused.log_in();
    // Any gateway with the same keys opens a cookie that another one has sealed.
    let used = unused.behind(&after_one_hour);
    assert_eq!(used.user().as_deref(), USER);
    assert_eq!(used.call("/api/ping").status, 200);

    let unused = unused.behind(&after_some_more);
    assert_eq!(unused.user(), None);
    assert_eq!(unused.call("/api/ping").status, 401);
    let used = used.behind(&after_some_more);
    assert_eq!(used.user().as_deref(), USER);
    assert_eq!(used.call("/api/ping").status, 200);

    // For Laravel no time has passed: without sealing, it accepts a cookie that a browser should have deleted.
    let plain = Browser::new(Http::Two, &gateway, "acme.flexopus.example");
    plain.log_in();
    assert_eq!(plain.behind(&after_some_more).user().as_deref(), USER);
}

#[test]
fn g3_a_session_survives_the_begin_and_the_end_of_sealing() {
    let application = Application::start();
    let host = "acme.flexopus.example";
    let gateway = Gateway::before(&application);
    let tenants = "[tenants.\"acme.flexopus.example\"]\nsession = \"2h\"\nseal = true";
    let sealing = gateway.another().tenants(tenants).before(&application);

    let browser = Browser::new(Http::Two, &gateway, host);
    browser.log_in();
    let plain = browser.session();
    assert!(!plain.starts_with("cg1."));

    let browser = browser.behind(&sealing);
    assert_eq!(browser.call("/api/ping").status, 200);
    assert_is_sealed(&browser);
    assert_eq!(browser.post("/api/desks/B1/bookings", "").status, 201);
    assert_is_sealed(&browser);

    let browser = browser.behind(&gateway);
    assert_eq!(browser.call("/api/ping").status, 200);
    assert!(!browser.session().starts_with("cg1."), "{}", browser.session());
    assert_eq!(browser.user().as_deref(), USER);
}

both_versions!(n4_calls_that_are_under_way_during_a_login_do_not_undo_it, |mut application, at| {
    let browser = at(SEALED);
    let names = ["one", "two", "three"];
    for order in [[0, 1, 2], [2, 0, 1]] {
        browser.log_in();
        let mut calls = names.map(|name| {
            // Each call of one session has another sealed value.
            assert_eq!(browser.call("/api/ping").status, 200);
            let call = browser.begin(&format!("/api/slow/{name}"));
            application.wait_until_under_way(name);
            Some(call)
        });
        let mut finish = |index: usize| {
            application.finish(names[index]);
            let answer = calls[index].take().expect("each is finished once").answer();
            assert_eq!(answer.json()["finished"], names[index]);
            SESSION.map(|name| answer.set_cookies(name).count())
        };

        let [before, after @ ..] = order;
        assert_eq!(finish(before), [1, 1], "it renews the session that there is");
        browser.log_in();
        for index in after {
            assert_eq!(finish(index), [0, 0]);
        }
        assert_eq!(browser.user().as_deref(), USER);
        assert_eq!(browser.call("/api/ping").status, 200);
        application.forget_calls();
    }
});
