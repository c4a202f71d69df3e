//! One worker's connections to the applications: opens them, keeps them alive, balances load, and closes failed ones.
//!
//! No connection is shared between threads, and requests normally take no lock here. In return, a server has up to
//! `idle_connections` unused connections from each worker. The health of a server is shared by all workers (`state.rs`):
//! a server that fails an exchange of one worker (`ejection.rs`) or active checks (`health.rs`) is avoided by all.

mod connect;
mod ejection;
mod error;
mod health;
mod queue;
mod retry;
mod server;
mod state;
mod status;
mod stream;

use std::{
    cell::{Cell, OnceCell, RefCell},
    io,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use smallvec::SmallVec;
use tokio::{
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};
use tracing::debug;

pub use connect::ConnectError;
pub use error::Error;
pub use health::check_health;
use queue::Queue;
pub(crate) use server::Checkout;
use server::{Choice, Idle, Link, Server};
use state::ConnectionPermit;
pub use state::{Check, ServerState, UpstreamState};
pub use status::{CheckStatus, ServerStatus, UpstreamStatus};
use stream::{UpstreamIo, is_closing};

use super::{
    head::{HeaderFlags, is_clearly_framed},
    limits, random,
    request_body::{Progress, RequestBody},
};
use crumbgate_config::{self as config, Balance};

/// The head of an application's answer.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    /// Flags that describe its fields.
    pub(crate) flags: HeaderFlags,
    /// The connection on which the body arrives.
    pub(crate) checkout: Checkout,
}

/// An application, as one worker sees it.
pub(crate) struct Upstream {
    shared: Arc<UpstreamState>,
    servers: Vec<Rc<Server>>,
    /// The index at which the next search for a server begins.
    turn: Cell<usize>,
    /// The task that closes unused connections for exchanges that wait on other workers.
    shedding: OnceCell<AbortHandle>,
    /// The current `Upstream` of this name on this worker. All generations share it across reloads, so queued requests find
    /// the newest.
    newest: Rc<RefCell<Weak<Self>>>,
}

impl Upstream {
    /// One worker's part of `shared`. After a reload it takes over the kept connections of `before` for servers that both
    /// have. Exchanges that already wait in the queue use the new one too.
    pub(crate) fn new(shared: Arc<UpstreamState>, before: Option<&Self>) -> Rc<Self> {
        let newest = before.map(|before| Rc::clone(&before.newest)).unwrap_or_default();
        let before = before.map_or(&[][..], |before| &before.servers);
        let server = |state: &Arc<ServerState>| {
            let health = state.health();
            let before = before.iter().find(|server| Arc::ptr_eq(&server.health, health));
            Server::new(health, shared.settings(), before)
        };
        let servers = shared.servers().iter().map(server).collect();
        // Random, because workers that all begin at the same server would prefer it.
        let turn = Cell::new(usize::from_ne_bytes(random()));
        let upstream = Rc::new(Self { shared, servers, turn, shedding: OnceCell::new(), newest });
        *upstream.newest.borrow_mut() = Rc::downgrade(&upstream);
        upstream.shared.queue().call();
        upstream
    }

    /// The newest generation of this upstream; `None` if the configuration no longer has it.
    fn newest(&self) -> Option<Rc<Self>> {
        self.newest.borrow().upgrade()
    }

    fn settings(&self) -> &config::Upstream {
        self.shared.settings()
    }

    /// The name in the configuration.
    pub(crate) fn name(&self) -> &str {
        self.shared.name()
    }

    /// Longest pause within an answer's body.
    pub(crate) fn body_timeout(&self) -> Duration {
        self.settings().body_timeout
    }

