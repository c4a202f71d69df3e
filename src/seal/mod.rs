//! Seals a session cookie's value, so that the browser holds an opaque text and the application gets back exactly its own
//! value. In it goes what has to be known when it returns: of which tenant it is, when it was issued, and which
//! declaration its holder has agreed to. `docs/SEAL.md` has the format, byte by byte.
//!
//! **Pure**: bytes in, bytes out. Random bits are handed in; keys are read from their file elsewhere (`seal_keys`).
//! Nothing is remembered: any gateway with the same keys opens what another has sealed.
//!
//! The cipher is AES-256-GCM-SIV (RFC 8452). **No nonce is ever chosen by a caller**: [`KeyRing::seal`] draws a fresh one
//! each time, and there is no other way to seal. And were the random bits to repeat, nothing would break as it does with
//! GCM: the key stream comes from the nonce *and* the whole plaintext, so two equal nonces show at most that two equal
//! values of one cookie are equal; neither a value nor the key that authenticates is exposed.
//!
//! A sealed value has one form. What decodes to the same bytes but is written otherwise is as forged as any other.

mod contents;
mod key;

use std::{fmt, sync::Arc};

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use smallvec::SmallVec;

pub use contents::{Agreement, Contents, Holder, Opened, Version};
pub use key::{Key, KeyId, NoKeyId};

/// The keys by which values are sealed and opened: the first seals, all of them open. Never empty, each key once.
///
/// A clone is the same keys, not a copy of them. `Debug` shows their ids alone.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyRing(Arc<[Key]>);

/// Why there is nothing that was sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotOpened {
    /// It was sealed, or says so, and none of the keys opens it for a cookie of this name.
    Forged,
    /// It is no sealed value at all.
    Unsealed,
}

/// Why keys are no ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RingError {
    /// There is no key.
    #[error("found no key, expected one at least")]
    Empty,
    /// Two keys have one id.
    #[error("the key {id} is there twice")]
    Twice {
        /// Theirs.
        id: KeyId,
    },
}

impl KeyRing {
    /// The ring of these keys, of which the first seals.
    ///
    /// # Errors
    ///
    /// Where there is none, or two have the same id: they are the same, or can't be told apart.
    pub fn new(keys: Vec<Key>) -> Result<Self, RingError> {
        if keys.is_empty() {
            return Err(RingError::Empty);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other.id() == key.id()) {
                return Err(RingError::Twice { id: key.id() });
            }
        }
        Ok(Self(keys.into()))
    }

    /// The ids of the keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(Key::id)
    }

    /// Seals what a cookie of this name shall hold. `random` gives bits of a cryptographic generator, anew with each call.
    ///
    /// None where the scope has more than [`MAX_SCOPE_BYTES`] or the value is no slice that the cipher takes (64 GiB).
    pub fn seal(
        &self,
        cookie: &[u8],
        contents: &Contents<'_>,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Option<Vec<u8>> {
        let nonce = *random().first_chunk()?;
        self.seal_with(nonce, cookie, contents)
    }

    /// The nonce stays in this module: see there.
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

    /// Opens what a cookie of this name holds.
    ///
    /// A sealed value between double quotes counts as forged: no browser puts them there, and no application shall
    /// ever see what is between them.
    ///
    /// # Errors
    ///
    /// Where it is no sealed value, or was not sealed for this name by one of the keys.
    pub fn open(&self, cookie: &[u8], value: &[u8]) -> Result<Opened, NotOpened> {
        let Some(encoded) = value.strip_prefix(PREFIX) else {
            let is_quoted = value.strip_prefix(b"\"").is_some_and(|rest| rest.starts_with(PREFIX));
            return Err(if is_quoted { NotOpened::Forged } else { NotOpened::Unsealed });
        };
        self.open_encoded(cookie, encoded).ok_or(NotOpened::Forged)
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

    /// How long the text is that [`seal`](Self::seal) makes, exactly, of a scope and a value of so many bytes; no value
    /// counts as an empty one.
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

/// What is authenticated beside the contents: a value of one cookie is none of another.
fn associated(cookie: &[u8]) -> Aad<SmallVec<[u8; 64]>> {
    let mut associated = SmallVec::from_slice(LABEL);
    associated.extend_from_slice(cookie);
    Aad::from(associated)
}

/// The bytes that are encoded, of so many of plaintext.
fn binary_len(plaintext_len: usize) -> usize {
    plaintext_len.saturating_add(HEAD_BYTES + TAG_BYTES)
}

/// The characters of so many bytes.
fn text_len(binary_len: usize) -> usize {
    base64::encoded_len(binary_len, false).unwrap_or(usize::MAX).saturating_add(PREFIX.len())
}

/// The longest scope that can be sealed: its length is one byte. A host has no more than 254, with a dot at its end.
pub const MAX_SCOPE_BYTES: usize = 255;

/// What every sealed value begins with.
pub const PREFIX: &[u8] = b"cg1.";

/// Ends in a byte that no cookie's name has, so that no other label can go on as this one does.
const LABEL: &[u8] = b"crumbgate sealed cookie 1\0";

/// The key's id and the nonce.
const HEAD_BYTES: usize = KeyId::BYTES + NONCE_LEN;

const TAG_BYTES: usize = 16;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;
