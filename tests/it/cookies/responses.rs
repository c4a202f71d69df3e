//! Rules S: the application's `Set-Cookie` fields that the browser receives.

use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::{Method, StatusCode};

use crate::harness::{
    ACME, Answer, App, Browser, Http, Running, Setup, both_versions, ok, request,
};

/// A week, the default duration of a tenant's session, from the time of these tests.
const A_WEEK: &str = "Max-Age=604800; Expires=Mon, 30 Nov 2026 10:00:00 GMT; Path=/; Secure";

/// The attributes of a deletion.
const DELETED: &str = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure";

/// The session's cookie as it leaves, and the CSRF token's.
fn session(value: &str, lifetime: &str) -> String {
    format!("flexopus_session={value}; {lifetime}; HttpOnly; SameSite=Lax")
}

fn token(value: &str, lifetime: &str) -> String {
    format!("XSRF-TOKEN={value}; {lifetime}; SameSite=Lax")
}

/// An application that answers every request with these bytes.
async fn answering(bytes: impl Into<Vec<u8>>) -> App {
    let bytes = bytes.into();
    App::replying(move |_| bytes.clone()).await
}

/// An application that sets these cookies on `/`, each in a field of its own.
async fn setting(cookies: &[&str]) -> App {
    let fields: Vec<_> = cookies.iter().map(|cookie| format!("set-cookie: {cookie}")).collect();
    answering(ok(&fields.iter().map(String::as_str).collect::<Vec<_>>(), "hello")).await
}

/// The application's answer as a script of the page receives it: nothing is evicted, renewed or injected.
async fn fetched(browser: &Browser, http: Http) -> Answer {
    browser.send(request(http, Method::GET, "/"), "").await
}

/// The fields that leave the gateway for this one field.
async fn leaving(http: Http, field: &str) -> Vec<String> {
    let app = setting(&[field]).await;
    let gateway = Setup::before(&app).start();
    let answer = fetched(&gateway.browser(http), http).await;
    answer.set_cookies().into_iter().map(str::to_owned).collect()
}

/// The number of fields that were stripped for this reason.
pub(super) fn stripped(gateway: &Running, reason: Reason) -> u64 {
    gateway.counters_of(ACME).of(Direction::Response, Action::Strip(reason))
}

both_versions!(s1_an_undeclared_cookie_is_removed_with_its_field, |http| {
    let app = setting(&[
        "_ga=GA1.2; Path=/; Max-Age=63072000",
        " \t_gid\t=1",
        "Flexopus_Session=1",
        "flexopus%5Fsession=1",
        "flexopus_session[]=1",
        "\"flexopus_session\"=1",
        "__Host-flexopus_session=1",
        "_ga=1, flexopus_session=2",
    ])
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let answer = fetched(&browser, http).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.fields.contains_key("set-cookie"), "{:?}", answer.set_cookies());
    assert!(browser.jar().is_empty());
    assert_eq!(stripped(&gateway, Reason::Undeclared), 8);
});

both_versions!(s1_each_field_is_judged_by_itself, |http| {
    let app = setting(&["_ga=1", "flexopus_session=s", "_gid=2", "XSRF-TOKEN=t", "_fbp=3"]).await;
    let gateway = Setup::before(&app).start();
    let answer = fetched(&gateway.browser(http), http).await;
    assert_eq!(answer.set_cookies(), [session("s", A_WEEK), token("t", A_WEEK)]);
});

both_versions!(s2_attributes_are_built_from_the_declaration_in_their_order, |http| {
    for field in [
        "flexopus_session=s",
        " flexopus_session\t= s ",
        "flexopus_session=s; expires=Mon, 23-Nov-2026 12:00:00 GMT; Max-Age=7200; path=/; httponly; samesite=lax",
        "flexopus_session=s; Domain=.example; Path=/x; Priority=High; Partitioned; SameSite=None",
        "flexopus_session=s; MAX-AGE=1; max-age=99999999999999999999; EXPIRES=never",
        "flexopus_session=s;;;=;=x",
        "flexopus_session=s; path=/, _ga=1",
    ] {
        assert_eq!(leaving(http, field).await, [session("s", A_WEEK)], "{field}");
    }
});

