//! The application of `crumbgate demo`: several organizations' desk booking in one process, for trying the gateway.
//!
//! It behaves as the real one does (a session, a CSRF token, a map editor, logging in and out, with Laravel's lifetimes
//! and status codes), and it plants trackers wherever it can: see [`PLANTED`]. Its pages tell what arrived and what
//! scripts see, so that a visit through the gateway and one to the application's own address can be compared. It knows
//! nothing of the gateway. Loopback only, plain HTTP/1.1; everything is kept in memory.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /` | the page that compares what was planted and what arrived |
//! | `GET /login`, `POST /login` | the form; logs in under any name (`user`, and the CSRF token) |
//! | `POST /logout` | ends the session and deletes both its cookies (with the CSRF token) |
//! | `GET /map-builder` | the map editor; sets `visitedMapBuilder` |
//! | `GET /map-builder/help`, `GET /privacy` | pages without scripts: nothing is planted anew once they are shown |
//! | `GET /api/desks` | JSON; 401 without a login; sets no cookie |
//! | `GET /api/slow` | the same after two seconds (`?ms=` up to 10000): a call that is under way during a logout |
//! | `GET /live` | server-sent events, one a second (`?ms=` from 10) |
//! | `GET /whoami` | JSON: the request's line and fields as they arrived |
//! | `POST /echo`, `PUT /echo` | an upload of any size, answered by its length and SHA-256; not CSRF-protected |
//! | `GET /up` | 200 for health checks; JSON with the number of slow calls that are under way |
//!
//! The CSRF token goes in the field `X-XSRF-TOKEN` or the form's `_token`; without it a `POST` gets 419, as in Laravel.

mod cookies;
mod organizations;
mod pages;
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

pub use cookies::PLANTED;
pub use organizations::HOSTS;
use routes::Routes;

use crumbgate_base::clock::Clock;

/// The running application. It stops when this is dropped, and cuts what is open.
#[derive(Debug)]
pub struct Application {
    address: SocketAddr,
    /// Dropped to stop; none once it is.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Application {
    /// Starts it on a free loopback port, on a thread of its own.
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
                    let _ = started.send(Ok(())); // who waits for it is in this function
                    runtime.block_on(serve(listener, stopped));
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let gone = |_| io::Error::other("the application's thread ended before it began");
        outcome.recv().map_err(gone)??;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was already told by its own message
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
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                spawn_local(converse(stream, peer, place, Rc::clone(&routes)));
            }
            // Out of descriptors, mostly: what is open must close first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Connections that are open at once; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 512;

async fn accept(
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Serves one connection. Who broke it off needs no answer.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
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
