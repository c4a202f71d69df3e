//! The errors of a call to an application.

use super::{super::request_body::Fault, connect::ConnectError};

/// The reason that an application gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request's body ended early, so the request could not be sent completely.
    #[error("the request's body ended early")]
    Body(#[source] Fault),
    /// The answer ended early or is not HTTP.
    #[error("the application closed the connection early or did not speak HTTP")]
    Broken(#[source] hyper::Error),
    /// The length of the answer's body is ambiguous (RFC 9112, section 6.3), or given by a transfer coding that the gateway
    /// does not decode.
    #[error("the length of the application's response is ambiguous")]
    Framing,
    /// No server could be reached.
    #[error("no server of the application could be reached")]
    Connect(#[source] ConnectError),
    /// No answer's head came in time.
    #[error("the application did not answer in time")]
    Late,
    /// Every server is at its limit on connections, and the queue is full.
    #[error("every server of the application is busy, and too many requests are already waiting")]
    QueueFull,
    /// Every server stayed at its limit on connections for `queue_timeout`.
    #[error("every server of the application was busy for queue_timeout")]
    QueueLate,
}