both_versions!(s2_each_declared_cookie_has_its_own_attributes, |http| {
    let app = setting(&["visitedMapBuilder=1", "XSRF-TOKEN=a%3D\"b\"=", "flexopus_session="]).await;
    let gateway = Setup::before(&app).start();
    let answer = fetched(&gateway.browser(http), http).await;
    let three_weeks = "Max-Age=1814400; Expires=Mon, 14 Dec 2026 10:00:00 GMT; Path=/; Secure";
    assert_eq!(
        answer.set_cookies(),
        [
            format!("visitedMapBuilder=1; {three_weeks}; SameSite=Lax"),
            token("a%3D\"b\"=", A_WEEK),
            session("", A_WEEK),
        ]
    );
});

both_versions!(s2_the_lifetime_is_the_tenant_s_session, |http| {
    let app = setting(&["flexopus_session=s; Max-Age=31536000"]).await;
    let gateway = Setup::before(&app).tenant(ACME, "session = \"2h\"").start();
    let answer = fetched(&gateway.browser(http), http).await;
    let two_hours = "Max-Age=7200; Expires=Mon, 23 Nov 2026 12:00:00 GMT; Path=/; Secure";
    assert_eq!(answer.set_cookies(), [session("s", two_hours)]);
});

both_versions!(s2_expires_is_the_response_s_date_plus_max_age, |http| {
    let date = "date: Sun, 22 Nov 2026 23:59:59 GMT";
    let app = answering(ok(&[date, "set-cookie: flexopus_session=s"], "hello")).await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let lifetime = "Max-Age=604800; Expires=Sun, 29 Nov 2026 23:59:59 GMT; Path=/; Secure";
    let answer = fetched(&browser, http).await;
    assert_eq!(answer.set_cookies(), [session("s", lifetime)]);
    assert_eq!(answer.field("date"), Some("Sun, 22 Nov 2026 23:59:59 GMT"));
});

both_versions!(s2_without_a_date_it_is_the_gateway_s, |http| {
    let app = setting(&["flexopus_session=s"]).await;
    let gateway = Setup::before(&app).start();
    gateway.advance(3600);
    let answer = fetched(&gateway.browser(http), http).await;
    let lifetime = "Max-Age=604800; Expires=Mon, 30 Nov 2026 11:00:00 GMT; Path=/; Secure";
    assert_eq!(answer.set_cookies(), [session("s", lifetime)]);
    assert_eq!(answer.field("date"), Some("Mon, 23 Nov 2026 11:00:00 GMT"));
});

both_versions!(s2_path_domain_and_http_only_are_the_declaration_s, |http| {
    let app = setting(&["own=1; Path=/; Domain=example; SameSite=Lax", "flexopus_session=s"]).await;
    let declaration = "[[cookies]]\nname = \"own\"\nlifetime = \"90s\"\npath = \"/app\"\n\
                       domain = \"acme.example\"\nhttp_only = true\nsame_site = \"none\"";
    let gateway = Setup::before(&app).sections(declaration).start();
    let answer = fetched(&gateway.browser(http), http).await;
    assert_eq!(
        answer.set_cookies(),
        ["own=1; Max-Age=90; Expires=Mon, 23 Nov 2026 10:01:30 GMT; Path=/app; \
          Domain=acme.example; Secure; HttpOnly; SameSite=None"]
    );
});

both_versions!(s3_a_stricter_samesite_strict_is_kept, |http| {
    for (asked, leaves) in [
        ("Strict", "Strict"),
        ("sTRICT", "Strict"),
        ("Lax", "Lax"),
        ("None", "Lax"),
        ("Other", "Lax"),
        ("Strict; SameSite=Lax", "Lax"),
        ("Lax; SameSite=Strict", "Strict"),
    ] {
        let left = leaving(http, &format!("XSRF-TOKEN=t; SameSite={asked}")).await;
        assert_eq!(left, [format!("XSRF-TOKEN=t; {A_WEEK}; SameSite={leaves}")], "{asked}");
    }
});

