//! The application of `crumbgate demo`: desk booking for several organizations in one process, to try the gateway with.
//!
//! It behaves like the real application (a session, a CSRF token, a map editor, login and logout, with Laravel's
//! lifetimes and status codes), and it sets many trackers: see [`TRACKERS`]. Its pages show which cookies arrived and
//! which ones scripts can read, so a visit through the gateway can be compared with a visit to the application's own
//! address. It does not depend on the gateway. Loopback and plain HTTP/1.1 only; everything is kept in memory.
//!
//! | route | response |
//! |---|---|
//! | `GET /` | the page that compares the trackers that were set with those that arrived |
//! | `GET /login`, `POST /login` | the form; logs in under any name (`user`, and the CSRF token) |
//! | `POST /logout` | ends the session and deletes both its cookies (with the CSRF token) |
//! | `GET /map-builder` | the map editor; sets `visitedMapBuilder` |
//! | `GET /map-builder/help`, `GET /privacy` | pages without scripts: no script sets trackers while they are shown |
//! | `GET /api/desks` | JSON; 401 without a login; sets no cookie |
//! | `GET /api/slow` | the same after two seconds (`?ms=` up to 10000), to test calls that overlap a logout |
//! | `GET /live` | server-sent events, one per second (`?ms=` from 10) |
//! | `GET /whoami` | JSON: the request line and headers as they arrived |
//! | `POST /echo`, `PUT /echo` | the length and SHA-256 of an upload of any size; no CSRF protection |
//! | `GET /up` | 200 for health checks; JSON with the number of running slow calls |
//!
//! The CSRF token is sent in the header `X-XSRF-TOKEN` or in the form's `_token`. A `POST` without it gets 419, as in
//! Laravel.

mod cookies;
mod organizations;
mod pages;
mod random;
mod routes;
mod session;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    rc::Rc,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    runtime::{Builder, LocalOptions, LocalRuntime},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_local,
};

pub use cookies::TRACKERS;
pub use organizations::HOSTS;
use routes::Routes;

use crumbgate_base::clock::Clock;

/// The running application. Dropping it stops the application and cuts open connections.
#[derive(Debug)]
pub struct Application {
    address: SocketAddr,
    /// Dropping the sender stops the application.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Application {
    /// Starts the application on a free loopback port, in its own thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (started, outcome) = mpsc::channel();
        let thread = thread::Builder::new().name("demo".to_owned()).spawn(move || {
            let runtime =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime.and_then(|runtime| listen(&runtime, listener).map(|l| (runtime, l))) {
                Ok((runtime, listener)) => {
                    let _ = started.send(Ok(())); // the receiver is in this function
                    runtime.block_on(serve(listener, stopped));
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let gone = |_| io::Error::other("the application's thread ended before it served");
        outcome.recv().map_err(gone)??;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The listening address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic has already printed its message
        }
    }
}

fn listen(runtime: &LocalRuntime, listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    let _entered = runtime.enter();
    tokio::net::TcpListener::from_std(listener)
}

/// Accepts until `stopped` resolves. Open connections end with the runtime.
async fn serve(listener: tokio::net::TcpListener, mut stopped: oneshot::Receiver<Infallible>) {
    let routes = Rc::new(Routes::new(Clock::system()));
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                spawn_local(serve_connection(stream, peer, permit, Rc::clone(&routes)));
            }
            // Usually the process has no file descriptor left: a connection must close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The limit of open connections. Further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 512;

async fn accept(
    listener: &tokio::net::TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// Serves one connection. Errors are ignored: the client has then closed the connection.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    _permit: OwnedSemaphorePermit,
    routes: Rc<Routes>,
) {
    let service = service_fn(move |request| {
        let routes = Rc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(request, peer).await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
