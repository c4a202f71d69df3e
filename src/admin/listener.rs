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
use crumbgate_config::AdminListener;
use crumbgate_gateway::gateway::Inherited;

/// A bound listening socket of the API.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// A reason why the API can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address can't be bound.
    #[error("admin.listen: {address} can't be bound{}", hint(.source))]
    Address { address: SocketAddr, source: io::Error },
    /// The gateway's own admin listener occupies the address.
    #[error(
        "admin.listen: {address} can't be bound while this gateway's API listens on {now}: choose another port, or restart the gateway"
    )]
    OwnPort { address: SocketAddr, now: SocketAddr },
    /// The path is a file that is not a socket.
    #[error("admin.listen: {} is not a socket: remove it, or choose another path", path.display())]
    NoSocket { path: PathBuf },
    /// Another process listens on the path.
    #[error("admin.listen: a process already listens on {}: stop it, or choose another path", path.display())]
    Live { path: PathBuf },
    /// The socket file can't be created.
    #[error("admin.listen: the socket {} can't be created", path.display())]
    Path { path: PathBuf, source: io::Error },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program uses it; stop that program, choose another port, or write \"off\""
        }
        io::ErrorKind::AddrNotAvailable => ": this machine has no such address",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

impl ListenError {
    /// Replaces "address in use" by [`OwnPort`](Self::OwnPort) where this gateway itself listens on `now`.
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
    /// Listens on the address of `admin.listen`. Returns `None` for `off`.
    ///
    /// An inherited socket of that address is used as it is. A socket file on which no process listens is replaced.
    ///
    /// # Errors
    ///
    /// The address can't be bound, or the path is occupied.
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

    /// The address in the form that `admin.listen` has.
    pub fn address(&self) -> String {
        match &self.0 {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.to_string(),
                // A bound socket has an address.
                Err(error) => error.to_string(),
            },
            Socket::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }

    /// The TCP address, or `None` for a Unix socket.
    pub(super) fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }

    /// A duplicate of the socket, for a successor process.
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

/// The configuration key of the listener.
pub const KEY: &str = "admin.listen";

/// Wraps a socket that another process has opened.
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

/// Creates the socket in a folder that only this user can enter, restricts its mode, and then moves it to its path: at no
/// moment can another user connect.
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
    fs::set_permissions(&made, fs::Permissions::from_mode(OWNER_ONLY_MODE)).map_err(fail)?;
    let inode = fs::symlink_metadata(&made).map_err(fail)?.ino();
    fs::rename(&made, path).map_err(fail)?;
    Ok(Listener(Socket::Unix(listener, SocketFile { path: path.to_owned(), inode })))
}

const OWNER_ONLY_MODE: u32 = 0o600;

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

/// The file of a Unix socket. Dropping it removes the file, unless another process has replaced the file or has taken
/// over the socket. Must be dropped after the socket.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if is_ours && UnixStream::connect(&self.path).is_err() {
            // A file that can't be removed is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The listening socket, registered with a runtime.
#[derive(Debug)]
pub(super) enum AsyncListener {
    Tcp(tokio::net::TcpListener),
    Unix { listener: tokio::net::UnixListener, _file: SocketFile },
}

/// A new connection.
pub(super) enum Accepted {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

impl AsyncListener {
    /// Registers the socket with the current runtime.
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
    /// The way by which the connection came in.
    pub(super) fn door(&self, is_tls: bool) -> io::Result<Door> {
        Ok(match self {
            Self::Tcp(stream) => Door::Tcp { local: stream.local_addr()?, is_tls },
            Self::Unix(stream) => {
                Door::Unix { uid: stream.peer_cred().ok().map(|credentials| credentials.uid()) }
            }
        })
    }
}
