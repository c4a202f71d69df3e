//! The versions of the state file, and how a state file is recognized. The crate that writes the
//! file defines its tables.

use rusqlite::Connection;

/// The newest version, in SQLite's `user_version`.
pub const VERSION: i64 = 4;

/// The mark of a state file, in SQLite's `application_id`: "Crmb".
pub const APPLICATION_ID: i64 = 0x4372_6d62;

/// A reason why a file is not a state file that this version reads.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is something else.
    #[error("it is not a state file of Crumbgate; name another file in state.path")]
    Foreign,
    /// It is newer than this program.
    #[error(
        "its schema has version {found}, and this version of Crumbgate reads versions up to {VERSION}: use a newer one"
    )]
    Newer {
        /// The file's version.
        found: i64,
    },
    /// SQLite can't read or write it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Returns the version of a file; 0 for an empty one.
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

/// The first version with tenants.
pub const WITH_TENANTS: i64 = 2;

/// The first version with agreements and pages.
pub const WITH_AGREEMENTS: i64 = 3;

/// The first version with events of the guard.
pub const WITH_GUARD: i64 = 4;
