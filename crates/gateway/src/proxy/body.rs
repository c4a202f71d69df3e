//! An answer's body, sent downstream part by part with the back-pressure of both sides, never buffered as a whole.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    access::Record,
    deadline::Deadline,
    delivery::Delivery,
    document::{Changes, Rewrite},
    limits,
    recorder::Recorder,
    request_body::Fault,
    trailers::clean_trailers,
    upstream::Checkout,
};
use crate::metrics::WorkerMetrics;
use crumbgate_pages::document::Coding;

/// An answer's body, sent downstream.
pub(crate) struct Body {
    source: Source,
    /// `None` over HTTP/1.1.
    delivery: Option<Rc<Delivery>>,
    /// Counts, logs and closes the exchange at the body's end.
    record: Option<Record>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer is the application's, and a box would cost it an allocation"
)]
enum Source {
    /// The body of the gateway's own answer.
    Own(Option<Bytes>),
    /// The body of the application's answer.
    Upstream(Streamed),
}

struct Streamed {
    incoming: Incoming,
    /// Received bytes that were not sent yet.
    rest: Bytes,
    /// The changes to a page that are not finished.
    rewrite: Option<Box<Rewrite>>,
    /// Size limit of a part.
    part_bytes: usize,
    /// The connection, which is given back at the body's end.
    checkout: Option<Checkout>,
    deadline: Deadline,
    recorder: Recorder,
}

impl Body {
    /// A body with these bytes.
    pub(crate) fn own(bytes: Bytes) -> Self {
        let source = Source::Own(Some(bytes).filter(|bytes| !bytes.is_empty()));
        Self { source, delivery: None, record: None }
    }

    /// An empty body.
    pub(crate) fn none() -> Self {
        Self { source: Source::Own(None), delivery: None, record: None }
    }

    /// The streamed body of the application's answer, whose parts are at most `timeout` apart.
    pub(crate) fn streamed(
        incoming: Incoming,
        checkout: Checkout,
        timeout: Duration,
        recorder: Recorder,
    ) -> Self {
        if incoming.is_end_stream() {
            checkout.give_back();
            return Self::none();
        }
        let deadline = Deadline::new(timeout);
        let delivery = Delivery::current();
        let streamed = Streamed {
            incoming,
            rest: Bytes::new(),
            rewrite: None,
            part_bytes: if delivery.is_some() {
                limits::H2_PART_BYTES
            } else {
                limits::H1_PART_BYTES
            },
            checkout: Some(checkout),
            deadline,
            recorder,
        };
        Self { source: Source::Upstream(streamed), delivery, record: None }
    }

    /// Makes these changes to a body in this coding.
    pub(crate) fn with_changes(
        mut self,
        changes: Changes,
        coding: Coding,
        metrics: &Arc<WorkerMetrics>,
    ) -> Self {
        match &mut self.source {
            Source::Own(_) => changes.end_empty(),
            Source::Upstream(streamed) => {
                streamed.rewrite = Some(Box::new(Rewrite::new(changes, coding, metrics)));
            }
        }
        self
    }

    /// Adds the record that is closed at the body's end.
    pub(crate) fn recorded_by(mut self, mut record: Record) -> Self {
        if self.is_end_stream() {
            record.finish();
        } else {
            self.record = Some(record);
        }
        self
    }

    fn note(&mut self, frame: &Frame<Bytes>) {
        if let Some(record) = &mut self.record {
            record.add_bytes(frame.data_ref().map_or(0, Bytes::len));
        }
    }

    fn break_off(&mut self) {
        if let Some(record) = &mut self.record {
            record.break_off();
        }
    }

    /// Marks the record as complete. It stays open until the body is dropped: over HTTP/2, parts may still wait to be sent.
    fn finish(&mut self) {
        if let Some(record) = &mut self.record {
            record.finish();
        }
    }
}

/// The next frame of a body; `None` at its end.
type NextFrame = Option<Result<Frame<Bytes>, Fault>>;

