//! Every value that holds, and where it comes from: what `crumbgate check --print` shows.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    ops::Range,
    path::Path,
    sync::Arc,
};

use toml::de::DeTable;

use super::{
    Config, Loaded, Problems,
    environment::Variables,
    problem::{Place, Source, printable},
    read_source,
    reader::Reader,
    sections,
};

/// The values that hold, written as a configuration that means the same.
///
/// Keeps the text and reads it again when it is displayed: the origins of a million tenants are not worth keeping.
#[derive(Debug)]
pub struct Effective {
    source: Arc<Source>,
    variables: Variables,
}

impl Effective {
    pub(super) fn new(source: Arc<Source>, variables: Variables) -> Self {
        Self { source, variables }
    }

    /// The file, as its path was given.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Reads the file anew, with the same variables.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn read_again(&self) -> Result<Loaded, Problems> {
        Config::read_with(read_source(self.path())?, self.variables.clone())
    }

    /// Where a tenant of the file is written; none where it is not.
    pub fn place_of_tenant(&self, host: &str) -> Option<Place> {
        let document = DeTable::parse(self.source.text()).ok()?;
        let tenants = document.get_ref().get("tenants")?.get_ref().as_table()?;
        let (key, _) = tenants
            .get_key_value(host)
            .or_else(|| tenants.iter().find(|(key, _)| key.get_ref().eq_ignore_ascii_case(host)))?;
        Some(Place::Span { source: Arc::clone(&self.source), span: key.span() })
    }

    /// Where the value of a dotted key is written, for a [`Problem`](super::Problem) that only its use shows:
    /// `tls.certificates[0].chain`, `upstreams.app.ca`. The file as a whole where nobody has written it, and for keys
    /// that need quotes.
    pub fn place(&self, key: &str) -> Place {
        if let Some(variable) = self.variables.find(&key.split('.').collect::<Vec<_>>()) {
            return variable.place();
        }
        let document = DeTable::parse(self.source.text()).ok();
        match document.and_then(|document| span(document.get_ref(), key)) {
            Some(span) => Place::Span { source: Arc::clone(&self.source), span },
            None => Place::File(self.source.path().to_owned()),
        }
    }
}

/// Where the value of a dotted key is, in bytes.
fn span(document: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let (first, below) =
        key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let (name, index) =
        first.split_once('[').map_or((first, None), |(name, rest)| (name, Some(rest)));
    let mut value = document.get(name)?;
    if let Some(index) = index {
        let index: usize = index.strip_suffix(']')?.parse().ok()?;
        value = value.get_ref().get(index)?;
    }
    match below {
        Some(below) => span(value.get_ref().as_table()?, below),
        None => Some(value.span()),
    }
}

impl Display for Effective {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = DeTable::parse(self.source.text()).map_err(|_| fmt::Error)?;
        let record = Record::of(&self.source, &self.variables, document.get_ref());
        out.write_str(format!("{}{}", record.preamble, record.tables).trim_start())
    }
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// Nobody has written it.
    Default,
    /// Nobody has written it for this tenant: it has that of another key.
    Inherited(&'static str),
    /// It is written there.
    Place(Place),
}

impl Display for Origin {
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

/// What a walk has asked for and got.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Every key, with `*` for a chosen name and `[]` for an element: `upstreams.*.servers`, `cookies[].name`.
    pub(super) keys: BTreeSet<String>,
    /// Values of the root, which TOML wants before all tables.
    preamble: String,
    tables: String,
    /// The table whose values are written last.
    table: String,
}

impl Record {
    /// Walks a document that has no syntax error.
    pub(super) fn of(source: &Arc<Source>, variables: &Variables, document: &DeTable<'_>) -> Self {
        let reader = Reader::recording(Arc::clone(source), variables.clone());
        let _ = sections::read(&reader, document);
        reader.finish().1
    }

    /// Notes that a key was asked for.
    pub(super) fn key(&mut self, normalised: String) {
        self.keys.insert(normalised);
    }

    /// Notes a value of a table.
    pub(super) fn value(
        &mut self,
        table: &str,
        header: &str,
        key: &str,
        written: &str,
        origin: &Origin,
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
