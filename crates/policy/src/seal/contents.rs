//! The plaintext of a sealed value, which holds the gateway's own fields and the application's value.

use alloc::vec::Vec;
use core::{fmt, str};

/// The contents of a session cookie, to be sealed. `Debug` shows no value.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Contents<'a> {
    /// The scope of the cookie: a tenant's name, or a host.
    pub scope: &'a str,
    /// The time of issue in seconds since the Unix epoch.
    pub issued_unix_s: u64,
    /// The holder, which stays the same when the cookie is sealed again.
    pub holder: Holder,
    /// The agreement of the holder.
    pub agreement: Option<Agreement>,
    /// The application's own value; `None` if it has not set one. An empty value is a value.
    pub value: Option<&'a [u8]>,
}

/// The agreement of a person to a declaration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Agreement {
    /// The version of the declaration.
    pub version: Version,
    /// The time of the agreement in seconds since the Unix epoch.
    pub at_unix_s: u64,
}

/// A random number that identifies the cookies of one browser, drawn when a cookie is first sealed. It contains nothing
/// about a person, and is shown nowhere.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Holder(pub [u8; 8]);

/// The version of a declaration: the first bytes of its SHA-256.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Version(pub [u8; 8]);

/// The contents of a sealed value that was opened. `Debug` shows no value.
#[derive(Clone, Eq, PartialEq)]
pub struct Opened {
    /// The plaintext, after the head of the sealed value.
    bytes: Vec<u8>,
    scope_begin: usize,
    /// Invariant: the bytes from `scope_begin` to here are UTF-8.
    scope_end: usize,
    issued_unix_s: u64,
    holder: Holder,
    agreement: Option<Agreement>,
    has_value: bool,
}

impl Contents<'_> {
    pub(super) fn encoded_len(&self) -> usize {
        let value_len = self.value.map_or(0, <[u8]>::len);
        encoded_len(self.scope.len(), value_len, self.agreement.is_some())
    }

    /// Appends the plaintext; `None` if the scope is longer than [`MAX_SCOPE_BYTES`](super::MAX_SCOPE_BYTES).
    pub(super) fn encode_into(&self, plaintext: &mut Vec<u8>) -> Option<()> {
        let scope_len = u8::try_from(self.scope.len()).ok()?;
        let has_value = if self.value.is_some() { HAS_VALUE } else { 0 };
        let has_agreement = if self.agreement.is_some() { HAS_AGREEMENT } else { 0 };
        plaintext.push(has_value | has_agreement);
        plaintext.extend(self.issued_unix_s.to_be_bytes());
        plaintext.extend(self.holder.0);
        if let Some(Agreement { version, at_unix_s }) = self.agreement {
            plaintext.extend(version.0);
            plaintext.extend(at_unix_s.to_be_bytes());
        }
        plaintext.push(scope_len);
        plaintext.extend(self.scope.as_bytes());
        plaintext.extend(self.value.unwrap_or_default());
        Some(())
    }
}

/// Returns the size of the plaintext in bytes.
pub(super) fn encoded_len(scope_len: usize, value_len: usize, is_agreed: bool) -> usize {
    let agreement_len = if is_agreed { AGREEMENT_BYTES } else { 0 };
    scope_len.saturating_add(value_len).saturating_add(FIXED_BYTES).saturating_add(agreement_len)
}

impl Opened {
    /// Reads the plaintext that begins at `begin`. `None` if it does not have the form that `encode_into` writes, which
    /// happens only if other software seals with the same key.
    pub(super) fn decode(bytes: Vec<u8>, begin: usize) -> Option<Self> {
        let (flags, rest) = bytes.get(begin..)?.split_first()?;
        if flags & !(HAS_VALUE | HAS_AGREEMENT) != 0 {
            return None;
        }
        let has_value = flags & HAS_VALUE != 0;
        let (issued_unix_s, rest) = read_u64(rest)?;
        let (holder, rest) = rest.split_first_chunk()?;
        let holder = Holder(*holder);
        let (agreement, rest) = match flags & HAS_AGREEMENT {
            0 => (None, rest),
            _ => read_agreement(rest).map(|(agreement, rest)| (Some(agreement), rest))?,
        };
        let (scope_len, rest) = rest.split_first()?;
        let scope_len = usize::from(*scope_len);
        let (scope, value) = rest.split_at_checked(scope_len)?;
        str::from_utf8(scope).ok()?;
        if !has_value && !value.is_empty() {
            return None;
        }
        let scope_end = bytes.len().checked_sub(value.len())?;
        let scope_begin = scope_end.checked_sub(scope_len)?;
        Some(Self { bytes, scope_begin, scope_end, issued_unix_s, holder, agreement, has_value })
    }

    /// Returns the scope of the cookie: a tenant's name, or a host.
    pub fn scope(&self) -> &str {
        let scope = self.bytes.get(self.scope_begin..self.scope_end);
        scope.and_then(|scope| str::from_utf8(scope).ok()).unwrap_or_default()
    }

    /// Returns the time of issue in seconds since the Unix epoch.
    pub fn issued_unix_s(&self) -> u64 {
        self.issued_unix_s
    }

    /// Returns the holder.
    pub fn holder(&self) -> Holder {
        self.holder
    }

    /// Returns the agreement of the holder.
    pub fn agreement(&self) -> Option<Agreement> {
        self.agreement
    }

    /// Returns the application's own value, byte for byte; `None` if it had not set one.
    pub fn value(&self) -> Option<&[u8]> {
        if self.has_value { self.bytes.get(self.scope_end..) } else { None }
    }

    /// Returns the contents, to be sealed again.
    pub fn contents(&self) -> Contents<'_> {
        Contents {
            scope: self.scope(),
            issued_unix_s: self.issued_unix_s,
            holder: self.holder,
            agreement: self.agreement,
            value: self.value(),
        }
    }
}

fn read_agreement(bytes: &[u8]) -> Option<(Agreement, &[u8])> {
    let (version, rest) = bytes.split_first_chunk()?;
    let (at_unix_s, rest) = read_u64(rest)?;
    Some((Agreement { version: Version(*version), at_unix_s }, rest))
}

fn read_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u64::from_be_bytes(*number), rest))
}

impl fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("scope", &self.scope)
            .field("issued_unix_s", &self.issued_unix_s)
            .field("agreement", &self.agreement)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("scope", &self.scope())
            .field("issued_unix_s", &self.issued_unix_s)
            .field("agreement", &self.agreement)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder(..)")
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

/// Writes the first sixteen hexadecimal digits of the declaration's hash.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The flags. Other bits are not allowed.
const HAS_VALUE: u8 = 0b01;
const HAS_AGREEMENT: u8 = 0b10;

/// The bytes of the flags, the time of issue, the holder, and the length of the scope.
const FIXED_BYTES: usize = 1 + 8 + 8 + 1;

/// The bytes of the version and the time.
const AGREEMENT_BYTES: usize = 8 + 8;
