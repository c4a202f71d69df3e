//! The closed and signed segments, as the ledger states them, unverified.

use serde::{Serialize, Serializer};

use super::serialize::moment;
use crumbgate_base::text::rfc3339;
use crumbgate_ledger::entry::{Segment, SigningKey};

/// The state of the chain of segments.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ChainState {
    /// The number of closed segments, including pruned ones.
    pub segments: u64,
    /// The number of segments whose entries were removed after the retention time.
    pub pruned: u64,
    /// The first segment that still has its entries.
    pub first: Option<u64>,
    /// The last closed segment.
    pub last: Option<ClosedSegment>,
    /// Entries that are in no closed segment yet.
    pub open_entries: u64,
    /// The signing keys in the notation of C2SP's signed notes (`name+hash+key`), oldest first.
    pub keys: Vec<String>,
    /// The result of verification.
    #[serde(serialize_with = "checked")]
    pub checked: ChainCheck,
}

/// The last closed segment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ClosedSegment {
    /// The number of the segment.
    pub number: u64,
    /// The root that the checkpoint signs, in base64. `None`: the checkpoint is not a signed note.
    pub root: Option<String>,
    /// The latest time in its entries, in seconds since the Unix epoch.
    #[serde(rename = "newest", serialize_with = "moment")]
    pub newest_unix_s: u64,
}

/// The result of verifying signatures and roots.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChainCheck {
    /// The verification failed.
    Fails { why: String },
    /// The verification succeeded at this time, in seconds since the Unix epoch.
    Holds { at_unix_s: u64 },
    /// Nothing was verified. `crumbgate audit verify` does that.
    NotHere,
}

impl ChainState {
    /// Summarizes the segments. `last_entry` is the number of the ledger's last entry.
    pub fn of(segments: &[Segment], keys: &[SigningKey], last_entry: u64) -> Self {
        let pruned = segments.iter().filter(|segment| segment.pruned_unix_s.is_some()).count();
        let present = segments.iter().find(|segment| segment.pruned_unix_s.is_none());
        let closed = segments.last();
        Self {
            segments: segments.len() as u64,
            pruned: pruned as u64,
            first: present.map(|segment| segment.number),
            last: closed.map(|segment| ClosedSegment {
                number: segment.number,
                root: root(&segment.checkpoint).map(str::to_owned),
                newest_unix_s: segment.newest_unix_s,
            }),
            open_entries: last_entry.saturating_sub(closed.map_or(0, |segment| segment.last)),
            keys: keys.iter().map(|key| key.verifier.clone()).collect(),
            checked: ChainCheck::NotHere,
        }
    }
}

/// The root: the third line of a checkpoint (C2SP, tlog-checkpoint).
fn root(checkpoint: &str) -> Option<&str> {
    checkpoint.lines().nth(2).filter(|line| !line.is_empty())
}

fn checked<S: Serializer>(checked: &ChainCheck, serializer: S) -> Result<S::Ok, S::Error> {
    match checked {
        ChainCheck::Fails { why } => serializer.serialize_str(&format!("fails: {why}")),
        ChainCheck::Holds { at_unix_s } => {
            serializer.serialize_str(&format!("holds, {}", rfc3339(*at_unix_s)))
        }
        ChainCheck::NotHere => serializer.serialize_str("not checked here"),
    }
}
