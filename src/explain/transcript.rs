//! Reads the heads of HTTP messages from pasted text.
//!
//! - The output of `curl -v`: lines marked `> ` and `< `; everything else in it is information by `curl`, or a body.
//! - The output of `curl -i` and `curl -sI`, or any head of a request or a response; a body is ignored.
//! - The fields that browsers' tools copy, without a first line, with `:method` and its like, or with each value on a
//!   line of its own.
//!
//! Nothing here fails: a line that makes no sense is ignored. Values are bytes, and are not changed.

use http::{
    Uri, Version,
    uri::{Authority, PathAndQuery},
};

use crumbgate_policy::{is_token, trim};

/// A request and its answer, as far as the transcript contains them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Exchange {
    /// `None` if the transcript begins with a response.
    pub request: Option<Request>,
    /// The 1xx responses before the final one.
    pub interim: Vec<Response>,
    /// The final response (101 is one); `None` if the transcript ends before it.
    pub response: Option<Response>,
    /// True if the person counts as one who has agreed to the use of cookies. No transcript contains this.
    pub agreed: bool,
}

/// A request's head.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target, as in the request line.
    pub target: String,
    /// The version of HTTP; 1.1 if the transcript does not contain it.
    pub version: Version,
    /// The `:protocol` of an extended `CONNECT`.
    pub protocol: Option<String>,
    /// The fields, in order; `:authority` is `host` here.
    pub fields: Fields,
}

/// A response's head.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The fields, in order.
    pub fields: Fields,
    /// The fields behind the body; only the output of `curl -v` separates them from it.
    pub trailers: Fields,
}

/// Fields, in order: names in lower case, and values without the white space around them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Default for Request {
    /// `GET /`, without fields.
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            version: Version::HTTP_11,
            protocol: None,
            fields: Fields::default(),
        }
    }
}

impl Request {
    /// Returns the request that is assumed if an answer of this status comes without one: that of a WebSocket for a 101,
    /// which no other request gets, and otherwise `GET /`.
    pub(super) fn assumed(status: u16) -> Self {
        let mut request = Self::default();
        if status == SWITCHING_PROTOCOLS {
            request.fields.replace("connection", [b"upgrade".to_vec()]);
            request.fields.replace("upgrade", [b"websocket".to_vec()]);
        }
        request
    }

    /// Returns true if it names a host.
    pub fn names_host(&self) -> bool {
        self.fields.values("host").next().is_some() || self.authority_of_target().is_some()
    }

    /// Makes it a request for this host.
    pub(super) fn name_host(&mut self, host: &str) {
        if let (Some(_), Ok(uri)) = (self.authority_of_target(), self.target.parse::<Uri>()) {
            self.target = uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        }
        self.fields.replace("host", [host.as_bytes().to_vec()]);
    }

    /// The authority of an absolute-form target.
    pub(super) fn authority_of_target(&self) -> Option<Authority> {
        self.target.parse::<Uri>().ok()?.into_parts().authority
    }
}

impl Response {
    /// Makes the answer that has this status and nothing else but the field that belongs to it.
    pub(super) fn of_status(status: u16) -> Self {
        let mut response = Self { status, ..Self::default() };
        if status == SWITCHING_PROTOCOLS {
            response.fields.replace("upgrade", [b"websocket".to_vec()]);
        }
        response
    }
}

const SWITCHING_PROTOCOLS: u16 = 101;

impl Default for Response {
    /// 200, without fields.
    fn default() -> Self {
        Self { status: 200, fields: Fields::default(), trailers: Fields::default() }
    }
}

impl Fields {
    /// Returns the values of all fields of this name (lower case).
    pub fn values<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f [u8]> {
        self.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Returns every field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Replaces all fields of this name (lower case) by these.
    pub fn replace(&mut self, name: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        self.take(name);
        self.0.extend(values.into_iter().map(|value| (name.to_owned(), value)));
    }

    /// Removes all fields of this name, and returns the value of the last.
    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let taken = self.0.extract_if(.., |(other, _)| other == name);
        taken.last().map(|(_, value)| value)
    }

    fn remove_pseudo_fields(&mut self) {
        self.0.retain(|(name, _)| !name.starts_with(':'));
    }

    /// Adds the field of this line. A line that is no field is the value of a field without one, as browsers copy it.
    fn read(&mut self, line: &[u8]) {
        match (read_field(line), self.0.last_mut()) {
            (Some(field), _) => self.0.push(field),
            (None, Some((_, value))) if value.is_empty() => *value = trim(line).to_vec(),
            (None, _) => {}
        }
    }
}

