//! The keys that sign checkpoints: Ed25519, in files beside the ledger that only their owner may
//! read.
//!
//! `state/crumbgate.db` is signed with `state/crumbgate.key` (PKCS#8 in PEM, mode 0600), which is
//! created at the first start. `crumbgate audit rotate-key` creates `state/crumbgate.key.next`. The
//! running gateway uses it when it closes a segment:
//!
//! 1. The segment's last entry records the rotation. Its checkpoint, signed with the old key, names
//! the new one.
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
    rand,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rusqlite::{OptionalExtension, Transaction, params};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use crumbgate_base::text::hex;
use crumbgate_ledger::note::{NoteError, Verifier};

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

/// The current signing key and the paths of the key files.
#[derive(Debug)]
pub struct Keyring {
    files: KeyFiles,
    signer: Signer,
}

/// A reason why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The ledger was signed before, and its key is missing.
    #[error(
        "{}: the key of this ledger is not there; restore it from a backup (fingerprint {fingerprint}). \
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
        "{}: others may read this key (mode {mode:04o}); take that from them: chmod 600 {}",
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
        "{} is there already: a rotation is waiting for the running gateway to close a segment, which it does \
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
    #[error("{} can't be written; check that the folder may be written to and has room", .path.display())]
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
}

impl Signer {
    /// Creates a key and its file atomically. Never replaces a file. The new file gets the owner of
    /// the file `like`.
    fn create(path: &Path, name: &str, like: Option<&Path>) -> Result<Self, KeyError> {
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
    fn read(path: &Path, name: &str) -> Result<Option<Self>, KeyError> {
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
    pub(super) fn sign(&self, text: &str) -> String {
        self.verifier.note(text, self.pair.sign(text.as_bytes()).as_ref())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, ..)", self.verifier)
    }
}

impl Keyring {
    /// Opens the key of a ledger. Names a new ledger and creates its first key. Completes an
    /// interrupted rotation. Call it at the start, in a transaction of its own that the caller
    /// commits.
    pub fn open(transaction: &Transaction<'_>, files: KeyFiles) -> Result<Self, KeyError> {
        let newest = "SELECT verifier FROM keys ORDER BY since_segment DESC LIMIT 1";
        let newest: Option<String> =
            transaction.query_row(newest, [], |row| row.get(0)).optional()?;
        let signer = match newest {
            Some(verifier) => find(&files, &verifier.parse().map_err(KeyError::Record)?)?,
            None => begin(transaction, &files)?,
        };
        Ok(Self { files, signer })
    }

    /// The current signing key.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The key of a prepared rotation.
    pub fn next(&self) -> Result<Option<Signer>, KeyError> {
        let next = Signer::read(&self.files.next, self.signer.verifier.name())?;
        Ok(next.filter(|next| next.verifier != self.signer.verifier))
    }

    /// Signs with `next` from now on. Call it after the closing that names it was committed. Where
    /// the file can't be renamed, the next start renames it.
    pub fn adopt(&mut self, next: Signer) -> Result<(), KeyError> {
        self.signer = next;
        install_next(&self.files)
    }
}

/// Creates the first key of a ledger, or reads the one that an interrupted first start has left.
fn begin(transaction: &Transaction<'_>, files: &KeyFiles) -> Result<Signer, KeyError> {
    let mut id = [0; 8];
    rand::fill(&mut id)?;
    let name = format!("{NAME}{}", hex(&id));
    let signer = match Signer::read(&files.current, &name)? {
        Some(signer) => signer,
        None => Signer::create(&files.current, &name, None)?,
    };
    record(transaction, 1, &signer.verifier)?;
    Ok(signer)
}

/// Records that a key signs from a segment on.
pub(super) fn record(
    transaction: &Transaction<'_>,
    since_segment: u64,
    verifier: &Verifier,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO keys (since_segment, verifier) VALUES (?1, ?2)",
        params![i64::try_from(since_segment).unwrap_or(i64::MAX), verifier.to_string()],
    )?;
    Ok(())
}

/// Returns the private half of the ledger's newest key.
fn find(files: &KeyFiles, verifier: &Verifier) -> Result<Signer, KeyError> {
    let current = Signer::read(&files.current, verifier.name());
    if let Ok(Some(signer)) = current
        && signer.verifier == *verifier
    {
        return Ok(signer);
    }
    if let Some(signer) = Signer::read(&files.next, verifier.name())?
        && signer.verifier == *verifier
    {
        install_next(files)?;
        return Ok(signer);
    }
    let path = files.current.clone();
    match Signer::read(&files.current, verifier.name())? {
        Some(found) => Err(KeyError::Foreign {
            path,
            found: found.verifier.fingerprint(),
            expected: verifier.fingerprint(),
        }),
        None => Err(KeyError::Absent { path, fingerprint: verifier.fingerprint() }),
    }
}

