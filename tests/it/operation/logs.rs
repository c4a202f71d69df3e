//! The gateway's own log (A3, A4, TP13): everything that an operator needs, and no personal data.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use http_body_util::BodyExt;
use rustix::process::Signal;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::{
    ACME, Answer, App, Finished, Http, Program, Raw, Setup, Site, both_versions, in_time,
    json_lines, ok, read_request,
};

/// Texts that must not be in any line, each with the place that it is sent in. No two have a part in common, and a
/// route template replaces each as an identifier.
const CANARIES: [(&str, &str); 15] = [
    ("undeclared cookie's name", "Canary01NameOfATracker"),
    ("undeclared cookie's value", "Canary02ValueOfATracker"),
    ("declared cookie's value", "Canary03ValueOfASession"),
    ("cookie without a name", "Canary04CookieWithoutName"),
    ("application's cookie's name", "Canary05NameSetByApplication"),
    ("application's cookie's value", "Canary06ValueSetByApplication"),
    ("application's session", "Canary07SessionSetByApplication"),
    ("path", "Canary08PathOfSomebody"),
    ("query", "Canary09QueryOfSomebody"),
    ("user agent", "Canary10UserAgent"),
    ("referer", "Canary11Referer"),
    ("authorization", "Canary12Authorization"),
    ("forwarded address", "Canary13ForwardedFor"),
    ("request's body", "Canary14RequestBody"),
    ("response's body", "Canary15ResponseBody"),
];

fn canary(place: &str) -> &'static str {
    CANARIES.iter().find(|(known, _)| *known == place).expect("it is in the list").1
}

/// The client's address: the loopback network is large.
const CLIENT: &str = "127.66.77.88";

/// All encodings of `canary` that a log might contain.
fn spellings(canary: &str) -> Vec<String> {
    let bytes = canary.as_bytes();
    let joined = |between: &str, write: fn(&u8) -> String| {
        bytes.iter().map(write).collect::<Vec<_>>().join(between)
    };
    let mut spellings = vec![
        canary.to_lowercase(),
        joined("", |byte| format!("{byte:02x}")),
        joined(" ", |byte| format!("{byte:02x}")),
        joined(", ", |byte| format!("{byte:02x}")),
        joined(", ", |byte| format!("0x{byte:02x}")),
        joined("", |byte| format!("%{byte:02x}")),
        joined("", |byte| format!("\\x{byte:02x}")),
        joined(", ", u8::to_string),
        joined(",", u8::to_string),
    ];
    for before in 0..3 {
        // In the middle of a longer text its base64 begins at one of three offsets; the ends depend on the bytes
        // around it.
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        for encoded in [BASE64_STANDARD.encode(&padded), BASE64_URL_SAFE.encode(&padded)] {
            let inner = &encoded[(before * 8).div_ceil(6)..encoded.len() - 4];
            spellings.push(inner.to_lowercase());
        }
    }
    spellings
}

/// Asserts that neither a canary nor a client's address is in the output.
#[track_caller]
fn assert_silent(printed: &str) {
    let lower_case = printed.to_lowercase();
    for (place, canary) in CANARIES.iter().chain(&[("client's address", CLIENT)]) {
        for spelling in spellings(canary) {
            if let Some(at) = lower_case.find(&spelling) {
                let line_start = lower_case[..at].rfind('\n').map_or(0, |end| end + 1);
                let line = lower_case[line_start..].lines().next().unwrap_or_default();
                panic!("the {place} as {spelling:?}: {line}");
            }
        }
    }
}

/// Asserts that the output has no control characters, and that no line is more than one.
#[track_caller]
fn assert_harmless(printed: &str) {
    let bad = printed.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(bad, None, "{printed:?}");
}

#[test]
fn the_spellings_of_a_canary_are_found() {
    for (_, canary) in CANARIES {
        for (before, after) in [("", ""), ("x", "yz"), ("xy", "z"), ("xyz", "xyz")] {
            let text = format!("{before}{canary}{after}");
            for line in [
                text.clone(),
                BASE64_STANDARD.encode(&text),
                format!("{:?}", text.as_bytes()),
                format!("{:02x?}", text.as_bytes()),
                text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            ] {
                let found = std::panic::catch_unwind(|| assert_silent(&line));
                assert!(found.is_err(), "{line}");
            }
        }
    }
    assert_silent("{\"message\":\"listening for https\"}");
}

