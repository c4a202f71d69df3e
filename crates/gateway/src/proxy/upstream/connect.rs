//! Opens connections to servers over TCP, TLS or a Unix socket.

use std::{io, sync::Arc};

use rustix::io::Errno;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{super::socket::Socket, stream::Stream};
use crumbgate_config::ServerAddress;

/// The reason that a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The connection closed before the first request.
    #[error("the connection closed before the first request")]
    Http(#[source] hyper::Error),
    /// The address can't be reached, or its certificate is not trusted.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Connecting took longer than `connect_timeout`.
    #[error("connecting took longer than connect_timeout")]
    Late,
    /// The host is not a valid name for a certificate.
    #[error("the host is not a valid name for a certificate")]
    Name,
}

impl ConnectError {
    /// Returns true if the gateway's own means are exhausted, which says nothing about the server: files, ports or memory.
    pub(super) fn is_own(&self) -> bool {
        let Self::Io(error) = self else { return false };
        let own = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
        Errno::from_io_error(error).is_some_and(|error| own.contains(&error))
    }
}

/// Opens a connection to `address`. `tls` verifies the certificate of an `https://` server.
pub(super) async fn connect(
    address: &ServerAddress,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Stream, ConnectError> {
    match address {
        ServerAddress::Plain { host, port } => Ok(Stream::Tcp(connect_tcp(host, *port).await?)),
        ServerAddress::Tls { host, port } => {
            let name = ServerName::try_from(host.clone()).map_err(|_| ConnectError::Name)?;
            let Some(tls) = tls else { return Err(ConnectError::Name) };
            let stream = connect_tcp(host, *port).await?;
            let connector = TlsConnector::from(Arc::clone(tls));
            let stream = connector.connect(name, stream).await?;
            Ok(Stream::Tls(Box::new(stream)))
        }
        ServerAddress::Unix(path) => {
            Ok(Stream::Unix(Socket::new(UnixStream::connect(path).await?)))
        }
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<Socket<TcpStream>> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Socket::new(stream))
}
