//! One server of an application, as one worker has it: its kept connections, and what is under way.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use tokio::{task::AbortHandle, time::Instant};
use tracing::{debug, info, warn};

use super::{
    super::request_body::{Progress, RequestBody},
    Error,
    ejection::{self, Seen},
    state::{Line, Vitals},
};
use crumbgate_config::{self as config, ServerAddress};

/// One server of an application.
pub(crate) struct Server {
    /// What all workers know of it.
    pub(super) vitals: Arc<Vitals>,
    pub(super) idle: RefCell<Vec<Idle>>,
    idle_limit: Cell<usize>,
    /// Whether there is a limit to its connections, so that unused ones count.
    is_limited: Cell<bool>,
    /// Exchanges under way.
    pub(super) busy: Cell<usize>,
    /// Requests sent by this worker, which alone writes it.
    requests: Arc<AtomicU64>,
}

/// A server that an exchange has chosen, and what was known of it then. An exchange that drops it without having told how
/// the server did has tried nothing out.
pub(super) struct Choice {
    pub(super) server: Rc<Server>,
    pub(super) seen: Seen,
}

pub(super) struct Idle {
    pub(super) link: Link,
    pub(super) since: Instant,
}

/// An open connection: the sending half, and the task that drives it until the link is dropped.
pub(super) struct Link {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) driver: AbortHandle,
    pub(super) line: Arc<Line>,
    /// Whether the driver goes on without the link.
    pub(super) released: bool,
}

/// A connection that is out for one exchange. Dropped, it is closed: whoever has read the answer to its end gives it
/// back.
pub(crate) struct Lease {
    /// Gone only while the lease is being given back.
    pub(super) link: Option<Link>,
    choice: Choice,
    pub(super) progress: Progress,
    /// Whether the connection had served another exchange before.
    pub(super) kept: bool,
    /// Since when it is out.
    pub(super) since: Instant,
}

impl Server {
    /// A server with these settings of its upstream. Of the one that this worker had `before`, the connections that are
    /// kept stay, and those that are out come back; but not over TLS, where they are closed: which authority they were
    /// verified with may be what has changed.
    pub(super) fn new(
        vitals: &Arc<Vitals>,
        settings: &config::Upstream,
        before: Option<&Rc<Self>>,
    ) -> Rc<Self> {
        let (idle_limit, is_limited) =
            (settings.idle_connections, settings.max_connections.is_some());
        let over_tls = matches!(vitals.address, ServerAddress::Tls { .. });
        if let Some(before) = before {
            if !over_tls {
                before.idle_limit.set(idle_limit);
                before.count_unused(is_limited);
                return Rc::clone(before);
            }
            // Those who go on with the old settings keep no place that others could have.
            before.idle_limit.set(0);
            before.idle.take();
        }
        let requests = before.map(|before| Arc::clone(&before.requests));
        Rc::new(Self {
            vitals: Arc::clone(vitals),
            idle: RefCell::default(),
            idle_limit: Cell::new(idle_limit),
            is_limited: Cell::new(is_limited),
            busy: Cell::new(0),
            requests: requests.unwrap_or_else(|| vitals.request_counter()),
        })
    }

    /// Counts unused connections from now on, or no longer: also those that were kept until now.
    fn count_unused(&self, is_limited: bool) {
        if self.is_limited.replace(is_limited) == is_limited {
            return;
        }
        for Idle { link, .. } in &*self.idle.borrow() {
            if is_limited {
                link.line.becomes_spare();
            } else {
                link.line.becomes_busy();
            }
        }
    }

    /// Takes the newest of the kept connections.
    pub(super) fn take_idle(&self) -> Option<Idle> {
        let idle = self.idle.borrow_mut().pop()?;
        if self.is_limited.get() {
            idle.link.line.becomes_busy();
        }
        Some(idle)
    }

    /// Keeps a connection, unless there are enough, or somebody who waits is better served by its end.
    fn keep(&self, link: Link) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= self.idle_limit.get() {
            return;
        }
        if self.is_limited.get() {
            link.line.becomes_spare();
            if self.vitals.queue.waiting() > 0 && !self.vitals.queue.offer() {
                return;
            }
        }
        idle.push(Idle { link, since: Instant::now() });
    }

    /// Closes the oldest of the kept connections for each exchange that waits, as long as there is one.
    pub(super) fn shed(&self) {
        while !self.idle.borrow().is_empty() && self.vitals.queue.serve() {
            self.idle.borrow_mut().remove(0);
        }
    }
}

impl Choice {
    /// Notes that a request is sent there.
    fn count_request(&self) {
        let requests = &self.server.requests;
        requests.store(requests.load(Relaxed).wrapping_add(1), Relaxed);
    }

    pub(super) fn succeeded(&self, upstream: &str) {
        let vitals = &self.server.vitals;
        if vitals.ejection.succeeded(self.seen) {
            info!(upstream, server = %vitals.address, "an upstream server answers again");
        }
    }

    /// Notes a failure: the server is left alone for a while.
    pub(super) fn failed(&self, upstream: &str, error: &dyn std::error::Error) {
        let vitals = &self.server.vitals;
        vitals.count_failure();
        match vitals.ejection.failed(self.seen, ejection::now()) {
            Some(failures) => {
                warn!(upstream, server = %vitals.address, %error, failures, "an upstream server failed");
            }
            None => debug!(upstream, server = %vitals.address, %error, "an upstream server failed"),
        }
    }
}

impl Lease {
    pub(super) fn new(
        link: Link,
        choice: Choice,
        progress: &Progress,
        kept: bool,
        since: Instant,
    ) -> Self {
        choice.count_request();
        choice.server.busy.set(choice.server.busy.get() + 1);
        Self { link: Some(link), choice, progress: progress.clone(), kept, since }
    }

    /// Notes that the server has answered.
    pub(super) fn praise(&self, upstream: &str) {
        self.choice.succeeded(upstream);
    }

    /// How long before this moment the request began its way.
    pub(crate) fn elapsed_at(&self, moment: std::time::Instant) -> Duration {
        moment.saturating_duration_since(self.progress.began().into_std())
    }

    /// Whether the request has gone upstream whole.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.progress.is_done()
    }

    /// Which server it is.
    pub(crate) fn address(&self) -> &ServerAddress {
        &self.choice.server.vitals.address
    }

    /// Notes that the server is to blame for an error; gives the connection up.
    pub(super) fn blame(self, upstream: &str, error: Error) -> Error {
        self.choice.failed(upstream, &error);
        error
    }

    /// Keeps the connection for the next request. It is closed instead where the request's body was not read to its
    /// end: the application answered without it, and what is left of it would be read as the next request.
    pub(crate) fn give_back(mut self) {
        if self.progress.is_done()
            && let Some(link) = self.link.take()
        {
            self.choice.server.keep(link);
        }
    }

    /// Leaves the connection to a tunnel, which it is from now on: it is not kept, and lives as long as its bytes flow.
    pub(crate) fn release(mut self) {
        if let Some(link) = &mut self.link {
            link.released = true;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let busy = &self.choice.server.busy;
        busy.set(busy.get() - 1);
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        self.server.vitals.ejection.ended(self.seen);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.released {
            self.driver.abort();
            self.line.becomes_spare();
        }
    }
}
