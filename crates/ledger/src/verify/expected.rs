//! Keys and checkpoints that were kept elsewhere.

use std::{fmt, str::FromStr};

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    note::{NoteError, SignedNote, Verifier},
};

/// Facts that were kept elsewhere and must be found in the ledger.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// A key that must have signed.
    pub key: Option<PinnedKey>,
    /// Checkpoints that must be in the chain.
    pub anchors: Vec<Checkpoint>,
}

/// A key that was kept elsewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PinnedKey {
    /// The SHA-256 of the public key, in hexadecimal digits.
    Fingerprint(String),
    /// The verifier.
    Verifier(Verifier),
}

impl PinnedKey {
    pub(super) fn is(&self, key: &Verifier) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => *fingerprint == key.fingerprint(),
            Self::Verifier(verifier) => verifier == key,
        }
    }
}

impl FromStr for PinnedKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let is_fingerprint = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_fingerprint {
            return Ok(Self::Fingerprint(text.to_ascii_lowercase()));
        }
        text.parse().map(Self::Verifier)
    }
}

impl fmt::Display for PinnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(fingerprint) => f.write_str(fingerprint),
            Self::Verifier(verifier) => f.write_str(&verifier.fingerprint()),
        }
    }
}

/// Reads checkpoints that were kept elsewhere: signed notes, separated by empty lines. Their
/// signatures are not verified, because the verified chain must contain the same checkpoints.
pub fn read_anchors(text: &str) -> Result<Vec<Checkpoint>, CheckpointError> {
    let anchors = notes(text).map(|note| Checkpoint::parse(&SignedNote::parse(&note)?));
    let anchors: Vec<_> = anchors.collect::<Result<_, _>>()?;
    if anchors.is_empty() { Err(CheckpointError::NoCheckpoint) } else { Ok(anchors) }
}

/// Splits a text with several notes, each followed by an empty line: text, signatures, text,
/// signatures …
pub(super) fn notes(text: &str) -> impl Iterator<Item = String> {
    let mut parts = text.split("\n\n").map(|part| part.trim_matches('\n'));
    std::iter::from_fn(move || {
        let (text, signatures) = (parts.next()?, parts.next());
        match signatures {
            Some(signatures) => Some(format!("{text}\n\n{signatures}\n")),
            None => (!text.is_empty()).then(|| text.to_owned()),
        }
    })
}
