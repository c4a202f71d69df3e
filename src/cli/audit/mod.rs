//! `crumbgate audit`: the ledger, looked at from outside. None of it disturbs a running gateway, and only the self-test
//! needs one.

mod canary;
mod export;
mod key;
mod report;
mod selftest;
mod verify;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::ConfigFile;

/// What can be asked of the ledger.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the newest signed checkpoint, to be kept elsewhere
    ///
    /// Whoever keeps it (in a mail, on paper, in another system) can show later that nothing up to there was changed:
    /// crumbgate audit verify --anchor FILE
    Checkpoint {
        #[command(flatten)]
        ledger: LedgerFile,
    },
    /// Write a bundle (zip) for an auditor: entries, declarations, signed checkpoints, and how to verify them
    ///
    /// Whole segments (of an hour, usually) are exported; what is not sealed yet is left out. A tenant's bundle has no
    /// trace of other tenants, and verifies all the same.
    Export(export::Arguments),
    /// Print the public key that signs, and its fingerprint
    Key {
        #[command(flatten)]
        ledger: LedgerFile,
    },
    /// Say what was declared, what was stripped, and whether the books balance
    ///
    /// Reads the ledger, also of a gateway that runs, and changes nothing. Times are UTC.
    Report(report::Arguments),
    /// Make a new key, which the running gateway takes when it next closes a segment
    ///
    /// The change is an entry of the ledger, and signed by the old key. Until then the new key waits in
    /// `….key.next`, beside the ledger.
    RotateKey {
        #[command(flatten)]
        ledger: LedgerFile,
    },
    /// Show on the running gateway that nothing personal is kept
    ///
    /// Sends random canaries through it (as cookies' values, in names, path and query, as addresses), then searches the
    /// ledger, an export of it and the logs that are named for them: in plain, hexadecimal, base64, percent-encoded and
    /// hashed form. The application gets a few requests that it knows nothing of. Exit code 1 where anything is found.
    Selftest(selftest::Arguments),
    /// Say whether everything in a ledger or a bundle is as it was sealed, or what is not
    ///
    /// Needs no network and nothing beside the file. Names the first entry, segment or gap that does not fit. Exit code
    /// 0 where all of it fits, 1 otherwise.
    Verify(verify::Arguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct LedgerFile {
    /// The ledger; the configuration's, where none is named
    #[arg(value_name = "LEDGER")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

impl LedgerFile {
    /// Where the ledger is. A configuration is read only where no file is named.
    fn path(&self) -> Result<PathBuf> {
        match &self.ledger {
            Some(path) => Ok(path.clone()),
            None => configured(&self.config.config),
        }
    }
}

fn configured(config: &Path) -> Result<PathBuf> {
    let loaded = super::read(config).map_err(|problems| anyhow!("{problems}"))?;
    Ok(loaded.config.evidence.path)
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Checkpoint { ledger } => key::print_checkpoint(&ledger.path()?),
        Command::Export(arguments) => export::run(&arguments),
        Command::Key { ledger } => key::print(&ledger.path()?),
        Command::Report(arguments) => report::run(arguments),
        Command::RotateKey { ledger } => key::rotate(&ledger.path()?),
        Command::Selftest(arguments) => selftest::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
    }
}
