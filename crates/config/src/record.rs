//! The record of a walk over a document: every requested key, every value and its origin.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
};

use crumbgate_base::text::printable;

use super::problem::Place;

/// The origin of a value.
#[derive(Clone, Debug)]
pub(super) enum ValueOrigin {
    /// The default.
    Default,
    /// The value of another key, such as `defaults.session`.
    Inherited(&'static str),
    /// Written in the file or set by a variable.
    Place(Place),
}

impl Display for ValueOrigin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Inherited(key) => out.write_str(key),
            Self::Place(Place::Span { source, span }) => {
                write!(out, "{}:{}", source.name(), source.position(span.start).0)
            }
            Self::Place(place @ (Place::File(_) | Place::Variable { .. })) => place.fmt(out),
        }
    }
}

/// The keys that a walk has requested, and the values that it found, as TOML with their origins.
#[derive(Debug, Default)]
pub(super) struct KeyRecord {
    /// Every key, with `*` for a name that the operator chooses and `[]` for an element of an array:
    /// `upstreams.*.servers`, `cookies[].name`.
    pub(super) keys: BTreeSet<String>,
    /// Values of the root, which stand before all tables in TOML.
    preamble: String,
    tables: String,
    /// The table of the last value.
    table: String,
}

impl KeyRecord {
    /// Returns everything as one TOML document.
    pub(super) fn document(&self) -> String {
        format!("{}{}", self.preamble, self.tables).trim_start().to_owned()
    }

    /// Adds a requested key.
    pub(super) fn key(&mut self, normalised: String) {
        self.keys.insert(normalised);
    }

    /// Adds a value of a table.
    pub(super) fn value(
        &mut self,
        table: &str,
        header: &str,
        key: &str,
        written: &str,
        origin: &ValueOrigin,
    ) {
        let line = format!("{key} = {written}");
        let origin = printable(&origin.to_string());
        let line = format!("{line:<47} # {origin}\n");
        if table.is_empty() {
            self.preamble.push_str(&line);
            return;
        }
        if self.table != table {
            self.table = table.to_owned();
            self.tables.push_str(&format!("\n{header}\n"));
        }
        self.tables.push_str(&line);
    }
}
