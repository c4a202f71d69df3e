//! The fields that are meant for one hop only (RFC 9110, section 7.6.1): removed from every message that goes on.

use http::{HeaderMap, HeaderName, header};
use smallvec::SmallVec;

use super::head::{HeaderFlags, tokens};

/// Removes the fields that are meant for one hop only, and those that `Connection` names. `flags` are those of `fields`,
/// here and below.
///
/// Cookies and what frames the message can't be removed by their name in `Connection`: a `Connection: cookie` neither
/// hides a cookie from the policy nor reveals one.
pub(crate) fn remove_hop_by_hop(fields: &mut HeaderMap, flags: HeaderFlags) {
    if flags.any(HeaderFlags::CONNECTION) {
        for name in named_by_connection(fields) {
            fields.remove(name);
        }
        fields.remove(header::CONNECTION);
    }
    if flags.any(HeaderFlags::HOP_BY_HOP) {
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

/// The commonest words in `Connection`: they name no other field, or one that is removed anyway.
const WORDS: [&str; 4] = ["close", "keep-alive", "te", "upgrade"];

/// Returns true if the sender of these fields accepts trailers (RFC 9110, section 10.1.4).
pub(crate) fn accepts_trailers(fields: &HeaderMap, flags: HeaderFlags) -> bool {
    if !flags.any(HeaderFlags::TE) {
        return false;
    }
    tokens(fields, &header::TE)
        .map(|coding| coding.split(';').next().unwrap_or_default().trim())
        .any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

/// Removes the cookie fields of RFC 2965, which nobody may send any more (R7, S6).
pub(crate) fn remove_obsolete_cookies(fields: &mut HeaderMap, flags: HeaderFlags) {
    if flags.any(HeaderFlags::OBSOLETE_COOKIE) {
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
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
        let flags = HeaderFlags::of(&fields);
        remove_hop_by_hop(&mut fields, flags);
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "cookie", "set-cookie"]);
    }
}
