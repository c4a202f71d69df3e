//! The I/O of an upstream connection over TCP, TLS or a Unix socket.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::client::TlsStream;

use super::{super::socket::Socket, state::ConnectionPermit};

/// The I/O of an upstream connection.
///
/// An application may answer and close before it has read the whole request. Further writes then fail, but this must not
/// hide the answer: after a failed write, written bytes are discarded, and only reading reports the end of the connection.
pub(super) struct UpstreamIo {
    stream: Stream,
    /// True once the server accepts no more bytes.
    deaf: bool,
    /// The permission for this connection, which also records received bytes. Returned when the connection is closed. `None`
    /// for connections of health checks.
    permit: Option<ConnectionPermit>,
}

pub(super) enum Stream {
    Tcp(Socket<TcpStream>),
    Tls(Box<TlsStream<Socket<TcpStream>>>),
    Unix(Socket<UnixStream>),
}

impl UpstreamIo {
    /// I/O that holds `permit` as long as it is open.
    pub(super) fn new(stream: Stream, permit: ConnectionPermit) -> Self {
        Self { stream, deaf: false, permit: Some(permit) }
    }

    /// I/O of a connection that does not count, for health checks.
    pub(super) fn alone(stream: Stream) -> Self {
        Self { stream, deaf: false, permit: None }
    }

    /// Records the bytes of these pieces that count as written, including discarded ones: a retry needs them too.
    fn noted(&self, written: io::Result<usize>, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        if let (Ok(bytes), Some(permit)) = (&written, &self.permit) {
            permit.connection().note_sent(pieces, *bytes);
        }
        written
    }

    /// Turns a write that failed because the server has closed into a successful write of `bytes`.
    fn tolerate(&mut self, written: io::Result<usize>, bytes: usize) -> io::Result<usize> {
        match written {
            Err(error) if is_closing(error.kind()) => {
                self.deaf = true;
                Ok(bytes)
            }
            written => written,
        }
    }
}

macro_rules! delegate {
    ($self:expr, $io:ident => $call:expr) => {
        match &mut $self.stream {
            Stream::Tcp($io) => $call,
            Stream::Tls($io) => $call,
            Stream::Unix($io) => $call,
        }
    };
}

impl AsyncRead for UpstreamIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = delegate!(self, io => Pin::new(io).poll_read(context, buffer));
        if buffer.filled().len() > before
            && let Some(permit) = &self.permit
        {
            permit.connection().note_received();
        }
        poll
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = if self.deaf {
            Ok(bytes.len())
        } else {
            let written = ready!(delegate!(self, io => Pin::new(io).poll_write(context, bytes)));
            self.tolerate(written, bytes.len())
        };
        Poll::Ready(self.noted(written, &[io::IoSlice::new(bytes)]))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        let written = if self.deaf {
            Ok(bytes)
        } else {
            let written =
                ready!(delegate!(self, io => Pin::new(io).poll_write_vectored(context, slices)));
            self.tolerate(written, bytes)
        };
        Poll::Ready(self.noted(written, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tcp(io) => io.is_write_vectored(),
            Stream::Tls(io) => io.is_write_vectored(),
            Stream::Unix(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(delegate!(self, io => Pin::new(io).poll_flush(context)));
        Poll::Ready(self.tolerate(flushed.map(|()| 0), 0).map(drop))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, io => Pin::new(io).poll_shutdown(context))
    }
}

/// Returns `true` if an I/O error means that the other side has closed.
pub(super) fn is_closing(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
