//! Tenants that were set at run time, in the same file as the ledger, so that one backup has both.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use rusqlite::{Connection, Transaction, params};

use crumbgate_ledger::{
    read::{ReadError, open},
    schema::WITH_TENANTS,
    sqlite::{Columns, signed},
};

/// A stored tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantRecord {
    /// The host, or `*.suffix`.
    pub host: Arc<str>,
    /// Its keys as in the configuration, as a JSON object: `{"session":"20m"}`.
    pub keys: Arc<str>,
}

/// A tenant to set or to remove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantChange {
    /// The host, or `*.suffix`.
    pub host: Arc<str>,
    /// Its present keys, as a JSON object; `None` where the tenant does not exist.
    pub before: Option<Arc<str>>,
    /// Its new keys; `None` removes it.
    pub after: Option<Arc<str>>,
}

/// All stored tenants, by name.
pub(super) type Tenants = BTreeMap<Arc<str>, StoredTenant>;

/// A row of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct StoredTenant {
    pub(super) keys: Arc<str>,
    pub(super) changed_unix_s: u64,
    /// The operator who set it.
    pub(super) actor: Arc<str>,
}

/// Reads the tenants of a state file, in the order of their names. Returns none where the file is
/// absent, or older than the table. The file is not changed, and another process may be writing it.
///
/// # Errors
///
/// Fails where the file exists and can't be read, or is not a state file.
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

/// Reads all tenants.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Tenants> {
    let mut statement = connection.prepare("SELECT host, keys, changed, actor FROM tenants")?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::new(row);
        let host = columns.get()?;
        let (keys, changed_unix_s) = (columns.get()?, columns.unsigned()?);
        Ok((host, StoredTenant { keys, changed_unix_s, actor: columns.get()? }))
    })?;
    rows.collect()
}

/// Inserts or updates a tenant.
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

/// Removes a tenant, if it exists.
pub(super) fn remove(transaction: &Transaction<'_>, host: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM tenants WHERE host = ?1")?.execute([host])?;
    Ok(())
}

/// Replaces all tenants.
pub(super) fn replace(transaction: &Transaction<'_>, tenants: &Tenants) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM tenants", [])?;
    for (host, StoredTenant { keys, changed_unix_s, actor }) in tenants {
        set(transaction, host, keys, *changed_unix_s, actor)?;
    }
    Ok(())
}
