//! What a bundle consists of: the names and forms that the writer and the verifier share.

use serde::{Deserialize, Serialize};

use super::super::{checkpoint::Checkpoint, entry::Entry, entry::TextId};

/// The form of bundles that this version writes, and reads.
pub(crate) const FORMAT: &str = "crumbgate-bundle-2";

/// The form before it, which is read: it has no agreements, and its table no columns for them.
pub(crate) const FORMER: &str = "crumbgate-bundle-1";

/// How to verify a bundle by hand.
pub(crate) const GUIDE: &str = "VERIFY.txt";
/// The same for a machine, in Python and OpenSSL alone.
pub(crate) const SCRIPT: &str = "verify.py";
/// A [`Manifest`].
pub(crate) const MANIFEST: &str = "bundle.json";
/// Each key: the first segment that it has signed, a space, its verifier.
pub(crate) const KEYS: &str = "keys.txt";
/// Every checkpoint of the ledger, in order, with an empty line behind each.
pub(crate) const CHECKPOINTS: &str = "checkpoints.txt";
/// The lines of the entries: what was hashed, byte for byte.
pub(crate) const ENTRIES: &str = "entries.ndjson";
/// An [`OutlineLine`] for each segment; not in a tenant's bundle.
pub(crate) const OUTLINES: &str = "outlines.ndjson";
/// A [`ProofLine`] for each entry; only in a tenant's bundle.
pub(crate) const PROOFS: &str = "proofs.ndjson";
/// The entries as a table.
pub(crate) const TABLE: &str = "entries.csv";
/// A list of [`DeclarationLine`]s.
pub(crate) const DECLARATIONS: &str = "declarations.json";
/// The newest declaration, for the EDPB Website Auditing Tool.
pub(crate) const KNOWLEDGE: &str = "declaration-edpb.json";

/// The folder of the pages that were shown.
const PAGES: &str = "pages/";

/// The name of the page of a hash; none where that is no hash, but whatever somebody has put there.
pub(crate) fn page_member(hash: &str) -> Option<String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (hash.len() == 64 && hash.bytes().all(is_digit)).then(|| format!("{PAGES}{hash}.html"))
}

/// The hash of the page that a member has, by its name; none of another member.
pub(crate) fn hash_of_member(name: &str) -> Option<&str> {
    let file = name.strip_prefix(PAGES).filter(|file| !file.is_empty())?;
    // What has another form is no hash that an entry could name.
    Some(file.strip_suffix(".html").unwrap_or(name))
}

/// What a bundle says of itself. It is not signed: it is where the verifier looks for what.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    pub(crate) ledger: String,
    pub(crate) tenant: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    /// The segments of which the entries are here, as ranges.
    pub(crate) segments: Vec<[u64; 2]>,
    pub(crate) entries: u64,
}

impl Manifest {
    /// Whether the entries of a segment are in the bundle.
    pub(crate) fn has(&self, segment: u64) -> bool {
        self.segments.iter().any(|[first, last]| (*first..=*last).contains(&segment))
    }
}

/// What names the entries of a segment (see `outline.rs`), in base64.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutlineLine {
    pub(crate) segment: u64,
    pub(crate) outline: String,
}

/// That an entry's line is the leaf at `index` of its segment's tree (RFC 9162, section 2.1.3), hashes in base64.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofLine {
    pub(crate) seq: u64,
    pub(crate) segment: u64,
    pub(crate) index: u64,
    pub(crate) path: Vec<String>,
}

/// A declaration; `json` is the text of which `hash` is the SHA-256.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclarationLine {
    pub(crate) hash: String,
    pub(crate) since: String,
    pub(crate) json: String,
}

/// Whether an entry is in the bundle of a tenant: its own, and what the gateway says of itself.
pub(crate) fn belongs(entry: &Entry, tenant: TextId) -> bool {
    match entry {
        Entry::Agreement(agreement) => agreement.tenant == tenant,
        Entry::Event(event) => event.tenant.is_none_or(|other| other == tenant),
        Entry::Heartbeat(heartbeat) => heartbeat.tenant.is_none_or(|other| other == tenant),
        Entry::Verdicts(verdicts) => verdicts.tenant == tenant,
    }
}

/// The cookies of which domain the knowledge base of a bundle is about: a tenant's host, or any.
pub(crate) fn knowledge_domain(tenant: Option<&str>) -> &str {
    tenant.filter(|name| !name.starts_with(['*', '('])).unwrap_or("*")
}

/// Whether a segment was open at some moment of a period.
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
