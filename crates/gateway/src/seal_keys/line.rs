//! A key as its line has it: `ID KEY [made TIME] [until TIME] [# comment]`.

use std::fmt;

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::KeyFileError;
use crumbgate_base::clock::Now;
use crumbgate_policy::seal::{Key, KeyId};

/// A key and what is known of it. `Debug` shows its id alone.
pub struct Entry {
    id: KeyId,
    secret: [u8; Key::BYTES],
    /// When it was made, in seconds since the epoch.
    pub made_unix_s: Option<u64>,
    /// When another took its place and it sealed no more, in seconds since the epoch.
    pub until_unix_s: Option<u64>,
    comment: Option<String>,
}

/// What is wrong with a line. Repeats nothing of it: a key may stand in any place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The first word is no id.
    #[error(
        "the first word is no key's id: write the eight hexadecimal digits, then the key; {RESTORE}"
    )]
    Id,
    /// The second word is no key.
    #[error("the second word is no key: it should have 43 characters of base64url; {RESTORE}")]
    Key,
    /// The id is that of another key.
    #[error(
        "the id is not that of the key, which is {found}: one of them has been mistyped; {RESTORE}"
    )]
    Mistyped {
        /// The key's own.
        found: KeyId,
    },
    /// What follows has another form.
    #[error(
        "behind the key there is something else than made TIME, until TIME (as 2026-11-26T09:00:00Z) or # and a comment: \
         remove it"
    )]
    Rest,
    /// Another line has the same key.
    #[error("the key is on line {first} already: remove one of the two")]
    Twice {
        /// Where it stands first.
        first: usize,
    },
}

impl Entry {
    /// A new key.
    ///
    /// # Errors
    ///
    /// Where the machine has no random bits.
    pub fn generate(now: Now) -> Result<Self, KeyFileError> {
        let mut secret = [0; Key::BYTES];
        rand::fill(&mut secret).map_err(|_| KeyFileError::Random)?;
        let id = Key::new(&secret).id();
        Ok(Self { id, secret, made_unix_s: Some(now.unix_s), until_unix_s: None, comment: None })
    }

    pub(super) fn read(line: &str) -> Result<Self, Fault> {
        let (line, comment) = line.split_once('#').unwrap_or((line, ""));
        let comment = Some(comment.trim().to_owned()).filter(|comment| !comment.is_empty());
        let mut words = line.split_whitespace();
        let id: KeyId = words.next().and_then(|word| word.parse().ok()).ok_or(Fault::Id)?;
        let secret = words.next().and_then(read_secret).ok_or(Fault::Key)?;
        let found = Key::new(&secret).id();
        if found != id {
            return Err(Fault::Mistyped { found });
        }
        let mut entry = Self { id, secret, made_unix_s: None, until_unix_s: None, comment };
        while let Some(word) = words.next() {
            let time = match word {
                "made" => &mut entry.made_unix_s,
                "until" => &mut entry.until_unix_s,
                _ => return Err(Fault::Rest),
            };
            let read = words.next().and_then(read_moment).filter(|_| time.is_none());
            *time = Some(read.ok_or(Fault::Rest)?);
        }
        Ok(entry)
    }

    pub(super) fn line(&self) -> String {
        let mut line = format!("{} {}", self.id, URL_SAFE_NO_PAD.encode(self.secret));
        for (word, time) in [("made", self.made_unix_s), ("until", self.until_unix_s)] {
            if let Some(unix_s) = time {
                line += &format!(" {word} {}", written(unix_s));
            }
        }
        if let Some(comment) = &self.comment {
            line += &format!(" # {comment}");
        }
        line
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What seals and opens.
    pub fn key(&self) -> Key {
        Key::new(&self.secret)
    }

    /// What somebody has noted behind it.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({}, ..)", self.id)
    }
}

fn read_secret(word: &str) -> Option<[u8; Key::BYTES]> {
    URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok()
}

fn read_moment(word: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(word, &Rfc3339).ok()?;
    u64::try_from(moment.unix_timestamp()).ok()
}

/// As the file has it.
fn written(unix_s: u64) -> String {
    of(unix_s).and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// As people read it.
pub fn moment(unix_s: u64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    of(unix_s).and_then(|moment| moment.format(form).ok()).unwrap_or_default()
}

/// A clock beyond the calendar of the year 9999 has its end.
fn of(unix_s: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(unix_s).unwrap_or(i64::MAX).min(LAST_UNIX_S))
        .ok()
}

/// 9999-12-31T23:59:59Z
const LAST_UNIX_S: i64 = 253_402_300_799;

const RESTORE: &str =
    "restore the line from a backup or another gateway, or remove it: what it sealed is then lost";
