//! The settings of the thread.

use std::{path::PathBuf, time::Duration};

use crumbgate_base::clock::Clock;
use crumbgate_ledger::entry::DeclarationRecord;

/// The settings of the state file and its ledger.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the file.
    pub path: PathBuf,
    /// True if the file holds a ledger. Without one it holds tenants only: no entries, segments or
    /// keys, and no file before the first tenant is set.
    pub keeps_evidence: bool,
    /// The length of a window, in seconds.
    pub window_s: u32,
    /// The time that entries are kept.
    pub retention: Duration,
    /// The SHA-256 of the configuration.
    pub configuration: String,
    /// The declaration that is in force.
    pub declaration: DeclarationRecord,
    /// The name of the process that started this gateway, for events.
    pub actor: String,
    /// The clock.
    pub clock: Clock,
}
