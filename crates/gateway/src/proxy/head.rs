//! The kinds of fields that a message's head has, found in one pass over all of them.
//!
//! The gateway treats some thirty names specially, and a message has only a few of them. A look-up in the map costs as
//! much for an absent name as for a present one, so the present names are read once, and set a flag each.

use std::ops::BitOr;

use http::{HeaderMap, HeaderName, header};

/// The set of the kinds of fields that a head has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HeaderFlags(u16);

impl HeaderFlags {
    /// `Connection`, which may name others.
    pub(crate) const CONNECTION: Self = Self(1);
    /// Any other field that is meant for one hop.
    pub(crate) const HOP_BY_HOP: Self = Self(1 << 1);
    /// `TE`, one of them.
    pub(crate) const TE: Self = Self(1 << 2);
    /// `Transfer-Encoding`, one of them.
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 3);
    /// `Upgrade`, one of them.
    pub(crate) const UPGRADE: Self = Self(1 << 4);
    /// `Expect`.
    pub(crate) const EXPECT: Self = Self(1 << 5);
    /// `Cookie2` and `Set-Cookie2`.
    pub(crate) const OBSOLETE_COOKIE: Self = Self(1 << 6);
    /// A field by which a proxy reports where a request came from, who sent it or what it was for, or one that an application
    /// may take for it.
    pub(crate) const FORWARDING: Self = Self(1 << 7);
    /// `Alt-Svc`.
    pub(crate) const ALT_SVC: Self = Self(1 << 8);
    /// `Set-Cookie`.
    pub(crate) const SET_COOKIE: Self = Self(1 << 9);

    /// Reads the names of all fields.
    pub fn of(fields: &HeaderMap) -> Self {
        fields.keys().map(Self::of_name).fold(Self::default(), BitOr::bitor)
    }

    /// Returns true if at least one of `these` is set.
    pub(crate) fn any(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }

    fn of_name(name: &HeaderName) -> Self {
        match name.as_str() {
            "alt-svc" => Self::ALT_SVC,
            "connection" => Self::CONNECTION,
            "cookie2" | "set-cookie2" => Self::OBSOLETE_COOKIE,
            "expect" => Self::EXPECT,
            "set-cookie" => Self::SET_COOKIE,
            "te" => Self::TE | Self::HOP_BY_HOP,
            "transfer-encoding" => Self::TRANSFER_ENCODING | Self::HOP_BY_HOP,
            "upgrade" => Self::UPGRADE | Self::HOP_BY_HOP,
            "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-authorization"
            | "proxy-connection" => Self::HOP_BY_HOP,
            other if is_of_proxies(other) || other.contains('_') => Self::FORWARDING,
            _ => Self::default(),
        }
    }
}

impl BitOr for HeaderFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Returns true for the name of a field by which proxies report the client, the person, or the original target of a request.
/// Applications believe them, so only a trusted proxy may send one. `Proxy` becomes the environment variable `HTTP_PROXY` in a
/// CGI application ("httpoxy").
pub(crate) fn is_of_proxies(name: &str) -> bool {
    let prefixes = ["x-auth-request-", "x-forwarded-", "x-ssl-client-"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            "cf-connecting-ip"
                | "cf-connecting-ipv6"
                | "client-ip"
                | "fastly-client-ip"
                | "forwarded"
                | "proxy"
                | "remote-addr"
                | "remote-user"
                | "true-client-ip"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "x-host"
                | "x-original-forwarded-for"
                | "x-original-host"
                | "x-original-method"
                | "x-original-uri"
                | "x-original-url"
                | "x-real-ip"
                | "x-remote-addr"
                | "x-remote-ip"
                | "x-remote-user"
                | "x-rewrite-url"
                | "x-webauth-user"
        )
}

/// Returns the comma-separated parts of all fields of one name.
pub(crate) fn tokens<'f>(
    fields: &'f HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'f str> {
    let values = fields.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// Returns true if these fields state the end of the message's body in one way only (RFC 9112, section 6.3).
///
/// hyper ignores a `Content-Length` next to `Transfer-Encoding`, but may pass it on; and a body in any coding other than
/// `chunked` would lose the name of its coding here.
pub(crate) fn is_clearly_framed(fields: &HeaderMap, flags: HeaderFlags) -> bool {
    if !flags.any(HeaderFlags::TRANSFER_ENCODING) {
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// The names of each flag: the look-ups that one pass replaces.
    const NAMES: [(HeaderFlags, &[&str]); 10] = [
        (HeaderFlags::ALT_SVC, &["alt-svc"]),
        (HeaderFlags::CONNECTION, &["connection"]),
        (HeaderFlags::EXPECT, &["expect"]),
        (
            HeaderFlags::FORWARDING,
            &[
                "forwarded",
                "proxy",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-prefix",
                "x-forwarded-ssl",
                "x-real-ip",
                "x_forwarded_for",
                "x_real-ip",
            ],
        ),
        (
            HeaderFlags::HOP_BY_HOP,
            &[
                "http2-settings",
                "keep-alive",
                "proxy-authenticate",
                "proxy-authentication-info",
                "proxy-authorization",
                "proxy-connection",
                "te",
                "transfer-encoding",
                "upgrade",
            ],
        ),
        (HeaderFlags::OBSOLETE_COOKIE, &["cookie2", "set-cookie2"]),
        (HeaderFlags::SET_COOKIE, &["set-cookie"]),
        (HeaderFlags::TE, &["te"]),
        (HeaderFlags::TRANSFER_ENCODING, &["transfer-encoding"]),
        (HeaderFlags::UPGRADE, &["upgrade"]),
    ];

    const OTHERS: [&str; 8] = [
        "host",
        "cookie",
        "accept",
        "date",
        "content-length",
        "x-request-id",
        "x-xsrf-token",
        "via",
    ];

    proptest! {
        #[test]
        fn a_flag_is_set_if_one_of_its_names_is_present(
            marked in prop::collection::vec((0..NAMES.len(), any::<prop::sample::Index>()), 0..6),
            others in prop::collection::vec(0..OTHERS.len(), 0..6),
        ) {
            let mut fields = HeaderMap::new();
            let marked = marked.iter().map(|(flag, name)| *name.get(NAMES[*flag].1));
            for name in marked.chain(others.iter().map(|other| OTHERS[*other])) {
                fields.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
            }
            let flags = HeaderFlags::of(&fields);
            for (flag, names) in NAMES {
                let is_there = names.iter().any(|name| fields.contains_key(*name));
                prop_assert_eq!(flags.any(flag), is_there, "{:?}", names);
            }
        }
    }
}
