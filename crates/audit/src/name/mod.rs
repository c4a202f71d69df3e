//! Templates of cookie names (A3, A4).
//!
//! Names are untrusted, and many contain an identifier. Only a template of each name is kept, in which `{id}` replaces
//! every part that may be an identifier:
//!
//! - Digits are replaced, except in a few well-known words (such as `1P_JAR`) and in escapes.
//! - Letters stay if they look like a word: see `word`.
//! - A name with an at-sign may be an e-mail address, and one with many encoded bytes may be anything: both are replaced
//!   completely.
//! - Everything after a well-known prefix (`_ga_`) is replaced, whatever it looks like: see `known`.
//!
//! A login that consists of letters (`user_ada`) can't be distinguished from a word, and stays.

mod known;
mod word;

#[cfg(test)]
mod tests;

/// A buffer to which templates are written; reuse it.
#[derive(Clone, Debug)]
pub struct NameBuffer {
    bytes: [u8; MAX_TEMPLATE],
    used: usize,
}

/// The template of a name: printable ASCII, at most 133 bytes, empty for an empty name.
///
/// Equal names have equal templates, and a template is its own template. Backslashes and bytes outside printable ASCII
/// are written as escapes such as `\x1b`. A long name is cut at 128 bytes, before the word at that place, and then ends
/// in `{cut}`. Allocates nothing.
pub fn name_template<'b>(name: &[u8], buffer: &'b mut NameBuffer) -> &'b str {
    buffer.used = 0;
    if let Some(prefix) = known::prefix_of(name) {
        buffer.push(prefix.as_bytes());
        buffer.push(ID);
    } else if holds_at_sign(name) {
        buffer.push(ID);
    } else {
        fold(name, buffer);
    }
    buffer.as_str()
}

fn fold(name: &[u8], buffer: &mut NameBuffer) {
    let mut template = Template { buffer, last_id: None, longest_since_id: 0, encoded: 0 };
    match template.read(name) {
        Ok(()) => {}
        Err(Stop::Cut) => buffer.push(CUT),
        Err(Stop::Opaque) => {
            buffer.used = 0;
            buffer.push(ID);
        }
    }
}

/// Returns `true` if the name contains an at-sign, plain or percent-encoded any number of times (`%2540`).
fn holds_at_sign(name: &[u8]) -> bool {
    let name = name.get(..MAX_BYTES + MAX_LOCAL_PART).unwrap_or(name);
    // A loop without an early exit, which the compiler vectorizes; hardly any name has either byte.
    if !name.iter().fold(false, |any, byte| any | matches!(byte, b'@' | b'%')) {
        return false;
    }
    memchr::memchr2_iter(b'@', b'%', name).any(|at| {
        let (sign, mut rest) = (name.get(at), name.get(at + 1..).unwrap_or_default());
        while let [b'2', b'5', inner @ ..] = rest {
            rest = inner;
        }
        sign == Some(&b'@') || rest.starts_with(b"40")
    })
}

/// A template that is being written.
struct Template<'b> {
    buffer: &'b mut NameBuffer,
    /// The end of the last `{id}`.
    last_id: Option<usize>,
    /// Length of the longest word after the last `{id}`.
    longest_since_id: usize,
    encoded: usize,
}

/// The reason that the rest of a name is not read.
enum Stop {
    /// The name is too long.
    Cut,
    /// Too many of its bytes are encoded.
    Opaque,
}

