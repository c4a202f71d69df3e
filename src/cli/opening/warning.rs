//! The first thing that is amiss when a gateway begins to serve, and that `crumbgate check` can't know or does not mind.

use std::{
    fs, io, net::TcpStream, os::unix::net::UnixStream, path::Path, sync::mpsc, thread,
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::{
    certificate,
    config::{Config, ServerAddress},
    gateway::Control,
};

/// What a person should know first, if there is anything. Waits for the application's servers, though not for long.
pub(super) fn first(control: &Control) -> Option<String> {
    let servers = control.config(|config| {
        let servers = config.upstreams.iter().flat_map(|upstream| &upstream.servers);
        servers.take(ASKED).cloned().collect::<Vec<_>>()
    });
    silent_server(servers).or_else(|| control.config(development_certificate))
}

/// The first server that can't be reached, as far as that shows within a moment.
fn silent_server(servers: Vec<ServerAddress>) -> Option<String> {
    let (failure, failures) = mpsc::channel();
    for server in servers {
        let failure = failure.clone();
        let ask = move || {
            if let Err(error) = connect(&server) {
                // Nobody waits any more where it took too long.
                let _ = failure.send(told(&server, &error));
            }
        };
        // Without a thread there is nobody to ask, and nothing to tell.
        let _ = thread::Builder::new().name("first-look".to_owned()).spawn(ask);
    }
    drop(failure);
    failures.recv_timeout(A_MOMENT).ok()
}

fn connect(server: &ServerAddress) -> io::Result<()> {
    match server {
        ServerAddress::Plain { host, port } | ServerAddress::Tls { host, port } => {
            TcpStream::connect((host.as_str(), *port)).map(drop)
        }
        ServerAddress::Unix(path) => UnixStream::connect(path).map(drop),
    }
}

fn told(server: &ServerAddress, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("nothing answers at {server}: start the application, or correct its address")
        }
        _ => format!("{server} can't be reached: {error}"),
    }
}

/// Whether a certificate is one that `crumbgate certificate` made: browsers will not like it.
fn development_certificate(config: &Config) -> Option<String> {
    let chains = config.tls.certificates.iter().map(|files| &files.chain);
    let chain = chains.into_iter().find(|chain| is_development(chain))?;
    Some(format!(
        "the certificate is for development: browsers warn of it, curl takes it with --cacert {}",
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

/// How many servers are asked.
const ASKED: usize = 8;

/// For how long a person who has just started the gateway waits for what it says.
const A_MOMENT: Duration = Duration::from_millis(300);
