//! The file of `admin.token_file`: who may administer the gateway, each with a name, a role and a token.
//!
//! A token is kept as its SHA-256 alone, and no message and no `Debug` has one. They are random and long, so a digest
//! tells nothing of them that could be guessed.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Digest, SHA256, digest},
};

/// Everybody who may administer the gateway; never empty.
#[derive(Debug)]
pub struct Tokens(Vec<Holder>);

struct Holder {
    name: String,
    role: Role,
    digest: Digest,
}

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Read everything, and change nothing.
    Auditor,
    /// Everything.
    Operator,
}

/// Why a file of tokens can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A line is not a name, a role and a token.
    #[error("{}:{line}: {fault}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// It has no token.
    #[error("{}: found no token, expected a line such as: alice operator TOKEN; {MAKE_ONE}", file.display())]
    Nobody {
        /// The file.
        file: PathBuf,
    },
    /// Others may read it.
    #[error(
        "{}: found the mode {mode:04o}, expected that nobody else may read it: chmod 640 {}",
        file.display(), file.display()
    )]
    Open {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It can't be read.
    #[error("{}: can't be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What is wrong with a line. Repeats nothing of it: a token may stand in any place.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// It has too few words, or too many.
    #[error("found {found} words, expected three: a name, a role and a token")]
    Words {
        /// How many.
        found: usize,
    },
    /// The name has other characters.
    #[error("the name is no name: write it of lower-case letters, digits, \".\", \"_\" and \"-\"")]
    Name,
    /// Another line has the same name.
    #[error("the name is on line {first} already: give each token a name of its own")]
    Twice {
        /// Where it stands first.
        first: usize,
    },
    /// Another line has the same token.
    #[error("the token is on line {first} already: give each name a token of its own; {MAKE_ONE}")]
    SameToken {
        /// Where it stands first.
        first: usize,
    },
    /// The second word is no role.
    #[error("the second word is no role: write operator, or auditor for who changes nothing")]
    Role,
    /// The token is too short.
    #[error(
        "the third word has {characters} characters, a token {LEAST_CHARACTERS} at least: write a name, a role and a token; {MAKE_ONE}"
    )]
    Short {
        /// How many it has.
        characters: usize,
    },
    /// The token can't stand in an `Authorization` field (RFC 6750, section 2.1).
    #[error("the token has other characters than letters, digits and -._~+/=: {MAKE_ONE}")]
    Characters,
}

impl Tokens {
    /// Reads the file. Waits for the disk.
    ///
    /// # Errors
    ///
    /// The first line that is wrong, or what is wrong with the file as a whole.
    pub fn load(file: &Path) -> Result<Self, TokensError> {
        Self::parse(file, &read(file)?)
    }

    fn parse(file: &Path, text: &str) -> Result<Self, TokensError> {
        let mut holders: Vec<(usize, Holder)> = Vec::new();
        for (line, written) in lines(text) {
            let refuse = |fault| TokensError::Line { file: file.to_owned(), line, fault };
            let Written { name, role, token } = Written::read(written).map_err(refuse)?;
            if let Some((first, _)) = holders.iter().find(|(_, other)| other.name == name) {
                return Err(refuse(Fault::Twice { first: *first }));
            }
            let digest = digest(&SHA256, token.as_bytes());
            let is_same = |other: &Holder| other.digest.as_ref() == digest.as_ref();
            if let Some((first, _)) = holders.iter().find(|(_, other)| is_same(other)) {
                return Err(refuse(Fault::SameToken { first: *first }));
            }
            holders.push((line, Holder { name: name.to_owned(), role, digest }));
        }
        if holders.is_empty() {
            return Err(TokensError::Nobody { file: file.to_owned() });
        }
        Ok(Self(holders.into_iter().map(|(_, holder)| holder).collect()))
    }

    /// Whose token this is, and what they may do. Takes as long for any token of this length.
    pub fn holder(&self, token: &[u8]) -> Option<(&str, Role)> {
        let asked = digest(&SHA256, token);
        let mut found = None;
        for holder in &self.0 {
            if verify_slices_are_equal(holder.digest.as_ref(), asked.as_ref()).is_ok() {
                found = Some((holder.name.as_str(), holder.role));
            }
        }
        found
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.role)
    }
}

/// The token of the first operator in a file of tokens, for who asks the gateway from its own machine.
///
/// # Errors
///
/// As [`Tokens::load`].
pub fn first_operator(file: &Path) -> Result<Option<String>, TokensError> {
    let text = read(file)?;
    Tokens::parse(file, &text)?;
    let written = lines(&text).filter_map(|(_, line)| Written::read(line).ok());
    let mut operators = written.filter(|written| written.role == Role::Operator);
    Ok(operators.next().map(|written| written.token.to_owned()))
}