impl Template<'_> {
    fn read(&mut self, name: &[u8]) -> Result<(), Stop> {
        // A template is no longer than this, so a template is never cut again.
        let is_cut = name.len() > MAX_TEMPLATE;
        let mut rest = if is_cut { &name[..MAX_BYTES] } else { name };
        while let Some((unit, after)) = Unit::read(rest) {
            match unit {
                Unit::Cut => return Err(Stop::Cut),
                Unit::Encoded(bytes) => self.push_encoded(bytes)?,
                Unit::Id => self.push_id()?,
                Unit::Odd(byte) => self.push_encoded(&escape(byte))?,
                Unit::Separator(byte) => self.push(&[byte])?,
                // The part of a cut word may look like a word, so it is not kept.
                Unit::Word(_) if is_cut && after.is_empty() => return Err(Stop::Cut),
                Unit::Word(word) => self.push_word(word)?,
            }
            rest = after;
        }
        if is_cut {
            return Err(Stop::Cut);
        }
        self.close_id();
        Ok(())
    }

    fn push_word(&mut self, word: &[u8]) -> Result<(), Stop> {
        let kept = word::readable(word);
        self.push(kept)?;
        self.longest_since_id = self.longest_since_id.max(kept.len());
        if kept.len() < word.len() { self.push_id() } else { Ok(()) }
    }

    /// Two identifiers with only short words between them are one: a UUID, a date, an address.
    fn push_id(&mut self) -> Result<(), Stop> {
        match self.last_id {
            Some(end) if self.longest_since_id <= MAX_WORD_WITHIN_ID => self.buffer.used = end,
            _ => self.push(ID)?,
        }
        self.last_id = Some(self.buffer.used);
        self.longest_since_id = 0;
        Ok(())
    }

    /// An identifier in base64url may contain dashes and underscores: short words after it are part of it.
    fn close_id(&mut self) {
        let Some(end) = self.last_id else { return };
        let is_part = (1..=MAX_WORD_WITHIN_ID).contains(&self.longest_since_id);
        if is_part && matches!(self.buffer.bytes[end], b'-' | b'_') {
            self.buffer.used = end;
        }
    }

    fn push_encoded(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.encoded += 1;
        if self.encoded > MAX_ENCODED { Err(Stop::Opaque) } else { self.push(bytes) }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.buffer.used + bytes.len() > MAX_BYTES {
            return Err(Stop::Cut);
        }
        self.buffer.push(bytes);
        Ok(())
    }
}

/// The next unit of a name.
enum Unit<'a> {
    /// `{cut}`: the name is itself a template that was cut.
    Cut,
    /// An escape, or a percent-encoded byte that is neither letter nor digit; kept as it is.
    Encoded(&'a [u8]),
    /// `{id}`, or a percent-encoded letter or digit.
    Id,
    /// A byte outside printable ASCII, or a backslash.
    Odd(u8),
    /// Any other byte.
    Separator(u8),
    /// Letters and digits.
    Word(&'a [u8]),
}

impl<'a> Unit<'a> {
    /// The first unit of the bytes, and the rest.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let first = *bytes.first()?;
        let (unit, length) = match first {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                let length = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                (Self::Word(&bytes[..length]), length)
            }
            b'{' if bytes.starts_with(ID) => (Self::Id, ID.len()),
            b'{' if bytes.starts_with(CUT) => (Self::Cut, CUT.len()),
            b'%' => match percent_encoded(bytes) {
                Some(byte) if byte.is_ascii_alphanumeric() => (Self::Id, 3),
                Some(_) => (Self::Encoded(&bytes[..3]), 3),
                None => (Self::Separator(first), 1),
            },
            b'\\' if is_escape(bytes) => (Self::Encoded(&bytes[..4]), 4),
            byte if is_odd(byte) => (Self::Odd(byte), 1),
            byte => (Self::Separator(byte), 1),
        };
        Some((unit, &bytes[length..]))
    }
}

fn is_odd(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') || byte == b'\\'
}

fn percent_encoded(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    from_hex(*high, *low)
}

/// Returns `true` if the bytes begin with an escape as [`escape`] writes it.
fn is_escape(bytes: &[u8]) -> bool {
    let [b'\\', b'x', high, low, ..] = bytes else { return false };
    from_hex(*high, *low).is_some_and(|byte| is_odd(byte) && bytes.starts_with(&escape(byte)))
}

fn escape(byte: u8) -> [u8; 4] {
    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
    [b'\\', b'x', digit(byte >> 4), digit(byte & 15)]
}

fn from_hex(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? * 16 + value(low)?).ok()
}

impl NameBuffer {
    /// Appends the bytes if they fit.
    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.used..self.used + bytes.len()) {
            room.copy_from_slice(bytes);
            self.used += bytes.len();
        }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.used]).expect("nothing but ASCII was written")
    }
}

impl Default for NameBuffer {
    fn default() -> Self {
        Self { bytes: [0; MAX_TEMPLATE], used: 0 }
    }
}

const ID: &[u8] = b"{id}";
const CUT: &[u8] = b"{cut}";

/// Number of bytes of a name that are kept (A4).
const MAX_BYTES: usize = 128;
const MAX_TEMPLATE: usize = MAX_BYTES + CUT.len();

/// Length of the local part of an e-mail address (RFC 5321, section 4.5.3.1.1): an at-sign this far after the cut may
/// belong to an address that begins before it.
const MAX_LOCAL_PART: usize = 64;

/// Number of encoded bytes in a name that is kept: enough for two non-ASCII letters or for `flexopus%5Fsession`, too few
/// for an identifier.
const MAX_ENCODED: usize = 4;

/// Length of a word that may be part of an identifier: that of a group of a UUID.
const MAX_WORD_WITHIN_ID: usize = 4;
