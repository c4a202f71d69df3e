//! The key file (`seal.keys`): keys for sealing session cookies, one per line. The first key seals, all keys open.
//!
//! ```text
//! 68c743b3 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 made 2026-11-26T09:00:00Z # of the old data centre
//! ```
//!
//! A gateway that seals creates the file if it does not exist; `crumbgate seal` changes it. Changes run one after another,
//! replace the file atomically, and keep its owner and permissions. No message and no `Debug` output contains a key.

mod error;
mod file;
mod line;

use std::{io, path::Path};

use crumbgate_base::clock::Now;
use crumbgate_policy::seal::{Key, KeyId, KeyRing};
pub use error::{KeyFileError, LineFault};
pub use line::{KeyEntry, moment};

/// The lines of a key file.
#[derive(Debug)]
pub struct KeyFile {
    /// Invariant: at least one row is a key, and no key occurs twice.
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Key(KeyEntry),
    /// An empty line, or a comment.
    Remark(String),
}

/// The keys of a starting gateway.
#[derive(Debug)]
pub struct LoadedKeys {
    /// The keys.
    pub ring: KeyRing,
    /// True if the keys were generated just now, so that cookies sealed before can't be opened.
    pub is_new: bool,
}

/// The reason that a requested change of keys is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyRefusal {
    /// No key has this id.
    #[error("there is no key {id}; `crumbgate seal list` shows all keys")]
    Absent {
        /// The one that was named.
        id: KeyId,
    },
    /// Sessions that the key sealed may still be in use.
    #[error(
        "{id} sealed until {}, so sessions may need it until {}; to remove it and end those sessions: --force",
        moment(*until_unix_s), moment(*needed_until_unix_s)
    )]
    Needed {
        /// The one that was named.
        id: KeyId,
        /// Time at which it stopped sealing, in seconds since the Unix epoch.
        until_unix_s: u64,
        /// Time at which the last session that it sealed ends, in seconds since the Unix epoch.
        needed_until_unix_s: u64,
    },
    /// The key is the one that seals.
    #[error(
        "{id} is the key that seals; make another key seal first: crumbgate seal rotate, or: crumbgate seal use ID"
    )]
    Seals {
        /// The one that was named.
        id: KeyId,
    },
}

/// Reads the keys in a file. Waits for the disk.
///
/// # Errors
///
/// Fails if the file does not exist, other users may read it, or a line is faulty.
pub fn load(path: &Path) -> Result<KeyRing, KeyFileError> {
    Ok(KeyFile::read(path)?.ring())
}

/// Reads the keys for a starting gateway. If the file does not exist, creates one with a new key, accessible to its owner
/// only.
///
/// # Errors
///
/// Fails as [`load`], and if the file can't be written.
pub fn load_or_create(path: &Path, now: Now) -> Result<LoadedKeys, KeyFileError> {
    match load(path) {
        Err(KeyFileError::Absent { .. }) => {}
        loaded => return loaded.map(|ring| LoadedKeys { ring, is_new: false }),
    }
    let made = KeyFile::with(KeyEntry::generate(now)?);
    // If another gateway has created the file in the meantime, its keys are used.
    let is_new = file::create(path, &made.text())?;
    Ok(LoadedKeys { ring: load(path)?, is_new })
}

