//! `crumbgate audit verify`: prints the result of [`verify`](crumbgate_ledger::verify).

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use crumbgate_ledger::verify::{
    Expected, PinnedKey, as_json, as_text, read_anchor_file, verify_file,
};

use crate::cli::{
    configuration::ConfigFile,
    output::{confirm, print},
    progress,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A ledger or an exported bundle [default: the configuration's ledger]
    #[arg(value_name = "LEDGER|BUNDLE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// The key that must have signed: the output of `crumbgate audit key`, or its fingerprint
    ///
    /// Without it, a history that was signed again with another key also verifies.
    #[arg(long, value_name = "VERIFIER|FINGERPRINT")]
    key: Option<PinnedKey>,
    /// A file with one or more checkpoints that were kept elsewhere: they must be part of the chain
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => super::ledger_file::configured(&arguments.config.config)?,
    };
    let anchors = arguments.anchor.as_deref().map(read_anchor_file).transpose()?;
    let expected = Expected { key: arguments.key.clone(), anchors: anchors.unwrap_or_default() };
    let result = progress::show("Verifying", |progress| verify_file(&file, &expected, progress))?;
    if arguments.json {
        print(format!("{}\n", as_json(&result)))?;
    } else if result.is_ok() {
        confirm(as_text(&file, &result, &expected))?;
    } else {
        print(as_text(&file, &result, &expected))?;
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
