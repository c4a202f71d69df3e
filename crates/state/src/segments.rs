//! Closes, signs and prunes segments, within a transaction that the caller commits.

use aws_lc_rs::{error::Unspecified, rand};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

use super::{
    key::Signer,
    keyring::{self, Keyring},
};
use crumbgate_ledger::{
    checkpoint::Checkpoint,
    entry::{Entry, EventKind, Segment},
    line::LineWriter,
    merkle::sha256,
    note::{NoteError, SignedNote},
    outline::OutlineBuilder,
    read::{self, ReadError, select_last},
    schema::VERSION,
    sqlite::{Columns, signed, unsigned},
};

/// A reason why a segment could not be closed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// A written entry is missing: somebody else has changed the file.
    #[error("entry {seq} is missing: it was removed before its segment was closed")]
    Missing {
        /// The entry's number.
        seq: u64,
    },
    /// The checkpoint of the previous segment is damaged.
    #[error("the checkpoint of segment {segment} is damaged")]
    Checkpoint {
        /// The previous segment.
        segment: u64,
        /// The defect.
        #[source]
        source: NoteError,
    },
    /// The system returned no random bits.
    #[error("the system returned no random bits for the salts")]
    Random,
    /// Entries can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// SQLite can't read or write.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl From<Unspecified> for SegmentError {
    fn from(_: Unspecified) -> Self {
        Self::Random
    }
}

/// Closes and signs the segment of all entries that are in no segment yet. Returns `None` where
/// there are no such entries.
///
/// With `next` ([`Keyring::next`]) the segment gets one more entry, which records the rotation; the
/// checkpoint and `keys` name the new key. After the commit, pass it to [`Keyring::adopt`].
///
/// The next entry's number is the segment's `last` plus one.
pub fn close(
    transaction: &Transaction<'_>,
    keyring: &Keyring,
    next: Option<&Signer>,
    at_unix_s: u64,
) -> Result<Option<Segment>, SegmentError> {
    let before = before(transaction)?;
    let (number, first) = (before.number + 1, before.last + 1);
    let mut last = transaction.query_row(&select_last(VERSION), [], |row| unsigned(row, 0))?;
    if let Some(next) = next {
        last = last.max(before.last) + 1;
        insert_rotation(transaction, last, at_unix_s, keyring.signer(), next)?;
        keyring::record(transaction, number + 1, next.verifier())?;
    }
    if last < first {
        return Ok(None);
    }

    let mut secret = [0; 32];
    rand::fill(&mut secret)?;
    let texts = read::texts(transaction)?;
    let lines = LineWriter::new(&texts, &secret);
    let (mut leaves, mut newest_unix_s, mut line) = (OutlineBuilder::default(), 0, Vec::new());
    read::entries(transaction, first, last, |seq, entry| {
        let expected = first + leaves.size();
        if seq != expected {
            return Err(SegmentError::Missing { seq: expected });
        }
        leaves.push(lines.leaf(seq, &entry, &mut line));
        newest_unix_s = newest_unix_s.max(newest(&entry));
        Ok(())
    })?;
    if first + leaves.size() <= last {
        return Err(SegmentError::Missing { seq: first + leaves.size() });
    }
    let (root, outline) = leaves.finish();

    let checkpoint = Checkpoint {
        ledger: keyring.signer().verifier().name().to_owned(),
        segment: number,
        first,
        last,
        root,
        previous: before.hash,
        closed_unix_s: at_unix_s,
        next_key: next.map(|next| next.verifier().clone()),
    };
    let segment = Segment {
        number,
        first,
        last,
        newest_unix_s,
        secret,
        checkpoint: keyring.signer().sign(&checkpoint.text()),
        pruned_unix_s: None,
    };
    transaction.execute(
        "INSERT INTO segments (number, first, last, newest, secret, checkpoint, outline) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            signed(number),
            signed(first),
            signed(last),
            signed(newest_unix_s),
            secret,
            segment.checkpoint,
            outline.to_bytes()
        ],
    )?;
    Ok(Some(segment))
}

