//! What a message leaves behind and what it gets on its way: hop-by-hop fields (RFC 9110, section 7.6.1) and
//! forwarding fields.

use std::{cell::RefCell, net::IpAddr, rc::Rc};

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

use super::head::Marks;

/// Removes the fields that are meant for one hop only, and those that `Connection` names; `marks` are those of `fields`,
/// here and below. Cookies and what frames the
/// message can't be named away: a `Connection: cookie` neither hides a cookie from the policy nor unhides one.
pub(crate) fn remove_hop_by_hop(fields: &mut HeaderMap, marks: Marks) {
    if marks.any(Marks::CONNECTION) {
        for name in named_by_connection(fields) {
            fields.remove(name);
        }
        fields.remove(header::CONNECTION);
    }
    if marks.any(Marks::HOP_BY_HOP) {
        for name in &HOP_BY_HOP {
            fields.remove(name);
        }
    }
}

fn named_by_connection(fields: &HeaderMap) -> SmallVec<[HeaderName; 1]> {
    let is_word = |token: &&str| WORDS.iter().any(|word| token.eq_ignore_ascii_case(word));
    tokens(fields, &header::CONNECTION)
        .filter(|token| !is_word(token))
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| !NEVER_NAMED.contains(name))
        .collect()
}

/// What `Connection` says most often: no field of another message, or one that goes anyway.
const WORDS: [&str; 4] = ["close", "keep-alive", "te", "upgrade"];

/// The comma-separated parts of all fields of one name.
pub(crate) fn tokens<'f>(
    fields: &'f HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'f str> {
    let values = fields.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// Whether these fields leave no doubt about where the message's body ends (RFC 9112, section 6.3). Next to
/// `Transfer-Encoding` hyper ignores a `Content-Length`, but may hand it on; and a body in any coding but `chunked`
/// would lose the name of its coding here.
pub(crate) fn is_clearly_framed(fields: &HeaderMap, marks: Marks) -> bool {
    if !marks.any(Marks::TRANSFER_ENCODING) {
        return true;
    }
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !fields.contains_key(header::CONTENT_LENGTH)
        }
        _ => false,
    }
}

/// Whether the sender of these fields takes trailers (RFC 9110, section 10.1.4).
pub(crate) fn accepts_trailers(fields: &HeaderMap, marks: Marks) -> bool {
    if !marks.any(Marks::TE) {
        return false;
    }
    tokens(fields, &header::TE)
        .map(|coding| coding.split(';').next().unwrap_or_default().trim())
        .any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

/// Removes the cookie fields of RFC 2965, which nobody may send any more (R7, S6).
pub(crate) fn remove_obsolete_cookies(fields: &mut HeaderMap, marks: Marks) {
    if marks.any(Marks::OBSOLETE_COOKIE) {
        fields.remove(COOKIE2);
        fields.remove(SET_COOKIE2);
    }
}

const COOKIE2: HeaderName = HeaderName::from_static("cookie2");
const SET_COOKIE2: HeaderName = HeaderName::from_static("set-cookie2");

const HOP_BY_HOP: [HeaderName; 9] = [
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const NEVER_NAMED: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::HOST,
    header::SET_COOKIE,
    COOKIE2,
    SET_COOKIE2,
];

/// What a downstream is to the applications behind the gateway.
pub(crate) struct Origin {
    /// Who connected.
    peer: IpAddr,
    /// What its last request said of where it came from: the next one says the same.
    known: RefCell<Option<Rc<Known>>>,
}

/// What the gateway says of where a request came from.
struct Known {
    /// What the request asked for, a copy: the original is a part of a whole head.
    authority: HeaderValue,
    address: HeaderValue,
    /// One element of `Forwarded` (RFC 7239, section 4).
    element: HeaderValue,
    port: HeaderValue,
}

/// A request on its way upstream, as far as its forwarding fields depend on it.
pub(crate) struct Forwarded<'a> {
    /// What its fields were when it came.
    pub(crate) marks: Marks,
    /// Whether who sent it is one of `server.trusted_proxies`.
    pub(crate) trusted: bool,
    /// The version of HTTP that it came by.
    pub(crate) version: Version,
    /// Its authority, as sent.
    pub(crate) authority: &'a HeaderValue,
}

