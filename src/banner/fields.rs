//! The fields of a message whose answer is to carry a banner.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Whether what is asked for becomes a part of another page, by `Sec-Fetch-Dest`: there, a banner would be one too many.
pub fn is_embedded(request: &HeaderMap) -> bool {
    let destination = request.get(SEC_FETCH_DEST).map(HeaderValue::as_bytes);
    destination.is_some_and(|destination| EMBEDDED.contains(&destination))
}

/// Has a request ask for a whole page that can be read: nothing that is compressed, a part, or known already.
pub fn prepare_request(request: &mut HeaderMap) {
    for name in [header::IF_MODIFIED_SINCE, header::IF_NONE_MATCH, header::IF_RANGE, header::RANGE]
    {
        request.remove(name);
    }
    request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Takes from a response what does not hold with a banner in it, and keeps it out of every cache: it must not come back
/// from there when the person has agreed.
pub fn prepare_response(response: &mut HeaderMap) {
    for name in &OF_THE_EXACT_PAGE {
        response.remove(name);
    }
    for name in &OF_CACHES {
        response.remove(name);
    }
    response.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

const EMBEDDED: [&[u8]; 5] = [b"embed", b"fencedframe", b"frame", b"iframe", b"object"];

/// What tells the page's bytes, their number, or their parts (RFC 9110, RFC 9530, and what came before that).
const OF_THE_EXACT_PAGE: [HeaderName; 8] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    header::ETAG,
    header::LAST_MODIFIED,
    HeaderName::from_static("repr-digest"),
];

/// What some caches read instead of `Cache-Control` (RFC 9111, section 5.3; RFC 9213; Edge Architecture).
const OF_CACHES: [HeaderName; 3] = [
    HeaderName::from_static("cdn-cache-control"),
    header::EXPIRES,
    HeaderName::from_static("surrogate-control"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        list.iter().map(field).collect()
    }

    #[test]
    fn a_page_is_asked_for_whole_and_readable() {
        let mut request = fields(&[
            ("accept-encoding", "br, gzip"),
            ("accept-encoding", "zstd"),
            ("if-match", "\"a\""),
            ("if-modified-since", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ("if-none-match", "\"a\""),
            ("if-range", "\"a\""),
            ("range", "bytes=0-9"),
            ("accept", "text/html"),
        ]);
        prepare_request(&mut request);
        let expected =
            [("accept", "text/html"), ("accept-encoding", "identity"), ("if-match", "\"a\"")];
        assert_eq!(request, fields(&expected));
    }

    #[test]
    fn an_answer_says_nothing_of_bytes_that_it_no_longer_has_and_is_not_stored() {
        let mut response = fields(&[
            ("accept-ranges", "bytes"),
            ("cache-control", "max-age=60"),
            ("cache-control", "public"),
            ("cdn-cache-control", "max-age=60"),
            ("content-digest", "sha-256=:a:"),
            ("content-length", "9"),
            ("content-md5", "a"),
            ("content-type", "text/html"),
            ("digest", "sha-256=a"),
            ("etag", "\"a\""),
            ("expires", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ("last-modified", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ("repr-digest", "sha-256=:a:"),
            ("surrogate-control", "max-age=60"),
            ("vary", "cookie"),
        ]);
        prepare_response(&mut response);
        let expected =
            [("cache-control", "no-store"), ("content-type", "text/html"), ("vary", "cookie")];
        assert_eq!(response, fields(&expected));
    }

    #[test]
    fn what_is_embedded_is_no_page_of_its_own() {
        for (destination, embedded) in
            [("document", false), ("empty", false), ("frame", true), ("iframe", true)]
        {
            assert_eq!(is_embedded(&fields(&[("sec-fetch-dest", destination)])), embedded);
        }
        assert!(!is_embedded(&HeaderMap::new()));
    }
}
