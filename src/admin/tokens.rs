//! The token file (`admin.token_file`): the people and programs that may administer the gateway, each with a name, a
//! role and a token.
//!
//! In memory a token is kept only as its SHA-256 digest, and no message and no `Debug` output contains one. Tokens are
//! random and long, so the digest can't be reversed by guessing.

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

/// The holders of tokens; at least one.
#[derive(Debug)]
pub struct Tokens(Vec<Holder>);

struct Holder {
    name: String,
    role: Role,
    digest: Digest,
}

/// The rights of a token's holder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// May read everything and change nothing.
    Auditor,
    /// May do everything.
    Operator,
}

/// A reason why a token file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A line is not a name, a role and a token.
    #[error("{}:{line}: {fault}", file.display())]
    Line {
        file: PathBuf,
        /// Line number, from 1.
        line: usize,
        fault: Fault,
    },
    /// The file has no token.
    #[error("{}: found no token, expected a line such as: alice operator TOKEN; {MAKE_ONE}", file.display())]
    Empty { file: PathBuf },
    /// The file's mode gives access to other users.
    #[error(
        "{}: found the mode {mode:04o}, expected no access for other users: chmod 640 {}",
        file.display(), file.display()
    )]
    Open { file: PathBuf, mode: u32 },
    /// The file can't be read.
    #[error("{}: can't be read", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
}

/// A fault of one line. Its text repeats nothing of the line, because any word of it may be a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The line has too few or too many words.
    #[error("found {found} words, expected three: a name, a role and a token")]
    Words { found: usize },
    /// The name contains a character that is not allowed.
    #[error("the name is invalid: use only lower-case letters, digits, \".\", \"_\" and \"-\"")]
    Name,
    /// An earlier line has the same name.
    #[error("the name is already on line {first}: give each token its own name")]
    Twice { first: usize },
    /// An earlier line has the same token.
    #[error("the token is already on line {first}: give each name its own token; {MAKE_ONE}")]
    SameToken { first: usize },
    /// The second word is not a role.
    #[error("the second word is not a role: write operator, or auditor for read-only access")]
    Role,
    /// The token is too short.
    #[error(
        "the third word has {characters} characters, but a token has at least {MIN_CHARACTERS}: write a name, a role and a token; {MAKE_ONE}"
    )]
    Short { characters: usize },
    /// The token contains a character that `Authorization` can't carry (RFC 6750, section 2.1).
    #[error("the token contains characters other than letters, digits and -._~+/=: {MAKE_ONE}")]
    Characters,
}

impl Tokens {
    /// Reads the file. Waits for the disk.
    ///
    /// # Errors
    ///
    /// The first invalid line, or the reason why the whole file can't be used.
    pub fn load(file: &Path) -> Result<Self, TokensError> {
        Self::parse(file, &read(file)?)
    }

    fn parse(file: &Path, text: &str) -> Result<Self, TokensError> {
        let mut holders: Vec<(usize, Holder)> = Vec::new();
        for (line, written) in lines(text) {
            let refuse = |fault| TokensError::Line { file: file.to_owned(), line, fault };
            let Line { name, role, token } = Line::read(written).map_err(refuse)?;
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
            return Err(TokensError::Empty { file: file.to_owned() });
        }
        Ok(Self(holders.into_iter().map(|(_, holder)| holder).collect()))
    }

    /// The name and role of a token's holder. The time that this takes depends on the token's length only.
    pub fn holder(&self, token: &[u8]) -> Option<(&str, Role)> {
        let sought = digest(&SHA256, token);
        let mut found = None;
        for holder in &self.0 {
            if verify_slices_are_equal(holder.digest.as_ref(), sought.as_ref()).is_ok() {
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

/// The token of the first operator in a token file. Commands on the gateway's own machine use it.
///
/// # Errors
///
/// The errors of [`Tokens::load`].
pub fn first_operator(file: &Path) -> Result<Option<String>, TokensError> {
    let text = read(file)?;
    Tokens::parse(file, &text)?;
    let written = lines(&text).filter_map(|(_, line)| Line::read(line).ok());
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

/// The permission bits of users who are neither the file's owner nor in its group.
const OTHERS: u32 = 0o007;

const MAX_BYTES: u64 = 1024 * 1024;

/// The lines that are neither empty nor comments, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index.saturating_add(1), line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

/// A parsed line.
struct Line<'l> {
    name: &'l str,
    role: Role,
    token: &'l str,
}

impl<'l> Line<'l> {
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
        if characters < MIN_CHARACTERS {
            return Err(Fault::Short { characters });
        }
        if !is_bearer_token(token) {
            return Err(Fault::Characters);
        }
        Ok(Self { name, role, token })
    }
}

/// True for a `b64token` of RFC 6750, section 2.1, which `Authorization` can carry.
pub fn is_bearer_token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

/// With this length a random token has at least 96 bits, even in hexadecimal digits.
const MIN_CHARACTERS: usize = 24;

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
    fn each_token_leads_to_its_holder_and_other_texts_to_none() {
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
    fn the_error_of_an_invalid_line_has_its_number_and_not_its_token() {
        let secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t";
        for (line, message) in [
            (format!("alice {secret}"), "found 2 words, expected three"),
            (format!("alice operator {secret} more"), "found 4 words, expected three"),
            (format!("Alice operator {secret}"), "the name is invalid"),
            (format!("first operator {secret}"), "the name is already on line 1"),
            (format!("{secret} operator alice"), "has 5 characters, but a token has at least 24"),
            (format!("{secret} alice operator"), "the second word is not a role"),
            (format!("operator {secret} alice"), "the second word is not a role"),
            (format!("bob operator {ALICE}"), "the token is already on line 1"),
            (format!("alice {secret} operator"), "the second word is not a role"),
            (format!("alice operator {secret}ü"), "the token contains characters other than"),
            (format!("alice operator ={secret}"), "the token contains characters other than"),
        ] {
            let text = format!("first auditor {ALICE}\n{line}\n");
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.starts_with("tokens:2: "), "{error}");
            assert!(error.contains(message), "{error}");
            assert!(!error.contains(secret) && !error.contains(ALICE), "{error}");
        }
        assert!(matches!(parse("# nobody\n"), Err(TokensError::Empty { .. })));
    }

    #[test]
    fn debug_output_contains_no_token_and_no_digest() {
        let tokens = parse(&format!("alice operator {ALICE}")).unwrap();
        assert_eq!(format!("{tokens:?}"), "Tokens([alice Operator])");
    }

    #[test]
    fn a_file_that_other_users_can_read_is_rejected() {
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
