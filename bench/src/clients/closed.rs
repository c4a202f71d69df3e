//! As many requests as a target takes, each different if need be, over many more connections than are busy at once.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::future;
use rustls::client::Resumption;

use super::{
    Endpoint, Request,
    crowd::{GRACE, Outcomes, open_all, within},
    http1::{Buffer, exchange},
    tls::{Connector, Stream},
};

/// The result of a target.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The number of requests that were answered with a success.
    pub requests: u64,
    /// The number of other requests.
    pub errors: u64,
    /// The first error.
    pub first_error: Option<String>,
    /// The duration.
    pub elapsed: Duration,
}

/// The end of a closed load.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After that many requests.
    Requests(u64),
    /// After that time.
    Time(Duration),
}

/// Open connections.
pub struct Closed {
    connector: Connector,
    streams: RefCell<VecDeque<Stream>>,
}

impl Closed {
    /// Opens that many connections, each of which has had an answer to the request.
    pub async fn open(
        endpoint: &Endpoint,
        first: &Request,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let connector = Connector::new(endpoint, Resumption::disabled())?;
        let request = first.to_bytes(connector.host());
        let first = async |stream: &mut Stream, buffer: &mut Buffer| {
            exchange(stream, &request, buffer).await
        };
        let streams = open_all(&connector, connections, first).await?.into();
        Ok(Self { connector, streams: RefCell::new(streams) })
    }

    /// Keeps `in_flight` requests under way, each on the connection that has been free for longest. `write` appends the
    /// next request to an empty vector.
    pub async fn run(
        &self,
        in_flight: usize,
        until: Until,
        write: impl FnMut(&mut Vec<u8>),
    ) -> anyhow::Result<Answers> {
        let begin = Instant::now();
        let (last, time) = match until {
            Until::Requests(requests) => (requests, LONGEST),
            Until::Time(time) => (u64::MAX, time),
        };
        let (write, begun, outcomes) = (RefCell::new(write), Cell::new(0), Outcomes::default());
        let next = |request: &mut Vec<u8>| {
            if begun.get() >= last || begin.elapsed() >= time {
                return false;
            }
            begun.set(begun.get() + 1);
            request.clear();
            write.borrow_mut()(request);
            true
        };
        let all = future::join_all((0..in_flight).map(|_| self.repeat(&next, &outcomes)));
        within(time + GRACE, all).await?;
        let Outcomes { done, errors, first_error } = outcomes;
        let (requests, errors) = (done.get(), errors.get());
        let first_error = first_error.into_inner();
        Ok(Answers { requests, errors, first_error, elapsed: begin.elapsed() })
    }

    async fn repeat(&self, next: &impl Fn(&mut Vec<u8>) -> bool, outcomes: &Outcomes) {
        let (mut request, mut buffer) = (Vec::new(), Buffer::new());
        while next(&mut request) {
            let Some(mut stream) = self.streams.borrow_mut().pop_front() else { return };
            if outcomes.note(exchange(&mut stream, &request, &mut buffer).await).is_none() {
                buffer = Buffer::new();
                match self.connector.connect().await {
                    Ok(new) => stream = new,
                    Err(_) => return,
                }
            }
            self.streams.borrow_mut().push_back(stream);
        }
    }
}

/// The time limit of a load that ends after some number of requests.
const LONGEST: Duration = Duration::from_secs(600);
