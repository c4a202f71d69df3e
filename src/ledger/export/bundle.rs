//! What a bundle consists of: the names and forms that the writer and the verifier share.

use serde::{Deserialize, Serialize};

use super::super::{checkpoint::Checkpoint, entry::Entry, entry::TextId};

/// The form of bundles that this version writes, and reads.
pub(in crate::ledger) const FORMAT: &str = "crumbgate-bundle-2";

/// The form before it, which is read: it has no agreements, and its table no columns for them.
pub(in crate::ledger) const FORMER: &str = "crumbgate-bundle-1";

/// How to verify a bundle by hand.
pub(in crate::ledger) const GUIDE: &str = "VERIFY.txt";
/// The same for a machine, in Python and OpenSSL alone.
pub(in crate::ledger) const SCRIPT: &str = "verify.py";
/// A [`Manifest`].
pub(in crate::ledger) const MANIFEST: &str = "bundle.json";
/// Each key: the first segment that it has signed, a space, its verifier.
pub(in crate::ledger) const KEYS: &str = "keys.txt";
/// Every checkpoint of the ledger, in order, with an empty line behind each.
pub(in crate::ledger) const CHECKPOINTS: &str = "checkpoints.txt";
/// The lines of the entries: what was hashed, byte for byte.
pub(in crate::ledger) const ENTRIES: &str = "entries.ndjson";
/// An [`OutlineLine`] for each segment; not in a tenant's bundle.
pub(in crate::ledger) const OUTLINES: &str = "outlines.ndjson";
/// A [`ProofLine`] for each entry; only in a tenant's bundle.
pub(in crate::ledger) const PROOFS: &str = "proofs.ndjson";
/// The entries as a table.
pub(in crate::ledger) const TABLE: &str = "entries.csv";
/// A list of [`DeclarationLine`]s.
pub(in crate::ledger) const DECLARATIONS: &str = "declarations.json";
/// The newest declaration, for the EDPB Website Auditing Tool.
pub(in crate::ledger) const KNOWLEDGE: &str = "declaration-edpb.json";

/// The folder of the pages that were shown.
const PAGES: &str = "pages/";

/// The name of the page of a hash; none where that is no hash, but whatever somebody has put there.
pub(in crate::ledger) fn page_member(hash: &str) -> Option<String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (hash.len() == 64 && hash.bytes().all(is_digit)).then(|| format!("{PAGES}{hash}.html"))
}

/// The hash of the page that a member has, by its name; none of another member.
pub(in crate::ledger) fn hash_of_member(name: &str) -> Option<&str> {
    let file = name.strip_prefix(PAGES).filter(|file| !file.is_empty())?;
    // What has another form is no hash that an entry could name.
    Some(file.strip_suffix(".html").unwrap_or(name))
}

/// What a bundle says of itself. It is not signed: it is where the verifier looks for what.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ledger) struct Manifest {
    pub(in crate::ledger) format: String,
    pub(in crate::ledger) ledger: String,
    pub(in crate::ledger) tenant: Option<String>,
    pub(in crate::ledger) since: Option<String>,
    pub(in crate::ledger) until: Option<String>,
    /// The segments of which the entries are here, as ranges.
    pub(in crate::ledger) segments: Vec<[u64; 2]>,
    pub(in crate::ledger) entries: u64,
}

impl Manifest {
    /// Whether the entries of a segment are in the bundle.
    pub(in crate::ledger) fn has(&self, segment: u64) -> bool {
        self.segments.iter().any(|[first, last]| (*first..=*last).contains(&segment))
    }
}

/// What names the entries of a segment (see `outline.rs`), in base64.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ledger) struct OutlineLine {
    pub(in crate::ledger) segment: u64,
    pub(in crate::ledger) outline: String,
}

/// That an entry's line is the leaf at `index` of its segment's tree (RFC 9162, section 2.1.3), hashes in base64.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ledger) struct ProofLine {
    pub(in crate::ledger) seq: u64,
    pub(in crate::ledger) segment: u64,
    pub(in crate::ledger) index: u64,
    pub(in crate::ledger) path: Vec<String>,
}

/// A declaration; `json` is the text of which `hash` is the SHA-256.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ledger) struct DeclarationLine {
    pub(in crate::ledger) hash: String,
    pub(in crate::ledger) since: String,
    pub(in crate::ledger) json: String,
}

/// Whether an entry is in the bundle of a tenant: its own, and what the gateway says of itself.
pub(in crate::ledger) fn belongs(entry: &Entry, tenant: TextId) -> bool {
    match entry {
        Entry::Agreement(agreement) => agreement.tenant == tenant,
        Entry::Event(event) => event.tenant.is_none_or(|other| other == tenant),
        Entry::Heartbeat(heartbeat) => heartbeat.tenant.is_none_or(|other| other == tenant),
        Entry::Verdicts(verdicts) => verdicts.tenant == tenant,
    }
}

/// The cookies of which domain the knowledge base of a bundle is about: a tenant's host, or any.
pub(in crate::ledger) fn knowledge_domain(tenant: Option<&str>) -> &str {
    tenant.filter(|name| !name.starts_with(['*', '('])).unwrap_or("*")
}

/// Whether a segment was open at some moment of a period.
pub(in crate::ledger) fn overlaps(
    checkpoint: &Checkpoint,
    before: Option<&Checkpoint>,
    since_unix_s: Option<u64>,
    until_unix_s: Option<u64>,
) -> bool {
    let opened_unix_s = before.map_or(0, |before| before.closed_unix_s);
    since_unix_s.is_none_or(|since| checkpoint.closed_unix_s >= since)
        && until_unix_s.is_none_or(|until| opened_unix_s < until)
}