both_versions!(s4_a_deletion_stays_a_deletion, |http| {
    for attributes in [
        "Max-Age=0",
        "Max-Age=-1",
        "max-age=000; expires=Fri, 01 Jan 2038 00:00:00 GMT",
        "expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/; httponly",
        "expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "Expires=Mon, 23 Nov 2026 09:59:59 GMT",
        "Expires=Mon Nov 23 09:59:59 2026",
        "Expires=Sunday, 22-Nov-26 09:59:59 GMT; Max-Age=soon",
    ] {
        let left = leaving(http, &format!("flexopus_session=gone; {attributes}")).await;
        assert_eq!(left, [session("gone", DELETED)], "{attributes}");
    }
});

both_versions!(s4_a_cookie_that_is_not_deleted_is_kept, |http| {
    for attributes in [
        "Max-Age=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Max-Age=; Expires=Mon, 23 Nov 2026 10:00:01 GMT",
        "Expires=0",
        "Expires=never",
        "Max-Age=+0",
    ] {
        let left = leaving(http, &format!("flexopus_session=s; {attributes}")).await;
        assert_eq!(left, [session("s", A_WEEK)], "{attributes}");
    }
});

both_versions!(s4_a_logout_empties_the_jar, |http| {
    let app = App::answering(&[
        ("/login", &["set-cookie: flexopus_session=s", "set-cookie: XSRF-TOKEN=t"]),
        (
            "/logout",
            &[
                "set-cookie: flexopus_session=; Max-Age=0",
                "set-cookie: XSRF-TOKEN=; expires=Thu, 01-Jan-1970 00:00:01 GMT",
            ],
        ),
    ])
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    browser.post("/login").await;
    assert_eq!(browser.jar(), ["flexopus_session=s", "XSRF-TOKEN=t"]);
    browser.post("/logout").await;
    assert_eq!(app.last().field("cookie"), Some("flexopus_session=s; XSRF-TOKEN=t"));
    assert!(browser.jar().is_empty(), "{:?}", browser.jar());
});

/// A tracker, and a session that must be rewritten.
const BOTH: &str = "set-cookie: _ga=1\r\nset-cookie: flexopus_session=s; Path=/x\r\n";

both_versions!(s5_every_final_status_is_judged, |http| {
    let app = App::replying(|request| {
        let status = request.target().trim_start_matches('/');
        let body = if status == "204" { "" } else { "content-length: 0\r\n" };
        let location = if status.starts_with('3') { "location: /\r\n" } else { "" };
        format!("HTTP/1.1 {status} Such\r\n{location}{body}{BOTH}\r\n").into_bytes()
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let statuses = [
        200, 201, 202, 203, 204, 206, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405,
        409, 410, 413, 418, 419, 422, 429, 431, 451, 500, 501, 502, 503, 504, 599,
    ];
    for status in statuses {
        let answer = browser.send(request(http, Method::GET, &format!("/{status}")), "").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.set_cookies(), [session("s", A_WEEK)], "{status}");
    }
    assert_eq!(stripped(&gateway, Reason::Undeclared), statuses.len() as u64);
});

both_versions!(s5_the_answer_to_head_is_judged_too, |http| {
    let app = answering(format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n{BOTH}\r\n")).await;
    let gateway = Setup::before(&app).start();
    let answer = gateway.browser(http).send(request(http, Method::HEAD, "/"), "").await;
    assert_eq!(answer.set_cookies(), [""; 0]);
    assert_eq!(answer.field("content-length"), Some("5"));
    let counts = [Reason::Undeclared, Reason::Misplaced].map(|reason| stripped(&gateway, reason));
    assert_eq!(counts, [1, 1]);
});

both_versions!(s5_interim_answers_with_cookies_reach_no_browser, |http| {
    let app = answering(format!(
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n{BOTH}\r\n\
         HTTP/1.1 102 Processing\r\n{BOTH}\r\nHTTP/1.1 100 Continue\r\n{BOTH}\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 5\r\nset-cookie: XSRF-TOKEN=t\r\n\r\nhello"
    ))
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for _ in 0..2 {
        let answer = fetched(&browser, http).await;
        assert_eq!((answer.status, &*answer.text()), (StatusCode::OK, "hello"));
        assert_eq!(answer.set_cookies(), [token("t", A_WEEK)]);
        assert_eq!(browser.jar(), ["XSRF-TOKEN=t"]);
    }
    assert_eq!(app.connections(), 1);
});

#[tokio::test]
async fn s5_no_interim_answer_is_forwarded_byte_for_byte() {
    let app =
        answering(format!("HTTP/1.1 103 Early Hints\r\n{BOTH}\r\nHTTP/1.1 204 No Content\r\n\r\n"))
            .await;
    let mut raw = Setup::before(&app).start().raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: acme.example\r\nconnection: close\r\n\r\n").await;
    let all = raw.read_to_end().await;
    assert!(all.starts_with("HTTP/1.1 204 No Content\r\n"), "{all}");
    assert!(!all.to_ascii_lowercase().contains("cookie"), "{all}");
}

#[tokio::test]
async fn s5_the_answer_of_an_upgrade_is_judged() {
    let app = answering(format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{BOTH}\r\n"
    ))
    .await;
    let gateway = Setup::before(&app).start();
    let mut raw = gateway.raw().await;
    raw.send(
        "GET /socket HTTP/1.1\r\nhost: acme.example\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncookie: _ga=1; XSRF-TOKEN=t\r\n\r\n",
    )
    .await;
    let head = raw.read_head().await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert_eq!(set_cookies(&head), [session("s", A_WEEK)]);
    assert_eq!(app.last().field("cookie"), Some("XSRF-TOKEN=t"));
}

/// The values of the `Set-Cookie` fields of a raw head.
fn set_cookies(head: &str) -> Vec<&str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")).map(|(_, v)| v).collect()
}

