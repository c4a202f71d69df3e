//! Rule G6, `agreement = "notice"`: a banner on the application's pages asks those who have not agreed.

use crumbgate_audit::AgreementEvent;
use http::{Method, request::Builder};
use http_body_util::BodyExt;
use rustix::process::Signal;
use tokio::{io::AsyncWriteExt, sync::watch};

use crate::harness::{
    ACME, Answer, App, Exposed, Http, Raw, Received, Running, Setup, Site, both_versions, in_time,
    json_lines, next_part, ok, read_request, request, until,
};

const HTML: &str = "content-type: text/html; charset=utf-8";
const BEFORE: &str = "<!DOCTYPE html><title><body></title><body class=\"a>b\">";
const BEHIND: &str = "<main>Desks</main>";

fn notice(app: &App) -> Setup {
    Setup::before(app).tenant(ACME, "agreement = \"notice\"")
}

fn page() -> String {
    [BEFORE, BEHIND].concat()
}

/// An application whose every answer has these fields and this page.
async fn app(fields: &'static [&'static str], page: String) -> App {
    App::replying(move |request| {
        let mut answer = ok(fields, &page);
        if request.method() == "HEAD" {
            answer.truncate(answer.len() - page.len());
        }
        answer
    })
    .await
}

/// The request of a browser when a person opens a page.
fn navigation(http: Http, path: &str) -> Builder {
    request(http, Method::GET, path)
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, br")
}

/// The part of a page that the gateway added. `None`: the page is the application's alone.
#[track_caller]
fn banner_in(page: &str) -> Option<String> {
    let inside = page.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(BEHIND));
    let inside = inside.unwrap_or_else(|| panic!("something of the page is missing: {page}"));
    assert_eq!(!inside.is_empty(), inside.contains("crumbgate-banner"), "{page}");
    (!inside.is_empty()).then(|| inside.to_owned())
}

/// The number of banners with this outcome.
fn outcomes(gateway: &Running, outcome: &str) -> f64 {
    Exposed::by(gateway).get(&format!("crumbgate_banners_total{{outcome=\"{outcome}\"}}"))
}

fn banners(gateway: &Running) -> f64 {
    Exposed::by(gateway).sum("crumbgate_banners_total")
}

fn shown(gateway: &Running) -> u64 {
    gateway.counters_of(ACME).agreements(AgreementEvent::Shown)
}

#[track_caller]
fn assert_asked_whole(asked: &Received) {
    assert_eq!(asked.field("accept-encoding"), Some("gzip"));
    for name in ["if-none-match", "if-modified-since", "range", "if-range"] {
        assert_eq!(asked.field(name), None, "{name}");
    }
}

const EXACT: [&str; 8] = [
    HTML,
    "etag: \"v1\"",
    "last-modified: Mon, 23 Nov 2026 09:00:00 GMT",
    "accept-ranges: bytes",
    "content-digest: sha-256=:a:",
    "cache-control: private, max-age=60",
    "expires: Mon, 23 Nov 2026 11:00:00 GMT",
    "x-own: kept",
];

both_versions!(g6_a_page_has_a_banner_until_its_reader_agrees, |http| {
    let app = app(&EXACT, page()).await;
    let gateway = notice(&app).start();
    let browser = gateway.browser(http);
    let conditional = |cookie: Option<&str>| {
        let asked = navigation(http, "/desks")
            .header("if-none-match", "\"v1\"")
            .header("if-modified-since", "Mon, 23 Nov 2026 09:00:00 GMT")
            .header("range", "bytes=0-9")
            .header("if-range", "\"v1\"");
        cookie.into_iter().fold(asked, |asked, cookie| asked.header("cookie", cookie))
    };

    let answer = browser.send(conditional(None), "").await;
    let banner = banner_in(&answer.text()).expect("a banner");
    assert_asked_whole(&app.last());
    for name in ["content-length", "etag", "last-modified", "accept-ranges", "content-digest"] {
        assert_eq!(answer.field(name), None, "{name}");
    }
    assert_eq!((answer.field("cache-control"), answer.field("expires")), (Some("no-store"), None));
    assert_eq!((answer.status.as_u16(), answer.field("x-own")), (200, Some("kept")));
    assert_eq!((outcomes(&gateway, "shown"), shown(&gateway)), (1., 1));

    let style = banner.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    let style = browser.send(request(http, Method::GET, style), "").await;
    assert_eq!(style.field("content-type"), Some("text/css; charset=utf-8"));
    let action = banner.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = request(http, Method::POST, action)
        .header("sec-fetch-site", "same-origin")
        .header("referer", format!("https://{ACME}/desks"));
    let agreed = browser.send(form, "").await;
    assert_eq!((agreed.status.as_u16(), agreed.field("location")), (303, Some("/desks")));
    let session = agreed.set_cookie("flexopus_session").split(';').next().unwrap().to_owned();

    let answer = browser.send(conditional(Some(&session)), "").await;
    assert_eq!(banner_in(&answer.text()), None);
    assert_eq!(answer.field("content-length"), Some(&*page().len().to_string()));
    assert_eq!(answer.field("cache-control"), Some("private, max-age=60"));
    assert_eq!(answer.field("etag"), Some("\"v1\""));
    let asked = app.last();
    assert_eq!(asked.field("accept-encoding"), Some("gzip, br"));
    assert_eq!(
        (asked.field("if-none-match"), asked.field("range")),
        (Some("\"v1\""), Some("bytes=0-9"))
    );
    assert_eq!((banners(&gateway), shown(&gateway)), (1., 1));
});

