//! The socket at which the API listens.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use super::guard::Door;
use crate::{config::AdminListener, gateway::Inherited};

/// A socket that listens; none where the API is off.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Why the API can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address can't be had.
    #[error("admin.listen: {address} can't be listened on{}", hint(.source))]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The gateway itself is in the way.
    #[error(
        "admin.listen: {address} can't be listened on beside {now}, where this gateway is administered: choose another port, or restart it"
    )]
    OwnPort {
        /// The address.
        address: SocketAddr,
        /// Where it listens now.
        now: SocketAddr,
    },
    /// Something else is in the place of the socket.
    #[error("admin.listen: {} is no socket: remove it, or choose another path", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Another process listens there.
    #[error("admin.listen: a process listens at {} already: stop it, or choose another path", path.display())]
    Live {
        /// The path.
        path: PathBuf,
    },
    /// The socket can't be made.
    #[error("admin.listen: no socket can be made at {}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program listens there; stop it, choose another port, or write \"off\""
        }
        io::ErrorKind::AddrNotAvailable => ": this machine has no such address",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

impl ListenError {
    /// The same, known that this gateway listens at `now`: the program that is in the way may be itself.
    pub(super) fn beside(self, now: Option<SocketAddr>) -> Self {
        match (self, now) {
            (Self::Address { address, source }, Some(now))
                if source.kind() == io::ErrorKind::AddrInUse && overlap(address, now) =>
            {
                Self::OwnPort { address, now }
            }
            (error, _) => error,
        }
    }
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let ips = [one.ip().to_canonical(), other.ip().to_canonical()];
    one.port() == other.port() && (ips[0] == ips[1] || ips.iter().any(IpAddr::is_unspecified))
}

impl Listener {
    /// Listens where `admin.listen` says; none where it says `off`.
    ///
    /// # Errors
    ///
    /// Says what is in the way. A socket that was handed over is taken as it is; a socket file that nobody listens at any more is replaced.
    pub fn bind(
        listen: &AdminListener,
        inherited: &mut Inherited,
    ) -> Result<Option<Self>, ListenError> {
        if let Some(socket) = inherited.take(KEY, &listen.to_string()).pop() {
            return adopt(listen, socket);
        }
        match listen {
            AdminListener::Off => Ok(None),
            AdminListener::Tcp(address) => {
                let fail = |source| ListenError::Address { address: *address, source };
                let listener = TcpListener::bind(address).map_err(fail)?;
                listener.set_nonblocking(true).map_err(fail)?;
                Ok(Some(Self(Socket::Tcp(listener))))
            }
            AdminListener::Unix(path) => Ok(Some(bind_unix(path)?)),
        }
    }

    /// Where it listens, as the configuration would say it.
    pub fn address(&self) -> String {
        match &self.0 {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.to_string(),
                // It was bound, so it has one.
                Err(error) => error.to_string(),
            },
            Socket::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }

    /// Where it listens, if that is over TCP.
    pub(super) fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }

    /// The socket once more, for who takes over from this process.
    pub(super) fn copy(&self) -> io::Result<OwnedFd> {
        Ok(match &self.0 {
            Socket::Tcp(listener) => listener.try_clone()?.into(),
            Socket::Unix(listener, _) => listener.try_clone()?.into(),
        })
    }

    pub(super) fn into_socket(self) -> Socket {
        self.0
    }
}

/// The key that asks for the listener.
pub const KEY: &str = "admin.listen";

/// Listens at a socket that another process has opened.
fn adopt(listen: &AdminListener, socket: OwnedFd) -> Result<Option<Listener>, ListenError> {
    match listen {
        AdminListener::Off => Ok(None),
        AdminListener::Tcp(address) => {
            let listener = TcpListener::from(socket);
            let fail = |source| ListenError::Address { address: *address, source };
            listener.set_nonblocking(true).map_err(fail)?;
            Ok(Some(Listener(Socket::Tcp(listener))))
        }
        AdminListener::Unix(path) => {
            let listener = UnixListener::from(socket);
            let fail = |source| ListenError::Path { path: path.clone(), source };
            listener.set_nonblocking(true).map_err(fail)?;
            let inode = fs::symlink_metadata(path).map_err(fail)?.ino();
            let file = SocketFile { path: path.clone(), inode };
            Ok(Some(Listener(Socket::Unix(listener, file))))
        }
    }
}

/// Makes the socket in a folder that nobody else can enter, takes everybody else's permissions away, and only then
/// moves it to its place: at no moment can anybody else connect.
fn bind_unix(path: &Path) -> Result<Listener, ListenError> {
    let fail = |source| ListenError::Path { path: path.to_owned(), source };
    refuse_occupied(path)?;
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let folder = tempfile::Builder::new()
        .prefix(".crumbgate-")
        .tempdir_in(parent.unwrap_or(Path::new(".")))
        .map_err(fail)?;
    let made = folder.path().join("s");
    let listener = UnixListener::bind(&made).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(OWNER_ALONE)).map_err(fail)?;
    let inode = fs::symlink_metadata(&made).map_err(fail)?.ino();
    fs::rename(&made, path).map_err(fail)?;
    Ok(Listener(Socket::Unix(listener, SocketFile { path: path.to_owned(), inode })))
}

const OWNER_ALONE: u32 = 0o600;

fn refuse_occupied(path: &Path) -> Result<(), ListenError> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let path = path.to_owned();
    if !found.file_type().is_socket() {
        return Err(ListenError::NoSocket { path });
    }
    match UnixStream::connect(&path) {
        Ok(_) => Err(ListenError::Live { path }),
        Err(_) => Ok(()),
    }
}

/// The file of a Unix socket; removed with it, unless another process has put its own there, or has taken over the
/// socket itself. To be dropped after the socket.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if is_ours && UnixStream::connect(&self.path).is_err() {
            // What can't be removed is replaced by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The same socket, watched by a runtime.
#[derive(Debug)]
pub(super) enum Watched {
    Tcp(tokio::net::TcpListener),
    Unix { listener: tokio::net::UnixListener, _file: SocketFile },
}

/// A connection that nobody has read from yet.
pub(super) enum Accepted {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

impl Watched {
    /// Must be called on the runtime that is to accept.
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener.into_socket() {
            Socket::Tcp(listener) => Self::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Socket::Unix(listener, file) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                Self::Unix { listener, _file: file }
            }
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(listener) => Accepted::Tcp(listener.accept().await?.0),
            Self::Unix { listener, .. } => Accepted::Unix(listener.accept().await?.0),
        })
    }
}

impl Accepted {
    /// Where it came in.
    pub(super) fn door(&self, is_tls: bool) -> io::Result<Door> {
        Ok(match self {
            Self::Tcp(stream) => Door::Tcp { local: stream.local_addr()?, is_tls },
            Self::Unix(stream) => {
                Door::Unix { uid: stream.peer_cred().ok().map(|credentials| credentials.uid()) }
            }
        })
    }
}
