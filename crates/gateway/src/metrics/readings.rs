//! What the metrics tell and others know: gathered by whoever asks for the text.

use std::time::Duration;

/// Everything that the text tells and no worker counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// How many tenants there are.
    pub tenants: u64,
    /// How many tenants get series of their own; the others share one. 0: there are no series by tenant.
    pub tenant_series: usize,
    /// How the last reload went; before the first, the start.
    pub reload: ReloadReading,
    /// Whether the gateway is stopping.
    pub is_draining: bool,
    /// The ledger; none where none is kept.
    pub ledger: Option<LedgerReading>,
    /// The applications, in the order of the configuration.
    pub upstreams: Vec<UpstreamReading>,
    /// The certificates that are shown to browsers, in the order of the configuration.
    pub certificates: Vec<CertificateReading>,
    /// Lines of the log that were lost because nobody read those before them.
    pub lost_log_lines: u64,
    /// The process; none where the system does not tell.
    pub process: Option<ProcessReading>,
}

/// How the last reload went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReloadReading {
    /// Whether it was accepted.
    pub succeeded: bool,
    /// When the configuration that holds was taken on, in seconds since the Unix epoch.
    pub succeeded_unix_s: u64,
}

impl Default for ReloadReading {
    fn default() -> Self {
        Self { succeeded: true, succeeded_unix_s: 0 }
    }
}

/// How the ledger does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LedgerReading {
    /// Entries that were written since the start.
    pub rows: u64,
    /// Cookies that are in no entry, for want of room.
    pub dropped: u64,
    /// Entries that wait in memory.
    pub waiting: u64,
    /// Whether the file can't be written now.
    pub is_failing: bool,
    /// Segments that were closed since the start.
    pub segments: u64,
    /// Cookies by which closed segments do not add up.
    pub unbalanced: u64,
    /// Names of undeclared cookies that the ledger had never had: first met in requests.
    pub new_names_of_requests: u64,
    /// The same, first met in responses.
    pub new_names_of_responses: u64,
    /// How often the clock has jumped.
    pub clock_jumps: u64,
    /// How often the file was found damaged, or gone.
    pub damages: u64,
    /// How often the gateway before was not stopped properly.
    pub unclean_stops: u64,
}

/// How an application does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpstreamReading {
    /// The name in the configuration.
    pub name: String,
    /// Exchanges that wait for a connection now.
    pub queued: u64,
    /// Exchanges that have had to wait for one.
    pub queued_total: u64,
    /// Exchanges that found the queue full.
    pub queue_refused: u64,
    /// Exchanges that waited in vain.
    pub queue_timeouts: u64,
    /// Its servers.
    pub servers: Vec<ServerReading>,
}

/// How one server of an application does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerReading {
    /// As the configuration has it.
    pub address: String,
    /// What the health checks say; none where there are none, or none has ended yet.
    pub is_up: Option<bool>,
    /// Whether it is left alone because it failed.
    pub is_ejected: bool,
    /// Connections that are open now.
    pub connections: u64,
    /// Requests that were sent to it.
    pub requests: u64,
    /// Requests and connections that failed for its sake.
    pub failures: u64,
    /// How often it was ejected.
    pub ejections: u64,
    /// Health checks that have ended.
    pub checks: u64,
    /// Those of them that found it ill.
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

/// The process, as the system sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProcessReading {
    /// When it started, in seconds since the Unix epoch.
    pub started_unix_s: u64,
    /// Processor time that it has used, its own and the system's for it.
    pub processor_time: Duration,
    /// Memory that it has.
    pub resident_bytes: u64,
    /// Addresses that it has.
    pub virtual_bytes: u64,
    /// Open files and sockets.
    pub open_files: u64,
    /// How many it may have.
    pub max_open_files: u64,
    /// Threads.
    pub threads: u64,
}
