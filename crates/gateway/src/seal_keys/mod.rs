//! The file of `seal.keys`: the keys by which session cookies are sealed, one a line, the first of which seals.
//!
//! ```text
//! 68c743b3 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 made 2026-11-26T09:00:00Z # of the old data centre
//! ```
//!
//! A gateway that seals makes the file where there is none; `crumbgate seal` changes it. It is replaced as a whole, by
//! one change after another, and keeps its owner and its permissions. No message and no `Debug` has a key.

mod file;
mod line;

use std::{
    io,
    path::{Path, PathBuf},
};

use crumbgate_base::clock::Now;
use crumbgate_policy::seal::{Key, KeyId, KeyRing};
pub use line::{Entry, Fault, moment};

/// The keys of a file, and what else stands in it.
#[derive(Debug)]
pub struct KeyFile {
    /// Invariant: at least one of them is a key, and no key is there twice.
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Key(Entry),
    /// An empty line, or a comment.
    Remark(String),
}

/// The keys of a gateway that starts.
#[derive(Debug)]
pub struct Found {
    /// The keys.
    pub ring: KeyRing,
    /// Whether they were made just now: whatever was sealed before is not opened.
    pub is_new: bool,
}

/// Why a file of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not there.
    #[error(
        "{}: no such file; a gateway that seals makes it when it starts, and so does: crumbgate seal add",
        path.display()
    )]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// It has no key.
    #[error(
        "{}: found no key, expected a line such as: ID KEY; restore the file from a backup or from another gateway, \
         or remove it and let a new one be made, which ends every sealed session",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error(
        "{}: found the mode {mode:04o}, expected that nobody else may read it: chmod 600 {}",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line is no key.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The machine gave no random bits.
    #[error("the machine has no random bits for a key")]
    Random,
    /// It can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It can't be written.
    #[error("{} can't be written; check that the folder may be written to and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why keys are not changed as somebody wants it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No key has this id.
    #[error("there is no key {id}; `crumbgate seal list` shows those that there are")]
    Absent {
        /// The one that was named.
        id: KeyId,
    },
    /// What it sealed may still be in use.
    #[error(
        "{id} sealed until {}, so sessions may need it until {}; to end those all the same: --force",
        moment(*until_unix_s), moment(*needed_until_unix_s)
    )]
    Needed {
        /// The one that was named.
        id: KeyId,
        /// When another took its place, in seconds since the epoch.
        until_unix_s: u64,
        /// When the last session that it sealed has ended.
        needed_until_unix_s: u64,
    },
    /// It is the one that seals.
    #[error(
        "{id} is the key that seals; let another one seal first: crumbgate seal rotate, or: crumbgate seal use ID"
    )]
    Seals {
        /// The one that was named.
        id: KeyId,
    },
}

/// The keys in a file. Waits for the disk.
///
/// # Errors
///
/// Where there is none, others may read it, or something in it is no key.
pub fn load(path: &Path) -> Result<KeyRing, KeyFileError> {
    Ok(KeyFile::read(path)?.ring())
}

/// The same for a gateway that starts: where there is no file, one with a new key is made, for its owner alone.
///
/// # Errors
///
/// As [`load`], and where the file can't be written.
pub fn load_or_create(path: &Path, now: Now) -> Result<Found, KeyFileError> {
    match load(path) {
        Err(KeyFileError::Absent { .. }) => {}
        loaded => return loaded.map(|ring| Found { ring, is_new: false }),
    }
    let made = KeyFile::with(Entry::generate(now)?);
    // Another gateway may have been faster: then its keys are the ones.
    let is_new = file::create(path, &made.text())?;
    Ok(Found { ring: load(path)?, is_new })
}

/// Changes the keys in a file, and returns what `change` does. Where there is no file, `change` gets none and makes one.
/// Waits for the disk, and for others who change keys in the same folder; nobody ever reads half a file.
///
/// # Errors
///
/// Where the file can't be used or written, or `change` refuses: then nothing is changed.
pub fn change<T, E: From<KeyFileError>>(
    path: &Path,
    change: impl FnOnce(Option<KeyFile>) -> Result<(KeyFile, T), E>,
) -> Result<T, E> {
    let _lock = file::lock(path)?;
    let found = match KeyFile::read(path) {
        Err(KeyFileError::Absent { .. }) => None,
        read => Some(read?),
    };
    let is_new = found.is_none();
    let (changed, done) = change(found)?;
    let text = changed.text();
    // What can't be read again is not written: two keys may have one id by chance.
    KeyFile::parse(path, &text)?;
    if !is_new {
        file::replace(path, &text)?;
    } else if !file::create(path, &text)? {
        // A gateway that starts has made one meanwhile.
        let source = io::ErrorKind::AlreadyExists.into();
        return Err(KeyFileError::Write { path: path.to_owned(), source }.into());
    }
    Ok(done)
}

