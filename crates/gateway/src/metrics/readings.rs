//! Values that are not counted by workers, which the caller gathers for the text.

use std::time::Duration;

/// All values in the text that no worker counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    pub tenants: u64,
    /// Number of tenants with series of their own; the others share one. 0: no series by tenant.
    pub tenant_series: usize,
    /// The last reload, or the start before the first reload.
    pub reload: ReloadReading,
    /// True while the gateway stops.
    pub is_draining: bool,
    /// The ledger; `None` if none is kept.
    pub ledger: Option<LedgerReading>,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<UpstreamReading>,
    /// The server certificates, in the order of the configuration.
    pub certificates: Vec<CertificateReading>,
    pub lost_log_lines: u64,
    /// The process; `None` on systems without `/proc`.
    pub process: Option<ProcessReading>,
}

/// The outcome of the last reload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReloadReading {
    /// True if it was accepted.
    pub succeeded: bool,
    /// Time at which the current configuration came into force, in seconds since the Unix epoch.
    pub succeeded_unix_s: u64,
}

impl Default for ReloadReading {
    fn default() -> Self {
        Self { succeeded: true, succeeded_unix_s: 0 }
    }
}

/// The state of the ledger.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LedgerReading {
    /// Entries written since the start.
    pub rows: u64,
    /// Cookies that are in no entry because there was no room.
    pub dropped: u64,
    /// Entries in memory that are not written yet.
    pub waiting: u64,
    /// True while the file can't be written.
    pub is_failing: bool,
    /// Segments closed since the start.
    pub segments: u64,
    /// Difference between closed segments and the counters, in cookies.
    pub unbalanced: u64,
    /// Names of undeclared cookies that are new to the ledger, first seen in requests.
    pub new_names_of_requests: u64,
    /// Names of undeclared cookies that are new to the ledger, first seen in responses.
    pub new_names_of_responses: u64,
    pub clock_jumps: u64,
    /// Number of times that the file was found damaged or missing.
    pub damages: u64,
    /// Number of times that the previous process did not stop properly.
    pub unclean_stops: u64,
}

/// The state of an upstream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpstreamReading {
    /// The name in the configuration.
    pub name: String,
    /// Exchanges that wait for a connection now.
    pub queued: u64,
    /// Exchanges that had to wait for a connection.
    pub queued_total: u64,
    /// Exchanges that found the queue full.
    pub queue_refused: u64,
    /// Exchanges that got no connection in time.
    pub queue_timeouts: u64,
    pub servers: Vec<ServerReading>,
}

/// The state of one server of an upstream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerReading {
    /// The address in the configuration.
    pub address: String,
    /// The result of the health checks; `None` without health checks and before the first one ends.
    pub is_up: Option<bool>,
    /// True while the server is ejected because it failed.
    pub is_ejected: bool,
    /// Open connections.
    pub connections: u64,
    /// Requests sent to the server.
    pub requests: u64,
    /// Requests and connections that failed because of the server.
    pub failures: u64,
    pub ejections: u64,
    /// Completed health checks.
    pub checks: u64,
    /// Failed health checks.
    pub failed_checks: u64,
}

/// A certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CertificateReading {
    /// The file of its chain.
    pub file: String,
    /// Its last second, in seconds since the Unix epoch.
    pub not_after_unix_s: i64,
}

/// The process, as the kernel reports it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProcessReading {
    /// Start, in seconds since the Unix epoch.
    pub started_unix_s: u64,
    /// CPU time used in user mode and in the kernel.
    pub processor_time: Duration,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Virtual memory.
    pub virtual_bytes: u64,
    /// Open files and sockets.
    pub open_files: u64,
    /// Limit on open files and sockets.
    pub max_open_files: u64,
    pub threads: u64,
}