    /// Sends one request and waits for the head of its answer.
    ///
    /// A request is sent once, with two exceptions, in which it is sent again on a fresh connection: an idempotent request
    /// without a body (RFC 9110, section 9.2.2) if a kept connection closed instead of answering; and any request that was
    /// provably not sent at all.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
        fresh: bool,
    ) -> Result<Answer, Error> {
        let progress = request.body().progress();
        let checkout = self.checkout(fresh, &progress).await?;
        let retry = match self.send_on(checkout, request).await {
            Ok(answer) => return Ok(answer),
            Err(Failure { error, retry }) => retry.ok_or(error)?,
        };
        debug!(upstream = self.shared.name(), "a kept connection had closed: trying a fresh one");
        let checkout = Box::pin(self.open(self.choose(&[], true), true, &progress)).await?;
        self.send_on(checkout, *retry).await.map_err(|failure| failure.error)
    }

    /// A connection for one request: a kept one, unless a `fresh` one is required.
    async fn checkout(&self, fresh: bool, progress: &Progress) -> Result<Checkout, Error> {
        // While exchanges wait in the queue, new ones do not overtake them.
        let waits = self.limit() < usize::MAX && self.shared.queue().waiting() > 0;
        let mut choice = if waits { None } else { self.choose(&[], fresh) };
        if let Some(chosen) = choice.take_if(|_| !fresh) {
            match self.checkout_idle(chosen, progress, progress.began()).await {
                Ok(checkout) => return Ok(checkout),
                Err(chosen) => choice = Some(chosen),
            }
        }
        // Boxed, because opening is rare and its future would enlarge that of every exchange.
        Box::pin(self.open(choice, fresh, progress)).await
    }

    async fn send_on(
        &self,
        mut checkout: Checkout,
        request: Request<RequestBody>,
    ) -> Result<Answer, Failure> {
        let progress = checkout.progress.clone();
        let Some(link) = &mut checkout.link else {
            return Err(Failure::of(Error::Late));
        };
        let connection = Arc::clone(&link.connection);
        let is_repeatable = request.method().is_idempotent() && request.body().is_end_stream();
        if checkout.kept && is_repeatable {
            connection.start_recording();
        }
        let mut answer = std::pin::pin!(link.sender.try_send_request(request));
        let mut waiting_since = checkout.since;
        loop {
            waiting_since = waiting_since.max(progress.moved_at());
            let deadline = waiting_since + self.settings().response_timeout;
            match timeout_at(deadline, &mut answer).await {
                Ok(Ok(response)) => {
                    let flags = HeaderFlags::of(response.headers());
                    if !is_clearly_framed(response.headers(), flags) {
                        return Err(Failure::of(
                            checkout.record_failure(self.shared.name(), Error::Framing),
                        ));
                    }
                    checkout.record_success(self.shared.name());
                    return Ok(Answer { response, flags, checkout });
                }
                Ok(Err(mut failed)) => {
                    let unsent = failed.take_message();
                    if let Some(fault) = progress.fault() {
                        return Err(Failure::of(Error::Body(fault)));
                    }
                    let error = failed.into_error();
                    let is_stale = checkout.kept && !connection.has_received() && is_closed(&error);
                    let retry = match unsent {
                        Some(request) if checkout.kept => Some(Box::new(request)),
                        Some(_) | None if is_stale && is_repeatable => {
                            let body = RequestBody::none();
                            retry::read_back(&connection.take_recorded(), body).map(Box::new)
                        }
                        Some(_) | None => None,
                    };
                    let error = Error::Broken(error);
                    if is_stale || retry.is_some() {
                        return Err(Failure { error, retry });
                    }
                    return Err(Failure::of(checkout.record_failure(self.shared.name(), error)));
                }
                // The limit counts from the last part of the request's body. While the next part is due from the
                // downstream, the body's own limit applies instead.
                Err(_) if progress.moved_at() > waiting_since => {}
                Err(_) if progress.waits_for_downstream() => waiting_since = Instant::now(),
                Err(_) => {
                    return Err(Failure::of(
                        checkout.record_failure(self.shared.name(), Error::Late),
                    ));
                }
            }
        }
    }

    /// The newest kept connection to the chosen server that is still open.
    async fn checkout_idle(
        &self,
        choice: Choice,
        progress: &Progress,
        now: Instant,
    ) -> Result<Checkout, Choice> {
        while let Some(Idle { mut link, since }) = choice.server.take_idle() {
            let stale = now.saturating_duration_since(since) > self.settings().idle_timeout;
            if stale || link.sender.is_closed() {
                continue;
            }
            if link.sender.is_ready() || link.sender.ready().await.is_ok() {
                link.connection.await_answer();
                return Ok(Checkout::new(link, choice, progress, true, now));
            }
        }
        Err(choice)
    }

    /// A new connection to the chosen server, or to another one if that fails. Waits in the queue while all servers are at
    /// their limit; then it may get a kept connection, unless a `fresh` one is required.
    async fn open(
        &self,
        choice: Option<Choice>,
        fresh: bool,
        progress: &Progress,
    ) -> Result<Checkout, Error> {
        self.shed_for_others();
        let mut tried = Vec::new();
        let mut room = choice.and_then(|choice| self.room(choice));
        loop {
            let found = match room {
                Some(room) => room,
                None => match self.wait(&tried, fresh, progress).await? {
                    Found::Kept(checkout) => return Ok(checkout),
                    Found::Room(room) => room,
                },
            };
            let Room { choice: chosen, permit, shared } = found;
            let connecting = connect_to(&chosen.server, &shared, permit);
            let connected = timeout(shared.settings().connect_timeout, connecting).await;
            let error = match connected.unwrap_or(Err(ConnectError::Late)) {
                Ok(link) => {
                    return Ok(Checkout::new(link, chosen, progress, false, Instant::now()));
                }
                Err(error) => error,
            };
            if error.is_own() {
                return Err(Error::Connect(error));
            }
            chosen.failed(self.shared.name(), &error);
            tried.push(Rc::clone(&chosen.server));
            let newest = self.newest();
            let now = newest.as_deref().unwrap_or(self);
            if now.servers.iter().all(|server| is_among(&tried, server)) {
                return Err(Error::Connect(error));
            }
            room = now.choose(&tried, fresh).and_then(|choice| now.room(choice));
        }
    }

    /// Waits in the queue until a server has room. Uses the newest generation of the upstream on each attempt.
    async fn wait(
        &self,
        tried: &[Rc<Server>],
        fresh: bool,
        progress: &Progress,
    ) -> Result<Found, Error> {
        // Unused connections are closed for waiting exchanges, so that many may wait beyond the queue's length.
        let bound = self.settings().queue.saturating_add(self.shared.spare());
        let waiter = self.shared.queue().enter(bound).ok_or(Error::QueueFull)?;
        let deadline = Instant::now() + self.settings().queue_timeout;
        loop {
            if waiter.may_look() {
                let newest = self.newest();
                let now = newest.as_deref().unwrap_or(self);
                if let Some(choice) = now.choose(tried, fresh) {
                    let kept = if fresh {
                        Err(choice)
                    } else {
                        now.checkout_idle(choice, progress, Instant::now()).await
                    };
                    match kept.map_err(|choice| now.room(choice)) {
                        Ok(checkout) => return Ok(Found::Kept(checkout)),
                        Err(Some(room)) => return Ok(Found::Room(room)),
                        Err(None) => {}
                    }
                }
                waiter.want();
            }
            let now = Instant::now();
            if now >= deadline {
                waiter.give_up();
                return Err(Error::QueueLate);
            }
            // The end of an ejection notifies no exchange, so it looks again at intervals.
            if timeout_at(deadline.min(now + LOOK_INTERVAL), waiter.called()).await.is_err() {
                waiter.want_again();
            }
        }
    }

    fn room(&self, choice: Choice) -> Option<Room> {
        let permit = choice.server.health.acquire(self.limit())?;
        Some(Room { choice, permit, shared: Arc::clone(&self.shared) })
    }

    /// Limit on the connections of a server.
    fn limit(&self) -> usize {
        self.settings().max_connections
    }

    /// The server with the fewest open exchanges, beginning with the one whose turn it is. Ejected or down servers are
    /// chosen only if all are. `None` if the candidates have no room for another connection.
    fn choose(&self, tried: &[Rc<Server>], fresh: bool) -> Option<Choice> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let count = self.servers.len();
        let in_turn = (0..count).map(|offset| &self.servers[turn.wrapping_add(offset) % count]);
        let untried = in_turn.filter(|server| !is_among(tried, server));
        loop {
            let ranked = untried.clone().map(|server| (self.rank(server, fresh), server));
            let (rank, server) = match self.settings().balance {
                Balance::Least => ranked.min_by_key(|(rank, _)| *rank)?,
                Balance::Random2 => better_of_two(ranked, turn)?,
            };
            if rank.is_full {
                return None;
            }
            let seen = server.health.ejection.look();
            let chosen = if seen.is_fine() {
                Some(seen)
            } else {
                let longest = self.settings().connect_timeout + self.settings().response_timeout;
                server.health.ejection.choose(seen, ejection::now(), longest)
            };
            if let Some(seen) = chosen {
                return Some(Choice { server: Rc::clone(server), seen });
            }
        }
    }

    fn rank(&self, server: &Server, fresh: bool) -> Rank {
        let seen = server.health.ejection.look();
        let settings = self.settings();
        Rank {
            is_down: settings.health.is_some() && server.health.is_down(),
            is_ejected: !seen.is_fine() && seen.is_ejected(ejection::now()),
            is_full: !server.health.has_room(settings.max_connections)
                && (fresh || server.idle.borrow().is_empty()),
            busy: server.busy.get(),
        }
    }

    /// Starts the task that closes unused connections when exchanges wait: connections that this worker keeps take room
    /// from other workers.
    fn shed_for_others(&self) {
        self.shedding.get_or_init(|| {
            let shedding = shed(Arc::clone(self.shared.queue()), self.servers.clone());
            tokio::task::spawn_local(shedding).abort_handle()
        });
    }

    /// Closes kept connections that were unused for `idle_timeout`.
    pub(crate) fn sweep(&self) {
        self.shed_for_others();
        for server in &self.servers {
            let keep = |idle: &Idle| {
                !idle.link.sender.is_closed()
                    && idle.since.elapsed() <= self.settings().idle_timeout
            };
            server.idle.borrow_mut().retain(keep);
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(shedding) = self.shedding.get() {
            shedding.abort();
        }
    }
}

