//! The members of a bundle, in the names and forms that export and verification share.

use serde::{Deserialize, Serialize};

use super::super::{checkpoint::Checkpoint, entry::Entry, entry::TextId};

/// The format of a bundle. Verification reads every one, and export writes the last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Format {
    /// Has no agreements, and no columns for them.
    WithoutAgreements,
    /// Has no events of the guard, and no column for them.
    WithoutGuard,
    /// Has every kind of entry.
    Current,
}

impl Format {
    const ALL: [Self; 3] = [Self::WithoutAgreements, Self::WithoutGuard, Self::Current];

    /// Returns the word in the manifest.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::WithoutAgreements => "crumbgate-bundle-1",
            Self::WithoutGuard => "crumbgate-bundle-2",
            Self::Current => "crumbgate-bundle-3",
        }
    }

    /// Returns the format with this word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }
}

/// Instructions for verifying a bundle by hand.
pub(crate) const GUIDE: &str = "VERIFY.txt";
/// A script that verifies a bundle with Python and OpenSSL only.
pub(crate) const SCRIPT: &str = "verify.py";
/// A [`Manifest`].
pub(crate) const MANIFEST: &str = "bundle.json";
/// The keys: for each one the first segment that it signed, a space, and its verifier.
pub(crate) const KEYS: &str = "keys.txt";
/// Every checkpoint of the ledger, in order, each followed by an empty line.
pub(crate) const CHECKPOINTS: &str = "checkpoints.txt";
/// The lines of the entries, exactly as they were hashed.
pub(crate) const ENTRIES: &str = "entries.ndjson";
/// An [`OutlineLine`] for each segment. Absent from a tenant's bundle.
pub(crate) const OUTLINES: &str = "outlines.ndjson";
/// A [`ProofLine`] for each entry. Only in a tenant's bundle.
pub(crate) const PROOFS: &str = "proofs.ndjson";
/// The entries as a table.
pub(crate) const TABLE: &str = "entries.csv";
/// A list of [`DeclarationLine`]s.
pub(crate) const DECLARATIONS: &str = "declarations.json";
/// The newest declaration, for the EDPB Website Auditing Tool.
pub(crate) const KNOWLEDGE: &str = "declaration-edpb.json";

/// The folder of the pages.
const PAGES: &str = "pages/";

/// The name of the member for the page with this hash. `None` where the text is not a hash.
pub(crate) fn page_member(hash: &str) -> Option<String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (hash.len() == 64 && hash.bytes().all(is_digit)).then(|| format!("{PAGES}{hash}.html"))
}

/// The hash in the name of a page's member. `None` for other members.
pub(crate) fn hash_of_member(name: &str) -> Option<&str> {
    let file = name.strip_prefix(PAGES).filter(|file| !file.is_empty())?;
    // A text of another form is not a hash that an entry could name.
    Some(file.strip_suffix(".html").unwrap_or(name))
}

/// A description of the bundle. It is not signed, and only guides the verifier.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    pub(crate) ledger: String,
    pub(crate) tenant: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    /// The segments whose entries are present, as ranges.
    pub(crate) segments: Vec<[u64; 2]>,
    pub(crate) entries: u64,
}

impl Manifest {
    /// Returns true if the entries of a segment are present.
    pub(crate) fn has(&self, segment: u64) -> bool {
        self.segments.iter().any(|[first, last]| (*first..=*last).contains(&segment))
    }
}

/// The outline of a segment (see `outline.rs`), in base64.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutlineLine {
    pub(crate) segment: u64,
    pub(crate) outline: String,
}

/// A proof that an entry's line is the leaf at `index` of its segment's tree (RFC 9162, section
/// 2.1.3), with hashes in base64.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofLine {
    pub(crate) seq: u64,
    pub(crate) segment: u64,
    pub(crate) index: u64,
    pub(crate) path: Vec<String>,
}

/// A declaration. `hash` is the SHA-256 of the text `json`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclarationLine {
    pub(crate) hash: String,
    pub(crate) since: String,
    pub(crate) json: String,
}

/// Returns true if an entry belongs into a tenant's bundle: it is the tenant's, or the gateway's own.
pub(crate) fn belongs(entry: &Entry, tenant: TextId) -> bool {
    match entry {
        Entry::Agreement(agreement) => agreement.tenant == tenant,
        Entry::Event(event) => event.tenant.is_none_or(|other| other == tenant),
        Entry::Guard(guard) => guard.tenant == tenant,
        Entry::Heartbeat(heartbeat) => heartbeat.tenant.is_none_or(|other| other == tenant),
        Entry::Verdicts(verdicts) => verdicts.tenant == tenant,
    }
}

/// The domain of a bundle's knowledge base: the tenant's host, or any.
pub(crate) fn knowledge_domain(tenant: Option<&str>) -> &str {
    tenant.filter(|name| !name.starts_with(['*', '('])).unwrap_or("*")
}

/// Returns true if a segment was open at some moment of a period.
pub(crate) fn overlaps(
    checkpoint: &Checkpoint,
    before: Option<&Checkpoint>,
    since_unix_s: Option<u64>,
    until_unix_s: Option<u64>,
) -> bool {
    let opened_unix_s = before.map_or(0, |before| before.closed_unix_s);
    since_unix_s.is_none_or(|since| checkpoint.closed_unix_s >= since)
        && until_unix_s.is_none_or(|until| opened_unix_s < until)
}
