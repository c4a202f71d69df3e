//! An answer's body on its way downstream: streamed part by part with the back-pressure of both sides, never gathered.

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
    limits, recorder::Recorder, request_body::Fault, trailers::clean_trailers, upstream::Lease,
};
use crumbgate_pages::banner::Outcome;

/// An answer's body on its way downstream.
pub(crate) struct Body {
    source: Source,
    /// Where the downstream speaks HTTP/2.
    delivery: Option<Rc<Delivery>>,
    /// Open until the body's end: counts, logs and closes the exchange.
    record: Option<Record>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer is of the application, and has no need of a box"
)]
enum Source {
    /// Of an answer that the gateway gives itself.
    Own(Option<Bytes>),
    /// Of the application.
    Upstream(Streamed),
}

struct Streamed {
    incoming: Incoming,
    /// What has come and was not handed on.
    rest: Bytes,
    /// A banner that is still to be put in, if there is one.
    insertion: Option<Box<Insertion>>,
    /// How much is handed on at once.
    part_bytes: usize,
    /// The connection that it comes from; given back at the body's end.
    lease: Option<Lease>,
    deadline: Deadline,
    recorder: Recorder,
}

impl Body {
    /// A body that is there already.
    pub(crate) fn own(bytes: Bytes) -> Self {
        let source = Source::Own(Some(bytes).filter(|bytes| !bytes.is_empty()));
        Self { source, delivery: None, record: None }
    }

    /// No body.
    pub(crate) fn none() -> Self {
        Self { source: Source::Own(None), delivery: None, record: None }
    }

    /// The application's answer, as it comes: some part of it every `timeout`.
    pub(crate) fn streamed(
        incoming: Incoming,
        lease: Lease,
        timeout: Duration,
        recorder: Recorder,
    ) -> Self {
        if incoming.is_end_stream() {
            lease.give_back();
            return Self::none();
        }
        let deadline = Deadline::new(timeout);
        let delivery = Delivery::current();
        let streamed = Streamed {
            incoming,
            rest: Bytes::new(),
            insertion: None,
            part_bytes: if delivery.is_some() { limits::H2_PART_BYTES } else { usize::MAX },
            lease: Some(lease),
            deadline,
            recorder,
        };
        Self { source: Source::Upstream(streamed), delivery, record: None }
    }

    /// The same body, a page, with a banner in it if that has a place within its first `limit` bytes. `tell` is called
    /// once, when it is known what has become of the banner.
    pub(crate) fn with_banner(
        mut self,
        banner: Bytes,
        limit: usize,
        tell: impl FnOnce(Outcome) + 'static,
    ) -> Self {
        match &mut self.source {
            Source::Own(_) => tell(Outcome::NoBody),
            Source::Upstream(streamed) => {
                let insertion = Insertion::new(banner, limit, Box::new(tell));
                streamed.insertion = Some(Box::new(insertion));
            }
        }
        self
    }

    /// The same body, with the record that its end closes.
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

    /// The record stays open until the body is dropped: over HTTP/2 what was handed over may still wait for the
    /// downstream.
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
                self.lease = None;
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
                self.lease = None;
                (Some(Err(Fault::Broken)), false)
            }
            None => (None, true),
        };
        if ended {
            self.insert(|insertion, _| insertion.finish());
        }
        if ended && let Some(lease) = self.lease.take() {
            lease.give_back();
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

    /// Has a banner that is still to be put in take its next step, with what is to be handed on.
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
            delivery.asked();
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
        // Nobody asks for what follows trailers: nothing can.
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
                // A banner that may still be put in makes more of it.
                if let (Some(upper), None) = (hint.upper(), &streamed.insertion) {
                    whole.set_upper(upper.saturating_add(rest));
                }
                whole
            }
        }
    }
}
