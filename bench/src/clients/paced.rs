//! Requests at a fixed rate, whatever the answers do.
//!
//! A request's latency counts from the moment that it was due, not from when it could be sent: one slow answer is
//! also the latency of all that had to wait for it.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::future;
use hdrhistogram::Histogram;
use rustls::client::Resumption;
use tokio::sync::Mutex;

use super::{
    Endpoint, Request,
    crowd::{GRACE, Outcomes, open_all, within},
    http1::{Buffer, exchange},
    timer::Timer,
    tls::{Connector, Stream},
};

/// The durations of requests from the moment that they were due.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// Half of them took at most this many microseconds.
    pub p50_us: f64,
    /// 99 of 100 took at most this.
    pub p99_us: f64,
    /// 999 of 1,000 took at most this.
    pub p999_us: f64,
    /// The number of answers.
    pub requests: u64,
    /// The number of requests that were due and not answered with a success.
    pub errors: u64,
    /// The first error.
    pub first_error: Option<String>,
}

/// Opens connections, and sends requests on them at a fixed rate.
pub async fn run(
    endpoint: &Endpoint,
    request: Request,
    rate_per_s: f64,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Latencies> {
    Paced::open(endpoint, request, connections).await?.run(rate_per_s, duration).await
}

/// Open connections, and what is sent on them.
pub struct Paced {
    connector: Connector,
    request: Vec<u8>,
    streams: Vec<Stream>,
}

impl Paced {
    /// Opens that many connections, each of which has had one answer.
    pub async fn open(
        endpoint: &Endpoint,
        request: Request,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let connector = Connector::new(endpoint, Resumption::disabled())?;
        let request = request.to_bytes(connector.host());
        let first = async |stream: &mut Stream, buffer: &mut Buffer| {
            exchange(stream, &request, buffer).await
        };
        let streams = open_all(&connector, connections, first).await?;
        Ok(Self { connector, request, streams })
    }

    /// Sends that many requests a second: each on the connection that has been free for longest, and later than it is
    /// due where none is free.
    pub async fn run(&mut self, rate_per_s: f64, duration: Duration) -> anyhow::Result<Latencies> {
        ensure!(rate_per_s > 0.0, "a rate has to be above 0");
        let schedule = Mutex::new(Schedule::new(rate_per_s, duration)?);
        let planned = schedule.lock().await.left;
        let course = Course {
            connector: &self.connector,
            request: &self.request,
            schedule: &schedule,
            histogram: RefCell::new(new_histogram()?),
            outcomes: Outcomes::default(),
        };
        let all = future::join_all(self.streams.iter_mut().map(|stream| course.follow(stream)));
        if let Err(error) = within(duration + GRACE, all).await {
            course.outcomes.note_error(&error);
        }
        Ok(course.latencies(planned))
    }
}

/// The schedule of requests.
struct Schedule {
    timer: Timer,
    next_due: Instant,
    interval: Duration,
    left: u64,
}

impl Schedule {
    fn new(rate_per_s: f64, duration: Duration) -> anyhow::Result<Self> {
        let timer = Timer::new().context("no timer")?;
        let interval = Duration::from_secs_f64(rate_per_s.recip());
        let left = duration.as_nanos().checked_div(interval.as_nanos());
        let left =
            left.and_then(|left| u64::try_from(left).ok()).context("the rate is too high")?;
        Ok(Self { timer, next_due: Instant::now(), interval, left })
    }

    /// Waits until the next request is due, and returns when that was; `None` at the end.
    async fn next(&mut self) -> anyhow::Result<Option<Instant>> {
        if self.left == 0 {
            return Ok(None);
        }
        let due = self.next_due;
        self.timer.sleep_until(due).await.context("the timer failed")?;
        self.next_due += self.interval;
        self.left -= 1;
        Ok(Some(due))
    }
}

/// The state that the connections of a paced load share while it runs.
struct Course<'a> {
    connector: &'a Connector,
    request: &'a [u8],
    /// Its holder waits for the next request. A lock of tokio's is fair: the connections take turns.
    schedule: &'a Mutex<Schedule>,
    /// In nanoseconds.
    histogram: RefCell<Histogram<u64>>,
    outcomes: Outcomes,
}

impl Course<'_> {
    async fn follow(&self, stream: &mut Stream) {
        let mut buffer = Buffer::new();
        loop {
            let next = self.schedule.lock().await.next().await;
            let due = match next {
                Ok(Some(due)) => due,
                Ok(None) => return,
                Err(error) => return self.outcomes.note_error(&error),
            };
            let outcome = exchange(stream, self.request, &mut buffer).await;
            if self.outcomes.note(outcome).is_some() {
                let latency_ns = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.histogram.borrow_mut().saturating_record(latency_ns);
                continue;
            }
            buffer = Buffer::new();
            match self.connector.connect().await {
                Ok(new) => *stream = new,
                Err(error) => return self.outcomes.note_error(&error),
            }
        }
    }

    fn latencies(&self, planned: u64) -> Latencies {
        let histogram = self.histogram.borrow();
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let requests = histogram.len();
        Latencies {
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            requests,
            errors: planned - requests,
            first_error: self.outcomes.first_error.take(),
        }
    }
}

fn new_histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(100, MAX_LATENCY_NS, 3).context("no histogram")
}

const MAX_LATENCY_NS: u64 = 60_000_000_000;
