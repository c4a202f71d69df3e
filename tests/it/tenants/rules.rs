//! Rules T: the tenant of a request, changes of the table, and report mode.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use crumbgate_audit::tenants::Tenant;
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, Policy,
    declaration::{Declaration, SessionDuration},
    verdict::{Action, Direction, Reason},
};
use http::{HeaderValue, Method, Request, StatusCode, request::Builder};

use crate::harness::{
    Answer, App, Browser, Holding, Http, Received, Running, Setup, both_versions, ok,
    on_each_worker, spawn,
};

/// A request for this authority, on any connection. It is renewed.
fn request_for(http: Http, authority: &str) -> Builder {
    let request = Request::builder().method(Method::POST).header("cookie", "flexopus_session=s");
    match http {
        Http::One => request.uri("/api/me").header("host", authority),
        Http::Two => request.uri(format!("https://{authority}/api/me")),
    }
}

/// The lifetime that a tenant gave the session, in seconds; `None` where it was not renewed.
fn lifetime_s(answer: &Answer) -> Option<u32> {
    let fields = answer.set_cookies();
    let field = fields.iter().find(|field| field.starts_with("flexopus_session=s; "))?;
    let attribute = field.split("; ").find_map(|part| part.strip_prefix("Max-Age="));
    attribute.and_then(|seconds| seconds.parse().ok())
}

/// Sends a request for each authority on one connection without a server name, and returns status and session duration.
async fn durations(gateway: &Running, http: Http, authorities: &[&str]) -> Vec<(u16, Option<u32>)> {
    let browser = gateway.browser_at(NO_SERVER_NAME, http);
    let mut found = Vec::new();
    for authority in authorities {
        let answer = browser.send(request_for(http, authority), "").await;
        found.push((answer.status.as_u16(), lifetime_s(&answer)));
    }
    found
}

/// A client that names an address sends no server name (RFC 6066, section 3).
const NO_SERVER_NAME: &str = "127.0.0.1";

async fn app() -> App {
    App::replying(|_| ok(&[], "")).await
}

const SERVED: u16 = 200;
const MISDIRECTED: u16 = 421;

both_versions!(t1_the_authority_selects_the_tenant, |http| {
    let app = app().await;
    let gateway = Setup::before(&app)
        .tenant("acme.example", "session = \"1h\"")
        .tenant("globex.example", "session = \"2h\"")
        .start();
    for (authorities, expected) in [
        (["acme.example", "ACME.Example", "acme.example:443", "AcmE.example:8443"], 3600),
        (["globex.example", "Globex.Example", "globex.example:1", "GLOBEX.EXAMPLE:65535"], 7200),
    ] {
        let found = durations(&gateway, http, &authorities).await;
        assert_eq!(found, [(SERVED, Some(expected)); 4], "{authorities:?}");
    }
});

both_versions!(t1_an_exact_host_comes_first_and_a_wildcard_matches_one_label, |http| {
    let app = app().await;
    let gateway = Setup::before(&app)
        .tenant("special.flexopus.example", "session = \"1h\"")
        .tenant("*.flexopus.example", "session = \"2h\"")
        .tenant("*.deep.flexopus.example", "session = \"3h\"")
        .start();
    let hosts = [
        "special.flexopus.example",
        "any.flexopus.example",
        "ANY.Flexopus.example:8443",
        "deep.flexopus.example",
        "a.deep.flexopus.example",
    ];
    let expected = [3600, 7200, 7200, 7200, 10_800].map(|seconds| (SERVED, Some(seconds)));
    assert_eq!(durations(&gateway, http, &hosts).await, expected);
    let strangers = [
        "flexopus.example",
        "a.b.flexopus.example",
        "x.special.flexopus.example",
        "a.b.deep.flexopus.example",
        "any-flexopus.example",
        "any.flexopus.example.",
        "any.flexopus.example.evil.test",
    ];
    assert_eq!(durations(&gateway, http, &strangers).await, [(MISDIRECTED, None); 7]);
});

both_versions!(t1_unknown_hosts_are_refused, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).start();
    let hosts = ["globex.example", "acme.example.evil.test", "127.0.0.1", "[::1]:8443"];
    assert_eq!(durations(&gateway, http, &hosts).await, [(MISDIRECTED, None); 4]);
    assert!(app.received().is_empty());
    assert!(gateway.inner().counters().read().is_empty(), "nobody's cookies were judged");
});

