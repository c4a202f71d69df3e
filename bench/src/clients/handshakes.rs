//! New connections, one after the other: each shakes hands, has one tiny request answered, and is closed by the target.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{future, future::try_join_all};
use rustls::{HandshakeKind, client};
use tokio::io::AsyncReadExt as _;

use super::{
    Endpoint, Request,
    crowd::{GRACE, Outcomes, within},
    http1::{Buffer, exchange},
    paths,
    tls::Connector,
};

/// The kind of handshake: with or without a ticket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resumption {
    /// It has none: every handshake is a full one.
    Full,
    /// It has one of the connection before: every handshake resumes.
    Resumed,
}

/// The result of a target.
#[derive(Clone, Debug)]
pub struct Handshakes {
    /// The number of connections with a successful handshake of the expected kind.
    pub count: u64,
    /// The number of them that resumed.
    pub resumed: u64,
    /// The number that failed, or had the other kind of handshake.
    pub errors: u64,
    /// The first error.
    pub first_error: Option<String>,
}

/// Connects again and again until the time is over, [`CLIENTS`] at once.
pub async fn run(
    endpoint: &Endpoint,
    resumption: Resumption,
    duration: Duration,
) -> anyhow::Result<Handshakes> {
    Clients::open(endpoint, resumption).await?.run(duration).await
}

/// The number of clients. Each keeps its own tickets.
pub const CLIENTS: usize = 8;

/// Clients that are ready: those that resume have their first ticket.
pub struct Clients {
    connectors: Vec<Connector>,
    resumption: Resumption,
    request: Vec<u8>,
}

impl Clients {
    /// Makes clients, each of which has connected once.
    pub async fn open(endpoint: &Endpoint, resumption: Resumption) -> anyhow::Result<Self> {
        let new = |_| Connector::new(endpoint, tickets(resumption));
        let connectors = (0..CLIENTS).map(new).collect::<Result<Vec<_>, _>>()?;
        let mut request = Request::get(paths::TINY);
        request.headers.push(("Connection".to_owned(), "close".to_owned()));
        let request = request.to_bytes(&endpoint.server_name);
        let first = try_join_all(connectors.iter().map(|connector| visit(connector, &request)));
        within(GRACE, first).await??;
        Ok(Self { connectors, resumption, request })
    }

    /// Connects again and again until the time is over; what has begun is brought to its end.
    pub async fn run(&self, duration: Duration) -> anyhow::Result<Handshakes> {
        let (end, outcomes) = (Instant::now() + duration, Outcomes::default());
        let repeat = async |connector| {
            while Instant::now() < end {
                outcomes.note(self.visit(connector).await);
            }
        };
        within(duration + GRACE, future::join_all(self.connectors.iter().map(repeat))).await?;
        let count = outcomes.done.get();
        let resumed = if self.resumption == Resumption::Resumed { count } else { 0 };
        let first_error = outcomes.first_error.into_inner();
        Ok(Handshakes { count, resumed, errors: outcomes.errors.get(), first_error })
    }

    async fn visit(&self, connector: &Connector) -> anyhow::Result<()> {
        let kind = visit(connector, &self.request).await?;
        let is_wanted = match self.resumption {
            Resumption::Full => kind == HandshakeKind::Full,
            Resumption::Resumed => kind == HandshakeKind::Resumed,
        };
        ensure!(is_wanted, "{:?} was wanted, and the handshake was {kind:?}", self.resumption);
        Ok(())
    }
}

fn tickets(resumption: Resumption) -> client::Resumption {
    match resumption {
        Resumption::Full => client::Resumption::disabled(),
        Resumption::Resumed => client::Resumption::in_memory_sessions(TICKETS),
    }
}

/// The number of servers that a client remembers; it knows one.
const TICKETS: usize = 8;

/// A connection's whole life. Its tickets come with the answer.
async fn visit(connector: &Connector, request: &[u8]) -> anyhow::Result<HandshakeKind> {
    let mut stream = connector.connect().await?;
    exchange(&mut stream, request, &mut Buffer::new()).await?;
    let rest = stream.read(&mut [0; 1]).await.context("the connection was not closed well")?;
    ensure!(rest == 0, "bytes follow the last answer");
    stream.get_ref().1.handshake_kind().context("there was no handshake")
}
