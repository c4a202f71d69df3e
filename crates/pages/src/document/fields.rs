//! Changes the fields of requests and responses for pages that carry a banner.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, Entry},
};

use super::{codings::reduce_codings, head::Documents};
use crumbgate_policy::{accepts_html, is_for_shared_caches, make_private};

/// Returns true if the response becomes a part of another page, according to `Sec-Fetch-Dest`. Such a part gets no banner
/// of its own.
pub fn is_embedded(request: &HeaderMap) -> bool {
    let destination = request.get(SEC_FETCH_DEST).map(HeaderValue::as_bytes);
    destination.is_some_and(|destination| EMBEDDED.contains(&destination))
}

/// Returns the documents that the response to a request may be; `None` if the browser wants something else, such as an image.
///
/// Browsers without `Sec-Fetch-Dest` say only what they accept, and so do the scripts of their pages. Libraries of these
/// scripts name themselves.
pub fn requested_documents(request: &HeaderMap) -> Option<Documents> {
    let is_scripted = || OF_LIBRARIES.iter().any(|name| request.contains_key(name));
    match request.get(SEC_FETCH_DEST).map(HeaderValue::as_bytes) {
        None if accepts_html(values(request, &header::ACCEPT)) && !is_scripted() => {
            Some(Documents::All)
        }
        None | Some(b"empty") => Some(Documents::Declared),
        Some(b"document") => Some(Documents::All),
        Some(other) => EMBEDDED.contains(&other).then_some(Documents::All),
    }
}

/// Returns true if a browser requests a script of a service worker, or what such a script imports. Some browsers say no more
/// than that it is a script of some worker.
pub fn requests_worker_script(request: &HeaderMap) -> bool {
    let destination = request.get(SEC_FETCH_DEST).map(HeaderValue::as_bytes);
    matches!(destination, Some(b"serviceworker" | b"worker"))
        || request.get(SERVICE_WORKER).is_some_and(|value| value == "script")
}

fn values<'f>(fields: &'f HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
    fields.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

/// Changes a request so that it asks for a whole page that can be read: no range, no conditions, and no other content codings.
pub fn prepare_request(request: &mut HeaderMap) {
    for name in [header::IF_MODIFIED_SINCE, header::IF_NONE_MATCH, header::IF_RANGE, header::RANGE]
    {
        request.remove(name);
    }
    reduce_codings(request);
}

/// Removes the fields of a response that are wrong once it contains a banner, and forbids every cache to store it: the
/// banner must not reappear from a cache after the person has agreed.
pub fn prepare_response(response: &mut HeaderMap) {
    remove_fields_of_the_exact_page(response);
    response.remove(header::ETAG);
    response.remove(header::EXPIRES);
    remove_fields_of_shared_caches(response);
    response.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Forbids shared caches to store a response (S9). Browsers may store it exactly as before.
pub fn keep_from_shared_caches(response: &mut HeaderMap) {
    remove_fields_of_shared_caches(response);
    match response.entry(header::CACHE_CONTROL) {
        Entry::Vacant(entry) => {
            entry.insert(PRIVATE);
        }
        Entry::Occupied(mut entry) => {
            for value in entry.iter_mut() {
                let Some(field) = make_private(value.as_bytes()) else { continue };
                *value = HeaderValue::try_from(field).unwrap_or(PRIVATE);
            }
        }
    }
}

/// Removes the fields that shared caches obey instead of `Cache-Control`.
fn remove_fields_of_shared_caches(response: &mut HeaderMap) {
    let is_removed = |name: &&HeaderName| is_for_shared_caches(name.as_str());
    let names: Vec<_> = response.keys().filter(is_removed).cloned().collect();
    for name in names {
        response.remove(name);
    }
}

/// Removes the fields that describe the bytes of a page, their number, their ranges or their age. An entity tag stays.
pub(crate) fn remove_fields_of_the_exact_page(response: &mut HeaderMap) {
    for name in &OF_THE_EXACT_PAGE {
        response.remove(name);
    }
}

pub(crate) const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The name of the field with which a browser requests the main script of a service worker (Service Workers, section 4.9.1).
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

const PRIVATE: HeaderValue = HeaderValue::from_static("private");

/// The fields with which libraries mark the requests of scripts.
const OF_LIBRARIES: [HeaderName; 2] =
    [HeaderName::from_static("hx-request"), HeaderName::from_static("x-requested-with")];

const EMBEDDED: [&[u8]; 5] = [b"embed", b"fencedframe", b"frame", b"iframe", b"object"];

/// These fields, apart from `ETag` (RFC 9110, RFC 9530 and the digests that it replaced).
const OF_THE_EXACT_PAGE: [HeaderName; 7] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    header::LAST_MODIFIED,
    HeaderName::from_static("repr-digest"),
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
    fn a_request_asks_for_a_whole_page_in_a_coding_that_can_be_read() {
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
            [("accept", "text/html"), ("accept-encoding", "gzip"), ("if-match", "\"a\"")];
        assert_eq!(request, fields(&expected));
    }

    #[test]
    fn a_response_with_a_banner_does_not_describe_the_original_bytes_and_is_not_stored() {
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
    fn s9_a_response_is_kept_from_shared_caches_and_not_from_browsers() {
        let mut response = fields(&[
            ("cache-control", "public, max-age=60"),
            ("cache-control", "no-store"),
            ("cache-control", "s-maxage=9"),
            ("cdn-cache-control", "max-age=60"),
            ("cloudflare-cdn-cache-control", "max-age=60"),
            ("edge-control", "cache-maxage=1h"),
            ("expires", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ("surrogate-control", "max-age=60"),
            ("vary", "accept"),
            ("x-accel-expires", "60"),
        ]);
        keep_from_shared_caches(&mut response);
        let expected = fields(&[
            ("cache-control", "private, max-age=60"),
            ("cache-control", "no-store"),
            ("cache-control", "private"),
            ("expires", "Mon, 23 Nov 2026 12:00:00 GMT"),
            ("vary", "accept"),
        ]);
        assert_eq!(response, expected);
        let mut response = HeaderMap::new();
        keep_from_shared_caches(&mut response);
        assert_eq!(response, fields(&[("cache-control", "private")]));
    }

    #[test]
    fn a_browser_names_what_it_opens_and_a_program_what_it_accepts() {
        for (field, documents) in [
            (("sec-fetch-dest", "document"), Some(Documents::All)),
            (("sec-fetch-dest", "iframe"), Some(Documents::All)),
            (("sec-fetch-dest", "empty"), Some(Documents::Declared)),
            (("sec-fetch-dest", "image"), None),
            (("sec-fetch-dest", "script"), None),
            (("accept", "text/html,*/*;q=0.8"), Some(Documents::All)),
            (("accept", "*/*"), Some(Documents::Declared)),
        ] {
            assert_eq!(requested_documents(&fields(&[field])), documents, "{field:?}");
        }
    }

    #[test]
    fn an_embedded_page_is_recognised_by_its_destination() {
        for (destination, embedded) in
            [("document", false), ("empty", false), ("frame", true), ("iframe", true)]
        {
            assert_eq!(is_embedded(&fields(&[("sec-fetch-dest", destination)])), embedded);
        }
        assert!(!is_embedded(&HeaderMap::new()));
    }
}
