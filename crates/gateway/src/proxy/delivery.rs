//! Detects HTTP/2 streams whose client does not read. A client may read its connection but keep the flow-control window of
//! one stream closed. The answer's body is then never polled again, so it can't detect this itself.
//!
//! Each stream has its own task, in which the answer's body records each part that it hands over. A task that still holds
//! the same part after `limits.body_timeout` is dropped, which resets this stream and no other.

use std::{cell::Cell, rc::Rc, task::Poll, time::Duration};

use super::deadline::Deadline;

/// The delivery of one stream's parts.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Number of parts handed over.
    parts: Cell<u64>,
    /// Bytes of parts that were handed over since the task looked.
    bytes: Cell<u64>,
    /// True if the last part was handed over and the next one was not requested yet.
    waiting: Cell<bool>,
}

tokio::task_local! {
    static DELIVERY: Rc<Delivery>;
}

impl Delivery {
    /// The delivery of the current task's stream; `None` over HTTP/1.1.
    pub(crate) fn current() -> Option<Rc<Self>> {
        DELIVERY.try_with(Rc::clone).ok()
    }

    /// Records that the next part is requested, so the one before was sent.
    pub(crate) fn requested(&self) {
        self.waiting.set(false);
    }

    /// Records that a part was handed over.
    pub(crate) fn handed_over(&self, bytes: usize) {
        self.parts.set(self.parts.get() + 1);
        self.bytes.set(self.bytes.get() + bytes as u64);
        self.waiting.set(true);
    }
}

/// Runs a stream's task to its end, or drops it when the client reads nothing for `timeout`, or reads less than `min_rate` bytes
/// per second after having been waited for as long.
///
/// The task is large, so it is boxed first: the runtime would move it several times.
pub(crate) fn deliver(
    task: impl Future,
    timeout: Duration,
    min_rate: u32,
) -> impl Future<Output = ()> {
    let delivery = Rc::new(Delivery::default());
    let mut task = Box::pin(DELIVERY.scope(Rc::clone(&delivery), task));
    let mut deadline = Deadline::with_min_rate(timeout, min_rate);
    std::future::poll_fn(move |context| {
        let before = delivery.parts.get();
        if task.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        deadline.moved(delivery.bytes.take());
        if !delivery.waiting.get() || delivery.parts.get() != before {
            deadline.renew();
        }
        if delivery.waiting.get() { deadline.poll_exhausted(context) } else { Poll::Pending }
    })
}