/// An application that answers with everything that must not be logged, and aborts where the path demands it.
async fn talkative() -> App {
    App::serving(|mut stream, number, received| async move {
        let mut buffer = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
            let target = request.target().to_owned();
            received.lock().unwrap().push(request);
            let (name, value) =
                (canary("application's cookie's name"), canary("application's cookie's value"));
            let session = canary("application's session");
            let fields = [
                &*format!("set-cookie: {name}={value}; Domain=acme.example"),
                &*format!("set-cookie: flexopus_session={session}; Path=/"),
                &*format!("x-note: {value}"),
            ];
            let answer = match &*target {
                target if target.starts_with("/broken") => {
                    format!("{value} is no HTTP\r\n\r\n").into()
                }
                target if target.starts_with("/cut") => {
                    ok(&["content-length: 999"], canary("response's body"))
                }
                _ => ok(&fields, canary("response's body")),
            };
            if stream.write_all(&answer).await.is_err() || target != "/" && buffer.is_empty() {
                return;
            }
        }
    })
    .await
}

/// A client that connects from [`CLIENT`].
async fn connect(address: SocketAddr, program: &Program<'_>, http: Http) -> TlsStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{CLIENT}:0").parse().unwrap()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let config = Arc::new(program.client_config(http));
    let name = ServerName::try_from(ACME).unwrap();
    TlsConnector::from(config).connect(name, stream).await.unwrap()
}

/// Fields that identify a person.
fn identifying() -> HeaderMap {
    let mut fields = HeaderMap::new();
    let cookie = format!(
        "{}={}; flexopus_session={}; {}",
        canary("undeclared cookie's name"),
        canary("undeclared cookie's value"),
        canary("declared cookie's value"),
        canary("cookie without a name"),
    );
    let mut add = |name: &'static str, value: &str| {
        fields.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    };
    add("cookie", &cookie);
    add("accept", "text/html");
    add("user-agent", canary("user agent"));
    add("referer", &format!("https://{}.example/", canary("referer")));
    add("authorization", &format!("Bearer {}", canary("authorization")));
    add("x-forwarded-for", canary("forwarded address"));
    add("x-real-ip", CLIENT);
    // An id that is not passed on.
    add("x-request-id", &format!("{CLIENT} \u{9b}31m\u{202e}"));
    fields
}

fn path(first: &str) -> String {
    format!("/{first}/{}?token={}", canary("path"), canary("query"))
}

