//! What a message leaves behind and what it gets on its way: hop-by-hop fields (RFC 9110, section 7.6.1) and
//! forwarding fields.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

/// Removes the fields that are meant for one hop only, and those that `Connection` names. Cookies and what frames the
/// message can't be named away: a `Connection: cookie` neither hides a cookie from the policy nor unhides one.
pub(crate) fn remove_hop_by_hop(fields: &mut HeaderMap) {
    if fields.contains_key(header::CONNECTION) {
        for name in named_by_connection(fields) {
            fields.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        fields.remove(name);
    }
}

fn named_by_connection(fields: &HeaderMap) -> Vec<HeaderName> {
    tokens(fields, &header::CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| !NEVER_NAMED.contains(name))
        .collect()
}

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
pub(crate) fn is_clearly_framed(fields: &HeaderMap) -> bool {
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !fields.contains_key(header::CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}

/// Whether the sender of these fields takes trailers (RFC 9110, section 10.1.4).
pub(crate) fn accepts_trailers(fields: &HeaderMap) -> bool {
    tokens(fields, &header::TE)
        .map(|coding| coding.split(';').next().unwrap_or_default().trim())
        .any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

/// Removes the cookie fields of RFC 2965, which nobody may send any more (R7, S6).
pub(crate) fn remove_obsolete_cookies(fields: &mut HeaderMap) {
    fields.remove(COOKIE2);
    fields.remove(SET_COOKIE2);
}

const COOKIE2: HeaderName = HeaderName::from_static("cookie2");
const SET_COOKIE2: HeaderName = HeaderName::from_static("set-cookie2");

const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
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

/// What the gateway knows of a request's origin.
pub(crate) struct Origin<'a> {
    /// Who connected.
    pub(crate) peer: IpAddr,
    /// Whether the peer is one of `server.trusted_proxies`.
    pub(crate) trusted: bool,
    /// The version of HTTP that the request came by.
    pub(crate) version: Version,
    /// The request's authority, as sent.
    pub(crate) authority: &'a HeaderValue,
}

/// Sets the forwarding fields: from what the gateway knows, after what a trusted proxy said. What anyone else sent is
/// replaced or removed, and with it the fields that applications take for the same.
pub(crate) fn set_forwarding_fields(fields: &mut HeaderMap, origin: &Origin<'_>) {
    for name in &NEVER_BELIEVED {
        fields.remove(name);
    }
    remove_disguised(fields);
    let address = origin.peer.to_string();
    let chain = join_list(fields, &FORWARDED_FOR, origin.trusted, &address);
    let element = forwarded_element(origin);
    let forwarded = join_list(fields, &header::FORWARDED, origin.trusted, &element);
    set(fields, FORWARDED_FOR, chain);
    set(fields, header::FORWARDED, forwarded);
    let known = [
        (FORWARDED_PROTO, HeaderValue::from_static("https")),
        (FORWARDED_HOST, origin.authority.clone()),
        (FORWARDED_PORT, HeaderValue::from(port(origin))),
    ];
    for (name, value) in known {
        if !(origin.trusted && fields.contains_key(&name)) {
            fields.insert(name, value);
        }
    }
    if !origin.trusted {
        for name in &BELIEVED_FROM_TRUSTED {
            fields.remove(name);
        }
    }
    fields.append(header::VIA, HeaderValue::from_static(via(origin.version)));
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
fn join_list(fields: &HeaderMap, name: &HeaderName, trusted: bool, last: &str) -> Vec<u8> {
    let mut list = Vec::new();
    let believed = trusted.then(|| fields.get_all(name)).into_iter().flatten();
    for value in believed.filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last.as_bytes());
    list
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: Vec<u8>) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}

/// One element of `Forwarded` (RFC 7239, section 4).
fn forwarded_element(origin: &Origin<'_>) -> String {
    let node = match origin.peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    // An authority is a host and a port: nothing in it needs an escape within quotes.
    let host = origin.authority.to_str().unwrap_or_default();
    format!("for={node};host=\"{host}\";proto=https")
}

/// The port that the downstream asked for.
fn port(origin: &Origin<'_>) -> u16 {
    let authority = origin.authority.to_str().unwrap_or_default();
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
        let peer = "2001:db8::7".parse().unwrap();
        let version = Version::HTTP_11;
        let origin = Origin { peer, trusted, version, authority: &authority };
        set_forwarding_fields(&mut fields, &origin);
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
        remove_hop_by_hop(&mut fields);
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
