//! Messages over WebSockets, each returned by the application before the next is sent.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::{
    Endpoint, Request,
    crowd::Crowd,
    frame,
    http1::{Buffer, field, read_head, send, status},
    paths,
    tls::Stream,
};

/// The result of a target.
#[derive(Clone, Debug)]
pub struct Messages {
    /// The number of messages that went to the application and came back.
    pub messages: u64,
    /// The number of messages that did not.
    pub errors: u64,
    /// The first error.
    pub first_error: Option<String>,
}

/// Opens WebSockets, and sends messages over each until the time is over.
pub async fn run(
    endpoint: &Endpoint,
    connections: usize,
    message_bytes: usize,
    duration: Duration,
) -> anyhow::Result<Messages> {
    Load::open(endpoint, connections, message_bytes).await?.run(duration).await
}

/// Open WebSockets, and what is sent over them.
pub struct Load {
    crowd: Crowd,
    upgrade: Vec<u8>,
    sent: Vec<u8>,
    returned: Vec<u8>,
}

impl Load {
    /// Opens that many WebSockets, each of which has returned one message.
    pub async fn open(
        endpoint: &Endpoint,
        connections: usize,
        message_bytes: usize,
    ) -> anyhow::Result<Self> {
        let upgrade = upgrade(&endpoint.server_name);
        let message = |is_client| {
            let mut bytes = frame::header(frame::BINARY, message_bytes, is_client);
            bytes.resize(bytes.len() + message_bytes, b'm');
            bytes
        };
        let (sent, returned) = (message(true), message(false));
        let first = async |stream: &mut Stream, buffer: &mut Buffer| {
            begin(stream, &upgrade, buffer).await?;
            echo(stream, &sent, &returned, buffer).await
        };
        let crowd = Crowd::open(endpoint, connections, first).await?;
        Ok(Self { crowd, upgrade, sent, returned })
    }

    /// Sends messages until the time is over.
    pub async fn run(&mut self, duration: Duration) -> anyhow::Result<Messages> {
        let Self { crowd, upgrade, sent, returned } = self;
        let prepare =
            async |stream: &mut Stream, buffer: &mut Buffer| begin(stream, upgrade, buffer).await;
        let exchange = async |stream: &mut Stream, buffer: &mut Buffer| {
            echo(stream, sent, returned, buffer).await
        };
        let outcomes = crowd.repeat(duration, prepare, exchange).await?;
        let (messages, errors) = (outcomes.done.get(), outcomes.errors.get());
        Ok(Messages { messages, errors, first_error: outcomes.first_error.into_inner() })
    }
}

fn upgrade(host: &str) -> Vec<u8> {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut request = Request::get(paths::SOCKET);
    request.headers = vec![
        field("Connection", "Upgrade"),
        field("Upgrade", "websocket"),
        field("Sec-WebSocket-Version", "13"),
        field("Sec-WebSocket-Key", KEY),
    ];
    request.to_bytes(host)
}

/// The key of the RFC's example, and the answer that belongs to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

async fn begin(stream: &mut Stream, upgrade: &[u8], buffer: &mut Buffer) -> anyhow::Result<()> {
    send(stream, upgrade).await?;
    let head = read_head(stream, buffer).await?.context("the upgrade was not answered")?;
    let answer = &buffer.bytes()[..head];
    let status = status(answer)?;
    ensure!(status == 101, "the answer to the upgrade is {status}");
    let accept = field(answer, "sec-websocket-accept");
    ensure!(accept == Some(ACCEPT.as_bytes()), "Sec-WebSocket-Accept is wrong");
    buffer.consume(head);
    Ok(())
}

async fn echo(
    stream: &mut Stream,
    sent: &[u8],
    returned: &[u8],
    buffer: &mut Buffer,
) -> anyhow::Result<()> {
    send(stream, sent).await?;
    buffer.fill_to(stream, returned.len()).await.context("the message did not come back")?;
    ensure!(buffer.bytes() == returned, "another message came back");
    buffer.consume(returned.len());
    Ok(())
}
