//! Exports a ledger, or one tenant's part of it, as a bundle: a zip archive that can be verified on
//! its own.
//!
//! The same ledger and selection produce the same bytes. A bundle is written to a temporary file
//! and renamed when it is complete.

pub(super) mod bundle;
pub(super) mod edpb;
pub(super) mod table;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use tempfile::NamedTempFile;
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

use self::{
    bundle::{DeclarationLine, Format, Manifest, OutlineLine, ProofLine},
    table::Table,
};
use super::{
    checkpoint::{Checkpoint, CheckpointError},
    entry::{Entry, Segment, TextId},
    line::LineWriter,
    merkle::WholeTree,
    note::{SignedNote, base64},
    read::{ReadError, Reader},
};
use crumbgate_base::text::rfc3339;

/// The selection to export.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The tenant whose entries are exported; `None` exports all entries.
    pub tenant: Option<String>,
    /// The earliest closing of a segment, in seconds since the Unix epoch.
    pub since_unix_s: Option<u64>,
    /// The exclusive latest start of a segment, likewise.
    pub until_unix_s: Option<u64>,
}

/// The result of an export.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exported {
    /// The number of entries.
    pub entries: u64,
    /// The number of segments.
    pub segments: u64,
}

/// A reason why no bundle was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A checkpoint can't be read.
    #[error("the checkpoint of segment {segment} is damaged; `crumbgate audit verify` has details")]
    Checkpoint {
        /// The segment.
        segment: u64,
        /// The defect.
        #[source]
        source: CheckpointError,
    },
    /// The file exists.
    #[error("{} exists and is not replaced without --overwrite", .path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// No segment is closed in the period.
    #[error(
        "no segment with entries was closed in this period: segments are closed every hour and when the gateway stops, \
         and their entries are removed after audit.retention"
    )]
    Nothing,
    /// The ledger can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger has no such tenant.
    #[error(
        "the ledger has no tenant {tenant:?}; expected its name in the configuration: a host, `*.suffix` or `(default)`"
    )]
    Tenant {
        /// The requested name.
        tenant: String,
    },
    /// The bundle can't be written.
    #[error("{} can't be written; check that its folder is writable and has room", .path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// Writes the bundle of a selection to `path`. Replaces an existing file only with `overwrite`, and
/// never the ledger itself.
pub fn export(
    reader: &Reader,
    selection: &Selection,
    path: &Path,
    overwrite: bool,
) -> Result<Exported, ExportError> {
    let is_ledger = path
        .canonicalize()
        .ok()
        .is_some_and(|path| reader.path().canonicalize().is_ok_and(|ledger| ledger == path));
    if is_ledger || (!overwrite && path.exists()) {
        return Err(ExportError::Exists { path: path.to_owned() });
    }
    let written = |source| ExportError::Write { path: path.to_owned(), source };
    let contents = Contents::select(reader, selection)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let aside = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(written)?;
    let mut zip = Zip::new(aside.reopen().map_err(written)?);
    let exported = match contents.write(&mut zip) {
        Err(Failure::Read(error)) => return Err(error.into()),
        Err(Failure::Write(error)) => return Err(written(error)),
        Ok(exported) => exported,
    };
    zip.end().map_err(written)?;
    let persisted = if overwrite { aside.persist(path) } else { aside.persist_noclobber(path) };
    persisted.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists { path: path.to_owned() },
        _ => written(error.error),
    })?;
    Ok(exported)
}

/// The content of a bundle.
struct Contents<'r> {
    reader: &'r Reader,
    selection: &'r Selection,
    tenant: Option<TextId>,
    ledger: String,
    /// Every segment: its checkpoint is exported.
    segments: Vec<Segment>,
    /// The segments whose entries are exported.
    chosen: Vec<Checkpoint>,
}

impl<'r> Contents<'r> {
    fn select(reader: &'r Reader, selection: &'r Selection) -> Result<Self, ExportError> {
        let find = |tenant: &String| {
            let id = reader.texts().find(tenant);
            id.ok_or_else(|| ExportError::Tenant { tenant: tenant.clone() })
        };
        let tenant = selection.tenant.as_ref().map(find).transpose()?;
        let segments = reader.segments()?;
        let checkpoints = segments.iter().map(checkpoint_of).collect::<Result<Vec<_>, _>>()?;
        let ledger = checkpoints.last().ok_or(ExportError::Nothing)?.ledger.clone();
        let mut chosen = Vec::new();
        let mut before = None;
        for (segment, checkpoint) in segments.iter().zip(&checkpoints) {
            let Selection { since_unix_s, until_unix_s, .. } = *selection;
            let is_in = bundle::overlaps(checkpoint, before, since_unix_s, until_unix_s);
            if is_in && segment.pruned_unix_s.is_none() {
                chosen.push(checkpoint.clone());
            }
            before = Some(checkpoint);
        }
        if chosen.is_empty() {
            return Err(ExportError::Nothing);
        }
        Ok(Self { reader, selection, tenant, ledger, segments, chosen })
    }

