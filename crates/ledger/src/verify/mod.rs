//! Verifies a ledger, or a bundle that was exported of one: offline, with nothing but what is in it.
//!
//! What is checked, in the order of the entries, up to the first thing that does not fit:
//!
//! - the chain of checkpoints: form, signature, the key that signs there, the predecessor (`chain.rs`);
//! - the entries of each segment against its signed root: none changed, missing, inserted or reordered (`segment.rs`);
//! - heartbeats without a gap, and the balance of every window that has ended (`books.rs`);
//! - that segments without entries were pruned, and that declarations are those of their hashes;
//! - that the pages which were shown are there, and those of their hashes (`pages.rs`);
//! - a key and checkpoints that were kept elsewhere ([`Expected`]).
//!
//! Entries that no checkpoint has yet (of the last hour) are counted, and not vouched for.

mod books;
mod bundle;
mod chain;
mod finding;
mod ledger;
mod pages;
mod segment;
mod unpack;

use std::{fmt, str::FromStr};

pub use bundle::verify_bundle;
pub use finding::{Balance, Finding};
pub use ledger::verify_ledger;
pub use unpack::BundleError;

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    merkle::sha256,
    note::{NoteError, SignedNote, Verifier},
};
use crumbgate_base::text::hex;

/// What a verification found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verification {
    /// Which ledger: the name of its keys.
    pub ledger: String,
    /// Whose entries: a tenant's, beside those of the gateway itself. None: everybody's.
    pub tenant: Option<String>,
    /// How many segments are closed.
    pub segments: u64,
    /// How many of them have their entries here.
    pub present: u64,
    /// How many entries were sealed, and are here and fit.
    pub entries: u64,
    /// How many entries are not sealed yet.
    pub unsealed: u64,
    /// The newest checkpoint.
    pub newest: Option<Checkpoint>,
    /// The keys that have signed, in order.
    pub keys: Vec<Verifier>,
    /// How many checkpoints that were kept elsewhere are in the chain.
    pub anchors: u64,
}

/// What was kept elsewhere, and must be found again.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// A key that must have signed.
    pub key: Option<PinnedKey>,
    /// Checkpoints that must be in the chain.
    pub anchors: Vec<Checkpoint>,
}

/// A key that somebody knows by heart, or on paper.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PinnedKey {
    /// The SHA-256 of the public key, in hexadecimal digits.
    Fingerprint(String),
    /// The whole verifier.
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

/// Reads checkpoints that were kept elsewhere: signed notes, with an empty line behind each where there are several.
/// Their signatures are not looked at: what counts is that the chain, which is verified, has the same.
pub fn read_anchors(text: &str) -> Result<Vec<Checkpoint>, CheckpointError> {
    let anchors = notes(text).map(|note| Checkpoint::parse(&SignedNote::parse(&note)?));
    let anchors: Vec<_> = anchors.collect::<Result<_, _>>()?;
    if anchors.is_empty() { Err(CheckpointError::NoCheckpoint) } else { Ok(anchors) }
}

/// The notes of a text that has an empty line behind each: text, signatures, text, signatures …
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

/// Whether a declaration, or a page, is the one of its hash.
fn is_of_hash(bytes: &[u8], hash: &str) -> bool {
    hex(&sha256(bytes)) == hash
}
