//! Verifies a bundle, using only its content.

use std::{fs::File, io::BufReader, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zip::read::ZipFile;

use super::{
    super::{
        checkpoint::Checkpoint,
        entry::{DeclarationRecord, Entry, SigningKey},
        export::{
            bundle::{
                self, CHECKPOINTS, DECLARATIONS, DeclarationLine, ENTRIES, Format, KEYS, KNOWLEDGE,
                MANIFEST, Manifest, OUTLINES, OutlineLine, PROOFS, ProofLine, TABLE,
            },
            edpb::knowledge_base,
            table::Table,
        },
        merkle::{has_hash, leaf, root_of_path},
        note::hash_of_base64,
        parse::{Interner, read_line},
        progress::Progress,
    },
    chain::Chain,
    expected::{Expected, notes},
    finding::Finding,
    pages::PageCheck,
    segment::{Misfit, SegmentCheck},
    totals::Totals,
    unpack::{Bundle, BundleError, Compared, Lines, damaged, member},
    verification::Verification,
};
use crumbgate_base::text::unix_s_of;

/// Verifies a bundle. The inner error is the first defect. Each entry is a step of `progress`.
///
/// # Errors
///
/// Fails where the file can't be read or is not a bundle.
pub fn verify_bundle(
    path: &Path,
    expected: &Expected,
    progress: &Progress,
) -> Result<Result<Verification, Finding>, BundleError> {
    let bundle = Bundle::open(path)?;
    let manifest: Manifest = match bundle.json(MANIFEST) {
        Ok(manifest) => manifest,
        Err(finding) => {
            let what = finding.to_string();
            return Err(BundleError::Foreign { path: path.to_owned(), what });
        }
    };
    let Some(format) = Format::of_word(&manifest.format) else {
        let expected = Format::Current.word();
        let what = format!("its format is {:?}, expected {expected:?}", manifest.format);
        return Err(BundleError::Foreign { path: path.to_owned(), what });
    };
    progress.expect(manifest.entries);
    Ok(verify(&bundle, (&manifest, format), expected, progress))
}

fn verify(
    bundle: &Bundle,
    (manifest, format): (&Manifest, Format),
    expected: &Expected,
    progress: &Progress,
) -> Result<Verification, Finding> {
    let mut chain = Chain::new(read_keys(bundle)?, expected)?;
    let mut checkpoints = Vec::new();
    for note in notes(&bundle.text(CHECKPOINTS)?) {
        checkpoints.push(chain.link(&note)?);
    }
    let ledger = chain.ledger().to_owned();
    let followed = chain.end()?;
    if let Some([_, last]) = manifest.segments.last()
        && *last > checkpoints.len() as u64
    {
        return Err(Finding::SegmentMissing { segment: *last });
    }

    let (interner, totals) = (Interner::default(), Totals::default());
    let mut walk = Walk { manifest, format, progress, interner, totals, entries: 0 };
    walk.entries(bundle, &checkpoints)?;
    let is_whole = manifest.since.is_none() && manifest.until.is_none();
    let absent = checkpoints.iter().rev().map(|checkpoint| checkpoint.segment);
    let unrecorded = absent
        .filter(|segment| !manifest.has(*segment))
        .find(|segment| *segment > walk.totals.pruned());
    if let Some(segment) = unrecorded.filter(|_| is_whole) {
        return Err(Finding::PrunedUnrecorded { segment });
    }
    verify_declarations(bundle, manifest)?;
    let present = checkpoints.iter().filter(|checkpoint| manifest.has(checkpoint.segment));
    let closed_unix_s = present.clone().next_back().map_or(0, |last| last.closed_unix_s);
    let present = present.count() as u64;
    let Walk { totals, interner, entries, .. } = walk;
    let mut check = PageCheck::new(totals.pages(interner.texts()));
    bundle.pages(|hash, html| check.meet(hash, html))?;
    check.end()?;
    totals.close(closed_unix_s, interner.texts())?;
    if entries != manifest.entries {
        let problem =
            format!("it has {entries} entries, but its manifest says {}", manifest.entries);
        return Err(Finding::File { behind: 0, problem });
    }
    Ok(Verification {
        ledger,
        tenant: manifest.tenant.clone(),
        segments: checkpoints.len() as u64,
        present,
        entries,
        unsigned: 0,
        newest: followed.last,
        keys: followed.keys,
        anchors: followed.anchors,
    })
}

fn read_keys(bundle: &Bundle) -> Result<Vec<SigningKey>, Finding> {
    let text = bundle.text(KEYS)?;
    let read = |line: &str| {
        let (since, verifier) = line.split_once(' ')?;
        Some(SigningKey { since_segment: since.parse().ok()?, verifier: verifier.to_owned() })
    };
    let keys: Option<Vec<_>> = text.lines().map(read).collect();
    keys.ok_or_else(|| damaged(KEYS, &"expected a number and a public key in each line"))
}

fn verify_declarations(bundle: &Bundle, manifest: &Manifest) -> Result<(), Finding> {
    let lines: Vec<DeclarationLine> = bundle.json(DECLARATIONS)?;
    let mut newest = None;
    for DeclarationLine { hash, since, json } in lines {
        if !has_hash(json.as_bytes(), &hash) {
            return Err(Finding::Declaration { hash });
        }
        let since_unix_s = unix_s_of(&since).ok_or(Finding::Declaration { hash: hash.clone() })?;
        newest = Some(DeclarationRecord { hash, json, since_unix_s });
    }
    let Some(newest) = newest else { return Ok(()) };
    let domain = bundle::knowledge_domain(manifest.tenant.as_deref());
    let found: serde_json::Value = bundle.json(KNOWLEDGE)?;
    if found != knowledge_base(&newest, domain) {
        return Err(Finding::Copy { member: KNOWLEDGE, line: 1 });
    }
    Ok(())
}

type Member<'a> = ZipFile<'a, BufReader<File>>;

/// The state of the pass over the entries.
struct Walk<'m> {
    manifest: &'m Manifest,
    format: Format,
    progress: &'m Progress,
    interner: Interner,
    totals: Totals,
    entries: u64,
}

