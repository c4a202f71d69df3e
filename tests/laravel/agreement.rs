//! Laravel with required agreement: no cookie is set before people agree, and none is left when they withdraw.

use crate::{
    Application, Browser, Gateway, Http, SESSION, both_versions,
    browser::{Answer, PAGE},
};

const ASKING: &str = "asking.flexopus.example";
const USER: Option<&str> = Some("ada@acme.example");

/// Asserts that the browser gets the agreement page at `path`, and no cookie.
fn asked(browser: &Browser, path: &str) -> Answer {
    let question = browser.navigate(path);
    assert_eq!(
        (question.status, question.field("content-type")),
        (403, Some("text/html; charset=utf-8"))
    );
    assert_eq!(browser.names(), [""; 0]);
    question
}

/// Agrees at `path`, and returns there.
fn agree(browser: &Browser, path: &str) {
    let question = asked(browser, path);
    let answer = browser.press("agree", &question, path);
    assert_eq!((answer.status, answer.field("location")), (303, Some(path)));
    assert_eq!(browser.names(), ["flexopus_session"]);
    assert!(browser.session().starts_with("cg1."));
}

fn withdraw(browser: &Browser) {
    let answer = browser.press("withdraw", &browser.navigate(PAGE), PAGE);
    let there = format!("{PAGE}/withdrawn");
    assert_eq!((answer.status, answer.field("location")), (303, Some(&*there)));
    assert_eq!(browser.navigate(&there).status, 200);
    assert_eq!(browser.names(), [""; 0]);
}

both_versions!(g6_laravel_sets_nothing_before_an_agreement_and_works_after_it, |_, at| {
    let browser = at(ASKING);
    asked(&browser, "/login?then=%2Fmap-builder");
    for refused in [browser.call("/api/desks"), browser.send("/login", &["--data", ""])] {
        let kind = refused.field("content-type");
        assert_eq!((refused.status, kind), (403, Some("application/problem+json")));
        assert_eq!(refused.json()["agreement"], browser.url(PAGE).as_str());
    }
    // A request that is neither a page nor a call of the API is forwarded and answered without cookies.
    browser.set_by_script("flexopus_session=planted; Path=/");
    assert_eq!(browser.call("/whoami").json()["cookies"].as_array().map(Vec::len), Some(0));
    browser.set_by_script("flexopus_session=; Max-Age=0; Path=/");

    agree(&browser, "/login?then=%2Fmap-builder");
    browser.log_in();
    assert_eq!(browser.names(), SESSION);
    assert_eq!(browser.post("/api/desks/B1/bookings", "").status, 201);
    assert_eq!(browser.navigate("/map-builder").status, 200);
    assert_eq!(browser.call("/api/ping").status, 200);

    // A guest's session continues after the agreement; where Laravel deletes the cookie, it is deleted as well.
    assert_eq!(browser.post("/logout", "").status, 302);
    assert_eq!(browser.user(), None);
    browser.log_in();
    assert_eq!(browser.post("/logout/forget", "").status, 302);
    assert_eq!(browser.names(), ["visitedMapBuilder"]);
    assert_eq!(browser.navigate("/login").status, 403);
});

#[test]
fn g8_an_agreement_is_invalid_at_another_tenant_or_later() {
    let application = Application::start();
    let gateway = Gateway::before(&application);
    let later = gateway.another().ahead(2 * 3_600 + 60).before(&application);
    let browser = Browser::new(Http::Two, &gateway, ASKING);
    agree(&browser, "/login");
    browser.log_in();

    let thief = Browser::new(Http::Two, &gateway, "asking-too.flexopus.example");
    thief.take_session_of(&browser);
    let late = browser.behind(&later);
    for (other, status) in [(&browser, 200), (&thief, 403), (&late, 403)] {
        assert_eq!(other.navigate("/map-builder").status, status);
        assert_eq!(other.user().as_deref(), USER.filter(|_| status == 200));
    }
}

#[test]
fn g7_a_withdrawal_ends_laravel_s_session_as_well() {
    let application = Application::start();
    let gateway = Gateway::before(&application);
    let logout = "[agreement]\nlogout = \"/logout\"";
    let with_logout = gateway.another().sections(logout).before(&application);
    for (gateway, left) in [(&gateway, USER), (&with_logout, None)] {
        let browser = Browser::new(Http::Two, gateway, ASKING);
        agree(&browser, "/login");
        browser.log_in();
        let copy = browser.behind(gateway);

        withdraw(&browser);
        assert_eq!(browser.user(), None);
        asked(&browser, "/map-builder");
        // A copy of the old cookies still is a session only where Laravel does not end it.
        assert_eq!(copy.user().as_deref(), left);
    }
}
