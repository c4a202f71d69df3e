//! Rules R: the browser's cookies that the application receives.

use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::{HeaderMap, HeaderValue, Method};

use crate::harness::{ACME, App, Browser, Running, Setup, both_versions, count, head_of, request};

/// An application, and a gateway before it with the declaration that Flexopus publishes.
async fn before_an_application() -> (App, Running) {
    let app = App::answering(&[("/", &[])]).await;
    let gateway = Setup::before(&app).start();
    (app, gateway)
}

/// The `Cookie` field that the application receives for these fields of one request.
async fn upstream(browser: &Browser, app: &App, cookies: &[&[u8]]) -> Option<String> {
    let request = browser.request(Method::GET, "/");
    let request = cookies.iter().fold(request, |request, cookie| request.header("cookie", *cookie));
    assert_eq!(browser.send(request, "").await.status, 200);
    app.last().field("cookie").map(str::to_owned)
}

/// The number of pairs that were stripped for this reason.
fn stripped(gateway: &Running, reason: Reason) -> u64 {
    gateway.counters_of(ACME).of(Direction::Request, Action::Strip(reason))
}

both_versions!(r1_all_cookie_fields_are_one_list, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    // Within a field a separator is a semicolon with or without a space; crumbs are joined by both.
    let cases: [(&[&[u8]], Option<&str>); 6] = [
        (&[b"XSRF-TOKEN=t", b"flexopus_session=s"], Some("XSRF-TOKEN=t; flexopus_session=s")),
        (&[b"_ga=1", b"XSRF-TOKEN=t", b"_gid=2"], Some("XSRF-TOKEN=t")),
        (&[b"flexopus_session=s;XSRF-TOKEN=t", b""], Some("flexopus_session=s; XSRF-TOKEN=t")),
        (&[b"flexopus_session=1", b"flexopus_session=2"], Some("flexopus_session=1")),
        (&[b"_ga=1", b"_gid=2"], None),
        (&[b"", b""], None),
    ];
    for (sent, expected) in cases {
        assert_eq!(upstream(&browser, &app, sent).await.as_deref(), expected, "{sent:?}");
    }
});

both_versions!(r2_only_declared_names_go_upstream, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent =
        b"_ga=GA1.2; flexopus_session=s; Flexopus_Session=x; flexopus.session=y; XSRF-TOKEN=t";
    let goes = upstream(&browser, &app, &[sent]).await;
    assert_eq!(goes.as_deref(), Some("flexopus_session=s; XSRF-TOKEN=t"));
});

both_versions!(r2_a_name_that_php_would_turn_into_the_session_is_undeclared, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let names = [
        "Flexopus_Session",
        "flexopus.session",
        "flexopus%5Fsession",
        "flexopus session",
        "flexopus_session[]",
        "flexopus[session",
    ];
    for name in names {
        let sent = format!("{name}=stolen");
        assert_eq!(upstream(&browser, &app, &[sent.as_bytes()]).await, None, "{name}");
    }
    assert_eq!(stripped(&gateway, Reason::Undeclared), names.len() as u64);
});

both_versions!(r3_duplicate_names_keep_the_first, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent = b"flexopus_session=1; XSRF-TOKEN=t; flexopus_session=2; flexopus_session=1";
    let goes = upstream(&browser, &app, &[sent]).await;
    assert_eq!(goes.as_deref(), Some("flexopus_session=1; XSRF-TOKEN=t"));
    assert_eq!(stripped(&gateway, Reason::Duplicate), 2);
});

both_versions!(r3_after_a_malformed_first_pair_the_second_is_a_duplicate, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent = b"flexopus_session=a b; flexopus_session=2; XSRF-TOKEN=t";
    assert_eq!(upstream(&browser, &app, &[sent]).await.as_deref(), Some("XSRF-TOKEN=t"));
    assert_eq!(stripped(&gateway, Reason::Malformed), 1);
    assert_eq!(stripped(&gateway, Reason::Duplicate), 1);
});

