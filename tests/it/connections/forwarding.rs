//! The message fields that cross the gateway, and those that it adds: hop-by-hop fields, forwarding fields, request
//! ids.

use http::Method;

use crate::harness::{ACME, App, Http, Received, Setup, both_versions, ok};

const HEAD: &str = "GET / HTTP/1.1\r\nhost: acme.example\r\n";

#[tokio::test]
async fn hop_by_hop_fields_of_a_request_are_not_forwarded() {
    let app = App::answering(&[("/", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    raw.send(format!(
        "{HEAD}connection: keep-alive, X-Hop\r\nconnection: x-other,upgrade,http2-settings\r\n\
         x-hop: 1\r\nx-other: 2\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\
         proxy-authorization: Basic YQ==\r\nte: gzip\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\
         x-stays: 3\r\n\r\n"
    ))
    .await;
    assert!(raw.read_head().await.starts_with("HTTP/1.1 200 "));
    let received = app.last();
    for name in [
        "connection",
        "x-hop",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "http2-settings",
    ] {
        assert_eq!(received.field(name), None, "{}", received.head);
    }
    assert_eq!(received.field("x-stays"), Some("3"));
}

both_versions!(hop_by_hop_fields_of_an_answer_are_not_forwarded, |http| {
    let fields = [
        "connection: keep-alive, X-Hop",
        "x-hop: 1",
        "keep-alive: timeout=5",
        "proxy-authenticate: Basic",
        "upgrade: h2c",
        "x-stays: 2",
    ];
    let app = App::answering(&[("/", &fields)]).await;
    let answer = Setup::before(&app).start().browser(http).get("/").await;
    for name in ["connection", "x-hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(answer.field(name), None, "{name}");
    }
    assert_eq!(answer.field("x-stays"), Some("2"));
});

#[tokio::test]
async fn tq14_connection_cookie_protects_no_cookie_of_a_request() {
    let app = App::answering(&[("/", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    raw.send(format!(
        "{HEAD}connection: cookie, cookie2, host, authorization\r\n\
         cookie: _ga=1; flexopus_session=s\r\ncookie2: $Version=1\r\nauthorization: Bearer b\r\n\r\n"
    ))
    .await;
    raw.read_head().await;
    assert_eq!(app.last().field("cookie"), Some("flexopus_session=s"));
    assert_eq!(app.last().field("cookie2"), None);
    assert_eq!(app.last().field("host"), Some(ACME));
    assert_eq!(app.last().field("authorization"), Some("Bearer b"));
}

both_versions!(connection_set_cookie_protects_no_cookie_of_an_answer, |http| {
    let fields = [
        "connection: set-cookie, set-cookie2",
        "set-cookie: _ga=1",
        "set-cookie: flexopus_session=s",
        "set-cookie2: a=1",
    ];
    let app = App::answering(&[("/", &fields)]).await;
    let answer = Setup::before(&app).start().browser(http).get("/").await;
    assert_eq!(answer.set_cookies().len(), 1, "{:?}", answer.set_cookies());
    assert!(answer.set_cookie("flexopus_session").contains("Max-Age=604800"));
    assert_eq!(answer.field("set-cookie2"), None);
});

const SPOOFED: [(&str, &str); 9] = [
    ("x-forwarded-for", "1.2.3.4"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-port", "1"),
    ("x-forwarded-prefix", "/evil"),
    ("x_forwarded_for", "5.6.7.8"),
    ("x-real-ip", "1.2.3.4"),
    ("forwarded", "for=1.2.3.4"),
    ("proxy", "http://evil.example"),
];

fn with_spoofed(mut request: http::request::Builder) -> http::request::Builder {
    for (name, value) in SPOOFED {
        request = request.header(name, value);
    }
    request
}

both_versions!(tp10_forwarding_fields_are_those_of_the_gateway, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).start().browser(http);
    browser.send(with_spoofed(browser.request(Method::GET, "/")), "").await;
    let received = app.last();
    assert_eq!(received.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(received.field("x-forwarded-host"), Some(ACME));
    assert_eq!(received.field("x-forwarded-proto"), Some("https"));
    assert_eq!(received.field("x-forwarded-port"), Some("443"));
    assert_eq!(
        received.field("forwarded"),
        Some("for=127.0.0.1;host=\"acme.example\";proto=https")
    );
    for name in ["x-forwarded-prefix", "x_forwarded_for", "x-real-ip", "proxy"] {
        assert_eq!(received.field(name), None, "{name}");
    }
});

both_versions!(forwarding_fields_of_trusted_proxies_are_continued, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let gateway =
        Setup::before(&app).server("trusted_proxies = [\"10.0.0.0/8\", \"127.0.0.1\"]").start();
    let browser = gateway.browser(http);
    browser.send(with_spoofed(browser.request(Method::GET, "/")), "").await;
    let received = app.last();
    assert_eq!(received.field("x-forwarded-for"), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(received.field("x-forwarded-host"), Some("acme.example"));
    assert_eq!(received.field("x-forwarded-proto"), Some("http"));
    assert_eq!(received.field("x-forwarded-port"), Some("1"));
    assert_eq!(received.field("x-forwarded-prefix"), Some("/evil"));
    assert_eq!(received.field("x-real-ip"), Some("1.2.3.4"));
    let forwarded = received.field("forwarded").unwrap();
    assert!(forwarded.starts_with("for=1.2.3.4, for=127.0.0.1;"), "{forwarded}");
    // No proxy can vouch for these: an application would take them for something else.
    assert_eq!(received.field("x_forwarded_for"), None);
    assert_eq!(received.field("proxy"), None);
});

both_versions!(a_host_is_kept_with_its_port, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).start().browser(http);
    let request = match http {
        Http::One => http::Request::get("/").header("host", "Acme.example:8443"),
        Http::Two => http::Request::get("https://Acme.example:8443/"),
    };
    assert_eq!(browser.send(request, "").await.status, 200);
    assert_eq!(app.last().field("host"), Some("Acme.example:8443"));
    assert_eq!(app.last().field("x-forwarded-host"), Some("Acme.example:8443"));
    assert_eq!(app.last().field("x-forwarded-port"), Some("8443"));
});

both_versions!(via_names_the_version_that_was_received, |http| {
    let app = App::answering(&[("/", &["via: 1.1 inner", "server: application"])]).await;
    let browser = Setup::before(&app).start().browser(http);
    let request = browser.request(Method::GET, "/").header("via", "1.0 outer");
    let answer = browser.send(request, "").await;
    let own = match http {
        Http::One => "1.1 crumbgate",
        Http::Two => "2.0 crumbgate",
    };
    assert_eq!(app.last().fields("via"), ["1.0 outer", own]);
    // The gateway does not identify itself to the browser.
    assert_eq!(answer.field("via"), Some("1.1 inner"));
    assert_eq!(answer.field("server"), Some("application"));
});

both_versions!(a_request_id_is_made_and_the_same_on_both_sides, |http| {
    let app = App::answering(&[("/", &["x-request-id: the-application-s"])]).await;
    let browser = Setup::before(&app).start().browser(http);
    let answer = browser.get("/").await;
    let id = answer.field("x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(app.last().field("x-request-id"), Some(&*id));
    let next = browser.get("/").await;
    assert_ne!(next.field("x-request-id"), Some(&*id));
});

both_versions!(a_well_formed_request_id_is_passed_on, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).start().browser(http);
    for (sent, passed) in [("trace-42_a.b", true), ("<script>", false), ("", false)] {
        let request = browser.request(Method::GET, "/").header("x-request-id", sent);
        let answer = browser.send(request, "").await;
        assert_eq!(answer.field("x-request-id") == Some(sent), passed, "{sent:?}");
        assert_eq!(app.last().field("x-request-id"), answer.field("x-request-id"));
    }
});

both_versions!(a_request_id_is_on_error_pages_too, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).start().browser(http);
    let request = browser.request(Method::TRACE, "/").header("x-request-id", "trace-42");
    let answer = browser.send(request, "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("x-request-id"), Some("trace-42"));
    assert!(answer.text().contains("request trace-42"), "{}", answer.text());
});

both_versions!(te_trailers_goes_upstream, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).start().browser(http);
    browser.send(browser.request(Method::GET, "/").header("te", "trailers"), "").await;
    assert_eq!(app.last().field("te"), Some("trailers"));
    assert_eq!(app.last().field("connection"), Some("TE"));
});

