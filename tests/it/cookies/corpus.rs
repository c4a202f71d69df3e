//! The threats to cookies as data: the cases of `corpus/*.txt`, each over both versions. The files define their format.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Method};

use crate::harness::{ACME, Answer, App, Http, Received, Running, Setup, both_versions, request};

const REQUESTS: &str = include_str!("corpus/requests.txt");
const RESPONSES: &str = include_str!("corpus/responses.txt");

/// A page that sets a cookie by a `meta` element, which browsers ignore: it is not changed (TS15).
const PAGE: &str = "<meta http-equiv=\"Set-Cookie\" content=\"_ga=1; Path=/\">";

both_versions!(tq_the_application_receives_the_expected_fields, |http| {
    let app = App::replying(|_| answer(&[])).await;
    let gateway = Setup::before(&app).start();
    let cases = read(REQUESTS);
    assert_eq!(threats(&cases, "TQ"), (1..=15).collect::<Vec<_>>());
    for case in cases {
        let before = app.received().len();
        let Some(status) = case.ask(&gateway, http).await else { continue };
        let newest = app.received().split_off(before).pop();
        let refused = newest.is_none().then(|| status.to_string().into_bytes());
        let received = newest.map(|received| fields_of_request(&received));
        let arrived = received.unwrap_or_else(|| Vec::from_iter(refused));
        assert_eq!(shown(arrived), shown(case.expected), "{}", case.title);
    }
});

both_versions!(ts_the_browser_receives_the_expected_fields, |http| {
    let script = Arc::new(Mutex::new(Vec::new()));
    let next = Arc::clone(&script);
    let app = App::replying(move |_| next.lock().unwrap().clone()).await;
    let gateway = Setup::before(&app).start();
    let cases = read(RESPONSES);
    // Trailers, surplus bytes and the browser's jar are not part of one answer's fields: responses.rs and streaming.rs
    // have TS9, upstream.rs TS13, eviction.rs TS14.
    let elsewhere = [9, 13, 14];
    let here: Vec<_> = (1..=18).filter(|number| !elsewhere.contains(number)).collect();
    assert_eq!(threats(&cases, "TS"), here);
    for case in cases {
        *script.lock().unwrap() = answer(&case.answered);
        let answer = case.send_as_script(&gateway, http).await;
        let arrived = if answer.text() == PAGE {
            fields_of_answer(&answer.fields)
        } else {
            vec![answer.status.as_u16().to_string().into_bytes()]
        };
        assert_eq!(shown(arrived), shown(case.expected), "{}", case.title);
    }
});

/// One case of a file.
struct Case<'f> {
    title: &'f str,
    /// The request: fields, and perhaps method and path before them.
    asked: Vec<Vec<u8>>,
    /// The application's answer: fields, and perhaps a status line before them.
    answered: Vec<Vec<u8>>,
    /// The fields that arrive at the other side.
    expected: Vec<Vec<u8>>,
}

/// The cases of a file.
fn read(file: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kind, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        if !["> ", "< ", "= "].contains(&kind) {
            let (asked, answered, expected) = Default::default();
            cases.push(Case { title: line, asked, answered, expected });
            continue;
        }
        let case = cases.last_mut().expect("a case begins with its title");
        let lines = match kind {
            "> " => &mut case.asked,
            "< " => &mut case.answered,
            _ => &mut case.expected,
        };
        lines.push(bytes(rest));
    }
    cases
}

/// The numbers of the checklist that these cases cover, in their order.
fn threats(cases: &[Case<'_>], prefix: &str) -> Vec<u32> {
    let first_words = cases.iter().filter_map(|case| case.title.split(' ').next());
    let numbers = first_words.filter_map(|word| word.strip_prefix(prefix));
    let mut numbers: Vec<_> = numbers.map(|number| number.parse().unwrap()).collect();
    numbers.dedup();
    numbers
}

/// A line's bytes: abbreviations, repetitions and escapes written out.
fn bytes(line: &str) -> Vec<u8> {
    let lifetime =
        |age: &str, until: &str| format!("Max-Age={age}; Expires={until}; Path=/; Secure");
    let mut line = line
        .replace("⟨week⟩", &lifetime("604800", "Mon, 30 Nov 2026 10:00:00 GMT"))
        .replace("⟨3 weeks⟩", &lifetime("1814400", "Mon, 14 Dec 2026 10:00:00 GMT"))
        .replace("⟨deleted⟩", &lifetime("0", "Thu, 01 Jan 1970 00:00:00 GMT"));
    // The last abbreviation that opens contains no other.
    while let Some((before, rest)) = line.rsplit_once('⟨') {
        let (repetition, after) = rest.split_once('⟩').expect("a repetition ends");
        let (times, text) =
            repetition.split_once('×').expect("a repetition is a number and a text");
        line = format!("{before}{}{after}", text.repeat(times.parse().unwrap()));
    }
    let mut parts = line.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (byte, length) = match part.as_bytes().first().expect("an escape has a letter") {
            b'0' => (0, 1),
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'x' => (u8::from_str_radix(&part[1..3], 16).unwrap(), 3),
            other => panic!("{:?} is no escape", char::from(*other)),
        };
        bytes.push(byte);
        bytes.extend_from_slice(&part.as_bytes()[length..]);
    }
    bytes
}

