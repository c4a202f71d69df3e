//! Traces (OpenTelemetry): which exchanges are followed, under which ids, and how their spans reach a collector.
//!
//! A worker asks [`Tracing::begin`] of each request. What is followed has a [`Followed`] that notes what happens, and
//! that leaves through a bounded queue when the exchange ends; no request ever waits for it. [`export()`] takes the spans
//! out of the queue and posts them, as OTLP over HTTP.
//!
//! - `context.rs`: `traceparent`, as the W3C has it.
//! - `ids.rs`: new ids, and which of them are followed.
//! - `span.rs`: what is noted of an exchange; nothing that tells who asked, or for what (A3).
//! - `message.rs`: spans as protobuf; `export.rs`: on their way.

mod context;
mod export;
mod ids;
mod message;
mod span;

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName, Method, Version};
use tokio::sync::mpsc;

use crate::metrics::{SpanLoss, Spans};
use context::Parent;
use crumbgate_base::clock::Clock;
use crumbgate_config::{Collector, Ratio};
pub use export::export;
pub use ids::Ids;
pub use span::Followed;

/// Follows exchanges, for all workers.
#[derive(Clone, Debug)]
pub struct Tracing {
    sample: Ratio,
    queue: mpsc::Sender<Followed>,
    spans: Arc<Spans>,
}

/// Exchanges that have ended and wait for [`export()`]. It ends when every [`Tracing`] that feeds it is gone.
#[derive(Debug)]
pub struct Queue {
    ended: mpsc::Receiver<Followed>,
    collector: Collector,
    spans: Arc<Spans>,
}

/// What an exchange's span says from its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The fields, of which `traceparent` and `tracestate` are looked at.
    pub fields: &'r HeaderMap,
    /// The method.
    pub method: &'r Method,
    /// The path, which becomes a route template.
    pub path: &'r str,
    /// The version of HTTP that it came by.
    pub version: Version,
    /// The request's id.
    pub id: &'r str,
}

impl Tracing {
    /// A way for followed exchanges to this collector: the end that workers feed, and the end that is exported.
    pub fn to(collector: Collector, sample: Ratio, spans: Arc<Spans>) -> (Self, Queue) {
        let (queue, ended) = mpsc::channel(WAITING_EXCHANGES);
        let tracing = Self { sample, queue, spans: Arc::clone(&spans) };
        (tracing, Queue { ended, collector, spans })
    }

    /// Begins to follow an exchange, if it is to be followed: the caller has decided, or chance does where it has not.
    /// A `traceparent` that can't be read is no decision (W3C Trace Context, section 3.2.2).
    pub fn begin(
        &self,
        request: Request<'_>,
        clock: &Clock,
        came: Instant,
        ids: &Ids,
    ) -> Option<Followed> {
        let parent = Parent::of(request.fields);
        let trace = match &parent {
            Some(parent) if !parent.is_sampled => return None,
            Some(parent) => parent.trace,
            None => ids.trace().filter_by(self.sample)?,
        };
        let parent = parent.map(|parent| parent.span);
        Some(Followed::new(trace, parent, request, clock.unix_ns(), came, ids))
    }

    /// Hands on an exchange that has ended; where there is no room it is lost, and counted.
    pub fn end(&self, followed: Followed) {
        let spans = followed.spans();
        if self.queue.try_send(followed).is_err() {
            self.spans.count_lost(SpanLoss::Queue, spans);
        }
    }
}

/// Whose trace a request is part of, and which span has sent it.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What vendors keep of a trace; it belongs to a `traceparent`.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How many exchanges may wait for a collector: some megabytes at the most.
const WAITING_EXCHANGES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_the_queue_is_lost_and_counted() {
        let path = http::uri::PathAndQuery::from_static("/");
        let collector = Collector { host: "127.0.0.1".to_owned(), port: 9, path };
        let spans = Arc::new(Spans::default());
        let (tracing, queue) = Tracing::to(collector, Ratio::ONE, Arc::clone(&spans));
        let (fields, ids, clock) = (HeaderMap::new(), Ids::new(7), Clock::system());
        let request = Request {
            fields: &fields,
            method: &Method::GET,
            path: "/",
            version: Version::HTTP_11,
            id: "1",
        };
        let exchange = || {
            let mut followed = tracing.begin(request, &clock, Instant::now(), &ids).unwrap();
            followed.call("app", &mut HeaderMap::new(), &ids);
            tracing.end(followed);
        };
        (0..WAITING_EXCHANGES).for_each(|_| exchange());
        assert_eq!(spans.lost(SpanLoss::Queue), 0);
        exchange();
        assert_eq!(spans.lost(SpanLoss::Queue), 2, "its own and that of its call");
        drop(queue);
        exchange();
        assert_eq!(spans.lost(SpanLoss::Queue), 4);
    }
}