#[tokio::test]
async fn of_te_only_trailers_goes_upstream() {
    let app = App::answering(&[("/", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    for (te, passed) in [("gzip, Trailers;q=0.5", Some("trailers")), ("gzip", None)] {
        raw.send(format!("{HEAD}te: {te}\r\n\r\n")).await;
        raw.read_until("hello").await;
        assert_eq!(app.last().field("te"), passed, "{te}");
    }
}

both_versions!(the_gateway_itself_answers_an_expectation, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let browser = Setup::before(&app).start().browser(http);
    browser.send(browser.request(Method::POST, "/").header("expect", "100-continue"), "a").await;
    assert_eq!(app.last().field("expect"), None);
    assert_eq!(app.last().body, b"a");
});

#[tokio::test]
async fn an_absolute_target_becomes_origin_form() {
    let app = App::answering(&[("/a", &[]), ("/", &[]), ("*", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    let cases = [
        ("GET https://acme.example/a?b=c", "/a?b=c"),
        ("GET http://ACME.example", "/"),
        ("GET /a?https://b.example/", "/a?https://b.example/"),
        ("OPTIONS *", "*"),
    ];
    for (line, target) in cases {
        raw.send(format!("{line} HTTP/1.1\r\nhost: acme.example\r\n\r\n")).await;
        let answer = raw.read_until("hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{line}: {answer}");
        assert_eq!(app.last().target(), target);
    }
}

#[tokio::test]
async fn an_http_1_0_client_gets_an_answer_that_ends_with_the_connection() {
    let app = App::replying(|_| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()
    })
    .await;
    let mut raw = Setup::before(&app).start().raw().await;
    raw.send("GET / HTTP/1.0\r\nhost: acme.example\r\n\r\n").await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert!(!answer.contains("transfer-encoding"), "{answer}");
    assert_eq!(app.last().field("via"), Some("1.0 crumbgate"));
    assert!(app.last().head.starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn an_http_1_0_client_may_keep_its_connection() {
    let app = App::answering(&[("/", &[])]).await;
    let mut raw = Setup::before(&app).start().raw().await;
    for _ in 0..2 {
        raw.send("GET / HTTP/1.0\r\nhost: acme.example\r\nconnection: keep-alive\r\n\r\n").await;
        let answer = raw.read_until("hello").await;
        assert!(answer.contains("connection: keep-alive\r\n"), "{answer}");
    }
    assert_eq!(app.received().len(), 2);
}

both_versions!(an_application_s_http_1_0_does_not_affect_the_browser, |http| {
    let app = App::serving(|mut stream, number, received| async move {
        use tokio::io::AsyncWriteExt;
        let request = crate::harness::read_request(&mut stream, &mut Vec::new(), number).await;
        received.lock().unwrap().extend(request);
        stream.write_all(b"HTTP/1.0 200 OK\r\nx-old: 1\r\n\r\nuntil the end").await.unwrap();
    })
    .await;
    let browser = Setup::before(&app).start().browser(http);
    for _ in 0..2 {
        let answer = browser.get("/").await;
        assert_eq!(answer.text(), "until the end");
        assert_eq!(answer.field("x-old"), Some("1"));
        let version = match http {
            Http::One => http::Version::HTTP_11,
            Http::Two => http::Version::HTTP_2,
        };
        assert_eq!(answer.version, version);
        assert_eq!(answer.field("connection"), None);
    }
    assert_eq!(app.connections(), 2);
});

both_versions!(alt_svc_would_bypass_the_gateway_and_is_removed, |http| {
    let app = App::answering(&[("/", &["alt-svc: h3=\":443\""])]).await;
    let answer = Setup::before(&app).start().browser(http).get("/").await;
    assert_eq!(answer.field("alt-svc"), None);
});

both_versions!(a_date_is_added_where_the_application_has_none, |http| {
    let own = "date: Mon, 23 Nov 2026 09:59:30 GMT";
    let app = App::answering(&[("/without", &[]), ("/with", &[own])]).await;
    let browser = Setup::before(&app).start().browser(http);
    let date = browser.get("/without").await.field("date").map(str::to_owned);
    assert_eq!(date.as_deref(), Some("Mon, 23 Nov 2026 10:00:00 GMT"));
    let date = browser.get("/with").await.field("date").map(str::to_owned);
    assert_eq!(date.as_deref(), Some("Mon, 23 Nov 2026 09:59:30 GMT"));
});

both_versions!(t4_report_mode_changes_no_cookie_field, |http| {
    let fields = ["set-cookie: _ga=1", "set-cookie2: a=1"];
    let app = App::answering(&[("/", &fields)]).await;
    let gateway = Setup::before(&app).tenant(ACME, "mode = \"report\"").start();
    let browser = gateway.browser(http);
    let request = browser.request(Method::GET, "/").header("cookie2", "$Version=1");
    let answer = browser.send(request.header("cookie", "_ga=2"), "").await;
    assert_eq!(app.last().field("cookie"), Some("_ga=2"));
    assert_eq!(app.last().field("cookie2"), Some("$Version=1"));
    assert_eq!(answer.set_cookies(), ["_ga=1"]);
    assert_eq!(answer.field("set-cookie2"), Some("a=1"));
});

both_versions!(the_answer_to_head_keeps_the_content_length, |http| {
    let app = App::replying(|request: &Received| match request.method() {
        "HEAD" => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_vec(),
        _ => ok(&[], "hello"),
    })
    .await;
    let browser = Setup::before(&app).start().browser(http);
    let answer = browser.send(browser.request(Method::HEAD, "/"), "").await;
    assert_eq!((answer.field("content-length"), &*answer.body), (Some("5"), &b""[..]));
    assert_eq!(browser.get("/").await.text(), "hello");
    assert_eq!(app.connections(), 1);
});
