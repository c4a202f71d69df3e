//! The ledger's file, being written: opened, filled a transaction at a time, closed.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::{self, File, TryLockError},
    io::{self, Read},
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, ffi, params};
use serde_json::json;
use tracing::{info, warn};

use super::{
    agreements::KnownPages,
    balance::imbalance,
    desk::Change,
    key::{KeyError, KeyFiles, Keyring},
    migrations,
    segments::{self, SealError},
    tenants::{self, Tenants},
    waiting::Waiting,
    writing::{NewNames, Writing, insert_event},
};
use crumbgate_audit::ShownPage;
use crumbgate_ledger::{
    entry::{DeclarationRecord, Event, EventKind},
    note::Verifier,
    read::LAST,
    schema::{self, SchemaError},
    sqlite::{beside, signed, unsigned},
};

/// A ledger that this process alone writes.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    /// Numbers of texts that are in the file.
    texts: HashMap<Arc<str>, i64, RandomState>,
    /// The versions of declarations that are in the file.
    declared: HashSet<String, RandomState>,
    /// The pages that are in the file, as far as they are known.
    pages: KnownPages,
    next_seq: u64,
    key_files: KeyFiles,
    /// None until it was asked for, and as long as it can't be had.
    keyring: Option<Keyring>,
    /// What the file and its write-ahead log were when they were last written.
    prints: [Print; 2],
    /// Held as long as this process writes.
    _lock: File,
}

/// Why the file can't be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// What is in it is not what we wrote.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It can't be had, for now perhaps.
    #[error("its folder or its lock can't be had")]
    Io(#[source] io::Error),
    /// Another process writes it.
    #[error("another gateway writes it")]
    Locked,
    /// It is none of ours.
    #[error(transparent)]
    Schema(SchemaError),
    /// It has become shorter. That may be a program that tidies it up: it is opened anew, and must have every entry.
    #[error("it became shorter while it was written")]
    Shrunk,
    /// It can't be written now: no room, no permission, no disk.
    #[error(transparent)]
    Unavailable(rusqlite::Error),
}

/// Why a segment can't be closed. Its entries are in the file all the same.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The entries, or what they follow.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// SQLite.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Why changes of tenants were not stored.
#[derive(Debug)]
pub(super) enum NotStored {
    /// Nothing was changed.
    Certain(StoreError),
    /// The commit itself has failed: what became of it shows when the file is opened again.
    Doubtful(StoreError),
}

/// What rules, as the ledger is to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ruling<'r> {
    pub(super) configuration: &'r str,
    /// The version of the declaration.
    pub(super) declaration: &'r str,
    /// Every declaration that an entry may name.
    pub(super) declarations: &'r VecDeque<DeclarationRecord>,
}

/// What a transaction has written.
#[derive(Debug)]
pub(super) struct Written {
    /// How many entries were new.
    pub(super) entries: u64,
    pub(super) new_names: NewNames,
}

/// A segment that was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) number: u64,
    /// By how many cookies its entries do not add up.
    pub(super) imbalance: u64,
}

/// What the file said when it was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Found {
    /// When the gateway that wrote it was last alive, if it has not stopped properly.
    pub(super) alive_unix_s: Option<u64>,
    /// The configuration that ruled last.
    pub(super) configuration: Option<String>,
    /// The declaration that ruled last.
    pub(super) declaration: Option<String>,
    /// Whether there was no file, or an empty one.
    pub(super) is_new: bool,
    /// Whether there was a key without the ledger that it had signed.
    pub(super) is_orphaned: bool,
    /// The last transaction that went through.
    pub(super) batch: Option<String>,
    /// The number of the next entry.
    pub(super) next_seq: u64,
    /// The tenants that were set while a gateway ran.
    pub(super) tenants: Tenants,
}

