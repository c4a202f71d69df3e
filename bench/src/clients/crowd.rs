//! Connections that all do the same, each as soon as it has done it.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use rustls::client::Resumption;

use super::{
    Endpoint,
    http1::Buffer,
    tls::{Connector, Stream},
};

/// The exchanges that succeeded, and those that failed.
#[derive(Default)]
pub(super) struct Outcomes {
    pub(super) done: Cell<u64>,
    pub(super) errors: Cell<u64>,
    pub(super) first_error: RefCell<Option<String>>,
}

impl Outcomes {
    pub(super) fn note<T>(&self, outcome: anyhow::Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.done.set(self.done.get() + 1);
                Some(value)
            }
            Err(error) => {
                self.note_error(&error);
                None
            }
        }
    }

    pub(super) fn note_error(&self, error: &anyhow::Error) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert_with(|| format!("{error:#}"));
    }
}

/// Opens that many connections, a few at a time, and does something on each.
pub(super) async fn open_all(
    connector: &Connector,
    connections: usize,
    prepare: impl AsyncFn(&mut Stream, &mut Buffer) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Stream>> {
    let open_one = async |number| {
        let mut stream = connector.connect_as(number).await?;
        prepare(&mut stream, &mut Buffer::new()).await?;
        anyhow::Ok(stream)
    };
    let opened = stream::iter(0..connections).map(open_one).buffer_unordered(OPENED_AT_ONCE);
    within(Duration::from_secs(60), opened.try_collect()).await.context("can't open connections")?
}

const OPENED_AT_ONCE: usize = 32;

/// Waits for a part of a load, but not for ever.
pub(super) async fn within<T>(time: Duration, part: impl Future<Output = T>) -> anyhow::Result<T> {
    let timely = tokio::time::timeout(time, part).await;
    timely.with_context(|| format!("it was not done within {} s", time.as_secs()))
}

/// The additional time of a load, for the exchanges that are under way at its end.
pub(super) const GRACE: Duration = Duration::from_secs(20);

/// Connections that repeat an exchange.
pub(super) struct Crowd {
    connector: Connector,
    streams: Vec<Stream>,
}

impl Crowd {
    /// Opens that many connections, and does something on each.
    pub(super) async fn open(
        endpoint: &Endpoint,
        connections: usize,
        prepare: impl AsyncFn(&mut Stream, &mut Buffer) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let connector = Connector::new(endpoint, Resumption::disabled())?;
        let streams = open_all(&connector, connections, prepare).await?;
        Ok(Self { connector, streams })
    }

    /// Repeats an exchange on each connection until the time is over; what has begun is brought to its end. A
    /// connection that fails is opened and prepared anew.
    pub(super) async fn repeat(
        &mut self,
        duration: Duration,
        prepare: impl AsyncFn(&mut Stream, &mut Buffer) -> anyhow::Result<()>,
        exchange: impl AsyncFn(&mut Stream, &mut Buffer) -> anyhow::Result<()>,
    ) -> anyhow::Result<Outcomes> {
        let (end, outcomes) = (Instant::now() + duration, Outcomes::default());
        let repeat_one = async |stream: &mut Stream| {
            let mut buffer = Buffer::new();
            while Instant::now() < end {
                if outcomes.note(exchange(stream, &mut buffer).await).is_some() {
                    continue;
                }
                buffer = Buffer::new();
                match self.connector.connect().await {
                    Ok(new) => *stream = new,
                    Err(_) => return,
                }
                if prepare(stream, &mut buffer).await.is_err() {
                    return;
                }
            }
        };
        let all = future::join_all(self.streams.iter_mut().map(repeat_one));
        within(duration + GRACE, all).await?;
        Ok(outcomes)
    }
}
