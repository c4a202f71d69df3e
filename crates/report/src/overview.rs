//! What a ledger adds up to, for who looks again and again: what is closed is read once, what is open each time.
//!
//! An entry of a closed segment never changes, so its sums are kept. A look costs the open segment, an hour's entries at
//! most; the first look, and the first one after old entries were pruned, cost the whole file.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::Books;
use crumbgate_audit::OTHER;
use crumbgate_ledger::{
    entry::{Entry, TextId, Texts, Verdicts},
    read::{ReadError, Reader},
};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Direction, Reason},
};

/// What was read of one ledger, and is kept for the next look.
#[derive(Debug, Default)]
pub struct Overview {
    of: Option<Identity>,
    /// The last entry whose sums are kept.
    sealed: u64,
    closed: Sums,
}

/// What a ledger says now.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The sums over all tenants.
    pub books: Books,
    /// Undeclared names, the newest first.
    pub newest: Vec<Newcomer>,
    /// How many undeclared names there are in all.
    pub names: usize,
    /// The last segment that was closed, and up to which second its entries speak; none: none was closed yet.
    pub last_closed: Option<(u64, u64)>,
}

/// A name that is not declared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Newcomer {
    /// The template of the name.
    pub name: String,
    /// The tenant that it was first seen at.
    pub tenant: String,
    /// Whether that was the application's, or a browser's that a script or another site had given it to.
    pub direction: Direction,
    /// Whether that tenant only watched.
    pub mode: Mode,
    /// The first minute in which it was seen, in seconds since the Unix epoch.
    pub first_unix_s: u64,
}

/// What tells that a file is still the one that was read.
#[derive(Debug, Eq, PartialEq)]
struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Its first entry: another one when old ones were pruned.
    first: Option<i64>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    books: Books,
    names: HashMap<TextId, Sighting, foldhash::fast::RandomState>,
}

/// Where a name was first seen.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    first_unix_s: u64,
    tenant: TextId,
    direction: Direction,
    mode: Mode,
}

impl Overview {
    /// Reads what the ledger has now, with so many of the newest names. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Where the ledger can't be read, or there is none.
    pub fn look(&mut self, path: &Path, newest: usize) -> Result<Look, ReadError> {
        let reader = Reader::open(path)?;
        let identity = Identity::of(path, &reader)?;
        let last_sealed = reader.last_sealed()?;
        if self.of.as_ref() != Some(&identity) || last_sealed < self.sealed {
            *self = Self { of: Some(identity), ..Self::default() };
        }
        self.closed.read(&reader, self.sealed.saturating_add(1), last_sealed)?;
        self.sealed = last_sealed;
        let mut open = Sums::default();
        open.read(&reader, last_sealed.saturating_add(1), reader.last()?)?;
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
                Entry::Agreement(agreement) => self.books.add_agreement(&agreement),
                Entry::Heartbeat(heartbeat) if heartbeat.tenant.is_some() => {
                    self.books.add_heartbeat(&heartbeat);
                }
                Entry::Heartbeat(_) | Entry::Event(_) => {}
                Entry::Verdicts(verdicts) => {
                    self.books.add_verdicts(&verdicts);
                    self.meet(&verdicts);
                }
            }
            Ok(())
        })
    }

    fn meet(&mut self, verdicts: &Verdicts) {
        let (Action::Strip(Reason::Undeclared), Some(name)) = (verdicts.action, verdicts.name)
        else {
            return;
        };
        let sighting = Sighting {
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

    /// The same with what is open.
    fn with(
        &self,
        open: &Self,
        texts: &Texts,
        newest: usize,
        last_closed: Option<(u64, u64)>,
    ) -> Look {
        let mut books = self.books;
        books.add(&open.books);
        let met_now = open.names.iter().filter(|(name, _)| !self.names.contains_key(name));
        let mut met: Vec<_> = self.names.iter().chain(met_now).collect();
        met.retain(|(name, _)| texts.get(**name) != OTHER);
        let names = met.len();
        // Of one minute, the name that was written down later is the newer one.
        let rank = |(name, sighting): &(&TextId, &Sighting)| {
            std::cmp::Reverse((sighting.first_unix_s, **name))
        };
        if names > newest {
            met.select_nth_unstable_by_key(newest, rank);
            met.truncate(newest);
        }
        met.sort_unstable_by_key(rank);
        let newcomer = |(name, sighting): (&TextId, &Sighting)| Newcomer {
            name: texts.get(*name).to_owned(),
            tenant: texts.get(sighting.tenant).to_owned(),
            direction: sighting.direction,
            mode: sighting.mode,
            first_unix_s: sighting.first_unix_s,
        };
        Look { books, newest: met.into_iter().map(newcomer).collect(), names, last_closed }
    }
}

impl Sighting {
    fn keep_earlier(&mut self, other: &Self) {
        if other.first_unix_s < self.first_unix_s {
            *self = *other;
        }
    }
}
