//! Verifies the state file of a gateway, running or stopped.

use std::path::Path;

use rusqlite::ErrorCode;

use super::{
    super::{
        checkpoint::Checkpoint,
        entry::{Entry, Segment},
        line::LineWriter,
        merkle::{Hash, has_hash},
        outline::Outline,
        progress::Progress,
        read::{ReadError, Reader},
    },
    chain::Chain,
    expected::Expected,
    finding::Finding,
    pages::PageCheck,
    segment::{Misfit, SegmentCheck, name_change},
    totals::Totals,
    verification::Verification,
};

/// Verifies a ledger in its present state. The inner error is the first defect. Each entry is a
/// step of `progress`.
///
/// # Errors
///
/// Fails where the file is absent, belongs to another program or can't be opened.
pub fn verify_ledger(
    path: &Path,
    expected: &Expected,
    progress: &Progress,
) -> Result<Result<Verification, Finding>, ReadError> {
    let opened = Reader::open(path).map_err(Stop::from);
    match opened.and_then(|reader| verify(&reader.counted_by(progress), expected)) {
        Ok(verification) => Ok(Ok(verification)),
        Err(Stop::Finding(finding)) => Ok(Err(*finding)),
        Err(Stop::Read(error)) => Err(error),
    }
}

/// A reason why a verification ends early.
enum Stop {
    Finding(Box<Finding>),
    Read(ReadError),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Finding(Box::new(finding))
    }
}

impl From<ReadError> for Stop {
    /// Unreadable content is a finding, not a failure of the verification.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Entry { seq, what, .. } => {
                Finding::Unreadable { entry: seq, what: what.to_owned() }.into()
            }
            ReadError::Sqlite { ref error, .. } if is_damage(error) => {
                let problem = format!("the file is cut or damaged: {error}");
                Finding::File { behind: 0, problem }.into()
            }
            ReadError::Absent { .. } | ReadError::Schema { .. } | ReadError::Sqlite { .. } => {
                Self::Read(error)
            }
        }
    }
}

/// Returns true if SQLite reports damaged content, and not an obstacle to reading it.
fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
        )
    )
}

fn verify(reader: &Reader, expected: &Expected) -> Result<Verification, Stop> {
    let segments = reader.segments()?;
    let keys = reader.keys()?;
    reader.expect_all();
    if keys.is_empty() && segments.is_empty() {
        return unsigned(reader, expected);
    }
    let mut chain = Chain::new(keys, expected)?;
    let mut walk = Walk { reader, totals: Totals::default(), entries: 0, present: 0, last: 0 };
    for segment in &segments {
        let checkpoint = chain.link(&segment.checkpoint)?;
        let fits = (segment.number, segment.first, segment.last)
            == (checkpoint.segment, checkpoint.first, checkpoint.last);
        if !fits {
            return Err(Finding::Columns { segment: checkpoint.segment }.into());
        }
        walk.segment(segment, &checkpoint).map_err(|stop| walk.place(stop))?;
    }
    let unsigned = walk.unsigned().map_err(|stop| walk.place(stop))?;
    if let Some(stray) = reader.first()?.filter(|first| *first < 1) {
        return Err(Finding::Stray { entry: stray }.into());
    }
    let unrecorded = segments
        .iter()
        .rev()
        .find(|segment| segment.pruned_unix_s.is_some() && segment.number > walk.totals.pruned());
    if let Some(segment) = unrecorded {
        return Err(Finding::PrunedUnrecorded { segment: segment.number }.into());
    }
    for declaration in reader.declarations()? {
        if !has_hash(declaration.json.as_bytes(), &declaration.hash) {
            return Err(Finding::Declaration { hash: declaration.hash }.into());
        }
    }
    walk.pages()?;
    let ledger = chain.ledger().to_owned();
    let followed = chain.end()?;
    let closed_unix_s = followed.last.as_ref().map_or(0, |last| last.closed_unix_s);
    walk.totals.close(closed_unix_s, reader.texts())?;
    Ok(Verification {
        ledger,
        tenant: None,
        segments: segments.len() as u64,
        present: walk.present,
        entries: walk.entries,
        unsigned,
        newest: followed.last,
        keys: followed.keys,
        anchors: followed.anchors,
    })
}

