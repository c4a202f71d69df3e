//! `X-Request-Id`: made for each request, or passed on if the client sent a valid one.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The field's name.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request: 1 to [`MAX_BYTES`] letters, digits, `-`, `_` or `.`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

/// Makes ids: 64 random bits of the worker, then a count. [`BATCH`] ids share one allocation, which lives as long as any of
/// them.
pub(crate) struct RequestIds {
    worker: u64,
    next: Cell<u64>,
    made: RefCell<Bytes>,
}

impl RequestIds {
    /// Makes ids that begin with the bits of `worker`.
    pub(crate) fn new(worker: u64) -> Self {
        Self { worker, next: Cell::new(0), made: RefCell::default() }
    }

    /// Returns the id that the request has, or a new one.
    pub(crate) fn of(&self, fields: &HeaderMap) -> RequestId {
        match fields.get(REQUEST_ID) {
            Some(id) if is_valid(id.as_bytes()) => RequestId(id.clone()),
            _ => self.make(),
        }
    }

    fn make(&self) -> RequestId {
        let made = &mut *self.made.borrow_mut();
        if made.is_empty() {
            *made = self.make_several();
        }
        let id = HeaderValue::from_maybe_shared(made.split_to(ID_BYTES));
        RequestId(id.expect("hexadecimal digits are a field's value"))
    }

    fn make_several(&self) -> Bytes {
        let first = self.next.get();
        self.next.set(first.wrapping_add(BATCH));
        let mut texts = Vec::new();
        for number in 0..BATCH {
            let mut text = [0; ID_BYTES];
            let (worker, count) = text.split_at_mut(ID_BYTES / 2);
            write_hex(self.worker, worker);
            write_hex(first.wrapping_add(number), count);
            texts.extend_from_slice(&text);
        }
        texts.into()
    }
}

impl RequestId {
    /// Returns the id as a field's value.
    pub(crate) fn value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Returns the id as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

fn is_valid(id: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn write_hex(number: u64, digits: &mut [u8]) {
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place) & 0xf) as usize];
    }
}

/// The number of ids that share an allocation.
const BATCH: u64 = 64;

const ID_BYTES: usize = 32;

/// The longest id that is passed on, in bytes.
const MAX_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_id_is_passed_on_and_any_other_is_replaced() {
        let ids = RequestIds::new(0xabc);
        let id_for = |sent: &[u8]| {
            let mut fields = HeaderMap::new();
            fields.insert(REQUEST_ID, HeaderValue::from_bytes(sent).unwrap());
            ids.of(&fields).as_str().to_owned()
        };
        assert_eq!(id_for(b"order-66_a.b"), "order-66_a.b");
        assert_eq!(id_for(b"a b"), "0000000000000abc0000000000000000");
        assert_eq!(id_for(b"\xff"), "0000000000000abc0000000000000001");
        assert_eq!(id_for(&[b'a'; 129]), "0000000000000abc0000000000000002");
    }
}