both_versions!(t1_unknown_hosts_are_served_by_default_where_that_is_configured, |http| {
    let app = app().await;
    let gateway = Setup::before(&app)
        .defaults("unknown_hosts = \"default\"\nsession = \"3h\"")
        .tenant("acme.example", "session = \"1h\"")
        .start();
    let hosts = ["acme.example", "globex.example", "a.b.c.test:1", "127.0.0.1", "[::1]:8443"];
    let expected = [3600, 10_800, 10_800, 10_800, 10_800].map(|seconds| (SERVED, Some(seconds)));
    assert_eq!(durations(&gateway, http, &hosts).await, expected);
    let counted = |name: &str| gateway.counters_of(name).of(Direction::Response, Action::Renew);
    assert_eq!((counted("acme.example"), counted(Tenant::DEFAULT_NAME)), (1, 4));
});

#[tokio::test]
async fn t2_a_missing_duplicate_or_contradictory_authority_is_refused() {
    let app = app().await;
    let gateway =
        Setup::before(&app).tenant("acme.example", "").tenant("globex.example", "").start();
    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n",
        "GET / HTTP/1.1\r\nHost: acme.example\r\nHost: acme.example\r\n",
        "GET / HTTP/1.1\r\nHost: acme.example\r\nhost: globex.example\r\n",
        "GET / HTTP/1.1\r\nHost: acme.example, globex.example\r\n",
        "GET / HTTP/1.1\r\nHost: user@acme.example\r\n",
        "GET / HTTP/1.1\r\nHost: acme.example/\r\n",
        "GET / HTTP/1.1\r\nHost: acme.example:port\r\n",
        "GET / HTTP/1.1\r\nHost: *.example\r\n",
        "GET / HTTP/1.1\r\nHost: (default)\r\n",
        "GET https://acme.example/ HTTP/1.1\r\n",
        "GET https://acme.example/ HTTP/1.1\r\nHost: globex.example\r\n",
        "GET https://globex.example/ HTTP/1.1\r\nHost: acme.example\r\n",
        "GET https://acme.example:1/ HTTP/1.1\r\nHost: acme.example:2\r\n",
    ] {
        let mut raw = gateway.raw().await;
        raw.send(format!("{head}\r\n")).await;
        let answer = raw.read_head().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
    }
    assert!(app.received().is_empty());
    let mut raw = gateway.raw().await;
    raw.send("GET https://ACME.example/a HTTP/1.1\r\nHost: acme.example\r\n\r\n").await;
    assert!(raw.read_head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(app.last().target(), "/a");
}

both_versions!(t2_an_http2_authority_other_than_the_host_is_refused, |http| {
    let app = app().await;
    let gateway =
        Setup::before(&app).tenant("acme.example", "").tenant("globex.example", "").start();
    let browser = gateway.browser(http);
    let contradicted = request_for(http, "acme.example").header("host", "globex.example");
    assert_eq!(browser.send(contradicted, "").await.status, StatusCode::BAD_REQUEST);
    assert!(app.received().is_empty());
});

/// The status of the answer to a request for `authority` on a connection that was made for `server_name`.
async fn status(gateway: &Running, http: Http, server_name: &str, authority: &str) -> u16 {
    let browser = gateway.browser_at(server_name, http);
    browser.send(request_for(http, authority), "").await.status.as_u16()
}

