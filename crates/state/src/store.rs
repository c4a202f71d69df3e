//! The state file while this process writes it: open, write in transactions, close segments.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde_json::json;
use tracing::{info, warn};

use super::{
    agreements::StoredPages,
    balance::imbalance,
    buffer::WriteBuffer,
    entry_writer::{EntryWriter, NewNames, insert_event},
    file::{self, FileIdentity, LOG_BEGINS_WITH},
    handle::Change,
    key::KeyFiles,
    keyring::Keyring,
    migrations, segments,
    store_error::{ChangeFailure, CloseError, StoreError},
    tenants::{self, Tenants},
};
use crumbgate_audit::ShownPage;
use crumbgate_ledger::{
    entry::{DeclarationRecord, Event, EventKind},
    note::Verifier,
    read::select_last,
    schema::{SchemaError, VERSION},
    sqlite::{beside, signed, unsigned},
};

/// An open state file. No other process writes it.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    /// Numbers of texts that are in the file. A cache: the file has all of them.
    texts: HashMap<Arc<str>, i64, RandomState>,
    /// The hashes of declarations that are in the file.
    declared: HashSet<String, RandomState>,
    /// Hashes of pages that are in the file. A cache.
    pages: StoredPages,
    next_seq: u64,
    key_files: KeyFiles,
    /// `None` until the key is first needed, and while it can't be read.
    keyring: Option<Keyring>,
    /// The file and its write-ahead log as they were at the last write.
    identities: [FileIdentity; 2],
    /// The lock that keeps other gateways from writing. Held until drop.
    _lock: File,
}

/// The configuration and the declaration that are in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct CurrentDeclaration<'r> {
    pub(super) configuration: &'r str,
    /// The hash of the declaration.
    pub(super) declaration: &'r str,
    /// Every declaration that an entry may name.
    pub(super) declarations: &'r VecDeque<DeclarationRecord>,
}

/// The result of a write.
#[derive(Debug)]
pub(super) struct Written {
    /// The number of new entries.
    pub(super) entries: u64,
    pub(super) new_names: NewNames,
}

/// A closed segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentSummary {
    pub(super) number: u64,
    /// The number of cookies by which its entries don't add up.
    pub(super) imbalance: u64,
}

/// The state of the file when it was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct OpenReport {
    /// The last moment at which the previous gateway was alive, unless it stopped properly.
    pub(super) alive_unix_s: Option<u64>,
    /// The configuration that was last in force.
    pub(super) configuration: Option<String>,
    /// The declaration that was last in force.
    pub(super) declaration: Option<String>,
    /// True if the file was absent or empty.
    pub(super) is_new: bool,
    /// True if a key exists, and the ledger that it signed does not.
    pub(super) is_orphaned: bool,
    /// The name of the last committed transaction.
    pub(super) batch: Option<String>,
    /// The number of the next entry.
    pub(super) next_seq: u64,
    /// The tenants that were set at run time.
    pub(super) tenants: Tenants,
}