impl Origin {
    /// That of a connection from `peer`.
    pub(crate) fn new(peer: IpAddr) -> Self {
        Self { peer, known: RefCell::default() }
    }

    /// Who connected.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Sets the forwarding fields: from what the gateway knows, after what a trusted proxy said. What anyone else sent is
    /// replaced or removed, and with it the fields that applications take for the same.
    pub(crate) fn set_forwarding_fields(&self, fields: &mut HeaderMap, request: &Forwarded<'_>) {
        let claims = request.marks.any(Marks::FORWARDING);
        let believed = claims && request.trusted;
        if claims {
            for name in &NEVER_BELIEVED {
                fields.remove(name);
            }
            remove_disguised(fields);
        }
        let known = self.known(request.authority);
        let [chain, forwarded] =
            [(&FORWARDED_FOR, &known.address), (&header::FORWARDED, &known.element)].map(
                |(name, last)| if believed { continued(fields, name, last) } else { last.clone() },
            );
        fields.insert(FORWARDED_FOR, chain);
        fields.insert(header::FORWARDED, forwarded);
        for (name, value) in [
            (FORWARDED_PROTO, HeaderValue::from_static("https")),
            (FORWARDED_HOST, request.authority.clone()),
            (FORWARDED_PORT, known.port.clone()),
        ] {
            if !(believed && fields.contains_key(&name)) {
                fields.insert(name, value);
            }
        }
        if claims && !request.trusted {
            for name in &BELIEVED_FROM_TRUSTED {
                fields.remove(name);
            }
        }
        fields.append(header::VIA, HeaderValue::from_static(via(request.version)));
    }

    fn known(&self, authority: &HeaderValue) -> Rc<Known> {
        let known = &mut *self.known.borrow_mut();
        match known {
            Some(known) if known.authority == authority => Rc::clone(known),
            _ => Rc::clone(known.insert(Rc::new(Known::of(self.peer, authority)))),
        }
    }
}

impl Known {
    fn of(peer: IpAddr, authority: &HeaderValue) -> Self {
        let text = authority.to_str().unwrap_or_default();
        let node = match peer {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        // An authority is a host and a port: nothing in it needs an escape within quotes.
        let element = format!("for={node};host=\"{text}\";proto=https");
        Self {
            authority: copied(authority.as_bytes()),
            address: copied(peer.to_string().as_bytes()),
            element: copied(element.as_bytes()),
            port: HeaderValue::from(port(text)),
        }
    }
}

/// A value of its own. Bytes that no field can have make an empty one.
fn copied(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static(""))
}

/// This hop, with the version that was received (RFC 9110, section 7.6.3).
fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0 crumbgate",
        Version::HTTP_2 => "2.0 crumbgate",
        _ => "1.1 crumbgate",
    }
}

/// Removes fields that CGI-like applications can't tell from a forwarding field: `X_Forwarded_For` and
/// `X-Forwarded-For` are one variable to them.
fn remove_disguised(fields: &mut HeaderMap) {
    let disguised = fields.keys().filter(|name| name.as_str().contains('_'));
    let disguised = disguised.filter(|name| {
        let plain = name.as_str().replace('_', "-");
        plain.starts_with("x-forwarded-") || matches!(&*plain, "x-real-ip" | "x-request-id")
    });
    for name in disguised.cloned().collect::<Vec<_>>() {
        fields.remove(name);
    }
}

/// A list field with `last` after what a trusted proxy wrote, as one value.
fn continued(fields: &HeaderMap, name: &HeaderName, last: &HeaderValue) -> HeaderValue {
    let mut list = Vec::new();
    for value in fields.get_all(name).iter().filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last.as_bytes());
    HeaderValue::try_from(list).unwrap_or_else(|_| last.clone())
}

/// The port that the downstream asked for.
fn port(authority: &str) -> u16 {
    let after_host = authority.rsplit(']').next().unwrap_or_default();
    let written = after_host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    // Without a port, `https` means 443, whatever port the listener has behind a load balancer.
    written.unwrap_or(HTTPS_PORT)
}

