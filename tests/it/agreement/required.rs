//! Rules G6 to G8: nothing before an agreement, how one is given, and how it is withdrawn.

use crumbgate_audit::AgreementEvent;
use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::{Method, request::Builder};

use crate::harness::{
    ACME, Answer, App, Browser, Http, NOW_UNIX_S, Setup, both_versions, in_time, ok, request,
};

const PAGE: &str = "/.well-known/cookies";

/// An application that sets both cookies on every path, and answers with the names that it received.
async fn app() -> App {
    App::replying(|request| {
        let set = ["set-cookie: flexopus_session=app-1", "set-cookie: XSRF-TOKEN=tok%3D"];
        ok(&set, &request.fields("cookie").join("; "))
    })
    .await
}

fn required(app: &App) -> Setup {
    Setup::before(app).tenant(ACME, "agreement = \"required\"\nsession = \"1h\"")
}

/// The request of a browser when a person opens a page.
fn navigation(http: Http, path: &str) -> Builder {
    request(http, Method::GET, path).header("accept", "text/html,application/xhtml+xml")
}

/// The request of a browser when a person submits a form.
fn form(http: Http, path: &str, from: &str) -> Builder {
    request(http, Method::POST, path)
        .header("accept", "text/html")
        .header("origin", format!("https://{ACME}"))
        .header("sec-fetch-site", "same-origin")
        .header("referer", format!("https://{ACME}{from}"))
}

/// The address of the form on a page whose action ends with `end`.
fn action(page: &str, end: &str) -> String {
    let mut actions = page.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let wanted = format!("{PAGE}/{end}?page=");
    actions.find(|action| action.starts_with(&wanted)).unwrap().to_owned()
}

fn session_of(answer: &Answer) -> String {
    answer.set_cookie("flexopus_session").split(';').next().unwrap().to_owned()
}

/// Agrees on the page at `path`, and returns the agreement cookie.
async fn agree(browser: &Browser, http: Http, path: &str) -> String {
    let question = browser.send(navigation(http, path), "").await;
    assert_eq!(question.status, 403);
    let answer = browser.send(form(http, &action(&question.text(), "agree"), path), "").await;
    assert_eq!((answer.status.as_u16(), answer.field("location")), (303, Some(path)));
    session_of(&answer)
}

both_versions!(g6_a_visitor_agrees_and_gets_a_session, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);

    let first = browser.send(navigation(http, "/bookings?day=1"), "").await;
    assert_eq!(
        (first.status.as_u16(), first.field("content-type")),
        (403, Some("text/html; charset=utf-8"))
    );
    assert_eq!((first.set_cookies().len(), first.field("cache-control")), (0, Some("no-store")));
    assert!(first.field("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(app.received().len(), 0, "the application knows nothing of it");

    let agreed = agree(&browser, http, "/bookings?day=1").await;
    assert!(agreed.starts_with("flexopus_session=cg1."));
    let page =
        browser.send(navigation(http, "/bookings?day=1").header("cookie", &agreed), "").await;
    assert_eq!((page.status.as_u16(), page.text().as_str()), (200, ""), "it has no session yet");
    let session = session_of(&page);
    let page = browser.send(navigation(http, "/bookings").header("cookie", &session), "").await;
    assert_eq!(page.text(), "flexopus_session=app-1");

    let counters = gateway.counters_of(ACME);
    let events = AgreementEvent::ALL.map(|event| counters.agreements(event));
    assert_eq!(events, [1, 0, 2, 0], "agreed, declined, shown, withdrawn");
});

