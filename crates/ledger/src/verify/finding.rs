//! What does not fit, in words that name where.

use std::fmt;

use super::super::{
    checkpoint::{Checkpoint, CheckpointError},
    entry::{Figures, Window},
    note::NoteError,
};
use crumbgate_base::text::rfc3339;

/// The first thing that does not fit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// A checkpoint that was kept elsewhere is not the one that is here.
    Anchor {
        /// Its segment.
        segment: u64,
    },
    /// A checkpoint that was kept elsewhere is of a segment that is not here any more.
    AnchorBeyond {
        /// Its segment.
        segment: u64,
        /// The last segment that is here.
        last: u64,
    },
    /// The sums of a window do not agree (A1).
    Balance(Box<Balance>),
    /// A block of entries has one that was changed, and its mark with it.
    Block {
        /// The segment.
        segment: u64,
        /// The first entry of the block.
        first: u64,
        /// The last entry of the block.
        last: u64,
    },
    /// An entry says something else than when it was sealed.
    Changed {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
    },
    /// A text is no checkpoint.
    Checkpoint {
        /// The segment.
        segment: u64,
        /// Why.
        error: CheckpointError,
    },
    /// What a segment's row says of itself is not what was signed.
    Columns {
        /// The segment.
        segment: u64,
    },
    /// A member of a bundle that is made from the others, and says something else.
    Copy {
        /// The member.
        member: &'static str,
        /// The line.
        line: u64,
    },
    /// A declaration is not the one of its hash.
    Declaration {
        /// The hash.
        hash: String,
    },
    /// The file is cut or damaged.
    File {
        /// The last entry that could be read; 0 for none.
        behind: u64,
        /// What can't be read, and why.
        problem: String,
    },
    /// The gateway was silent for a while, and no event says why (A5).
    Gap {
        /// The heartbeat behind the gap.
        entry: u64,
        /// The end of the window before, in seconds since the Unix epoch.
        from_unix_s: u64,
        /// The begin of the window behind, likewise.
        until_unix_s: u64,
    },
    /// A heartbeat does not follow the one before it (A5).
    Heartbeat {
        /// The entry.
        entry: u64,
        /// Whose: a tenant, or the gateway.
        tenant: Option<String>,
        /// Its number.
        found: u64,
        /// The number that it should have, at least.
        expected: u64,
    },
    /// An entry that was not there when its segment was sealed.
    Inserted {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
        /// The number that the entry now has which was sealed in its place.
        moved_to: Option<u64>,
    },
    /// The list of keys is not what the checkpoints say.
    Keys {
        /// The segment from which on they differ.
        segment: u64,
    },
    /// No checkpoint is signed by the key that was asked for.
    KeyUnknown {
        /// The key that was asked for.
        expected: String,
        /// The fingerprints of those that have signed.
        found: Vec<String>,
    },
    /// An entry is gone.
    Missing {
        /// The segment.
        segment: u64,
        /// The entry.
        entry: u64,
    },
    /// What names entries was changed; the entries fit.
    Outline {
        /// The segment.
        segment: u64,
    },
    /// A page that was shown is not the one of its hash.
    Page {
        /// The hash.
        hash: String,
    },
    /// A page that was shown is gone.
    PageMissing {
        /// Its hash.
        hash: String,
    },
    /// A page is there that no entry names.
    PageUnnamed {
        /// Under which hash.
        hash: String,
    },
    /// A checkpoint does not follow the one before it.
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
    /// Entries are gone, and no event says that they were pruned.
    PrunedUntold {
        /// The segment.
        segment: u64,
    },
    /// Two entries have changed places.
    Reordered {
        /// The segment.
        segment: u64,
        /// The place.
        entry: u64,
        /// The entry that stands there.
        holds: u64,
    },
    /// Entries do not fit, and it can't be told which.
    Segment {
        /// The segment.
        segment: u64,
        /// Its first entry.
        first: u64,
        /// Its last entry.
        last: u64,
    },
    /// A segment is gone.
    SegmentMissing {
        /// The segment.
        segment: u64,
    },
    /// A checkpoint is not signed by the key that signs there.
    Signature {
        /// The segment.
        segment: u64,
        /// The fingerprint of the key.
        key: String,
    },
    /// An entry is there, and no segment is that has it.
    Stray {
        /// The entry.
        entry: i64,
    },
    /// An entry is not to be understood.
    Unreadable {
        /// The entry.
        entry: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A verifier that is none.
    Verifier(NoteError),
}

/// A window of which the sums do not agree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Balance {
    /// The window.
    pub window: Window,
    /// Whose.
    pub tenant: String,
    /// What was counted: cookies of requests, of responses, added; or agreements.
    pub figure: &'static str,
    /// What the heartbeats say.
    pub seen: u64,
    /// What the entries say, with what was dropped.
    pub told: u64,
}

impl Balance {
    /// The first figure that differs.
    pub(super) fn of(window: Window, tenant: String, seen: Figures, told: Figures) -> Self {
        let figures = [
            ("cookies of requests", seen.request, told.request),
            ("cookies of responses", seen.response, told.response),
            ("cookies of additions", seen.added, told.added),
            ("agreements", seen.agreements, told.agreements),
        ];
        let differs = figures.into_iter().find(|(_, seen, told)| seen != told);
        let (figure, seen, told) = differs.unwrap_or_default();
        Self { window, tenant, figure, seen, told }
    }
}