/// The application's answer: these lines, with a status line where they have none, and [`PAGE`].
fn answer(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut head = Vec::new();
    if !lines.first().is_some_and(|line| line.starts_with(b"HTTP/")) {
        head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    for line in lines {
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("content-length: {}\r\n\r\n{PAGE}", PAGE.len()).as_bytes());
    head
}

/// Name and value of a field.
fn field(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((std::str::from_utf8(&line[..colon]).unwrap(), line[colon + 1..].trim_ascii_start()))
}

impl Case<'_> {
    /// Method and path: those of the first line, where it is no field.
    fn asks_for(&self) -> (Method, &str) {
        let first = self.asked.first().filter(|line| field(line).is_none());
        let Some(line) = first else { return (Method::GET, "/") };
        let (method, path) = std::str::from_utf8(line).unwrap().split_once(' ').unwrap();
        (method.parse().unwrap(), path)
    }

    /// Sends the request as a script would (nothing is evicted), and returns the answer.
    async fn send_as_script(&self, gateway: &Running, http: Http) -> Answer {
        let (method, path) = self.asks_for();
        let mut asked = request(http, method, path);
        for (name, value) in self.asked.iter().filter_map(|line| field(line)) {
            asked = asked.header(name, HeaderValue::from_bytes(value).unwrap());
        }
        gateway.browser(http).send(asked, "").await
    }

    /// Sends the request, and returns the answer's status. `None` where this version can't express it: what no field
    /// may hold is sent by hand, and only over HTTP/1.1.
    async fn ask(&self, gateway: &Running, http: Http) -> Option<u16> {
        let mut fields = self.asked.iter().filter_map(|line| field(line));
        if fields.all(|(_, value)| HeaderValue::from_bytes(value).is_ok()) {
            return Some(self.send_as_script(gateway, http).await.status.as_u16());
        }
        if http == Http::Two {
            return None;
        }
        let mut raw = gateway.raw().await;
        raw.send(format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n")).await;
        raw.send([self.asked.join(&b"\r\n"[..]), b"\r\n\r\n".to_vec()].concat()).await;
        let head = raw.read_head().await;
        Some(head.split(' ').nth(1).unwrap().parse().unwrap())
    }
}

/// The fields that the application received, without those that the gateway adds.
fn fields_of_request(received: &Received) -> Vec<Vec<u8>> {
    const ADDED: [&str; 9] = [
        "host",
        "content-length",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-request-id",
    ];
    let lines = received.head.trim_end().lines().skip(1);
    let own = lines.filter(|line| {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        !ADDED.contains(&&*name)
    });
    own.map(|line| line.as_bytes().to_vec()).collect()
}

/// The fields that the browser received, without those that every answer has, or every answer with a cookie.
fn fields_of_answer(fields: &HeaderMap) -> Vec<Vec<u8>> {
    let has_cookie = fields.contains_key("set-cookie");
    let is_common = |name: &str, value: &HeaderValue| match name {
        "cache-control" => has_cookie && value == "private",
        name => ["content-length", "date", "x-request-id"].contains(&name),
    };
    let own = fields.iter().filter(|(name, value)| !is_common(name.as_str(), value));
    own.map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes()].concat()).collect()
}

/// Fields as text. Their order counts among those of one name alone.
fn shown(mut fields: Vec<Vec<u8>>) -> Vec<String> {
    fields.sort_by(|a, b| field(a).map(|(name, _)| name).cmp(&field(b).map(|(name, _)| name)));
    fields.iter().map(|field| field.escape_ascii().to_string()).collect()
}
