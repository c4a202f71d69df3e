//! A key of AES-256-GCM-SIV, and its id, which each sealed value contains.

use core::{fmt, str::FromStr};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, Tag, UnboundKey},
    digest::{SHA256, digest},
};

/// A key that seals and opens. `Debug` shows only its id, and the secret can't be read back.
pub struct Key {
    id: KeyId,
    /// The full digest, for comparing keys: the id is too short for that.
    fingerprint: [u8; 32],
    cipher: LessSafeKey,
}

/// The id of a key: the first bytes of a digest, which reveal nothing about the secret. `Display` writes eight hexadecimal
/// digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; Self::BYTES]);

/// The error for a text that is not a key's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected eight lower-case hexadecimal digits")]
pub struct ParseKeyIdError;

impl Key {
    /// The size of a key in bytes.
    pub const BYTES: usize = 32;

    /// Makes a key of these bytes, which must come from a cryptographic random number generator.
    pub fn new(secret: &[u8; Self::BYTES]) -> Self {
        let labelled = [ID_LABEL, secret].concat();
        let digest = digest(&SHA256, &labelled);
        let fingerprint: [u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let [a, b, c, d, ..] = fingerprint;
        let unbound = UnboundKey::new(&AES_256_GCM_SIV, secret).expect("the cipher takes 32 bytes");
        Self { id: KeyId([a, b, c, d]), fingerprint, cipher: LessSafeKey::new(unbound) }
    }

    /// Returns the key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts in place.
    pub(super) fn seal(
        &self,
        nonce: Nonce,
        associated: Aad<impl AsRef<[u8]>>,
        plaintext: &mut [u8],
    ) -> Option<Tag> {
        self.cipher.seal_in_place_separate_tag(nonce, associated, plaintext).ok()
    }

    /// Decrypts in place a ciphertext that ends in its tag.
    pub(super) fn open<'b>(
        &self,
        nonce: Nonce,
        associated: Aad<impl AsRef<[u8]>>,
        ciphertext: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        self.cipher.open_in_place(nonce, associated, ciphertext).ok()
    }
}

impl Eq for Key {}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.id)
    }
}

impl KeyId {
    /// The size of an id in bytes.
    pub const BYTES: usize = 4;

    /// Returns the bytes as a sealed value contains them.
    pub(super) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = ParseKeyIdError;

    fn from_str(text: &str) -> Result<Self, ParseKeyIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 2 * Self::BYTES || !text.bytes().all(is_digit) {
            return Err(ParseKeyIdError);
        }
        u32::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| ParseKeyIdError)
    }
}

const ID_LABEL: &[u8] = b"crumbgate seal key id 1\0";
