//! The state file on the disk: its lock, its mark, changes by others, and moving a damaged one aside.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crumbgate_ledger::{schema, sqlite::beside};

use crate::store_error::StoreError;

/// Returns true if the file begins like a state file of Crumbgate. The rest may be damaged.
pub(super) fn is_marked(path: &Path) -> bool {
    let mut begin = [0; MARK.end];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok()
        && begin.starts_with(b"SQLite format 3\0")
        && begin[MARK].iter().copied().eq(schema::APPLICATION_ID.to_be_bytes().into_iter().skip(4))
}

/// The place of SQLite's `application_id`: 4 bytes, big-endian.
const MARK: Range<usize> = 68..72;

/// The first bytes of SQLite's write-ahead log. The fourth byte is the byte order of its checksums.
pub(super) const LOG_BEGINS_WITH: [u8; 3] = [0x37, 0x7f, 0x06];

/// Locks the file against other gateways. The lock ends with the process at the latest.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = beside(path, ".lock");
    let open = File::options().create(true).truncate(false).write(true).open(lock);
    let file = open.map_err(StoreError::Io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(error)) => Err(StoreError::Io(error)),
    }
}

/// Detects that the file was cut, replaced or removed since the last write. SQLite relies on its
/// cached pages and would not notice.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    inode: Option<u64>,
    length: u64,
    /// The first bytes of the file, unless it is empty.
    begins_with: Option<[u8; 3]>,
}

impl FileIdentity {
    /// The file is opened only where `begins_with` is given: closing a second handle of the
    /// database would release SQLite's locks on it.
    pub(super) fn new(path: PathBuf, begins_with: Option<[u8; 3]>) -> Self {
        Self { path, inode: None, length: 0, begins_with }
    }

    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Damaged("it was removed".to_owned()));
            }
            Err(error) => return Err(StoreError::Io(error)),
        };
        if self.inode.is_some_and(|inode| inode != metadata.ino()) {
            return Err(StoreError::Damaged("another file was put in its place".to_owned()));
        }
        if metadata.len() < self.length {
            return Err(StoreError::Shrunk);
        }
        // A file that was cut between this check and a write has its old length, and zeros where it
        // was cut.
        if let Some(expected) = self.begins_with.filter(|_| metadata.len() > 0) {
            let mut begin = [0; 3];
            let read = File::open(&self.path).and_then(|mut file| file.read_exact(&mut begin));
            read.map_err(StoreError::Io)?;
            if begin != expected {
                return Err(StoreError::Shrunk);
            }
        }
        self.inode = Some(metadata.ino());
        self.length = metadata.len();
        Ok(())
    }
}

/// Moves a damaged file, its write-ahead log and its index aside. Returns the new path.
pub(super) fn set_aside(path: &Path, moment: &str) -> io::Result<PathBuf> {
    let target = (1_u32..).map(|number| {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        beside(path, &format!(".damaged-{}{number}", moment.replace([':', '-'], "")))
    });
    let is_free = |target: &PathBuf| !target.exists() && !beside(target, "-wal").exists();
    let target = target.into_iter().find(is_free).unwrap_or_else(|| beside(path, ".damaged"));
    // The database goes last: without it, SQLite would delete the other two.
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(&target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(target)
}
