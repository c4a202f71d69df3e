//! Whether an HTTP/2 downstream takes what it is sent. Its connection may be read diligently while the window of one
//! stream stays shut; nothing then ever asks the answer's body for more, and so nothing in the body could notice.
//!
//! Each stream has a task of its own, in which its answer's body says when it has handed a part over. A task that
//! still waits with that part after `limits.body_timeout` is dropped, which resets its stream and no other.

use std::{cell::Cell, rc::Rc, task::Poll, time::Duration};

use super::deadline::Deadline;

/// What one stream's downstream has taken.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// How many parts were handed over.
    parts: Cell<u64>,
    /// Whether the last part was handed over, and none was asked for since.
    waiting: Cell<bool>,
}

tokio::task_local! {
    static DELIVERY: Rc<Delivery>;
}

impl Delivery {
    /// That of the stream whose task this is; none over HTTP/1.1.
    pub(crate) fn current() -> Option<Rc<Self>> {
        DELIVERY.try_with(Rc::clone).ok()
    }

    /// Says that a part is asked for: the one before has gone.
    pub(crate) fn asked(&self) {
        self.waiting.set(false);
    }

    /// Says that a part was handed over.
    pub(crate) fn handed_over(&self) {
        self.parts.set(self.parts.get() + 1);
        self.waiting.set(true);
    }
}

/// Carries a stream's task to its end, or drops it when the downstream takes nothing for `timeout`.
///
/// The task is large, and is boxed at once: handed to a runtime as it is, it would be moved ten times.
pub(crate) fn deliver(task: impl Future, timeout: Duration) -> impl Future<Output = ()> {
    let delivery = Rc::new(Delivery::default());
    let mut task = Box::pin(DELIVERY.scope(Rc::clone(&delivery), task));
    let mut deadline = Deadline::new(timeout);
    std::future::poll_fn(move |context| {
        let before = delivery.parts.get();
        if task.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !delivery.waiting.get() || delivery.parts.get() != before {
            deadline.renew();
        }
        if delivery.waiting.get() { deadline.poll_exhausted(context) } else { Poll::Pending }
    })
}
