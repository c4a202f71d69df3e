//! Fixed limits of the data path, which `[limits]` can't change.

/// A head up to this many times `limits.head_bytes` is still read, so that the answer can be a page that states the
/// problem and evicts the cookies that made the head so large (R8). hyper answers larger heads with a 431, and closes.
pub(crate) const READ_HEAD_FACTOR: usize = 2;

/// The number of fields of an application's answer: a page may set 150 cookies. Each answer allocates room for all.
pub(crate) const RESPONSE_FIELDS: usize = 512;

/// Bytes of the head of an application's answer, with the part of its body that is read ahead.
pub(crate) const RESPONSE_HEAD_BYTES: usize = 256 * 1024;

/// Bytes that wait to be sent on one HTTP/2 stream.
pub(crate) const H2_SEND_BYTES: usize = 64 * 1024;

/// Bytes that an HTTP/2 stream gets at a time: it buffers so many beyond [`H2_SEND_BYTES`].
pub(crate) const H2_PART_BYTES: usize = 16 * 1024;

/// HTTP/2 streams that a peer may reset before the gateway reads them.
pub(crate) const H2_PENDING_RESETS: usize = 20;

/// Connections beyond `limits.connections` that get a 503. Any more are closed without an answer.
pub(crate) const REFUSED_CONNECTIONS: usize = 64;
