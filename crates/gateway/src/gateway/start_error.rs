//! The errors of a start.

use std::{io, net::SocketAddr};

use crate::{proxy::tls::CertificateError, seal_keys::KeyFileError};

/// The reason that a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address can't be bound.
    #[error("{key}: can't listen on {address}{}", advice(.source))]
    Bind {
        /// The listener's configuration key.
        key: &'static str,
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// Certificates or CA bundles can't be used.
    #[error("{}", one_per_line(.0))]
    Certificates(Vec<CertificateError>),
    /// The keys that session cookies are sealed with can't be used.
    #[error(transparent)]
    SealKeys(KeyFileError),
    /// The system's random number generator failed.
    #[error("keys for TLS sessions could not be generated")]
    Tickets(#[source] rustls::Error),
    /// A worker or another thread could not be started.
    #[error("a worker can't start{}", advice(.0))]
    Worker(#[source] io::Error),
}

fn one_per_line(errors: &[CertificateError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Advice on an error of a socket, after a colon; empty if there is none.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": another program uses this address; stop it, or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => {
            ": this machine does not have this address; 0.0.0.0 means all of its addresses"
        }
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need CAP_NET_BIND_SERVICE; grant it, or choose a higher port"
        }
        _ if error.raw_os_error() == Some(EMFILE) => {
            ": raise the limit of open files (ulimit -n, LimitNOFILE=), or lower server.workers"
        }
        _ => "",
    }
}

/// Too many open files in this process (`errno(3)`).
const EMFILE: i32 = 24;
