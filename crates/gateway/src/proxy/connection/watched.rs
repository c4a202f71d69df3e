//! The I/O of a downstream connection: records activity, and closes without destroying the last answer.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::activity::Activity;
use crate::proxy::limits::TURN_BYTES;

/// A downstream connection's I/O that records its activity.
///
/// Closing a socket with unread bytes resets the connection, and the reset may destroy the answer before the client has
/// read it. So after the shutdown, bytes that the client still sends are read and discarded for a while (RFC 9112,
/// section 9.6).
pub(crate) struct Watched<T> {
    io: T,
    activity: Arc<Activity>,
    lingering: Option<Pin<Box<Sleep>>>,
    /// Bytes that were read since others had their turn.
    turn_bytes: usize,
}

impl<T> Watched<T> {
    pub(crate) fn new(io: T, activity: Arc<Activity>) -> Self {
        Self { io, activity, lingering: None, turn_bytes: 0 }
    }
}

impl<T: AsyncRead + Unpin> Watched<T> {
    /// Ready when the client has closed too, or after [`LINGER_TIME`].
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER_TIME)));
        while sleep.as_mut().poll(context).is_pending() {
            let mut thrown_away = [0; 4096];
            let mut buffer = ReadBuf::new(&mut thrown_away);
            let read = ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncBufRead + Unpin> Watched<T> {
    /// Ready with `true` when bytes can be read, or with `false` when the client has closed.
    pub(crate) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let bytes = ready!(Pin::new(&mut self.io).poll_fill_buf(context))?;
        Poll::Ready(Ok(!bytes.is_empty()))
    }
}

/// Time for which a closed connection is read.
const LINGER_TIME: Duration = Duration::from_secs(2);

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turn_bytes >= TURN_BYTES {
            self.turn_bytes = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.io).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes == 0 {
            self.turn_bytes = 0;
            return poll;
        }
        self.turn_bytes += bytes;
        self.activity.note_read(bytes)?;
        poll
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write(context, bytes);
        self.activity.note_write(&poll);
        poll
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.activity.note_write(&poll);
        poll
    }

    // Not forwarding these two would make hyper copy every answer into one buffer.
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.io).poll_flush(context);
        self.activity.note_stall(&poll);
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
            if !self.activity.may_be_sending() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(context).map(Ok)
    }
}
