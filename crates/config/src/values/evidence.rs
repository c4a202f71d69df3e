//! `[state]` and `[audit]`.

use std::{path::PathBuf, time::Duration};

/// `[state]` and `[audit]`: the state file, and the summing up and retention of evidence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// The state file, which holds the ledger (SQLite).
    pub path: PathBuf,
    /// Keeps a ledger.
    pub ledger: bool,
    /// The length of a window over which counts are summed up: whole minutes that divide a day.
    pub window: Duration,
    /// The time after which entries are deleted.
    pub retention: Duration,
    /// A file with the usual purposes of cookies by name (the Open Cookie Database); `None` uses the built-in table.
    pub names: Option<PathBuf>,
}