impl Store {
    /// Opens the file, or makes it, as the only one who writes it. With `declarations`, those are in it from now on.
    ///
    /// `is_ours`: this process has written it before. So has, by all appearances, who has signed it, or marked it.
    pub(super) fn open(
        path: &Path,
        declarations: &VecDeque<DeclarationRecord>,
        is_ours: bool,
    ) -> Result<(Self, Found), StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::Io)?;
        }
        let lock = lock(path)?;
        let key_files = KeyFiles::beside(path);
        let is_ours = is_ours || key_files.current().exists() || is_marked(path);
        let opened = Self::open_locked(path, declarations, key_files, lock);
        opened.map_err(|error| match error {
            // What was never ours is somebody's file, and stays where it is.
            StoreError::Damaged(_) if !is_ours => StoreError::Schema(SchemaError::Foreign),
            error => error,
        })
    }

    fn open_locked(
        path: &Path,
        declarations: &VecDeque<DeclarationRecord>,
        key_files: KeyFiles,
        lock: File,
    ) -> Result<(Self, Found), StoreError> {
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if (1..PAGE_BYTES).contains(&length) {
            // SQLite would take it for an empty one, and begin anew.
            return Err(StoreError::Damaged(format!("it has {length} bytes")));
        }
        let is_orphaned = length == 0 && key_files.current().exists();
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        // Of what a transaction wrote nothing is lost when the machine stops, nor when the process is killed.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrations::migrate(&mut connection).map_err(|error| match error {
            SchemaError::Sqlite(error) => error.into(),
            SchemaError::Foreign | SchemaError::Newer { .. } => StoreError::Schema(error),
        })?;
        let found = Found {
            alive_unix_s: fact(&connection, ALIVE)?.and_then(|unix_s| unix_s.parse().ok()),
            configuration: fact(&connection, CONFIGURATION)?,
            declaration: fact(&connection, DECLARATION)?,
            is_new: length == 0,
            is_orphaned,
            batch: fact(&connection, BATCH)?,
            next_seq: connection.query_row(LAST, [], |row| unsigned(row, 0))?.saturating_add(1),
            tenants: tenants::read(&connection)?,
        };
        for declaration in declarations {
            declare(&connection, declaration)?;
        }
        let store = Self {
            connection,
            texts: HashMap::default(),
            declared: declarations.iter().map(|declaration| declaration.hash.clone()).collect(),
            pages: KnownPages::default(),
            next_seq: found.next_seq,
            key_files,
            keyring: None,
            prints: [
                Print::new(path.to_owned(), None),
                Print::new(beside(path, "-wal"), Some(LOG_BEGINS_WITH)),
            ],
            _lock: lock,
        };
        Ok((store, found))
    }

    /// Writes all that waits, in one transaction: all of it, or nothing.
    ///
    /// `alive_unix_s` is kept as the moment at which the gateway was last alive; none says that it stops properly.
    pub(super) fn write(
        &mut self,
        waiting: &mut Waiting,
        ruling: Ruling<'_>,
        alive_unix_s: Option<u64>,
    ) -> Result<Written, StoreError> {
        let first = self.next_seq;
        waiting.attempt = Some(waiting.name_attempt(first));
        self.prints.iter_mut().try_for_each(Print::check)?;
        if self.pages.len() > CACHED_TEXTS {
            self.pages.clear();
        }
        let new_pages = waiting.agreements.new_pages(&self.pages);
        match self.try_write(waiting, &new_pages, ruling, alive_unix_s) {
            Ok((next, new_names)) => {
                for DeclarationRecord { hash, .. } in ruling.declarations {
                    if !self.declared.contains(hash) {
                        self.declared.insert(hash.clone());
                    }
                }
                self.pages.extend(new_pages.iter().map(|page| Arc::clone(page.hash())));
                self.next_seq = next;
                waiting.attempt = None;
                waiting.settle();
                Ok(Written { entries: next.saturating_sub(first), new_names })
            }
            Err(error) => {
                // What the transaction had numbered is not in the file.
                self.texts.clear();
                Err(error.into())
            }
        }
    }

    fn try_write(
        &mut self,
        waiting: &mut Waiting,
        new_pages: &[Arc<ShownPage>],
        ruling: Ruling<'_>,
        alive_unix_s: Option<u64>,
    ) -> rusqlite::Result<(u64, NewNames)> {
        let is_declared = |hash: &String| self.declared.contains(hash);
        let new = ruling.declarations.iter().filter(|declaration| !is_declared(&declaration.hash));
        let new: Vec<_> = new.collect();
        let mut writing = self.begin()?;
        for declaration in new {
            declare(&writing.transaction, declaration)?;
        }
        for event in &waiting.events {
            writing.event(event)?;
        }
        let dirty = waiting.verdicts.iter_mut().filter(|(_, open)| open.place.is_dirty);
        for (key, open) in dirty {
            writing.verdicts(key, open)?;
        }
        for page in new_pages {
            writing.page(page)?;
        }
        for (key, open) in waiting.agreements.dirty() {
            writing.agreement(key, open)?;
        }
        let dirty = waiting.heartbeats.iter_mut().filter(|(_, open)| open.place.is_dirty);
        // They are numbered as they are written: those of earlier windows come first.
        let mut dirty: Vec<_> = dirty.collect();
        dirty.sort_unstable_by_key(|(key, open)| (key.window, open.from_unix_s));
        for (key, open) in dirty {
            writing.heartbeat(key, open)?;
        }
        let alive = alive_unix_s.map(|unix_s| unix_s.to_string());
        writing.fact(ALIVE, alive.as_deref())?;
        writing.fact(CONFIGURATION, Some(ruling.configuration))?;
        writing.fact(DECLARATION, Some(ruling.declaration))?;
        writing.fact(BATCH, waiting.attempt.as_deref())?;
        let Writing { transaction, next_seq, new_names, .. } = writing;
        transaction.commit()?;
        Ok((next_seq, new_names))
    }

    /// Stores changes of tenants in one transaction, with an event each where events are kept. `attempt` names it.
    /// Returns how many entries were new.
    pub(super) fn change_tenants(
        &mut self,
        changes: &[Change],
        at_unix_s: u64,
        keeps_events: bool,
        attempt: &str,
    ) -> Result<u64, NotStored> {
        let first = self.next_seq;
        self.prints.iter_mut().try_for_each(Print::check).map_err(NotStored::Certain)?;
        match self.try_change_tenants(changes, at_unix_s, keeps_events, attempt) {
            Ok(next) => {
                self.next_seq = next;
                Ok(next.saturating_sub(first))
            }
            Err(error) => {
                self.texts.clear();
                Err(error)
            }
        }
    }

    fn try_change_tenants(
        &mut self,
        changes: &[Change],
        at_unix_s: u64,
        keeps_events: bool,
        attempt: &str,
    ) -> Result<u64, NotStored> {
        let certain = |error: rusqlite::Error| NotStored::Certain(error.into());
        let mut writing = self.begin().map_err(certain)?;
        for Change { changes, actor, .. } in changes {
            for change in changes {
                writing.tenant(change, actor, at_unix_s).map_err(certain)?;
                if keeps_events {
                    writing.tenant_event(change, actor, at_unix_s).map_err(certain)?;
                }
            }
        }
        writing.fact(BATCH, Some(attempt)).map_err(certain)?;
        let next_seq = writing.next_seq;
        let committed = writing.transaction.commit();
        committed.map_err(|error| NotStored::Doubtful(error.into()))?;
        Ok(next_seq)
    }

    /// Makes these all tenants of the file: it is a new one, and lacks those that were there before.
    pub(super) fn restore_tenants(&mut self, tenants: &Tenants) -> Result<(), StoreError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        tenants::replace(&transaction, tenants)?;
        Ok(transaction.commit()?)
    }

    fn begin(&mut self) -> rusqlite::Result<Writing<'_>> {
        if self.texts.len() > CACHED_TEXTS {
            self.texts.clear();
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let (texts, next_seq) = (&mut self.texts, self.next_seq);
        Ok(Writing { transaction, texts, next_seq, new_names: NewNames::default() })
    }

    /// The number of the next entry.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The key that signs; made where the ledger is new.
    pub(super) fn verifier(&mut self) -> Result<Verifier, CloseError> {
        Ok(self.keyring()?.1.signer().verifier().clone())
    }

    /// Closes the segment of all that was written; none where nothing was. Also changes the key, where another one waits
    /// for that.
    pub(super) fn close_segment(&mut self, now_unix_s: u64) -> Result<Option<Closed>, CloseError> {
        let (connection, keyring) = self.keyring()?;
        let next = keyring.next().unwrap_or_else(|error| {
            let error = error.to_string();
            warn!(error, "the next key can't be used; the present one goes on signing");
            None
        });
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let segment = segments::close(&transaction, keyring, next.as_ref(), now_unix_s)?;
        let Some(segment) = segment else {
            transaction.commit()?;
            return Ok(None);
        };
        let imbalance = imbalance(&transaction, segment.first, segment.last)?;
        transaction.commit()?;
        let adopted = next.map(|next| {
            info!(fingerprint = next.verifier().fingerprint(), "another key signs from now on");
            keyring.adopt(next)
        });
        // A change of the key is an entry, too.
        self.next_seq = segment.last.saturating_add(1);
        if let Some(Err(error)) = adopted {
            warn!(%error, "the new key's file can't be renamed; the next start does that");
        }
        Ok(Some(Closed { number: segment.number, imbalance }))
    }

    /// Removes the entries of segments that are older than that, and says so in an event. Returns the last of them.
    pub(super) fn prune(
        &mut self,
        before_unix_s: u64,
        now_unix_s: u64,
        actor: &str,
    ) -> rusqlite::Result<Option<u64>> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(segments) = segments::prune(&transaction, before_unix_s, now_unix_s)? else {
            return Ok(None);
        };
        let event = Event {
            at_unix_s: now_unix_s,
            kind: EventKind::Prune,
            tenant: None,
            actor: actor.to_owned(),
            detail: json!({ "segments": segments }).to_string(),
        };
        insert_event(&transaction, self.next_seq, &event)?;
        transaction.commit()?;
        self.next_seq = self.next_seq.saturating_add(1);
        // Some of them may be gone.
        self.texts.clear();
        self.pages.clear();
        Ok(Some(segments))
    }

    fn keyring(&mut self) -> Result<(&mut Connection, &mut Keyring), CloseError> {
        let keyring = match self.keyring.take() {
            Some(keyring) => keyring,
            None => {
                let behavior = TransactionBehavior::Immediate;
                let transaction = self.connection.transaction_with_behavior(behavior)?;
                let keyring = Keyring::open(&transaction, self.key_files.clone())?;
                transaction.commit()?;
                keyring
            }
        };
        Ok((&mut self.connection, self.keyring.insert(keyring)))
    }

    /// Folds the write-ahead log into the file, as well as readers let it.
    pub(super) fn fold(&self) {
        // What does not succeed is done by the next one who opens the file.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

/// What tells that a file is still the one that was opened, and still all there: SQLite does not look again at what it
/// knows, and would go on writing into a file that somebody has cut, replaced or removed.
#[derive(Debug)]
struct Print {
    path: PathBuf,
    inode: Option<u64>,
    length: u64,
    /// What a file begins with that is not empty.
    begins_with: Option<[u8; 3]>,
}

impl Print {
    /// A file whose beginning is not known is not opened: closing the ledger's own again would give up the locks that
    /// SQLite has on it.
    fn new(path: PathBuf, begins_with: Option<[u8; 3]>) -> Self {
        Self { path, inode: None, length: 0, begins_with }
    }

    fn check(&mut self) -> Result<(), StoreError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Damaged("it was removed".to_owned()));
            }
            Err(error) => return Err(StoreError::Io(error)),
        };
        if self.inode.is_some_and(|inode| inode != metadata.ino()) {
            return Err(StoreError::Damaged("another file was put in its place".to_owned()));
        }
        if metadata.len() < self.length {
            return Err(StoreError::Shrunk);
        }
        // One that was cut between a look at it and a write is as long as before, and empty where it was cut.
        if let Some(expected) = self.begins_with.filter(|_| metadata.len() > 0) {
            let mut begin = [0; 3];
            let read = File::open(&self.path).and_then(|mut file| file.read_exact(&mut begin));
            read.map_err(StoreError::Io)?;
            if begin != expected {
                return Err(StoreError::Shrunk);
            }
        }
        self.inode = Some(metadata.ino());
        self.length = metadata.len();
        Ok(())
    }
}