both_versions!(s5_a_cookie_of_the_trailers_is_removed_and_counted, |http| {
    let app = answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Sum: 6\r\nSet-Cookie: flexopus_session=s\r\nSet-Cookie: _ga=1\r\n\r\n",
    )
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let answer = browser.send(request(http, Method::GET, "/").header("te", "trailers"), "").await;
    assert_eq!(answer.text(), "abc");
    assert_eq!(answer.trailers.len(), 1, "{:?}", answer.trailers);
    assert_eq!(answer.trailers["x-sum"], "6");
    assert_eq!(stripped(&gateway, Reason::Misplaced), 2);
});

both_versions!(s6_a_field_that_no_browser_would_store_is_stripped, |http| {
    let fits = format!("XSRF-TOKEN={}", "x".repeat(4096 - "XSRF-TOKEN".len()));
    let oversize = format!("{fits}x");
    let cookies =
        ["flexopus_session", "=flexopus_session=s", "", ";", "; Path=/", &oversize, &fits];
    let app = setting(&cookies).await;
    let gateway = Setup::before(&app).start();
    let answer = fetched(&gateway.browser(http), http).await;
    assert_eq!(answer.set_cookies(), [format!("{fits}; {A_WEEK}; SameSite=Lax")]);
    assert_eq!(stripped(&gateway, Reason::Nameless), 5);
    assert_eq!(stripped(&gateway, Reason::Oversize), 1);
});

both_versions!(s6_a_control_byte_is_never_passed_on, |http| {
    for byte in ["\0", "\x01", "\x0b", "\x1b", "\x7f"] {
        let app = setting(&[&format!("flexopus_session=a{byte}b"), "XSRF-TOKEN=t"]).await;
        let answer = fetched(&Setup::before(&app).start().browser(http), http).await;
        // HTTP forbids it already: such an answer is malformed.
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (502, 0), "{byte:?}");
    }
    // White space is no control byte of a cookie (RFC 6265bis, section 5.6): browsers keep it.
    assert_eq!(leaving(http, "flexopus_session=a\tb").await, [session("a\tb", A_WEEK)]);
});

both_versions!(s6_set_cookie2_is_removed, |http| {
    let fields = ["set-cookie2: flexopus_session=s; Version=1", "sEt-cOoKiE2: _ga=1"];
    let app = answering(ok(&fields, "hello")).await;
    let answer = fetched(&Setup::before(&app).start().browser(http), http).await;
    assert_eq!(answer.field("set-cookie2"), None);
    assert_eq!(answer.set_cookies(), [""; 0]);
});

