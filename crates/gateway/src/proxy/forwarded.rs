//! Forwarding fields: the origin of a request, as the application receives it.

use std::{cell::RefCell, net::IpAddr, rc::Rc};

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::head::{HeaderFlags, is_of_proxies};

/// The origin of a connection, as applications behind the gateway see it.
pub(crate) struct Origin {
    /// The address of the peer.
    peer: IpAddr,
    /// The fields of the last request. The next one has the same, unless its authority differs.
    known: RefCell<Option<Rc<Known>>>,
}

/// Forwarding fields of the requests for one authority.
struct Known {
    /// The authority, copied: the original keeps the memory of a whole head.
    authority: HeaderValue,
    address: HeaderValue,
    /// One element of `Forwarded` (RFC 7239, section 4).
    element: HeaderValue,
    port: HeaderValue,
}

/// The properties of a request that its forwarding fields depend on.
pub(crate) struct Forwarded<'a> {
    /// The flags of its fields, as received.
    pub(crate) flags: HeaderFlags,
    /// True if the peer is one of `server.trusted_proxies`.
    pub(crate) trusted: bool,
    /// The version of HTTP of the downstream connection.
    pub(crate) version: Version,
    /// Its authority, as sent.
    pub(crate) authority: &'a HeaderValue,
}

impl Origin {
    /// Makes the origin of a connection from `peer`.
    pub(crate) fn new(peer: IpAddr) -> Self {
        Self { peer, known: RefCell::default() }
    }

    /// Returns the address of the peer.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Sets the forwarding fields. Those of a trusted proxy are continued, except for the host, which is the one that was
    /// judged. Those of any other peer are replaced or removed, with all others that only proxies send.
    pub(crate) fn set_forwarding_fields(&self, fields: &mut HeaderMap, request: &Forwarded<'_>) {
        let claims = request.flags.any(HeaderFlags::FORWARDING);
        let believed = claims && request.trusted;
        if claims {
            remove_claims(fields, request.trusted);
        }
        let known = self.known(request.authority);
        let [chain, forwarded] =
            [(&FORWARDED_FOR, &known.address), (&header::FORWARDED, &known.element)].map(
                |(name, last)| if believed { continued(fields, name, last) } else { last.clone() },
            );
        fields.insert(FORWARDED_FOR, chain);
        fields.insert(header::FORWARDED, forwarded);
        fields.insert(FORWARDED_HOST, request.authority.clone());
        for (name, value) in [
            (FORWARDED_PROTO, HeaderValue::from_static("https")),
            (FORWARDED_PORT, known.port.clone()),
        ] {
            if !(believed && fields.contains_key(&name)) {
                fields.insert(name, value);
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

/// Copies bytes into a value of their own; an empty one if no field can have them.
fn copied(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).unwrap_or(HeaderValue::from_static(""))
}

/// Returns the `Via` value of this hop, with the version that was received (RFC 9110, section 7.6.3).
fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0 crumbgate",
        Version::HTTP_2 => "2.0 crumbgate",
        _ => "1.1 crumbgate",
    }
}

/// Removes the fields that only proxies send; those of a trusted one stay. `Proxy` never does, nor do fields that CGI-like
/// applications can't distinguish from such a field: `X_Forwarded_For` and `X-Forwarded-For` are one variable to them.
fn remove_claims(fields: &mut HeaderMap, is_trusted: bool) {
    let is_removed = |name: &&HeaderName| {
        let name = name.as_str();
        let plain = name.replace('_', "-");
        let is_disguised = plain != name;
        (is_disguised && plain == "x-request-id")
            || is_of_proxies(&plain) && (!is_trusted || is_disguised || name == "proxy")
    };
    for name in fields.keys().filter(is_removed).cloned().collect::<Vec<_>>() {
        fields.remove(name);
    }
}

/// Appends `last` to the list that a trusted proxy wrote, as one value.
fn continued(fields: &HeaderMap, name: &HeaderName, last: &HeaderValue) -> HeaderValue {
    let mut list = Vec::new();
    for value in fields.get_all(name).iter().filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last.as_bytes());
    HeaderValue::try_from(list).unwrap_or_else(|_| last.clone())
}

/// Returns the port of an authority, or 443.
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
        let flags = HeaderFlags::of(&fields);
        let version = Version::HTTP_11;
        let request = Forwarded { flags, trusted, version, authority: &authority };
        origin.set_forwarding_fields(&mut fields, &request);
        fields
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
    fn tp10_only_a_trusted_proxy_reports_the_client_the_person_or_the_target() {
        let lines = [
            ("true-client-ip", "1.2.3.4"),
            ("cf_connecting_ip", "1.2.3.4"),
            ("remote-user", "admin"),
            ("x-forwarded-user", "admin"),
            ("x-auth-request-email", "admin@acme.example"),
            ("x-original-url", "/admin"),
            ("x_rewrite_url", "/admin"),
            ("my_own", "stays"),
            ("x-original-filename", "stays"),
        ];
        let of = |trusted| {
            let fields = forwarded(&lines, trusted);
            let left = lines.iter().filter(|(name, _)| fields.contains_key(*name));
            left.map(|(name, _)| *name).collect::<Vec<_>>()
        };
        assert_eq!(of(false), ["my_own", "x-original-filename"]);
        let disguised = ["cf_connecting_ip", "x_rewrite_url"];
        let kept: Vec<_> = lines
            .map(|(name, _)| name)
            .into_iter()
            .filter(|name| !disguised.contains(name))
            .collect();
        assert_eq!(of(true), kept);
    }

    #[test]
    fn a_trusted_proxy_does_not_name_another_host() {
        let fields = forwarded(&[("x-forwarded-host", "evil.example")], true);
        assert_eq!(fields["x-forwarded-host"], "acme.example:8443");
    }

    #[test]
    fn tp10_the_fields_of_one_authority_are_not_used_for_another() {
        let origin = Origin::new("192.0.2.7".parse().unwrap());
        for (authority, port) in
            [("a.example", "443"), ("b.example:8443", "8443"), ("a.example", "443")]
        {
            let authority = HeaderValue::from_static(authority);
            let (version, flags) = (Version::HTTP_2, HeaderFlags::default());
            let request = Forwarded { flags, trusted: false, version, authority: &authority };
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
