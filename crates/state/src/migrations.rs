//! The tables of the state file, and the steps from each version to the next.

use rusqlite::{Connection, Transaction};

use crumbgate_ledger::schema::{APPLICATION_ID, SchemaError, VERSION, version};

/// Updates an empty or older file to the present version, in one transaction.
///
/// # Errors
///
/// Fails where the file is not a state file, has a newer version, or can't be written.
pub fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    let version = version(connection)?;
    if version == VERSION {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    set_pragma(&transaction, "application_id", APPLICATION_ID)?;
    set_pragma(&transaction, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn set_pragma(transaction: &Transaction<'_>, name: &str, value: i64) -> rusqlite::Result<()> {
    transaction.pragma_update(None, name, value)
}

/// The step from version n to n + 1. A released step is never changed: a change is a new step.
///
/// `seq` is one sequence over the tables of entries: `agreements`, `events`, `guards`, `heartbeats`,
/// `verdicts`. Times are seconds since the Unix epoch. `codes.rs` defines the numbers of closed
/// sets, and `texts` holds the texts.
const MIGRATIONS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

const _: () = assert!(MIGRATIONS.len() as i64 == VERSION, "each version has its step");

const VERSION_1: &str = "
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        text TEXT NOT NULL UNIQUE
    );
    CREATE TABLE verdicts (
        seq INTEGER PRIMARY KEY,
        window INTEGER NOT NULL,
        window_s INTEGER NOT NULL,
        tenant INTEGER NOT NULL,
        mode INTEGER NOT NULL,
        direction INTEGER NOT NULL,
        action INTEGER NOT NULL,
        name INTEGER,
        lifetime INTEGER,
        granted_s INTEGER,
        route INTEGER NOT NULL,
        declaration INTEGER NOT NULL,
        count INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        attributes INTEGER NOT NULL
    );
    CREATE TABLE heartbeats (
        seq INTEGER PRIMARY KEY,
        window INTEGER NOT NULL,
        window_s INTEGER NOT NULL,
        tenant INTEGER,
        number INTEGER NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        seen_request INTEGER NOT NULL,
        seen_response INTEGER NOT NULL,
        added INTEGER NOT NULL,
        dropped_request INTEGER NOT NULL,
        dropped_response INTEGER NOT NULL,
        dropped_added INTEGER NOT NULL,
        declaration INTEGER NOT NULL
    );
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        actor TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE TABLE segments (
        number INTEGER PRIMARY KEY,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        secret BLOB NOT NULL,
        checkpoint TEXT NOT NULL,
        pruned INTEGER,
        -- See `outline.rs`; none where the entries were pruned.
        outline BLOB
    );
    CREATE TABLE keys (
        since_segment INTEGER PRIMARY KEY,
        verifier TEXT NOT NULL
    );
    CREATE TABLE declarations (
        hash TEXT PRIMARY KEY,
        json TEXT NOT NULL,
        since INTEGER NOT NULL
    ) WITHOUT ROWID;
    -- How many heartbeats each tenant has had (0: the gateway itself), also after they were pruned.
    CREATE TABLE heartbeat_numbers (
        tenant INTEGER PRIMARY KEY,
        number INTEGER NOT NULL
    );
    -- What the gateway remembers of itself: see `store.rs`.
    CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    ";

const VERSION_2: &str = "
    -- The tenants that were set while a gateway ran: their keys as they are written in `config.toml`, as a JSON object.
    CREATE TABLE tenants (
        host TEXT PRIMARY KEY,
        keys TEXT NOT NULL,
        changed INTEGER NOT NULL,
        actor TEXT NOT NULL
    ) WITHOUT ROWID;
    -- Whom an event is about, where that is one tenant.
    ALTER TABLE events ADD COLUMN tenant INTEGER;
    ";

const VERSION_3: &str = "
    -- What became of the gateway's own pages.
    CREATE TABLE agreements (
        seq INTEGER PRIMARY KEY,
        window INTEGER NOT NULL,
        window_s INTEGER NOT NULL,
        tenant INTEGER NOT NULL,
        event INTEGER NOT NULL,
        page INTEGER NOT NULL,
        declaration INTEGER NOT NULL,
        count INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL
    );
    -- The pages themselves, each as long as an entry names it. `hash` is the SHA-256 of `html`, in hexadecimal digits.
    CREATE TABLE pages (
        hash TEXT PRIMARY KEY,
        html TEXT NOT NULL
    );
    ALTER TABLE heartbeats ADD COLUMN agreements INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE heartbeats ADD COLUMN dropped_agreements INTEGER NOT NULL DEFAULT 0;
    ";

const VERSION_4: &str = "
    -- Events of the guard: pages that got its script or did not, and names that browsers reported.
    CREATE TABLE guards (
        seq INTEGER PRIMARY KEY,
        window INTEGER NOT NULL,
        window_s INTEGER NOT NULL,
        tenant INTEGER NOT NULL,
        mode INTEGER NOT NULL,
        event INTEGER NOT NULL,
        -- Not a number in `texts`: anybody can post a name, and it leaves the file with its entry.
        name TEXT,
        declaration INTEGER NOT NULL,
        count INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL
    );
    ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_version_2_becomes_one_of_this_version_and_its_heartbeats_have_no_agreements() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(VERSION_1).unwrap();
        connection.execute_batch(VERSION_2).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        let old =
            "INSERT INTO heartbeats VALUES (1, 2, 3, NULL, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
                   INSERT INTO tenants VALUES ('a.example', '{}', 1, 'ada')";
        connection.execute_batch(old).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
        let heartbeat = "SELECT seq || dropped_added || declaration || agreements || dropped_agreements FROM heartbeats";
        let heartbeat: String = connection.query_row(heartbeat, [], |row| row.get(0)).unwrap();
        assert_eq!(heartbeat, "1131400");
        for (table, rows) in [("tenants", 1), ("agreements", 0), ("pages", 0), ("guards", 0)] {
            let count = format!("SELECT count(*) FROM {table}");
            assert_eq!(connection.query_row(&count, [], |row| row.get::<_, i64>(0)), Ok(rows));
        }
    }

    #[test]
    fn a_file_of_version_1_becomes_one_of_this_version_and_keeps_what_it_has() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(VERSION_1).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let old = "INSERT INTO events VALUES (1, 2, 7, 'crumbgate run', '{}')";
        connection.execute_batch(old).unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
        let event = "SELECT seq || at || kind || actor || detail FROM events WHERE tenant IS NULL";
        let event: String = connection.query_row(event, [], |row| row.get(0)).unwrap();
        assert_eq!(event, "127crumbgate run{}");
        let tenants = "SELECT count(*) FROM tenants";
        assert_eq!(connection.query_row(tenants, [], |row| row.get::<_, i64>(0)), Ok(0));
    }
}
