//! Verifies a file by its path, and writes the result as text and as JSON. `crumbgate audit verify` and
//! `crumbgate-verify` share this code, so their output is the same.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crumbgate_base::text::rfc3339;
use serde_json::{Value, json};

use super::{
    bundle::verify_bundle,
    expected::{Expected, read_anchors},
    finding::Finding,
    ledger::verify_ledger,
    unpack::BundleError,
    verification::Verification,
};
use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    progress::Progress,
    read::ReadError,
};

/// A reason why a file can't be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file with expected checkpoints has another form.
    #[error("{}: expected a signed checkpoint", .path.display())]
    Anchor {
        /// The path.
        path: PathBuf,
        /// The difference.
        #[source]
        source: CheckpointError,
    },
    /// The file with expected checkpoints can't be read.
    #[error("{} can't be read", .path.display())]
    AnchorFile {
        /// The path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file is a zip archive, but not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The file is not a ledger.
    #[error(transparent)]
    Ledger(#[from] ReadError),
}

/// Verifies a ledger or a bundle; the first bytes of the file decide which one it is. The inner error
/// is the first defect. Each entry is a step of `progress`.
///
/// # Errors
///
/// Fails where the file can't be read, or is neither.
pub fn verify_file(
    path: &Path,
    expected: &Expected,
    progress: &Progress,
) -> Result<Result<Verification, Finding>, VerifyError> {
    if is_zip(path) {
        Ok(verify_bundle(path, expected, progress)?)
    } else {
        Ok(verify_ledger(path, expected, progress)?)
    }
}

/// Reads a file with one or more checkpoints that were kept elsewhere.
///
/// # Errors
///
/// Fails where the file can't be read, or has something else in it.
pub fn read_anchor_file(path: &Path) -> Result<Vec<Checkpoint>, VerifyError> {
    let text = fs::read_to_string(path)
        .map_err(|source| VerifyError::AnchorFile { path: path.to_owned(), source })?;
    read_anchors(&text).map_err(|source| VerifyError::Anchor { path: path.to_owned(), source })
}

/// The result as lines for people.
pub fn as_text(path: &Path, result: &Result<Verification, Finding>, expected: &Expected) -> String {
    match result {
        Ok(verification) => verified(path, verification, expected),
        Err(finding) => format!(
            "{}: verification failed.\n{finding}\nKeep the file unchanged: it is evidence. The original content may be \
             in a backup or an earlier bundle.\n",
            path.display()
        ),
    }
}

/// The result as a JSON object for programs.
pub fn as_json(result: &Result<Verification, Finding>) -> Value {
    match result {
        Ok(verification) => json!({
            "verifies": true,
            "ledger": verification.ledger,
            "tenant": verification.tenant,
            "segments": verification.segments,
            "segments_present": verification.present,
            "entries": verification.entries,
            "entries_unsealed": verification.unsigned,
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

/// Returns true if a file begins like a zip archive.
fn is_zip(path: &Path) -> bool {
    let mut begin = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *b"PK\x03\x04"
}

fn verified(path: &Path, verification: &Verification, expected: &Expected) -> String {
    let Verification { segments, present, entries, unsigned, .. } = *verification;
    let mut lines = vec![format!("{}: verified.", path.display())];
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
    if unsigned > 0 {
        line(format!("not signed    {unsigned} newer entries, which can't be verified yet"));
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
