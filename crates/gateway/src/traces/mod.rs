//! Traces (OpenTelemetry): samples exchanges and exports their spans to a collector.
//!
//! A worker calls [`Tracing::begin`] for each request. A sampled exchange has a [`TracedExchange`], which records its course and
//! is sent through a bounded queue when the exchange ends; no request ever waits for it. [`export()`] receives the spans
//! and posts them, as OTLP over HTTP.
//!
//! - `context.rs`: the `traceparent` header of the W3C.
//! - `ids.rs`: generates ids, and decides which traces are sampled.
//! - `span.rs`: the recorded facts of an exchange, none of which identifies a person (A3).
//! - `message.rs`: spans as protobuf; `export.rs`: posts them.

mod context;
mod export;
mod ids;
mod message;
mod span;

use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;

use crate::metrics::{SpanLoss, Spans};
use context::Parent;
pub use context::{TRACEPARENT, TRACESTATE};
use crumbgate_base::clock::Clock;
use crumbgate_config::{Collector, Ratio};
pub use export::{SpanQueue, export};
pub use ids::IdGenerator;
pub use span::{TracedExchange, TracedRequest};

/// Samples exchanges, for all workers.
#[derive(Clone, Debug)]
pub struct Tracing {
    sample: Ratio,
    queue: mpsc::Sender<TracedExchange>,
    spans: Arc<Spans>,
}

impl Tracing {
    /// Creates a queue to a collector: its sender for the workers, and its receiver for [`export()`].
    pub fn to(collector: Collector, sample: Ratio, spans: Arc<Spans>) -> (Self, SpanQueue) {
        let (queue, ended) = mpsc::channel(MAX_QUEUED_EXCHANGES);
        let tracing = Self { sample, queue, spans: Arc::clone(&spans) };
        (tracing, SpanQueue::new(ended, collector, spans))
    }

    /// Begins to record an exchange if it is sampled. The caller's `traceparent` decides, otherwise chance. An invalid
    /// `traceparent` is ignored (W3C Trace Context, section 3.2.2).
    pub fn begin(
        &self,
        request: TracedRequest<'_>,
        clock: &Clock,
        came: Instant,
        ids: &IdGenerator,
    ) -> Option<TracedExchange> {
        let parent = Parent::of(request.fields);
        let trace = match &parent {
            Some(parent) if !parent.is_sampled => return None,
            Some(parent) => parent.trace,
            None => ids.trace().filter_by(self.sample)?,
        };
        let parent = parent.map(|parent| parent.span);
        Some(TracedExchange::new(trace, parent, request, clock.unix_ns(), came, ids))
    }

    /// Queues an exchange that has ended. If the queue is full, its spans are lost and counted.
    pub fn end(&self, exchange: TracedExchange) {
        let spans = exchange.spans();
        if self.queue.try_send(exchange).is_err() {
            self.spans.count_lost(SpanLoss::Queue, spans);
        }
    }
}

/// Number of exchanges that may wait for a collector: a few megabytes.
const MAX_QUEUED_EXCHANGES: usize = 4_096;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Version};

    use super::*;

    #[test]
    fn spans_that_do_not_fit_into_the_queue_are_lost_and_counted() {
        let path = http::uri::PathAndQuery::from_static("/");
        let collector = Collector { host: "127.0.0.1".to_owned(), port: 9, path };
        let spans = Arc::new(Spans::default());
        let (tracing, queue) = Tracing::to(collector, Ratio::ONE, Arc::clone(&spans));
        let (fields, ids, clock) = (HeaderMap::new(), IdGenerator::new(7), Clock::system());
        let request = TracedRequest {
            fields: &fields,
            method: &Method::GET,
            path: "/",
            version: Version::HTTP_11,
            id: "1",
        };
        let exchange = || {
            let mut exchange = tracing.begin(request, &clock, Instant::now(), &ids).unwrap();
            exchange.call("app", &mut HeaderMap::new(), &ids);
            tracing.end(exchange);
        };
        (0..MAX_QUEUED_EXCHANGES).for_each(|_| exchange());
        assert_eq!(spans.lost(SpanLoss::Queue), 0);
        exchange();
        assert_eq!(spans.lost(SpanLoss::Queue), 2, "its own and that of its call");
        drop(queue);
        exchange();
        assert_eq!(spans.lost(SpanLoss::Queue), 4);
    }
}
