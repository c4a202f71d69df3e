//! A summary of a ledger that is read repeatedly: closed segments are read once, and the open segment each time.
//!
//! Entries of a closed segment never change, so their sums are kept. A reading costs one open segment (at most an hour's
//! entries). The first reading, and the first one after pruning, cost the whole file.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{reported::GuardSums, totals::Totals};
use crumbgate_audit::OTHER;
use crumbgate_ledger::{
    entry::{Entry, TextId, Texts, Verdicts},
    read::{ReadError, Reader},
};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Direction, Reason},
};

pub use super::reported::{GuardSummary, ReportedName};

/// Reads summaries of one ledger, and keeps the sums of its closed segments.
#[derive(Debug, Default)]
pub struct SummaryReader {
    identity: Option<Identity>,
    /// The number of the last entry in `closed`.
    last_closed_entry: u64,
    closed: Sums,
}

/// The summary of a ledger.
#[derive(Clone, Debug, Default)]
pub struct LedgerSummary {
    /// The totals of all tenants.
    pub totals: Totals,
    /// Undeclared names, newest first.
    pub newest: Vec<NewName>,
    /// The number of all undeclared names.
    pub names: usize,
    /// The guard's events.
    pub guard: GuardSummary,
    /// The number of the last closed segment, and the latest time in its entries. `None`: no segment is closed.
    pub last_closed: Option<(u64, u64)>,
}

/// An undeclared name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewName {
    /// The template of the name.
    pub name: String,
    /// The tenant where it was first seen.
    pub tenant: String,
    /// The direction in which it was first seen: set by the application, or sent by a browser.
    pub direction: Direction,
    /// The mode of that tenant.
    pub mode: Mode,
    /// The minute when it was first seen, in seconds since the Unix epoch.
    pub first_unix_s: u64,
}

/// The identity of the file, to detect that it was replaced or pruned.
#[derive(Debug, Eq, PartialEq)]
struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// The number of the first entry, which changes by pruning.
    first: Option<i64>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    totals: Totals,
    names: HashMap<TextId, FirstSighting, foldhash::fast::RandomState>,
    guard: GuardSums,
}

/// The first sighting of a name.
#[derive(Clone, Copy, Debug)]
struct FirstSighting {
    first_unix_s: u64,
    tenant: TextId,
    direction: Direction,
    mode: Mode,
}

impl SummaryReader {
    /// Reads the current summary, with up to `newest` names of each list. Waits for the disk.
    ///
    /// # Errors
    ///
    /// The ledger can't be read or does not exist.
    pub fn read(&mut self, path: &Path, newest: usize) -> Result<LedgerSummary, ReadError> {
        let reader = Reader::open(path)?;
        let identity = Identity::of(path, &reader)?;
        let last_signed = reader.last_signed()?;
        if self.identity.as_ref() != Some(&identity) || last_signed < self.last_closed_entry {
            *self = Self { identity: Some(identity), ..Self::default() };
        }
        self.closed.read(&reader, self.last_closed_entry.saturating_add(1), last_signed)?;
        self.last_closed_entry = last_signed;
        let mut open = Sums::default();
        open.read(&reader, last_signed.saturating_add(1), reader.last()?)?;
        let last_closed = reader.last_closed()?;
        Ok(self.closed.with(&open, reader.texts(), newest, last_closed))
    }
}

impl Identity {
    fn of(path: &Path, reader: &Reader) -> Result<Self, ReadError> {
        let path = path.to_owned();
        let Ok(found) = fs::metadata(&path) else { return Err(ReadError::Absent { path }) };
        Ok(Self { path, device: found.dev(), inode: found.ino(), first: reader.first()? })
    }
}

impl Sums {
    /// Adds the entries with these numbers.
    fn read(&mut self, reader: &Reader, first: u64, last: u64) -> Result<(), ReadError> {
        reader.entries(first, last, |_, entry| {
            match entry {
                Entry::Agreement(agreement) => self.totals.add_agreement(&agreement),
                Entry::Heartbeat(heartbeat) if heartbeat.tenant.is_some() => {
                    self.totals.add_heartbeat(&heartbeat);
                }
                Entry::Guard(guard) => self.guard.add(guard),
                Entry::Heartbeat(_) | Entry::Event(_) => {}
                Entry::Verdicts(verdicts) => {
                    self.totals.add_verdicts(&verdicts);
                    self.add_name(&verdicts);
                }
            }
            Ok(())
        })
    }

    fn add_name(&mut self, verdicts: &Verdicts) {
        let (Action::Strip(Reason::Undeclared), Some(name)) = (verdicts.action, verdicts.name)
        else {
            return;
        };
        let sighting = FirstSighting {
            first_unix_s: verdicts.first_unix_s,
            tenant: verdicts.tenant,
            direction: verdicts.direction,
            mode: verdicts.mode,
        };
        self.names
            .entry(name)
            .and_modify(|known| known.keep_earlier(&sighting))
            .or_insert(sighting);
    }

    /// Combines the closed and the open sums.
    fn with(
        &self,
        open: &Self,
        texts: &Texts,
        newest: usize,
        last_closed: Option<(u64, u64)>,
    ) -> LedgerSummary {
        let mut totals = self.totals;
        totals.add(&open.totals);
        let added = open.names.iter().filter(|(name, _)| !self.names.contains_key(name));
        let mut known: Vec<_> = self.names.iter().chain(added).collect();
        known.retain(|(name, _)| texts.get(**name) != OTHER);
        let names = known.len();
        // Of names first seen in the same minute, the one with the higher id is newer.
        let rank = |(name, sighting): &(&TextId, &FirstSighting)| {
            std::cmp::Reverse((sighting.first_unix_s, **name))
        };
        if names > newest {
            known.select_nth_unstable_by_key(newest, rank);
            known.truncate(newest);
        }
        known.sort_unstable_by_key(rank);
        let new_name = |(name, sighting): (&TextId, &FirstSighting)| NewName {
            name: texts.get(*name).to_owned(),
            tenant: texts.get(sighting.tenant).to_owned(),
            direction: sighting.direction,
            mode: sighting.mode,
            first_unix_s: sighting.first_unix_s,
        };
        LedgerSummary {
            totals,
            newest: known.into_iter().map(new_name).collect(),
            names,
            guard: self.guard.with(&open.guard, texts, newest),
            last_closed,
        }
    }
}

impl FirstSighting {
    fn keep_earlier(&mut self, other: &Self) {
        if other.first_unix_s < self.first_unix_s {
            *self = *other;
        }
    }
}
