//! Bounds of the data path that are no matter of taste, and therefore no keys of `[limits]`.

/// A head up to this many times `limits.head_bytes` is still read, so that its answer can be a page that says what is
/// wrong, and can evict the junk that made it so large (R8). Above it, HTTP itself answers 431 and closes.
pub(crate) const READ_HEAD_FACTOR: usize = 2;

/// Fields of an application's answer: a page may set 150 cookies. Room for all of them is made for each answer.
pub(crate) const RESPONSE_FIELDS: usize = 512;

/// Bytes of an application's answer's head, and of what is read ahead of its body.
pub(crate) const RESPONSE_HEAD_BYTES: usize = 256 * 1024;

/// Bytes that wait to be sent on one HTTP/2 stream.
pub(crate) const H2_SEND_BYTES: usize = 64 * 1024;

/// Bytes that are handed to an HTTP/2 stream at a time: so much it buffers beyond the above.
pub(crate) const H2_PART_BYTES: usize = 16 * 1024;

/// HTTP/2 streams that a peer may reset before they were looked at.
pub(crate) const H2_PENDING_RESETS: usize = 20;

/// Connections beyond `limits.connections` that still get a 503 instead of silence.
pub(crate) const REFUSED_CONNECTIONS: usize = 64;
