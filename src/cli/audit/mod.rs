//! `crumbgate audit`: commands that read the ledger. None of them disturbs a running gateway, and only the self-test
//! needs one.

mod canary;
mod export;
mod key;
mod ledger_file;
mod report;
mod selftest;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use ledger_file::LedgerFile;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the newest signed checkpoint, to keep elsewhere
    ///
    /// A checkpoint kept elsewhere (in a mail, on paper, in another system) can prove later that no earlier entry was
    /// changed: crumbgate audit verify --anchor FILE
    Checkpoint {
        #[command(flatten)]
        ledger: LedgerFile,
    },
    /// Write a bundle (zip) for an auditor: entries, declarations, signed checkpoints, and instructions to verify them
    ///
    /// Exports whole segments, usually of an hour each, without entries that are not signed yet. A bundle of one tenant
    /// contains no trace of other tenants, and can still be verified.
    Export(export::Arguments),
    /// Print the public signing key and its fingerprint
    Key {
        #[command(flatten)]
        ledger: LedgerFile,
    },
    /// Report the declared and the stripped cookies, and whether the counts balance
    ///
    /// Reads the ledger, even of a running gateway, and changes nothing. Times are UTC.
    Report(report::Arguments),
    /// Make a new signing key, which the running gateway uses after it next closes a segment
    ///
    /// The change is recorded in the ledger and signed by the old key. Until then the new key is in `….key.next`, next to
    /// the ledger.
    RotateKey {
        #[command(flatten)]
        ledger: LedgerFile,
    },
    /// Test on the running gateway that no personal data is kept
    ///
    /// Sends random texts through the gateway (as cookie values and addresses, in names, path and query), then searches
    /// the ledger, an export of it and the given logs for them: in plain, hexadecimal, base64, percent-encoded and hashed
    /// form. The application receives a few requests with an unknown path. Exit code 1 if anything is found.
    Selftest(selftest::Arguments),
    /// Verify that a ledger or a bundle is unchanged since it was signed
    ///
    /// Needs only the file, and no network. Names the first entry, segment or gap that is wrong. Exit code 0 if
    /// everything is correct, 1 otherwise.
    Verify(verify::Arguments),
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Checkpoint { ledger } => key::print_checkpoint(&ledger.path()?),
        Command::Export(arguments) => export::run(&arguments),
        Command::Key { ledger } => key::print_key(&ledger.path()?),
        Command::Report(arguments) => report::run(arguments),
        Command::RotateKey { ledger } => key::rotate(&ledger.path()?),
        Command::Selftest(arguments) => selftest::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
    }
}
