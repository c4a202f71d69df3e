//! The key file on disk: accessible to its owner and group only, and replaced atomically.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tempfile::NamedTempFile;

use super::error::KeyFileError;

/// Reads the file. Fails if other users may read it too.
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

/// Creates the file atomically, accessible to its owner only; returns `false` if it already exists.
pub(super) fn create(path: &Path, text: &str) -> Result<bool, KeyFileError> {
    let write = || -> io::Result<bool> {
        let folder = folder_of(path);
        fs::create_dir_all(folder)?;
        let aside = write_aside(folder, text)?;
        // Root may create the file for a gateway that runs as another user.
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

/// Replaces the file atomically, keeping its owner and permissions.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let write = || -> io::Result<()> {
        // Replaces the target of a symbolic link, not the link.
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

/// Waits for other changes of the file, and locks it until the returned value is dropped. Each change replaces the file
/// itself, so the lock is on its folder.
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

/// Writes a temporary file in the same folder, with `O_EXCL` and mode 0600.
fn write_aside(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut aside = NamedTempFile::new_in(folder)?;
    aside.write_all(text.as_bytes())?;
    Ok(aside)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The permissions of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

const MAX_BYTES: u64 = 1024 * 1024;