/// Sends every kind of request that causes a log line: answered, refused, aborted, and no request at all.
async fn talk_http1(program: &mut Program<'_>) {
    let address = program.https().await;
    let fields: String =
        identifying().iter().map(|(name, value)| format!("{name}: {}\r\n", text(value))).collect();
    let body = canary("request's body");
    let length = body.len();
    let request = |first: &str, host: &str, more: &str| {
        format!("POST {} HTTP/1.1\r\nhost: {host}\r\n{fields}{more}\r\n", path(first))
    };
    let with_body = format!("content-length: {length}\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    let trailers = format!(
        "{length:x}\r\n{body}\r\n0\r\ncookie: a={}\r\nx: {}\r\n\r\n",
        canary("undeclared cookie's value"),
        canary("request's body")
    );
    let junk = format!("cookie: a={}\r\n", canary("undeclared cookie's value").repeat(3000));
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
    for bytes in [
        request("users", ACME, &with_body) + body,
        request("users", ACME, chunked) + &trailers,
        request("broken", ACME, &with_body) + body,
        request("cut", ACME, &with_body) + body,
        request("users", &format!("{}.elsewhere.example", canary("query")), &with_body) + body,
        request("users", "acme.example@", &with_body) + body,
        request("users", ACME, &(junk + &with_body)) + body,
        request("users", ACME, upgrade),
        // Bytes that are no HTTP.
        request("users", ACME, &format!("content-length: {body}\r\n")),
        request("users", ACME, &format!("x: \0{body}\r\n")),
        request("users", ACME, &format!("{body}\r\n")),
        format!("TRACE {} HTTP/1.1\r\nhost: {ACME}\r\n{fields}\r\n", path("users")),
        format!("GET {} HTTP/9.9\r\n{fields}\r\n", path("users")),
        format!("\x1b[31m{}\r\n\r\n", canary("path")),
    ] {
        let mut raw = Raw::new(connect(address, program, Http::One).await);
        raw.send(bytes.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1)).await;
        raw.read_to_end().await;
    }
    // Aborted by the client: in the head, and in the body.
    for bytes in [request("users", ACME, ""), request("users", ACME, &with_body)] {
        let mut stream = connect(address, program, Http::One).await;
        stream.write_all(&bytes.as_bytes()[..bytes.len() - 1]).await.unwrap();
    }
    // Bytes that are no TLS.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(request("users", ACME, &with_body).as_bytes()).await.unwrap();
    // The listener that redirects.
    let mut plain = TcpStream::connect(program.http().await).await.unwrap();
    let bytes = request("users", ACME, &(with_body + "connection: close\r\n")) + body;
    plain.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Unread bytes of the body may end it with a reset.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 308 "), "{}", String::from_utf8_lossy(&answer));
}

async fn talk_http2(program: &mut Program<'_>) {
    let address = program.https().await;
    let stream = connect(address, program, Http::Two).await;
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    let connection = tokio::spawn(connection);
    for first in ["users", "broken", "cut"] {
        exchange(&mut sender, ACME, &path(first), HeaderMap::new()).await;
    }
    let elsewhere = format!("{}.elsewhere.example", canary("query"));
    exchange(&mut sender, &elsewhere, &path("users"), HeaderMap::new()).await;
    let mut junk = HeaderMap::new();
    let value = format!("a={}", canary("undeclared cookie's value").repeat(3000));
    junk.insert("cookie", value.parse().unwrap());
    exchange(&mut sender, ACME, &path("users"), junk).await;
    // Cancelled before it is answered.
    let (answer, mut sending) = sender.send_request(request(ACME, &path("users")), false).unwrap();
    sending.send_data(canary("request's body").into(), false).unwrap();
    sending.send_reset(h2::Reason::CANCEL);
    drop((answer, sending));
    drop(sender);
    connection.await.unwrap().unwrap();
}

fn request(host: &str, path: &str) -> Request<()> {
    let mut request = Request::builder()
        .version(Version::HTTP_2)
        .method("POST")
        .uri(format!("https://{host}{path}"))
        .body(())
        .unwrap();
    *request.headers_mut() = identifying();
    request
}