both_versions!(
    g6_the_question_is_in_the_browser_s_language_and_the_same_at_every_address,
    |http| {
        let app = app().await;
        let gateway = required(&app).start();
        let browser = gateway.browser(http);
        let ask = async |path, language| {
            let request = navigation(http, path).header("accept-language", language);
            browser.send(request, "").await
        };
        let [english, german, other] = [
            ask("/a?b=c", "en").await,
            ask("/a?b=c", "de-DE,de;q=0.9").await,
            ask("/x", "en").await,
        ];
        assert_eq!(
            (english.field("content-language"), german.field("content-language")),
            (Some("en"), Some("de"))
        );
        assert!(german.text().contains("<html lang=\"de\">"), "{}", german.text());
        assert_eq!(english.body, other.body);

        let head = request(http, Method::HEAD, "/").header("accept", "text/html");
        let head = browser.send(head, "").await;
        assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
        assert_eq!(gateway.counters_of(ACME).agreements(AgreementEvent::Shown), 3);
    }
);

both_versions!(g6_a_program_gets_a_link_to_the_agreement_page, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);
    for (method, path) in
        [(Method::GET, "/api/me"), (Method::POST, "/login"), (Method::DELETE, "/bookings/1")]
    {
        let asked = request(http, method, path).header("accept", "application/json");
        let answer = browser.send(asked, "").await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["agreement"], format!("https://{ACME}{PAGE}"));
        assert_eq!(problem["status"], 403);
    }
    assert_eq!(app.received().len(), 0);
});

both_versions!(
    g6_a_request_that_is_no_navigation_reaches_the_application_without_cookies,
    |http| {
        let app = app().await;
        let setup = required(&app).sections("[agreement]\nopen_paths = [\"/imprint\"]");
        let gateway = setup.start();
        let browser = gateway.browser(http);
        let cookie = "flexopus_session=before; XSRF-TOKEN=t; _ga=1";
        let image = request(http, Method::GET, "/logo.svg").header("accept", "image/*");
        let imprint = navigation(http, "/imprint");
        for asked in [image, imprint] {
            let answer = browser.send(asked.header("cookie", cookie), "").await;
            let sets_declared = |field: &&str| !field.starts_with("_ga=");
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
            assert!(!answer.set_cookies().iter().any(sets_declared), "{:?}", answer.set_cookies());
        }
        let counters = gateway.counters_of(ACME);
        let held = Action::Strip(Reason::BeforeAgreement);
        assert_eq!(counters.of(Direction::Request, held), 4);
        assert_eq!(counters.of(Direction::Response, held), 4);
    }
);

both_versions!(g6_an_existing_session_survives_the_agreement, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);
    let question = browser.send(navigation(http, "/"), "").await;
    let agree = form(http, &action(&question.text(), "agree"), "/");
    let answer = browser.send(agree.header("cookie", "flexopus_session=before"), "").await;
    let page = navigation(http, "/").header("cookie", session_of(&answer));
    assert_eq!(browser.send(page, "").await.text(), "flexopus_session=before");
});

both_versions!(g7_a_form_of_another_site_can_neither_agree_nor_withdraw, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);
    let question = browser.send(navigation(http, "/"), "").await.text();
    let page = browser.send(navigation(http, PAGE), "").await.text();
    for path in
        [action(&question, "agree"), action(&question, "decline"), action(&page, "withdraw")]
    {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("x-nothing", "at all"),
        ] {
            let forged = request(http, Method::POST, &path).header(name, value);
            let answer = browser.send(forged.header("accept", "text/html"), "").await;
            assert_eq!(
                (answer.status.as_u16(), answer.set_cookies().len()),
                (403, 0),
                "{name} {value}"
            );
        }
    }
    assert_eq!(gateway.counters_of(ACME).agreements(AgreementEvent::Agreed), 0);
});

both_versions!(g6_the_redirect_after_agreeing_never_leads_to_another_site, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);
    let question = browser.send(navigation(http, "/"), "").await.text();
    let path = action(&question, "agree");
    for (referer, expected) in [
        ("https://evil.example/x", "/"),
        ("https://acme.example//evil.example", "/"),
        ("https://acme.example/\\evil.example", "/"),
        ("https://acme.example/desks?x=//y", "/desks?x=//y"),
    ] {
        let sent = request(http, Method::POST, &path)
            .header("sec-fetch-site", "same-origin")
            .header("referer", referer);
        let answer = browser.send(sent, "").await;
        assert_eq!((answer.status.as_u16(), answer.field("location")), (303, Some(expected)));
    }
});

