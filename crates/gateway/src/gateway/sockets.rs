//! Listening sockets: one per worker and address.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    time::Duration,
};

use serde::Serialize;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use utoipa::ToSchema;

use super::{inherited::Inherited, json, start_error::StartError};

/// Opened listeners and their sockets.
pub(super) struct Bound {
    /// The listeners, in the order of their addresses.
    pub(super) listeners: Vec<Listener>,
    /// Each worker's sockets.
    pub(super) sockets: Vec<Vec<TcpListener>>,
    /// Copies of the sockets, for a successor.
    pub(super) kept: Vec<KeptSockets>,
}

/// The sockets of one listener, kept open for a successor.
#[derive(Debug)]
pub(super) struct KeptSockets {
    pub(super) key: &'static str,
    /// The address in the configuration.
    pub(super) address: String,
    pub(super) sockets: Vec<OwnedFd>,
}

/// A listener of the data path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Listener {
    /// Its configuration key.
    #[serde(serialize_with = "json::text")]
    #[schema(value_type = String)]
    pub key: ListenerKey,
    /// Its address in the configuration.
    #[serde(skip)]
    pub configured: SocketAddr,
    /// Its actual address: if the configured port is 0, with the port that the system has assigned.
    #[serde(rename = "address", serialize_with = "json::text")]
    #[schema(value_type = String)]
    pub exact: SocketAddr,
}

/// The configuration key of a listener, and so its purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListenerKey {
    /// Redirects to https.
    Http,
    /// Serves the application over TLS.
    Https,
}

impl fmt::Display for ListenerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ListenerKey {
    /// The key in the configuration file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "server.http",
            Self::Https => "server.https",
        }
    }
}

/// Binds each address once per worker, or takes the inherited sockets for it.
pub(super) fn bind_all(
    key: ListenerKey,
    addresses: &[SocketAddr],
    workers: usize,
    inherited: &mut Inherited,
) -> Result<Bound, StartError> {
    let mut listeners = Vec::new();
    let mut kept = Vec::new();
    let mut sockets: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for &configured in addresses {
        let fail = |source| StartError::Bind { key: key.as_str(), address: configured, source };
        let given = inherited.take(key.as_str(), &configured.to_string());
        let opened = if given.is_empty() {
            listen(configured, workers)
        } else {
            given.into_iter().map(take_over).collect()
        };
        let opened = opened.map_err(fail)?;
        let Some(exact) = opened.first().map(TcpListener::local_addr).transpose().map_err(fail)?
        else {
            continue;
        };
        listeners.push(Listener { key, configured, exact });
        let copies = opened.iter().map(|listener| listener.try_clone().map(OwnedFd::from));
        let copies = copies.collect::<io::Result<_>>().map_err(fail)?;
        let address = configured.to_string();
        kept.push(KeptSockets { key: key.as_str(), address, sockets: copies });
        spread(opened, &mut sockets).map_err(fail)?;
    }
    Ok(Bound { listeners, sockets, kept })
}

/// Assigns each worker a socket and each socket a worker: connections to a socket that no worker accepts from would wait
/// for ever. There may be more workers than sockets, or the reverse.
fn spread(opened: Vec<TcpListener>, workers: &mut [Vec<TcpListener>]) -> io::Result<()> {
    for (worker, shared) in workers.iter_mut().zip(opened.iter().cycle()).skip(opened.len()) {
        worker.push(shared.try_clone()?);
    }
    let count = workers.len();
    for (number, listener) in opened.into_iter().enumerate() {
        workers[number % count].push(listener);
    }
    Ok(())
}

/// Prepares an inherited socket.
fn take_over(socket: OwnedFd) -> io::Result<TcpListener> {
    let socket = Socket::from(socket);
    set_options(&socket)?;
    Ok(socket.into())
}

/// Opens a listening socket for each worker.
///
/// The first socket is bound without `SO_REUSEPORT`, so that an address in use is refused instead of silently shared,
/// even if two gateways start at the same time. The option is set afterwards, to share the address among the workers.
fn listen(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    let first = tcp_socket(address)?;
    first.bind(&address.into())?;
    first.listen(BACKLOG)?;
    first.set_reuse_port(true)?;
    let listener = TcpListener::from(first);
    let exact = listener.local_addr()?;
    let mut listeners = vec![listener];
    while listeners.len() < workers {
        let socket = tcp_socket(exact)?;
        socket.set_reuse_port(true)?;
        socket.bind(&exact.into())?;
        socket.listen(BACKLOG)?;
        listeners.push(socket.into());
    }
    Ok(listeners)
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Allows binding a port whose last owner has just closed it (TIME_WAIT).
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_options(&socket)?;
    Ok(socket)
}

fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // Accepted connections inherit these two.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

const BACKLOG: i32 = 4096;

/// Idle time after which the kernel probes the peer.
const KEEPALIVE: Duration = Duration::from_secs(60);