    fn write(&self, zip: &mut Zip) -> Result<Exported, Failure> {
        let is_tenant = self.tenant.is_some();
        let entries: u64 = self.chosen.iter().map(Checkpoint::size).sum();
        // The entries are read for the lines and for the table, and in a tenant's bundle also for
        // the proofs.
        self.reader.expect(entries.saturating_mul(if is_tenant { 3 } else { 2 }));
        zip.text(bundle::GUIDE, &guide(is_tenant))?;
        zip.text(bundle::SCRIPT, include_str!("verify.py"))?;
        self.write_keys(zip)?;
        self.write_checkpoints(zip)?;
        let (entries, pages) = self.write_entries(zip)?;
        self.write_manifest(zip, entries)?;
        if is_tenant {
            self.write_proofs(zip)?;
        } else {
            self.write_outlines(zip)?;
        }
        self.write_table(zip)?;
        self.write_declarations(zip)?;
        self.write_pages(zip, &pages)?;
        Ok(Exported { entries, segments: self.chosen.len() as u64 })
    }

    fn write_keys(&self, zip: &mut Zip) -> Result<(), Failure> {
        zip.begin(bundle::KEYS)?;
        for key in self.reader.keys()? {
            writeln!(zip, "{} {}", key.since_segment, key.verifier)?;
        }
        Ok(())
    }

    fn write_checkpoints(&self, zip: &mut Zip) -> Result<(), Failure> {
        zip.begin(bundle::CHECKPOINTS)?;
        for segment in &self.segments {
            writeln!(zip, "{}", segment.checkpoint)?;
        }
        Ok(())
    }

    /// Writes the entries. Returns their number, and the hashes of the pages that they name.
    fn write_entries(&self, zip: &mut Zip) -> Result<(u64, BTreeSet<&str>), Failure> {
        zip.begin(bundle::ENTRIES)?;
        let (mut line, mut count, mut pages) = (Vec::new(), 0, BTreeSet::new());
        self.each(|lines, seq, entry| {
            line.clear();
            lines.write(seq, entry, &mut line);
            line.push(b'\n');
            count += 1;
            if let Entry::Agreement(agreement) = entry {
                pages.insert(self.reader.texts().get(agreement.page));
            }
            Ok(zip.write_all(&line)?)
        })?;
        Ok((count, pages))
    }

    fn write_manifest(&self, zip: &mut Zip, entries: u64) -> Result<(), Failure> {
        let mut segments: Vec<[u64; 2]> = Vec::new();
        for number in self.chosen.iter().map(|checkpoint| checkpoint.segment) {
            match segments.last_mut() {
                Some([_, last]) if *last + 1 == number => *last = number,
                _ => segments.push([number, number]),
            }
        }
        zip.json(
            bundle::MANIFEST,
            &Manifest {
                format: Format::Current.word().to_owned(),
                ledger: self.ledger.clone(),
                tenant: self.selection.tenant.clone(),
                since: self.selection.since_unix_s.map(rfc3339),
                until: self.selection.until_unix_s.map(rfc3339),
                segments,
                entries,
            },
        )
    }

    fn write_outlines(&self, zip: &mut Zip) -> Result<(), Failure> {
        zip.begin(bundle::OUTLINES)?;
        for Checkpoint { segment, .. } in &self.chosen {
            let outline = self.reader.outline(*segment)?.unwrap_or_default();
            zip.line(&OutlineLine { segment: *segment, outline: STANDARD.encode(outline) })?;
        }
        Ok(())
    }

    fn write_proofs(&self, zip: &mut Zip) -> Result<(), Failure> {
        zip.begin(bundle::PROOFS)?;
        for checkpoint in &self.chosen {
            let (mut leaves, mut seqs, mut line) = (Vec::new(), Vec::new(), Vec::new());
            self.each_of(checkpoint, |lines, seq, entry| {
                leaves.push(lines.leaf(seq, entry, &mut line));
                if self.has(entry) {
                    seqs.push(seq);
                }
                Ok(())
            })?;
            let tree = WholeTree::new(leaves);
            for seq in seqs {
                let index = seq - checkpoint.first;
                let path = tree.path(usize::try_from(index).unwrap_or(usize::MAX));
                let path = path.iter().map(base64).collect();
                zip.line(&ProofLine { seq, segment: checkpoint.segment, index, path })?;
            }
        }
        Ok(())
    }

