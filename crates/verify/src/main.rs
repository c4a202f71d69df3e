//! The `crumbgate-verify` command: verifies a ledger or a bundle offline, for auditors who have no
//! gateway.
//!
//! It prints the same findings as `crumbgate audit verify`, with the same exit codes: 0 where
//! everything is correct, 1 where something is not or the file can't be read, and 2 for wrong
//! arguments.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use crumbgate_base::error::with_causes;
use crumbgate_ledger::{
    progress::Progress,
    verify::{Expected, PinnedKey, as_json, as_text, read_anchor_file, verify_file},
};

/// Verify that a ledger or a bundle of the Crumbgate gateway is unchanged since it was signed
///
/// Needs only the file, and no network. Names the first entry, segment or gap that is wrong. Exit code 0 if everything is
/// correct, 1 otherwise.
#[derive(Debug, Parser)]
#[command(name = "crumbgate-verify", version)]
struct Arguments {
    /// A ledger or an exported bundle
    #[arg(value_name = "LEDGER|BUNDLE")]
    file: PathBuf,
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

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to report a failure of this to.
            let _ = writeln!(io::stderr(), "crumbgate-verify: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { file, key, anchor, json } = arguments;
    let anchors = anchor.as_deref().map(read_anchor_file).transpose()?.unwrap_or_default();
    let expected = Expected { key: key.clone(), anchors };
    let result = verify_file(file, &expected, &Progress::default())?;
    let output =
        if *json { format!("{}\n", as_json(&result)) } else { as_text(file, &result, &expected) };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that has closed the pipe has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        Err(_) | Ok(()) => {}
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