both_versions!(r4_a_pair_without_a_name_is_stripped, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent = b"flexopus_session; =x; =flexopus_session=z; XSRF-TOKEN=t";
    assert_eq!(upstream(&browser, &app, &[sent]).await.as_deref(), Some("XSRF-TOKEN=t"));
    assert_eq!(stripped(&gateway, Reason::Nameless), 3);
    // The name without a value was no pair of that name: the real one is not a duplicate.
    let sent = b"flexopus_session; flexopus_session=s";
    assert_eq!(upstream(&browser, &app, &[sent]).await.as_deref(), Some("flexopus_session=s"));
});

both_versions!(r5_a_value_contains_only_cookie_octets, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let malformed: [&[u8]; 9] =
        [b"a b", b"a\tb", b"a,b", b"a\\b", b"a\"b", b"\"a", b"a\"", b"\"a\"b\"", b"a\xc3\xa4"];
    for value in malformed {
        let sent = [b"flexopus_session=", value, b"; XSRF-TOKEN=t"].concat();
        let goes = upstream(&browser, &app, &[&sent]).await;
        assert_eq!(goes.as_deref(), Some("XSRF-TOKEN=t"), "{value:?}");
    }
    assert_eq!(stripped(&gateway, Reason::Malformed), malformed.len() as u64);
    for value in ["", "\"\"", "\"a\"", "a=b==", "eyJpdiI6Ii8r%3D!#$&'()*+-./:<>?@[]^_`{|}~"] {
        let sent = format!("flexopus_session={value}");
        assert_eq!(upstream(&browser, &app, &[sent.as_bytes()]).await, Some(sent));
    }
});

both_versions!(r5_pairs_split_at_every_semicolon_quotes_or_not, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent = b"_ga=\"x; flexopus_session=evil; y\"; XSRF-TOKEN=t";
    let goes = upstream(&browser, &app, &[sent]).await;
    assert_eq!(goes.as_deref(), Some("flexopus_session=evil; XSRF-TOKEN=t"));
    let sent = b"_ga=\"x; flexopus_session=evil\"; XSRF-TOKEN=t";
    assert_eq!(upstream(&browser, &app, &[sent]).await.as_deref(), Some("XSRF-TOKEN=t"));
});

both_versions!(r6_a_field_with_only_kept_pairs_is_unchanged, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    for sent in [
        "flexopus_session=s; XSRF-TOKEN=t; visitedMapBuilder=1",
        "XSRF-TOKEN=t;;flexopus_session=s ;",
        "visitedMapBuilder=\"1\";XSRF-TOKEN=a=b",
    ] {
        assert_eq!(upstream(&browser, &app, &[sent.as_bytes()]).await.as_deref(), Some(sent));
    }
});

both_versions!(r6_kept_pairs_retain_their_order_and_their_bytes, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent = b"visitedMapBuilder=\"1\";_ga=1;  XSRF-TOKEN=a=b\t;; flexopus_session=";
    let goes = upstream(&browser, &app, &[sent]).await;
    assert_eq!(goes.as_deref(), Some("visitedMapBuilder=\"1\"; XSRF-TOKEN=a=b; flexopus_session="));
});

both_versions!(r6_a_field_without_kept_pairs_is_removed, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    for sent in [&b"_ga=1; _gid=2"[..], b"flexopus_session", b";", b"; ;", b""] {
        assert_eq!(upstream(&browser, &app, &[sent]).await, None, "{sent:?}");
    }
});

both_versions!(r7_cookie2_is_removed, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let request = browser.request(Method::GET, "/");
    let request = request.header("cookie2", "$Version=1").header("Cookie2", "flexopus_session=s");
    browser.send(request.header("cookie", "XSRF-TOKEN=t"), "").await;
    assert_eq!(app.last().field("cookie2"), None);
    assert_eq!(app.last().field("cookie"), Some("XSRF-TOKEN=t"));
});