/// Removes the entries of segments whose entries are all older than `before_unix_s`, of at most 200
/// segments. Their rows with the signed roots remain, and so do texts as long as there are not too
/// many. Returns the number of the last pruned segment, `None` where there was nothing to prune.
///
/// The caller records [`EventKind::Prune`] with that number in the same transaction: a segment
/// whose entries are missing without such an event does not verify.
pub fn prune(
    transaction: &Transaction<'_>,
    before_unix_s: u64,
    at_unix_s: u64,
) -> Result<Option<u64>, rusqlite::Error> {
    let mut old = transaction.prepare(
        "SELECT number, first, last FROM segments WHERE pruned IS NULL AND newest < ?1 ORDER BY number LIMIT 200",
    )?;
    let old: Vec<(i64, i64, i64)> = old
        .query_map([signed(before_unix_s)], |row| {
            let mut columns = Columns::new(row);
            Ok((columns.get()?, columns.get()?, columns.get()?))
        })?
        .collect::<Result<_, _>>()?;
    for (number, first, last) in &old {
        for table in ["agreements", "events", "guards", "heartbeats", "verdicts"] {
            let delete = format!("DELETE FROM {table} WHERE seq BETWEEN ?1 AND ?2");
            transaction.execute(&delete, [first, last])?;
        }
        transaction.execute(
            "UPDATE segments SET pruned = ?2, outline = NULL WHERE number = ?1",
            [*number, signed(at_unix_s)],
        )?;
    }
    if !old.is_empty() {
        prune_pages(transaction)?;
        prune_texts(transaction)?;
    }
    Ok(old.last().map(|(number, ..)| number.unsigned_abs()))
}

/// Removes pages that no entry names.
fn prune_pages(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM pages WHERE hash NOT IN \
         (SELECT text FROM texts WHERE id IN (SELECT page FROM agreements))",
        [],
    )?;
    Ok(())
}

/// Removes texts that nothing names, once there are many.
fn prune_texts(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let texts: i64 = transaction.query_row("SELECT count(*) FROM texts", [], |row| row.get(0))?;
    if texts < MANY_TEXTS {
        return Ok(());
    }
    transaction.execute(
        "DELETE FROM texts WHERE id NOT IN (
             SELECT tenant FROM verdicts UNION SELECT name FROM verdicts WHERE name IS NOT NULL
             UNION SELECT route FROM verdicts UNION SELECT declaration FROM verdicts
             UNION SELECT tenant FROM heartbeats WHERE tenant IS NOT NULL
             UNION SELECT tenant FROM events WHERE tenant IS NOT NULL
             UNION SELECT tenant FROM agreements UNION SELECT page FROM agreements
             UNION SELECT declaration FROM agreements
             UNION SELECT tenant FROM guards UNION SELECT declaration FROM guards
             UNION SELECT declaration FROM heartbeats UNION SELECT tenant FROM heartbeat_numbers)",
        [],
    )?;
    Ok(())
}

/// A ledger of hundreds of tenants has some thousands of texts.
const MANY_TEXTS: i64 = 100_000;

/// The end of the previous segment.
#[derive(Default)]
struct Before {
    number: u64,
    last: u64,
    hash: Option<[u8; 32]>,
}

fn before(transaction: &Transaction<'_>) -> Result<Before, SegmentError> {
    let newest = "SELECT number, last, checkpoint FROM segments ORDER BY number DESC LIMIT 1";
    let row = transaction.query_row(newest, [], |row| {
        let mut columns = Columns::new(row);
        Ok((columns.unsigned()?, columns.unsigned()?, columns.get::<String>()?))
    });
    let Some((number, last, checkpoint)) = row.optional()? else { return Ok(Before::default()) };
    let note = SignedNote::parse(&checkpoint)
        .map_err(|source| SegmentError::Checkpoint { segment: number, source })?;
    Ok(Before { number, last, hash: Some(sha256(note.text.as_bytes())) })
}

fn insert_rotation(
    transaction: &Transaction<'_>,
    seq: u64,
    at_unix_s: u64,
    old: &Signer,
    new: &Signer,
) -> rusqlite::Result<()> {
    let (old, new) = (old.verifier().to_string(), new.verifier().to_string());
    transaction.execute(
        "INSERT INTO events (seq, at, kind, actor, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            signed(seq),
            signed(at_unix_s),
            EventKind::Key.code(),
            "crumbgate audit rotate-key",
            json!({ "old": old, "new": new }).to_string()
        ],
    )?;
    Ok(())
}

