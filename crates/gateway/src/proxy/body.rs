//! An answer's body, sent downstream part by part with the back-pressure of both sides, never buffered as a whole.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    access::Record, agreement::insertion::Insertion, deadline::Deadline, delivery::Delivery,
    limits, recorder::Recorder, request_body::Fault, trailers::clean_trailers, upstream::Checkout,
};
use crumbgate_pages::document::BannerOutcome;

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
    /// A banner that is still to be inserted.
    insertion: Option<Box<Insertion>>,
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
            insertion: None,
            part_bytes: if delivery.is_some() { limits::H2_PART_BYTES } else { usize::MAX },
            checkout: Some(checkout),
            deadline,
            recorder,
        };
        Self { source: Source::Upstream(streamed), delivery, record: None }
    }

    /// Inserts a banner into a page, if there is a place for it within the first `limit` bytes. `report` is called once, with
    /// the outcome.
    pub(crate) fn with_banner(
        mut self,
        banner: Bytes,
        limit: usize,
        report: impl FnOnce(BannerOutcome) + 'static,
    ) -> Self {
        match &mut self.source {
            Source::Own(_) => report(BannerOutcome::NoBody),
            Source::Upstream(streamed) => {
                let insertion = Insertion::new(banner, limit, Box::new(report));
                streamed.insertion = Some(Box::new(insertion));
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

impl Streamed {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.next_part())));
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(self.deadline.poll_exhausted(context));
                self.checkout = None;
                return Poll::Ready(Some(Err(Fault::Late)));
            }
        };
        self.deadline.renew();
        let (frame, ended) = match frame {
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers, &self.recorder);
                }
                let ended = frame.is_trailers() || self.incoming.is_end_stream();
                match frame.into_data() {
                    Ok(data) => {
                        self.rest = data;
                        self.insert(|insertion, part| insertion.pass(part));
                        (Some(Ok(self.next_part())), ended)
                    }
                    Err(trailers) => (Some(Ok(trailers)), ended),
                }
            }
            Some(Err(_)) => {
                self.checkout = None;
                (Some(Err(Fault::Broken)), false)
            }
            None => (None, true),
        };
        if ended {
            self.insert(|insertion, _| insertion.finish());
        }
        if ended && let Some(checkout) = self.checkout.take() {
            checkout.give_back();
        }
        Poll::Ready(frame)
    }
}

impl Streamed {
    fn next_part(&mut self) -> Frame<Bytes> {
        let part = self.rest.split_to(self.rest.len().min(self.part_bytes));
        if self.rest.is_empty() {
            self.insert(|insertion, rest| *rest = insertion.next().unwrap_or_default());
        }
        Frame::data(part)
    }

    /// Runs a step of the banner's insertion, if it is not finished.
    fn insert(&mut self, step: impl FnOnce(&mut Insertion, &mut Bytes)) {
        if let Some(insertion) = &mut self.insertion {
            step(insertion, &mut self.rest);
            if insertion.is_over() {
                self.insertion = None;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.incoming.is_end_stream()
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
                    delivery.handed_over();
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
            Source::Upstream(streamed) => {
                let waiting = streamed.insertion.as_ref().map_or(0, |i| i.waiting_bytes());
                let rest = (streamed.rest.len() + waiting) as u64;
                let hint = streamed.incoming.size_hint();
                let mut whole = SizeHint::new();
                whole.set_lower(hint.lower().saturating_add(rest));
                // A banner that may still be inserted makes the body longer.
                if let (Some(upper), None) = (hint.upper(), &streamed.insertion) {
                    whole.set_upper(upper.saturating_add(rest));
                }
                whole
            }
        }
    }
}