/// One exchange, with any result.
async fn exchange(sender: &mut SendRequest<Bytes>, host: &str, path: &str, more: HeaderMap) {
    let mut request = request(host, path);
    request.headers_mut().extend(more);
    let (answer, mut sending) = sender.send_request(request, false).unwrap();
    sending.send_data(canary("request's body").into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("cookie", identifying()["cookie"].clone());
    // An answer may have arrived first.
    let _ = sending.send_trailers(trailers);
    let Ok(mut answer) = answer.await else { return };
    while let Some(Ok(part)) = answer.body_mut().data().await {
        let _ = answer.body_mut().flow_control().release_capacity(part.len());
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Runs a gateway with this `[log]` and `RUST_LOG`, sends it everything, and returns its output.
async fn printed_with(log: &str, filter: Option<&str>, http: Http) -> Finished {
    let app = talkative().await;
    let site = Site::of(&Setup::before(&app).server("workers = 2").sections(log));
    let mut command = site.command(&["run"]);
    filter.map(|filter| command.env("RUST_LOG", filter));
    let mut program = site.start_command(&mut command);
    match http {
        Http::One => talk_http1(&mut program).await,
        Http::Two => talk_http2(&mut program).await,
    }
    let reached = app.received().iter().any(|request| request.target().contains(canary("path")));
    assert!(reached, "the canaries did go through");
    program.signal(Signal::TERM);
    let finished = program.exit().await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished
}

both_versions!(a3_tp13_no_line_contains_personal_data, |http| {
    for log in ["[log]\nformat = \"json\"\naccess = true", "[log]\nformat = \"json\""] {
        let finished = printed_with(log, None, http).await;
        assert_silent(&finished.stderr);
        assert_harmless(&finished.stderr);
        assert_eq!(finished.stdout, "");
    }
});

both_versions!(a3_tp13_no_line_contains_personal_data_with_rust_log_trace, |http| {
    let finished =
        printed_with("[log]\nformat = \"json\"\naccess = true", Some("trace"), http).await;
    assert_silent(&finished.stderr);
    assert_harmless(&finished.stderr);
    let lines = json_lines(&finished.stderr);
    assert_eq!(lines.len(), finished.stderr.lines().count(), "each line is one object");
    let mut detailed = lines.iter().filter(|line| line["level"] == "DEBUG").peekable();
    assert!(detailed.peek().is_some(), "RUST_LOG shows more");
    // Messages of libraries below `error` describe their peers, who are people.
    for line in detailed {
        assert!(line["target"].as_str().unwrap().starts_with("crumbgate::"), "{line}");
    }
});

#[tokio::test]
async fn rust_log_filters_by_the_target_that_a_line_shows() {
    in_time(async {
        let log = "[log]\nformat = \"json\"";
        // The harness waits for the lines of the start.
        let filter = "crumbgate::start=info,crumbgate::proxy=debug";
        let finished = printed_with(log, Some(filter), Http::One).await;
        let lines = json_lines(&finished.stderr);
        let targets: Vec<_> = lines.iter().map(|line| line["target"].as_str().unwrap()).collect();
        let of = |target: &str| targets.iter().filter(|other| other.starts_with(target)).count();
        let (start, proxy) = (of("crumbgate::start"), of("crumbgate::proxy"));
        assert!(start > 0 && proxy > 0 && start + proxy == targets.len(), "{targets:?}");
    })
    .await;
}

both_versions!(a3_tp13_text_lines_are_one_line_each_without_colour, |http| {
    let finished = printed_with("[log]\naccess = true", Some("trace"), http).await;
    assert_silent(&finished.stderr);
    assert_harmless(&finished.stderr);
    for line in finished.stderr.lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        let level = rest.split_whitespace().next().unwrap();
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
    }
});

/// The access lines among what was printed.
fn access_lines(printed: &str) -> Vec<Value> {
    let mut lines = json_lines(printed);
    lines.retain(|line| line["target"] == "crumbgate::access");
    lines
}

both_versions!(an_access_line_describes_the_request_and_its_result, |http| {
    let app = App::answering(&[("/api/desks/42", &[])]).await;
    let access = "[log]\nformat = \"json\"\naccess = true";
    let site = Site::of(&Setup::before(&app).sections(access));
    let mut program = site.start();
    let browser = program.browser(http).await;
    let found = browser.get("/api/desks/42?with=Everything").await;
    let missing = browser.send(browser.request(Method::PUT, "/Nowhere"), "body").await;
    let named = browser.request(Method::HEAD, "/api/desks/42").header("x-request-id", "order-66");
    let head = browser.send(named, "").await;
    let unknown = browser.send(browser.request("BREW".parse().unwrap(), "/pot"), "").await;
    let trace = browser.send(browser.request(Method::TRACE, "/"), "").await;
    assert_eq!(trace.status, 405);
    program.signal(Signal::TERM);
    let finished = program.exit().await;

    let lines = access_lines(&finished.stderr);
    let logged: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            let number = |key: &str| line[key].as_u64().unwrap();
            assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"exchange".into()));
            assert!(number("duration_us") > 0 && line["complete"] == true, "{line}");
            (text("request_id"), text("method"), text("tenant"), text("route"), number("status"))
        })
        .collect();
    let id = |answer: &Answer| answer.field("x-request-id").unwrap().to_owned();
    let line = |id: String, method: &str, tenant: &str, route: &str, status| {
        (id, method.to_owned(), tenant.to_owned(), route.to_owned(), status)
    };
    assert_eq!(
        logged,
        [
            line(id(&found), "GET", ACME, "/api/desks/{id}", 200),
            line(id(&missing), "PUT", ACME, "/{id}", 404),
            line("order-66".to_owned(), "HEAD", ACME, "/api/desks/{id}", 200),
            // A method that the client invents is not repeated in a line.
            line(id(&unknown), "other", ACME, "/{id}", 404),
            line(id(&trace), "TRACE", "-", "/", 405),
        ]
    );
    assert_eq!(id(&head), "order-66");
    let bytes: Vec<_> = lines.iter().map(|line| line["bytes"].as_u64().unwrap()).collect();
    assert_eq!(bytes, [5, 0, 0, 0, trace.body.len() as u64]);
});

