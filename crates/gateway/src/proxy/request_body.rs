//! A request's body, sent upstream part by part with the back-pressure of both sides, never buffered as a whole.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{deadline::Deadline, recorder::Recorder, trailers::clean_trailers};
use crumbgate_config::Limits;

/// The reason that a body ends early.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The sender ended it early.
    #[error("the other side ended the body early")]
    Broken,
    /// It has more bytes than these.
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    /// No part of it arrived within `limits.body_timeout`, or it came more slowly than `limits.min_rate`.
    #[error("no part of the body arrived in time")]
    Late,
}

/// Progress of sending a request, shared by its body and its exchange.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    began: Instant,
    /// `None` if the request has no body.
    body: Option<Rc<BodyProgress>>,
}

#[derive(Debug)]
struct BodyProgress {
    state: Cell<State>,
    moved_at: Cell<Instant>,
    waiting: Cell<bool>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Done,
    Failed(Fault),
    Open,
}

impl Progress {
    /// Returns `true` if the whole body was sent.
    pub(crate) fn is_done(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.state.get() == State::Done)
    }

    /// The reason that the body ended early; `None` if it did not.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.body.as_ref()?.state.get() {
            State::Failed(fault) => Some(fault),
            State::Done | State::Open => None,
        }
    }

    /// Returns `true` if the next part is due from the downstream.
    pub(crate) fn waits_for_downstream(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.waiting.get())
    }

    /// Start of sending the request.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Time of the last part, or of the start.
    pub(crate) fn moved_at(&self) -> Instant {
        self.body.as_ref().map_or(self.began, |body| body.moved_at.get())
    }
}

/// A request's body, sent upstream. Small, because most requests have no body and it is moved often.
pub(crate) struct RequestBody {
    /// The rest of the body; `None` at its end.
    sending: Option<Box<Sending>>,
    began: Instant,
}

struct Sending {
    incoming: Incoming,
    progress: Rc<BodyProgress>,
    /// Bytes left up to the limit.
    left: Option<u64>,
    limit: u64,
    deadline: Deadline,
    recorder: Recorder,
}

impl RequestBody {
    /// A body within these limits: `body_bytes`, `body_timeout` and `min_rate`.
    pub(crate) fn new(incoming: Incoming, limits: &Limits, recorder: &Recorder) -> Self {
        if incoming.is_end_stream() {
            return Self::none();
        }
        let began = Instant::now();
        let progress = Rc::new(BodyProgress {
            state: Cell::new(State::Open),
            moved_at: Cell::new(began),
            waiting: Cell::new(false),
        });
        let sending = Sending {
            incoming,
            progress,
            left: limits.body_bytes,
            limit: limits.body_bytes.unwrap_or(u64::MAX),
            deadline: Deadline::with_min_rate(limits.body_timeout, limits.min_rate),
            recorder: recorder.clone(),
        };
        Self { sending: Some(Box::new(sending)), began }
    }

    /// An empty body.
    pub(crate) fn none() -> Self {
        Self { sending: None, began: Instant::now() }
    }

    /// The progress of sending.
    pub(crate) fn progress(&self) -> Progress {
        let body = self.sending.as_ref().map(|sending| Rc::clone(&sending.progress));
        Progress { began: self.began, body }
    }
}

impl Sending {
    fn fail(&self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.progress.state.set(State::Failed(fault));
        Poll::Ready(Some(Err(fault)))
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        let Some(sending) = &mut this.sending else { return Poll::Ready(None) };
        let frame = loop {
            match Pin::new(&mut sending.incoming).poll_frame(context) {
                // An empty part is neither progress nor worth sending.
                Poll::Ready(Some(Ok(frame)))
                    if frame.data_ref().is_some_and(Bytes::is_empty)
                        && !sending.incoming.is_end_stream() => {}
                Poll::Ready(frame) => break frame,
                Poll::Pending => {
                    sending.progress.waiting.set(true);
                    ready!(sending.deadline.poll_exhausted(context));
                    return sending.fail(Fault::Late);
                }
            }
        };
        sending.deadline.renew();
        sending.progress.waiting.set(false);
        sending.progress.moved_at.set(Instant::now());
        match frame {
            None => {
                sending.progress.state.set(State::Done);
                this.sending = None;
                Poll::Ready(None)
            }
            Some(Err(_)) => sending.fail(Fault::Broken),
            Some(Ok(mut frame)) => {
                sending.deadline.moved(frame.data_ref().map_or(0, Bytes::len) as u64);
                if let (Some(left), Some(part)) = (&mut sending.left, frame.data_ref()) {
                    match left.checked_sub(part.len() as u64) {
                        Some(rest) => *left = rest,
                        None => return sending.fail(Fault::TooLarge(sending.limit)),
                    }
                }
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers, &sending.recorder);
                }
                if frame.is_trailers() || sending.incoming.is_end_stream() {
                    sending.progress.state.set(State::Done);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.sending.as_ref().is_none_or(|sending| sending.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.sending.as_ref().map_or_else(none, |sending| sending.incoming.size_hint())
    }
}
