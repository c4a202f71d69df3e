//! Replaces the `Cookie` and `Set-Cookie` fields of a head by those that the policy lets pass.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use smallvec::SmallVec;

use crumbgate_pages::document::keep_from_shared_caches;
use crumbgate_policy::{CookieField, OutgoingSetCookie, SetCookieFields};

/// Replaces the `Cookie` fields by the one that goes upstream (R1, R6).
pub(super) fn replace_cookie(fields: &mut HeaderMap, field: CookieField) {
    match field {
        CookieField::Untouched => {}
        CookieField::Removed => {
            fields.remove(header::COOKIE);
        }
        CookieField::Replaced(bytes) => {
            fields.remove(header::COOKIE);
            fields.extend(sensitive(bytes).map(|value| (header::COOKIE, value)));
        }
    }
}

/// Replaces the `Set-Cookie` fields by those that go downstream, in their order. `has_some` is true if there are any.
pub(super) fn replace_set_cookie(
    fields: &mut HeaderMap,
    has_some: bool,
    outgoing: SetCookieFields,
) {
    let SetCookieFields::Replaced(outgoing) = outgoing else { return };
    let mut received = SmallVec::<[HeaderValue; 8]>::new();
    if has_some {
        received.extend(fields.get_all(header::SET_COOKIE).iter().cloned());
        fields.remove(header::SET_COOKIE);
    }
    for field in outgoing {
        let value = match field {
            OutgoingSetCookie::Built(bytes) => sensitive(bytes),
            OutgoingSetCookie::Kept(index) => received.get(index).cloned(),
        };
        if let Some(value) = value {
            fields.append(header::SET_COOKIE, value);
        }
    }
}

/// Keeps an answer that sets a cookie out of every shared cache (S9). Every answer of the gateway passes here last, its own
/// ones too, wherever their cookies come from.
pub(super) fn keep_cookies_private(fields: &mut HeaderMap) {
    if fields.contains_key(header::SET_COOKIE) {
        keep_from_shared_caches(fields);
    }
}

/// Makes a field's value that is a secret: it is not printed, and HTTP/2 keeps it out of its tables.
pub(super) fn sensitive(bytes: Vec<u8>) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(bytes)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn field_bytes<'f>(
    fields: &'f HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'f [u8]> {
    fields.get_all(name).into_iter().map(HeaderValue::as_bytes)
}
