//! The tenants that were set while a gateway ran, as the state file holds them: beside the ledger, so that both are one
//! file to back up.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use rusqlite::{Connection, Transaction, params};

use crumbgate_ledger::{
    read::{ReadError, open},
    schema::WITH_TENANTS,
    sqlite::{signed, unsigned},
};

/// A tenant, as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantRecord {
    /// Its name: a host, or `*.suffix`.
    pub host: Arc<str>,
    /// Its keys as they are written, as a JSON object: `{"session":"20m"}`.
    pub keys: Arc<str>,
}

/// A tenant that is to be set, or removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantChange {
    /// Its name: a host, or `*.suffix`.
    pub host: Arc<str>,
    /// Its keys so far, as a JSON object; none: there was no such tenant.
    pub before: Option<Arc<str>>,
    /// Its keys from now on; none: it is removed.
    pub after: Option<Arc<str>>,
}

/// All that the file says of its tenants, by name.
pub(super) type Tenants = BTreeMap<Arc<str>, Row>;

/// What the file says of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) keys: Arc<str>,
    pub(super) changed_unix_s: u64,
    /// Who has set it.
    pub(super) actor: Arc<str>,
}

/// The tenants that a state file holds, by name; none in a file that is absent, or of a version that had none. The file
/// is only read, and may be written meanwhile.
///
/// # Errors
///
/// Where there is a file, and it can't be read, or is none of ours.
pub fn stored_tenants(path: &Path) -> Result<Vec<TenantRecord>, ReadError> {
    let rows = stored(path)?.into_iter();
    Ok(rows.map(|(host, row)| TenantRecord { host, keys: row.keys }).collect())
}

pub(super) fn stored(path: &Path) -> Result<Tenants, ReadError> {
    match open(path) {
        Ok((connection, version)) if version >= WITH_TENANTS => {
            let failed = |error| ReadError::Sqlite { path: path.to_owned(), error };
            read(&connection).map_err(failed)
        }
        Ok(_) | Err(ReadError::Absent { .. }) => Ok(Tenants::new()),
        Err(error) => Err(error),
    }
}

/// Reads all of them.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Tenants> {
    let mut statement = connection.prepare("SELECT host, keys, changed, actor FROM tenants")?;
    let rows = statement.query_map([], |row| {
        let tenant =
            Row { keys: row.get(1)?, changed_unix_s: unsigned(row, 2)?, actor: row.get(3)? };
        Ok((row.get(0)?, tenant))
    })?;
    rows.collect()
}

/// Sets a tenant, whether it is there or not.
pub(super) fn set(
    transaction: &Transaction<'_>,
    host: &str,
    keys: &str,
    changed_unix_s: u64,
    actor: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tenants (host, keys, changed, actor) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (host) DO UPDATE \
               SET keys = excluded.keys, changed = excluded.changed, actor = excluded.actor";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![host, keys, signed(changed_unix_s), actor])?;
    Ok(())
}

/// Removes a tenant, if it is there.
pub(super) fn remove(transaction: &Transaction<'_>, host: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM tenants WHERE host = ?1")?.execute([host])?;
    Ok(())
}

/// Makes these all that there are.
pub(super) fn replace(transaction: &Transaction<'_>, tenants: &Tenants) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tenants", [])?;
    for (host, Row { keys, changed_unix_s, actor }) in tenants {
        set(transaction, host, keys, *changed_unix_s, actor)?;
    }
    Ok(())
}
