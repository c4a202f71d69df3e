//! `crumbgate health`: whether the gateway of a configuration answers, asked from the same host.

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

use crate::proxy::tls;

/// Connects to the first listener and asks for what the gateway itself refuses, whatever its configuration; any answer
/// is a sign of life. No application is bothered, so one that is down does not make the gateway look dead.
pub(super) fn ask(file: &Path) -> Result<ExitCode> {
    // Whether its certificates will please browsers is not asked here, again and again: `check` says that.
    let loaded = super::read(file);
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
        bail!("server.https and server.http name no listener to ask");
    };
    super::confirm(format!("it answers ({status})\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn connect(mut address: SocketAddr) -> Result<TcpStream> {
    if address.port() == 0 {
        bail!(
            "{address} takes any free port, and only the gateway knows which: give the listener a port"
        );
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nothing answers at {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends one request and reads the status of its answer.
fn status(mut stream: impl Read + Write) -> Result<u16> {
    write!(stream, "TRACE / HTTP/1.1\r\nhost: {NO_TENANT}\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; "HTTP/1.1 421".len()];
    stream.read_exact(&mut head).context("the answer broke off")?;
    let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|code| str::from_utf8(code).ok());
    status.and_then(|code| code.parse().ok()).context("the answer is not HTTP")
}

/// A name that nobody can own (RFC 6761, section 6.4).
const NO_TENANT: &str = "health.crumbgate.invalid";

const PATIENCE: Duration = Duration::from_secs(5);
