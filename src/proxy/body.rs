//! Bodies on their way: streamed part by part with the back-pressure of both sides, never gathered.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::{
    access::Record, admission::Recorder, delivery::Delivery, forward, head::Marks,
    insertion::Insertion, limits, upstream::Lease,
};
use crate::{
    banner::Outcome,
    policy::{self, Mode},
};

/// Why a body ends before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the other side broke off")]
    Broken,
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    #[error("no part of the body came in time")]
    Late,
}

/// How far a request has come: known to its body, and to the exchange that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    began: Instant,
    /// None where it has no body.
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
    /// Whether all of the body was handed over.
    pub(crate) fn is_done(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.state.get() == State::Done)
    }

    /// What ended the body early.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.body.as_ref()?.state.get() {
            State::Failed(fault) => Some(fault),
            State::Done | State::Open => None,
        }
    }

    /// Whether the downstream owes the next part.
    pub(crate) fn waits_for_downstream(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.waiting.get())
    }

    /// When the request began its way upstream.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// When the body last moved on: its last part, or its beginning.
    pub(crate) fn moved_at(&self) -> Instant {
        self.body.as_ref().map_or(self.began, |body| body.moved_at.get())
    }
}

/// A request's body on its way upstream. Most requests have none, and all are moved about: so it is small.
pub(crate) struct RequestBody {
    /// What is still to come.
    sending: Option<Box<Sending>>,
    began: Instant,
}

struct Sending {
    incoming: Incoming,
    progress: Rc<BodyProgress>,
    /// Bytes that may still come.
    left: Option<u64>,
    limit: u64,
    patience: Patience,
    recorder: Recorder,
}

impl RequestBody {
    /// A body of at most `limit` bytes, of which some part comes every `timeout`.
    pub(crate) fn new(
        incoming: Incoming,
        limit: Option<u64>,
        timeout: Duration,
        recorder: &Recorder,
    ) -> Self {
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
            left: limit,
            limit: limit.unwrap_or(u64::MAX),
            patience: Patience::new(timeout),
            recorder: recorder.clone(),
        };
        Self { sending: Some(Box::new(sending)), began }
    }

    /// No body.
    pub(crate) fn none() -> Self {
        Self { sending: None, began: Instant::now() }
    }

    /// How far it has come.
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
                // An empty part is no progress, and nothing to send.
                Poll::Ready(Some(Ok(frame)))
                    if frame.data_ref().is_some_and(Bytes::is_empty)
                        && !sending.incoming.is_end_stream() => {}
                Poll::Ready(frame) => break frame,
                Poll::Pending => {
                    sending.progress.waiting.set(true);
                    ready!(sending.patience.poll_exhausted(context));
                    return sending.fail(Fault::Late);
                }
            }
        };
        sending.patience.renew();
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
    patience: Patience,
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
        let patience = Patience::new(timeout);
        let delivery = Delivery::current();
        let streamed = Streamed {
            incoming,
            rest: Bytes::new(),
            insertion: None,
            part_bytes: if delivery.is_some() { limits::H2_PART_BYTES } else { usize::MAX },
            lease: Some(lease),
            patience,
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
                ready!(self.patience.poll_exhausted(context));
                self.lease = None;
                return Poll::Ready(Some(Err(Fault::Late)));
            }
        };
        self.patience.renew();
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

/// Removes what trailers must not carry: hop-by-hop fields, and cookies (R7, S5), each with its verdict; where verdicts
/// are only counted (T4) they stay.
fn clean_trailers(trailers: &mut HeaderMap, recorder: &Recorder) {
    let unix_s = recorder.unix_s();
    let mut record = recorder.record_at(unix_s);
    for field in trailers.get_all(header::COOKIE) {
        policy::judge_misplaced_cookie(field.as_bytes(), &mut record);
    }
    for field in trailers.get_all(header::SET_COOKIE) {
        policy::judge_misplaced_set_cookie(field.as_bytes(), unix_s, &mut record);
    }
    let marks = Marks::of(trailers);
    forward::remove_hop_by_hop(trailers, marks);
    if recorder.tenant().policy.mode == Mode::Enforce {
        for name in [header::COOKIE, header::SET_COOKIE] {
            trailers.remove(name);
        }
        forward::remove_obsolete_cookies(trailers, marks);
    }
}

/// How long to wait for the next part. The timer is made when there first is something to wait for.
pub(crate) struct Patience {
    timeout: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, sleep: None, waiting: false }
    }

    /// Begins to wait anew.
    pub(crate) fn renew(&mut self) {
        self.waiting = false;
    }

    /// Ready when nothing has come for the whole time.
    pub(crate) fn poll_exhausted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if !self.waiting {
            self.waiting = true;
            sleep.as_mut().reset(Instant::now() + timeout);
        }
        sleep.as_mut().poll(context)
    }
}
