//! `[limits]`: every bound of the data path.

use std::time::Duration;

/// `[limits]`: every bound of the data path, with the status of the answer to a request that exceeds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of a request's head: target and headers (431).
    pub head_bytes: usize,
    /// Number of header lines of a request (431).
    pub head_fields: usize,
    /// Bytes of a request's cookies that go upstream (431, R8).
    pub cookie_bytes: usize,
    /// Bytes of a request's body (413); `None` is unlimited.
    pub body_bytes: Option<u64>,
    /// Bytes of a page that are searched for its `<body>` tag, behind which a banner is inserted.
    pub banner_bytes: usize,
    /// Downstream connections of all workers together (503).
    pub connections: usize,
    /// Downstream connections of one source: an IPv4 address, or an IPv6 network of 64 bits (closed at once).
    pub source_connections: usize,
    /// Streams that are open at the same time on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Streams that one HTTP/2 connection may reset in a minute (GOAWAY).
    pub h2_resets: u32,
    /// Superseded values that are remembered at the same time (N4).
    pub superseded_values: usize,
    /// The time limit for a TLS handshake (the connection is closed).
    pub handshake_timeout: Duration,
    /// The time from the first byte of a head to its last (408).
    pub head_timeout: Duration,
    /// The time between two exchanges of a connection (it is closed).
    pub idle_timeout: Duration,
    /// The longest pause in a request's body (408), and the longest time that a client may leave the response unread
    /// (the connection is closed).
    pub body_timeout: Duration,
    /// Bytes per second that a client must send of a body, or read of a response, once it was waited for as long as
    /// `body_timeout` in all (408, or the connection is closed); 0 is no limit.
    pub min_rate: u32,
}

impl Limits {
    /// The values of an empty `[limits]`.
    pub const DEFAULT: Self = Self {
        head_bytes: 65_536,
        head_fields: 100,
        cookie_bytes: 49_152,
        body_bytes: None,
        banner_bytes: 65_536,
        connections: 10_000,
        source_connections: 5_000,
        h2_streams: 100,
        h2_resets: 200,
        superseded_values: 524_288,
        handshake_timeout: Duration::from_secs(10),
        head_timeout: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(75),
        body_timeout: Duration::from_secs(60),
        min_rate: 500,
    };
}