both_versions!(g6_a_banner_is_in_the_browser_s_language, |http| {
    let app = app(&[HTML], page()).await;
    let gateway = notice(&app).start();
    let browser = gateway.browser(http);
    for (language, tag) in [("en", "lang=\"en\""), ("de-AT,de;q=0.9", "lang=\"de\"")] {
        let answer =
            browser.send(navigation(http, "/").header("accept-language", language), "").await;
        assert!(banner_in(&answer.text()).unwrap().contains(tag), "{language}");
    }
});

both_versions!(g6_an_answer_to_no_navigation_has_no_banner_and_is_unchanged, |http| {
    let app = app(&EXACT, page()).await;
    let gateway = notice(&app).start();
    let browser = gateway.browser(http);
    for asked in [
        request(http, Method::GET, "/").header("accept", "*/*"),
        request(http, Method::POST, "/").header("accept", "text/html"),
        navigation(http, "/").header("sec-fetch-dest", "iframe"),
    ] {
        let answer = browser.send(asked.header("if-none-match", "\"v1\""), "").await;
        assert_eq!(banner_in(&answer.text()), None);
        assert_eq!(answer.field("etag"), Some("\"v1\""));
        assert_eq!(app.last().field("if-none-match"), Some("\"v1\""));
    }
    assert_eq!((banners(&gateway), shown(&gateway)), (0., 0));
});

both_versions!(g6_with_agreement_off_or_in_report_mode_no_page_changes, |http| {
    for keys in ["", "seal = true", "agreement = \"notice\"\nmode = \"report\""] {
        let app = app(&EXACT, page()).await;
        let gateway = Setup::before(&app).tenant(ACME, keys).start();
        let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
        assert_eq!(banner_in(&answer.text()), None, "{keys}");
        assert_eq!(answer.field("cache-control"), Some("private, max-age=60"), "{keys}");
        assert_eq!(app.last().field("accept-encoding"), Some("gzip, br"), "{keys}");
        assert_eq!(banners(&gateway), 0., "{keys}");
    }
});

/// Opens a page of an application whose answer has these fields and this body.
async fn open(http: Http, fields: &'static [&'static str], page: String) -> (Answer, Running) {
    let app = app(fields, page).await;
    let gateway = notice(&app).limits("banner_bytes = 1024").start();
    let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
    (answer, gateway)
}

both_versions!(g6_a_page_that_can_not_carry_a_banner_is_unchanged, |http| {
    let cases: [(&str, &'static [&'static str]); 8] = [
        ("compressed", &[HTML, "content-encoding: zstd", "etag: \"v1\""]),
        ("encoding", &["content-type: text/html; charset=utf-16", "etag: \"v1\""]),
        ("encoding", &["content-type: application/xhtml+xml", "etag: \"v1\""]),
        ("forbidden", &[HTML, "content-security-policy: style-src 'none'", "etag: \"v1\""]),
        ("forbidden", &[HTML, "content-security-policy: form-action 'none'", "etag: \"v1\""]),
        ("forbidden", &[HTML, "cache-control: no-transform", "etag: \"v1\""]),
        ("no_page", &["content-type: application/json", "etag: \"v1\""]),
        ("no_page", &[HTML, "content-disposition: attachment", "etag: \"v1\""]),
    ];
    for (outcome, fields) in cases {
        let (answer, gateway) = open(http, fields, page()).await;
        assert_eq!(answer.text(), page(), "{fields:?}");
        assert_eq!(answer.field("etag"), Some("\"v1\""), "{fields:?}");
        assert_eq!(answer.field("content-length"), Some(&*page().len().to_string()), "{fields:?}");
        assert_eq!((outcomes(&gateway, outcome), banners(&gateway)), (1., 1.), "{fields:?}");
        assert_eq!(shown(&gateway), 0, "{fields:?}");
    }
});

