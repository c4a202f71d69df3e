//! `crumbgate health`: checks from the same machine that the gateway of a configuration answers.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use super::{configuration, output::confirm};
use crumbgate_gateway::proxy::tls;

/// Sends a request to the first listener that every gateway rejects itself. Any response is a success. The request never
/// reaches the application, so a failed application does not make the gateway look dead.
pub(super) fn run(file: &Path) -> Result<ExitCode> {
    // The certificates are not checked here; `check` does that.
    let loaded = configuration::read(file);
    let config = loaded.map_err(|problems| anyhow!("{problems}"))?.config;
    let status = if let Some(&address) = config.server.https.first() {
        let tls = tls::pinned_client_config(&config.tls)?;
        let stream = connect(address)?;
        let name = ServerName::try_from(NO_TENANT)?;
        let session = ClientConnection::new(Arc::new(tls), name)?;
        status(StreamOwned::new(session, stream))?
    } else if let Some(&address) = config.server.http.first() {
        status(connect(address)?)?
    } else {
        bail!("server.https and server.http have no listener");
    };
    confirm(format!("the gateway answers ({status})\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn connect(mut address: SocketAddr) -> Result<TcpStream> {
    if address.port() == 0 {
        bail!(
            "{address} means any free port, and only the gateway knows which: configure a fixed port"
        );
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)
        .with_context(|| format!("nothing answers at {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Sends one request and reads the status of the response.
fn status(mut stream: impl Read + Write) -> Result<u16> {
    write!(stream, "TRACE / HTTP/1.1\r\nhost: {NO_TENANT}\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; "HTTP/1.1 421".len()];
    stream.read_exact(&mut head).context("the response ended early")?;
    let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|code| str::from_utf8(code).ok());
    status.and_then(|code| code.parse().ok()).context("the response is not HTTP")
}

/// A host that no tenant can have (RFC 6761, section 6.4).
const NO_TENANT: &str = "health.crumbgate.invalid";

const TIMEOUT: Duration = Duration::from_secs(5);