/// Returns the exchanges of a transcript, in order. There are several if curl followed redirects.
pub fn read(transcript: &[u8]) -> Vec<Exchange> {
    let lines = || {
        let lines = transcript.split(|byte| *byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    };
    let begins_marked = |line| {
        let (side, line) = read_mark(line)?;
        StartLine::read(line).filter(|start| start.side() == side)
    };
    let is_verbose = lines().any(|line| begins_marked(line).is_some());
    let mut reader = Reader::default();
    for line in lines() {
        if !is_verbose {
            reader.take(line, None);
        } else if let Some((side, line)) = read_mark(line) {
            reader.take(line, Some(side));
        }
    }
    reader.end_head();
    reader.exchanges
}

/// The message that a line belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Request,
    Response,
}

/// The side that `curl -v` marks a line for, and the line without its mark.
fn read_mark(line: &[u8]) -> Option<(Side, &[u8])> {
    let (side, rest) = match line {
        [b'>', rest @ ..] => (Side::Request, rest),
        [b'<', rest @ ..] => (Side::Response, rest),
        _ => return None,
    };
    match rest {
        [] => Some((side, rest)),
        [b' ', line @ ..] => Some((side, line)),
        _ => None,
    }
}

/// The first line of a message.
enum StartLine {
    Request { method: String, target: String, version: Version },
    Response { status: u16 },
}

impl StartLine {
    fn read(line: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (first, second, third) = (words.next()?, words.next()?, words.next());
        if first.starts_with("HTTP/") {
            return read_status(second).map(|status| Self::Response { status });
        }
        let version = read_version(third?)?;
        let is_request = words.next().is_none() && is_token(first.as_bytes());
        let (method, target) = (first.to_owned(), second.to_owned());
        is_request.then_some(Self::Request { method, target, version })
    }

    fn side(&self) -> Side {
        match self {
            Self::Request { .. } => Side::Request,
            Self::Response { .. } => Side::Response,
        }
    }
}

/// Assembles lines into heads, and heads into exchanges.
#[derive(Default)]
struct Reader {
    exchanges: Vec<Exchange>,
    /// The head that the next line may belong to.
    head: Option<Head>,
    /// True if a message had a start line. Lines without one are then a body.
    has_start_line: bool,
}

/// A head of which not all lines were read yet.
struct Head {
    /// `None` if the browser's tools have omitted it.
    start: Option<StartLine>,
    fields: Fields,
}

impl Reader {
    /// Takes one line, which belongs to `side` where that is known.
    fn take(&mut self, line: &[u8], side: Option<Side>) {
        let fits = |start: &StartLine| side.is_none_or(|side| side == start.side());
        if let Some(start) = StartLine::read(line).filter(fits) {
            self.end_head();
            self.has_start_line = true;
            self.head = Some(Head { start: Some(start), fields: Fields::default() });
        } else if line.trim_ascii().is_empty() {
            self.end_head();
        } else if let Some(head) = &mut self.head {
            head.fields.read(line);
        } else if side == Some(Side::Response) {
            self.take_trailer(line);
        } else if !self.has_start_line && read_field(line).is_some() {
            let mut head = Head { start: None, fields: Fields::default() };
            head.fields.read(line);
            self.head = Some(head);
        }
    }

    fn take_trailer(&mut self, line: &[u8]) {
        let response = self.exchanges.last_mut().and_then(|exchange| exchange.response.as_mut());
        if let (Some(response), Some(field)) = (response, read_field(line)) {
            response.trailers.0.push(field);
            response.trailers.remove_pseudo_fields();
        }
    }

    fn end_head(&mut self) {
        let Some(Head { start, mut fields }) = self.head.take() else { return };
        match start {
            Some(StartLine::Request { method, target, version }) => {
                self.add_request(Request { method, target, version, ..Request::default() }, fields);
            }
            Some(StartLine::Response { status }) => self.add_response(status, fields),
            None => {
                let status = text(fields.take(":status")).and_then(|status| read_status(&status));
                if status.is_some() || fields.values("set-cookie").next().is_some() {
                    return self.add_response(status.unwrap_or(Response::default().status), fields);
                }
                self.add_request(Request::default(), fields);
            }
        }
    }

