//! What a message's head holds, found in one look at all of its fields.
//!
//! The gateway has to care about some thirty names, of which a message has a handful. Each question to the map costs as
//! much for a name that is not there, so the names that are there are looked at once, and say what has to be done.

use std::ops::BitOr;

use http::{HeaderMap, HeaderName};

/// What a head's fields are to the gateway; a set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks(u16);

impl Marks {
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
    /// Where the message came from, as its sender says, or what an application may take for it.
    pub(crate) const FORWARDING: Self = Self(1 << 7);
    /// `Alt-Svc`.
    pub(crate) const ALT_SVC: Self = Self(1 << 8);
    /// `Set-Cookie`.
    pub(crate) const SET_COOKIE: Self = Self(1 << 9);
    /// `Cache-Control`.
    pub(crate) const CACHE_CONTROL: Self = Self(1 << 10);

    /// What these fields are.
    pub(crate) fn of(fields: &HeaderMap) -> Self {
        fields.keys().map(Self::of_name).fold(Self::default(), BitOr::bitor)
    }

    /// Whether one of `these` is there.
    pub(crate) fn any(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }

    fn of_name(name: &HeaderName) -> Self {
        match name.as_str() {
            "alt-svc" => Self::ALT_SVC,
            "cache-control" => Self::CACHE_CONTROL,
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
            "forwarded" | "proxy" | "x-real-ip" => Self::FORWARDING,
            other if other.starts_with("x-forwarded-") || other.contains('_') => Self::FORWARDING,
            _ => Self::default(),
        }
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// The names of each mark, one by one: what the look replaces.
    const NAMES: [(Marks, &[&str]); 11] = [
        (Marks::ALT_SVC, &["alt-svc"]),
        (Marks::CACHE_CONTROL, &["cache-control"]),
        (Marks::CONNECTION, &["connection"]),
        (Marks::EXPECT, &["expect"]),
        (
            Marks::FORWARDING,
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
            Marks::HOP_BY_HOP,
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
        (Marks::OBSOLETE_COOKIE, &["cookie2", "set-cookie2"]),
        (Marks::SET_COOKIE, &["set-cookie"]),
        (Marks::TE, &["te"]),
        (Marks::TRANSFER_ENCODING, &["transfer-encoding"]),
        (Marks::UPGRADE, &["upgrade"]),
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
        fn a_mark_is_there_where_one_of_its_names_is(
            marked in prop::collection::vec((0..NAMES.len(), any::<prop::sample::Index>()), 0..6),
            others in prop::collection::vec(0..OTHERS.len(), 0..6),
        ) {
            let mut fields = HeaderMap::new();
            let marked = marked.iter().map(|(mark, name)| *name.get(NAMES[*mark].1));
            for name in marked.chain(others.iter().map(|other| OTHERS[*other])) {
                fields.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
            }
            let marks = Marks::of(&fields);
            for (mark, names) in NAMES {
                let is_there = names.iter().any(|name| fields.contains_key(*name));
                prop_assert_eq!(marks.any(mark), is_there, "{:?}", names);
            }
        }
    }
}
