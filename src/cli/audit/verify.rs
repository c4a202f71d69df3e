//! `crumbgate audit verify`: prints the result of [`verify`](crumbgate_ledger::verify).

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cli::{
    configuration::ConfigFile,
    output::{confirm, print},
    progress,
};
use crumbgate_ledger::{
    checkpoint::Checkpoint,
    line::rfc3339,
    verify::{
        Expected, Finding, PinnedKey, Verification, read_anchors, verify_bundle, verify_ledger,
    },
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
    let anchors = arguments.anchor.as_deref().map(anchors).transpose()?.unwrap_or_default();
    let expected = Expected { key: arguments.key.clone(), anchors };
    let found = progress::show("Verifying", |progress| -> Result<_> {
        Ok(if is_zip(&file) {
            verify_bundle(&file, &expected, progress)?
        } else {
            verify_ledger(&file, &expected, progress)?
        })
    })?;
    match &found {
        _ if arguments.json => print(format!("{}\n", as_json(&found)))?,
        Ok(verification) => confirm(as_text(&file, verification, &expected))?,
        Err(finding) => print(format!(
            "{}: verification failed.\n{finding}\nKeep the file unchanged: it is evidence. The original content may be in \
             a backup or an earlier bundle.\n",
            file.display()
        ))?,
    }
    Ok(if found.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks the first bytes of a file for those of a zip archive.
fn is_zip(file: &Path) -> bool {
    let mut begin = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *b"PK\x03\x04"
}

fn anchors(file: &Path) -> Result<Vec<Checkpoint>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    read_anchors(&text).with_context(|| format!("{}: expected a signed checkpoint", file.display()))
}

fn as_text(file: &Path, verification: &Verification, expected: &Expected) -> String {
    let Verification { segments, present, entries, unsealed, .. } = *verification;
    let mut lines = vec![format!("{}: verified.", file.display())];
    let mut line = |line: String| lines.push(line);
    if let Some(tenant) = &verification.tenant {
        line(format!("tenant        {tenant:?}, and the gateway itself"));
    }
    line(format!("entries       {entries}, unchanged since they were signed"));
    line(match segments - present {
        0 => format!("segments      {segments}, in one chain"),
        absent => {
            format!("segments      {segments}, in one chain; the entries of {absent} are not here")
        }
    });
    if let Some(newest) = &verification.newest {
        let closed = rfc3339(newest.closed_unix_s);
        line(format!("signed        up to entry {}, {closed}", newest.last));
    }
    if unsealed > 0 {
        line(format!("not signed    {unsealed} newer entries, which can't be verified yet"));
    }
    for key in &verification.keys {
        line(format!("signed by     {key}\n              fingerprint {}", key.fingerprint()));
    }
    if expected.key.is_some() {
        line("key           the expected key has signed".to_owned());
    }
    match verification.anchors {
        0 => {}
        1 => line(
            "anchor        in the chain: everything before it is unchanged since then".to_owned(),
        ),
        number => line(format!("anchors       all {number} are in the chain")),
    }
    if expected.key.is_none() && verification.anchors == 0 && segments > 0 {
        line(
            "Nothing was compared with a key or checkpoint kept elsewhere (--key, --anchor): whoever has the signing key \
             could have rewritten the whole ledger."
                .to_owned(),
        );
    }
    lines.join("\n") + "\n"
}

fn as_json(found: &Result<Verification, Finding>) -> Value {
    match found {
        Ok(verification) => json!({
            "verifies": true,
            "ledger": verification.ledger,
            "tenant": verification.tenant,
            "segments": verification.segments,
            "segments_present": verification.present,
            "entries": verification.entries,
            "entries_unsealed": verification.unsealed,
            "sealed_entry": verification.newest.as_ref().map(|newest| newest.last),
            "sealed_at": verification.newest.as_ref().map(|newest| rfc3339(newest.closed_unix_s)),
            "keys": verification.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "anchors": verification.anchors,
        }),
        Err(finding) => json!({
            "verifies": false,
            "finding": finding.word(),
            "segment": finding.segment(),
            "entry": finding.entry(),
            "message": finding.to_string(),
        }),
    }
}