async fn connect_to(
    server: &Server,
    shared: &UpstreamState,
    permit: ConnectionPermit,
) -> Result<Link, ConnectError> {
    let stream = connect::connect(&server.health.address, shared.tls()).await?;
    let connection = Arc::clone(permit.connection());
    let io = UpstreamIo::new(stream, permit);
    let mut builder = http1::Builder::new();
    builder.max_headers(limits::RESPONSE_FIELDS).max_buf_size(limits::RESPONSE_HEAD_BYTES);
    let handshake = builder.handshake(TokioIo::new(io)).await;
    let (sender, driving) = handshake.map_err(ConnectError::Http)?;
    let driver = tokio::task::spawn_local(async move {
        if let Err(error) = driving.with_upgrades().await {
            debug!(%error, "an upstream connection ended");
        }
    });
    Ok(Link { sender, driver: driver.abort_handle(), connection, released: false })
}

async fn shed(queue: Arc<Queue>, servers: Vec<Rc<Server>>) {
    let mut wanted = queue.wanted();
    while wanted.changed().await.is_ok() {
        servers.iter().for_each(|server| server.shed());
    }
}

/// The order in which servers are preferred: less is better.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Rank {
    is_down: bool,
    is_ejected: bool,
    /// True if it is at its limit on connections and no kept one is available.
    is_full: bool,
    busy: usize,
}

