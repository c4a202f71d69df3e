//! Rules G1 to G5: the session cookie is sealed, and a stolen or altered one is refused.

use std::fs;

use crumbgate_policy::verdict::{Action, Direction, Reason, SealStep};
use http::{Method, StatusCode};

use crate::harness::{Answer, App, Http, NOW_UNIX_S, Running, Setup, both_versions, in_time, ok};

/// An application that answers with the cookies that it received, and sets the session to `value` at `/login/value`.
async fn app() -> App {
    App::replying(|request| {
        let cookies = request.fields("cookie").join("; ");
        match request.target().strip_prefix("/login/") {
            Some(value) => {
                ok(&[&format!("set-cookie: flexopus_session={value}; Path=/")], &cookies)
            }
            None => ok(&[], &cookies),
        }
    })
    .await
}

fn setup(app: &App) -> Setup {
    Setup::before(app)
        .tenant("acme.example", "seal = true\nsession = \"1h\"")
        .tenant("globex.example", "seal = true")
}

/// The name-value pair of the sealed cookie that an answer sets.
fn session_of(answer: &Answer) -> String {
    answer.set_cookie("flexopus_session").split(';').next().unwrap().to_owned()
}

both_versions!(g2_the_browser_holds_an_opaque_value_and_the_application_gets_its_own, |http| {
    let app = app().await;
    let gateway = setup(&app).start();
    let browser = gateway.browser(http);

    let answer = browser.get("/login/secret-1").await;
    let sealed = session_of(&answer);
    assert!(sealed.starts_with("flexopus_session=cg1."), "{sealed}");
    assert!(!sealed.contains("secret"));
    assert!(answer.set_cookie("flexopus_session").contains("Max-Age=3600"));

    let answer = browser.get_with_cookie("/api/me", &sealed).await;
    assert_eq!(answer.text(), "flexopus_session=secret-1");
    let renewed = session_of(&answer);
    assert_ne!(renewed, sealed, "no two seals are alike");
    let answer = browser.get_with_cookie("/page", format!("XSRF-TOKEN=t; {renewed}; _ga=1")).await;
    assert_eq!(answer.text(), "XSRF-TOKEN=t; flexopus_session=secret-1");
    let sets_session = |field: &&str| field.starts_with("flexopus_session=");
    assert!(!answer.set_cookies().iter().any(sets_session), "a page renews nothing");

    let counters = gateway.counters_of("acme.example");
    let seals = SealStep::ALL.map(|step| counters.of_seal(step));
    assert_eq!(seals, [2, 2, 0, 0]);
});

both_versions!(g4_a_stolen_cookie_is_refused_at_another_tenant_or_later_or_altered, |http| {
    let app = app().await;
    let gateway = setup(&app).start();
    let browser = gateway.browser(http);
    let sealed = session_of(&browser.get("/login/s").await);
    let reasons = |tenant: &str| {
        let counters = gateway.counters_of(tenant);
        let count = |reason| counters.of(Direction::Request, Action::Strip(reason));
        [Reason::Foreign, Reason::Expired, Reason::Forged].map(count)
    };

    let elsewhere = gateway.browser_at("globex.example", http);
    assert_eq!(elsewhere.get_with_cookie("/api/me", &sealed).await.text(), "");
    assert_eq!(reasons("globex.example"), [1, 0, 0]);

    let mut altered = sealed.clone().into_bytes();
    let last = altered.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { b'A' };
    assert_eq!(browser.get_with_cookie("/api/me", &altered).await.text(), "");
    assert_eq!(reasons("acme.example"), [0, 0, 1]);

    gateway.set_unix_s(NOW_UNIX_S + 3600);
    let answer = browser.get_with_cookie("/api/me", &sealed).await;
    assert_eq!(answer.text(), "flexopus_session=s");
    let renewed = session_of(&answer);
    gateway.set_unix_s(NOW_UNIX_S + 3601);
    let answer = browser.get_with_cookie("/api/me", &sealed).await;
    assert_eq!((answer.text().as_str(), answer.set_cookies().len()), ("", 0));
    assert_eq!(reasons("acme.example"), [0, 1, 1]);
    gateway.set_unix_s(NOW_UNIX_S + 7200);
    assert_eq!(browser.get_with_cookie("/api/me", &renewed).await.text(), "flexopus_session=s");
});

