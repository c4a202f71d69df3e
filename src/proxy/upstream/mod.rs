//! One worker's connections to the applications: opened, kept alive, balanced, and given up when they fail.
//!
//! Each worker has its own: no connection is shared between threads, and no request takes a lock here. The price is that
//! a server sees up to `idle_connections` unused connections from each worker. How a server does, all workers know
//! together (`state.rs`): one that failed one of them (`ejection.rs`), or active checks (`health.rs`), is left alone by
//! all.

mod connect;
mod ejection;
mod health;
mod server;
mod state;
mod stream;

use std::{
    cell::Cell,
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

pub(crate) use connect::ConnectError;
pub use health::check_health;
pub(crate) use server::Lease;
use server::{Choice, Idle, Link, Server};
pub use state::{Check, ServerState, Shared};
use stream::{UpstreamIo, is_closing};

use super::{
    body::{Fault, Progress, RequestBody},
    forward, limits,
};
use crate::config;

/// Why an application gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request's own body broke off, so that nothing whole could be sent.
    #[error("the request's body ended early")]
    Body(#[source] Fault),
    /// What came back is no answer.
    #[error("the application broke off or sent no HTTP answer")]
    Broken(#[source] hyper::Error),
    /// Where the answer's body ends can be read in two ways (RFC 9112, section 6.3), or is said in a coding that the
    /// gateway does not undo.
    #[error("the application's answer does not say clearly where it ends")]
    Framing,
    /// No server could be reached.
    #[error("no server of the application could be reached")]
    Connect(#[source] ConnectError),
    /// No answer's head came in time.
    #[error("the application did not answer in time")]
    Late,
}

/// An application, as one worker sees it.
pub(crate) struct Upstream {
    shared: Arc<Shared>,
    servers: Vec<Rc<Server>>,
    /// Where the next look for a server begins.
    turn: Cell<usize>,
}

impl Upstream {
    /// One worker's part of `shared`. Connections of the same servers that it kept `before`, a reload ago, it keeps.
    pub(crate) fn new(shared: Arc<Shared>, before: Option<&Self>) -> Self {
        let before = before.map_or(&[][..], |before| &before.servers);
        let server = |state: &Arc<ServerState>| {
            let vitals = state.vitals();
            let before = before.iter().find(|server| Arc::ptr_eq(&server.vitals, vitals));
            Server::new(vitals, shared.settings().idle_connections, before)
        };
        let servers = shared.servers().iter().map(server).collect();
        Self { shared, servers, turn: Cell::new(0) }
    }

    fn settings(&self) -> &config::Upstream {
        self.shared.settings()
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        self.shared.name()
    }

    /// The longest silence within an answer's body.
    pub(crate) fn body_timeout(&self) -> Duration {
        self.settings().body_timeout
    }

    /// Sends one request and waits for the head of its answer.
    ///
    /// A request is sent once. Only an idempotent one without a body (RFC 9110, section 9.2.2) is sent again, on a
    /// fresh connection, where a connection that had been kept alive closed instead of answering; and any request
    /// that provably never left is tried on a fresh connection too.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
        fresh: bool,
    ) -> Result<(Response<Incoming>, Lease), Error> {
        let progress = Rc::clone(request.body().progress());
        let choice = self.choose(&[]).ok_or(Error::Connect(ConnectError::Late))?;
        let kept = if fresh { None } else { self.lease_idle(&choice, &progress).await };
        let Some(lease) = kept else {
            // Opening is rare, and what it needs must not make every exchange's future larger.
            let lease = Box::pin(self.open(choice, &progress)).await.map_err(Error::Connect)?;
            return self.send_on(lease, request).await.map_err(|failure| failure.error);
        };
        let copy = repeatable(&request);
        let again = match self.send_on(lease, request).await {
            Ok(answer) => return Ok(answer),
            Err(Failure { unsent: Some(request), .. }) => *request,
            Err(Failure { error, stale: true, .. }) => copy.ok_or(error)?,
            Err(Failure { error, .. }) => return Err(error),
        };
        debug!(upstream = self.shared.name(), "a kept connection had closed: trying a fresh one");
        let lease = Box::pin(self.open(choice, &progress)).await.map_err(Error::Connect)?;
        self.send_on(lease, again).await.map_err(|failure| failure.error)
    }

    async fn send_on(
        &self,
        mut lease: Lease,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let progress = Rc::clone(&lease.progress);
        let Some(link) = &mut lease.link else {
            return Err(Failure::of(Error::Late));
        };
        let heard = Arc::clone(&link.heard);
        let mut answer = std::pin::pin!(link.sender.try_send_request(request));
        let mut waiting_since = Instant::now();
        loop {
            waiting_since = waiting_since.max(progress.moved_at());
            let deadline = waiting_since + self.settings().response_timeout;
            match timeout_at(deadline, &mut answer).await {
                Ok(Ok(response)) if !forward::is_clearly_framed(response.headers()) => {
                    return Err(Failure::of(lease.blame(self.shared.name(), Error::Framing)));
                }
                Ok(Ok(response)) => {
                    lease.praise(self.shared.name());
                    return Ok((response, lease));
                }
                Ok(Err(mut failed)) => {
                    let unsent = failed.take_message().map(Box::new);
                    if let Some(fault) = progress.fault() {
                        return Err(Failure::of(Error::Body(fault)));
                    }
                    let error = failed.into_error();
                    let stale = lease.kept && !heard.load(Relaxed) && is_closed(&error);
                    let error = Error::Broken(error);
                    if unsent.is_some() || stale {
                        return Err(Failure { error, unsent, stale });
                    }
                    return Err(Failure::of(lease.blame(self.shared.name(), error)));
                }
                // The time runs from the last part of the request's body; where the downstream owes the next
                // part, the time limit is the body's own.
                Err(_) if progress.moved_at() > waiting_since => {}
                Err(_) if progress.waits_for_downstream() => waiting_since = Instant::now(),
                Err(_) => return Err(Failure::of(lease.blame(self.shared.name(), Error::Late))),
            }
        }
    }

    /// A kept connection to `server` that is still open, if there is one: the newest.
    async fn lease_idle(&self, choice: &Choice, progress: &Rc<Progress>) -> Option<Lease> {
        loop {
            let Idle { mut link, since } = choice.server.idle.borrow_mut().pop()?;
            let stale = since.elapsed() > self.settings().idle_timeout;
            if stale || link.sender.is_closed() {
                continue;
            }
            if link.sender.is_ready() || link.sender.ready().await.is_ok() {
                link.heard.store(false, Relaxed);
                return Some(Lease::new(link, choice.clone(), progress, true));
            }
        }
    }

    /// A new connection to the chosen server, or to whichever other takes it.
    async fn open(
        &self,
        mut choice: Choice,
        progress: &Rc<Progress>,
    ) -> Result<Lease, ConnectError> {
        let mut tried = Vec::new();
        loop {
            let connected = timeout(self.settings().connect_timeout, self.connect(&choice.server));
            let error = match connected.await.unwrap_or(Err(ConnectError::Late)) {
                Ok(link) => return Ok(Lease::new(link, choice, progress, false)),
                Err(error) => error,
            };
            choice.failed(self.shared.name(), &error);
            tried.push(choice.server);
            match self.choose(&tried) {
                Some(next) => choice = next,
                None => return Err(error),
            }
        }
    }

    /// The server with the fewest exchanges under way, beginning with the one whose turn it is; one that is ejected, or
    /// down, only where all are.
    fn choose(&self, tried: &[Rc<Server>]) -> Option<Choice> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let count = self.servers.len();
        let in_turn = (0..count).map(|offset| &self.servers[turn.wrapping_add(offset) % count]);
        let untried = in_turn.filter(|server| !tried.iter().any(|other| Rc::ptr_eq(server, other)));
        loop {
            let server = untried.clone().min_by_key(|server| self.rank(server))?;
            let seen = server.vitals.ejection.look();
            let chosen = if seen.is_fine() {
                Some(seen)
            } else {
                server.vitals.ejection.choose(seen, ejection::now())
            };
            if let Some(seen) = chosen {
                return Some(Choice { server: Rc::clone(server), seen });
            }
        }
    }

    /// Less is better.
    fn rank(&self, server: &Server) -> (bool, bool, usize) {
        let is_down = self.settings().health.is_some() && server.vitals.is_down();
        let seen = server.vitals.ejection.look();
        let is_ejected = !seen.is_fine() && seen.is_ejected(ejection::now());
        (is_down, is_ejected, server.busy.get())
    }

    async fn connect(&self, server: &Server) -> Result<Link, ConnectError> {
        let slot = server.vitals.take_slot();
        let stream = connect::connect(&server.vitals.address, self.shared.tls()).await?;
        let heard = Arc::new(AtomicBool::new(false));
        let io = UpstreamIo::new(stream, Arc::clone(&heard), slot);
        let mut builder = http1::Builder::new();
        builder.max_headers(limits::RESPONSE_FIELDS).max_buf_size(limits::RESPONSE_HEAD_BYTES);
        let handshake = builder.handshake(TokioIo::new(io)).await;
        let (sender, connection) = handshake.map_err(ConnectError::Http)?;
        let driver = tokio::task::spawn_local(async move {
            if let Err(error) = connection.with_upgrades().await {
                debug!(%error, "an upstream connection ended");
            }
        });
        Ok(Link { sender, driver: driver.abort_handle(), heard, released: false })
    }

    /// Closes kept connections that nobody has used for `idle_timeout`.
    pub(crate) fn sweep(&self) {
        for server in &self.servers {
            let keep = |idle: &Idle| {
                !idle.link.sender.is_closed()
                    && idle.since.elapsed() <= self.settings().idle_timeout
            };
            server.idle.borrow_mut().retain(keep);
        }
    }
}

/// A failed try.
struct Failure {
    error: Error,
    /// The request, where it provably never left.
    unsent: Option<Box<Request<RequestBody>>>,
    /// Whether a kept connection closed without a byte of an answer.
    stale: bool,
}

impl Failure {
    fn of(error: Error) -> Self {
        Self { error, unsent: None, stale: false }
    }
}

/// A copy of a request that may be sent twice: idempotent and without a body.
fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() {
        return None;
    }
    let body = request.body().none_like()?;
    let mut copy = Request::new(body);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Whether a connection closed instead of answering.
fn is_closed(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let reset = io.is_some_and(|error| is_closing(error.kind()));
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || reset
}
