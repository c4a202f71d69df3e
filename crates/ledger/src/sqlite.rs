//! Helpers for everything that reads or writes the state file with SQLite.

use std::path::{Path, PathBuf};

use rusqlite::{Row, types::FromSql};

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

/// Reads the columns of a row from left to right, in the order of the `SELECT` beside the caller.
#[derive(Debug)]
pub struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    /// Begins with the first column.
    pub fn new(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    /// Reads the next column.
    ///
    /// # Errors
    ///
    /// Fails where the value has another type.
    pub fn get<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let index = self.next;
        self.next += 1;
        self.row.get(index)
    }

    /// Reads the next column as [`unsigned`] does.
    ///
    /// # Errors
    ///
    /// Fails on a negative number, and where the value has another type.
    pub fn unsigned(&mut self) -> rusqlite::Result<u64> {
        let index = self.next;
        self.next += 1;
        unsigned(self.row, index)
    }
}

/// The path with `suffix` appended to its file name: `crumbgate.db` and `-wal` make `crumbgate.db-wal`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
