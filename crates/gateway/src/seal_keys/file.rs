//! The file on the disk: for its owner and its group alone, and replaced as a whole.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tempfile::NamedTempFile;

use super::KeyFileError;

/// Reads it, unless others may, too.
pub(super) fn read(path: &Path) -> Result<String, KeyFileError> {
    let fail = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Absent { path: path.to_owned() },
        _ => KeyFileError::Read { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

/// Makes it where there is none, in one step, for its owner alone; says whether that was so.
pub(super) fn create(path: &Path, text: &str) -> Result<bool, KeyFileError> {
    let write = || -> io::Result<bool> {
        let folder = folder_of(path);
        fs::create_dir_all(folder)?;
        let aside = write_aside(folder, text)?;
        // Root may prepare what a gateway without its rights shall read.
        if geteuid().is_root() {
            let folder = fs::metadata(folder)?;
            fchown(aside.as_file(), Some(folder.uid()), Some(folder.gid()))?;
        }
        aside.as_file().sync_all()?;
        match aside.persist_noclobber(path) {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            persisted => persisted.map_err(|error| error.error)?,
        };
        File::open(folder)?.sync_all()?;
        Ok(true)
    };
    write().map_err(|source| KeyFileError::Write { path: path.to_owned(), source })
}

/// Replaces it in one step, by one with its owner and its permissions.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let write = || -> io::Result<()> {
        // What a link leads to is replaced, and not the link.
        let path = fs::canonicalize(path)?;
        let folder = folder_of(&path);
        let aside = write_aside(folder, text)?;
        let (own, like) = (aside.as_file().metadata()?, fs::metadata(&path)?);
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(aside.as_file(), Some(like.uid()), Some(like.gid()))?;
        }
        aside.as_file().set_permissions(like.permissions())?;
        aside.as_file().sync_all()?;
        aside.persist(&path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| KeyFileError::Write { path: path.to_owned(), source })
}

/// Waits until nobody else changes it. The file itself is replaced by each change, so its folder is what is locked,
/// until the lock is dropped.
pub(super) fn lock(path: &Path) -> Result<File, KeyFileError> {
    let lock = || -> io::Result<File> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
        let folder = folder_of(&path);
        fs::create_dir_all(folder)?;
        let folder = File::open(folder)?;
        folder.lock()?;
        Ok(folder)
    };
    lock().map_err(|source| KeyFileError::Write { path: path.to_owned(), source })
}

/// Made with `O_EXCL` and mode 0600.
fn write_aside(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut aside = NamedTempFile::new_in(folder)?;
    aside.write_all(text.as_bytes())?;
    Ok(aside)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The permissions of who is neither the file's owner nor in its group.
const OTHERS: u32 = 0o007;

const MAX_BYTES: u64 = 1024 * 1024;
