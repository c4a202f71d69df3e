//! Documents in caches: a stored document must not outlive its script (W5).

use crumbgate_policy::GuardMode;
use http::Method;

use super::{HTML, guarded, guarded_page, guards, navigation, outcomes, script};
use crate::harness::{App, Received, both_versions, ok, request};

const CHANGED: &str = "[[cookies]]\nname = \"theme\"\nhttp_only = false";

/// An application that knows one version of its page, and confirms it with the policy of that page.
async fn app() -> App {
    App::replying(|request: &Received| {
        let policy = "content-security-policy: script-src 'self'";
        if request.fields("if-none-match").iter().any(|tags| tags.contains("\"v1\"")) {
            let head = "HTTP/1.1 304 Not Modified\r\netag: \"v1\"\r\n";
            return format!("{head}{policy}\r\n\r\n").into_bytes();
        }
        let date = "last-modified: Mon, 23 Nov 2026 09:00:00 GMT";
        ok(&[HTML, "etag: \"v1\"", policy, date], &super::page())
    })
    .await
}

both_versions!(w5_a_stored_document_is_confirmed_with_its_script, |http| {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let browser = gateway.browser(http);
    let first = browser.send(navigation(http, "/"), "").await;
    assert_eq!(first.field("last-modified"), None);
    let tag = first.field("etag").unwrap().to_owned();
    assert!(tag.contains(&*script(GuardMode::Enforce).tag), "{tag}");

    let asked = navigation(http, "/").header("if-none-match", &tag);
    let confirmed = browser.send(asked, "").await;
    assert_eq!(app.last().field("if-none-match"), Some("\"v1\""));
    assert_eq!((confirmed.status.as_u16(), confirmed.field("etag")), (304, Some(&*tag)));
    let policy = confirmed.field("content-security-policy").unwrap();
    assert!(policy.contains(&*script(GuardMode::Enforce).csp_source), "{policy}");
    assert_eq!((outcomes(&gateway, "guarded"), guards(&gateway)), (1., 1.));
});

both_versions!(w5_a_document_with_another_script_or_without_one_is_sent_again, |http| {
    let app = app().await;
    let watching = guarded(&app, "guard = \"watch\"").start();
    let tag = watching.browser(http).send(navigation(http, "/"), "").await;
    let tag = tag.field("etag").unwrap().to_owned();
    for (keys, declaration) in [("enforce", ""), ("watch", CHANGED)] {
        let keys = format!("guard = \"{keys}\"");
        let gateway = guarded(&app, &keys).sections(declaration).start();
        let browser = gateway.browser(http);
        for stored in [&*tag, "\"v1\"", "W/\"v1\""] {
            let asked = navigation(http, "/")
                .header("if-none-match", stored)
                .header("if-modified-since", "Mon, 23 Nov 2026 09:00:00 GMT")
                .header("if-range", "\"v1\"")
                .header("range", "bytes=0-9");
            let answer = browser.send(asked, "").await;
            assert_eq!(answer.status, 200, "{keys} {stored}");
            assert!(answer.field("etag").unwrap() != tag);
            for name in ["if-none-match", "if-modified-since", "if-range", "range"] {
                assert_eq!(app.last().field(name), None, "{keys} {stored}");
            }
        }
    }
});

both_versions!(w5_answers_that_are_no_documents_keep_their_conditions, |http| {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let asked = request(http, Method::GET, "/logo.png")
        .header("sec-fetch-dest", "image")
        .header("if-none-match", "\"v1\"");
    let answer = gateway.browser(http).send(asked, "").await;
    assert_eq!((answer.status.as_u16(), answer.field("etag")), (304, Some("\"v1\"")));
    assert_eq!(answer.field("content-security-policy"), Some("script-src 'self'"));
});

both_versions!(w5_a_change_of_a_guarded_document_names_the_tag_of_the_application, |http| {
    let app = app().await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let browser = gateway.browser(http);
    let document = browser.send(navigation(http, "/"), "").await;
    assert_eq!(document.text(), guarded_page(GuardMode::Enforce));
    let put = request(http, Method::PUT, "/").header("if-match", document.field("etag").unwrap());
    browser.send(put, "").await;
    assert_eq!(app.last().field("if-match"), Some("\"v1\""));
});