impl Streamed {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<NextFrame> {
        if self.rewrite.as_mut().is_some_and(|rewrite| rewrite.yields()) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if !self.rest.is_empty() {
                return Poll::Ready(Some(Ok(self.next_part())));
            }
            if let Some(frame) = self.end_rewrite() {
                return Poll::Ready(frame);
            }
            let polled = self.poll_incoming(context);
            if polled.is_pending()
                && let Some(part) = self.rewrite.as_mut().and_then(|rewrite| rewrite.flush())
            {
                self.rest = part;
                continue;
            }
            let (frame, ended) = ready!(polled);
            if ended && let Some(checkout) = self.checkout.take() {
                checkout.give_back();
            }
            let Some(rewrite) = &mut self.rewrite else {
                let frame = frame.map(|frame| frame.map(|frame| self.split(frame)));
                return Poll::Ready(frame);
            };
            let trailers = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(part) => {
                        rewrite.pass(part);
                        None
                    }
                    Err(trailers) => Some(trailers),
                },
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => None,
            };
            if ended {
                rewrite.end(trailers);
            }
            self.take_rewritten();
            if ended && self.rest.is_empty() && self.rewrite.is_none() {
                return Poll::Ready(None);
            }
        }
    }

    /// Ends the changes to a page that is over, or damaged. `None` if they go on.
    fn end_rewrite(&mut self) -> Option<NextFrame> {
        let rewrite = self.rewrite.as_mut()?;
        if rewrite.is_broken() {
            (self.rewrite, self.checkout) = (None, None);
            return Some(Some(Err(Fault::Broken)));
        }
        if !rewrite.has_ended() {
            return None;
        }
        let trailers = rewrite.take_trailers();
        self.rewrite = None;
        Some(trailers.map(Ok))
    }

    /// Receives the next frame of the application's answer. Returns true if it is the last one.
    fn poll_incoming(&mut self, context: &mut Context<'_>) -> Poll<(NextFrame, bool)> {
        let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.deadline.poll_exhausted(context));
                self.checkout = None;
                return Poll::Ready((Some(Err(Fault::Late)), false));
            }
        };
        self.deadline.renew();
        Poll::Ready(match frame {
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers, &self.recorder);
                }
                let ended = frame.is_trailers() || self.incoming.is_end_stream();
                (Some(Ok(frame)), ended)
            }
            Some(Err(_)) => {
                self.checkout = None;
                (Some(Err(Fault::Broken)), false)
            }
            None => (None, true),
        })
    }

    /// Returns the first part of a frame. The rest follows.
    fn split(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(data) => {
                self.rest = data;
                self.next_part()
            }
            Err(trailers) => trailers,
        }
    }

    fn next_part(&mut self) -> Frame<Bytes> {
        let part = self.rest.split_to(self.rest.len().min(self.part_bytes));
        if self.rest.is_empty() {
            self.take_rewritten();
        }
        Frame::data(part)
    }

    /// Takes the next part of a changed page.
    fn take_rewritten(&mut self) {
        if let Some(rewrite) = &mut self.rewrite {
            self.rest = rewrite.next().unwrap_or_default();
            if rewrite.is_over() && self.rest.is_empty() {
                self.rewrite = None;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.rewrite.is_none() && self.incoming.is_end_stream()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if let Some(delivery) = &self.delivery {
            delivery.requested();
        }
        let frame = match &mut self.source {
            Source::Own(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Source::Upstream(streamed) => ready!(streamed.poll_frame(context)),
        };
        let trailers = match &frame {
            Some(Ok(frame)) => {
                if let Some(delivery) = &self.delivery {
                    delivery.handed_over(frame.data_ref().map_or(0, Bytes::len));
                }
                self.note(frame);
                frame.is_trailers()
            }
            Some(Err(_)) => {
                self.break_off();
                false
            }
            None => false,
        };
        // The body is not polled again after trailers.
        if frame.is_none() || trailers || self.is_end_stream() {
            self.finish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_none(),
            Source::Upstream(streamed) => streamed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Upstream(streamed) if streamed.rewrite.is_some() => SizeHint::new(),
            Source::Upstream(streamed) => {
                let (hint, rest) = (streamed.incoming.size_hint(), streamed.rest.len() as u64);
                let mut whole = SizeHint::new();
                whole.set_lower(hint.lower().saturating_add(rest));
                if let Some(upper) = hint.upper() {
                    whole.set_upper(upper.saturating_add(rest));
                }
                whole
            }
        }
    }
}