/// What a write-ahead log of SQLite begins with: the last byte of the four tells the order of bytes in its checksums.
const LOG_BEGINS_WITH: [u8; 3] = [0x37, 0x7f, 0x06];

/// Notes what a version of the declaration says, where that is not noted yet.
fn declare(connection: &Connection, declaration: &DeclarationRecord) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR IGNORE INTO declarations (hash, json, since) VALUES (?1, ?2, ?3)",
        params![declaration.hash, declaration.json, signed(declaration.since_unix_s)],
    )?;
    Ok(())
}

/// Whether a file begins as ours do, whatever may be behind that.
fn is_marked(path: &Path) -> bool {
    let mut begin = [0; MARK.end];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok()
        && begin.starts_with(b"SQLite format 3\0")
        && begin[MARK].iter().copied().eq(schema::APPLICATION_ID.to_be_bytes().into_iter().skip(4))
}

/// Where SQLite keeps a file's `application_id`: 4 bytes, big-endian.
const MARK: Range<usize> = 68..72;

fn fact(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM facts WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).optional()
}

/// The names of facts. While a gateway serves, [`ALIVE`] says when it was last alive, in seconds since the Unix epoch.
const ALIVE: &str = "alive";
const BATCH: &str = "batch";
const CONFIGURATION: &str = "configuration";
const DECLARATION: &str = "declaration";