both_versions!(g6_a_page_without_a_body_element_is_unchanged_byte_for_byte, |http| {
    let padded =
        |bytes: usize| format!("<!--{}--><body>", "a".repeat(bytes - "<!----><body>".len()));
    for (outcome, page) in [
        ("no_body", "<p>no body tag".to_owned()),
        ("no_body", "<title>never ends <body>".to_owned()),
        ("no_body", String::new()),
        ("forbidden", "<base href='https://other.example/'><body>".to_owned()),
        ("too_large", padded(1025) + BEHIND),
        ("too_large", "<title>".to_owned() + &"a".repeat(300_000)),
    ] {
        let (answer, gateway) = open(http, &[HTML], page.clone()).await;
        assert!(answer.text() == page, "{outcome}");
        assert_eq!((outcomes(&gateway, outcome), banners(&gateway)), (1., 1.), "{outcome}");
        assert_eq!(shown(&gateway), 0, "{outcome}");
    }
    let (answer, gateway) = open(http, &[HTML], padded(1024) + BEHIND).await;
    assert!(answer.text().contains("crumbgate-banner"));
    assert_eq!(outcomes(&gateway, "shown"), 1.);
});

both_versions!(g6_an_error_page_has_a_banner_and_a_redirect_has_none, |http| {
    for (status, outcome) in [(404, "shown"), (500, "shown"), (302, "no_page"), (206, "no_page")] {
        let app = App::replying(move |_| {
            let page = String::from_utf8(ok(&[HTML, "location: /x"], &page())).unwrap();
            page.replacen("200 OK", &format!("{status} X"), 1).into_bytes()
        })
        .await;
        let gateway = notice(&app).start();
        let answer = gateway.browser(http).send(navigation(http, "/"), "").await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(banner_in(&answer.text()).is_some(), outcome == "shown", "{status}");
        assert_eq!((outcomes(&gateway, outcome), banners(&gateway)), (1., 1.), "{status}");
    }
});

both_versions!(g6_a_page_of_any_size_gets_a_banner, |http| {
    let behind: String = (0..400_000).map(|number| format!("{number},")).collect();
    let large = [BEFORE, &*behind, BEHIND].concat();
    let app = app(&[HTML], large).await;
    let gateway = notice(&app).start();
    let text = gateway.browser(http).send(navigation(http, "/"), "").await.text();
    let rest = text.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(BEHIND)).unwrap();
    let banner = rest.strip_suffix(&*behind).expect("all of the page is there");
    assert!(banner.contains("crumbgate-banner") && banner.ends_with("</section>"), "{banner}");
});

