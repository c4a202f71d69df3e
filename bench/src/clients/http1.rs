//! As much of HTTP/1.1 as a load and its application need: heads, and bodies whose length is known.

use std::io;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The bytes of a connection that were read and not yet used; of a fixed size.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into(), filled: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.filled]
    }

    /// Reads more; 0 bytes are the connection's end.
    pub(super) async fn fill<S>(&mut self, stream: &mut S) -> io::Result<usize>
    where
        S: AsyncRead + Unpin,
    {
        let room = &mut self.bytes[self.filled..];
        if room.is_empty() {
            return Err(io::Error::other("a message is larger than the buffer"));
        }
        let read = stream.read(room).await?;
        self.filled += read;
        Ok(read)
    }

    /// Reads until there are that many bytes.
    pub(super) async fn fill_to<S>(&mut self, stream: &mut S, needed: usize) -> io::Result<()>
    where
        S: AsyncRead + Unpin,
    {
        while self.filled < needed {
            if self.fill(stream).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Forgets the first bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    /// Reads past bytes, and keeps none of them.
    pub(super) async fn skip<S>(&mut self, stream: &mut S, mut count: usize) -> io::Result<()>
    where
        S: AsyncRead + Unpin,
    {
        let held = count.min(self.filled);
        self.consume(held);
        count -= held;
        while count > 0 {
            let room = &mut self.bytes[..count.min(BUFFER_BYTES)];
            let read = stream.read(room).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            count -= read;
        }
        Ok(())
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

/// Sends a request, and reads its answer to the end, which has to be a success.
pub(super) async fn exchange<S>(
    stream: &mut S,
    request: &[u8],
    buffer: &mut Buffer,
) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    send(stream, request).await?;
    read_answer(stream, buffer).await
}

/// Reads an answer to its end, which has to be a success, and the last that was asked for.
pub(super) async fn read_answer<S>(stream: &mut S, buffer: &mut Buffer) -> anyhow::Result<()>
where
    S: AsyncRead + Unpin,
{
    let head = read_head(stream, buffer).await.context("no answer")?;
    let head = head.context("the connection was closed and not answered")?;
    let (status, length) = (status(&buffer.bytes()[..head])?, body_bytes(&buffer.bytes()[..head])?);
    ensure!((200..300).contains(&status), "the answer is {status}");
    buffer.skip(stream, head + length).await.context("the answer is cut")?;
    ensure!(buffer.bytes().is_empty(), "bytes follow the answer");
    Ok(())
}

pub(super) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
) -> anyhow::Result<()> {
    stream.write_all(bytes).await.context("can't send")?;
    stream.flush().await.context("can't send")
}

/// Reads until a head is complete, and returns its length with the empty line; `None` where the connection has ended.
pub(super) async fn read_head<S>(stream: &mut S, buffer: &mut Buffer) -> io::Result<Option<usize>>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some(end) = memchr::memmem::find(buffer.bytes(), END_OF_HEAD) {
            return Ok(Some(end + END_OF_HEAD.len()));
        }
        if buffer.fill(stream).await? == 0 {
            return match buffer.bytes() {
                [] => Ok(None),
                [..] => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The value of the first field of that name (in lower case), without the spaces around it.
pub(super) fn field<'h>(head: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let fields = head.split(|&byte| byte == b'\n').skip(1);
    let mut values = fields.filter_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let is_it = found.eq_ignore_ascii_case(name.as_bytes());
        value.strip_prefix(b":").filter(|_| is_it)
    });
    values.next().map(<[u8]>::trim_ascii)
}

/// True where the first field of that name (in lower case) is this word.
pub(super) fn field_is(head: &[u8], name: &str, word: &str) -> bool {
    field(head, name).is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// The length of the body behind this head. A chunked one is an error: the loads request none.
pub(super) fn body_bytes(head: &[u8]) -> anyhow::Result<usize> {
    if let Some(length) = field(head, "content-length") {
        return number(length).context("Content-Length is no number");
    }
    if field(head, "transfer-encoding").is_some() {
        bail!("a body in chunks, where one with Content-Length was expected");
    }
    Ok(0)
}

/// The status of an answer.
pub(super) fn status(head: &[u8]) -> anyhow::Result<u16> {
    let code = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let code = code.and_then(number).and_then(|code| u16::try_from(code).ok());
    code.context("the answer is not HTTP/1.1")
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