/// A ledger has one page at least; SQLite's are of this size unless told otherwise.
const PAGE_BYTES: u64 = 4_096;

/// How many texts are known by heart; the file knows all of them.
const CACHED_TEXTS: usize = 100_000;

/// How long a transaction waits for another process that has the file.
const BUSY: Duration = Duration::from_millis(500);

/// Keeps other processes from writing the same ledger. The lock goes with the process, however that ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = beside(path, ".lock");
    let open = File::options().create(true).truncate(false).write(true).open(lock);
    let file = open.map_err(StoreError::Io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(error)) => Err(StoreError::Io(error)),
    }
}

/// Puts a damaged file out of the way, with what SQLite keeps beside it. Returns where it is now.
pub(super) fn set_aside(path: &Path, moment: &str) -> io::Result<PathBuf> {
    let target = (1_u32..).map(|number| {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        beside(path, &format!(".damaged-{}{number}", moment.replace([':', '-'], "")))
    });
    let is_free = |target: &PathBuf| !target.exists() && !beside(target, "-wal").exists();
    let target = target.into_iter().find(is_free).unwrap_or_else(|| beside(path, ".damaged"));
    // The file last: without it, SQLite would throw away what is beside it.
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(&target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(target)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            // SQLite did as it was told, and what came back is not what we wrote.
            return Self::Damaged(error.to_string());
        };
        match failure.code {
            // What is missing in a file that has our mark was there once.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => {
                Self::Damaged(error.to_string())
            }
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unavailable(error),
        }
    }
}