/// The better of two servers that are picked at random among the best class; `turn` differs on each call.
fn better_of_two<'s>(
    ranked: impl Iterator<Item = (Rank, &'s Rc<Server>)> + Clone,
    turn: usize,
) -> Option<(Rank, &'s Rc<Server>)> {
    let class = |rank: Rank| Rank { busy: 0, ..rank };
    let best = ranked.clone().map(|(rank, _)| class(rank)).min()?;
    // Ranks may change between the two passes: another worker may have taken the last room.
    let of_best: SmallVec<[_; 8]> =
        ranked.clone().filter(|(rank, _)| class(*rank) <= best).collect();
    let Some(others) = of_best.len().checked_sub(1) else {
        return ranked.min_by_key(|(rank, _)| *rank);
    };
    let drawn = mix(turn);
    let first = drawn % of_best.len();
    let second = (first + 1 + (drawn / of_best.len()) % others.max(1)) % of_best.len();
    [of_best[first], of_best[second]].into_iter().min_by_key(|(rank, _)| *rank)
}

/// Mixes consecutive numbers into pseudo-random ones (SplitMix64).
fn mix(number: usize) -> usize {
    let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from(mixed >> 32).unwrap_or_default()
}

fn is_among(servers: &[Rc<Server>], server: &Rc<Server>) -> bool {
    servers.iter().any(|other| Rc::ptr_eq(server, other))
}

/// Room for a new connection.
struct Room {
    choice: Choice,
    permit: ConnectionPermit,
    /// The upstream whose settings apply to the connection.
    shared: Arc<UpstreamState>,
}

/// The result of waiting in the queue.
enum Found {
    Kept(Checkout),
    Room(Room),
}

/// Time after which a waiting exchange looks for room without being called.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A failed attempt.
struct Failure {
    error: Error,
    /// The request, if it may be sent again: it was provably not sent, or it is idempotent and a kept connection closed
    /// before the first byte of an answer.
    retry: Option<Box<Request<RequestBody>>>,
}

impl Failure {
    fn of(error: Error) -> Self {
        Self { error, retry: None }
    }
}

/// Returns `true` if the connection closed instead of answering.
fn is_closed(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let reset = io.is_some_and(|error| is_closing(error.kind()));
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || reset
}