/// A ledger without a closed segment has nothing to verify, unless a key or a checkpoint is
/// expected.
fn unsigned(reader: &Reader, expected: &Expected) -> Result<Verification, Stop> {
    if let Some(anchor) = expected.anchors.first() {
        return Err(Finding::AnchorBeyond { segment: anchor.segment, last: 0 }.into());
    }
    if let Some(key) = &expected.key {
        return Err(Finding::KeyUnknown { expected: key.to_string(), found: Vec::new() }.into());
    }
    let mut walk = Walk { reader, totals: Totals::default(), entries: 0, present: 0, last: 0 };
    let unsigned = walk.unsigned()?;
    walk.pages()?;
    Ok(Verification {
        ledger: String::new(),
        tenant: None,
        segments: 0,
        present: 0,
        entries: 0,
        unsigned,
        newest: None,
        keys: Vec::new(),
        anchors: 0,
    })
}

/// The state of the pass over the entries.
struct Walk<'r> {
    reader: &'r Reader,
    totals: Totals,
    entries: u64,
    present: u64,
    /// The number of the last entry that was read.
    last: u64,
}

impl Walk<'_> {
    fn segment(&mut self, segment: &Segment, checkpoint: &Checkpoint) -> Result<(), Stop> {
        if segment.pruned_unix_s.is_some() {
            self.totals.skip(checkpoint.closed_unix_s);
            return self.reader.entries(segment.first, segment.last, |seq, _| {
                let segment = segment.number;
                Err(Finding::Inserted { segment, entry: seq, moved_to: None }.into())
            });
        }
        let outline = self.reader.outline(segment.number)?;
        let lines = LineWriter::new(self.reader.texts(), &segment.secret);
        let mut check = SegmentCheck::new(checkpoint, outline.as_deref());
        let mut line = Vec::new();
        let mut misfit = None;
        let walked = self.reader.entries(segment.first, segment.last, |seq, entry| {
            let leaf = lines.leaf(seq, &entry, &mut line);
            if let Err(found) = check.push(seq, leaf) {
                misfit = Some(found);
                return Err(Finding::whole(checkpoint).into());
            }
            self.last = seq;
            // The content of a changed entry is not checked.
            if check.is_in_doubt() {
                return Ok(());
            }
            self.totals.enter(seq, &entry, self.reader.texts()).map_err(Stop::from)
        });
        if misfit.is_none() {
            walked?;
        }
        let fits = misfit.map_or_else(|| check.finish(), Err);
        if let Err(misfit) = fits {
            return Err(self.name(misfit, segment, checkpoint, outline.as_deref())?.into());
        }
        self.entries += checkpoint.size();
        self.present += 1;
        Ok(())
    }

    /// Turns a misfit into a finding, after reading the segment again.
    fn name(
        &self,
        misfit: Misfit,
        segment: &Segment,
        checkpoint: &Checkpoint,
        outline: Option<&[u8]>,
    ) -> Result<Finding, Stop> {
        let outline = outline.and_then(|bytes| Outline::of_bytes(bytes, checkpoint.size()));
        let (Misfit::Changed(seq), Some(outline)) = (misfit, outline) else {
            return Ok(misfit.finding(checkpoint));
        };
        let mut entries: Vec<(u64, Entry)> = Vec::new();
        self.reader.entries(segment.first, segment.last.saturating_add(1), |seq, entry| {
            entries.push((seq, entry));
            Ok::<_, Stop>(())
        })?;
        let lines = LineWriter::new(self.reader.texts(), &segment.secret);
        let mut line = Vec::new();
        let leaf = |seq: u64, entry: &Entry| -> Hash { lines.leaf(seq, entry, &mut line) };
        Ok(name_change(checkpoint, &outline.marks, &entries, seq, leaf))
    }

    /// Reads and counts the entries that are not signed yet.
    fn unsigned(&mut self) -> Result<u64, Stop> {
        let (first, mut count) = (self.reader.last_signed()?.saturating_add(1), 0);
        self.reader.entries(first, u64::MAX, |seq, entry| {
            self.last = seq;
            count += 1;
            self.totals.enter(seq, &entry, self.reader.texts()).map_err(Stop::from)
        })?;
        Ok(count)
    }

    /// Checks the pages that entries name.
    fn pages(&self) -> Result<(), Stop> {
        let mut check = PageCheck::new(self.totals.pages(self.reader.texts()));
        self.reader.pages(|hash, html| check.meet(hash, html).map_err(Stop::from))?;
        Ok(check.end()?)
    }

    /// Notes the last entry that could be read.
    fn place(&self, stop: Stop) -> Stop {
        let Stop::Finding(finding) = stop else { return stop };
        match *finding {
            Finding::File { problem, .. } => Finding::File { behind: self.last, problem }.into(),
            other => other.into(),
        }
    }
}
