//! The effective configuration: every value with its origin, as `crumbgate check --print` shows it.

use std::{
    fmt::{self, Display},
    ops::Range,
    path::Path,
    sync::Arc,
};

use toml::de::DeTable;

use super::{
    environment::Variables,
    keys::known_keys,
    problem::{Place, Source},
    reader::DocumentReader,
    sections,
};

/// The effective values, displayed as a configuration file with the same meaning.
///
/// Keeps the text and reads it again when it is displayed, because the origins of a million tenants would need much
/// memory.
#[derive(Debug)]
pub struct Effective {
    source: Arc<Source>,
    variables: Variables,
}

impl Effective {
    pub(super) fn new(source: Arc<Source>, variables: Variables) -> Self {
        Self { source, variables }
    }

    /// The path of the file, as it was given.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The variables that override values of the file.
    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Returns the place of a tenant in the file; `None` if the file has no such tenant.
    pub fn place_of_tenant(&self, host: &str) -> Option<Place> {
        let document = DeTable::parse(self.source.text()).ok()?;
        let tenants = document.get_ref().get("tenants")?.get_ref().as_table()?;
        let (key, _) = tenants
            .get_key_value(host)
            .or_else(|| tenants.iter().find(|(key, _)| key.get_ref().eq_ignore_ascii_case(host)))?;
        Some(Place::Span { source: Arc::clone(&self.source), span: key.span() })
    }

    /// Returns the place of the value of a dotted key, such as `tls.certificates[0].chain`, for a
    /// [`Problem`](super::problem::Problem) that is only found when the value is used.
    ///
    /// It is the whole file if the value is not written, or if its key needs quotes.
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

/// Returns the span of the value of a dotted key, in bytes.
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
        let reader =
            DocumentReader::recording(Arc::clone(&self.source), self.variables.clone(), known_keys);
        let _ = sections::read(&reader, document.get_ref());
        let (_, record) = reader.finish();
        out.write_str(&record.document())
    }
}