    fn add_request(&mut self, mut request: Request, mut fields: Fields) {
        // Only HTTP/2 and its successors have pseudo-fields.
        if fields.iter().any(|(name, _)| name.starts_with(':')) {
            request.version = Version::HTTP_2;
        }
        request.method = text(fields.take(":method")).unwrap_or(request.method);
        request.target = text(fields.take(":path")).unwrap_or(request.target);
        request.protocol = text(fields.take(":protocol"));
        if let Some(authority) = fields.take(":authority") {
            fields.replace("host", [authority]);
        }
        fields.remove_pseudo_fields();
        request.fields = fields;
        self.exchanges.push(Exchange { request: Some(request), ..Exchange::default() });
    }

    fn add_response(&mut self, status: u16, mut fields: Fields) {
        fields.remove_pseudo_fields();
        let response = Response { status, fields, trailers: Fields::default() };
        let awaiting = self.exchanges.pop_if(|exchange| exchange.response.is_none());
        let mut exchange = awaiting.unwrap_or_default();
        if (100..200).contains(&status) && status != 101 {
            exchange.interim.push(response);
        } else {
            exchange.response = Some(response);
        }
        self.exchanges.push(exchange);
    }
}

/// Name (in lower case) and value of a field; of a pseudo-field the name begins with its colon.
fn read_field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let line = trim(line);
    let pseudo = usize::from(line.starts_with(b":"));
    let rest = line.get(pseudo..)?;
    let (name, value) = match rest.iter().position(|byte| *byte == b':') {
        Some(colon) => (rest.get(..colon)?, rest.get(colon + 1..)?),
        // Browsers leave the second colon out where the value has a line of its own.
        None if pseudo == 1 => (rest, &b""[..]),
        None => return None,
    };
    let name_text = std::str::from_utf8(line.get(..pseudo + name.len())?).ok()?;
    is_token(name).then(|| (name_text.to_ascii_lowercase(), trim(value).to_vec()))
}

/// Reads the version of a start line.
fn read_version(text: &str) -> Option<Version> {
    match text.strip_prefix("HTTP/")? {
        "1.0" => Some(Version::HTTP_10),
        "2" | "2.0" | "3" | "3.0" => Some(Version::HTTP_2),
        _ => Some(Version::HTTP_11),
    }
}

/// Three digits (RFC 9110, section 15).
fn read_status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (100..=999).contains(status))
}

