//! Texts signed with Ed25519: C2SP's signed notes (<https://c2sp.org/signed-note>).
//!
//! A note is its text, an empty line, and a line for each signature:
//!
//! ```text
//! crumbgate/ledger/8e1f0a77c2d94b35/segment/12
//! …
//!
//! — crumbgate/ledger/8e1f0a77c2d94b35 c2lnbmF0dXJl…
//! ```
//!
//! The base64 after the key's name holds 4 bytes that identify the key, then the signature of the
//! text including its last line feed. A verifying party knows the key as one line, a *verifier*:
//! `name+8 hexadecimal digits+base64`.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::merkle::{Hash, sha256};
use crumbgate_base::text::hex;

/// The public half of a key that signs notes, with its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verifier {
    /// Invariant: not empty, without white space, control characters and `+`.
    name: String,
    public_key: [u8; 32],
}

/// A parsed note. Its signatures are not verified yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedNote<'n> {
    /// The signed text, with its last line feed.
    pub text: &'n str,
    signatures: Vec<Signature<'n>>,
}

/// One signature line.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Signature<'n> {
    name: &'n str,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

/// A reason why a text is not a note or not a verifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoteError {
    /// It is longer than any checkpoint.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    /// It has control characters, or is not UTF-8.
    #[error("it has bytes that are not text")]
    NoText,
    /// It has no text, or no signature.
    #[error("expected a text, an empty line, and lines `— name signature`")]
    NoSignature,
    /// One of the signature lines has another form.
    #[error("expected `— name signature`, the signature in base64 and 68 bytes long")]
    BadSignature,
    /// The verifier has another form.
    #[error(
        "expected a public key as `name+8 hexadecimal digits+base64`: `crumbgate audit key` prints it"
    )]
    BadVerifier,
    /// The verifier's key identifier does not match its name and key.
    #[error(
        "its 8 hexadecimal digits belong to another name or key: a character was lost or changed"
    )]
    WrongKeyId,
}

impl Verifier {
    /// Creates a verifier. Returns `None` where the name has characters that no key name may have.
    pub fn new(name: &str, public_key: [u8; 32]) -> Option<Self> {
        is_name(name).then(|| Self { name: name.to_owned(), public_key })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself (RFC 8032).
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// The SHA-256 of the key in 64 hexadecimal digits, for comparing by eye.
    pub fn fingerprint(&self) -> String {
        hex(&sha256(&self.public_key))
    }

    /// Returns whether the note has a valid signature of this key. Signatures of other keys are
    /// ignored.
    pub fn verifies(&self, note: &SignedNote<'_>) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public_key);
        let key_id = self.key_id();
        let mut own = note
            .signatures
            .iter()
            .filter(|signature| signature.name == self.name && signature.key_id == key_id)
            .peekable();
        own.peek().is_some()
            && own.all(|own| key.verify(note.text.as_bytes(), &own.signature).is_ok())
    }

    /// Returns the note of a text with this signature, which was made with the private half.
    pub fn note(&self, text: &str, signature: &[u8]) -> String {
        let signature = STANDARD.encode([&self.key_id(), signature].concat());
        format!("{text}\n{SIGNATURE}{} {signature}\n", self.name)
    }

    fn key_id(&self) -> [u8; 4] {
        let hashed = [self.name.as_bytes(), &[b'\n', ED25519_TYPE], &self.public_key].concat();
        let [a, b, c, d, ..] = sha256(&hashed);
        [a, b, c, d]
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], &self.public_key[..]].concat());
        write!(f, "{}+{}+{key}", self.name, hex(&self.key_id()))
    }
}

impl FromStr for Verifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(key_id), Some(key)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(NoteError::BadVerifier);
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::BadVerifier)?;
        let [ED25519_TYPE, key @ ..] = &key[..] else { return Err(NoteError::BadVerifier) };
        let key = key.try_into().map_err(|_| NoteError::BadVerifier)?;
        let verifier = Self::new(name, key).ok_or(NoteError::BadVerifier)?;
        if hex(&verifier.key_id()) != key_id {
            return Err(NoteError::WrongKeyId);
        }
        Ok(verifier)
    }
}

impl<'n> SignedNote<'n> {
    /// Splits a note into its text and its signatures.
    pub fn parse(note: &'n str) -> Result<Self, NoteError> {
        if note.len() > MAX_BYTES {
            return Err(NoteError::TooLong);
        }
        if note.contains(|c: char| c.is_control() && c != '\n') {
            return Err(NoteError::NoText);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::NoSignature)?;
        let (text, signatures) = (&note[..=split], &note[split + 2..]);
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::NoSignature)?;
        let signatures: Result<Vec<_>, _> = lines.split('\n').map(Signature::parse).collect();
        Ok(Self { text, signatures: signatures? })
    }
}

