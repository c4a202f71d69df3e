//! Opens connections to servers: TCP, TLS or a Unix socket.

use std::{io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{super::socket::Socket, stream::Stream};
use crumbgate_config::ServerAddress;

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The handshake of HTTP failed: the connection closed at once.
    #[error("the connection closed before the first request")]
    Http(#[source] hyper::Error),
    /// The address can't be reached, or its certificate is not trusted.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It took longer than `connect_timeout`.
    #[error("no connection within connect_timeout")]
    Late,
    /// The host is no name that a certificate can have.
    #[error("the host is no name that a certificate can have")]
    Name,
}

/// A connection to `address`; `tls` verifies an `https://` one.
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
