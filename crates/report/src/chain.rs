//! What is closed and signed: as the ledger says it, unchecked.

use serde::{Serialize, Serializer};

use super::moment;
use crumbgate_ledger::{
    entry::{Segment, SigningKey},
    line::rfc3339,
};

/// The state of the chain of segments.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ChainState {
    /// How many segments are closed, with those that were pruned.
    pub segments: u64,
    /// How many of them have no entries any more, because the retention was over.
    pub pruned: u64,
    /// The first segment of which the entries are there.
    pub first: Option<u64>,
    /// The last closed segment.
    pub last: Option<ClosedSegment>,
    /// Entries that are in no segment yet.
    pub open_entries: u64,
    /// Who has signed, as C2SP's signed notes write keys (`name+hash+key`); oldest first.
    pub keys: Vec<String>,
    /// Whether all of that holds.
    #[serde(serialize_with = "checked")]
    pub checked: Checked,
}

/// The last segment that is closed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ClosedSegment {
    /// Its number.
    pub number: u64,
    /// The root that its checkpoint signs, in base64; none where the checkpoint is no signed note.
    pub root: Option<String>,
    /// The latest second that an entry of it speaks of.
    #[serde(rename = "newest", serialize_with = "moment")]
    pub newest_unix_s: u64,
}

/// Whether signatures and roots were checked, and hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Checked {
    /// They were, and one does not.
    Fails {
        /// Which, and why.
        why: String,
    },
    /// They were, at this moment, and do.
    Holds {
        /// When, in seconds since the Unix epoch.
        at_unix_s: u64,
    },
    /// They were not: `crumbgate audit verify` does that.
    NotHere,
}

impl ChainState {
    /// What the ledger says of itself; `last_entry` is the number of its last entry.
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
            checked: Checked::NotHere,
        }
    }
}

/// The third line of a checkpoint (C2SP, tlog-checkpoint).
fn root(checkpoint: &str) -> Option<&str> {
    checkpoint.lines().nth(2).filter(|line| !line.is_empty())
}

fn checked<S: Serializer>(checked: &Checked, serializer: S) -> Result<S::Ok, S::Error> {
    match checked {
        Checked::Fails { why } => serializer.serialize_str(&format!("fails: {why}")),
        Checked::Holds { at_unix_s } => {
            serializer.serialize_str(&format!("holds, {}", rfc3339(*at_unix_s)))
        }
        Checked::NotHere => serializer.serialize_str("not checked here"),
    }
}