both_versions!(an_aborted_exchange_has_a_line_that_reports_it, |http| {
    let app = App::serving(|mut stream, number, _| async move {
        if read_request(&mut stream, &mut Vec::new(), number).await.is_some() {
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
            stream.write_all(half).await.unwrap();
        }
    })
    .await;
    let access = "[log]\nformat = \"json\"\naccess = true";
    let site = Site::of(&Setup::before(&app).sections(access));
    let mut program = site.start();
    let browser = program.browser(http).await;
    let answer = browser.send_streaming(browser.request(Method::GET, "/"), "").await;
    assert!(answer.into_body().collect().await.is_err());
    let line = program.wait_for("the line", |program| access_lines(&program.stderr()).pop()).await;
    assert_eq!(
        (&line["status"], &line["complete"], &line["bytes"]),
        (&200.into(), &false.into(), &5.into())
    );
});

both_versions!(without_log_access_an_exchange_causes_no_line, |http| {
    let app = App::answering(&[("/", &[])]).await;
    let site = Site::of(&Setup::before(&app).sections("[log]\nformat = \"json\""));
    let mut program = site.start();
    let browser = program.browser(http).await;
    assert_eq!(browser.get("/").await.status, 200);
    assert_eq!(browser.get("/nowhere").await.status, 404);
    program.signal(Signal::TERM);
    let finished = program.exit().await;
    assert_eq!(access_lines(&finished.stderr), [] as [Value; 0]);
    let between = json_lines(&finished.stderr);
    let between = between.iter().map(|line| line["message"].as_str().unwrap());
    // The ledger's thread reports when it is ready, which may be later.
    let between = between.filter(|m| !m.starts_with("the ledger is signed"));
    let between: Vec<_> = between.skip_while(|m| !m.starts_with("listening for http,")).collect();
    assert_eq!(between[1], "draining", "{between:?}");
});

#[tokio::test]
async fn an_invalid_rust_log_is_refused_with_the_expected_syntax() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let mut command = site.command(&["run"]);
        command.env("RUST_LOG", "crumbgate=loudly");
        let finished = site.start_command(&mut command).exit().await;
        assert_eq!(finished.code, Some(1));
        let message = finished.stderr.lines().find(|line| line.starts_with("crumbgate: ")).unwrap();
        assert!(message.contains("RUST_LOG: expected a level or target=level"), "{message}");
    })
    .await;
}

/// A client that connects by an address may send it as a server name, which is not allowed and harmless: thousands of
/// such connections must not cause thousands of lines.
#[tokio::test]
async fn an_address_as_a_server_name_causes_no_line() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let site = Site::of(&Setup::before(&app).sections("[log]\nformat = \"json\""));
        let mut program = site.start();
        let load = crate::harness::Load::start(program.https().await);
        crate::harness::until("there were requests", || app.received().len() > 20).await;
        load.stop().await.assert_clean();
        program.signal(Signal::TERM);
        let finished = program.exit().await;
        let foreign = json_lines(&finished.stderr)
            .into_iter()
            .filter(|line| !line["target"].as_str().unwrap().starts_with("crumbgate"));
        assert_eq!(foreign.collect::<Vec<_>>(), Vec::<Value>::new());
    })
    .await;
}
