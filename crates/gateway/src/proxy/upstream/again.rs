//! A request that is sent a second time: read back from what was written of it.
//!
//! Hardly any request is, and a copy of each that may be would cost more than all else that is done for it here.

use http::{HeaderName, HeaderValue, Request, Uri, Version};

use super::super::request_body::RequestBody;

/// The request without a body that these bytes are, as hyper has written it; none where they are no whole head.
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

/// `limits.head_fields` at most, and those that the gateway adds.
const MAX_FIELDS: usize = 1_000 + 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Option<Request<RequestBody>> {
        read_back(head.as_bytes(), RequestBody::none())
    }

    #[test]
    fn a_request_is_read_back_as_it_was_written() {
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
    fn what_is_not_whole_is_not_sent_again() {
        for head in ["", "GET / HTTP/1.1\r\nhost: a", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            assert!(read(head).is_none(), "{head:?}");
        }
    }
}
