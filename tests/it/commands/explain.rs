//! `crumbgate explain`: it agrees with the gateway, and no input can disturb a terminal.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crumbgate_gateway::metrics::RejectionReason;
use http::{HeaderValue, Request};
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use crate::harness::{
    ACME, App, Exposed, Finished, Http, Running, Setup, Site, both_versions, in_time,
    without_variables,
};

/// One exchange, as it is sent and as `curl -v` prints it.
#[derive(Clone, Debug)]
struct Exchange {
    method: &'static str,
    path: &'static str,
    accept: &'static str,
    cookies: Vec<Vec<u8>>,
    status: u16,
    cache_control: &'static str,
    set_cookies: Vec<Vec<u8>>,
}

/// Names in every spelling, and the bytes that can stand around them.
const NAMES: [&str; 12] = [
    "flexopus_session",
    "flexopus_session",
    "XSRF-TOKEN",
    "visitedMapBuilder",
    "wide",
    "token",
    "_ga",
    "Flexopus_Session",
    "flexopus.session",
    "a[]",
    "__Host-x",
    "",
];
const VALUES: [&str; 8] = ["1", "2", "\"quoted\"", "a b", "a,b", "", "ü", "eyJpdiI6Im%3D"];
const ATTRIBUTES: [&str; 9] = [
    "Max-Age=0",
    "Max-Age=60",
    "expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "Expires=Fri, 31 Dec 2034 23:59:59 GMT",
    "SameSite=Strict",
    "SameSite=None; Partitioned",
    "Domain=.example",
    "Path=/x; HttpOnly",
    "Max-Age=604800; Expires=Mon, 30 Nov 2026 10:00:00 GMT; Path=/; Secure; SameSite=Lax",
];

fn any_pair() -> impl Strategy<Value = String> {
    (select(&NAMES[..]), prop::bool::weighted(0.95), select(&VALUES[..])).prop_map(
        |(name, has_sign, value)| format!("{name}{}{value}", if has_sign { "=" } else { "" }),
    )
}

fn any_cookie_field() -> impl Strategy<Value = Vec<u8>> {
    let separators = select(&["; ", ";", " ;; "][..]);
    let field = (prop::collection::vec(any_pair(), 1..8), separators)
        .prop_map(|(pairs, separator)| pairs.join(separator).trim().as_bytes().to_vec());
    prop_oneof![
        20 => field,
        1 => Just(b"_ga\xff=\x80; flexopus_session=1\xfe".to_vec()),
        1 => Just(format!("flexopus_session={}; _ga=1", "v".repeat(2000)).into_bytes()),
    ]
}

fn any_set_cookie() -> impl Strategy<Value = Vec<u8>> {
    let attributes = prop::collection::vec(select(&ATTRIBUTES[..]), 0..4);
    let field = (any_pair(), attributes).prop_map(|(pair, attributes)| {
        let parts: Vec<_> = std::iter::once(pair.as_str()).chain(attributes).collect();
        parts.join("; ").trim().as_bytes().to_vec()
    });
    prop_oneof![
        20 => field,
        1 => Just(b"XSRF-TOKEN=\xff\x80".to_vec()),
        1 => Just(format!("XSRF-TOKEN={}", "v".repeat(4090)).into_bytes()),
    ]
}

fn any_exchange() -> impl Strategy<Value = Exchange> {
    let request = (
        select(vec!["GET", "GET", "GET", "HEAD", "POST", "OPTIONS"]),
        select(vec!["/", "/api/me?x=/", "/api/me", "/map-builder/3", "/a/b/c"]),
        select(vec!["text/html,*/*;q=0.8", "*/*"]),
        prop::collection::vec(any_cookie_field(), 0..3),
    );
    let answer = (
        select(vec![200, 200, 302, 304, 401, 419, 500]),
        select(vec!["private", "private", "public"]),
        prop::collection::vec(any_set_cookie(), 0..5),
    );
    (request, answer).prop_map(|((method, path, accept, cookies), answer)| {
        let (status, cache_control, set_cookies) = answer;
        Exchange { method, path, accept, cookies, status, cache_control, set_cookies }
    })
}

