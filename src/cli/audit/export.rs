//! `crumbgate audit export`: writes a bundle for an auditor.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

use super::ledger_file::LedgerFile;
use crate::cli::{
    output::{complain, confirm},
    progress,
};
use crumbgate_base::clock::Clock;
use crumbgate_ledger::{
    export::{Selection, export},
    period::Moment,
    read::Reader,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    ledger: LedgerFile,
    /// Only this tenant's entries and the gateway's own, without a trace of other tenants
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only segments closed at this time or later: 2026-11-23, 2026-11-23T10:00:00Z, or an age such as 7d or 12h
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only segments begun before this time; a day is included
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// The bundle to write
    #[arg(long, value_name = "FILE", default_value = "crumbgate-audit.zip")]
    output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let now_unix_s = Clock::system().now().unix_s;
    let selection = Selection {
        tenant: arguments.tenant.as_ref().map(|tenant| tenant.to_ascii_lowercase()),
        since_unix_s: arguments.since.map(|since| since.begin(now_unix_s)),
        until_unix_s: arguments.until.map(|until| until.end(now_unix_s)),
    };
    let until = selection.until_unix_s.unwrap_or(u64::MAX);
    if selection.since_unix_s.is_some_and(|since| since >= until) {
        complain("--until must be later than --since");
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    let ledger = arguments.ledger.path()?;
    let exported = progress::show("Exporting", |progress| -> Result<_> {
        let reader = Reader::open(&ledger)?.counted_by(progress);
        Ok(export(&reader, &selection, &arguments.output, arguments.overwrite)?)
    })?;
    confirm(format!(
        "{0}: {1} entries of {2} segments\nTo verify it: crumbgate audit verify {0}, or follow VERIFY.txt in the bundle\n",
        arguments.output.display(),
        exported.entries,
        exported.segments
    ))?;
    Ok(ExitCode::SUCCESS)
}

const WRONG_USAGE: u8 = 2;
