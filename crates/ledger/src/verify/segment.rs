//! Checks the entries of a segment against its signed root, and finds the first that does not fit.

use super::{
    super::{
        checkpoint::Checkpoint,
        entry::Entry,
        merkle::Hash,
        outline::{BLOCK, Mark, Outline, OutlineBuilder, mark},
    },
    finding::Finding,
};

/// A comparison of a segment's leaves with its outline, one after another.
pub(super) struct SegmentCheck<'c> {
    checkpoint: &'c Checkpoint,
    /// The outline. `None` where it is missing, or does not fit the root itself.
    outline: Option<Outline>,
    outline_is_lost: bool,
    leaves: OutlineBuilder,
    /// The first entry whose mark differs.
    suspect: Option<u64>,
}

/// A place where the entries of a segment do not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Misfit {
    /// This entry differs from the signed one.
    Changed(u64),
    /// This entry was signed and is missing.
    Missing(u64),
    /// This number occurs twice, or too late.
    Surplus(u64),
    /// One entry of the block that begins with this one.
    InBlock(u64),
    /// Some entry of the segment.
    Somewhere,
    /// No entry: only the outline was changed.
    OutlineAlone,
}

impl<'c> SegmentCheck<'c> {
    /// Begins the check of a segment.
    pub(super) fn new(checkpoint: &'c Checkpoint, outline: Option<&[u8]>) -> Self {
        let outline = outline.and_then(|bytes| Outline::of_bytes(bytes, checkpoint.size()));
        let outline = outline.filter(|outline| outline.root() == checkpoint.root);
        Self {
            checkpoint,
            outline_is_lost: outline.is_none(),
            outline,
            leaves: OutlineBuilder::default(),
            suspect: None,
        }
    }

    /// Adds the next entry's leaf.
    pub(super) fn push(&mut self, seq: u64, leaf: Hash) -> Result<(), Misfit> {
        let expected = self.expected();
        if seq > expected {
            return Err(self.suspect.map_or(Misfit::Missing(expected), Misfit::Changed));
        }
        if seq < expected {
            return Err(self.suspect.map_or(Misfit::Surplus(seq), Misfit::Changed));
        }
        let index = usize::try_from(self.leaves.size()).unwrap_or(usize::MAX);
        let block = self.leaves.push(leaf);
        let Some(outline) = &self.outline else { return Ok(()) };
        if outline.marks.get(index) != Some(&mark(&leaf)) {
            self.suspect = self.suspect.or(Some(seq));
        }
        match block {
            Some(root) => self.compare_block(index / BLOCK, root),
            None => Ok(()),
        }
    }

    /// Returns true if an entry's mark differs. The end of its block decides whether the entry does.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.suspect.is_some()
    }

    /// Ends the segment after its last entry.
    pub(super) fn finish(mut self) -> Result<(), Misfit> {
        let expected = self.expected();
        if expected <= self.checkpoint.last {
            return Err(self.suspect.map_or(Misfit::Missing(expected), Misfit::Changed));
        }
        let (root, built) = std::mem::take(&mut self.leaves).finish();
        if root == self.checkpoint.root {
            let is_whole = !self.outline_is_lost && self.suspect.is_none();
            return if is_whole { Ok(()) } else { Err(Misfit::OutlineAlone) };
        }
        if self.outline.is_some()
            && let Some(last) = built.blocks.len().checked_sub(1)
        {
            self.compare_block(last, built.blocks[last])?;
        }
        Err(Misfit::Somewhere)
    }

    /// The number of the next entry.
    fn expected(&self) -> u64 {
        self.checkpoint.first.saturating_add(self.leaves.size())
    }

    fn compare_block(&self, block: usize, root: Hash) -> Result<(), Misfit> {
        let signed = self.outline.as_ref().and_then(|outline| outline.blocks.get(block));
        if signed == Some(&root) {
            return Ok(());
        }
        let first = self.checkpoint.first.saturating_add((block * BLOCK) as u64);
        match self.suspect {
            Some(seq) if seq >= first => Err(Misfit::Changed(seq)),
            _ => Err(Misfit::InBlock(first)),
        }
    }
}

impl Misfit {
    /// The finding, as far as the place alone determines it.
    pub(super) fn finding(self, checkpoint: &Checkpoint) -> Finding {
        let segment = checkpoint.segment;
        match self {
            Self::Changed(entry) => Finding::Changed { segment, entry },
            Self::Missing(entry) => Finding::Missing { segment, entry },
            Self::Surplus(entry) => Finding::Inserted { segment, entry, moved_to: None },
            Self::InBlock(first) => {
                let last = first.saturating_add(BLOCK as u64 - 1).min(checkpoint.last);
                Finding::Block { segment, first, last }
            }
            Self::Somewhere => Finding::whole(checkpoint),
            Self::OutlineAlone => Finding::Outline { segment },
        }
    }
}

/// Finds out what was done with an entry that does not fit: changed, exchanged with another,
/// removed with the later ones moved up, or preceded by an inserted one.
///
/// `entries` are the entries that now have the segment's numbers, and a few later ones. `leaf`
/// computes the leaf of an entry under a number.
pub(super) fn name_change(
    checkpoint: &Checkpoint,
    marks: &[Mark],
    entries: &[(u64, Entry)],
    entry: u64,
    mut leaf: impl FnMut(u64, &Entry) -> Hash,
) -> Finding {
    let segment = checkpoint.segment;
    let signed = |seq: u64| {
        let index = usize::try_from(seq.checked_sub(checkpoint.first)?).ok()?;
        marks.get(index).copied()
    };
    let here = entries.iter().find(|(seq, _)| *seq == entry).map(|(_, entry)| entry);
    let holds = here.and_then(|here| {
        (checkpoint.first..=checkpoint.last)
            .find(|seq| *seq != entry && signed(*seq) == Some(mark(&leaf(*seq, here))))
    });
    let moved_to = entries
        .iter()
        .find(|(seq, other)| *seq != entry && signed(entry) == Some(mark(&leaf(entry, other))))
        .map(|(seq, _)| *seq);
    match (holds, moved_to) {
        (Some(holds), Some(_)) => Finding::Reordered { segment, entry, holds },
        (Some(_), None) => Finding::Missing { segment, entry },
        (None, Some(_)) => Finding::Inserted { segment, entry, moved_to },
        (None, None) => Finding::Changed { segment, entry },
    }
}
