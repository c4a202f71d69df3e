//! The documents that get the script, and their position for it (W1, W2, W6).

use crumbgate_policy::GuardMode;
use http::Method;

use super::{
    BEFORE, BEHIND, HTML, guarded, guarded_page, guards, html, navigation, outcomes, page, script,
    script_with,
};
use crate::harness::{App, Http, Received, both_versions, ok, request};

/// An application whose every answer has these fields and this page.
async fn app(fields: &'static [&'static str], page: String) -> App {
    App::replying(move |request| answer(request, fields, &page)).await
}

fn answer(request: &Received, fields: &[&str], page: &str) -> Vec<u8> {
    let mut answer = ok(fields, page);
    if request.method() == "HEAD" {
        answer.truncate(answer.len() - page.len());
    }
    answer
}

const FIELDS: [&str; 3] = [HTML, "x-own: kept", "content-security-policy: script-src 'self'"];

both_versions!(w1_the_guard_is_first_in_the_head_and_nothing_else_changes, |http| {
    for (keys, mode) in [
        ("guard = \"enforce\"", GuardMode::Enforce),
        ("guard = \"watch\"", GuardMode::Watch),
        ("guard = \"enforce\"\nmode = \"report\"", GuardMode::Watch),
    ] {
        let app = app(&FIELDS, page()).await;
        let gateway = guarded(&app, keys).start();
        let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
        assert_eq!(answer.text(), guarded_page(mode), "{keys}");
        assert_eq!(answer.field("x-own"), Some("kept"));
        assert_eq!(answer.field("content-length"), None);
        let policy = answer.field("content-security-policy").unwrap();
        assert!(policy.starts_with("script-src 'self'"), "{policy}");
        assert!(policy.contains(&*script(mode).csp_source), "{policy}");
        assert_eq!((outcomes(&gateway, "guarded"), guards(&gateway)), (1., 1.));
    }
});

both_versions!(w1_a_position_is_found_in_documents_that_omit_their_head, |http| {
    for (before, behind) in [
        ("<!doctype html><html>\n", "<title>A</title><p>"),
        ("<!doctype html>", "<p>hello"),
        ("", "hello <b>you</b>"),
        ("\u{feff}<!doctype html><head>", "<script>"),
        ("<!doctype html>", ""),
    ] {
        let app = app(&[HTML], [before, behind].concat()).await;
        let gateway = guarded(&app, "guard = \"enforce\"").start();
        let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
        let script = script(GuardMode::Enforce);
        assert_eq!(answer.text(), [before, html(&script), behind].concat());
    }
});

both_versions!(w1_an_answer_to_a_script_is_guarded_only_if_it_is_a_document, |http| {
    let fragment = "<p>a fragment";
    for (page, is_document) in [(page(), true), (fragment.to_owned(), false)] {
        let app = app(&[HTML, "etag: \"v1\""], page.clone()).await;
        let gateway = guarded(&app, "guard = \"enforce\"").start();
        let fetched = request(http, Method::GET, "/").header("sec-fetch-dest", "empty");
        let answer = gateway.browser(http).send(fetched.header("accept", "*/*"), "").await;
        let expected = if is_document { guarded_page(GuardMode::Enforce) } else { page };
        assert_eq!(answer.text(), expected);
        assert_eq!(answer.field("etag"), None, "W5: no 304 confirms it as a guarded document");
        assert_eq!(guards(&gateway), if is_document { 1. } else { 0. });
    }
});

both_versions!(w1_an_answer_that_is_no_document_is_unchanged, |http| {
    let app = app(&["content-type: application/json", "etag: \"v1\""], page()).await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let browser = gateway.browser(http);
    for asked in [
        navigation(http, "/"),
        request(http, Method::GET, "/").header("accept", "*/*"),
        request(http, Method::GET, "/").header("sec-fetch-dest", "image"),
    ] {
        let answer = browser.send(asked, "").await;
        assert_eq!(answer.text(), page());
        assert_eq!(answer.field("content-length"), Some(&*page().len().to_string()));
        assert_eq!(answer.field("etag"), Some("\"v1\""));
    }
    assert_eq!(guards(&gateway), 0.);
});

both_versions!(w5_a_document_that_is_requested_as_something_else_is_kept_by_no_cache, |http| {
    let app = app(&[HTML, "etag: \"v1\"", "cache-control: public, max-age=60"], page()).await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let image = request(http, Method::GET, "/").header("sec-fetch-dest", "image");
    let answer = gateway.browser(http).send(image, "").await;
    assert_eq!(answer.text(), page());
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.field("etag"), None);
});

both_versions!(w1_without_a_guard_no_byte_changes, |http| {
    let app =
        app(&[HTML, "etag: \"v1\"", "content-security-policy: script-src 'self'"], page()).await;
    let gateway = guarded(&app, "").start();
    let asked = navigation(http, "/").header("if-none-match", "\"v0\"");
    let answer = gateway.browser(http).send(asked, "").await;
    assert_eq!(answer.text(), page());
    assert_eq!(answer.field("etag"), Some("\"v1\""));
    assert_eq!(answer.field("content-security-policy"), Some("script-src 'self'"));
    let asked = app.last();
    assert_eq!(asked.field("accept-encoding"), Some("gzip, deflate, br, zstd"));
    assert_eq!(asked.field("if-none-match"), Some("\"v0\""));
    assert_eq!(guards(&gateway), 0.);
});