impl Finding {
    /// One word for programs.
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
            Self::PrunedUntold { .. } => "pruned",
            Self::Reordered { .. } => "reordered",
            Self::SegmentMissing { .. } => "segment missing",
            Self::Signature { .. } => "signature",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The segment that it is about.
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
            | Self::PrunedUntold { segment }
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

    /// The entry that it is about: the first, where it can't be told which of several.
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
            | Self::PrunedUntold { .. }
            | Self::SegmentMissing { .. }
            | Self::Signature { .. }
            | Self::Verifier(_) => None,
        }
    }

    /// The segment that its root does not fit, without naming an entry.
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
                "segment {segment}: the checkpoint that was kept elsewhere is another one than the one here: \
                 this history was written anew, or it is another ledger's"
            ),
            Self::AnchorBeyond { segment, last } => write!(
                f,
                "segment {segment} is missing: its checkpoint was kept elsewhere, and here the last segment is {last}: \
                 the end was cut off"
            ),
            Self::Balance(balance) => write!(
                f,
                "window {} of {:?}: the heartbeat has {} {}, and its entries with those that were dropped come to {}",
                rfc3339(balance.window.start_unix_s),
                balance.tenant,
                balance.seen,
                balance.figure,
                balance.told
            ),
            Self::Block { segment, first, last } => write!(
                f,
                "segment {segment}: one of the entries {first} to {last} is not what was sealed; its mark was changed \
                 too, so it can't be told which"
            ),
            Self::Changed { segment, entry } => {
                write!(f, "segment {segment}: entry {entry} was changed: it is not what was sealed")
            }
            Self::Checkpoint { segment, error } => {
                write!(f, "segment {segment}: its checkpoint is damaged: {error}")
            }
            Self::Columns { segment } => write!(
                f,
                "segment {segment}: its row has other numbers than the checkpoint that was signed"
            ),
            Self::Copy { member, line } => write!(
                f,
                "{member}, line {line}: it does not say what entries.ndjson says (the entries themselves fit)"
            ),
            Self::Declaration { hash } => {
                write!(f, "the declaration {hash} was changed: its SHA-256 is another one")
            }
            Self::File { behind: 0, problem } => write!(f, "{problem}"),
            Self::File { behind, problem } => write!(f, "behind entry {behind}: {problem}"),
            Self::Gap { entry, from_unix_s, until_unix_s } => write!(
                f,
                "entry {entry}: no heartbeat of the gateway from {} to {}, and no event says that it was stopped",
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
                "segment {segment}: entry {entry} was inserted: no such entry was sealed there"
            ),
            Self::Inserted { segment, entry, moved_to: Some(moved_to) } => write!(
                f,
                "segment {segment}: entry {entry} was inserted: what was sealed there is now entry {moved_to}"
            ),
            Self::Keys { segment } => write!(
                f,
                "the list of keys is not what the checkpoints say, from segment {segment} on: a key was swapped"
            ),
            Self::KeyUnknown { expected, found } => write!(
                f,
                "no checkpoint is signed by the key {expected}, but by {}: another ledger, or all of it was signed anew",
                found.join(", ")
            ),
            Self::Missing { segment, entry } => {
                write!(f, "segment {segment}: entry {entry} is missing: it was sealed, and removed")
            }
            Self::Outline { segment } => write!(
                f,
                "segment {segment}: its outline was changed; its entries are what was sealed"
            ),
            Self::Page { hash } => {
                write!(f, "the page {hash} was changed: its SHA-256 is another one")
            }
            Self::PageMissing { hash } => {
                write!(f, "the page {hash} is missing: entries say that it was shown")
            }
            Self::PageUnnamed { hash } => {
                write!(f, "the page {hash} was inserted: no entry names it")
            }
            Self::Previous { segment } => write!(
                f,
                "segment {segment}: its checkpoint follows another one than that of segment {}: one of them was \
                 exchanged",
                segment.saturating_sub(1)
            ),
            Self::Proof { segment, entry } => write!(
                f,
                "segment {segment}: entry {entry} was changed, or its proof: they do not lead to the signed root"
            ),
            Self::PrunedUntold { segment } => write!(
                f,
                "segment {segment}: its entries are gone, and no event says that they were pruned: they were cut out"
            ),
            Self::Reordered { segment, entry, holds } => write!(
                f,
                "segment {segment}: entry {entry} was reordered: what stands there was sealed as entry {holds}"
            ),
            Self::Segment { segment, first, last } => write!(
                f,
                "segment {segment}: its entries {first} to {last} do not fit the signed root, and what would name the \
                 one that does not was changed or removed too"
            ),
            Self::SegmentMissing { segment } => {
                write!(f, "segment {segment} is missing: it was cut out")
            }
            Self::Signature { segment, key } => write!(
                f,
                "segment {segment}: its checkpoint is not signed by the key that signs there (fingerprint {key}): the \
                 checkpoint was changed, or the key swapped"
            ),
            Self::Stray { entry } => {
                write!(f, "entry {entry} was inserted: no segment has it, and it is not new")
            }
            Self::Unreadable { entry, what } => {
                write!(f, "entry {entry} was changed or damaged: {what}")
            }
            Self::Verifier(error) => write!(f, "the list of keys is damaged: {error}"),
        }
    }
}