/// The latest second that an entry mentions.
fn newest(entry: &Entry) -> u64 {
    match entry {
        Entry::Agreement(agreement) => agreement.last_unix_s,
        Entry::Event(event) => event.at_unix_s,
        Entry::Guard(guard) => guard.last_unix_s,
        Entry::Heartbeat(heartbeat) => heartbeat.until_unix_s,
        Entry::Verdicts(verdicts) => verdicts.last_unix_s,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::{super::key::KeyFiles, super::migrations, *};
    use crumbgate_ledger::{merkle::leaf, note::Verifier};

    struct Ledger {
        _folder: TempDir,
        path: PathBuf,
        connection: Connection,
        keyring: Keyring,
    }

    impl Ledger {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("crumbgate.db");
            let mut connection = Connection::open(&path).unwrap();
            migrations::migrate(&mut connection).unwrap();
            let keyring = open(&mut connection, &path);
            Self { _folder: folder, path, connection, keyring }
        }

        fn write(&self, seqs: std::ops::RangeInclusive<u64>) {
            for seq in seqs {
                let sql = "INSERT INTO events (seq, at, kind, actor, detail) VALUES (?1, ?1, 7, '', '{}')";
                self.connection.execute(sql, [signed(seq)]).unwrap();
            }
        }

        fn close(&mut self) -> Result<Option<Checkpoint>, SegmentError> {
            let next = self.keyring.next().unwrap();
            let transaction = self.connection.transaction().unwrap();
            let segment = close(&transaction, &self.keyring, next.as_ref(), 9_000)?;
            transaction.commit().unwrap();
            let signer = self.keyring.signer().verifier().clone();
            if let Some(next) = next {
                self.keyring.adopt(next).unwrap();
            }
            Ok(segment.map(|segment| parse(&segment.checkpoint, &signer)))
        }

        fn count(&self, what: &str) -> u64 {
            let sql = format!("SELECT count(*) FROM {what}");
            self.connection.query_row(&sql, [], |row| unsigned(row, 0)).unwrap()
        }
    }

    fn open(connection: &mut Connection, path: &std::path::Path) -> Keyring {
        let transaction = connection.transaction().unwrap();
        let keyring = Keyring::open(&transaction, KeyFiles::beside(path)).unwrap();
        transaction.commit().unwrap();
        keyring
    }

    fn parse(note: &str, signer: &Verifier) -> Checkpoint {
        let note = SignedNote::parse(note).unwrap();
        assert!(signer.verifies(&note));
        Checkpoint::parse(&note).unwrap()
    }

    #[test]
    fn a_segment_has_the_entries_of_no_other_and_follows_the_previous_one() {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.close().unwrap(), None, "nothing is there");
        ledger.write(1..=100);
        let first = ledger.close().unwrap().unwrap();
        assert_eq!((first.segment, first.first, first.last, first.previous), (1, 1, 100, None));
        assert_eq!(ledger.close().unwrap(), None, "nothing is new");
        ledger.write(101..=101);
        let second = ledger.close().unwrap().unwrap();
        assert_eq!((second.segment, second.first, second.last), (2, 101, 101));
        assert_eq!(second.previous, Some(first.hash()));
        assert_eq!(second.closed_unix_s, 9_000);

        let row = "SELECT secret, newest FROM segments WHERE number = 2";
        let (secret, newest): ([u8; 32], i64) =
            ledger.connection.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(newest, 101);
        let (texts, mut line) = (Default::default(), Vec::new());
        let entries = |seq, entry: Entry| {
            LineWriter::new(&texts, &secret).write(seq, &entry, &mut line);
            Ok::<_, ReadError>(())
        };
        read::entries(&ledger.connection, 101, 101, entries).unwrap();
        assert_eq!(second.root, leaf(&line), "one entry's line is the tree");
    }

    #[test]
    fn an_entry_that_is_removed_before_its_segment_is_closed_is_reported() {
        let mut ledger = Ledger::new();
        ledger.write(1..=5);
        for seq in [3, 1] {
            ledger.connection.execute("DELETE FROM events WHERE seq = ?1", [seq]).unwrap();
            let error = ledger.close().unwrap_err();
            assert!(error.to_string().starts_with(&format!("entry {seq} ")), "{error}");
        }
        assert_eq!(ledger.count("segments"), 0);
    }

    #[test]
    fn a_rotation_is_the_last_entry_that_the_old_key_signs_and_names_the_new_key() {
        let mut ledger = Ledger::new();
        ledger.write(1..=2);
        let name = ledger.keyring.signer().verifier().name().to_owned();
        let prepared = KeyFiles::beside(&ledger.path).prepare_next(&name).unwrap();
        let first = ledger.close().unwrap().unwrap();
        assert_eq!((first.last, &first.next_key), (3, &Some(prepared.clone())));
        let event = "SELECT actor || detail FROM events WHERE seq = 3";
        let event: String = ledger.connection.query_row(event, [], |row| row.get(0)).unwrap();
        assert!(
            event.starts_with("crumbgate audit rotate-key{")
                && event.contains(&prepared.to_string())
        );
        assert_eq!(*ledger.keyring.signer().verifier(), prepared);
        assert!(!KeyFiles::beside(&ledger.path).next().exists());

        ledger.write(4..=4);
        assert_eq!(ledger.close().unwrap().unwrap().next_key, None);
        let since = "SELECT since_segment FROM keys WHERE verifier = ?1";
        let since = ledger.connection.query_row(since, [prepared.to_string()], |row| row.get(0));
        assert_eq!(since, Ok(2));
    }

    #[test]
    fn a_rotation_alone_makes_a_segment() {
        let mut ledger = Ledger::new();
        let name = ledger.keyring.signer().verifier().name().to_owned();
        KeyFiles::beside(&ledger.path).prepare_next(&name).unwrap();
        assert_eq!(ledger.close().unwrap().unwrap().size(), 1);
    }

    #[test]
    fn an_interrupted_rotation_is_completed_by_the_next_start() {
        let mut ledger = Ledger::new();
        ledger.write(1..=1);
        let files = KeyFiles::beside(&ledger.path);
        let old = ledger.keyring.signer().verifier().clone();
        let new = files.prepare_next(old.name()).unwrap();

        // Before the commit the old key goes on signing, and the rotation stays prepared.
        let transaction = ledger.connection.transaction().unwrap();
        let next = ledger.keyring.next().unwrap();
        close(&transaction, &ledger.keyring, next.as_ref(), 9_000).unwrap();
        transaction.rollback().unwrap();
        ledger.keyring = open(&mut ledger.connection, &ledger.path);
        assert_eq!(*ledger.keyring.signer().verifier(), old);
        assert!(files.next().exists());
        assert_eq!(ledger.count("events"), 1);

        // After the commit and before the rename, the new key signs.
        let transaction = ledger.connection.transaction().unwrap();
        let next = ledger.keyring.next().unwrap();
        close(&transaction, &ledger.keyring, next.as_ref(), 9_000).unwrap();
        transaction.commit().unwrap();
        ledger.keyring = open(&mut ledger.connection, &ledger.path);
        assert_eq!(*ledger.keyring.signer().verifier(), new);
        assert!(!files.next().exists());

        // After the rename.
        ledger.keyring = open(&mut ledger.connection, &ledger.path);
        assert_eq!(*ledger.keyring.signer().verifier(), new);
        assert!(ledger.keyring.next().unwrap().is_none());
        ledger.write(3..=3);
        assert!(ledger.close().unwrap().is_some());
    }

    #[test]
    fn pruning_removes_the_entries_of_whole_segments_and_keeps_their_proofs() {
        let mut ledger = Ledger::new();
        for seqs in [1..=10, 11..=20, 21..=30] {
            ledger.write(seqs);
            ledger.close().unwrap();
        }
        let mut prune = |before| {
            let transaction = ledger.connection.transaction().unwrap();
            let pruned = prune(&transaction, before, 9_999).unwrap();
            transaction.commit().unwrap();
            pruned
        };
        assert_eq!(prune(10), None, "an entry of the tenth second is in the first segment");
        assert_eq!(prune(25), Some(2));
        assert_eq!(prune(25), None);
        assert_eq!(ledger.count("events"), 10);
        assert_eq!(ledger.count("segments"), 3);
        assert_eq!(ledger.count("segments WHERE pruned = 9999 AND outline IS NULL"), 2);
    }
}