impl<'n> Signature<'n> {
    fn parse(line: &'n str) -> Result<Self, NoteError> {
        let named = line.strip_prefix(SIGNATURE).and_then(|line| line.split_once(' '));
        let (name, signature) = named.ok_or(NoteError::BadSignature)?;
        let signature = STANDARD.decode(signature).map_err(|_| NoteError::BadSignature)?;
        // Signatures of other algorithms may be present, and longer.
        let Some((key_id, signature)) = signature.split_first_chunk() else {
            return Err(NoteError::BadSignature);
        };
        if !is_name(name) || signature.is_empty() {
            return Err(NoteError::BadSignature);
        }
        Ok(Self { name, key_id: *key_id, signature: signature.to_vec() })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// Encodes a hash in base64.
pub fn base64(hash: &Hash) -> String {
    STANDARD.encode(hash)
}

/// Decodes a hash from base64.
pub fn hash_of_base64(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The number of Ed25519 among C2SP's signature types.
const ED25519_TYPE: u8 = 1;
/// The beginning of a signature line: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of Go's `golang.org/x/mod/sumdb/note`, the first implementation.
    const GO_VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_that_another_implementation_signed_is_verified() {
        let verifier: Verifier = GO_VERIFIER.parse().unwrap();
        assert_eq!(verifier.name(), "PeterNeumann");
        assert_eq!(verifier.to_string(), GO_VERIFIER);
        let note = SignedNote::parse(GO_NOTE).unwrap();
        assert!(note.text.ends_with("your problem is.\n"));
        assert!(verifier.verifies(&note));
        let changed = GO_NOTE.replace("answer", "Answer");
        assert!(!verifier.verifies(&SignedNote::parse(&changed).unwrap()));
        let other_name = Verifier::new("Peter", *verifier.public_key()).unwrap();
        assert!(!other_name.verifies(&note));
        let cut = STANDARD.encode(
            &STANDARD.decode(&GO_NOTE[GO_NOTE.len() - 93..GO_NOTE.len() - 1]).unwrap()[..40],
        );
        let short = format!("{}{cut}\n", &GO_NOTE[..GO_NOTE.len() - 93]);
        assert!(!verifier.verifies(&SignedNote::parse(&short).unwrap()), "{short}");
    }

    #[test]
    fn signatures_of_other_keys_are_ignored_and_an_invalid_one_of_the_own_key_is_not() {
        let verifier: Verifier = GO_VERIFIER.parse().unwrap();
        let with = |line: &str| format!("{GO_NOTE}{line}\n");
        let other = with("\u{2014} witness/one AAAAAAAA");
        assert!(verifier.verifies(&SignedNote::parse(&other).unwrap()));
        let forged = with("\u{2014} PeterNeumann x08gowAAAAAA");
        assert!(!verifier.verifies(&SignedNote::parse(&forged).unwrap()));
    }

    #[test]
    fn a_text_that_is_not_a_note_is_rejected() {
        let long = "a".repeat(MAX_BYTES + 1);
        for (note, expected) in [
            ("", NoteError::NoSignature),
            ("text\n", NoteError::NoSignature),
            ("text\n\n", NoteError::NoSignature),
            ("text\n\n\u{2014} name AAAAAAAA", NoteError::NoSignature),
            ("text\n\n\n", NoteError::NoSignature),
            ("text\n\n- name AAAAAAAA\n", NoteError::BadSignature),
            ("text\n\n\u{2014} na+me AAAAAAAA\n", NoteError::BadSignature),
            ("text\n\n\u{2014}  AAAAAAAA\n", NoteError::BadSignature),
            ("text\n\n\u{2014} name AAAA\n", NoteError::BadSignature),
            ("text\n\n\u{2014} name AAAAAA==\n", NoteError::BadSignature),
            ("text\n\n\u{2014} name AAAAAAAA \n", NoteError::BadSignature),
            ("te\rxt\n\n\u{2014} name AAAAAAAA\n", NoteError::NoText),
            (&long, NoteError::TooLong),
        ] {
            assert_eq!(SignedNote::parse(note), Err(expected), "{note:.40}");
        }
        for (verifier, expected) in [
            ("", NoteError::BadVerifier),
            ("PeterNeumann+c74f20a3", NoteError::BadVerifier),
            (&GO_VERIFIER[1..], NoteError::WrongKeyId),
            (&GO_VERIFIER.replace("+c7", "+C7"), NoteError::WrongKeyId),
            (&GO_VERIFIER.replace("+A", "+B"), NoteError::BadVerifier),
            (&GO_VERIFIER[..GO_VERIFIER.len() - 4], NoteError::BadVerifier),
        ] {
            assert_eq!(verifier.parse::<Verifier>(), Err(expected), "{verifier}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_the_same_again(note in "[ab+ \n\u{2014}A=/]{0,60}") {
            let _ = SignedNote::parse(&note);
            if let Ok(verifier) = note.parse::<Verifier>() {
                prop_assert_eq!(verifier.to_string(), note);
            }
        }
    }
}