impl Walk<'_> {
    fn entries(&mut self, bundle: &Bundle, checkpoints: &[Checkpoint]) -> Result<(), Finding> {
        let mut archives = [bundle.archive()?, bundle.archive()?, bundle.archive()?];
        let [entries, beside, table] = &mut archives;
        let is_tenant = self.manifest.tenant.is_some();
        let name = if is_tenant { PROOFS } else { OUTLINES };
        let mut entries = Lines::of(ENTRIES, member(entries, ENTRIES)?)?;
        let mut beside = Lines::of(name, member(beside, name)?)?;
        let compared = Compared::with(member(table, TABLE)?);
        let copy = |error: csv::Error| damaged(TABLE, &error);
        let mut table = Table::begin(compared, self.format).map_err(copy)?;

        for checkpoint in checkpoints {
            if !self.manifest.has(checkpoint.segment) {
                self.totals.skip(checkpoint.closed_unix_s);
            } else if is_tenant {
                self.proven(checkpoint, &mut entries, &mut beside, &mut table)?;
            } else {
                let outline = read_outline(checkpoint, &mut beside)?;
                let segment = self.segment(checkpoint, &mut entries, &outline, &mut table)?;
                if let Err(misfit) = segment {
                    return Err(name_misfit(misfit, checkpoint, bundle)?);
                }
            }
        }
        if let Some(seq) = entries.seq()? {
            return Err(Finding::Stray { entry: i64::try_from(seq).unwrap_or(i64::MAX) });
        }
        if let Some(proof) = beside.json::<ProofLine>().ok().flatten() {
            return Err(Finding::Missing { segment: proof.segment, entry: proof.seq });
        }
        let compared = table.end().map_err(|error| damaged(TABLE, &error))?;
        match compared.end() {
            Some(line) => Err(Finding::Copy { member: TABLE, line }),
            None => Ok(()),
        }
    }

    /// Verifies a segment whose entries are all present.
    fn segment(
        &mut self,
        checkpoint: &Checkpoint,
        entries: &mut Lines<Member<'_>>,
        outline: &[u8],
        table: &mut Table<Compared<Member<'_>>>,
    ) -> Result<Result<(), Misfit>, Finding> {
        let mut check = SegmentCheck::new(checkpoint, Some(outline));
        while let Some(seq) = entries.seq()?.filter(|seq| *seq <= checkpoint.last) {
            let line = entries.line().unwrap_or_default();
            if let Err(misfit) = check.push(seq, leaf(line)) {
                return Ok(Err(misfit));
            }
            // The content of a changed entry is not checked.
            if !check.is_in_doubt() {
                self.enter(seq, line, table)?;
            }
            entries.advance()?;
        }
        Ok(check.finish())
    }

    /// Verifies a segment of which one tenant's entries are present, each with its proof.
    fn proven(
        &mut self,
        checkpoint: &Checkpoint,
        entries: &mut Lines<Member<'_>>,
        proofs: &mut Lines<Member<'_>>,
        table: &mut Table<Compared<Member<'_>>>,
    ) -> Result<(), Finding> {
        let Checkpoint { segment, first, last, .. } = *checkpoint;
        let mut before = first.saturating_sub(1);
        loop {
            let proof = proofs.json::<ProofLine>()?.filter(|proof| proof.seq <= last);
            let entry = entries.seq()?.filter(|seq| *seq <= last);
            let (seq, proof) = match (entry, proof) {
                (None, None) => return Ok(()),
                (Some(seq), Some(proof)) if seq == proof.seq => (seq, proof),
                (Some(seq), Some(proof)) if seq < proof.seq => {
                    return Err(Finding::Inserted { segment, entry: seq, moved_to: None });
                }
                (_, Some(proof)) => return Err(Finding::Missing { segment, entry: proof.seq }),
                (Some(seq), None) => {
                    return Err(Finding::Inserted { segment, entry: seq, moved_to: None });
                }
            };
            let line = entries.line().unwrap_or_default();
            let path: Option<Vec<_>> = proof.path.iter().map(|hash| hash_of_base64(hash)).collect();
            let root = path.and_then(|path| {
                root_of_path(leaf(line), seq.checked_sub(first)?, checkpoint.size(), &path)
            });
            let fits = root == Some(checkpoint.root)
                && (proof.segment, proof.index) == (segment, seq.saturating_sub(first));
            if !fits {
                return Err(Finding::Proof { segment, entry: seq });
            }
            if seq <= before {
                return Err(Finding::Inserted { segment, entry: seq, moved_to: None });
            }
            before = seq;
            self.enter(seq, line, table)?;
            entries.advance()?;
            proofs.advance()?;
        }
    }

    fn enter(
        &mut self,
        seq: u64,
        line: &[u8],
        table: &mut Table<Compared<Member<'_>>>,
    ) -> Result<(), Finding> {
        let unreadable = |what| Finding::Unreadable { entry: seq, what };
        let entry = read_line(line, &mut self.interner).map_err(unreadable)?;
        self.refuse_others(&entry).map_err(unreadable)?;
        self.entries += 1;
        self.progress.step();
        self.totals.enter(seq, &entry, self.interner.texts())?;
        table.add(seq, &entry, self.interner.texts()).map_err(|error| damaged(TABLE, &error))
    }

    /// Rejects another tenant's entry in a tenant's bundle.
    fn refuse_others(&mut self, entry: &Entry) -> Result<(), String> {
        let Some(tenant) = &self.manifest.tenant else { return Ok(()) };
        let tenant = self.interner.id(tenant);
        let is_in = bundle::belongs(entry, tenant);
        is_in.then_some(()).ok_or_else(|| "it belongs to another tenant".to_owned())
    }
}