both_versions!(g6_each_part_of_a_page_is_sent_at_once, |http| {
    let (go, gone) = watch::channel(0);
    let app = App::serving(move |mut stream, number, _| {
        let mut gone = gone.clone();
        async move {
            read_request(&mut stream, &mut Vec::new(), number).await;
            let head = format!("HTTP/1.1 200 OK\r\n{HTML}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            for (turn, part) in PARTS.into_iter().enumerate() {
                gone.wait_for(|gone| *gone >= turn).await.unwrap();
                stream.write_all(part.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let gateway = notice(&app).start();
    let answer = gateway.browser(http).send_streaming(navigation(http, "/"), "").await;
    let (mut body, mut came) = (answer.into_body(), String::new());
    for (turn, part) in PARTS.into_iter().enumerate() {
        // The next part is sent only after this one has arrived, with the banner if it ends the tag.
        let ends = ["<!DOCTYPE html><bo", "<!DOCTYPE html><body cla", "</section>", BEHIND][turn];
        while !came.ends_with(ends) {
            let more = next_part(&mut body).await.unwrap().expect("the page goes on");
            came += std::str::from_utf8(&more).unwrap();
        }
        assert!(came.contains(part));
        assert_eq!(shown(&gateway), u64::from(turn >= 2));
        go.send(turn + 1).unwrap();
    }
    while let Some(more) = next_part(&mut body).await.unwrap() {
        assert!(more.is_empty(), "nothing is behind the page");
    }
    assert_eq!((outcomes(&gateway, "shown"), banners(&gateway)), (1., 1.));
});

const PARTS: [&str; 4] = ["<!DOCTYPE html><bo", "dy cla", "ss='>'>", BEHIND];

both_versions!(g6_trailers_follow_a_page_with_a_banner, |http| {
    let app = App::replying(|_| {
        let head =
            format!("HTTP/1.1 200 OK\r\n{HTML}\r\ntrailer: x-sum\r\ntransfer-encoding: chunked");
        let part = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let page = page();
        let (first, last) = page.split_at(BEFORE.len() - 3);
        let parts = part(first) + &part(last);
        format!("{head}\r\n\r\n{parts}0\r\nx-sum: 6\r\nset-cookie: _ga=1\r\n\r\n").into_bytes()
    })
    .await;
    let gateway = notice(&app).start();
    let browser = gateway.browser(http);
    for _ in 0..2 {
        let answer = browser.send(navigation(http, "/").header("te", "trailers"), "").await;
        assert!(banner_in(&answer.text()).is_some());
        assert_eq!((answer.trailers.len(), &answer.trailers["x-sum"]), (1, &"6".parse().unwrap()));
    }
    assert_eq!(app.connections(), 1, "the connection is used again");
    assert_eq!((outcomes(&gateway, "shown"), shown(&gateway)), (2., 2));
});

both_versions!(g6_a_truncated_page_does_not_count_as_a_shown_banner, |http| {
    let app = App::serving(|mut stream, number, _| async move {
        read_request(&mut stream, &mut Vec::new(), number).await;
        let head = format!("HTTP/1.1 200 OK\r\n{HTML}\r\ncontent-length: 99\r\n\r\n<title>");
        stream.write_all(head.as_bytes()).await.unwrap();
    })
    .await;
    let gateway = notice(&app).start();
    let answer = gateway.browser(http).send_streaming(navigation(http, "/"), "").await;
    assert!(answer.into_body().collect().await.is_err());
    until("it is counted", || outcomes(&gateway, "broken") == 1.).await;
    assert_eq!((banners(&gateway), shown(&gateway)), (1., 0));
});

both_versions!(g6_a_client_that_leaves_before_the_body_does_not_count_as_a_shown_banner, |http| {
    let app = App::serving(|mut stream, number, _| async move {
        read_request(&mut stream, &mut Vec::new(), number).await;
        let head = format!("HTTP/1.1 200 OK\r\n{HTML}\r\ncontent-length: 99\r\n\r\n<title>");
        stream.write_all(head.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = notice(&app).start();
    let mut client = gateway.streaming(http).await;
    let mut answer = client.get(navigation(http, "/")).await.into_body();
    assert_eq!(next_part(&mut answer).await.unwrap().as_deref(), Some(&b"<title>"[..]));
    client.cut();
    until("it is counted", || outcomes(&gateway, "broken") == 1.).await;
    assert_eq!((banners(&gateway), shown(&gateway)), (1., 0));
});

both_versions!(g6_the_answer_to_head_is_that_of_the_page_with_its_banner, |http| {
    let app = app(&EXACT, page()).await;
    let gateway = notice(&app).start();
    let browser = gateway.browser(http);
    let answer = browser.send(navigation(http, "/").method(Method::HEAD), "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_asked_whole(&app.last());
    for name in ["content-length", "etag", "last-modified", "accept-ranges", "content-digest"] {
        assert_eq!(answer.field(name), None, "{name}");
    }
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!((banners(&gateway), shown(&gateway)), (0., 0), "nobody was shown anything");
    let next = browser.send(navigation(http, "/"), "").await;
    assert!(banner_in(&next.text()).is_some(), "the connection goes on");
});

/// Sends an HTTP/1.0 request, and reads until the gateway closes the connection.
async fn request_in_http_1_0(mut raw: Raw) -> (String, String) {
    raw.send(format!("GET / HTTP/1.0\r\nhost: {ACME}\r\naccept: text/html\r\n\r\n")).await;
    let answer = raw.read_to_end().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn g6_a_page_over_http_1_0_ends_with_its_connection() {
    in_time(async {
        let app = app(&EXACT, page()).await;
        let gateway = notice(&app).start();
        let (head, body) = request_in_http_1_0(gateway.raw().await).await;
        assert!(banner_in(&body).is_some(), "no chunks: {body}");
        assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
    })
    .await;
}

both_versions!(g6_an_access_line_counts_the_bytes_that_left, |http| {
    let app = app(&[HTML], page()).await;
    let site = Site::of(&notice(&app).sections("[log]\nformat = \"json\"\naccess = true"));
    let mut program = site.start();
    let answer = program.browser(http).await.send(navigation(http, "/"), "").await;
    assert!(banner_in(&answer.text()).is_some());
    program.signal(Signal::TERM);
    let printed = program.exit().await.stderr;
    let lines = json_lines(&printed);
    let line = lines.iter().find(|line| line["target"] == "crumbgate::access").unwrap();
    assert_eq!((&line["bytes"], &line["complete"]), (&answer.body.len().into(), &true.into()));
});
