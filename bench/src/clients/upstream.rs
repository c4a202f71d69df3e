//! An application for what nginx can't serve, or not as cheaply: large bodies both ways, and WebSockets.

use std::{io, net::SocketAddr, path::Path, rc::Rc};

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
    task::{LocalSet, spawn_local},
};

use super::{
    BODY_BYTES,
    frame::{self, Header},
    http1::{Buffer, body_bytes, field, field_is, read_head},
    paths,
};

/// The sockets that it listens on.
pub struct Upstream {
    tcp: TcpListener,
    unix: Option<UnixListener>,
}

impl Upstream {
    /// Listens there; port 0 is one of the kernel's choice.
    pub fn bind(tcp: SocketAddr, unix: Option<&Path>) -> anyhow::Result<Self> {
        let listen = |path: &Path| {
            let listener = UnixListener::bind(path);
            listener.with_context(|| format!("can't listen on {}", path.display()))
        };
        let unix = unix.map(listen).transpose()?;
        let listener = std::net::TcpListener::bind(tcp).and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        Ok(Self { tcp: listener.with_context(|| format!("can't listen on {tcp}"))?, unix })
    }

    /// The address at which it listens.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.tcp.local_addr().context("the listener has no address")
    }

    /// Serves until accepting fails. A connection that fails is closed, and that is all.
    pub async fn serve(self) -> anyhow::Result<()> {
        let answers = Rc::new(Answers::new());
        LocalSet::new().run_until(self.accept(&answers)).await.context("can't accept")
    }

    async fn accept(&self, answers: &Rc<Answers>) -> io::Result<()> {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => {
                    let (stream, _) = accepted?;
                    stream.set_nodelay(true)?;
                    spawn_local(serve_connection(stream, Rc::clone(answers)));
                }
                accepted = accept_unix(self.unix.as_ref()) => {
                    spawn_local(serve_connection(accepted?, Rc::clone(answers)));
                }
            }
        }
    }
}

async fn accept_unix(listener: Option<&UnixListener>) -> io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// The constant answers, made once.
pub(super) struct Answers {
    tiny: Vec<u8>,
    down: Vec<u8>,
    not_found: Vec<u8>,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            tiny: answer("200 OK", b"ok\n"),
            down: answer("200 OK", &vec![b'd'; BODY_BYTES]),
            not_found: answer("404 Not Found", b"no such path\n"),
        }
    }
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Serves a connection to its end, however that comes.
pub(super) async fn serve_connection<S>(stream: S, answers: Rc<Answers>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Whoever has sent what can't be served finds the connection closed.
    let _ = serve(stream, &answers).await;
}

async fn serve<S>(mut stream: S, answers: &Answers) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Buffer::new();
    while let Some(length) = read_head(&mut stream, &mut buffer).await? {
        let head = &buffer.bytes()[..length];
        let (path, body) = (path(head), body_bytes(head)?);
        let is_last = field_is(head, "connection", "close");
        if path == paths::SOCKET.as_bytes() {
            stream.write_all(&switch(head)?).await?;
            buffer.consume(length);
            return echo(&mut stream, &mut buffer).await;
        }
        let counted;
        let found = match path {
            path if path == paths::TINY.as_bytes() => &answers.tiny,
            path if path == paths::DOWN.as_bytes() => &answers.down,
            path if path == paths::UP.as_bytes() => {
                counted = answer("200 OK", body.to_string().as_bytes());
                &counted
            }
            _ => &answers.not_found,
        };
        buffer.skip(&mut stream, length + body).await?;
        stream.write_all(found).await?;
        stream.flush().await?;
        if is_last {
            break;
        }
    }
    Ok(stream.shutdown().await?)
}

/// The path of a request, without its query.
fn path(head: &[u8]) -> &[u8] {
    let target = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    target.split(|&byte| byte == b'?').next().unwrap_or_default()
}

/// The answer that begins a WebSocket (RFC 6455, section 4.2.2).
fn switch(head: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = field(head, "sec-websocket-key").context("no Sec-WebSocket-Key")?;
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    let accept = BASE64_STANDARD.encode(hash);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Ok(head.into_bytes())
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Returns every frame, until one ends the connection.
async fn echo<S>(stream: &mut S, buffer: &mut Buffer) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let Some(header) = Header::read(buffer.bytes()) else {
            let held = buffer.bytes().len();
            buffer.fill_to(stream, held + 1).await?;
            continue;
        };
        let end = header.size.saturating_add(header.length);
        buffer.fill_to(stream, end).await?;
        let frame = &mut buffer.bytes_mut()[..end];
        if let Some(mask) = header.mask {
            frame::unmask(&mut frame[header.size..], mask);
        }
        // An unmasked header is shorter than a masked one, so the answer is made where the frame lies.
        let new_header = frame::header(header.first, header.length, false);
        let begin = header.size - new_header.len();
        frame[begin..header.size].copy_from_slice(&new_header);
        stream.write_all(&frame[begin..]).await?;
        stream.flush().await?;
        buffer.consume(end);
        if header.first == frame::CLOSE {
            return Ok(stream.shutdown().await?);
        }
    }
}
