//! Requests with large heads (R8): their memory is bounded, and is free again before the application works.
//!
//! A head arrives as one piece of memory, which lives as long as any field or part of the target does. So what is kept of a
//! large head is copied, and its `Cookie` fields are shortened as soon as the tenant is known.

use http::{HeaderMap, HeaderValue, Request, Uri, header};
use smallvec::smallvec;

use super::{
    admission::Admitted,
    connection::{LargeHead, LargeHeads},
    headers::sensitive,
    limits::{HELD_COOKIE_BYTES, SMALL_HEAD_BYTES},
    tenant_cache::ServedTenant,
};
use crumbgate_policy as policy;

/// Large heads have all the memory that they may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRoom;

/// Takes the memory of a request's head, if it is large, and copies everything but its cookies.
///
/// # Errors
///
/// Too little memory is left. The request has lost its fields.
pub(super) fn receive<B>(
    large_heads: &LargeHeads,
    request: &mut Request<B>,
) -> Result<Option<LargeHead>, NoRoom> {
    let bytes = held_bytes(request.headers());
    if bytes <= HELD_COOKIE_BYTES {
        return Ok(None);
    }
    let head =
        (bytes > SMALL_HEAD_BYTES).then(|| large_heads.take(bytes).ok_or(NoRoom)).transpose();
    if head.is_err() {
        request.headers_mut().clear();
        return head;
    }
    copy_all_but_cookies(request);
    head
}

/// Returns the bytes of memory that the fields of a head take.
fn held_bytes(fields: &HeaderMap) -> usize {
    fields.values().map(|value| value.len() + FIELD_BYTES).sum()
}

fn copy_all_but_cookies<B>(request: &mut Request<B>) {
    if let Ok(copied) = Uri::try_from(request.uri().to_string()) {
        *request.uri_mut() = copied;
    }
    for (name, value) in request.headers_mut() {
        if *name != header::COOKIE
            && let Ok(mut copied) = HeaderValue::from_bytes(value.as_bytes())
        {
            copied.set_sensitive(value.is_sensitive());
            *value = copied;
        }
    }
}

impl Admitted<ServedTenant> {
    /// Shortens `Cookie` fields that are too large to be held while the application works.
    pub(super) fn shorten_cookies<B>(&mut self, request: &mut Request<B>, unix_s: u64) {
        let fields = || self.cookies.iter().map(HeaderValue::as_bytes);
        if policy::cookie_bytes(fields()) <= HELD_COOKIE_BYTES {
            return;
        }
        let recorder = &self.tenant.recorder;
        let policy = &recorder.tenant().policy;
        let short = policy.shorten_cookies(fields(), &mut recorder.record_at(unix_s));
        if let Some(short) = short.and_then(sensitive) {
            request.headers_mut().insert(header::COOKIE, short.clone());
            self.cookies = smallvec![short];
        }
    }
}

/// Bytes that a field takes besides its value.
const FIELD_BYTES: usize = 72;

#[cfg(test)]
mod tests {
    use super::{receive as receive_request, *};
    use crate::proxy::{connection::Connections, limits::LARGE_HEADS_BYTES};

    fn request(fields: &[(header::HeaderName, usize)]) -> Request<()> {
        let mut request = Request::builder().uri("/path?query");
        for (name, bytes) in fields {
            request = request.header(name, "v".repeat(*bytes));
        }
        request.body(()).unwrap()
    }

    #[test]
    fn r8_a_large_head_takes_memory_and_is_copied() {
        let connections = Connections::new(Default::default());
        let large_heads = &connections.large_heads;
        let small = &[(header::COOKIE, 1000), (header::ACCEPT, 10)];
        let receive = |fields: &[_]| {
            let mut request = request(fields);
            let (before, value) =
                (request.clone(), request.headers()[header::ACCEPT].as_bytes().as_ptr());
            let head = receive_request(large_heads, &mut request);
            let is_copied = request
                .headers()
                .get(header::ACCEPT)
                .map(|accept| accept.as_bytes().as_ptr() != value);
            assert!(head.is_err() || request.headers() == before.headers());
            assert_eq!(request.uri(), before.uri());
            (head.map(|head| head.is_some()).ok(), is_copied)
        };
        assert_eq!(receive(small), (Some(false), Some(false)));
        assert_eq!(
            receive(&[(header::COOKIE, 70_000), (header::ACCEPT, 10)]),
            (Some(false), Some(true))
        );
        let large = &[(header::COOKIE, 140_000), (header::ACCEPT, 10)];
        assert_eq!(receive(large), (Some(true), Some(true)));
        let all = large_heads.take(SMALL_HEAD_BYTES + LARGE_HEADS_BYTES);
        assert_eq!(receive(large), (None, None));
        assert_eq!(receive(small), (Some(false), Some(false)));
        drop(all);
        assert_eq!(receive(large), (Some(true), Some(true)));
    }
}