fn text(value: Option<Vec<u8>>) -> Option<String> {
    String::from_utf8(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Fields {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        Fields(fields.iter().map(owned).collect())
    }

    fn request(method: &str, target: &str, read: &[(&str, &str)]) -> Option<Request> {
        let (method, target) = (method.to_owned(), target.to_owned());
        Some(Request { method, target, fields: fields(read), ..Request::default() })
    }

    fn over_http_2(request: Option<Request>) -> Option<Request> {
        request.map(|request| Request { version: Version::HTTP_2, ..request })
    }

    fn response(status: u16, read: &[(&str, &str)]) -> Response {
        Response { status, fields: fields(read), trailers: Fields::default() }
    }

    #[test]
    fn curl_v_is_read_by_its_marks() {
        let transcript = "\
*   Trying 127.0.0.1:8443...
* using HTTP/2
* h2h3 [:method: GET]
> GET /api/me?x=1 HTTP/2\r
> Host: acme.localhost:8443\r
> cookie: _ga=1; b=2\r
>\r
{ [5 bytes data]
< HTTP/2 103 \r
< link: </a>\r
< \r
< HTTP/2 200 \r
< Set-Cookie: a=1; Path=/\r
< set-cookie:b=2\r
< \r
HTTP/1.1 500 is no answer, but a body
set-cookie: neither
< set-cookie: late=1
< server-timing: x
* Connection #0 to host left intact
";
        let mut answer = response(200, &[("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")]);
        answer.trailers = fields(&[("set-cookie", "late=1"), ("server-timing", "x")]);
        let sent = [("host", "acme.localhost:8443"), ("cookie", "_ga=1; b=2")];
        assert_eq!(
            read(transcript.as_bytes()),
            [Exchange {
                request: over_http_2(request("GET", "/api/me?x=1", &sent)),
                interim: vec![response(103, &[("link", "</a>")])],
                response: Some(answer),
                agreed: false,
            }]
        );
    }

    #[test]
    fn redirects_are_several_exchanges() {
        let marked = "> POST /login HTTP/1.1\n> a: 1\n>\n< HTTP/1.1 302 Found\n<\n> GET / HTTP/1.1\n>\n< HTTP/1.1 200 OK\n";
        let read_marked = read(marked.as_bytes());
        let answers: Vec<_> =
            read_marked.iter().map(|e| e.response.as_ref().unwrap().status).collect();
        assert_eq!(answers, [302, 200]);
        assert_eq!(read_marked[0].request, request("POST", "/login", &[("a", "1")]));
        assert_eq!(read_marked[1].request, request("GET", "/", &[]));
        let heads = read(b"HTTP/1.1 301 Moved\nlocation: /\n\nHTTP/2 200\nset-cookie: a=1\n");
        let [moved, ok] = heads.as_slice() else { panic!("{heads:?}") };
        assert_eq!(moved.response, Some(response(301, &[("location", "/")])));
        assert_eq!(ok.response, Some(response(200, &[("set-cookie", "a=1")])));
        assert_eq!((&moved.request, &ok.request), (&None, &None));
    }

    #[test]
    fn plain_heads_are_read_and_bodies_are_not() {
        let text = "$ curl -i …\nGET http://a.example/x HTTP/1.1\nCookie: a=1\n\nset-cookie: body\n\nHTTP/1.1 101 Switching\n\
                    upgrade: websocket\n\ncookie: body\n";
        assert_eq!(
            read(text.as_bytes()),
            [Exchange {
                request: request("GET", "http://a.example/x", &[("cookie", "a=1")]),
                interim: Vec::new(),
                response: Some(response(101, &[("upgrade", "websocket")])),
                agreed: false,
            }]
        );
    }

    #[test]
    fn what_browsers_copy_is_read() {
        let sent = [("accept", "text/html"), ("cookie", "a=1; b=c:d"), ("host", "acme.example")];
        let expected = over_http_2(request("POST", "/x", &sent));
        for text in [
            ":authority: acme.example\n:method: POST\n:path: /x\n:scheme: https\naccept: text/html\ncookie: a=1; b=c:d",
            ":authority\nacme.example\n:method\nPOST\n:path\n/x\naccept:\ntext/html\ncookie:\na=1; b=c:d\n",
            "POST /x HTTP/3\r\nAccept: text/html\r\nCookie: a=1; b=c:d\r\nHost: acme.example\r\n\r\n",
        ] {
            assert_eq!(read(text.as_bytes())[0].request, expected, "{text}");
        }
        let both = read(b":method: GET\ncookie: a=1\n\n:status: 204\nset-cookie: a=2\n");
        let answer = response(204, &[("set-cookie", "a=2")]);
        let interim = Vec::new();
        let request = over_http_2(request("GET", "/", &[("cookie", "a=1")]));
        let response = Some(answer);
        assert_eq!(both, [Exchange { request, interim, response, agreed: false }]);
        let socket = read(b":method: CONNECT\n:protocol: websocket\n:path: /socket\n");
        let request = socket[0].request.as_ref().unwrap();
        assert_eq!((&*request.method, request.protocol.as_deref()), ("CONNECT", Some("websocket")));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for nothing in ["", "\n\n", "hello", "<html>\n> quoted\n< x", "> ", "HTTP/1.1", "GET /"] {
            assert_eq!(read(nothing.as_bytes()), [], "{nothing}");
        }
        let odd = b"HTTP/1.1 200 OK\nno field\nbad name: 1\n: 2\nset-cookie: \x1b\xff\0\rx\n";
        let [odd] = &read(odd)[..] else { panic!() };
        let fields: Vec<_> = odd.response.as_ref().unwrap().fields.iter().collect();
        assert_eq!(fields, [("set-cookie", &b"\x1b\xff\0\rx"[..])]);
    }

    #[test]
    fn a_line_with_a_carriage_return_alone_ends_the_head_behind_an_empty_value() {
        let [exchange] = &read(b"< HTTP/1.1 200 OK\r\n< set-cookie: \r\n< \r\r\n")[..] else {
            panic!()
        };
        let fields: Vec<_> = exchange.response.as_ref().unwrap().fields.iter().collect();
        assert_eq!(fields, [("set-cookie", &b""[..])]);
    }

    #[test]
    fn a_request_can_be_made_one_for_another_host() {
        let mut asked = Request::default();
        assert!(!asked.names_host());
        asked.target = "http://a.example/x?y".to_owned();
        assert!(asked.names_host());
        asked.name_host("b.example");
        assert_eq!(Some(asked), request("GET", "/x?y", &[("host", "b.example")]));
    }
}