both_versions!(w1_the_answer_to_head_has_the_fields_of_a_guarded_document, |http| {
    let app =
        app(&[HTML, "etag: \"v1\"", "last-modified: Mon, 23 Nov 2026 09:00:00 GMT"], page()).await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let browser = gateway.browser(http);
    let head = request(http, Method::HEAD, "/").header("accept", "text/html");
    let head = browser.send(head, "").await;
    let document = browser.send(navigation(http, "/"), "").await;
    for name in ["etag", "last-modified", "content-length", "content-type"] {
        assert_eq!(head.field(name), document.field(name), "{name}");
    }
    assert!(head.body.is_empty());
    assert_eq!(guards(&gateway), 1., "the document alone counts");
});

both_versions!(w2_no_name_is_allowed_before_a_required_agreement, |http| {
    let app = app(&[HTML, "etag: \"v1\""], page()).await;
    let keys = "guard = \"enforce\"\nagreement = \"required\"";
    let gateway = guarded(&app, keys).sections("[agreement]\nopen_paths = [\"/open\"]").start();
    let browser = gateway.browser(http);
    let answer = browser.send(navigation(http, "/open"), "").await;
    let script = script_with(GuardMode::Enforce, []);
    assert_eq!(answer.text(), [BEFORE, html(&script), BEHIND].concat());
    assert_eq!(answer.field("cache-control"), Some("no-store"), "it depends on the person");

    let question = browser.send(navigation(http, "/"), "").await;
    assert_eq!(question.status, 403);
    let form = question.text();
    let action = form.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let agree = request(http, Method::POST, action).header("sec-fetch-site", "same-origin");
    assert_eq!(browser.send(agree, "").await.status, 303);
    let answer = browser.send(navigation(http, "/open"), "").await;
    assert_eq!(answer.text(), guarded_page(GuardMode::Enforce));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
});

both_versions!(w6_a_document_that_can_not_be_guarded_is_unchanged_and_counted, |http| {
    let cases: [(&str, &'static [&'static str]); 8] = [
        ("compressed", &[HTML, "content-encoding: zstd", "etag: \"v1\""]),
        ("compressed", &[HTML, "content-encoding: gzip, br", "etag: \"v1\""]),
        ("encoding", &["content-type: text/html; charset=utf-16", "etag: \"v1\""]),
        ("encoding", &["content-type: application/xhtml+xml", "etag: \"v1\""]),
        ("encoding", &["content-type: image/svg+xml", "etag: \"v1\""]),
        ("forbidden", &[HTML, "cache-control: no-transform", "etag: \"v1\""]),
        ("partial", &[HTML, "content-range: bytes 0-9/10", "etag: \"v1\""]),
        ("partial", &[HTML, "content-range: bytes */10", "etag: \"v1\""]),
    ];
    for (outcome, fields) in cases {
        let app = app(fields, page()).await;
        let gateway = guarded(&app, "guard = \"enforce\"").start();
        let browser = gateway.browser(http);
        let answer = browser.send(navigation(http, "/"), "").await;
        assert_eq!(answer.text(), page(), "{fields:?}");
        assert_eq!(answer.field("etag"), Some("\"v1\""), "{fields:?}");
        assert_eq!((outcomes(&gateway, outcome), guards(&gateway)), (1., 1.), "{fields:?}");
        let fetched = request(http, Method::GET, "/").header("sec-fetch-dest", "empty");
        browser.send(fetched, "").await;
        assert_eq!(guards(&gateway), 1., "a script's request is no document");
    }
});

async fn guard_within(http: Http, limit: usize, page: String) -> (String, f64) {
    let app = app(&[HTML], page).await;
    let limits = format!("banner_bytes = {limit}");
    let gateway = guarded(&app, "guard = \"enforce\"").limits(&limits).start();
    let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
    (answer.text(), outcomes(&gateway, "too_large"))
}

both_versions!(w6_a_head_behind_the_limit_is_too_far, |http| {
    let comment = |bytes: usize| format!("<!--{}-->", "a".repeat(bytes - "<!---->".len()));
    let page = comment(1018) + "<head><p>";
    let (text, too_large) = guard_within(http, 1024, page.clone()).await;
    assert_eq!((text.len() > page.len(), too_large), (true, 0.));
    let page = comment(1019) + "<head><p>";
    assert_eq!(guard_within(http, 1024, page.clone()).await, (page, 1.));
});

both_versions!(w6_utf_16_is_recognised_by_its_byte_order_mark, |http| {
    let bytes: &[u8] = b"\xff\xfe<\0h\0e\0a\0d\0>\0";
    let app = App::replying(move |_| [head(bytes.len()).as_bytes(), bytes].concat()).await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
    assert_eq!(answer.body, bytes);
    assert_eq!((outcomes(&gateway, "encoding"), guards(&gateway)), (1., 1.));
});

fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\n{HTML}\r\ncontent-length: {length}\r\n\r\n")
}
