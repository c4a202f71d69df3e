//! `[server]`: the listeners, the workers and the stop.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use ipnet::IpNet;

/// `[server]`: the addresses on which the gateway listens, and the way it stops.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// TLS listeners, HTTP/1.1 and HTTP/2 by ALPN.
    pub https: Vec<SocketAddr>,
    /// Plain HTTP listeners, which only redirect to https.
    pub http: Vec<SocketAddr>,
    /// Threads of the data path; `workers = 0` in the file is one for each core.
    pub workers: NonZeroUsize,
    /// Reloads the configuration when it or a file that it names changes.
    pub watch: bool,
    /// The time that open exchanges have to finish when the gateway stops.
    pub drain: Duration,
    /// Networks whose forwarding headers are trusted.
    pub trusted_proxies: Vec<IpNet>,
}

impl Server {
    /// The default of `drain`.
    pub const DEFAULT_DRAIN: Duration = Duration::from_secs(30);
}