both_versions!(g6_an_agreement_to_a_page_that_was_not_shown_is_refused, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);
    for stamp in ["", "?page=", "?page=0000000000000000"] {
        let sent = form(http, &format!("{PAGE}/agree{stamp}"), "/desks");
        let answer = browser.send(sent, "").await;
        assert_eq!((answer.status.as_u16(), answer.field("location")), (303, Some("/desks")));
        assert_eq!(answer.set_cookies().len(), 0, "the question is asked again");
    }
});

both_versions!(g6_declining_shows_the_consequences_and_asks_again_later, |http| {
    let app = app().await;
    let gateway = required(&app).start();
    let browser = gateway.browser(http);
    let question = browser.send(navigation(http, "/"), "").await.text();
    let answer = browser.send(form(http, &action(&question, "decline"), "/"), "").await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (303, 0));
    let result = browser.send(navigation(http, answer.field("location").unwrap()), "").await;
    assert_eq!((result.status.as_u16(), result.set_cookies().len()), (200, 0));
    assert_eq!(browser.send(navigation(http, "/"), "").await.status, 403);
    assert_eq!(gateway.counters_of(ACME).agreements(AgreementEvent::Declined), 1);
});

both_versions!(g7_a_withdrawal_deletes_all_cookies_and_ends_the_session, |http| {
    let app = app().await;
    let setup = required(&app).sections("[agreement]\nlogout = \"/logout?all=1\"");
    let gateway = setup.start();
    let browser = gateway.browser(http);
    let agreed = agree(&browser, http, "/").await;
    let page = browser.send(navigation(http, "/").header("cookie", &agreed), "").await;
    let session = session_of(&page);
    let cookies = format!("{session}; XSRF-TOKEN=tok%3D");

    let page = browser.send(navigation(http, PAGE), "").await;
    let withdraw = form(http, &action(&page.text(), "withdraw"), PAGE);
    let answer = browser.send(withdraw.header("cookie", &cookies), "").await;
    let location = answer.field("location").unwrap().to_owned();
    assert_eq!((answer.status.as_u16(), &*location), (303, "/.well-known/cookies/withdrawn"));
    let deleted = answer.set_cookies();
    let names: Vec<_> =
        deleted.iter().map(|field| field.split_once("=; Max-Age=0; ").unwrap().0).collect();
    assert_eq!(names[..3], ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"]);
    let was_sent = |name: &&str| ["XSRF-TOKEN", "flexopus_session"].contains(name);
    assert!(names[3..].iter().all(was_sent), "{names:?}");

    let result = app.last();
    assert_eq!((result.method(), result.target()), ("POST", "/logout?all=1"));
    assert_eq!(result.field("cookie"), Some("flexopus_session=app-1; XSRF-TOKEN=tok%3D"));
    assert_eq!(result.field("x-xsrf-token"), Some("tok="));
    let before = app.received().len();

    // A response that was under way meanwhile sets no cookie again.
    let late = browser.send(navigation(http, "/").header("cookie", &cookies), "").await;
    assert_eq!(late.set_cookies(), Vec::<&str>::new());
    let result = browser.send(navigation(http, &location), "").await;
    assert_eq!(result.status, 200);
    assert_eq!(browser.send(navigation(http, "/"), "").await.status, 403);
    assert_eq!(gateway.counters_of(ACME).agreements(AgreementEvent::Withdrawn), 1);
    assert_eq!(app.received().len(), before + 1);
});

both_versions!(g7_an_older_session_can_be_ended_without_an_agreement, |http| {
    let app = app().await;
    let setup = required(&app).sections("[agreement]\nlogout = \"/logout\"");
    let gateway = setup.start();
    let browser = gateway.browser(http);
    let page = browser.send(navigation(http, PAGE), "").await;
    let withdraw = form(http, &action(&page.text(), "withdraw"), PAGE);
    let cookies = "_ga=1; flexopus_session=before; XSRF-TOKEN=t";
    let answer = browser.send(withdraw.header("cookie", cookies), "").await;
    assert_eq!(answer.status, 303);
    assert!(answer.set_cookies().iter().any(|field| field.starts_with("_ga=; Max-Age=0; ")));
    let result = app.last();
    assert_eq!(result.target(), "/logout");
    assert_eq!(result.field("cookie"), Some("flexopus_session=before; XSRF-TOKEN=t"));
});

/// Two gateways before one application with the same seal keys, as behind a load balancer.
#[tokio::test]
async fn g6_a_page_of_one_gateway_can_be_agreed_to_at_another() {
    in_time(async {
        let app = app().await;
        let http = Http::Two;
        let first = required(&app).start();
        let keys = first.ledger().with_file_name("seal.keys");
        let second = required(&app).sections(&format!("[seal]\nkeys = {keys:?}"));
        let second = second.start_at(NOW_UNIX_S + 3 * 86_400);
        let question = first.browser(http).send(navigation(http, "/"), "").await;
        let agree = form(http, &action(&question.text(), "agree"), "/");
        let agreed = second.browser(http).send(agree, "").await;
        let page = navigation(http, "/").header("cookie", session_of(&agreed));
        assert_eq!(second.browser(http).send(page, "").await.status, 200);
    })
    .await;
}

both_versions!(g7_a_withdrawal_succeeds_while_the_application_is_down, |http| {
    let app = app().await;
    let setup = required(&app).sections("[agreement]\nlogout = \"/logout\"");
    let gateway = setup.start();
    let browser = gateway.browser(http);
    let agreed = agree(&browser, http, "/").await;
    let session =
        session_of(&browser.send(navigation(http, "/").header("cookie", &agreed), "").await);
    let page = browser.send(navigation(http, PAGE), "").await;
    app.kill().await;
    let withdraw = form(http, &action(&page.text(), "withdraw"), PAGE);
    let answer = browser.send(withdraw.header("cookie", &session), "").await;
    assert_eq!(answer.status, 303);
    let is_deleted = |field: &&str| field.starts_with("flexopus_session=; Max-Age=0; ");
    assert!(answer.set_cookies().iter().any(is_deleted));
});

both_versions!(t4_in_report_mode_no_agreement_is_requested, |http| {
    let app = app().await;
    let setup = Setup::before(&app).tenant(ACME, "agreement = \"required\"\nmode = \"report\"");
    let gateway = setup.start();
    let browser = gateway.browser(http);
    let answer =
        browser.send(navigation(http, "/").header("cookie", "flexopus_session=s"), "").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "flexopus_session=s"));
    assert_eq!(answer.set_cookies(), ["flexopus_session=app-1", "XSRF-TOKEN=tok%3D"]);
    browser.send(navigation(http, PAGE), "").await;
    assert_eq!(app.last().target(), PAGE, "there it is the application's page");
});

/// A reload brings another declaration after somebody has agreed to the previous one.
#[tokio::test]
async fn g8_a_new_declaration_asks_again_where_the_operator_chose_that() {
    const OTHER: &str =
        "[[cookies]]\nname = \"flexopus_session\"\nrenew_on = { paths = [\"/api/*\"] }\n";
    in_time(async {
        let app = app().await;
        for (ask_again, expected) in [(false, 200), (true, 403)] {
            let setup = required(&app).sections(&format!("[agreement]\nask_again = {ask_again}"));
            let text = setup.text();
            let gateway = setup.start();
            let browser = gateway.browser(Http::Two);
            let agreed = agree(&browser, Http::Two, "/").await;
            let open = || navigation(Http::Two, "/").header("cookie", &agreed);
            assert_eq!(browser.send(open(), "").await.status, 200);

            let folder = gateway.ledger().parent().unwrap().parent().unwrap().to_owned();
            std::fs::write(folder.join("config.toml"), format!("{text}{OTHER}")).unwrap();
            gateway.inner().control().reload("test").unwrap();
            assert_eq!(browser.send(open(), "").await.status, expected, "{ask_again}");
        }
    })
    .await;
}
