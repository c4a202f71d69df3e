//! A socket wrapper that writes a single piece with `send(2)`.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket that writes a single piece with `send(2)`, which costs the kernel less than a `writev(2)` with one piece. Most
/// writes here have one piece.
pub(crate) struct Socket<S>(S);

impl<S> Socket<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self(socket)
    }
}

/// The only non-empty piece; `None` if there are more or none.
fn single<'p>(pieces: &'p [IoSlice<'_>]) -> Option<&'p [u8]> {
    let mut pieces = pieces.iter().filter(|piece| !piece.is_empty());
    match (pieces.next(), pieces.next()) {
        (Some(piece), None) => Some(piece),
        _ => None,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match single(pieces) {
            Some(piece) => Pin::new(&mut self.0).poll_write(context, piece),
            None => Pin::new(&mut self.0).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
