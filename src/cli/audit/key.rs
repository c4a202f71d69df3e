//! The commands for the ledger's signing key and checkpoint.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, anyhow};

use crate::cli::output::print;
use crumbgate_ledger::{note::Verifier, read::Reader};
use crumbgate_state::key::KeyFiles;

pub(super) fn print_key(ledger: &Path) -> Result<ExitCode> {
    let key = newest(&Reader::open(ledger)?)?;
    print(format!("{key}\nfingerprint {}\n", key.fingerprint()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print_checkpoint(ledger: &Path) -> Result<ExitCode> {
    let segments = Reader::open(ledger)?.segments()?;
    let newest = segments
        .last()
        .context("no segment is closed yet: the gateway closes one every hour and when it stops")?;
    print(&newest.checkpoint)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rotate(ledger: &Path) -> Result<ExitCode> {
    let old = newest(&Reader::open(ledger)?)?;
    let files = KeyFiles::beside(ledger);
    let new = files.prepare_next(old.name())?;
    print(format!(
        "{new}\nfingerprint {}\nThe key is in {} until the gateway has closed the current segment, within an hour or when \
         it stops. Then it signs.\n",
        new.fingerprint(),
        files.next().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn newest(reader: &Reader) -> Result<Verifier> {
    let keys = reader.keys()?;
    let newest = keys.last().ok_or_else(|| {
        anyhow!("the ledger has no key yet: the gateway makes one when it first closes a segment")
    })?;
    newest.verifier.parse().context("the ledger's newest key is damaged")
}
