//! The errors of a key file.

use std::{io, path::PathBuf};

use crumbgate_policy::seal::KeyId;

/// The reason that a key file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file does not exist.
    #[error(
        "{}: no such file; a gateway that seals creates it at its start, and so does: crumbgate seal add",
        path.display()
    )]
    Absent {
        /// The expected path.
        path: PathBuf,
    },
    /// The file has no key.
    #[error(
        "{}: found no key, expected a line such as: ID KEY; restore the file from a backup or from another gateway, \
                 or remove it so that a new one is created, which ends every sealed session",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Other users may read the file.
    #[error(
        "{}: found the mode {mode:04o}, which lets other users read the keys; correct it: chmod 600 {}",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line is faulty.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        fault: LineFault,
    },
    /// The system's random number generator failed.
    #[error("the system's random number generator failed, so no key was generated")]
    Random,
    /// The file can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file can't be written.
    #[error("{} can't be written; check that its folder is writable and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// The fault of a line. Never repeats its text, which may contain a key anywhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineFault {
    /// The first word is not an id.
    #[error(
        "the first word is not the id of a key: write its eight hexadecimal digits, then the key; {RESTORE}"
    )]
    Id,
    /// The second word is not a key.
    #[error("the second word is not a key: a key has 43 characters of base64url; {RESTORE}")]
    Key,
    /// The id belongs to another key.
    #[error(
        "the id does not match the key, whose id is {found}: one of the two is mistyped; {RESTORE}"
    )]
    Mistyped {
        /// The id of the key.
        found: KeyId,
    },
    /// The text after the key has another form.
    #[error(
        "only made TIME, until TIME (such as 2026-11-26T09:00:00Z), and # with a comment may follow the key: remove \
                 everything else"
    )]
    Rest,
    /// Another line has the same key.
    #[error("the key is already on line {first}: remove one of the two lines")]
    Twice {
        /// The line on which it occurs first.
        first: usize,
    },
}

const RESTORE: &str = "restore the line from a backup or another gateway, or remove it: sessions sealed with its key are then lost";