    fn write_table(&self, zip: &mut Zip) -> Result<(), Failure> {
        zip.begin(bundle::TABLE)?;
        let mut table = Table::begin(&mut *zip, Format::Current).map_err(io::Error::from)?;
        self.each(|_, seq, entry| {
            Ok(table.add(seq, entry, self.reader.texts()).map_err(io::Error::from)?)
        })?;
        table.end()?;
        Ok(())
    }

    fn write_declarations(&self, zip: &mut Zip) -> Result<(), Failure> {
        let declarations = self.reader.declarations()?;
        if let Some(newest) = declarations.last() {
            let domain = bundle::knowledge_domain(self.selection.tenant.as_deref());
            zip.json(bundle::KNOWLEDGE, &edpb::knowledge_base(newest, domain))?;
        }
        let declarations: Vec<_> = declarations
            .into_iter()
            .map(|declaration| DeclarationLine {
                hash: declaration.hash,
                since: rfc3339(declaration.since_unix_s),
                json: declaration.json,
            })
            .collect();
        zip.json(bundle::DECLARATIONS, &declarations)
    }

    /// Writes the pages with these hashes. A missing page is missing in the bundle too, where
    /// verification finds it.
    fn write_pages(&self, zip: &mut Zip, hashes: &BTreeSet<&str>) -> Result<(), Failure> {
        for hash in hashes {
            let (Some(name), Some(html)) = (bundle::page_member(hash), self.reader.page(hash)?)
            else {
                continue;
            };
            zip.begin(&name)?;
            zip.write_all(&html)?;
        }
        Ok(())
    }

    /// Passes every exported entry to `each`.
    fn each(
        &self,
        mut each: impl FnMut(&LineWriter<'_>, u64, &Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for checkpoint in &self.chosen {
            self.each_of(checkpoint, |lines, seq, entry| {
                if self.has(entry) { each(lines, seq, entry) } else { Ok(()) }
            })?;
        }
        Ok(())
    }

    /// Passes every entry of a segment to `each`.
    fn each_of(
        &self,
        checkpoint: &Checkpoint,
        mut each: impl FnMut(&LineWriter<'_>, u64, &Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let found =
            self.segments.binary_search_by_key(&checkpoint.segment, |segment| segment.number);
        let Ok(index) = found else { return Ok(()) };
        let segment = &self.segments[index];
        let lines = LineWriter::new(self.reader.texts(), &segment.secret);
        self.reader.entries(segment.first, segment.last, |seq, entry| each(&lines, seq, &entry))
    }

    fn has(&self, entry: &Entry) -> bool {
        self.tenant.is_none_or(|tenant| bundle::belongs(entry, tenant))
    }
}

fn checkpoint_of(segment: &Segment) -> Result<Checkpoint, ExportError> {
    let read = || Checkpoint::parse(&SignedNote::parse(&segment.checkpoint)?);
    read().map_err(|source| ExportError::Checkpoint { segment: segment.number, source })
}

/// The text of `VERIFY.txt` for this kind of bundle.
fn guide(is_tenant: bool) -> String {
    let part = if is_tenant {
        include_str!("verify-tenant.txt")
    } else {
        include_str!("verify-whole.txt")
    };
    include_str!("verify.txt").replace("{entries}\n", part)
}

/// A reason why writing a bundle ended early.
enum Failure {
    Read(ReadError),
    Write(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// A zip archive that is being written, member by member. It has no clock, so that the same members
/// produce the same bytes.
struct Zip(ZipWriter<BufWriter<File>>);

impl Zip {
    fn new(file: File) -> Self {
        Self(ZipWriter::new(BufWriter::new(file)))
    }

    fn begin(&mut self, name: &str) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644)
            // The entries may exceed 4 GiB.
            .large_file(true);
        self.0.start_file(name, options).map_err(io_error)
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        self.begin(name)?;
        Ok(self.write_all(text.as_bytes())?)
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        self.begin(name)?;
        serde_json::to_writer_pretty(&mut *self, value).map_err(io::Error::from)?;
        Ok(self.write_all(b"\n")?)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut *self, value).map_err(io::Error::from)?;
        Ok(self.write_all(b"\n")?)
    }

    fn end(self) -> io::Result<()> {
        let file = self.0.finish().map_err(io_error)?;
        file.into_inner().map_err(|error| error.into_error())?.sync_all()
    }
}

impl Write for Zip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn io_error(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        error => io::Error::other(error),
    }
}
