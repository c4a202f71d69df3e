//! `[upstreams.NAME]`: an application and its servers.

use std::{path::PathBuf, time::Duration};

use http::uri::PathAndQuery;

use super::address::ServerAddress;

/// `[upstreams.NAME]`: an application and the servers that it runs on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    /// The name in the file.
    pub name: String,
    /// The servers among which requests are balanced.
    pub servers: Vec<ServerAddress>,
    /// The rule by which a request's server is chosen.
    pub balance: Balance,
    /// The time limit for opening a connection (TCP, and TLS for `https://`).
    pub connect_timeout: Duration,
    /// The time limit for the head of the response.
    pub response_timeout: Duration,
    /// The longest pause between two parts of the response's body.
    pub body_timeout: Duration,
    /// The time after which an unused connection is closed.
    pub idle_timeout: Duration,
    /// The number of unused connections that each worker keeps for each server.
    pub idle_connections: usize,
    /// The CA bundle that verifies `https://` servers; `None` uses the roots of the system.
    pub ca: Option<PathBuf>,
    /// Active checks; `None` checks nothing.
    pub health: Option<Health>,
    /// The connections that each server may have, all workers together.
    pub max_connections: usize,
    /// The number of exchanges that may wait for a connection.
    pub queue: usize,
    /// The longest time that an exchange waits for a connection.
    pub queue_timeout: Duration,
}

impl Upstream {
    /// The default of `connect_timeout`.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
    /// The default of `response_timeout`.
    pub const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
    /// The default of `body_timeout`.
    pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_mins(5);
    /// The default of `idle_timeout`: less than the 5 s after which common PHP servers close their connections.
    pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
    /// The default of `idle_connections`.
    pub const DEFAULT_IDLE_CONNECTIONS: usize = 32;
    /// The default of `max_connections`.
    pub const DEFAULT_MAX_CONNECTIONS: usize = 1024;
    /// The default of `queue`.
    pub const DEFAULT_QUEUE: usize = 1024;
    /// The default of `queue_timeout`.
    pub const DEFAULT_QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
}

/// The rule by which a server is chosen among those that are up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Balance {
    /// The server with the fewest exchanges in progress.
    Least,
    /// Of two servers chosen at random, the one with fewer exchanges in progress.
    Random2,
}

/// `health`: active checks of an upstream's servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// The path that is requested; a response of 2xx or 3xx is healthy.
    pub path: PathAndQuery,
    /// The `Host` of the request; `None` is the server's own authority.
    pub host: Option<String>,
    /// The time between two checks of a server.
    pub interval: Duration,
    /// The time limit for connecting and for the head of the response.
    pub timeout: Duration,
    /// The number of failed checks in a row after which a server is down.
    pub fall: u32,
    /// The number of passed checks in a row after which a server is up again.
    pub rise: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: PathAndQuery::from_static("/up"),
            host: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            fall: 3,
            rise: 2,
        }
    }
}
