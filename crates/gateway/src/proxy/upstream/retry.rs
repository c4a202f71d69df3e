//! Rebuilds a request from its written bytes, to send it a second time.
//!
//! Retries are rare. Copying each request that may be retried would cost more than everything else here.

use http::{HeaderName, HeaderValue, Request, Uri, Version};

use super::super::request_body::RequestBody;

/// Parses the head of a request as hyper has written it; `None` if it is incomplete.
pub(super) fn read_back(head: &[u8], body: RequestBody) -> Option<Request<RequestBody>> {
    let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    if parsed.parse(head).ok()?.is_partial() {
        return None;
    }
    let mut request = Request::new(body);
    *request.version_mut() = Version::HTTP_11;
    *request.method_mut() = parsed.method?.parse().ok()?;
    *request.uri_mut() = parsed.path?.parse::<Uri>().ok()?;
    for field in parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(request)
}

/// The maximum of `limits.head_fields`, and the fields that the gateway adds.
const MAX_FIELDS: usize = 1_000 + 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Option<Request<RequestBody>> {
        read_back(head.as_bytes(), RequestBody::none())
    }

    #[test]
    fn a_request_is_rebuilt_as_it_was_written() {
        let head = "DELETE /api/desks/7?a=%20 HTTP/1.1\r\nhost: acme.example\r\ncookie: a=\u{e4}\r\n\
                    x-a: 1\r\nx-a: 2\r\nx-empty: \r\n\r\n";
        let request = read(head).unwrap();
        assert_eq!((request.method().as_str(), request.version()), ("DELETE", Version::HTTP_11));
        assert_eq!(request.uri(), "/api/desks/7?a=%20");
        let fields = request.headers().iter();
        let fields: Vec<_> =
            fields.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("host", b"acme.example"),
            ("cookie", "a=\u{e4}".as_bytes()),
            ("x-a", b"1"),
            ("x-a", b"2"),
            ("x-empty", b""),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn an_incomplete_request_is_not_retried() {
        for head in ["", "GET / HTTP/1.1\r\nhost: a", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            assert!(read(head).is_none(), "{head:?}");
        }
    }
}
