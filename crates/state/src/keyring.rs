//! The current signing key of a ledger, and its rotation. The ledger records every key that has signed.

use aws_lc_rs::rand;
use crumbgate_base::text::hex;
use crumbgate_ledger::{note::Verifier, sqlite::signed};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::key::{KeyError, KeyFiles, Signer};

/// The current signing key and the paths of the key files.
#[derive(Debug)]
pub struct Keyring {
    files: KeyFiles,
    signer: Signer,
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
        let next = Signer::read(self.files.next(), self.signer.verifier().name())?;
        Ok(next.filter(|next| next.verifier() != self.signer.verifier()))
    }

    /// Signs with `next` from now on. Call it after the closing that names it was committed. Where
    /// the file can't be renamed, the next start renames it.
    pub fn adopt(&mut self, next: Signer) -> Result<(), KeyError> {
        self.signer = next;
        self.files.install_next()
    }
}

/// Creates the first key of a ledger, or reads the one that an interrupted first start has left.
fn begin(transaction: &Transaction<'_>, files: &KeyFiles) -> Result<Signer, KeyError> {
    let mut id = [0; 8];
    rand::fill(&mut id)?;
    let name = format!("{NAME}{}", hex(&id));
    let signer = match Signer::read(files.current(), &name)? {
        Some(signer) => signer,
        None => Signer::create(files.current(), &name, None)?,
    };
    record(transaction, 1, signer.verifier())?;
    Ok(signer)
}

/// Records that a key signs from a segment on.
pub(crate) fn record(
    transaction: &Transaction<'_>,
    since_segment: u64,
    verifier: &Verifier,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO keys (since_segment, verifier) VALUES (?1, ?2)",
        params![signed(since_segment), verifier.to_string()],
    )?;
    Ok(())
}

/// Returns the private half of the ledger's newest key.
fn find(files: &KeyFiles, verifier: &Verifier) -> Result<Signer, KeyError> {
    let current = Signer::read(files.current(), verifier.name());
    if let Ok(Some(signer)) = current
        && signer.verifier() == verifier
    {
        return Ok(signer);
    }
    if let Some(signer) = Signer::read(files.next(), verifier.name())?
        && signer.verifier() == verifier
    {
        files.install_next()?;
        return Ok(signer);
    }
    let path = files.current().to_owned();
    match Signer::read(files.current(), verifier.name())? {
        Some(found) => Err(KeyError::Foreign {
            path,
            found: found.verifier().fingerprint(),
            expected: verifier.fingerprint(),
        }),
        None => Err(KeyError::Absent { path, fingerprint: verifier.fingerprint() }),
    }
}

/// The beginning of the name of a ledger's keys; 16 random hexadecimal digits follow.
const NAME: &str = "crumbgate/ledger/";

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use crumbgate_ledger::note::SignedNote;
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::migrations;

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
    fn the_first_start_creates_a_key_for_its_owner_only_and_the_second_finds_it() {
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
    fn a_start_that_dies_after_creating_the_key_uses_it_at_the_next_start() {
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
        let output = String::from_utf8(shell.stdout).unwrap();
        assert!(output.contains("Signature Verified Successfully"), "{output}");
        assert!(output.contains(&keyring.signer().verifier().fingerprint()), "{output}");
    }

    #[test]
    fn a_key_that_is_exposed_malformed_foreign_or_gone_is_refused_with_a_remedy() {
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
