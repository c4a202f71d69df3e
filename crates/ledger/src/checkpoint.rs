//! The signed text of a closed segment: C2SP's checkpoint (<https://c2sp.org/tlog-checkpoint>).
//!
//! ```text
//! crumbgate/ledger/8e1f0a77c2d94b35/segment/12      the ledger and the segment: each segment is a tree
//! 300                                               the number of its entries
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      the root of their tree
//! entries 3301-3600                                 the entries' numbers
//! previous 7I+aWm0FzrLq…=                           SHA-256 of the previous checkpoint's text, or `none`
//! closed 2026-11-23T10:00:00Z                       the moment of closing
//! next-key crumbgate/ledger/8e1f0a77c2d94b35+…      only where another key signs from the next segment on
//! ```
//!
//! `previous` chains the checkpoints: one checkpoint that is kept elsewhere proves every entry up
//! to its last. `next-key` chains the keys, even after the entries that recorded a rotation were
//! pruned.

use std::fmt::Write;

use super::{
    merkle::{Hash, sha256},
    note::{NoteError, SignedNote, Verifier, base64, hash_of_base64},
};
use crumbgate_base::text::{rfc3339, unix_s_of};

/// The signed end of a segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The name of the ledger, which is the name of its keys.
    pub ledger: String,
    /// The segment's number, from 1.
    pub segment: u64,
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The root of the tree of its entries' lines.
    pub root: Hash,
    /// The SHA-256 of the previous checkpoint's text.
    pub previous: Option<Hash>,
    /// The moment at which it was closed, in seconds since the Unix epoch.
    pub closed_unix_s: u64,
    /// The key that signs from the next segment on, where it changes.
    pub next_key: Option<Verifier>,
}

/// A reason why a text is not a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It is a signed note of another kind.
    #[error("it is a signed note, but not a checkpoint of a ledger")]
    NoCheckpoint,
}

impl Checkpoint {
    /// The text to sign. A checkpoint has exactly one.
    pub fn text(&self) -> String {
        let Self { ledger, segment, first, last, .. } = self;
        let previous = self.previous.as_ref().map_or_else(|| NONE.to_owned(), base64);
        let mut text = format!(
            "{ledger}{SEGMENT}{segment}\n{}\n{}\nentries {first}-{last}\nprevious {previous}\nclosed {}\n",
            self.size(),
            base64(&self.root),
            rfc3339(self.closed_unix_s),
        );
        if let Some(next) = &self.next_key {
            // Writing to a string never fails.
            let _ = writeln!(text, "next-key {next}");
        }
        text
    }

    /// The number of entries of the segment.
    pub fn size(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The hash to which the next checkpoint's `previous` refers.
    pub fn hash(&self) -> Hash {
        sha256(self.text().as_bytes())
    }

    /// Reads the text of a note. Rejects every form but the one of [`Checkpoint::text`].
    pub fn parse(note: &SignedNote<'_>) -> Result<Self, CheckpointError> {
        let checkpoint = Self::read(note.text).ok_or(CheckpointError::NoCheckpoint)?;
        let is_the_form = checkpoint.first <= checkpoint.last && checkpoint.text() == note.text;
        is_the_form.then_some(checkpoint).ok_or(CheckpointError::NoCheckpoint)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (ledger, segment) = lines.next()?.rsplit_once(SEGMENT)?;
        let _size = lines.next()?;
        let root = hash_of_base64(lines.next()?)?;
        let (first, last) = lines.next()?.strip_prefix("entries ")?.split_once('-')?;
        let previous = match lines.next()?.strip_prefix("previous ")? {
            NONE => None,
            hash => Some(hash_of_base64(hash)?),
        };
        let closed_unix_s = unix_s_of(lines.next()?.strip_prefix("closed ")?)?;
        let next_key = match lines.next() {
            Some(line) => Some(line.strip_prefix("next-key ")?.parse().ok()?),
            None => None,
        };
        Some(Self {
            ledger: ledger.to_owned(),
            segment: segment.parse().ok()?,
            first: first.parse().ok()?,
            last: last.parse().ok()?,
            root,
            previous,
            closed_unix_s,
            next_key,
        })
    }
}

const SEGMENT: &str = "/segment/";
const NONE: &str = "none";

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            ledger: "crumbgate/ledger/8e1f0a77c2d94b35".to_owned(),
            segment: 12,
            first: 3301,
            last: 3600,
            root: [1; 32],
            previous: None,
            closed_unix_s: 1_795_428_000,
            next_key: None,
        }
    }

    fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let note = format!("{text}\n\u{2014} a AAAAAAAA\n");
        Checkpoint::parse(&SignedNote::parse(&note).unwrap())
    }

    #[test]
    fn a_checkpoint_has_one_form() {
        let first = checkpoint();
        assert_eq!(
            first.text(),
            "crumbgate/ledger/8e1f0a77c2d94b35/segment/12\n\
             300\n\
             AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\
             entries 3301-3600\n\
             previous none\n\
             closed 2026-11-23T10:00:00Z\n"
        );
        assert_eq!(parse(&first.text()), Ok(first.clone()));
        let next_key = Verifier::new(&first.ledger, [2; 32]);
        let rotating = Checkpoint { previous: Some(first.hash()), next_key, ..first };
        assert!(rotating.text().contains("\nnext-key crumbgate/ledger/8e1f0a77c2d94b35+"));
        assert_eq!(parse(&rotating.text()), Ok(rotating));
    }

    #[test]
    fn any_other_form_is_refused() {
        let text = checkpoint().text();
        for (from, to) in [
            ("\n300\n", "\n301\n"),
            ("\n300\n", "\n0300\n"),
            ("segment/12", "segment/012"),
            ("segment/12", "segment/+12"),
            ("/segment/12", ""),
            ("3301-3600", "3301 - 3600"),
            ("3301-3600", "3602-3601"),
            ("previous none", "previous AAAA"),
            ("previous none\n", ""),
            ("10:00:00Z", "10:00:00+00:00"),
            ("closed 2026", "closed 2O26"),
            ("AQE=\n", "AQE\n"),
            ("closed ", "extra\nclosed "),
            ("00Z\n", "00Z\nnext-key none\n"),
            ("00Z\n", "00Z\nmore\n"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(text, other);
            assert_eq!(parse(&other), Err(CheckpointError::NoCheckpoint), "{other}");
        }
    }
}
