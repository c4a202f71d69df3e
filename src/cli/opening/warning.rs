//! The first problem of a gateway that has just started, of those that `crumbgate check` does not report.

use std::{
    fs, io, net::TcpStream, os::unix::net::UnixStream, path::Path, sync::mpsc, thread,
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::certificate;
use crumbgate_config::{Config, ServerAddress};
use crumbgate_gateway::gateway::Control;

/// Returns the most important problem, if there is one. Waits up to 300 ms for the application's servers.
pub(super) fn first(control: &Control) -> Option<String> {
    let servers = control.config(|config| {
        let servers = config.upstreams.iter().flat_map(|upstream| &upstream.servers);
        servers.take(MAX_SERVERS).cloned().collect::<Vec<_>>()
    });
    silent_server(servers).or_else(|| control.config(development_certificate))
}

/// The first server that can't be reached, if that is known within 300 ms.
fn silent_server(servers: Vec<ServerAddress>) -> Option<String> {
    let (failure, failures) = mpsc::channel();
    for server in servers {
        let failure = failure.clone();
        let ask = move || {
            if let Err(error) = connect(&server) {
                // The receiver is gone after the time limit.
                let _ = failure.send(message(&server, &error));
            }
        };
        // Without a thread the server is not checked.
        let _ = thread::Builder::new().name("first-look".to_owned()).spawn(ask);
    }
    drop(failure);
    failures.recv_timeout(TIMEOUT).ok()
}

fn connect(server: &ServerAddress) -> io::Result<()> {
    match server {
        ServerAddress::Plain { host, port } | ServerAddress::Tls { host, port } => {
            TcpStream::connect((host.as_str(), *port)).map(drop)
        }
        ServerAddress::Unix(path) => UnixStream::connect(path).map(drop),
    }
}

fn message(server: &ServerAddress, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("no server answers at {server}: start the application, or correct its address")
        }
        _ => format!("{server} can't be reached: {error}"),
    }
}

/// A warning for a certificate of `crumbgate certificate`, which browsers do not trust.
fn development_certificate(config: &Config) -> Option<String> {
    let chains = config.tls.certificates.iter().map(|files| &files.chain);
    let chain = chains.into_iter().find(|chain| is_development(chain))?;
    Some(format!(
        "the certificate is for development: browsers warn about it, curl accepts it with --cacert {}",
        chain.display()
    ))
}

fn is_development(chain: &Path) -> bool {
    let Some(leaf) = fs::read(chain).ok().and_then(|pem| CertificateDer::from_pem_slice(&pem).ok())
    else {
        return false;
    };
    let Ok((_, leaf)) = x509_parser::parse_x509_certificate(&leaf) else { return false };
    let mut names = leaf.subject().iter_common_name();
    names.any(|name| name.as_str() == Ok(certificate::COMMON_NAME))
}

/// The number of servers that are checked.
const MAX_SERVERS: usize = 8;

/// The time to wait for a server, before the summary is shown.
const TIMEOUT: Duration = Duration::from_millis(300);