both_versions!(r7_a_cookie_of_the_trailers_is_removed_and_counted, |http| {
    let (app, gateway) = before_an_application().await;
    let mut client = gateway.streaming(http).await;
    let upload = request(http, Method::POST, "/").header("trailer", "x-sum, cookie");
    let (feed, coming) = client.send(upload).await;
    assert!(feed.part("abc").await);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("6"));
    trailers.insert("cookie", HeaderValue::from_static("flexopus_session=s; _ga=1"));
    feed.trailers(trailers).await;
    count(head_of(coming).await.into_body()).await.unwrap();
    assert_eq!(app.last().trailers.to_ascii_lowercase(), "x-sum: 6\r\n");
    assert_eq!(app.last().field("cookie"), None);
    assert_eq!(stripped(&gateway, Reason::Misplaced), 2);
});

/// A `Cookie` field whose declared pair has exactly this number of bytes.
fn cookie_of(bytes: usize) -> String {
    let head = "flexopus_session=";
    format!("junk=1; {head}{}", "x".repeat(bytes - head.len()))
}

/// The default of `limits.cookie_bytes`.
const COOKIE_BYTES: usize = 49_152;

both_versions!(r8_declared_cookies_up_to_the_limit_go_upstream, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let sent = cookie_of(COOKIE_BYTES);
    let goes = upstream(&browser, &app, &[sent.as_bytes()]).await;
    assert_eq!(goes.as_deref(), sent.strip_prefix("junk=1; "));
});

both_versions!(r8_one_byte_above_the_limit_is_431_before_any_upstream_work, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let answer = browser.get_with_cookie("/", cookie_of(COOKIE_BYTES + 1)).await;
    assert_eq!(answer.status, 431);
    assert_eq!((app.received().len(), app.connections()), (0, 0));
    // The connection stays open.
    assert_eq!(browser.get_with_cookie("/", "flexopus_session=s").await.status, 200);
});

both_versions!(r8_crumbs_are_measured_together, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let with_crumbs = |bytes: usize| {
        let crumb = "x".repeat(bytes);
        let request = browser.request(Method::GET, "/");
        (0..90).fold(request, |request, n| request.header("cookie", format!("j{n}={crumb}")))
    };
    // More than a browser can send, and more than is read.
    assert_eq!(browser.send(with_crumbs(8_500), "").await.status, 200);
    assert_eq!(browser.send(with_crumbs(12_000), "").await.status, 431);
    assert_eq!(app.received().len(), 1);
});

both_versions!(r8_only_a_navigation_s_431_evicts, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let junk = cookie_of(COOKIE_BYTES + 1);
    let navigation = browser.get_with_cookie("/", &junk).await;
    assert!(navigation.set_cookies()[0].starts_with("junk=; Max-Age=0; "));
    let by_script = request(http, Method::GET, "/").header("accept", "*/*");
    let posted = browser.request(Method::POST, "/");
    for other in [by_script, posted] {
        let answer = browser.send(other.header("cookie", &junk), "").await;
        assert_eq!(answer.status, 431);
        assert_eq!(answer.set_cookies(), [""; 0]);
    }
    assert!(app.received().is_empty());
});

both_versions!(r8_more_cookies_than_browsers_send_are_one_verdict, |http| {
    let (app, gateway) = before_an_application().await;
    let browser = gateway.browser(http);
    let junk: String = (0..198).map(|n| format!("a{n}=1; ")).collect();
    let sent = format!("XSRF-TOKEN=t; {junk}b=1; flexopus_session=s; XSRF-TOKEN=u; c=1");
    let goes = upstream(&browser, &app, &[sent.as_bytes()]).await;
    assert_eq!(goes.as_deref(), Some("XSRF-TOKEN=t"));
    let goes = upstream(&browser, &app, &[b"a=1; ".repeat(100_000).as_slice()]).await;
    assert_eq!(goes, None);
    // The second field ends with a separator, so an empty part is counted as well.
    assert_eq!(stripped(&gateway, Reason::Excess), 3 + 100_001 - 200);
    assert_eq!(stripped(&gateway, Reason::Undeclared), 199 + 200);
    assert_eq!(stripped(&gateway, Reason::Duplicate), 0);
});
