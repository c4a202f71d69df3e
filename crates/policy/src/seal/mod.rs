//! Seals the value of a session cookie: the browser holds an opaque text, and the application gets back exactly its own
//! value. The sealed value also contains the tenant or host, the time of issue, and the version of the declaration that
//! the holder has agreed to. `docs/SEAL.md` describes the format byte by byte.
//!
//! **Pure**: bytes in, bytes out. The caller passes in random bits and keys. There is no state: any gateway with the same
//! keys opens a value that another one has sealed.
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452). **A caller can't choose a nonce**: [`KeyRing::seal`] draws a fresh one each
//! time, and there is no other way to seal. Even repeated random bits do not break the cipher as they would break GCM: the
//! key stream depends on the nonce *and* the whole plaintext, so two equal nonces reveal at most that two values of one
//! cookie are equal. They expose neither a value nor the key of the authentication.
//!
//! A sealed value has exactly one form. Another text that decodes to the same bytes is rejected as forged.

mod contents;
mod key;

use alloc::{string::ToString, sync::Arc, vec, vec::Vec};
use core::fmt;

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use smallvec::SmallVec;

pub use contents::{Agreement, Contents, Holder, Opened, Version};
pub use key::{Key, KeyId, ParseKeyIdError};

/// The keys that seal and open values: the first one seals, all of them open. There is at least one, and each id occurs
/// once.
///
/// A clone shares the keys. `Debug` shows only their ids.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyRing(Arc<[Key]>);

/// The reason why a value was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// The value has the form of a sealed one, and no key opens it for a cookie of this name.
    Forged,
    /// The value does not have the form of a sealed one.
    Unsealed,
}

/// The reason why a list of keys is not a valid ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key.
    #[error("found no key, expected at least one")]
    Empty,
    /// Two keys have the same id.
    #[error("the key {id} occurs twice")]
    Twice {
        /// The id.
        id: KeyId,
    },
}

impl KeyRing {
    /// Makes a ring of these keys, of which the first one seals.
    ///
    /// # Errors
    ///
    /// Fails if there is no key, or if two keys have the same id.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyRingError> {
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other.id() == key.id()) {
                return Err(KeyRingError::Twice { id: key.id() });
            }
        }
        Ok(Self(keys.into()))
    }

    /// Returns the ids of the keys, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(Key::id)
    }

    /// Seals the contents of a cookie of this name. `random` returns fresh bits of a cryptographic random number generator
    /// with each call.
    ///
    /// `None` if the scope is longer than [`MAX_SCOPE_BYTES`], or the value larger than the cipher's limit (64 GiB).
    pub fn seal(
        &self,
        cookie: &[u8],
        contents: &Contents<'_>,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Option<Vec<u8>> {
        let nonce = *random().first_chunk()?;
        self.seal_with(nonce, cookie, contents)
    }

    /// Private, so that no caller can choose the nonce.
    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        cookie: &[u8],
        contents: &Contents<'_>,
    ) -> Option<Vec<u8>> {
        let key = self.0.first()?;
        let mut sealed = Vec::with_capacity(binary_len(contents.encoded_len()));
        sealed.extend(key.id().as_bytes());
        sealed.extend(nonce);
        contents.encode_into(&mut sealed)?;
        let tag = {
            let plaintext = sealed.get_mut(HEAD_BYTES..)?;
            key.seal(Nonce::assume_unique_for_key(nonce), associated(cookie), plaintext)?
        };
        sealed.extend(tag.as_ref());
        let mut text = vec![0; text_len(sealed.len())];
        let (prefix, encoded) = text.split_at_mut_checked(PREFIX.len())?;
        prefix.copy_from_slice(PREFIX);
        URL_SAFE_NO_PAD.encode_slice(&sealed, encoded).ok()?;
        Some(text)
    }

    /// Opens the value of a cookie of this name.
    ///
    /// A sealed value between double quotes counts as forged: browsers do not add quotes, and the value between them must
    /// not reach an application.
    ///
    /// # Errors
    ///
    /// Fails if the value is not sealed, or was not sealed for this name by one of the keys.
    pub fn open(&self, cookie: &[u8], value: &[u8]) -> Result<Opened, OpenError> {
        let Some(encoded) = value.strip_prefix(PREFIX) else {
            let is_quoted = value.strip_prefix(b"\"").is_some_and(|rest| rest.starts_with(PREFIX));
            return Err(if is_quoted { OpenError::Forged } else { OpenError::Unsealed });
        };
        self.open_encoded(cookie, encoded).ok_or(OpenError::Forged)
    }

    fn open_encoded(&self, cookie: &[u8], encoded: &[u8]) -> Option<Opened> {
        let mut sealed = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (id, rest) = sealed.split_first_chunk_mut()?;
        let key = self.0.iter().find(|key| key.id().as_bytes() == id)?;
        let (nonce, rest) = rest.split_first_chunk_mut()?;
        let plaintext = key.open(Nonce::assume_unique_for_key(*nonce), associated(cookie), rest)?;
        let end = HEAD_BYTES.checked_add(plaintext.len())?;
        sealed.truncate(end);
        Opened::decode(sealed, HEAD_BYTES)
    }

    /// Returns the exact length of the text that [`seal`](Self::seal) makes of a scope and a value of these lengths, in
    /// bytes. A missing value counts as an empty one.
    pub fn sealed_len(scope_len: usize, value_len: usize, is_agreed: bool) -> usize {
        text_len(binary_len(contents::encoded_len(scope_len, value_len, is_agreed)))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.ids().map(|id| id.to_string()).collect();
        write!(f, "KeyRing({})", ids.join(", "))
    }
}

/// Returns the associated data, which bind a sealed value to the name of its cookie.
fn associated(cookie: &[u8]) -> Aad<SmallVec<[u8; 64]>> {
    let mut associated = SmallVec::from_slice(LABEL);
    associated.extend_from_slice(cookie);
    Aad::from(associated)
}

/// Returns the size of a sealed value before the encoding, in bytes.
fn binary_len(plaintext_len: usize) -> usize {
    plaintext_len.saturating_add(HEAD_BYTES + TAG_BYTES)
}

/// Returns the number of characters that encode this many bytes.
fn text_len(binary_len: usize) -> usize {
    base64::encoded_len(binary_len, false).unwrap_or(usize::MAX).saturating_add(PREFIX.len())
}

/// The largest size of a scope in bytes, because its length is stored in one byte. A host has at most 254.
pub const MAX_SCOPE_BYTES: usize = 255;

/// The prefix of every sealed value.
pub const PREFIX: &[u8] = b"cg1.";

/// The beginning of the associated data. It ends in a byte that no cookie's name contains, so that it can't be confused
/// with another label and name.
const LABEL: &[u8] = b"crumbgate sealed cookie 1\0";

/// The bytes of the key's id and the nonce.
const HEAD_BYTES: usize = KeyId::BYTES + NONCE_LEN;

const TAG_BYTES: usize = 16;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test whose assumptions are wrong fails"
)]
mod properties;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test whose assumptions are wrong fails"
)]
mod vectors;
