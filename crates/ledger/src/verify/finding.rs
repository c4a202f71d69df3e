//! Findings: defects of a ledger, as text that names their place.

use std::fmt;

use super::super::{
    checkpoint::{Checkpoint, CheckpointError},
    entry::{Figures, Window},
    note::NoteError,
};
use crumbgate_base::text::rfc3339;

/// The first defect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// A checkpoint that was kept elsewhere differs from the one in the ledger.
    Anchor {
        /// Its segment.
        segment: u64,
    },
    /// The ledger ends before a checkpoint that was kept elsewhere.
    AnchorBeyond {
        /// Its segment.
        segment: u64,
        /// The last segment of the ledger.
        last: u64,
    },
    /// The totals of a window do not balance (A1).
    Balance(Box<Balance>),
    /// An entry of a block was changed together with its mark.
    Block {
        /// The segment.
        segment: u64,
        /// The first entry of the block.
        first: u64,
        /// The last entry of the block.
        last: u64,
    },
    /// An entry differs from what was signed.
    Changed {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
    },
    /// A text is not a checkpoint.
    Checkpoint {
        /// The segment.
        segment: u64,
        /// The reason.
        error: CheckpointError,
    },
    /// A segment's row differs from its checkpoint.
    Columns {
        /// The segment.
        segment: u64,
    },
    /// A derived member of a bundle differs from the entries.
    Copy {
        /// The member.
        member: &'static str,
        /// The line.
        line: u64,
    },
    /// A declaration does not have its hash.
    Declaration {
        /// The hash.
        hash: String,
    },
    /// The file is cut or damaged.
    File {
        /// The last readable entry; 0 where there is none.
        behind: u64,
        /// The defect.
        problem: String,
    },
    /// The gateway has no heartbeat for some time, and no event explains it (A5).
    Gap {
        /// The heartbeat after the gap.
        entry: u64,
        /// The end of the window before the gap, in seconds since the Unix epoch.
        from_unix_s: u64,
        /// The start of the window after the gap, likewise.
        until_unix_s: u64,
    },
    /// A heartbeat does not follow the one before it (A5).
    Heartbeat {
        /// The entry.
        entry: u64,
        /// The tenant, or the gateway.
        tenant: Option<String>,
        /// Its number.
        found: u64,
        /// The least number that it should have.
        expected: u64,
    },
    /// An entry was not present when its segment was signed.
    Inserted {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
        /// The present number of the entry that was signed in its place.
        moved_to: Option<u64>,
    },
    /// The list of keys differs from the checkpoints.
    Keys {
        /// The first segment for which they differ.
        segment: u64,
    },
    /// The expected key has signed no checkpoint.
    KeyUnknown {
        /// The expected key.
        expected: String,
        /// The fingerprints of the keys that have signed.
        found: Vec<String>,
    },
    /// An entry is missing.
    Missing {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
    },
    /// An outline was changed. The entries are as signed.
    Outline {
        /// The segment.
        segment: u64,
    },
    /// A page does not have its hash.
    Page {
        /// The hash.
        hash: String,
    },
    /// A page that entries name is missing.
    PageMissing {
        /// Its hash.
        hash: String,
    },
    /// No entry names a page.
    PageUnnamed {
        /// Its hash.
        hash: String,
    },
    /// A checkpoint does not refer to the one before it.
    Previous {
        /// The segment.
        segment: u64,
    },
    /// A proof does not lead from its entry to the signed root.
    Proof {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
    },
    /// Entries are missing, and no event records that they were pruned.
    PrunedUnrecorded {
        /// The segment.
        segment: u64,
    },
    /// Two entries were exchanged.
    Reordered {
        /// The segment.
        segment: u64,
        /// The position.
        entry: u64,
        /// The entry that is now at this position.
        holds: u64,
    },
    /// Entries do not fit, and it is unknown which.
    Segment {
        /// The segment.
        segment: u64,
        /// Its first entry.
        first: u64,
        /// Its last entry.
        last: u64,
    },
    /// A segment is missing.
    SegmentMissing {
        /// The segment.
        segment: u64,
    },
    /// A checkpoint is not signed by the key in force.
    Signature {
        /// The segment.
        segment: u64,
        /// The fingerprint of the key.
        key: String,
    },
    /// An entry belongs to no segment, and is not a new one.
    Stray {
        /// The entry.
        entry: i64,
    },
    /// An entry can't be read.
    Unreadable {
        /// The entry.
        entry: u64,
        /// The defect.
        what: String,
    },
    /// A listed key is not a verifier.
    Verifier(NoteError),
}

/// A window whose totals do not balance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Balance {
    /// The window.
    pub window: Window,
    /// The tenant.
    pub tenant: String,
    /// The counted objects: cookies of requests, of responses, added cookies, or agreements.
    pub figure: &'static str,
    /// The total in the heartbeats.
    pub seen: u64,
    /// The total in the entries, plus the dropped.
    pub recorded: u64,
}