fn read_outline(
    checkpoint: &Checkpoint,
    outlines: &mut Lines<Member<'_>>,
) -> Result<Vec<u8>, Finding> {
    let line = outlines.json::<OutlineLine>()?;
    let line = line.filter(|line| line.segment == checkpoint.segment);
    let outline = line.and_then(|line| STANDARD.decode(line.outline).ok());
    outlines.advance()?;
    outline.ok_or(Finding::Outline { segment: checkpoint.segment })
}

/// Turns a misfit into a finding, after reading the numbers of the segment's lines again.
fn name_misfit(
    misfit: Misfit,
    checkpoint: &Checkpoint,
    bundle: &Bundle,
) -> Result<Finding, Finding> {
    let Checkpoint { segment, first, last, .. } = *checkpoint;
    let mut archive = bundle.archive()?;
    let mut lines = Lines::of(ENTRIES, member(&mut archive, ENTRIES)?)?;
    let mut seqs = Vec::new();
    while let Some(seq) = lines.seq()? {
        if (first..=last).contains(&seq) {
            seqs.push(seq);
        }
        lines.advance()?;
    }
    Ok(match misfit {
        Misfit::Missing(entry) if seqs.contains(&entry) => {
            let place = usize::try_from(entry.saturating_sub(first)).unwrap_or(usize::MAX);
            let holds = seqs.get(place).copied().unwrap_or(entry);
            Finding::Reordered { segment, entry, holds }
        }
        Misfit::Changed(entry) if seqs.iter().filter(|seq| **seq == entry).count() > 1 => {
            Finding::Inserted { segment, entry, moved_to: None }
        }
        misfit => misfit.finding(checkpoint),
    })
}