impl KeyFile {
    /// Reads a file. Waits for the disk.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        Self::parse(path, &file::read(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyFileError> {
        let mut rows = Vec::new();
        let mut places: Vec<(KeyId, usize)> = Vec::new();
        for (line, written) in (1..).zip(text.lines()) {
            let refuse = |fault| KeyFileError::Line { path: path.to_owned(), line, fault };
            if written.trim().is_empty() || written.trim_start().starts_with('#') {
                rows.push(Row::Remark(written.to_owned()));
                continue;
            }
            let entry = Entry::read(written).map_err(refuse)?;
            if let Some((_, first)) = places.iter().find(|(id, _)| *id == entry.id()) {
                return Err(refuse(Fault::Twice { first: *first }));
            }
            places.push((entry.id(), line));
            rows.push(Row::Key(entry));
        }
        if places.is_empty() {
            return Err(KeyFileError::Empty { path: path.to_owned() });
        }
        Ok(Self { rows })
    }

    /// A file with this key alone.
    pub fn with(entry: Entry) -> Self {
        let remarks = REMARKS.lines().map(|line| Row::Remark(line.to_owned()));
        Self { rows: remarks.chain([Row::Key(entry)]).collect() }
    }

    /// The keys, the one that seals first; never none.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.rows.iter().filter_map(|row| match row {
            Row::Key(entry) => Some(entry),
            Row::Remark(_) => None,
        })
    }

    /// As a ring.
    pub fn ring(&self) -> KeyRing {
        let keys: Vec<Key> = self.entries().map(Entry::key).collect();
        KeyRing::new(keys).expect("there is a key, and none twice")
    }

    /// Adds a key at the end, which opens.
    pub fn add(&mut self, entry: Entry) {
        self.rows.push(Row::Key(entry));
    }

    /// Adds a key at the top, which seals from now on. Returns the one that did until now.
    pub fn rotate(&mut self, entry: Entry, now: Now) -> KeyId {
        let before = self.retire(now);
        self.rows.insert(self.top(), Row::Key(entry));
        before
    }

    /// Lets a key seal that is there already. Returns the one that did until now; none where it is the same.
    ///
    /// # Errors
    ///
    /// Where there is no such key.
    pub fn promote(&mut self, id: KeyId, now: Now) -> Result<Option<KeyId>, Refusal> {
        let position = self.position(id)?;
        if position == self.top() {
            return Ok(None);
        }
        let before = self.retire(now);
        let mut row = self.rows.remove(position);
        if let Row::Key(entry) = &mut row {
            entry.until_unix_s = None;
        }
        self.rows.insert(self.top(), row);
        Ok(Some(before))
    }

    /// Removes a key that no longer seals. `longest_session_s`: how long what it sealed may be in use; none where that
    /// shall not matter.
    ///
    /// # Errors
    ///
    /// Where there is no such key, it seals, or may be needed.
    pub fn remove(
        &mut self,
        id: KeyId,
        longest_session_s: Option<u64>,
        now: Now,
    ) -> Result<(), Refusal> {
        let position = self.position(id)?;
        if position == self.top() {
            return Err(Refusal::Seals { id });
        }
        if let (Some(Row::Key(entry)), Some(longest_s)) =
            (self.rows.get(position), longest_session_s)
            && let Some(until_unix_s) = entry.until_unix_s
        {
            let needed_until_unix_s = until_unix_s.saturating_add(longest_s);
            if now.unix_s < needed_until_unix_s {
                return Err(Refusal::Needed { id, until_unix_s, needed_until_unix_s });
            }
        }
        self.rows.remove(position);
        Ok(())
    }

    /// Notes that the first key seals no more.
    fn retire(&mut self, now: Now) -> KeyId {
        let mut keys = self.rows.iter_mut().filter_map(|row| match row {
            Row::Key(entry) => Some(entry),
            Row::Remark(_) => None,
        });
        let first = keys.next().expect("there is a key");
        first.until_unix_s = Some(now.unix_s);
        first.id()
    }

    /// The row of the first key.
    fn top(&self) -> usize {
        let top = self.rows.iter().position(|row| matches!(row, Row::Key(_)));
        top.unwrap_or(self.rows.len())
    }

    fn position(&self, id: KeyId) -> Result<usize, Refusal> {
        let is_it = |row: &Row| matches!(row, Row::Key(entry) if entry.id() == id);
        self.rows.iter().position(is_it).ok_or(Refusal::Absent { id })
    }

    fn text(&self) -> String {
        let line = |row: &Row| match row {
            Row::Key(entry) => format!("{}\n", entry.line()),
            Row::Remark(text) => format!("{text}\n"),
        };
        self.rows.iter().map(line).collect()
    }
}

/// How a new file begins.
const REMARKS: &str = "\
# The keys that seal session cookies: the first one seals, all of them open. Whoever has them can read and forge what
# is sealed. `crumbgate seal` changes this file, and `crumbgate reload` makes the gateway read it.
";

#[cfg(test)]
mod tests;
