//! Reads the ledger of a running gateway, of a stopped one, or a copy. Never writes.

use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Rows, params};

use super::{
    entry::{DeclarationRecord, Entry, Segment, SigningKey, TextId, Texts},
    progress::Progress,
    rows::{self, ReadEntry},
    schema::{self, SchemaError},
    sqlite::{Columns, beside, unsigned},
};

/// A ledger as it was when it was opened. Later writes are not visible.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    texts: Texts,
    path: PathBuf,
    /// The version of the file's tables.
    version: i64,
    progress: Progress,
}

/// A reason why a ledger can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file does not exist.
    #[error("{}: there is no such file; a gateway creates it when it starts", .path.display())]
    Absent {
        /// The path.
        path: PathBuf,
    },
    /// The file is not a state file.
    #[error("{}: {error}", .path.display())]
    Schema {
        /// The path.
        path: PathBuf,
        /// The reason.
        error: SchemaError,
    },
    /// The file or its content is damaged.
    #[error("{}: the file can't be read: {error}", .path.display())]
    Sqlite {
        /// The path.
        path: PathBuf,
        /// SQLite's error.
        error: rusqlite::Error,
    },
    /// An entry has a value that no version of the gateway writes.
    #[error("{}: entry {seq} is damaged: {what}", .path.display())]
    Entry {
        /// The path.
        path: PathBuf,
        /// The entry's number.
        seq: u64,
        /// The defect.
        what: &'static str,
    },
}