both_versions!(s7_several_fields_of_one_name_are_all_rewritten_in_their_order, |http| {
    let app = setting(&[
        "flexopus_session=1",
        "XSRF-TOKEN=t",
        "flexopus_session=2; Max-Age=0",
        "flexopus_session=3",
    ])
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let expected =
        [session("1", A_WEEK), token("t", A_WEEK), session("2", DELETED), session("3", A_WEEK)];
    assert_eq!(fetched(&browser, http).await.set_cookies(), expected);
    let mut jar = browser.jar();
    jar.sort();
    assert_eq!(jar, ["XSRF-TOKEN=t", "flexopus_session=3"]);
});

both_versions!(s8_the_gateway_s_own_answers_set_no_cookie, |http| {
    let app = setting(&["_ga=1"]).await;
    let gateway = Setup::before(&app).limits("body_bytes = 10").start();
    let browser = gateway.browser(http);
    let sent = "_ga=1; flexopus_session=s";
    let misdirected = match http {
        Http::One => http::Request::get("/").header("host", "nobody.example"),
        Http::Two => http::Request::get("https://nobody.example/"),
    };
    let cases = [
        (misdirected.header("accept", "text/html"), "", 421),
        (browser.request(Method::TRACE, "/"), "", 405),
        (browser.request(Method::POST, "/api/book"), "eleven bytes", 413),
    ];
    for (request, body, status) in cases {
        let answer = browser.send(request.header("cookie", sent), body).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.set_cookies(), [""; 0], "{status}");
    }
    assert!(app.received().is_empty());
});

both_versions!(s8_a_502_in_the_application_s_place_sets_no_cookie, |http| {
    let app = answering("this is not HTTP\r\n\r\n").await;
    let browser = Setup::before(&app).start().browser(http);
    let answer = browser.get_with_cookie("/api/book", "_ga=1; flexopus_session=s").await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.set_cookies(), [""; 0]);
});

both_versions!(ts7_a_malformed_line_makes_the_answer_a_502_without_its_fields, |http| {
    for line in [
        "x-a: 1\r\n set-cookie: flexopus_session=s",
        "set-cookie: _ga=1;\r\n\tset-cookie: flexopus_session=s",
        " set-cookie: flexopus_session=s",
        "set-cookie : flexopus_session=s",
        "set-cookie\t: flexopus_session=s",
        "set cookie: flexopus_session=s",
        "set-cookie",
        ": flexopus_session=s",
        "set-cookie\0: flexopus_session=s",
        "set-cookie: flexopus_session=s\0x-new: 1",
        "set-cookie: flexopus_session=s\rx-new: 1",
        "set-cookie: flexopus_session=s\r\rx-new: 1",
    ] {
        let app = answering(ok(&["x-own: 1", "set-cookie: XSRF-TOKEN=t", line], "hello")).await;
        let gateway = Setup::before(&app).start();
        let answer = fetched(&gateway.browser(http), http).await;
        assert_eq!(answer.status, 502, "{line:?}");
        for name in ["set-cookie", "x-own", "x-a", "x-new"] {
            assert_eq!(answer.field(name), None, "{line:?}");
        }
        assert_eq!(gateway.counters_of(ACME).seen(Direction::Response), 0, "{line:?}");
    }
});

both_versions!(ts7_a_bare_line_feed_ends_a_line_and_hides_no_field_behind_it, |http| {
    // A lone LF is a line's end for browsers too (RFC 9112, section 2.2): what follows it is judged by itself.
    let line = "set-cookie: flexopus_session=s; Path=/\nset-cookie: _ga=1\nset-cookie2: a=1";
    let app = answering(ok(&[line], "hello")).await;
    let gateway = Setup::before(&app).start();
    let answer = fetched(&gateway.browser(http), http).await;
    assert_eq!(answer.set_cookies(), [session("s", A_WEEK)]);
    assert_eq!(answer.field("set-cookie2"), None);
    assert_eq!(stripped(&gateway, Reason::Undeclared), 1);
});
