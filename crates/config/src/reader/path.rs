//! The keys that lead to a value of a document.

use std::fmt::{self, Display};

use crate::written::quoted;

/// The keys that lead to a value. They are only formatted for messages and records, not for each of a million tenants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyPath<'a> {
    /// An element of an array.
    Element(&'a Self, usize),
    /// A key that the gateway knows.
    Key(&'a Self, &'a str),
    /// A key that the operator chooses.
    Name(&'a Self, &'a str),
    /// The document.
    Root,
}

impl<'a> KeyPath<'a> {
    /// Returns the keys from the root, without the indexes of arrays.
    pub(super) fn segments(self) -> Vec<&'a str> {
        match self {
            Self::Element(parent, _) => parent.segments(),
            Self::Key(parent, key) | Self::Name(parent, key) => {
                let mut segments = parent.segments();
                segments.push(key);
                segments
            }
            Self::Root => Vec::new(),
        }
    }

    /// Returns the dotted key in TOML, without its first `skip` parts.
    pub(super) fn dotted(self, skip: usize) -> String {
        let segments = self.segments();
        segments.iter().skip(skip).map(|key| bare_or_quoted(key)).collect::<Vec<_>>().join(".")
    }

    /// Returns the header of the table with this path.
    pub(super) fn header(self) -> String {
        match self {
            Self::Element(parent, _) => format!("[[{}]]", parent.dotted(0)),
            Self::Key(..) | Self::Name(..) | Self::Root => format!("[{}]", self.dotted(0)),
        }
    }

    /// Returns the dotted key with `*` for each name that the operator chooses and `[]` for each element.
    pub(super) fn normalised(self) -> String {
        match self {
            Self::Element(parent, _) => format!("{}[]", parent.normalised()),
            Self::Key(KeyPath::Root, key) => key.to_owned(),
            Self::Key(parent, key) => format!("{}.{key}", parent.normalised()),
            Self::Name(parent, _) => format!("{}.*", parent.normalised()),
            Self::Root => String::new(),
        }
    }
}

impl Display for KeyPath<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(parent, index) => write!(out, "{parent}[{index}]"),
            Self::Key(KeyPath::Root, key) | Self::Name(KeyPath::Root, key) => {
                out.write_str(&bare_or_quoted(key))
            }
            Self::Key(parent, key) | Self::Name(parent, key) => {
                write!(out, "{parent}.{}", bare_or_quoted(key))
            }
            Self::Root => Ok(()),
        }
    }
}

fn bare_or_quoted(key: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !key.is_empty() && key.bytes().all(is_bare) { key.to_owned() } else { quoted(key) }
}