impl Reader {
    /// Opens a ledger and takes a snapshot of it.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let (connection, version) = open(path)?;
        let failed = |error| ReadError::Sqlite { path: path.to_owned(), error };
        let texts = texts(&connection).map_err(failed)?;
        let path = path.to_owned();
        Ok(Self { connection, texts, path, version, progress: Progress::default() })
    }

    /// Counts each entry that is read as a step of `progress`.
    #[must_use]
    pub fn counted_by(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The texts that entries refer to by number.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Passes the entries with these numbers to `each`, in order, each with its number. `each` may
    /// end the iteration with an error of its own.
    pub fn entries<E: From<ReadError>>(
        &self,
        first: u64,
        last: u64,
        mut each: impl FnMut(u64, Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        entries(&self.connection, first, last, |seq, entry| {
            self.progress.step();
            each(seq, entry)
        })
    }

    /// Announces that this many entries are going to be read.
    pub fn expect(&self, entries: u64) {
        self.progress.expect(entries);
    }

    /// Announces all entries. Where their number can't be read, later steps fail with a better
    /// message.
    pub fn expect_all(&self) {
        let (Ok(first), Ok(last)) = (self.first(), self.last()) else { return };
        let first = first.and_then(|first| u64::try_from(first).ok()).unwrap_or_default().max(1);
        self.expect(last.saturating_add(1).saturating_sub(first));
    }

    /// The number of the last entry; 0 where there is none.
    pub fn last(&self) -> Result<u64, ReadError> {
        let sql = select_last(self.version);
        let last = self.connection.query_row(&sql, [], |row| unsigned(row, 0));
        last.map_err(|error| self.failed(error))
    }

    /// The number of the first entry, which is negative or 0 in a damaged file. `None` where there
    /// is no entry.
    pub fn first(&self) -> Result<Option<i64>, ReadError> {
        let sql = select_first(self.version);
        let first = self.connection.query_row(&sql, [], |row| row.get(0));
        first.map_err(|error| self.failed(error))
    }

    /// The number of the last entry of a closed segment; 0 where no segment is closed.
    pub fn last_signed(&self) -> Result<u64, ReadError> {
        let sql = "SELECT coalesce(max(last), 0) FROM segments";
        let last = self.connection.query_row(sql, [], |row| unsigned(row, 0));
        last.map_err(|error| self.failed(error))
    }

    /// The number of the last closed segment, and the latest second that one of its entries
    /// mentions. `None` where no segment is closed.
    pub fn last_closed(&self) -> Result<Option<(u64, u64)>, ReadError> {
        let sql = "SELECT number, newest FROM segments ORDER BY number DESC LIMIT 1";
        let read = |row: &Row<'_>| {
            let mut columns = Columns::new(row);
            Ok((columns.unsigned()?, columns.unsigned()?))
        };
        let last = self.connection.query_row(sql, [], read).optional();
        last.map_err(|error| self.failed(error))
    }

    /// The closed segments, in order.
    pub fn segments(&self) -> Result<Vec<Segment>, ReadError> {
        self.collect(
            "SELECT number, first, last, newest, secret, checkpoint, pruned FROM segments ORDER BY number",
            |columns| {
                Ok(Segment {
                    number: columns.unsigned()?,
                    first: columns.unsigned()?,
                    last: columns.unsigned()?,
                    newest_unix_s: columns.unsigned()?,
                    secret: columns.get()?,
                    checkpoint: columns.get()?,
                    pruned_unix_s: columns.get::<Option<i64>>()?.map(i64::unsigned_abs),
                })
            },
        )
    }

    /// The outline of a segment, as bytes. `None` where the segment was pruned or does not exist.
    pub fn outline(&self, segment: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let number = i64::try_from(segment).unwrap_or(i64::MAX);
        let sql = "SELECT outline FROM segments WHERE number = ?1";
        let outline = self.connection.query_row(sql, [number], |row| row.get(0)).optional();
        outline.map(Option::flatten).map_err(|error| self.failed(error))
    }

    /// The keys that have signed, in order.
    pub fn keys(&self) -> Result<Vec<SigningKey>, ReadError> {
        self.collect("SELECT since_segment, verifier FROM keys ORDER BY since_segment", |columns| {
            Ok(SigningKey { since_segment: columns.unsigned()?, verifier: columns.get()? })
        })
    }

    /// The declarations that are or were in force, oldest first.
    pub fn declarations(&self) -> Result<Vec<DeclarationRecord>, ReadError> {
        self.collect("SELECT hash, json, since FROM declarations ORDER BY since, hash", |columns| {
            let (hash, json) = (columns.get()?, columns.get()?);
            Ok(DeclarationRecord { hash, json, since_unix_s: columns.unsigned()? })
        })
    }

    /// Passes every page to `each`, with its hash. `each` may end the iteration with an error of
    /// its own.
    pub fn pages<E: From<ReadError>>(
        &self,
        mut each: impl FnMut(&str, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.version < schema::WITH_AGREEMENTS {
            return Ok(());
        }
        let failed = |error| self.failed(error);
        let mut statement = self.connection.prepare(PAGES).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut columns = Columns::new(row);
            let hash: String = columns.get().map_err(failed)?;
            let html: Vec<u8> = columns.get().map_err(failed)?;
            each(&hash, &html)?;
        }
        Ok(())
    }

    /// The page with this hash.
    pub fn page(&self, hash: &str) -> Result<Option<Vec<u8>>, ReadError> {
        if self.version < schema::WITH_AGREEMENTS {
            return Ok(None);
        }
        let page = self.connection.query_row(PAGE, [hash], |row| row.get(0)).optional();
        page.map_err(|error| self.failed(error))
    }

    fn collect<T>(
        &self,
        sql: &str,
        mut read: impl FnMut(&mut Columns<'_, '_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReadError> {
        let mut collect = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map([], |row| read(&mut Columns::new(row)))?.collect()
        };
        collect().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: rusqlite::Error) -> ReadError {
        ReadError::Sqlite { path: self.path.clone(), error }
    }
}

/// Opens a state file and takes a snapshot of it. Also returns the version of its tables.
pub fn open(path: &Path) -> Result<(Connection, i64), ReadError> {
    if !path.exists() {
        return Err(ReadError::Absent { path: path.to_owned() });
    }
    let failed = |error| ReadError::Sqlite { path: path.to_owned(), error };
    let connection = match snapshot(path, false) {
        // Nobody writes in a folder or on a medium that is read-only, so the file can be opened
        // without locks.
        Err(error) if is_unwritable(&error) && !beside(path, "-wal").exists() => {
            snapshot(path, true)
        }
        opened => opened,
    };
    let connection = connection.map_err(failed)?;
    match schema::version(&connection) {
        Ok(0) => Err(ReadError::Absent { path: path.to_owned() }),
        Ok(version) => Ok((connection, version)),
        Err(SchemaError::Sqlite(error)) => Err(failed(error)),
        Err(error) => Err(ReadError::Schema { path: path.to_owned(), error }),
    }
}

/// Passes entries to `each` like [`Reader::entries`], from an open connection.
pub fn entries<E: From<ReadError>>(
    connection: &Connection,
    first: u64,
    last: u64,
    mut each: impl FnMut(u64, Entry) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |error| ReadError::Sqlite { path: path_of(connection), error };
    let bounds = [first, last].map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let prepare = |sql| connection.prepare_cached(sql).map_err(failed);
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let version = version.map_err(failed)?;
    let since = |first, sql, older| prepare(if version < first { older } else { sql });
    let (mut verdicts, mut heartbeats, mut events, mut agreements, mut guards) = (
        prepare(rows::VERDICTS)?,
        since(schema::WITH_AGREEMENTS, rows::HEARTBEATS, rows::HEARTBEATS_WITHOUT_AGREEMENTS)?,
        since(schema::WITH_TENANTS, rows::EVENTS, rows::EVENTS_WITHOUT_TENANT)?,
        since(schema::WITH_AGREEMENTS, rows::AGREEMENTS, rows::NOTHING)?,
        since(schema::WITH_GUARD, rows::GUARDS, rows::NOTHING)?,
    );
    let mut sources = [
        Source::new(verdicts.query(bounds).map_err(failed)?, rows::read_verdicts),
        Source::new(heartbeats.query(bounds).map_err(failed)?, rows::read_heartbeat),
        Source::new(events.query(bounds).map_err(failed)?, rows::read_event),
        Source::new(agreements.query(bounds).map_err(failed)?, rows::read_agreement),
        Source::new(guards.query(bounds).map_err(failed)?, rows::read_guard),
    ];
    for source in &mut sources {
        source.advance(connection)?;
    }
    loop {
        let next = sources.iter_mut().filter(|source| source.head.is_some());
        let next = next.min_by_key(|source| source.head.as_ref().map(|(seq, _)| *seq));
        let Some(source) = next else { return Ok(()) };
        let head = source.head.take();
        source.advance(connection)?;
        if let Some((seq, entry)) = head {
            each(seq, entry)?;
        }
    }
}

/// The path of a connection's file, for errors.
fn path_of(connection: &Connection) -> PathBuf {
    connection.path().unwrap_or_default().into()
}

/// Opens a database and begins a read transaction. `is_immutable` promises SQLite that nobody
/// changes the file.
fn snapshot(path: &Path, is_immutable: bool) -> rusqlite::Result<Connection> {
    // Only one thread at a time uses the connection, so SQLite needs no mutex.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if is_immutable {
        let path = path.as_os_str().as_encoded_bytes();
        let uri = format!("file:{}?immutable=1", percent_encode(path, NON_ALPHANUMERIC));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("BEGIN DEFERRED; SELECT count(*) FROM sqlite_schema")?;
    Ok(connection)
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// The time that a reader waits for a writer that locks the whole file.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// A table of entries, read one entry ahead.
struct Source<'s> {
    rows: Rows<'s>,
    read: ReadEntry,
    head: Option<(u64, Entry)>,
}

impl<'s> Source<'s> {
    fn new(rows: Rows<'s>, read: ReadEntry) -> Self {
        Self { rows, read, head: None }
    }

    fn advance(&mut self, connection: &Connection) -> Result<(), ReadError> {
        let failed = |error| ReadError::Sqlite { path: path_of(connection), error };
        let Some(row) = self.rows.next().map_err(failed)? else { return Ok(()) };
        let mut columns = Columns::new(row);
        let seq = columns.unsigned().map_err(failed)?;
        let damaged = |what| ReadError::Entry { path: path_of(connection), seq, what };
        let entry = (self.read)(&mut columns).map_err(|error| match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => damaged(WRONG_VALUE),
            error => failed(error),
        })?;
        self.head = Some((seq, entry.map_err(damaged)?));
        Ok(())
    }
}

