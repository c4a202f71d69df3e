//! The chain of checkpoints: each is signed by the key in force, and each refers to the one before
//! it.

use super::{
    super::{
        checkpoint::{Checkpoint, CheckpointError},
        entry::SigningKey,
        note::{SignedNote, Verifier},
    },
    expected::Expected,
    finding::Finding,
};

/// A chain that is being followed.
pub(super) struct Chain<'e> {
    expected: &'e Expected,
    /// The key that signs the next checkpoint.
    key: Verifier,
    /// Keys that the ledger lists and that have not been met yet.
    listed: std::vec::IntoIter<SigningKey>,
    /// Keys that have signed so far.
    signed: Vec<Verifier>,
    last: Option<Checkpoint>,
    anchors_met: u64,
}

impl<'e> Chain<'e> {
    /// Begins a chain that these keys are supposed to have signed.
    pub(super) fn new(keys: Vec<SigningKey>, expected: &'e Expected) -> Result<Self, Finding> {
        let mut listed = keys.into_iter();
        let first = listed.next().filter(|key| key.since_segment == 1);
        let first = first.ok_or(Finding::Keys { segment: 1 })?;
        let key = first.verifier.parse().map_err(Finding::Verifier)?;
        Ok(Self { expected, key, listed, signed: Vec::new(), last: None, anchors_met: 0 })
    }

    /// Follows the chain by one checkpoint.
    pub(super) fn link(&mut self, note: &str) -> Result<Checkpoint, Finding> {
        let segment = self.last.as_ref().map_or(1, |last| last.segment.saturating_add(1));
        let malformed = |error: CheckpointError| Finding::Checkpoint { segment, error };
        let note = SignedNote::parse(note).map_err(|error| malformed(error.into()))?;
        let checkpoint = Checkpoint::parse(&note).map_err(malformed)?;
        if checkpoint.segment != segment {
            return Err(Finding::SegmentMissing { segment });
        }
        if !self.key.verifies(&note) || checkpoint.ledger != self.key.name() {
            return Err(Finding::Signature { segment, key: self.key.fingerprint() });
        }
        let next_entry = self.last.as_ref().map_or(1, |last| last.last.saturating_add(1));
        let follows = checkpoint.first == next_entry
            && checkpoint.previous == self.last.as_ref().map(Checkpoint::hash);
        if !follows {
            return Err(Finding::Previous { segment });
        }
        for anchor in self.expected.anchors.iter().filter(|anchor| anchor.segment == segment) {
            if *anchor != checkpoint {
                return Err(Finding::Anchor { segment });
            }
            self.anchors_met += 1;
        }
        if self.signed.last() != Some(&self.key) {
            self.signed.push(self.key.clone());
        }
        if let Some(next) = &checkpoint.next_key {
            let listed = self
                .listed
                .next()
                .filter(|key| key.since_segment == segment + 1 && key.verifier == next.to_string());
            listed.ok_or(Finding::Keys { segment: segment + 1 })?;
            self.key = next.clone();
        }
        self.last = Some(checkpoint.clone());
        Ok(checkpoint)
    }

    /// Ends the chain, and checks that it contains everything expected.
    pub(super) fn end(mut self) -> Result<Followed, Finding> {
        if let Some(key) = self.listed.next() {
            return Err(Finding::Keys { segment: key.since_segment });
        }
        let last = self.last.as_ref().map_or(0, |last| last.segment);
        if let Some(anchor) = self.expected.anchors.iter().find(|anchor| anchor.segment > last) {
            return Err(Finding::AnchorBeyond { segment: anchor.segment, last });
        }
        if let Some(pinned) = &self.expected.key
            && !self.signed.iter().any(|key| pinned.is(key))
        {
            let found = self.signed.iter().map(Verifier::fingerprint).collect();
            return Err(Finding::KeyUnknown { expected: pinned.to_string(), found });
        }
        Ok(Followed { keys: self.signed, last: self.last, anchors: self.anchors_met })
    }

    /// The name of the ledger.
    pub(super) fn ledger(&self) -> &str {
        self.key.name()
    }
}

/// A chain that was followed to its end.
pub(super) struct Followed {
    /// The keys that have signed, in order.
    pub(super) keys: Vec<Verifier>,
    /// The newest checkpoint.
    pub(super) last: Option<Checkpoint>,
    /// The number of checkpoints in it that were kept elsewhere.
    pub(super) anchors: u64,
}