/// Changes the keys in a file, and returns the result of `change`, which gets `None` if the file does not exist. Waits for
/// the disk, and for other changes in the same folder. No reader ever sees a partial file.
///
/// # Errors
///
/// Fails without a change if the file can't be used or written, or `change` fails.
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
    // Checked before writing: two keys may have the same id by chance.
    KeyFile::parse(path, &text)?;
    if !is_new {
        file::replace(path, &text)?;
    } else if !file::create(path, &text)? {
        // A starting gateway has created the file in the meantime.
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
    /// Fails as [`load`].
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
            let entry = KeyEntry::read(written).map_err(refuse)?;
            if let Some((_, first)) = places.iter().find(|(id, _)| *id == entry.id()) {
                return Err(refuse(LineFault::Twice { first: *first }));
            }
            places.push((entry.id(), line));
            rows.push(Row::Key(entry));
        }
        if places.is_empty() {
            return Err(KeyFileError::Empty { path: path.to_owned() });
        }
        Ok(Self { rows })
    }

    /// A new file with this key.
    pub fn with(entry: KeyEntry) -> Self {
        let remarks = REMARKS.lines().map(|line| Row::Remark(line.to_owned()));
        Self { rows: remarks.chain([Row::Key(entry)]).collect() }
    }

    /// The keys, at least one. The first key seals.
    pub fn entries(&self) -> impl Iterator<Item = &KeyEntry> {
        self.rows.iter().filter_map(|row| match row {
            Row::Key(entry) => Some(entry),
            Row::Remark(_) => None,
        })
    }

    /// The keys as a key ring.
    pub fn ring(&self) -> KeyRing {
        let keys: Vec<Key> = self.entries().map(KeyEntry::key).collect();
        KeyRing::new(keys).expect("there is a key, and none twice")
    }

    /// Adds a key at the end, which only opens.
    pub fn add(&mut self, entry: KeyEntry) {
        self.rows.push(Row::Key(entry));
    }

    /// Adds a key at the top, which seals from now on. Returns the id of the key that sealed before.
    pub fn rotate(&mut self, entry: KeyEntry, now: Now) -> KeyId {
        let before = self.retire(now);
        self.rows.insert(self.top(), Row::Key(entry));
        before
    }

    /// Makes an existing key the one that seals. Returns the id of the key that sealed before; `None` if it is the same.
    ///
    /// # Errors
    ///
    /// Fails if there is no such key.
    pub fn promote(&mut self, id: KeyId, now: Now) -> Result<Option<KeyId>, KeyRefusal> {
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

    /// Removes a key that no longer seals. `longest_session_s` is the longest time for which sessions that it sealed may be in
    /// use; `None` removes it regardless.
    ///
    /// # Errors
    ///
    /// Fails if there is no such key, the key seals, or sessions may still need it.
    pub fn remove(
        &mut self,
        id: KeyId,
        longest_session_s: Option<u64>,
        now: Now,
    ) -> Result<(), KeyRefusal> {
        let position = self.position(id)?;
        if position == self.top() {
            return Err(KeyRefusal::Seals { id });
        }
        if let (Some(Row::Key(entry)), Some(longest_s)) =
            (self.rows.get(position), longest_session_s)
            && let Some(until_unix_s) = entry.until_unix_s
        {
            let needed_until_unix_s = until_unix_s.saturating_add(longest_s);
            if now.unix_s < needed_until_unix_s {
                return Err(KeyRefusal::Needed { id, until_unix_s, needed_until_unix_s });
            }
        }
        self.rows.remove(position);
        Ok(())
    }

    /// Notes that the first key stops sealing now.
    fn retire(&mut self, now: Now) -> KeyId {
        let mut keys = self.rows.iter_mut().filter_map(|row| match row {
            Row::Key(entry) => Some(entry),
            Row::Remark(_) => None,
        });
        let first = keys.next().expect("there is a key");
        first.until_unix_s = Some(now.unix_s);
        first.id()
    }

    /// The index of the first key's row.
    fn top(&self) -> usize {
        let top = self.rows.iter().position(|row| matches!(row, Row::Key(_)));
        top.unwrap_or(self.rows.len())
    }

    fn position(&self, id: KeyId) -> Result<usize, KeyRefusal> {
        let is_it = |row: &Row| matches!(row, Row::Key(entry) if entry.id() == id);
        self.rows.iter().position(is_it).ok_or(KeyRefusal::Absent { id })
    }

    fn text(&self) -> String {
        let line = |row: &Row| match row {
            Row::Key(entry) => format!("{}\n", entry.line()),
            Row::Remark(text) => format!("{text}\n"),
        };
        self.rows.iter().map(line).collect()
    }
}

/// The first lines of a new file.
const REMARKS: &str = "\
# The keys that seal session cookies: the first one seals, all of them open. Whoever has them can read and forge what
# is sealed. `crumbgate seal` changes this file, and `crumbgate reload` makes the gateway read it.
";

#[cfg(test)]
mod tests;
