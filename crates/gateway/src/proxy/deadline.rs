//! A time limit that begins anew with each part of a body.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// How long to wait for the next part. The timer is made when there first is something to wait for.
pub(crate) struct Deadline {
    timeout: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Deadline {
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