both_versions!(g3_an_unsealed_session_stays_valid_when_sealing_begins, |http| {
    let app = app().await;
    let until = "[seal]\nunsealed_until = \"2026-11-24\"";
    let gateway = setup(&app).sections(until).start();
    let browser = gateway.browser(http);
    let page = browser.request(Method::GET, "/page").header("accept", "text/html");
    let answer = browser.send(page.header("cookie", "flexopus_session=before"), "").await;
    assert_eq!(answer.text(), "flexopus_session=before");
    let sealed = session_of(&answer);
    assert_eq!(browser.get_with_cookie("/page", &sealed).await.text(), "flexopus_session=before");

    gateway.set_unix_s(1_795_478_400);
    let late = browser.get_with_cookie("/page", "flexopus_session=before").await;
    assert_eq!((late.text().as_str(), late.set_cookies().len()), ("", 0));
});

#[tokio::test]
async fn a_reload_without_the_key_file_makes_no_new_keys() {
    in_time(async {
        let app = app().await;
        let gateway = setup(&app).start();
        let browser = gateway.browser(Http::Two);
        let sealed = session_of(&browser.get("/login/s").await);
        let keys = keys_of(&gateway);
        let away = keys.with_extension("away");
        fs::rename(&keys, &away).unwrap();
        assert!(gateway.inner().control().reload("test").is_err());
        assert!(!keys.exists());
        assert_eq!(browser.get_with_cookie("/page", &sealed).await.text(), "flexopus_session=s");
        fs::rename(&away, &keys).unwrap();
        assert!(gateway.inner().control().reload("test").is_ok());
        assert_eq!(browser.get_with_cookie("/page", &sealed).await.text(), "flexopus_session=s");
    })
    .await;
}

both_versions!(g5_a_value_too_large_to_seal_is_passed_on_and_counted, |http| {
    let app = app().await;
    let gateway = setup(&app).start();
    let browser = gateway.browser(http);
    let value = "v".repeat(3500);
    let set = session_of(&browser.get(&format!("/login/{value}")).await);
    assert_eq!(set, format!("flexopus_session={value}"));
    let answer = browser.get_with_cookie("/api/me", &set).await;
    assert_eq!(answer.text(), set);
    assert_eq!(session_of(&answer), set);
    assert_eq!(gateway.counters_of("acme.example").of_seal(SealStep::TooLarge), 2);
});

both_versions!(g_another_gateway_with_the_same_keys_opens_a_sealed_cookie, |http| {
    let app = app().await;
    let first = setup(&app).start();
    let sealed = session_of(&first.browser(http).get("/login/s").await);
    let keys = keys_of(&first);
    let text = fs::read_to_string(&keys).unwrap();
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1, "one key");

    let same = setup(&app).sections(&format!("[seal]\nkeys = {keys:?}")).start();
    let answer = same.browser(http).get_with_cookie("/page", &sealed).await;
    assert_eq!(answer.text(), "flexopus_session=s");
    let other = setup(&app).start();
    let answer = other.browser(http).get_with_cookie("/page", &sealed).await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, ""));
    assert_eq!(
        other.counters_of("acme.example").of(Direction::Request, Action::Strip(Reason::Forged)),
        1
    );
});

both_versions!(t4_in_report_mode_nothing_is_sealed, |http| {
    let app = app().await;
    let setup = Setup::before(&app).tenant("acme.example", "seal = true\nmode = \"report\"");
    let gateway = setup.start();
    let answer = gateway.browser(http).get("/login/s").await;
    assert_eq!(answer.set_cookies(), ["flexopus_session=s; Path=/"]);
});

both_versions!(g2_nothing_is_sealed_by_default, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).get("/login/s").await;
    assert!(answer.set_cookie("flexopus_session").starts_with("flexopus_session=s; "));
    assert!(!keys_of(&gateway).exists());
});

fn keys_of(gateway: &Running) -> std::path::PathBuf {
    gateway.ledger().with_file_name("seal.keys")
}

both_versions!(g4_the_end_of_sealing_logs_nobody_out, |http| {
    let app = app().await;
    let sealing = setup(&app).start();
    let sealed = session_of(&sealing.browser(http).get("/login/s").await);
    let keys = keys_of(&sealing);
    let plain = Setup::before(&app).sections(&format!("[seal]\nkeys = {keys:?}")).start();
    let answer = plain.browser(http).get_with_cookie("/api/me", &sealed).await;
    assert_eq!(answer.text(), "flexopus_session=s");
    assert_eq!(session_of(&answer), "flexopus_session=s", "what is renewed is no longer sealed");
});