both_versions!(t2_a_server_name_of_another_tenant_is_refused, |http| {
    let app = app().await;
    let setup = Setup::before(&app)
        .tenant("acme.example", "")
        .tenant("globex.example", "")
        .tenant("*.flexopus.example", "")
        .tenant("own.flexopus.example", "");
    let gateway = setup.start();
    for (server_name, authority, expected) in [
        ("acme.example", "acme.example", SERVED),
        ("acme.example", "ACME.EXAMPLE:8443", SERVED),
        ("acme.example", "globex.example", MISDIRECTED),
        ("acme.example", "a.flexopus.example", MISDIRECTED),
        ("acme.example", "unknown.test", MISDIRECTED),
        // Two hosts of one tenant.
        ("a.flexopus.example", "b.flexopus.example", SERVED),
        ("a.flexopus.example", "own.flexopus.example", MISDIRECTED),
        ("own.flexopus.example", "a.flexopus.example", MISDIRECTED),
        // A name that belongs to no tenant, and no name.
        ("localhost", "acme.example", SERVED),
        ("localhost", "localhost", MISDIRECTED),
        (NO_SERVER_NAME, "globex.example", SERVED),
    ] {
        let before = app.received().len();
        let answered = status(&gateway, http, server_name, authority).await;
        assert_eq!(answered, expected, "{authority} on a connection for {server_name}");
        assert_eq!(app.received().len() > before, expected == SERVED);
    }
});

both_versions!(t2_a_server_name_of_the_default_tenant_can_not_be_used_for_another, |http| {
    let app = app().await;
    let setup = Setup::before(&app).tenant("acme.example", "");
    let gateway = setup.defaults("unknown_hosts = \"default\"").start();
    for (server_name, authority, expected) in [
        ("localhost", "acme.example", MISDIRECTED),
        ("acme.example", "other.test", MISDIRECTED),
        ("localhost", "other.test", SERVED),
        (NO_SERVER_NAME, "acme.example", SERVED),
    ] {
        let answered = status(&gateway, http, server_name, authority).await;
        assert_eq!(answered, expected, "{authority} on a connection for {server_name}");
    }
});

both_versions!(t2_a_misdirected_request_does_not_close_its_connection, |http| {
    let app = app().await;
    let gateway =
        Setup::before(&app).tenant("acme.example", "").tenant("globex.example", "").start();
    let browser = gateway.browser(http);
    for _ in 0..3 {
        let answer = browser.send(request_for(http, "globex.example"), "").await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
        assert!(answer.set_cookies().is_empty());
        assert_eq!(browser.send(request_for(http, "acme.example"), "").await.status, 200);
    }
    assert_eq!(app.received().len(), 3);
    let requests = |name| gateway.counters_of(name).requests;
    assert_eq!((requests("acme.example"), requests("globex.example")), (3, 0));
});

/// A tenant that enforces, with a session of this many seconds and nothing else of its own.
fn tenant(name: &str, session_s: u32) -> Tenant {
    let policy = Policy {
        declaration: Arc::new(Declaration::flexopus()),
        session: SessionDuration::try_from(u64::from(session_s)).unwrap(),
        mode: Mode::Enforce,
        evict: EvictScope::Host,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    };
    Tenant { name: name.into(), policy, upstream: 0 }
}

/// The session's lifetime in the next answer on this connection; `None` where it is refused.
async fn next_lifetime_s(browser: &Browser) -> Option<u32> {
    lifetime_s(&browser.get_with_cookie("/api/me", "flexopus_session=s").await)
}

both_versions!(t3_a_change_holds_for_the_next_request_on_every_worker, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).server("workers = 2").start();
    let browser = gateway.browser(http);
    let open = on_each_worker(&app, &browser).await;
    let table = gateway.inner().tenants();
    for session_s in (60..3600).step_by(60) {
        table.insert(tenant("acme.example", session_s));
        for connection in &open {
            assert_eq!(next_lifetime_s(connection).await, Some(session_s));
        }
    }
    let fresh = browser.on_another_connection();
    assert_eq!(next_lifetime_s(&fresh).await, Some(3540));
});

both_versions!(t3_tenants_are_added_and_removed_on_open_connections, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).server("workers = 2").start();
    let open = on_each_worker(&app, &gateway.browser(http)).await;
    let found = async || {
        let [one, other] = &open;
        [next_lifetime_s(one).await, next_lifetime_s(other).await]
    };
    let table = gateway.inner().tenants();
    assert_eq!(found().await, [Some(604_800); 2]);
    table.remove("acme.example");
    assert_eq!(found().await, [None; 2]);
    table.insert(tenant("*.example", 120));
    assert_eq!(found().await, [Some(120); 2]);
    table.insert(tenant("acme.example", 180));
    assert_eq!(found().await, [Some(180); 2]);
    table.remove("*.example");
    assert_eq!(found().await, [Some(180); 2]);
    table.remove("acme.example");
    table.set_default(Some(tenant(Tenant::DEFAULT_NAME, 240)));
    assert_eq!(found().await, [Some(240); 2]);
    table.set_default(None);
    assert_eq!(found().await, [None; 2]);
});

