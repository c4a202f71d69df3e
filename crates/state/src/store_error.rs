//! Errors of the state file.

use std::io;

use crumbgate_ledger::schema::SchemaError;
use rusqlite::{ErrorCode, ffi};

use crate::{key::KeyError, segments::SegmentError};

/// A reason why the file can't be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// Its content is not what a gateway wrote.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The folder or the lock file can't be accessed at the moment.
    #[error("can't access its folder or its lock file")]
    Io(#[source] io::Error),
    /// Another process writes it.
    #[error("another gateway writes it")]
    Locked,
    /// It is not a state file of Crumbgate.
    #[error(transparent)]
    Schema(SchemaError),
    /// It has become shorter. A program may have compacted it, so it is opened again; every entry
    /// must still be there.
    #[error("the file became shorter while it was open")]
    Shrunk,
    /// It can't be written at the moment: no room, no permission, or a failing disk.
    #[error(transparent)]
    Unavailable(rusqlite::Error),
}

/// A reason why a segment can't be closed. Its entries remain in the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseError {
    /// The signing key is missing or wrong.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The entries, or the checkpoint before them, are missing or damaged.
    #[error(transparent)]
    Seal(#[from] SegmentError),
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// A reason why tenant changes were not stored.
#[derive(Debug)]
pub(super) enum ChangeFailure {
    /// Nothing was changed.
    NotStored(StoreError),
    /// The commit failed. The file shows whether it took effect when it is opened again.
    InDoubt(StoreError),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            // SQLite did not fail: the result is not what a gateway wrote.
            return Self::Damaged(error.to_string());
        };
        match failure.code {
            // The file has our mark, so what is missing existed once.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => {
                Self::Damaged(error.to_string())
            }
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unavailable(error),
        }
    }
}
