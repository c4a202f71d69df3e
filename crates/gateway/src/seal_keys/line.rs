//! A line of the key file: `ID KEY [made TIME] [until TIME] [# comment]`.

use std::fmt;

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::error::{KeyFileError, LineFault};
use crumbgate_base::clock::Now;
use crumbgate_policy::seal::{Key, KeyId};

/// A key with its dates and comment. `Debug` shows only its id.
pub struct KeyEntry {
    id: KeyId,
    secret: [u8; Key::BYTES],
    /// Time of its creation, in seconds since the Unix epoch.
    pub made_unix_s: Option<u64>,
    /// Time at which it stopped sealing because another key took its place, in seconds since the Unix epoch.
    pub until_unix_s: Option<u64>,
    comment: Option<String>,
}

impl KeyEntry {
    /// Generates a new key.
    ///
    /// # Errors
    ///
    /// Fails if the system's random number generator fails.
    pub fn generate(now: Now) -> Result<Self, KeyFileError> {
        let mut secret = [0; Key::BYTES];
        rand::fill(&mut secret).map_err(|_| KeyFileError::Random)?;
        let id = Key::new(&secret).id();
        Ok(Self { id, secret, made_unix_s: Some(now.unix_s), until_unix_s: None, comment: None })
    }

    pub(super) fn read(line: &str) -> Result<Self, LineFault> {
        let (line, comment) = line.split_once('#').unwrap_or((line, ""));
        let comment = Some(comment.trim().to_owned()).filter(|comment| !comment.is_empty());
        let mut words = line.split_whitespace();
        let id: KeyId = words.next().and_then(|word| word.parse().ok()).ok_or(LineFault::Id)?;
        let secret = words.next().and_then(read_secret).ok_or(LineFault::Key)?;
        let found = Key::new(&secret).id();
        if found != id {
            return Err(LineFault::Mistyped { found });
        }
        let mut entry = Self { id, secret, made_unix_s: None, until_unix_s: None, comment };
        while let Some(word) = words.next() {
            let time = match word {
                "made" => &mut entry.made_unix_s,
                "until" => &mut entry.until_unix_s,
                _ => return Err(LineFault::Rest),
            };
            let read = words.next().and_then(read_moment).filter(|_| time.is_none());
            *time = Some(read.ok_or(LineFault::Rest)?);
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

    pub fn id(&self) -> KeyId {
        self.id
    }

    pub fn key(&self) -> Key {
        Key::new(&self.secret)
    }

    /// The comment on its line.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }
}

impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEntry({}, ..)", self.id)
    }
}

fn read_secret(word: &str) -> Option<[u8; Key::BYTES]> {
    URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok()
}

fn read_moment(word: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(word, &Rfc3339).ok()?;
    u64::try_from(moment.unix_timestamp()).ok()
}

/// A time in the form of the file (RFC 3339).
fn written(unix_s: u64) -> String {
    of(unix_s).and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// A time in the form of messages for people.
pub fn moment(unix_s: u64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    of(unix_s).and_then(|moment| moment.format(form).ok()).unwrap_or_default()
}

/// Converts a time. Times after the year 9999 become its last second.
fn of(unix_s: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(unix_s).unwrap_or(i64::MAX).min(LAST_UNIX_S))
        .ok()
}

/// 9999-12-31T23:59:59Z
const LAST_UNIX_S: i64 = 253_402_300_799;
