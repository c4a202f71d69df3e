//! Verifies a ledger or an exported bundle, offline and using only its content.
//!
//! Verification follows the order of the entries and ends with the first defect. It checks
//!
//! - the chain of checkpoints: form, signature, signing key and predecessor (`chain.rs`);
//! - the entries of each segment against its signed root: none changed, missing, inserted or
//!   reordered (`segment.rs`);
//! - heartbeats without gaps, and the balance of every window that has ended (`books.rs`);
//! - that segments without entries were pruned, and that declarations have their hashes;
//! - that the pages that entries name are present and have their hashes (`pages.rs`);
//! - a key and checkpoints that were kept elsewhere ([`Expected`]).
//!
//! Entries that no checkpoint covers yet (of the last hour) are only counted.

mod books;
mod bundle;
mod chain;
mod finding;
mod ledger;
mod pages;
mod segment;
mod summary;
mod unpack;

use std::{fmt, str::FromStr};

pub use bundle::verify_bundle;
pub use finding::{Balance, Finding};
pub use ledger::verify_ledger;
pub use summary::{VerifyError, as_json, as_text, read_anchor_file, verify_file};
pub use unpack::BundleError;

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    merkle::sha256,
    note::{NoteError, SignedNote, Verifier},
};
use crumbgate_base::text::hex;

/// The result of a verification without a finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verification {
    /// The name of the ledger, which is the name of its keys.
    pub ledger: String,
    /// The tenant whose entries are present, besides those of the gateway itself. `None` where all
    /// are.
    pub tenant: Option<String>,
    /// The number of closed segments.
    pub segments: u64,
    /// The number of segments whose entries are present.
    pub present: u64,
    /// The number of signed entries that are present and correct.
    pub entries: u64,
    /// The number of entries that are not signed yet.
    pub unsealed: u64,
    /// The newest checkpoint.
    pub newest: Option<Checkpoint>,
    /// The keys that have signed, in order.
    pub keys: Vec<Verifier>,
    /// The number of checkpoints in the chain that were kept elsewhere.
    pub anchors: u64,
}

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
    fn is(&self, key: &Verifier) -> bool {
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

/// Whether a declaration or a page has this hash.
fn is_of_hash(bytes: &[u8], hash: &str) -> bool {
    hex(&sha256(bytes)) == hash
}