impl Store {
    /// Opens or creates the file and locks it against other writers. Adds `declarations` to it.
    ///
    /// `is_ours` says that this process has written the file before. A file with a signing key
    /// beside it, or with the mark of a state file, counts as ours too.
    pub(super) fn open(
        path: &Path,
        declarations: &VecDeque<DeclarationRecord>,
        is_ours: bool,
    ) -> Result<(Self, OpenReport), StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::Io)?;
        }
        let lock = file::lock(path)?;
        let key_files = KeyFiles::beside(path);
        let is_ours = is_ours || key_files.current().exists() || file::is_marked(path);
        let opened = Self::open_locked(path, declarations, key_files, lock);
        opened.map_err(|error| match error {
            // Another program's file is never moved aside.
            StoreError::Damaged(_) if !is_ours => StoreError::Schema(SchemaError::Foreign),
            error => error,
        })
    }

    fn open_locked(
        path: &Path,
        declarations: &VecDeque<DeclarationRecord>,
        key_files: KeyFiles,
        lock: File,
    ) -> Result<(Self, OpenReport), StoreError> {
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if (1..PAGE_BYTES).contains(&length) {
            // SQLite would treat this file as empty and overwrite it.
            return Err(StoreError::Damaged(format!("it has {length} bytes")));
        }
        let is_orphaned = length == 0 && key_files.current().exists();
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        // A committed transaction survives a crash of the process and of the machine.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrations::migrate(&mut connection).map_err(|error| match error {
            SchemaError::Sqlite(error) => error.into(),
            SchemaError::Foreign | SchemaError::Newer { .. } => StoreError::Schema(error),
        })?;
        let report = OpenReport {
            alive_unix_s: fact(&connection, ALIVE)?.and_then(|unix_s| unix_s.parse().ok()),
            configuration: fact(&connection, CONFIGURATION)?,
            declaration: fact(&connection, DECLARATION)?,
            is_new: length == 0,
            is_orphaned,
            batch: fact(&connection, BATCH)?,
            next_seq: connection
                .query_row(&select_last(VERSION), [], |row| unsigned(row, 0))?
                .saturating_add(1),
            tenants: tenants::read(&connection)?,
        };
        for declaration in declarations {
            declare(&connection, declaration)?;
        }
        let store = Self {
            connection,
            texts: HashMap::default(),
            declared: declarations.iter().map(|declaration| declaration.hash.clone()).collect(),
            pages: StoredPages::default(),
            next_seq: report.next_seq,
            key_files,
            keyring: None,
            identities: [
                FileIdentity::new(path.to_owned(), None),
                FileIdentity::new(beside(path, "-wal"), Some(LOG_BEGINS_WITH)),
            ],
            _lock: lock,
        };
        Ok((store, report))
    }

    /// Writes everything in the buffer in one transaction.
    ///
    /// `alive_unix_s` is stored as the last moment at which the gateway was alive. `None` records
    /// that it stops properly.
    pub(super) fn write(
        &mut self,
        buffer: &mut WriteBuffer,
        current: CurrentDeclaration<'_>,
        alive_unix_s: Option<u64>,
    ) -> Result<Written, StoreError> {
        let first = self.next_seq;
        buffer.attempt = Some(buffer.next_attempt(first));
        self.identities.iter_mut().try_for_each(FileIdentity::check)?;
        if self.pages.len() > CACHED_TEXTS {
            self.pages.clear();
        }
        let new_pages = buffer.agreements.new_pages(&self.pages);
        match self.try_write(buffer, &new_pages, current, alive_unix_s) {
            Ok((next, new_names)) => {
                for DeclarationRecord { hash, .. } in current.declarations {
                    if !self.declared.contains(hash) {
                        self.declared.insert(hash.clone());
                    }
                }
                self.pages.extend(new_pages.iter().map(|page| Arc::clone(page.hash())));
                self.next_seq = next;
                buffer.attempt = None;
                buffer.mark_written();
                Ok(Written { entries: next.saturating_sub(first), new_names })
            }
            Err(error) => {
                // The texts that this transaction numbered are not in the file.
                self.texts.clear();
                Err(error.into())
            }
        }
    }

    fn try_write(
        &mut self,
        buffer: &mut WriteBuffer,
        new_pages: &[Arc<ShownPage>],
        current: CurrentDeclaration<'_>,
        alive_unix_s: Option<u64>,
    ) -> rusqlite::Result<(u64, NewNames)> {
        let is_declared = |hash: &String| self.declared.contains(hash);
        let new = current.declarations.iter().filter(|declaration| !is_declared(&declaration.hash));
        let new: Vec<_> = new.collect();
        let mut writer = self.begin()?;
        for declaration in new {
            declare(&writer.transaction, declaration)?;
        }
        for event in &buffer.events {
            writer.event(event)?;
        }
        let dirty = buffer.verdicts.iter_mut().filter(|(_, pending)| pending.state.is_dirty);
        for (key, pending) in dirty {
            writer.verdicts(key, pending)?;
        }
        for page in new_pages {
            writer.page(page)?;
        }
        for (key, pending) in buffer.agreements.dirty() {
            writer.agreement(key, pending)?;
        }
        for (key, pending) in buffer.guards.dirty() {
            writer.guard(key, pending)?;
        }
        let dirty = buffer.heartbeats.iter_mut().filter(|(_, pending)| pending.state.is_dirty);
        // Heartbeats are numbered as they are written, so those of earlier windows come first.
        let mut dirty: Vec<_> = dirty.collect();
        dirty.sort_unstable_by_key(|(key, pending)| (key.window, pending.from_unix_s));
        for (key, pending) in dirty {
            writer.heartbeat(key, pending)?;
        }
        let alive = alive_unix_s.map(|unix_s| unix_s.to_string());
        writer.fact(ALIVE, alive.as_deref())?;
        writer.fact(CONFIGURATION, Some(current.configuration))?;
        writer.fact(DECLARATION, Some(current.declaration))?;
        writer.fact(BATCH, buffer.attempt.as_deref())?;
        let EntryWriter { transaction, next_seq, new_names, .. } = writer;
        transaction.commit()?;
        Ok((next_seq, new_names))
    }

    /// Stores tenant changes in one transaction named `attempt`, with an event for each where
    /// events are kept. Returns the number of new entries.
    pub(super) fn change_tenants(
        &mut self,
        changes: &[Change],
        at_unix_s: u64,
        keeps_events: bool,
        attempt: &str,
    ) -> Result<u64, ChangeFailure> {
        let first = self.next_seq;
        self.identities
            .iter_mut()
            .try_for_each(FileIdentity::check)
            .map_err(ChangeFailure::NotStored)?;
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
    ) -> Result<u64, ChangeFailure> {
        let certain = |error: rusqlite::Error| ChangeFailure::NotStored(error.into());
        let mut writer = self.begin().map_err(certain)?;
        for Change { changes, actor, .. } in changes {
            for change in changes {
                writer.tenant(change, actor, at_unix_s).map_err(certain)?;
                if keeps_events {
                    writer.tenant_event(change, actor, at_unix_s).map_err(certain)?;
                }
            }
        }
        writer.fact(BATCH, Some(attempt)).map_err(certain)?;
        let next_seq = writer.next_seq;
        let committed = writer.transaction.commit();
        committed.map_err(|error| ChangeFailure::InDoubt(error.into()))?;
        Ok(next_seq)
    }

    /// Replaces all tenants of the file. Used where a new file takes the place of a lost one.
    pub(super) fn restore_tenants(&mut self, tenants: &Tenants) -> Result<(), StoreError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        tenants::replace(&transaction, tenants)?;
        Ok(transaction.commit()?)
    }

    fn begin(&mut self) -> rusqlite::Result<EntryWriter<'_>> {
        if self.texts.len() > CACHED_TEXTS {
            self.texts.clear();
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let (texts, next_seq) = (&mut self.texts, self.next_seq);
        Ok(EntryWriter { transaction, texts, next_seq, new_names: NewNames::default() })
    }

    /// The number of the next entry.
    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The public key of the signing key, which is created for a new ledger.
    pub(super) fn verifier(&mut self) -> Result<Verifier, CloseError> {
        Ok(self.keyring()?.1.signer().verifier().clone())
    }

    /// Closes the segment of all entries that were written. Returns `None` where there are none.
    /// Changes the signing key where a rotation is prepared.
    pub(super) fn close_segment(
        &mut self,
        now_unix_s: u64,
    ) -> Result<Option<SegmentSummary>, CloseError> {
        let (connection, keyring) = self.keyring()?;
        let next = keyring.next().unwrap_or_else(|error| {
            let error = error.to_string();
            warn!(error, "the next key can't be used; the current key continues to sign");
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
            info!(fingerprint = next.verifier().fingerprint(), "the new key signs from now on");
            keyring.adopt(next)
        });
        // The key rotation is an entry too.
        self.next_seq = segment.last.saturating_add(1);
        if let Some(Err(error)) = adopted {
            warn!(%error, "the new key's file can't be renamed; the next start renames it");
        }
        Ok(Some(SegmentSummary { number: segment.number, imbalance }))
    }

    /// Removes the entries of segments that are older, and records it as an event. Returns the
    /// number of the last removed segment.
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
        // Cached texts and pages may be among the removed ones.
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

    /// Copies the write-ahead log into the file and empties it, unless readers prevent it.
    pub(super) fn checkpoint_log(&self) {
        // The next process that opens the file does the rest.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

/// Stores a declaration, unless the file has it.
fn declare(connection: &Connection, declaration: &DeclarationRecord) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR IGNORE INTO declarations (hash, json, since) VALUES (?1, ?2, ?3)",
        params![declaration.hash, declaration.json, signed(declaration.since_unix_s)],
    )?;
    Ok(())
}

fn fact(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM facts WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).optional()
}

/// The names of facts. [`ALIVE`] is the last moment at which the gateway was alive, in seconds
/// since the Unix epoch; it is absent after a proper stop.
const ALIVE: &str = "alive";
const BATCH: &str = "batch";
const CONFIGURATION: &str = "configuration";
const DECLARATION: &str = "declaration";

/// SQLite's default page size. A state file has at least one page.
const PAGE_BYTES: u64 = 4_096;

/// The limit on cached texts and on cached pages.
const CACHED_TEXTS: usize = 100_000;

/// The time that a transaction waits for another process that locks the file.
const BUSY: Duration = Duration::from_millis(500);
