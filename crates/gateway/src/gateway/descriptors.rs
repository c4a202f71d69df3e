//! Divides the files that the process may have open between clients and servers, so that neither side takes the other's.

use rustix::process::{Resource, getrlimit};
use tracing::warn;

use crumbgate_config::{Config, Upstream};

/// The connections that a configuration may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Shares {
    /// Connections of clients.
    pub(super) connections: usize,
    /// The files for connections to servers; `None` if there are enough.
    servers: Option<Servers>,
}

/// The files for connections to servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Servers {
    files: usize,
    /// The sum of `max_connections` of all servers.
    wanted: usize,
}

impl Shares {
    /// Divides the files that this process may have open. Writes a warning if they are too few for `config`.
    pub(super) fn of(config: &Config) -> Self {
        let files =
            getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
        let wanted = config.upstreams.iter().map(wanted).fold(0, usize::saturating_add);
        let shares = Self::divide(files.unwrap_or(usize::MAX), config.limits.connections, wanted);
        if let (Some(servers), Some(files)) = (shares.servers, files) {
            warn!(
                files,
                needed = needed(config.limits.connections, wanted),
                clients = shares.connections,
                servers = servers.files,
                "this process may have too few open files for its connections, so there are fewer"
            );
        }
        shares
    }

    fn divide(files: usize, connections: usize, wanted: usize) -> Self {
        if needed(connections, wanted) <= files {
            return Self { connections, servers: None };
        }
        let files = files.saturating_sub(OWN_FILES).max(2);
        // Each side gets half, or less if it needs less.
        let half = files / 2;
        let of_servers = wanted.min(half.max(files.saturating_sub(connections)));
        let connections = connections.min(files - of_servers).max(1);
        Self { connections, servers: Some(Servers { files: of_servers, wanted }) }
    }

    /// Returns the share of a server that may have `max_connections` according to the configuration.
    pub(super) fn of_server(self, max_connections: usize) -> usize {
        let Some(Servers { files, wanted }) = self.servers else { return max_connections };
        let share = max_connections.saturating_mul(files) / wanted.max(1);
        max_connections.min(share.max(1))
    }
}

/// Returns the connections that an upstream may have.
fn wanted(upstream: &Upstream) -> usize {
    upstream.max_connections.saturating_mul(upstream.servers.len())
}

/// Returns the number of files that these connections need, with those of the process itself.
fn needed(connections: usize, servers: usize) -> usize {
    connections.saturating_add(servers).saturating_add(OWN_FILES)
}

/// Files beside those connections: the state file and the ledger, the log, the runtime and listeners of each worker, the admin
/// listener with its connections, health checks, and connections that get a 503.
const OWN_FILES: usize = 192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_files_are_divided_between_clients_and_servers() {
        let divide = |files, connections, wanted| {
            let shares = Shares::divide(files, connections, wanted);
            (shares.connections, shares.servers.map(|servers| servers.files))
        };
        assert_eq!(divide(100_000, 10_000, 2048), (10_000, None));
        assert_eq!(divide(256, 10_000, 1024), (32, Some(32)));
        assert_eq!(divide(1024, 10_000, 100), (732, Some(100)));
        assert_eq!(divide(1024, 100, 5000), (100, Some(732)));
        assert_eq!(divide(10, 10_000, 1024), (1, Some(1)));
    }

    proptest! {
        #[test]
        fn both_sides_fit_into_the_files(
            files in 256_usize..100_000, connections in 1_usize..20_000, servers in 1_usize..9, most in 1_usize..9_000,
        ) {
            let shares = Shares::divide(files, connections, servers * most);
            let of_server = shares.of_server(most);
            prop_assert!((1..=connections).contains(&shares.connections));
            prop_assert!((1..=most).contains(&of_server));
            let taken = shares.connections + servers * of_server + OWN_FILES;
            prop_assert!(taken <= files, "{taken} of {files}");
        }
    }
}
