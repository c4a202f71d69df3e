//! Fixed limits of the data path, which `[limits]` can't change.

use crumbgate_config::Limits;

/// Returns the bytes of a head that is read: the `Cookie` fields that a browser can send, and twice `limits.head_bytes`, so that
/// the answer to a head that is too large can be a page that states the problem. hyper answers larger heads with a 431, and
/// closes.
pub(crate) fn read_head_bytes(limits: &Limits) -> usize {
    limits.head_bytes.saturating_mul(2).saturating_add(READ_COOKIE_BYTES)
}

/// Bytes of `Cookie` fields that are read at least: browsers store at most 180 cookies of 4,096 bytes for a site (R8).
const READ_COOKIE_BYTES: usize = 768 * 1024;

/// Bytes of `Cookie` fields that are held as they came while the application works. Longer ones are shortened (R8).
pub(crate) const HELD_COOKIE_BYTES: usize = 64 * 1024;

/// Bytes of a head that every connection may have. More of it is taken from [`LARGE_HEADS_BYTES`].
pub(crate) const SMALL_HEAD_BYTES: usize = 128 * 1024;

/// Bytes that large heads may have on all connections of a worker together, until they are shortened.
pub(crate) const LARGE_HEADS_BYTES: usize = 32 * 1024 * 1024;

/// Bytes that a connection reads before others have their turn. Heads that HTTP/2 has decoded wait until then.
pub(crate) const TURN_BYTES: usize = 64 * 1024;

/// The number of fields of an application's answer: a page may set 150 cookies. Each answer allocates room for all.
pub(crate) const RESPONSE_FIELDS: usize = 512;

/// Bytes of the head of an application's answer, with the part of its body that is read ahead.
pub(crate) const RESPONSE_HEAD_BYTES: usize = 256 * 1024;

/// Bytes that wait to be sent on one HTTP/2 stream.
pub(crate) const H2_SEND_BYTES: usize = 64 * 1024;

/// Bytes that an HTTP/2 stream gets at a time: it buffers so many beyond [`H2_SEND_BYTES`].
pub(crate) const H2_PART_BYTES: usize = 16 * 1024;

/// Bytes that an HTTP/1.1 answer gets at a time: hyper buffers up to 16 such parts for a slow client.
pub(crate) const H1_PART_BYTES: usize = 8 * 1024;

/// HTTP/2 streams that a peer may reset before the gateway reads them.
pub(crate) const H2_PENDING_RESETS: usize = 20;

/// Connections beyond `limits.connections` that get a 503. Any more are closed without an answer.
pub(crate) const REFUSED_CONNECTIONS: usize = 64;
