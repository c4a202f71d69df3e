//! One server of an application: its kept connections, and whether it is to be left alone.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use tokio::{task::AbortHandle, time::Instant};
use tracing::{debug, warn};

use super::{
    super::body::{Progress, RequestBody},
    Error,
};
use crate::config::ServerAddress;

/// One server of an application.
pub(crate) struct Server {
    pub(super) address: ServerAddress,
    pub(super) idle: RefCell<Vec<Idle>>,
    pub(super) idle_limit: usize,
    /// Exchanges under way.
    pub(super) busy: Cell<usize>,
    /// Failures without a success between them.
    pub(super) failures: Cell<u32>,
    /// Until when no request is sent there, as long as there is another.
    pub(super) ejected_until: Cell<Option<Instant>>,
}

pub(super) struct Idle {
    pub(super) link: Link,
    pub(super) since: Instant,
}

/// An open connection: the sending half, and the task that drives it until the link is dropped.
pub(super) struct Link {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) driver: AbortHandle,
    /// Whether a byte has come since the link was leased.
    pub(super) heard: Arc<AtomicBool>,
    /// Whether the driver goes on without the link.
    pub(super) released: bool,
}

/// A connection that is out for one exchange. Dropped, it is closed: whoever has read the answer to its end gives it
/// back.
pub(crate) struct Lease {
    /// Gone only while the lease is being given back.
    pub(super) link: Option<Link>,
    pub(super) server: Rc<Server>,
    pub(super) progress: Rc<Progress>,
    /// Whether the connection had served another exchange before.
    pub(super) kept: bool,
}

impl Server {
    /// A server of which at most `idle_limit` unused connections are kept.
    pub(super) fn new(address: ServerAddress, idle_limit: usize) -> Self {
        Self {
            address,
            idle: RefCell::default(),
            idle_limit,
            busy: Cell::new(0),
            failures: Cell::new(0),
            ejected_until: Cell::new(None),
        }
    }

    pub(super) fn is_ejected(&self, now: Option<Instant>) -> bool {
        matches!((now, self.ejected_until.get()), (Some(now), Some(until)) if now < until)
    }

    pub(super) fn succeeded(&self) {
        self.failures.set(0);
        self.ejected_until.set(None);
    }

    /// Notes a failure; the server is left alone for a time that doubles with each. What was under way when it failed
    /// last, and fails too, says nothing new.
    pub(super) fn failed(&self, upstream: &str, error: &dyn std::error::Error) {
        if self.is_ejected(Some(Instant::now())) {
            return debug!(upstream, server = %self.address, %error, "an upstream server failed");
        }
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        let pause = EJECTION.saturating_mul(1 << failures.min(6)).min(LONGEST_EJECTION);
        self.ejected_until.set(Some(Instant::now() + pause));
        warn!(upstream, server = %self.address, %error, failures, "an upstream server failed");
    }
}

/// How long a server is left alone after its first failure, halved.
const EJECTION: Duration = Duration::from_millis(500);

const LONGEST_EJECTION: Duration = Duration::from_secs(30);

impl Lease {
    pub(super) fn new(link: Link, server: Rc<Server>, progress: &Rc<Progress>, kept: bool) -> Self {
        server.busy.set(server.busy.get() + 1);
        Self { link: Some(link), server, progress: Rc::clone(progress), kept }
    }

    /// Notes that the server is to blame for an error; gives the connection up.
    pub(super) fn blame(self, upstream: &str, error: Error) -> Error {
        self.server.failed(upstream, &error);
        error
    }

    /// Keeps the connection for the next request. It is closed instead where the request's body was not read to its
    /// end: the application answered without it, and what is left of it would be read as the next request.
    pub(crate) fn give_back(mut self) {
        let mut idle = self.server.idle.borrow_mut();
        if !self.progress.is_done() || idle.len() >= self.server.idle_limit {
            return;
        }
        if let Some(link) = self.link.take() {
            idle.push(Idle { link, since: Instant::now() });
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
        self.server.busy.set(self.server.busy.get() - 1);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.released {
            self.driver.abort();
        }
    }
}
