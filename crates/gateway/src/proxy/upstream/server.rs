//! One worker's view of a server: its kept connections and open exchanges.

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
    ejection::{self, Seen},
    error::Error,
    state::{ServerHealth, UpstreamConnection},
};
use crumbgate_config::{self as config, ServerAddress};

/// One server of an application.
pub(crate) struct Server {
    /// State that all workers share.
    pub(super) health: Arc<ServerHealth>,
    pub(super) idle: RefCell<Vec<Idle>>,
    idle_limit: Cell<usize>,
    /// Number of open exchanges.
    pub(super) busy: Cell<usize>,
    /// Number of requests sent by this worker, its only writer.
    requests: Arc<AtomicU64>,
}

/// A server that an exchange has chosen, with its passive health at that moment. Dropping it without a recorded result
/// ends a probe without a result.
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
    pub(super) connection: Arc<UpstreamConnection>,
    /// True if the driver continues after the link is dropped.
    pub(super) released: bool,
}

/// A connection in use by one exchange. Dropping it closes the connection; `give_back` keeps it, once the answer was read
/// completely.
pub(crate) struct Checkout {
    /// `None` only while the connection is given back.
    pub(super) link: Option<Link>,
    choice: Choice,
    pub(super) progress: Progress,
    /// True if the connection has served another exchange before.
    pub(super) kept: bool,
    /// Time at which the exchange received the connection.
    pub(super) since: Instant,
}

impl Server {
    /// A server with these settings of its upstream. Takes over the connections of `before`, kept ones and those in use. TLS
    /// connections are closed instead, because the CA bundle that verified them may have changed.
    pub(super) fn new(
        health: &Arc<ServerHealth>,
        settings: &config::Upstream,
        before: Option<&Rc<Self>>,
    ) -> Rc<Self> {
        let idle_limit = settings.idle_connections;
        let over_tls = matches!(health.address, ServerAddress::Tls { .. });
        if let Some(before) = before {
            if !over_tls {
                before.idle_limit.set(idle_limit);
                return Rc::clone(before);
            }
            // Exchanges with the old settings must not keep connections that take room from others.
            before.idle_limit.set(0);
            before.idle.take();
        }
        let requests = before.map(|before| Arc::clone(&before.requests));
        Rc::new(Self {
            health: Arc::clone(health),
            idle: RefCell::default(),
            idle_limit: Cell::new(idle_limit),
            busy: Cell::new(0),
            requests: requests.unwrap_or_else(|| health.request_counter()),
        })
    }

    /// Takes the newest of the kept connections.
    pub(super) fn take_idle(&self) -> Option<Idle> {
        let idle = self.idle.borrow_mut().pop()?;
        idle.link.connection.becomes_busy();
        Some(idle)
    }

    /// Keeps a connection, or closes it if there are enough or a waiting exchange needs its room.
    fn keep(&self, link: Link) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= self.idle_limit.get() {
            return;
        }
        link.connection.becomes_spare();
        if self.health.queue.waiting() > 0 && !self.health.queue.offer() {
            return;
        }
        idle.push(Idle { link, since: Instant::now() });
    }

    /// Closes the oldest kept connection for each waiting exchange, as long as there are kept ones.
    pub(super) fn shed(&self) {
        while !self.idle.borrow().is_empty() && self.health.queue.serve() {
            self.idle.borrow_mut().remove(0);
        }
    }
}

impl Choice {
    /// Counts a request to the server.
    fn count_request(&self) {
        let requests = &self.server.requests;
        requests.store(requests.load(Relaxed).wrapping_add(1), Relaxed);
    }

    pub(super) fn succeeded(&self, upstream: &str) {
        let health = &self.server.health;
        if health.ejection.succeeded(self.seen) {
            info!(upstream, server = %health.address, "an upstream server answers again");
        }
    }

    /// Records a failure, which may eject the server.
    pub(super) fn failed(&self, upstream: &str, error: &dyn std::error::Error) {
        let health = &self.server.health;
        health.count_failure();
        match health.ejection.failed(self.seen, ejection::now()) {
            Some(failures) => {
                warn!(upstream, server = %health.address, %error, failures, "an upstream server failed");
            }
            None => debug!(upstream, server = %health.address, %error, "an upstream server failed"),
        }
    }
}

impl Checkout {
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

    /// Records that the server has answered.
    pub(super) fn record_success(&self, upstream: &str) {
        self.choice.succeeded(upstream);
    }

    /// Time from the start of sending the request to this moment.
    pub(crate) fn elapsed_at(&self, moment: std::time::Instant) -> Duration {
        moment.saturating_duration_since(self.progress.began().into_std())
    }

    /// Returns `true` if the request was sent completely.
    pub(crate) fn has_sent_all(&self) -> bool {
        self.progress.is_done()
    }

    /// The server's address.
    pub(crate) fn address(&self) -> &ServerAddress {
        &self.choice.server.health.address
    }

    /// Records that the server caused an error, and closes the connection.
    pub(super) fn record_failure(self, upstream: &str, error: Error) -> Error {
        self.choice.failed(upstream, &error);
        error
    }

    /// Keeps the connection for the next request. Closes it instead if the request's body was not sent completely, because
    /// the server would read the next request as the rest of that body.
    pub(crate) fn give_back(mut self) {
        if self.progress.is_done()
            && let Some(link) = self.link.take()
        {
            self.choice.server.keep(link);
        }
    }

    /// Leaves the connection to a tunnel: it is not kept, and lives until the tunnel ends.
    pub(crate) fn release(mut self) {
        if let Some(link) = &mut self.link {
            link.released = true;
        }
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let busy = &self.choice.server.busy;
        busy.set(busy.get() - 1);
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        self.server.health.ejection.ended(self.seen);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.released {
            self.driver.abort();
            self.connection.becomes_spare();
        }
    }
}