const HTTPS_PORT: u16 = 443;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields that applications take for a proxy's word.
const BELIEVED_FROM_TRUSTED: [HeaderName; 5] = [
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-real-ip"),
];

/// `Proxy` becomes the environment variable `HTTP_PROXY` in a CGI application ("httpoxy").
const NEVER_BELIEVED: [HeaderName; 1] = [HeaderName::from_static("proxy")];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
    }

    fn forwarded(lines: &[(&'static str, &'static str)], trusted: bool) -> HeaderMap {
        let mut fields = fields(lines);
        let authority = HeaderValue::from_static("acme.example:8443");
        let origin = Origin::new("2001:db8::7".parse().unwrap());
        let marks = Marks::of(&fields);
        let version = Version::HTTP_11;
        let request = Forwarded { marks, trusted, version, authority: &authority };
        origin.set_forwarding_fields(&mut fields, &request);
        fields
    }

    #[test]
    fn connection_names_hop_by_hop_fields_but_no_cookies() {
        let mut fields = fields(&[
            ("connection", "close, X-Hop , cookie"),
            ("connection", "set-cookie,content-length"),
            ("x-hop", "1"),
            ("cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-length", "5"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
        ]);
        let marks = Marks::of(&fields);
        remove_hop_by_hop(&mut fields, marks);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "cookie", "set-cookie"]);
    }

    #[test]
    fn tp10_a_stranger_s_forwarding_fields_are_replaced() {
        let fields = forwarded(
            &[
                ("x-forwarded-for", "1.2.3.4"),
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-prefix", "/evil"),
                ("x_forwarded_for", "5.6.7.8"),
                ("x-real-ip", "1.2.3.4"),
                ("forwarded", "for=1.2.3.4"),
                ("proxy", "http://evil.example"),
            ],
            false,
        );
        assert_eq!(fields["x-forwarded-for"], "2001:db8::7");
        assert_eq!(fields["x-forwarded-host"], "acme.example:8443");
        assert_eq!(fields["x-forwarded-proto"], "https");
        assert_eq!(fields["x-forwarded-port"], "8443");
        assert_eq!(
            fields["forwarded"],
            "for=\"[2001:db8::7]\";host=\"acme.example:8443\";proto=https"
        );
        for name in ["x-forwarded-prefix", "x_forwarded_for", "x-real-ip", "proxy"] {
            assert!(!fields.contains_key(name), "{name}");
        }
    }

    #[test]
    fn tp10_what_is_known_of_one_authority_is_not_said_of_another() {
        let origin = Origin::new("192.0.2.7".parse().unwrap());
        for (authority, port) in
            [("a.example", "443"), ("b.example:8443", "8443"), ("a.example", "443")]
        {
            let authority = HeaderValue::from_static(authority);
            let (version, marks) = (Version::HTTP_2, Marks::default());
            let request = Forwarded { marks, trusted: false, version, authority: &authority };
            let mut fields = HeaderMap::new();
            origin.set_forwarding_fields(&mut fields, &request);
            assert_eq!(fields["x-forwarded-host"], authority);
            assert_eq!(fields["x-forwarded-port"], port);
            let element =
                format!("for=192.0.2.7;host=\"{}\";proto=https", authority.to_str().unwrap());
            assert_eq!(fields["forwarded"], element);
        }
    }

    #[test]
    fn a_trusted_proxy_s_forwarding_fields_are_continued() {
        let fields = forwarded(
            &[
                ("x-forwarded-for", "1.2.3.4"),
                ("x-forwarded-proto", "http"),
                ("forwarded", "for=1.2.3.4"),
            ],
            true,
        );
        assert_eq!(fields["x-forwarded-for"], "1.2.3.4, 2001:db8::7");
        assert_eq!(fields["x-forwarded-proto"], "http");
        assert_eq!(fields["x-forwarded-host"], "acme.example:8443");
        let forwarded = fields["forwarded"].to_str().unwrap();
        assert!(forwarded.starts_with("for=1.2.3.4, for="), "{forwarded}");
    }
}