const WRONG_VALUE: &str = "a value has a type or size that the gateway never writes";

/// Reads all texts from an open connection.
pub fn texts(connection: &Connection) -> rusqlite::Result<Texts> {
    let mut texts = Texts::default();
    let mut statement = connection.prepare("SELECT id, text FROM texts WHERE id < ?1")?;
    let mut rows = statement.query(params![MAX_TEXTS])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        texts.insert(TextId(columns.get()?), columns.get::<String>()?.into());
    }
    Ok(texts)
}

/// The limit on text numbers. Larger ones come from damage.
pub(crate) const MAX_TEXTS: u32 = 1 << 24;

/// Bytes, because what somebody has written into the file need not be text.
const PAGES: &str = "SELECT CAST(hash AS TEXT), CAST(html AS BLOB) FROM pages ORDER BY hash";

const PAGE: &str = "SELECT CAST(html AS BLOB) FROM pages WHERE hash = ?1";

/// The tables of entries, each with the first version of the file that has it.
const TABLES: [(&str, i64); 5] = [
    ("agreements", schema::WITH_AGREEMENTS),
    ("events", 1),
    ("guards", schema::WITH_GUARD),
    ("heartbeats", 1),
    ("verdicts", 1),
];

/// Selects the number of the last entry of all tables, or of the last closed segment, in a file of this version; 0 where
/// there is none.
pub fn select_last(version: i64) -> String {
    let of_tables = select_of_each_table("max", version);
    format!(
        "SELECT coalesce(max(seq), 0) FROM ({of_tables} UNION ALL SELECT max(last) FROM segments)"
    )
}

/// Selects the number of the first entry of all tables.
fn select_first(version: i64) -> String {
    format!("SELECT min(seq) FROM ({})", select_of_each_table("min", version))
}

fn select_of_each_table(aggregate: &str, version: i64) -> String {
    let present = TABLES.iter().filter(|(_, since)| *since <= version);
    let selects = present.map(|(table, _)| format!("SELECT {aggregate}(seq) AS seq FROM {table}"));
    selects.collect::<Vec<_>>().join(" UNION ALL ")
}