const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";

impl Exchange {
    /// The application's answer.
    fn answer(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Answered\r\n", self.status).into_bytes();
        for (name, value) in self.answer_fields() {
            head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        head
    }

    fn answer_fields(&self) -> Vec<(&str, &[u8])> {
        let plain =
            [("date", DATE), ("cache-control", self.cache_control), ("content-length", "0")];
        let plain = plain.into_iter().map(|(name, value)| (name, value.as_bytes()));
        plain.chain(self.set_cookies.iter().map(|value| ("set-cookie", value.as_slice()))).collect()
    }

    /// The same as `curl -v` prints it.
    fn transcript(&self, host: &str) -> Vec<u8> {
        let mut lines = vec![
            format!("> {} {} HTTP/1.1", self.method, self.path).into_bytes(),
            format!("> Host: {host}").into_bytes(),
            format!("> Accept: {}", self.accept).into_bytes(),
        ];
        lines.extend(self.cookies.iter().map(|cookie| [b"> Cookie: ", &cookie[..]].concat()));
        lines.push(b"> ".to_vec());
        lines.push(format!("< HTTP/1.1 {} Answered", self.status).into_bytes());
        let line = |(name, value): (&str, &[u8])| [b"< ", name.as_bytes(), b": ", value].concat();
        lines.extend(self.answer_fields().into_iter().map(line));
        lines.push(b"< \r".to_vec());
        lines.push(b"* Connection #0 left intact\n".to_vec());
        lines.join(&b"\r\n"[..])
    }
}

/// One cookie of each way of renewing, wide ones and strict ones.
const DECLARATION: &str = r#"
[[cookies]]
name = "flexopus_session"
renew_on = { paths = ["/api/*"] }
[[cookies]]
name = "XSRF-TOKEN"
http_only = false
inject = "off"
renew_on = { paths = ["/*"] }
[[cookies]]
name = "visitedMapBuilder"
lifetime = "3w"
inject = { value = "1" }
same_site = "strict"
renew_on = { methods = ["GET"], paths = ["/map-builder/*"] }
[[cookies]]
name = "wide"
domain = "acme.example"
path = "/a"
same_site = "none"
inject = { value = "\"w\"" }
renew_on = { paths = ["/*"] }
"#;

both_versions!(an_explanation_agrees_with_the_gateway, |http| {
    let mut met = BTreeSet::new();
    for (declaration, evict) in [("", "host"), (DECLARATION, "domain")] {
        met.extend(agrees_on(100, declaration, evict, "enforce", http).await);
    }
    met.extend(agrees_on(60, DECLARATION, "host", "report", http).await);
    let fates = [
        "evicted",
        "injected",
        "kept",
        "not-evicted",
        "not-renewed",
        "renewed",
        "rewritten",
        "stripped",
    ];
    assert_eq!(met, fates.map(str::to_owned).into(), "every fate was met");
});

/// Sends random exchanges through a gateway, one after the other; explains the same ones at once; compares the bytes.
/// Returns the fates that occurred.
async fn agrees_on(
    exchanges: usize,
    declaration: &str,
    evict: &str,
    mode: &str,
    http: Http,
) -> BTreeSet<String> {
    let next = Arc::new(Mutex::new(VecDeque::new()));
    let answers = Arc::clone(&next);
    let app = App::replying(move |_| answers.lock().unwrap().pop_front().unwrap()).await;
    let setup = Setup::before(&app)
        .tenant(ACME, &format!("evict = {evict:?}\nmode = {mode:?}"))
        .limits("cookie_bytes = 1024")
        .sections(declaration);
    let site = Site::of(&setup);
    let gateway = setup.start();
    let browser = gateway.browser(http);

    let mut runner = TestRunner::new(Config::default());
    let mut random = || any_exchange().new_tree(&mut runner).unwrap().current();
    let exchanges: Vec<_> = (0..exchanges).map(|_| random()).collect();
    let transcripts: Vec<_> = exchanges.iter().map(|exchange| exchange.transcript(ACME)).collect();
    fs::write(site.path("transcript"), transcripts.concat()).unwrap();
    let explained = json(&site.run(&["explain", "--json", "transcript"]).await);
    let explained = explained["exchanges"].as_array().unwrap();
    assert_eq!(explained.len(), exchanges.len());

    for (exchange, explained) in exchanges.iter().zip(explained) {
        let before = app.received().len();
        *next.lock().unwrap() = VecDeque::from([exchange.answer()]);
        let request = Request::builder().method(exchange.method).header("accept", exchange.accept);
        let mut request = match http {
            Http::One => request.uri(exchange.path).header("host", ACME),
            Http::Two => request.uri(format!("https://{ACME}{}", exchange.path)),
        };
        // The jar is empty: it adds nothing.
        request = if exchange.cookies.is_empty() { request.header("cookie", "") } else { request };
        for cookie in &exchange.cookies {
            request = request.header("cookie", HeaderValue::from_bytes(cookie).unwrap());
        }
        let answer = browser.send(request, "").await;
        let context = format!("{exchange:?}\n{explained:#}");
        assert_eq!(u64::from(answer.status.as_u16()), explained["status"], "{context}");

        let leaves = &explained["leaves"];
        let received = app.received().split_off(before).pop();
        let sent = received.as_ref().map(|received| received.fields("cookie"));
        let reported =
            bytes(&leaves["cookie"]).map(|field| String::from_utf8_lossy(&field).into_owned());
        match sent {
            None => assert_eq!(leaves["upstream"], "refused", "{context}"),
            Some(_) if exchange.cookies.is_empty() => {
                assert_eq!(leaves["upstream"], "absent", "{context}");
            }
            // A space at the end of a field is not part of its value (RFC 9110, section 5.5): no receiver sees it.
            Some(sent) => {
                assert_eq!(
                    sent,
                    Vec::from_iter(reported.as_deref().map(str::trim_end)),
                    "{context}"
                );
            }
        }
        let arrived = answer.fields.get_all("set-cookie");
        let mut arrived: Vec<_> = arrived.iter().map(|value| value.as_bytes().to_vec()).collect();
        let reported = leaves["set_cookie"].as_array().unwrap().iter();
        let mut reported: Vec<_> = reported.map(|value| bytes(value).unwrap()).collect();
        if leaves["upstream"] == "refused" {
            // The first deletion depends on the time, and the gateway's clock stands still here.
            arrived.sort();
            reported.sort();
        }
        assert_eq!(shown(&arrived), shown(&reported), "{context}");
    }
    let cookies = explained.iter().flat_map(|exchange| exchange["cookies"].as_array().unwrap());
    cookies.map(|cookie| cookie["fate"].as_str().unwrap().to_owned()).collect()
}

/// A way to provoke a rejection.
enum Provocation {
    /// A head that does.
    Head(String),
    /// None: no head alone does, for this reason.
    NoHead(&'static str),
}

/// Returns the ways to provoke each rejection. A new reason must be added here.
fn provocations(reason: RejectionReason) -> Vec<Provocation> {
    use Provocation::{Head, NoHead};
    let get = |fields: &str| Head(format!("GET /page HTTP/1.1\r\n{fields}\r\n"));
    let host = "host: acme.example\r\n";
    let asks = "host: globex.example\r\n";
    match reason {
        RejectionReason::AgreementRequired => vec![
            Head(format!("GET /api/me HTTP/1.1\r\n{asks}\r\n")),
            Head(format!(
                "GET /api/me HTTP/1.1\r\n{asks}cookie: flexopus_session=a; _ga=b\r\n\r\n"
            )),
            Head(format!("POST /login HTTP/1.1\r\n{asks}content-length: 0\r\n\r\n")),
        ],
        // Without a Host the command asks for the tenant; the unit tests of `explain` have that case.
        RejectionReason::Authority => vec![
            get("host: acme.example\r\nhost: acme.example\r\n"),
            get("host: a b\r\n"),
            Head(format!("GET http://other.example/ HTTP/1.1\r\n{host}\r\n")),
            Head("GET http://acme.example/ HTTP/1.1\r\n\r\n".to_owned()),
        ],
        RejectionReason::BodyTooLarge => {
            vec![Head(format!("POST / HTTP/1.1\r\n{host}content-length: 11\r\n\r\n"))]
        }
        RejectionReason::CookieTooLarge => {
            vec![get(&format!("{host}cookie: flexopus_session={}\r\n", "v".repeat(1024)))]
        }
        RejectionReason::CrossSite => vec![
            Head(format!("POST {PAGE}/agree HTTP/1.1\r\n{host}content-length: 0\r\n\r\n")),
            Head(format!(
                "POST {PAGE}/withdraw HTTP/1.1\r\n{asks}origin: https://evil.example\r\ncontent-length: 0\r\n\r\n"
            )),
        ],
        RejectionReason::Framing => vec![Head(format!(
            "POST / HTTP/1.1\r\n{host}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
        ))],
        RejectionReason::HeadTooLarge => {
            vec![get(&format!("{host}x: {}\r\n", "x".repeat(9_000)))]
        }
        RejectionReason::Method => vec![
            Head(format!("TRACE / HTTP/1.1\r\n{host}\r\n")),
            Head("CONNECT acme.example:443 HTTP/1.1\r\nhost: acme.example:443\r\n\r\n".to_owned()),
        ],
        RejectionReason::Misdirected => vec![get("host: nobody.example\r\n")],
        RejectionReason::TooManyFields => {
            let fields: String = (0..41).map(|number| format!("x-{number}: 1\r\n")).collect();
            // Over HTTP/1.1 hyper answers first.
            vec![Head(format!("GET /page HTTP/2\r\n{host}{fields}\r\n"))]
        }
        RejectionReason::Upgrade => {
            vec![
                Head(format!("GET /upgrade HTTP/1.1\r\n{host}\r\n")),
                Head(format!(
                    "GET /h2c HTTP/1.1\r\n{host}connection: upgrade\r\nupgrade: websocket\r\n\r\n"
                )),
            ]
        }
        RejectionReason::BodyBroken | RejectionReason::BodyLate => {
            vec![NoHead("it depends on the arrival of the body")]
        }
        RejectionReason::Overloaded
        | RejectionReason::SourceConnections
        | RejectionReason::TooManyConnections => {
            vec![NoHead("it depends on the other connections")]
        }
        RejectionReason::UpstreamBroken
        | RejectionReason::UpstreamBusy
        | RejectionReason::UpstreamFraming
        | RejectionReason::UpstreamLate
        | RejectionReason::UpstreamUnreachable => {
            vec![NoHead("no answer of the application was admitted, so that nothing was judged")]
        }
    }
}

const PAGE: &str = "/.well-known/cookies";

/// Returns the application's answer to a target.
fn answer_to(target: &str) -> &'static str {
    match target {
        "/upgrade" => "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
        "/h2c" => "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
        _ => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: _ga=1\r\n\r\n",
    }
}

/// A gateway before [`answer_to`], and the site with its configuration.
async fn gateway_with_limits() -> (App, Site, Running) {
    let app = App::replying(|request| answer_to(request.target()).as_bytes().to_vec()).await;
    let setup = Setup::before(&app)
        .tenant(ACME, "")
        .tenant("globex.example", "agreement = \"required\"")
        .limits("body_bytes = 10\nhead_bytes = 8192\nhead_fields = 40\ncookie_bytes = 1024");
    let site = Site::of(&setup);
    let gateway = setup.start();
    (app, site, gateway)
}

/// Sends a head to a gateway, and returns the status of the answer, and the explanation of the same head.
async fn sent_and_explained(gateway: &Running, site: &Site, head: &str) -> (u64, Value) {
    let host = if head.contains("globex.example") { "globex.example" } else { ACME };
    let target = head.split(' ').nth(1).unwrap();
    let status = if head.contains(" HTTP/2\r\n") {
        let request = Request::builder().uri(format!("https://{host}{target}"));
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        let fields = fields.filter(|(name, _)| *name != "host");
        let request = fields.fold(request, |request, (name, value)| request.header(name, value));
        u64::from(gateway.browser(Http::Two).send(request, "").await.status.as_u16())
    } else {
        let mut raw = gateway.raw_at(host).await;
        raw.send(head).await;
        raw.read_head().await.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let head = head.split_once("\r\n\r\n").unwrap().0;
    let transcript = format!("{head}\r\n\r\n{}", answer_to(target));
    fs::write(site.path("transcript"), transcript).unwrap();
    let explained = json(&site.run(&["explain", "--json", "transcript"]).await);
    (status, explained["exchanges"][0].clone())
}

#[tokio::test]
async fn an_explanation_rejects_a_request_for_the_reason_for_which_the_gateway_rejects_it() {
    in_time(Box::pin(async {
        let (_app, site, gateway) = gateway_with_limits().await;
        let mut not_by_a_head = BTreeSet::new();
        for (reason, word) in RejectionReason::ALL {
            for provocation in provocations(reason) {
                let head = match provocation {
                    Provocation::Head(head) => head,
                    Provocation::NoHead(why) => {
                        not_by_a_head.insert((word, why));
                        continue;
                    }
                };
                let series = format!("crumbgate_rejections_total{{reason=\"{word}\"}}");
                let before = Exposed::by(&gateway).get(&series);
                let (status, explained) = sent_and_explained(&gateway, &site, &head).await;
                let context = format!("{word}: {head}\n{explained:#}");
                assert_eq!(Exposed::by(&gateway).get(&series), before + 1., "{context}");
                assert_eq!(explained["status"], status, "{context}");
                assert_eq!(explained["refusal"]["rejection"], word, "{context}");
            }
        }
        assert_eq!(not_by_a_head.len(), 10, "{not_by_a_head:?}");
    }))
    .await;
}

#[tokio::test]
async fn an_explanation_of_the_gateways_own_pages_has_the_status_that_the_gateway_answers() {
    in_time(Box::pin(async {
        let (app, site, gateway) = gateway_with_limits().await;
        let host = "host: globex.example\r\n";
        let html = "accept: text/html\r\n";
        for (request, fields, status, is_forwarded) in [
            ("GET /.well-known/cookies", "", 200, false),
            ("HEAD /.well-known/cookies", "", 200, false),
            ("DELETE /.well-known/cookies", "", 405, false),
            ("GET /.well-known/cookies/agree", "", 303, false),
            ("POST /.well-known/cookies/agree", "sec-fetch-site: same-origin\r\n", 303, false),
            ("GET /page", html, 403, false),
            ("GET /page", "accept: */*\r\ncookie: flexopus_session=a\r\n", 200, true),
            ("GET /logo.svg", "", 200, true),
            ("OPTIONS /page", "", 200, true),
        ] {
            let before = app.received().len();
            let head = format!("{request} HTTP/1.1\r\n{host}{fields}content-length: 0\r\n\r\n");
            let (got, explained) = sent_and_explained(&gateway, &site, &head).await;
            let context = format!("{head}{explained:#}");
            assert_eq!((got, &explained["status"]), (status, &status.into()), "{context}");
            assert_eq!(app.received().len() > before, is_forwarded, "{context}");
            assert_eq!(explained["leaves"]["upstream"] != "refused", is_forwarded, "{context}");
        }
        let agreed =
            ["explain", "--json", "--tenant", "globex.example", "--agreed", "--navigation"];
        let agreed = json(&site.run(&agreed).await);
        assert_eq!(agreed["exchanges"][0]["status"], 200);
    }))
    .await;
}

#[tokio::test]
async fn an_explanation_of_the_gateways_own_pages_has_the_deletions_that_leave_with_them() {
    in_time(Box::pin(async {
        let app = App::replying(|_| unreachable!("the application is not asked")).await;
        let setup = Setup::before(&app).tenant(ACME, "agreement = \"required\"");
        let site = Site::of(&setup);
        let gateway = setup.start();
        let html = "accept: text/html\r\n";
        let form = "sec-fetch-site: same-origin\r\ncontent-length: 0\r\n";
        for (request, fields, fates, rule) in [
            ("GET /desks/7", html, &["_fbp", "_ga"][..], "E1"),
            ("GET /.well-known/cookies", html, &["_fbp", "_ga"], "E1"),
            ("GET /.well-known/cookies/withdrawn", html, &["_fbp", "_ga"], "E1"),
            ("POST /.well-known/cookies/withdraw", form, &["_fbp", "_ga"], "E4"),
            ("GET /.well-known/cookies", "accept: application/json\r\n", &[], "E1"),
            ("POST /.well-known/cookies/decline", form, &[], "E1"),
        ] {
            let cookie = "cookie: _ga=1; flexopus_session=s; _fbp=2; a b=3\r\n";
            let head = format!("{request} HTTP/1.1\r\nhost: {ACME}\r\n{fields}{cookie}");
            let mut raw = gateway.raw_at(ACME).await;
            raw.send(&format!("{head}\r\n")).await;
            let answer = raw.read_head().await;
            let mut arrived: Vec<_> =
                answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect();
            arrived.sort_unstable();
            fs::write(site.path("transcript"), format!("{head}\r\nHTTP/1.1 200 OK\r\n\r\n"))
                .unwrap();
            let explained = json(&site.run(&["explain", "--json", "transcript"]).await);
            let explained = &explained["exchanges"][0];
            let context = format!("{request}\n{answer}\n{explained:#}");
            let leaves = explained["leaves"]["set_cookie"].as_array().unwrap().iter();
            let mut leaves: Vec<_> = leaves.map(|field| field.as_str().unwrap()).collect();
            leaves.sort_unstable();
            assert_eq!(arrived, leaves, "{context}");
            let cookies = explained["cookies"].as_array().unwrap().iter();
            let evicted = cookies.filter(|cookie| cookie["fate"] == "evicted");
            let mut names: Vec<_> = evicted
                .inspect(|cookie| assert_eq!(cookie["rules"], serde_json::json!([rule])))
                .map(|cookie| cookie["name"].as_str().unwrap())
                .collect();
            names.sort_unstable();
            assert_eq!(names, fates, "{context}");
        }
    }))
    .await;
}

fn shown(fields: &[Vec<u8>]) -> Vec<String> {
    fields.iter().map(|field| field.escape_ascii().to_string()).collect()
}

/// Bytes as the JSON output writes them.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.as_bytes().to_vec()),
        other => Some(STANDARD.decode(other["base64"].as_str().unwrap()).unwrap()),
    }
}