both_versions!(t3_mode_eviction_and_upstream_change_on_open_connections, |http| {
    let (app, other_app) = (app().await, app().await);
    let other = format!("[upstreams.other]\nservers = [\"http://{}\"]", other_app.address());
    let gateway = Setup::before(&app).sections(&other).start();
    let browser = gateway.browser(http);
    let table = gateway.inner().tenants();
    let change = |change: fn(&mut Tenant)| {
        let mut changed = tenant("acme.example", 60);
        change(&mut changed);
        table.insert(changed);
    };
    let evicts = async || {
        let answer = browser.get_with_cookie("/", "_ga=1").await;
        answer.set_cookies().iter().any(|field| field.starts_with("_ga=; Max-Age=0; "))
    };
    assert!(evicts().await);
    assert_eq!(app.last().field("cookie"), None);
    change(|tenant| tenant.policy.evict = EvictScope::Off);
    assert!(!evicts().await);
    assert_eq!(app.last().field("cookie"), None);
    change(|tenant| tenant.policy.mode = Mode::Report);
    assert!(!evicts().await);
    assert_eq!(app.last().field("cookie"), Some("_ga=1"));
    change(|tenant| tenant.upstream = 1);
    assert!(evicts().await);
    assert_eq!((app.received().len(), other_app.received().len()), (3, 1));
});

both_versions!(t3_an_exchange_under_way_keeps_its_tenant, |http| {
    let holding = Holding::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&holding.app).start();
    let table = gateway.inner().tenants();
    let browser = Arc::new(gateway.browser(http));
    let next = browser.on_another_connection();
    browser.set_by_script("flexopus_session=s; Path=/", "/");
    table.insert(tenant("acme.example", 60));
    let changed = holding.begin(&browser, "/api/export", "changed").await;
    table.insert(tenant("acme.example", 120));
    assert_eq!(next_lifetime_s(&next).await, Some(120));
    holding.let_go("changed");
    assert_eq!(lifetime_s(&changed.await.unwrap()), Some(60));
    let removed = holding.begin(&browser, "/api/export", "removed").await;
    table.remove("acme.example");
    assert_eq!(next_lifetime_s(&next).await, None);
    holding.let_go("removed");
    assert_eq!(lifetime_s(&removed.await.unwrap()), Some(120));
});