fn install_next(files: &KeyFiles) -> Result<(), KeyError> {
    let renamed = fs::rename(&files.next, &files.current);
    let synced = renamed.and_then(|()| sync(folder_of(&files.current)));
    synced.map_err(|source| KeyError::Write { path: files.current.clone(), source })
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

/// The beginning of the name of a ledger's keys; 16 random hexadecimal digits follow.
const NAME: &str = "crumbgate/ledger/";

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::{super::migrations, *};
    use crumbgate_ledger::note::SignedNote;

    /// An empty ledger in a folder of its own.
    fn ledger() -> (TempDir, Connection, KeyFiles) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crumbgate.db");
        let mut connection = Connection::open(&path).unwrap();
        migrations::migrate(&mut connection).unwrap();
        (folder, connection, KeyFiles::beside(&path))
    }

    fn open(connection: &mut Connection, files: &KeyFiles) -> Result<Keyring, KeyError> {
        let transaction = connection.transaction().unwrap();
        let keyring = Keyring::open(&transaction, files.clone())?;
        transaction.commit().unwrap();
        Ok(keyring)
    }

    #[test]
    fn the_first_start_makes_a_key_for_its_owner_alone_and_the_second_finds_it() {
        let (folder, mut connection, files) = ledger();
        let first = open(&mut connection, &files).unwrap();
        let verifier = first.signer().verifier().clone();
        assert!(verifier.name().starts_with(NAME) && verifier.name().len() == NAME.len() + 16);
        let metadata = fs::metadata(files.current()).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the ledger and the key");
        let second = open(&mut connection, &files).unwrap();
        assert_eq!(*second.signer().verifier(), verifier);
        assert!(!format!("{second:?}").contains("pair"));
    }

    #[test]
    fn a_start_that_died_behind_the_key_takes_it_the_next_time() {
        let (_folder, mut connection, files) = ledger();
        let transaction = connection.transaction().unwrap();
        let died = Keyring::open(&transaction, files.clone()).unwrap();
        transaction.rollback().unwrap();
        let next = open(&mut connection, &files).unwrap();
        assert_eq!(next.signer().verifier().public_key(), died.signer().verifier().public_key());
    }

    #[test]
    fn openssl_reads_the_key_and_verifies_what_it_signed() {
        let (folder, mut connection, files) = ledger();
        let keyring = open(&mut connection, &files).unwrap();
        let text = "signed\n";
        let note = keyring.signer().sign(text);
        let signed = SignedNote::parse(&note).unwrap();
        assert!(keyring.signer().verifier().verifies(&signed));

        let base64 = note.trim_end().rsplit(' ').next().unwrap();
        let signature = &STANDARD.decode(base64).unwrap()[4..];
        fs::write(folder.path().join("text"), text).unwrap();
        fs::write(folder.path().join("signature"), signature).unwrap();
        let shell = "openssl pkey -in crumbgate.key -pubout -out public.pem && \
             openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in text -sigfile signature && \
             openssl pkey -pubin -in public.pem -outform der | tail -c 32 | sha256sum";
        let shell = Command::new("sh").args(["-c", shell]).current_dir(&folder).output().unwrap();
        let said = String::from_utf8(shell.stdout).unwrap();
        assert!(said.contains("Signature Verified Successfully"), "{said}");
        assert!(said.contains(&keyring.signer().verifier().fingerprint()), "{said}");
    }

    #[test]
    fn a_key_that_is_exposed_malformed_foreign_or_gone_is_refused_with_the_mend() {
        let (_folder, mut connection, files) = ledger();
        let keyring = open(&mut connection, &files).unwrap();
        let fingerprint = keyring.signer().verifier().fingerprint();
        let pem = fs::read(files.current()).unwrap();
        let mut refusal = || open(&mut connection, &files).unwrap_err().to_string();

        fs::set_permissions(files.current(), fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = refusal();
        assert!(exposed.contains("(mode 0640)") && exposed.contains("chmod 600 /"), "{exposed}");
        fs::set_permissions(files.current(), fs::Permissions::from_mode(0o600)).unwrap();

        for content in [&b""[..], b"\xff", &pem[..60], &pem[30..]] {
            fs::write(files.current(), content).unwrap();
            let malformed = refusal();
            assert!(malformed.contains("expected an Ed25519 key as PKCS#8 in PEM"), "{malformed}");
        }

        fs::remove_file(files.current()).unwrap();
        let absent = refusal();
        assert!(absent.contains("restore it from a backup") && absent.contains(&fingerprint));
        Signer::create(files.current(), "crumbgate/ledger/other", None).unwrap();
        let foreign = refusal();
        assert!(foreign.contains(&format!("expected {fingerprint}")), "{foreign}");
        fs::write(files.current(), pem).unwrap();
        open(&mut connection, &files).unwrap();
    }

    #[test]
    fn a_second_rotation_waits_for_the_first() {
        let (_folder, mut connection, files) = ledger();
        let keyring = open(&mut connection, &files).unwrap();
        assert!(keyring.next().unwrap().is_none());
        let name = keyring.signer().verifier().name();
        let prepared = files.prepare_next(name).unwrap();
        assert_eq!(*keyring.next().unwrap().unwrap().verifier(), prepared);
        assert!(matches!(files.prepare_next(name), Err(KeyError::Pending { .. })));
        assert_eq!(*keyring.next().unwrap().unwrap().verifier(), prepared, "and stays");
    }
}