impl Balance {
    /// Finds the first figure that differs.
    pub(super) fn of(window: Window, tenant: String, seen: Figures, recorded: Figures) -> Self {
        let figures = [
            ("cookies of requests", seen.request, recorded.request),
            ("cookies of responses", seen.response, recorded.response),
            ("cookies of additions", seen.added, recorded.added),
            ("agreements", seen.agreements, recorded.agreements),
        ];
        let differs = figures.into_iter().find(|(_, seen, recorded)| seen != recorded);
        let (figure, seen, recorded) = differs.unwrap_or_default();
        Self { window, tenant, figure, seen, recorded }
    }
}

impl Finding {
    /// The finding as one word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Anchor { .. } | Self::AnchorBeyond { .. } => "anchor",
            Self::Balance(_) => "balance",
            Self::Block { .. } | Self::Segment { .. } => "segment",
            Self::Changed { .. } => "changed",
            Self::Checkpoint { .. } | Self::Columns { .. } => "checkpoint",
            Self::Copy { .. } => "copy",
            Self::Declaration { .. } => "declaration",
            Self::File { .. } => "file",
            Self::Gap { .. } => "gap",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Inserted { .. } | Self::Stray { .. } => "inserted",
            Self::Keys { .. } | Self::KeyUnknown { .. } | Self::Verifier(_) => "key",
            Self::Missing { .. } => "missing",
            Self::Outline { .. } => "outline",
            Self::Page { .. } | Self::PageMissing { .. } | Self::PageUnnamed { .. } => "page",
            Self::Previous { .. } => "chain",
            Self::Proof { .. } => "proof",
            Self::PrunedUnrecorded { .. } => "pruned",
            Self::Reordered { .. } => "reordered",
            Self::SegmentMissing { .. } => "segment missing",
            Self::Signature { .. } => "signature",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The segment of the finding.
    pub fn segment(&self) -> Option<u64> {
        match *self {
            Self::Anchor { segment }
            | Self::AnchorBeyond { segment, .. }
            | Self::Block { segment, .. }
            | Self::Changed { segment, .. }
            | Self::Checkpoint { segment, .. }
            | Self::Columns { segment }
            | Self::Inserted { segment, .. }
            | Self::Keys { segment }
            | Self::Missing { segment, .. }
            | Self::Outline { segment }
            | Self::Previous { segment }
            | Self::Proof { segment, .. }
            | Self::PrunedUnrecorded { segment }
            | Self::Reordered { segment, .. }
            | Self::Segment { segment, .. }
            | Self::SegmentMissing { segment }
            | Self::Signature { segment, .. } => Some(segment),
            Self::Balance(_)
            | Self::Copy { .. }
            | Self::Declaration { .. }
            | Self::File { .. }
            | Self::Gap { .. }
            | Self::Heartbeat { .. }
            | Self::KeyUnknown { .. }
            | Self::Page { .. }
            | Self::PageMissing { .. }
            | Self::PageUnnamed { .. }
            | Self::Stray { .. }
            | Self::Unreadable { .. }
            | Self::Verifier(_) => None,
        }
    }

    /// The entry of the finding; the first one where several are possible.
    pub fn entry(&self) -> Option<i64> {
        let number = |entry: u64| i64::try_from(entry).ok();
        match *self {
            Self::Block { first: entry, .. }
            | Self::Changed { entry, .. }
            | Self::Gap { entry, .. }
            | Self::Heartbeat { entry, .. }
            | Self::Inserted { entry, .. }
            | Self::Missing { entry, .. }
            | Self::Proof { entry, .. }
            | Self::Reordered { entry, .. }
            | Self::Segment { first: entry, .. }
            | Self::Unreadable { entry, .. } => number(entry),
            Self::Stray { entry } => Some(entry),
            Self::Anchor { .. }
            | Self::AnchorBeyond { .. }
            | Self::Balance(_)
            | Self::Checkpoint { .. }
            | Self::Columns { .. }
            | Self::Copy { .. }
            | Self::Declaration { .. }
            | Self::File { .. }
            | Self::Keys { .. }
            | Self::KeyUnknown { .. }
            | Self::Outline { .. }
            | Self::Page { .. }
            | Self::PageMissing { .. }
            | Self::PageUnnamed { .. }
            | Self::Previous { .. }
            | Self::PrunedUnrecorded { .. }
            | Self::SegmentMissing { .. }
            | Self::Signature { .. }
            | Self::Verifier(_) => None,
        }
    }

