//! The public half of what signs: printed, kept elsewhere, changed.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, anyhow};

use crate::{
    cli::say,
    ledger::{note::Verifier, read::Reader},
    state::key::KeyFiles,
};

pub(super) fn print(ledger: &Path) -> Result<ExitCode> {
    let key = newest(&Reader::open(ledger)?)?;
    say(format!("{key}\nfingerprint {}\n", key.fingerprint()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print_checkpoint(ledger: &Path) -> Result<ExitCode> {
    let segments = Reader::open(ledger)?.segments()?;
    let newest = segments
        .last()
        .context("no segment is closed yet: the gateway does that every hour, and when it stops")?;
    say(&newest.checkpoint)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rotate(ledger: &Path) -> Result<ExitCode> {
    let old = newest(&Reader::open(ledger)?)?;
    let files = KeyFiles::beside(ledger);
    let new = files.prepare_next(old.name())?;
    say(format!(
        "{new}\nfingerprint {}\nIt waits in {}, and signs when the gateway has closed the present segment: within an \
         hour, or when it stops.\n",
        new.fingerprint(),
        files.next().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn newest(reader: &Reader) -> Result<Verifier> {
    let keys = reader.keys()?;
    let newest = keys.last().ok_or_else(|| {
        anyhow!("the ledger has no key yet: it gets one when the gateway first closes a segment")
    })?;
    newest.verifier.parse().context("the ledger's newest key is damaged")
}