fn read(file: &Path) -> Result<String, TokensError> {
    let fail = |source| TokensError::Unreadable { file: file.to_owned(), source };
    let open = File::open(file).map_err(fail)?;
    let mode = open.metadata().map_err(fail)?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(TokensError::Open { file: file.to_owned(), mode });
    }
    let mut text = String::new();
    open.take(MAX_BYTES).read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

/// The permissions of who is neither the file's owner nor in its group.
const OTHERS: u32 = 0o007;

const MAX_BYTES: u64 = 1024 * 1024;

/// The lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index.saturating_add(1), line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

/// A line as it is written.
struct Written<'l> {
    name: &'l str,
    role: Role,
    token: &'l str,
}

impl<'l> Written<'l> {
    fn read(line: &'l str) -> Result<Self, Fault> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, role, token] = words[..] else {
            return Err(Fault::Words { found: words.len() });
        };
        if !name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        {
            return Err(Fault::Name);
        }
        let role = match role {
            "auditor" => Role::Auditor,
            "operator" => Role::Operator,
            _ => return Err(Fault::Role),
        };
        let characters = token.chars().count();
        if characters < LEAST_CHARACTERS {
            return Err(Fault::Short { characters });
        }
        if !is_bearer_token(token) {
            return Err(Fault::Characters);
        }
        Ok(Self { name, role, token })
    }
}

/// Whether it can stand in an `Authorization` field: `b64token` of RFC 6750, section 2.1.
pub fn is_bearer_token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

/// A random token of so many characters has 128 bits and more, whatever it is written in but decimal digits.
const LEAST_CHARACTERS: usize = 24;

const MAKE_ONE: &str = "`openssl rand -hex 32` makes a token";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ALICE: &str = "0123456789abcdef01234567";
    const BOB: &str = "Ab-._~+/Ab-._~+/Ab-._~+/==";

    fn parse(text: &str) -> Result<Tokens, TokensError> {
        Tokens::parse(Path::new("tokens"), text)
    }

    #[test]
    fn each_token_has_its_holder_and_no_other_has_one() {
        let text =
            format!("# who may\n\n  alice\toperator {ALICE}\n#bob operator x\nbob.2 auditor {BOB}");
        let tokens = parse(&text).unwrap();
        assert_eq!(tokens.holder(ALICE.as_bytes()), Some(("alice", Role::Operator)));
        assert_eq!(tokens.holder(BOB.as_bytes()), Some(("bob.2", Role::Auditor)));
        for other in ["", "alice", &ALICE[1..], &format!("{ALICE} "), &ALICE.to_uppercase()] {
            assert_eq!(tokens.holder(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_wrong_line_is_told_with_its_number_and_without_its_token() {
        let secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t";
        for (line, told) in [
            (format!("alice {secret}"), "found 2 words, expected three"),
            (format!("alice operator {secret} more"), "found 4 words, expected three"),
            (format!("Alice operator {secret}"), "the name is no name"),
            (format!("first operator {secret}"), "the name is on line 1 already"),
            (format!("{secret} operator alice"), "has 5 characters, a token 24 at least"),
            (format!("{secret} alice operator"), "the second word is no role"),
            (format!("operator {secret} alice"), "the second word is no role"),
            (format!("bob operator {ALICE}"), "the token is on line 1 already"),
            (format!("alice {secret} operator"), "the second word is no role"),
            (format!("alice operator {secret}ü"), "the token has other characters"),
            (format!("alice operator ={secret}"), "the token has other characters"),
        ] {
            let text = format!("first auditor {ALICE}\n{line}\n");
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.starts_with("tokens:2: "), "{error}");
            assert!(error.contains(told), "{error}");
            assert!(!error.contains(secret) && !error.contains(ALICE), "{error}");
        }
        assert!(matches!(parse("# nobody\n"), Err(TokensError::Nobody { .. })));
    }

    #[test]
    fn nothing_shows_a_token_or_its_digest() {
        let tokens = parse(&format!("alice operator {ALICE}")).unwrap();
        assert_eq!(format!("{tokens:?}"), "Tokens([alice Operator])");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        fs::write(&file, format!("bob auditor {BOB}\nalice operator {ALICE}")).unwrap();
        for (mode, is_fine) in [(0o600, true), (0o640, true), (0o644, false), (0o602, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Tokens::load(&file).is_ok(), is_fine, "{mode:o}");
            assert_eq!(first_operator(&file).is_ok(), is_fine, "{mode:o}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(first_operator(&file).unwrap().as_deref(), Some(ALICE));
        let error = Tokens::load(&folder.path().join("none")).unwrap_err();
        assert!(matches!(error, TokensError::Unreadable { .. }));
    }
}