    /// The finding that a segment does not fit its root, without an entry.
    pub(super) fn whole(checkpoint: &Checkpoint) -> Self {
        Self::Segment {
            segment: checkpoint.segment,
            first: checkpoint.first,
            last: checkpoint.last,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchor { segment } => write!(
                f,
                "segment {segment}: its checkpoint differs from the one that was kept elsewhere: this history was \
                 rewritten, or it is another ledger"
            ),
            Self::AnchorBeyond { segment, last } => write!(
                f,
                "segment {segment} is missing: its checkpoint was kept elsewhere, and the last segment is {last}: the \
                 end was cut off"
            ),
            Self::Balance(balance) => write!(
                f,
                "window {} of {:?}: the heartbeat has {} {}, but the entries and the dropped ones add up to {}",
                rfc3339(balance.window.start_unix_s),
                balance.tenant,
                balance.seen,
                balance.figure,
                balance.recorded
            ),
            Self::Block { segment, first, last } => write!(
                f,
                "segment {segment}: one of the entries {first} to {last} differs from what was signed; its mark was \
                 changed too, so it is unknown which one"
            ),
            Self::Changed { segment, entry } => {
                write!(
                    f,
                    "segment {segment}: entry {entry} was changed: it differs from what was signed"
                )
            }
            Self::Checkpoint { segment, error } => {
                write!(f, "segment {segment}: its checkpoint is damaged: {error}")
            }
            Self::Columns { segment } => write!(
                f,
                "segment {segment}: the numbers in its row differ from its signed checkpoint"
            ),
            Self::Copy { member, line } => write!(
                f,
                "{member}, line {line}: it differs from entries.ndjson (the entries themselves are correct)"
            ),
            Self::Declaration { hash } => {
                write!(f, "the declaration {hash} was changed: its SHA-256 differs")
            }
            Self::File { behind: 0, problem } => write!(f, "{problem}"),
            Self::File { behind, problem } => write!(f, "after entry {behind}: {problem}"),
            Self::Gap { entry, from_unix_s, until_unix_s } => write!(
                f,
                "entry {entry}: no heartbeat of the gateway from {} to {}, and no event records that it was stopped",
                rfc3339(*from_unix_s),
                rfc3339(*until_unix_s)
            ),
            Self::Heartbeat { entry, tenant, found, expected } => write!(
                f,
                "entry {entry}: heartbeat number {found} of {}, expected {expected}: heartbeats are missing or were \
                 added",
                tenant
                    .as_ref()
                    .map_or_else(|| "the gateway".to_owned(), |name| format!("{name:?}"))
            ),
            Self::Inserted { segment, entry, moved_to: None } => write!(
                f,
                "segment {segment}: entry {entry} was inserted: it was not there when the segment was signed"
            ),
            Self::Inserted { segment, entry, moved_to: Some(moved_to) } => write!(
                f,
                "segment {segment}: entry {entry} was inserted: the entry that was signed there is now entry {moved_to}"
            ),
            Self::Keys { segment } => write!(
                f,
                "the list of keys differs from the checkpoints from segment {segment} on: a key was exchanged"
            ),
            Self::KeyUnknown { expected, found } => write!(
                f,
                "no checkpoint is signed by the key {expected}, but by {}: it is another ledger, or was signed again",
                found.join(", ")
            ),
            Self::Missing { segment, entry } => {
                write!(
                    f,
                    "segment {segment}: entry {entry} is missing: it was signed, and then removed"
                )
            }
            Self::Outline { segment } => write!(
                f,
                "segment {segment}: its outline was changed; its entries are as they were signed"
            ),
            Self::Page { hash } => {
                write!(f, "the page {hash} was changed: its SHA-256 differs")
            }
            Self::PageMissing { hash } => {
                write!(f, "the page {hash} is missing, and entries name it")
            }
            Self::PageUnnamed { hash } => {
                write!(f, "the page {hash} was inserted: no entry names it")
            }
            Self::Previous { segment } => write!(
                f,
                "segment {segment}: its checkpoint does not follow that of segment {}: one of them was exchanged",
                segment.saturating_sub(1)
            ),
            Self::Proof { segment, entry } => write!(
                f,
                "segment {segment}: entry {entry} or its proof was changed: they do not lead to the signed root"
            ),
            Self::PrunedUnrecorded { segment } => write!(
                f,
                "segment {segment}: its entries are missing, and no event records that they were pruned: they were removed"
            ),
            Self::Reordered { segment, entry, holds } => write!(
                f,
                "segment {segment}: entry {entry} was reordered: the entry at this position was signed as entry {holds}"
            ),
            Self::Segment { segment, first, last } => write!(
                f,
                "segment {segment}: its entries {first} to {last} do not fit the signed root; its outline, which \
                 would identify the entry, was changed or removed too"
            ),
            Self::SegmentMissing { segment } => {
                write!(f, "segment {segment} is missing: it was removed")
            }
            Self::Signature { segment, key } => write!(
                f,
                "segment {segment}: its checkpoint is not signed by the key in force (fingerprint {key}): the \
                 checkpoint was changed, or the key exchanged"
            ),
            Self::Stray { entry } => {
                write!(
                    f,
                    "entry {entry} was inserted: it belongs to no segment, and is not a new one"
                )
            }
            Self::Unreadable { entry, what } => {
                write!(f, "entry {entry} was changed or damaged: {what}")
            }
            Self::Verifier(error) => write!(f, "the list of keys is damaged: {error}"),
        }
    }
}
