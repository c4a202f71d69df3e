//! The keys that sign checkpoints: Ed25519, in files beside the ledger that only their owner may
//! read.
//!
//! `state/crumbgate.db` is signed with `state/crumbgate.key` (PKCS#8 in PEM, mode 0600), which is
//! created at the first start. `crumbgate audit rotate-key` creates `state/crumbgate.key.next`. The
//! running gateway uses it when it closes a segment:
//!
//! 1. The segment's last entry records the rotation. Its checkpoint, signed with the old key, names
//!    the new one.
//! 2. Both are committed together with the new row of `keys`.
//! 3. `.key.next` is renamed to `.key`.
//!
//! A gateway that dies before step 2 finds `.key.next` again at the next closing. One that dies
//! between 2 and 3 finds at the next start that the ledger's key is in `.key.next`, and renames it
//! then.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    error::Unspecified,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crumbgate_ledger::note::{NoteError, Verifier};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

/// The paths of a ledger's key files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyFiles {
    current: PathBuf,
    next: PathBuf,
}

/// A private key. Its `Debug` shows the public half only.
pub struct Signer {
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

/// A reason why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The ledger was signed before, and its key is missing.
    #[error(
        "{}: the key of this ledger is missing; restore it from a backup (fingerprint {fingerprint}). \
         If it is lost for good, move the ledger's files aside: the gateway begins a new one, and the old one \
         still verifies",
        .path.display()
    )]
    Absent {
        /// The expected path.
        path: PathBuf,
        /// The expected fingerprint.
        fingerprint: String,
    },
    /// Other users may read it.
    #[error(
        "{}: other users may read this key (mode {mode:04o}); run chmod 600 {}",
        .path.display(), .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The permissions of the file.
        mode: u32,
    },
    /// It is the key of another ledger.
    #[error(
        "{}: this is not the key of this ledger: its fingerprint is {found}, expected {expected}; restore that \
         one from a backup",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its fingerprint.
        found: String,
        /// The fingerprint of the ledger's key.
        expected: String,
    },
    /// The file is not a private key.
    #[error("{}: expected an Ed25519 key as PKCS#8 in PEM (`-----BEGIN PRIVATE KEY-----`)", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A rotation is already prepared.
    #[error(
        "{} exists: a rotation already waits for the running gateway to close a segment, which it does \
         every hour and when it stops",
        .path.display()
    )]
    Pending {
        /// The file.
        path: PathBuf,
    },
    /// The ledger's own record of its keys is damaged.
    #[error("the newest key that the ledger records is not a public key")]
    Record(#[source] NoteError),
    /// The system returned no random bits.
    #[error("the system returned no random bits for a key")]
    Random,
    /// SQLite can't read the record of keys.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A file can't be read.
    #[error("{} can't be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A file can't be written.
    #[error("{} can't be written; check that its folder is writable and has room", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self::Random
    }
}

impl KeyFiles {
    /// The key files of the ledger at this path.
    pub fn beside(ledger: &Path) -> Self {
        let current = ledger.with_extension("key");
        Self { next: current.with_added_extension("next"), current }
    }

    /// The file of the current signing key.
    pub fn current(&self) -> &Path {
        &self.current
    }

    /// The file of the key that signs after a rotation.
    pub fn next(&self) -> &Path {
        &self.next
    }

    /// Creates the next key and waits until it is on the disk. `name` is the name of the ledger's
    /// keys. The file gets the owner of the current key's file, so that root may run this too.
    ///
    /// # Errors
    ///
    /// Fails where a rotation is already prepared, or the file can't be written.
    pub fn prepare_next(&self, name: &str) -> Result<Verifier, KeyError> {
        match Signer::create(&self.next, name, Some(&self.current)) {
            Err(KeyError::Write { path, source })
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                Err(KeyError::Pending { path })
            }
            made => made.map(|signer| signer.verifier),
        }
    }

    /// Renames the next key's file to that of the current key.
    pub(crate) fn install_next(&self) -> Result<(), KeyError> {
        let renamed = fs::rename(&self.next, &self.current);
        let synced = renamed.and_then(|()| sync(folder_of(&self.current)));
        synced.map_err(|source| KeyError::Write { path: self.current.clone(), source })
    }
}

impl Signer {
    /// Creates a key and its file atomically. Never replaces a file. The new file gets the owner of
    /// the file `like`.
    pub(crate) fn create(path: &Path, name: &str, like: Option<&Path>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate()?;
        let der = pair.to_pkcs8v1()?;
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let folder = folder_of(path);
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            // Created with O_EXCL and mode 0600.
            let mut aside = tempfile::NamedTempFile::new_in(folder)?;
            aside.write_all(pem.as_bytes())?;
            if let Some(like) = like {
                own_like(aside.as_file(), like)?;
            }
            aside.as_file().sync_all()?;
            aside.persist_noclobber(path).map_err(|error| error.error)?;
            sync(folder)
        };
        write().map_err(|source| KeyError::Write { path: path.to_owned(), source })?;
        Self::of(pair, path, name)
    }

    /// Reads a key; `None` where there is no file.
    pub(crate) fn read(path: &Path, name: &str) -> Result<Option<Self>, KeyError> {
        let read = |source| KeyError::Read { path: path.to_owned(), source };
        let pem = match fs::read(path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        refuse_exposed(path, &fs::metadata(path).map_err(read)?)?;
        let malformed = || KeyError::Malformed { path: path.to_owned() };
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| malformed())?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der());
        Self::of(pair.map_err(|_| malformed())?, path, name).map(Some)
    }

    fn of(pair: Ed25519KeyPair, path: &Path, name: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed { path: path.to_owned() };
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| malformed())?;
        let verifier = Verifier::new(name, public_key).ok_or_else(malformed)?;
        Ok(Self { pair, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs a text, which must end in a line feed, and returns the note.
    pub(crate) fn sign(&self, text: &str) -> String {
        self.verifier.note(text, self.pair.sign(text.as_bytes()).as_ref())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, ..)", self.verifier)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits until the folder's list of files is on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Gives a file the owner of another file, where they differ.
#[cfg(unix)]
fn own_like(file: &fs::File, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let like = match fs::metadata(like) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        like => like?,
    };
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}

#[cfg(not(unix))]
fn own_like(_: &fs::File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}
