//! The versions of the state file's tables, and how a file is recognized.
//!
//! The tables themselves are in the crate that writes the file.

use rusqlite::Connection;

/// What a file of this version has in SQLite's `user_version`.
pub const VERSION: i64 = 3;

/// What marks a file as one of ours, in SQLite's `application_id`: "Crmb".
pub const APPLICATION_ID: i64 = 0x4372_6d62;

/// Why a file is no ledger of ours.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is something else.
    #[error("it is no ledger of Crumbgate's; name another file in state.path")]
    Foreign,
    /// It is newer than this program.
    #[error(
        "its schema has version {found}, and this version of Crumbgate knows {VERSION}: use the newer one"
    )]
    Newer {
        /// Its version.
        found: i64,
    },
    /// SQLite can't read or write it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// The version of a file; 0 of an empty one.
pub fn version(connection: &Connection) -> Result<i64, SchemaError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, found, _) if found > VERSION => Err(SchemaError::Newer { found }),
        (APPLICATION_ID, found, _) => Ok(found),
        _ => Err(SchemaError::Foreign),
    }
}

/// Since when there are the tenants.
pub const WITH_TENANTS: i64 = 2;

/// Since when there are agreements, and their pages.
pub const WITH_AGREEMENTS: i64 = 3;
