//! `[admin]`: the listener of the admin interface and its access rules.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use super::tls::CertificateFiles;

/// `[admin]`: the listener of the admin interface and its access rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// The listener.
    pub listen: AdminListener,
    /// A file with a name, a role and a token in each line; `None` admits every client that can connect.
    pub token_file: Option<PathBuf>,
    /// The certificate of the listener; `None` listens without TLS.
    pub certificate: Option<CertificateFiles>,
    /// Hosts that a request may name besides the listener's own, in lower case and without a port.
    pub hosts: Vec<String>,
    /// The number of tenants that have metrics of their own.
    pub tenant_series: usize,
}

/// The listener of the admin interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AdminListener {
    /// No listener.
    Off,
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl AdminListener {
    /// The default of `admin.listen`.
    pub const DEFAULT: Self =
        Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT));

    /// Returns true if other machines can connect to it.
    pub fn is_reachable_from_elsewhere(&self) -> bool {
        match self {
            Self::Off | Self::Unix(_) => false,
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for AdminListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

const DEFAULT_PORT: u16 = 9443;
