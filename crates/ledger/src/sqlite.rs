//! Helpers for everything that reads or writes the state file with SQLite.

use std::path::{Path, PathBuf};

use rusqlite::Row;

/// An unsigned number as one of SQLite's, which are signed. Numbers beyond `i64::MAX` become that; none of a ledger reaches it.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number in a column that is never negative in a file that a gateway wrote.
///
/// # Errors
///
/// Fails on a negative number, on a value of another type, and where there is no such column.
pub fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, number))
}

/// The path with `suffix` appended to its file name: `crumbgate.db` and `-wal` make `crumbgate.db-wal`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