#[track_caller]
fn json(finished: &Finished) -> Value {
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

/// A folder without a configuration.
fn empty() -> Site {
    let site = Site::with_config("");
    fs::remove_file(site.path("config.toml")).unwrap();
    site
}

/// The output of `curl -v` from the sample application.
const CURL_V: &str = include_str!("curl-v.txt");

#[tokio::test]
async fn a_pasted_transcript_is_explained_from_a_file_and_from_standard_input() {
    in_time(async {
        let site = empty();
        fs::write(site.path("curl.txt"), CURL_V).unwrap();
        let from_file = site.run(&["explain", "curl.txt"]).await;
        assert_eq!((from_file.code, &*from_file.stderr), (Some(0), ""), "{from_file:?}");
        let piped = feed(&site, &["explain", "-"], CURL_V.as_bytes());
        assert_eq!(piped.stdout, from_file.stdout);
        let squeezed: Vec<_> = from_file
            .stdout
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in [
            "There is no config.toml: the built-in declaration and the defaults are used.",
            "GET / at 127.0.0.1, tenant (default): enforce, session 1w",
            "answered 200 by the application",
            "_ga stripped R2 not declared",
            "flexopus_session kept R6 declared; byte for byte",
            "flexopus_session stripped R3 a pair of this name came before it",
            "flexopus.session stripped S1 not declared: it is not flexopus_session, byte for byte",
            "(no name) stripped S6 it has no name",
            "visitedMapBuilder not renewed D3 GET / does not renew it; GET on /map-builder/* does",
            "Cookie: flexopus_session=abc",
            "Set-Cookie: _ga=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure",
        ] {
            assert!(squeezed.iter().any(|other| other == line), "{line} in {}", from_file.stdout);
        }
        let at_acme = site.run(&["explain", "--tenant", "Acme.example:8443", "curl.txt"]).await;
        assert!(at_acme.stdout.contains("GET / at acme.example, "), "{}", at_acme.stdout);
    })
    .await;
}

/// Runs it with these bytes as its standard input.
fn feed(site: &Site, arguments: &[&str], input: &[u8]) -> Finished {
    let mut command = site.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may close its input early: that is no failure here.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Finished { code: output.status.code(), stdout, stderr }
}

#[tokio::test]
async fn options_override_the_transcript() {
    in_time(async {
        let site = empty();
        fs::write(site.path("curl.txt"), CURL_V).unwrap();
        let finished = site
            .run(&[
                "explain",
                "--json",
                "--path",
                "/api/me",
                "--method",
                "POST",
                "--status",
                "401",
                "--cookie",
                "Cookie: XSRF-TOKEN=t",
                "--cookie",
                "_ga=1",
                "--set-cookie",
                "set-cookie: flexopus_session=s",
                "--cache-control",
                "no-store",
                "curl.txt",
            ])
            .await;
        let explained = &json(&finished)["exchanges"][0];
        assert_eq!((&explained["method"], &explained["path"]), (&"POST".into(), &"/api/me".into()));
        assert_eq!(
            (&explained["status"], &explained["tenant"]),
            (&401.into(), &"(default)".into())
        );
        assert_eq!(explained["leaves"]["cookie"], "XSRF-TOKEN=t");
        assert_eq!(explained["leaves"]["set_cookie"].as_array().unwrap().len(), 1);
        let of = |name: &str, fate: &str| {
            let mut cookies = explained["cookies"].as_array().unwrap().iter();
            cookies.find(|cookie| cookie["name"] == name && cookie["fate"] == fate).cloned()
        };
        assert_eq!(of("XSRF-TOKEN", "not-renewed").unwrap()["rules"], serde_json::json!(["N3"]));
        assert!(of("_ga", "evicted").is_none());
        let page = site.run(&["explain", "--json", "--navigation", "--cookie", "_ga=1"]).await;
        assert!(page.stdout.contains("\"evicted\""), "{}", page.stdout);
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_known_tenant_is_refused() {
    in_time(async {
        let setup = || Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
        let one = Site::of(&setup());
        let finished = one.run(&["explain", "--cookie", "_ga=1"]).await;
        assert!(
            finished.stdout.starts_with("GET / at acme.example, tenant acme.example: "),
            "{finished:?}"
        );

        let many = (0..7)
            .fold(setup().tenant("*.flexopus.example", "mode = \"report\""), |setup, n| {
                setup.tenant(&format!("t{n}.example"), "")
            });
        let many = Site::of(&many);
        let finished = many.run(&["explain", "--cookie", "_ga=1"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(2), ""), "{finished:?}");
        let reported = "write one of --tenant www.flexopus.example, --tenant t0.example, ";
        assert!(finished.stderr.contains(reported), "{}", finished.stderr);
        assert!(finished.stderr.contains("or one of 3 more"), "{}", finished.stderr);
        let wild =
            many.run(&["explain", "--cookie", "_ga=1", "--tenant", "x.flexopus.example"]).await;
        for words in
            ["What leaves, in report mode, for the application (untouched)", "What would leave, if"]
        {
            assert!(wild.stdout.contains(words), "{}", wild.stdout);
        }
        let unknown = many.run(&["explain", "--cookie", "_ga=1", "--tenant", "acme.example"]).await;
        assert_eq!(unknown.code, Some(0), "421 is what the gateway would answer: {unknown:?}");
        assert!(unknown.stdout.contains("answered 421 by the gateway: T1, "), "{}", unknown.stdout);
    })
    .await;
}

#[tokio::test]
async fn an_error_names_the_input_that_is_expected() {
    in_time(async {
        let site = empty();
        fs::write(site.path("prose"), "nothing of HTTP\n").unwrap();
        fs::write(site.path("broken.toml"), "[server]\nhtps = []\n").unwrap();
        for (arguments, code, words) in [
            (&["explain"][..], 2, "write --cookie"),
            (&["explain", "prose"], 2, "curl -v"),
            (
                &["explain", "--cookie", "a=1", "--tenant", "a b"],
                2,
                "for example --tenant www.example.com",
            ),
            (&["explain", "--path", "api"], 2, "write a path such as /api/me"),
            (&["explain", "absent"], 1, "absent can't be read: No such file"),
            (
                &["explain", "--cookie", "a=1", "--config", "absent.toml"],
                1,
                "there is no such file",
            ),
            (
                &["explain", "--cookie", "a=1", "--config", "broken.toml"],
                1,
                "did you mean `https`?",
            ),
        ] {
            let finished = site.run(arguments).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(code), ""), "{finished:?}");
            assert!(finished.stderr.contains(words), "{words} in {}", finished.stderr);
        }
    })
    .await;
}

#[tokio::test]
async fn hostile_input_disturbs_neither_the_terminal_nor_the_program() {
    in_time(async {
        let site = empty();
        let hostile: [&[u8]; 5] = [
            b"\x1b]0;title\x07=1; a=\x1b[2J",
            b"a=1\r\nset-cookie: b=2",
            b"\xc2\x9b2J=1; \xe2\x80\xae=2; \xff\xfe=\x80",
            b"=; ;;; =;\t; \"; \\",
            &[b'x'; 100_000],
        ];
        for bytes in hostile {
            for option in ["--cookie", "--set-cookie"] {
                for json in [&[][..], &["--json"]] {
                    let mut command = site.command(&["explain", option]);
                    command.arg(std::ffi::OsStr::from_bytes(bytes)).args(json);
                    check(&site.start_command(&mut command).exit().await, !json.is_empty());
                }
            }
        }
        let heads: [&[u8]; 4] = [
            b"> GET /\x1b[2J HTTP/1.1\r\n> Host: a.example\r\n> Cookie: a\0=1\r\n>\r\n",
            b"> GET / HTTP/1.1\n> Host: \x1b[2J\n> Host: b\n>\n< HTTP/1.1 200\n< Set-Cookie: \x1b[2J=1\n",
            &b"HTTP/2 200\n".repeat(5_000),
            &[b"HTTP/1.1 200\nset-cookie: ", &vec![b'v'; 4_000_000][..]].concat(),
        ];
        for head in heads {
            check(&feed(&site, &["explain", "-"], head), false);
            check(&feed(&site, &["explain", "--json", "-"], head), true);
        }
        let huge = feed(&site, &["explain", "-"], &vec![b'\n'; 17 * 1024 * 1024]);
        assert_eq!((huge.code, &*huge.stdout), (Some(1), ""));
        assert!(huge.stderr.contains("remove the bodies"), "{}", huge.stderr);
    })
    .await;
}

#[track_caller]
fn check(finished: &Finished, is_json: bool) {
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
    if is_json {
        let _: Value = serde_json::from_str(&finished.stdout).unwrap();
    }
    let is_harmless = |c: char| c == '\n' || (is_json && c > '\u{7f}') || (' '..='~').contains(&c);
    assert!(finished.stdout.chars().all(is_harmless), "{}", finished.stdout.escape_debug());
}

#[tokio::test]
async fn colour_is_for_terminals() {
    in_time(async {
        let site = empty();
        let plain = site.run(&["explain", "--cookie", "_ga=1"]).await;
        assert!(!plain.stdout.contains('\u{1b}'));
        for (no_color, expected) in [(None, true), (Some("1"), false)] {
            // `script` makes a terminal for what it runs.
            let mut command = Command::new("script");
            let explain = format!("{} explain --cookie _ga=1", env!("CARGO_BIN_EXE_crumbgate"));
            command.args(["-qec", &explain, "/dev/null"]).current_dir(site.path("."));
            without_variables(&mut command);
            no_color.map(|value| command.env("NO_COLOR", value));
            let finished = site.start_command(&mut command).exit().await;
            assert!(finished.stdout.contains("stripped"), "{finished:?}");
            assert_eq!(finished.stdout.contains("\u{1b}["), expected, "{finished:?}");
        }
    })
    .await;
}
