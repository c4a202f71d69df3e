//! What a cookie's name may say (A3, A4).
//!
//! Names come from outside, and many carry an identifier. What is kept of one is its template, with `{id}` wherever
//! something may be one. Doubt folds:
//!
//! - No digit stays, but in a few well-known words (of `1P_JAR`, say) and in escapes.
//! - Letters stay where they read like a word: see `word`.
//! - A name that holds an at-sign may be an e-mail address, one with many encoded bytes may be anything: nothing stays.
//! - Where a well-known prefix ends (`_ga_`), an identifier begins, whatever it looks like: see `known`.
//!
//! A login of letters alone (`user_ada`) reads like a word, and stays: nothing tells it from one.

mod known;
mod word;

#[cfg(test)]
mod tests;

/// Where a template is written; to be kept and used again.
#[derive(Clone, Debug)]
pub struct NameBuffer {
    bytes: [u8; MAX_TEMPLATE],
    used: usize,
}

/// The template of a name: printable ASCII, at most 133 bytes, empty for an empty name.
///
/// It is the same whenever the name is, and its own template. Odd bytes and backslashes are written `\x1b`; a long name
/// is cut at 128 bytes, before the word that stands there, and then ends in `{cut}`. Allocates nothing.
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

/// Whether an at-sign is in it, written as such or in percent-encoding, however often encoded (`%2540`).
fn holds_at_sign(name: &[u8]) -> bool {
    let name = name.get(..MAX_BYTES + MAX_LOCAL_PART).unwrap_or(name);
    // Without a way out of the loop the compiler checks many bytes at once; hardly any name has either byte.
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

/// A template while it is written.
struct Template<'b> {
    buffer: &'b mut NameBuffer,
    /// Where the last `{id}` ends.
    last_id: Option<usize>,
    /// Letters of the longest word behind it.
    longest_since_id: usize,
    encoded: usize,
}

/// Why the rest of a name is not read.
enum Stop {
    /// It is too long.
    Cut,
    /// Too much of it is encoded.
    Opaque,
}

impl Template<'_> {
    fn read(&mut self, name: &[u8]) -> Result<(), Stop> {
        // A template is no longer than this, so it is read whole when its own template is asked for.
        let is_cut = name.len() > MAX_TEMPLATE;
        let mut rest = if is_cut { &name[..MAX_BYTES] } else { name };
        while let Some((unit, after)) = Unit::read(rest) {
            match unit {
                Unit::Cut => return Err(Stop::Cut),
                Unit::Encoded(bytes) => self.push_encoded(bytes)?,
                Unit::Id => self.push_id()?,
                Unit::Odd(byte) => self.push_encoded(&escape(byte))?,
                Unit::Separator(byte) => self.push(&[byte])?,
                // What is left of it may look like a word.
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

    /// Two identifiers with nothing but short words between them are one: a UUID, a date, an address.
    fn push_id(&mut self) -> Result<(), Stop> {
        match self.last_id {
            Some(end) if self.longest_since_id <= MAX_WORD_WITHIN_ID => self.buffer.used = end,
            _ => self.push(ID)?,
        }
        self.last_id = Some(self.buffer.used);
        self.longest_since_id = 0;
        Ok(())
    }

    /// An identifier in base 64 may have dashes and underscores: short words behind it are its end.
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

/// What a name is read in.
enum Unit<'a> {
    /// `{cut}`: the name is a template that was cut.
    Cut,
    /// An escape, or a percent-encoded byte that is neither letter nor digit; as it stands.
    Encoded(&'a [u8]),
    /// `{id}`, or a letter or digit that somebody took care to encode.
    Id,
    /// A byte outside printable ASCII, or a backslash.
    Odd(u8),
    /// Any other byte.
    Separator(u8),
    /// Letters and digits.
    Word(&'a [u8]),
}

impl<'a> Unit<'a> {
    /// The unit that the bytes begin with, and what follows it.
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

/// Whether the bytes begin as [`escape`] writes.
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
    /// Adds what fits.
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

/// What is kept of a name (A4).
const MAX_BYTES: usize = 128;
const MAX_TEMPLATE: usize = MAX_BYTES + CUT.len();

/// RFC 5321, section 4.5.3.1.1: so far behind the cut, an at-sign makes an address of what stands before it.
const MAX_LOCAL_PART: usize = 64;

/// Enough for a name of two foreign letters, or for somebody's `flexopus%5Fsession`; too few for an identifier.
const MAX_ENCODED: usize = 4;

/// As many as a group of a UUID can have without a digit.
const MAX_WORD_WITHIN_ID: usize = 4;