both_versions!(t3_changes_under_traffic_apply_from_the_next_request_on, |http| {
    // Each answer has a duration that was in force between its request's begin and its own end.
    const FIRST_S: u32 = 60;
    const LAST_S: u32 = 360;
    let app = app().await;
    let gateway = Setup::before(&app).server("workers = 2").start();
    let table = gateway.inner().tenants();
    table.insert(tenant("acme.example", FIRST_S));
    let (begun, done) = (Arc::new(AtomicU32::new(FIRST_S)), Arc::new(AtomicU32::new(FIRST_S)));
    let answers = Arc::new(AtomicU32::new(0));
    let open = on_each_worker(&app, &gateway.browser(http)).await;
    let mut readers = Vec::new();
    for connection in
        open.iter().flat_map(|one| [Arc::clone(one), one.on_another_connection().into()])
    {
        let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
        let answers = Arc::clone(&answers);
        readers.push(spawn(async move {
            loop {
                let least = done.load(SeqCst);
                let found = next_lifetime_s(&connection).await.unwrap();
                let most = begun.load(SeqCst);
                assert!((least..=most).contains(&found), "{found} is not in {least}..={most}");
                answers.fetch_add(1, SeqCst);
                if least == LAST_S {
                    return;
                }
            }
        }));
    }
    for session_s in FIRST_S + 1..=LAST_S {
        begun.store(session_s, SeqCst);
        table.insert(tenant("acme.example", session_s));
        done.store(session_s, SeqCst);
        // The next change follows when a request has used the table meanwhile.
        let before = answers.load(SeqCst);
        while answers.load(SeqCst) == before {
            tokio::task::yield_now().await;
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
});

/// A request's method, path and `Cookie` fields, and the `Set-Cookie` fields of its answer.
type Visit = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// Traffic with a verdict of every kind, and with the fields that only some of them concern.
const VISITS: [Visit; 14] = [
    ("GET", "/", &["_ga=GA1.2; flexopus_session=s; XSRF-TOKEN=t"], &["_fbp=1; Domain=.example"]),
    ("GET", "/map-builder/1", &[], &["visitedMapBuilder=2; Expires=never; Path=/map"]),
    ("GET", "/map-builder/1", &["visitedMapBuilder=7"], &[]),
    ("GET", "/map-builder/1", &["a=1; a=2"], &[]),
    ("POST", "/api/me", &["flexopus_session=s; XSRF-TOKEN=t"], &[]),
    ("POST", "/api/me", &["flexopus_session=s; flexopus_session=r;XSRF-TOKEN=a b"], &["=x", "x"]),
    ("GET", "/a/b", &["nameless; =also; ; [x]=9", "_ga=ü; flexopus_session=\"q\""], &[]),
    ("POST", "/login", &["flexopus_session=s"], &["flexopus_session=new", "XSRF-TOKEN=n; secure"]),
    ("POST", "/api/slow", &["flexopus_session=s; XSRF-TOKEN=t"], &[]),
    ("POST", "/api/me", &["flexopus_session=new"], &["flexopus_session = new ;HttpOnly"]),
    ("POST", "/logout", &["flexopus_session=new"], &["flexopus_session=x; Max-Age=0", "_gid=; a"]),
    ("POST", "/api/slow", &["flexopus_session=new"], &[]),
    (
        "GET",
        "/kept",
        &["flexopus_session=s"],
        &["XSRF-TOKEN=t; Max-Age=604800; Expires=Mon, 30 Nov 2026 10:00:00 GMT; Path=/; Secure; \
           SameSite=Lax"],
    ),
    ("OPTIONS", "/api/me", &["flexopus_session=s; _ga=1"], &["_ga=1", "flexopus_session=s"]),
];

/// An application that answers the visit whose number the request names.
async fn visited() -> App {
    App::replying(|request| {
        let number: usize = request.field("x-visit").unwrap().parse().unwrap();
        let fields: Vec<_> =
            VISITS[number].3.iter().map(|field| format!("set-cookie: {field}")).collect();
        let oversize = format!("set-cookie: XSRF-TOKEN={}", "v".repeat(4096));
        let mut fields: Vec<_> = fields.iter().map(String::as_str).collect();
        fields.extend([oversize.as_str(), "set-cookie2: a=b; Version=1"]);
        let head = fields.join("\r\n");
        let trailers = "set-cookie: flexopus_session=t\r\nset-cookie2: _ga=1";
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie, set-cookie2\r\n{head}\r\n\r\n\
             0\r\n{trailers}\r\n\r\n"
        )
        .into_bytes()
    })
    .await
}

/// Makes each visit to this host, each on a connection of its own and without a jar.
async fn visit_all(
    gateway: &Running,
    app: &App,
    host: &str,
    http: Http,
) -> Vec<(Received, Answer)> {
    let mut visits = Vec::new();
    for (number, (method, path, cookies, _)) in VISITS.iter().enumerate() {
        let browser = gateway.browser_at(host, http);
        let mut request = browser.request(method.parse().unwrap(), path);
        for field in *cookies {
            request = request.header("cookie", field.as_bytes());
        }
        let request = request.header("cookie2", "$Version=1").header("te", "trailers");
        let answer = browser.send(request.header("x-visit", number), "").await;
        assert_eq!(answer.status, 200);
        visits.push((app.last(), answer));
    }
    visits
}

both_versions!(t4_report_mode_changes_no_byte_of_any_cookie, |http| {
    let app = visited().await;
    let gateway = Setup::before(&app).tenant("globex.example", "mode = \"report\"").start();
    let visits = visit_all(&gateway, &app, "globex.example", http).await;
    for ((received, answer), (_, path, cookies, set)) in visits.iter().zip(VISITS) {
        let sent = cookies.join("; ");
        assert_eq!(
            received.field("cookie"),
            (!cookies.is_empty()).then_some(sent.as_str()),
            "{path}"
        );
        assert_eq!(received.field("cookie2"), Some("$Version=1"));
        let oversize = format!("XSRF-TOKEN={}", "v".repeat(4096));
        assert_eq!(answer.set_cookies(), [set, &[&oversize]].concat(), "{path}");
        assert_eq!(answer.field("set-cookie2"), Some("a=b; Version=1"));
        assert_eq!(answer.trailers["set-cookie2"], "_ga=1");
        // Over HTTP/1.1 hyper itself writes no Set-Cookie into trailers (RFC 9110, section 6.5.1).
        let misplaced = answer.trailers.get("set-cookie").map(HeaderValue::as_bytes);
        assert_eq!(misplaced, (http == Http::Two).then_some(&b"flexopus_session=t"[..]));
    }
});

both_versions!(t4_report_mode_counts_the_verdicts_of_enforcement, |http| {
    let app = visited().await;
    let gateway = Setup::before(&app)
        .server("workers = 2")
        .tenant("acme.example", "")
        .tenant("globex.example", "mode = \"report\"")
        .start();
    let enforced = visit_all(&gateway, &app, "acme.example", http).await;
    let reported = visit_all(&gateway, &app, "globex.example", http).await;
    let (acme, globex) =
        (gateway.counters_of("acme.example"), gateway.counters_of("globex.example"));
    assert_eq!(acme, globex);
    assert_eq!(acme.requests, VISITS.len() as u64);
    // The traffic has a verdict of each kind, so that the comparison is not empty.
    for (direction, actions) in
        [(Direction::Request, &IN_REQUESTS[..]), (Direction::Response, &IN_RESPONSES[..])]
    {
        for action in actions {
            assert!(acme.of(direction, *action) > 0, "{direction:?} {action:?}");
        }
    }
    // Enforcement does change it.
    let fields = |visits: &[(Received, Answer)]| {
        let of_visit = |(_, answer): &(Received, Answer)| answer.set_cookies().len();
        visits.iter().map(of_visit).collect::<Vec<_>>()
    };
    assert_ne!(fields(&enforced), fields(&reported));
});

const IN_REQUESTS: [Action; 5] = [
    Action::Keep,
    Action::Strip(Reason::Duplicate),
    Action::Strip(Reason::Malformed),
    Action::Strip(Reason::Nameless),
    Action::Strip(Reason::Undeclared),
];

const IN_RESPONSES: [Action; 9] = [
    Action::Evict,
    Action::Inject,
    Action::Keep,
    Action::Renew,
    Action::Rewrite,
    Action::Strip(Reason::Misplaced),
    Action::Strip(Reason::Nameless),
    Action::Strip(Reason::Oversize),
    Action::Strip(Reason::Undeclared),
];

both_versions!(t4_report_mode_refuses_no_cookies_for_their_size, |http| {
    let app = app().await;
    let setup = Setup::before(&app).limits("cookie_bytes = 4096");
    let setup = setup.tenant("acme.example", "").tenant("globex.example", "mode = \"report\"");
    let gateway = setup.start();
    let junk = format!("flexopus_session={}", "1".repeat(5000));
    let enforced = gateway.browser(http).get_with_cookie("/", &junk).await;
    assert_eq!(enforced.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let reported = gateway.browser_at("globex.example", http).get_with_cookie("/", &junk).await;
    assert_eq!((reported.status.as_u16(), reported.set_cookies()), (200, vec![]));
    assert_eq!(app.last().field("cookie"), Some(junk.as_str()));
    assert_eq!(gateway.counters_of("acme.example"), gateway.counters_of("globex.example"));
});

both_versions!(t4_report_mode_remembers_superseded_values_for_enforcement, |http| {
    let app = App::answering(&[
        ("/logout", &["set-cookie: flexopus_session=; Max-Age=0"]),
        ("/api/me", &[]),
    ])
    .await;
    let gateway = Setup::before(&app).tenant("acme.example", "mode = \"report\"").start();
    let browser = gateway.browser(http);
    browser.get_with_cookie("/logout", "flexopus_session=s").await;
    gateway.inner().tenants().insert(tenant("acme.example", 60));
    assert_eq!(next_lifetime_s(&browser).await, None);
});
