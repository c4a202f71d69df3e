//! A table that is being read, key by key.

use std::cell::{Cell, RefCell};

use smallvec::SmallVec;
use toml::de::{DeTable, DeValue};

use super::{
    node::Node,
    path::KeyPath,
    walk::{DocumentReader, Shape, Spot},
};
use crate::{
    problem::{Place, Problem},
    record::ValueOrigin,
    suggestion::suggestion,
    written::Written,
};

impl DocumentReader {
    /// Returns the root of a document.
    pub(crate) fn root<'a>(&'a self, document: &'a DeTable<'a>) -> TableReader<'a> {
        let shape = Shape { header: KeyPath::Root, is_overridable: true, is_element: false };
        TableReader::new(self, KeyPath::Root, Some(document), None, shape)
    }
}

impl<'a> Node<'a> {
    /// Reads a table that has its own header and whose keys no variable overrides: `[[cookies]]`, `[tenants."…"]`.
    pub(crate) fn fixed_section(&self) -> Option<TableReader<'a>> {
        self.read_table(Shape { header: self.path, is_overridable: false, ..self.shape })
    }

    /// Reads a table that has its own header: `[upstreams.app]`.
    pub(crate) fn section(&self) -> Option<TableReader<'a>> {
        self.read_table(Shape { header: self.path, ..self.shape })
    }

    /// Reads an inline table that is an element of a list or the whole value of a key.
    pub(crate) fn element(&self) -> Option<TableReader<'a>> {
        self.read_table(Shape { is_element: true, is_overridable: false, ..self.shape })
    }

    fn read_table(&self, shape: Shape<'a>) -> Option<TableReader<'a>> {
        let entries = self.entries()?;
        Some(TableReader::new(self.reader, self.path, Some(entries), Some(self.spot), shape))
    }
}

/// A table that is being read. Dropping it reports each of its keys that was not requested.
#[derive(Debug)]
pub(crate) struct TableReader<'a> {
    pub(crate) reader: &'a DocumentReader,
    path: KeyPath<'a>,
    /// `None` if the file has no such table.
    entries: Option<&'a DeTable<'a>>,
    /// The place of its header, its braces or its key.
    spot: Option<Spot<'a>>,
    shape: Shape<'a>,
    requested: RefCell<SmallVec<[&'static str; 16]>>,
    /// The number of requested keys that the file has.
    found: Cell<usize>,
}

impl<'a> TableReader<'a> {
    fn new(
        reader: &'a DocumentReader,
        path: KeyPath<'a>,
        entries: Option<&'a DeTable<'a>>,
        spot: Option<Spot<'a>>,
        shape: Shape<'a>,
    ) -> Self {
        let (requested, found) = (RefCell::default(), Cell::new(0));
        Self { reader, path, entries, spot, shape, requested, found }
    }

    /// Returns true if the file has the table.
    pub(crate) fn is_written(&self) -> bool {
        self.entries.is_some()
    }

    /// Returns the place of the table, or the whole file if the table is not written.
    pub(crate) fn place(&self) -> Place {
        self.spot.map_or_else(|| self.reader.file(), |spot| self.reader.place(spot))
    }

    /// Returns the dotted key of the table.
    pub(crate) fn key(&self) -> String {
        self.path.to_string()
    }

    /// Returns true if the file has a value that is not a table, which was reported.
    pub(crate) fn is_misread(&self) -> bool {
        self.spot.is_some() && self.entries.is_none()
    }

    /// Returns true if the table has no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_none_or(DeTable::is_empty)
    }

    /// Returns the place of a key that the operator chose; `None` if it is not written.
    pub(crate) fn place_of_name(&self, name: &str) -> Option<Place> {
        let (key, _) = self.entries?.get_key_value(name)?;
        Some(self.reader.place(key.span().into()))
    }

    /// Returns the dotted key of a key in the table.
    pub(crate) fn key_of(&self, key: &str) -> String {
        KeyPath::Key(&self.path, key).to_string()
    }

    /// Reads a table below this one that has its own header: `[server]`.
    pub(crate) fn section(&self, key: &'static str) -> TableReader<'_> {
        let path = KeyPath::Key(&self.path, key);
        self.table(key, path, Shape { header: path, ..self.shape })
    }

    /// Reads a table below this one that has no header: `health.path`.
    pub(crate) fn inner(&self, key: &'static str) -> TableReader<'_> {
        self.table(key, KeyPath::Key(&self.path, key), self.shape)
    }

    fn table<'t>(
        &'t self,
        key: &'static str,
        path: KeyPath<'t>,
        shape: Shape<'t>,
    ) -> TableReader<'t> {
        let node = self.written(key);
        let entries = node.and_then(|node| node.entries());
        TableReader::new(self.reader, path, entries, node.map(|node| node.spot), shape)
    }

    /// Returns the value of a key: from the variable that overrides it, or else from the file.
    pub(crate) fn value(&self, key: &'static str) -> Option<Node<'_>> {
        let written = self.written(key);
        if !self.shape.is_overridable || self.reader.variables.is_empty() {
            return written;
        }
        let path = KeyPath::Key(&self.path, key);
        let Some(variable) = self.reader.variables.find(&path.segments()) else { return written };
        self.reader.used_variables.borrow_mut().insert(variable.name.clone());
        let spot = Spot::Variable(variable);
        let (reader, shape, value) = (self.reader, self.shape, &variable.value);
        Some(Node { reader, path, value, spot, key_spot: spot, shape })
    }

    /// Reads the value of a key, or returns its default.
    pub(crate) fn get<T: Written>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> T {
        self.get_or(key, default, || ValueOrigin::Default, read)
    }

    /// Reads the value of a key, or returns a default that has another origin.
    pub(crate) fn get_or<T: Written>(
        &self,
        key: &'static str,
        default: T,
        origin: impl FnOnce() -> ValueOrigin,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> T {
        let Some(node) = self.value(key) else {
            self.record(key, || default.written(), origin);
            return default;
        };
        let value = read(node).unwrap_or(default);
        self.record(key, || value.written(), || node.origin());
        value
    }

    /// Reads the value of a key that has no default and may be absent.
    pub(crate) fn optional<T: Written>(
        &self,
        key: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let node = self.value(key)?;
        let value = read(node)?;
        self.record(key, || value.written(), || node.origin());
        Some(value)
    }

    /// Reads the value of a required key; its absence is a problem.
    pub(crate) fn required<T: Written>(
        &self,
        key: &'static str,
        help: &str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        if self.value(key).is_none() {
            let problem = Problem::error(self.place(), self.key_of(key), "is missing");
            self.reader.push(problem.help(help.to_owned()));
            return None;
        }
        self.optional(key, read)
    }

    /// Reads the elements of an array, or returns its default. Invalid elements are omitted.
    pub(crate) fn list<T: Written>(
        &self,
        key: &'static str,
        default: Vec<T>,
        read: impl FnMut(&Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.get(key, default, |node| Some(node.elements()?.iter().filter_map(read).collect()))
    }

    /// Returns the values of a table whose keys the operator chooses. No key of it is unknown.
    pub(crate) fn names(&self) -> impl Iterator<Item = Node<'_>> {
        let entries = self.entries.into_iter().flat_map(DeTable::iter);
        self.found.set(self.entries.map_or(0, DeTable::len));
        entries.map(|(key, value)| Node {
            reader: self.reader,
            path: KeyPath::Name(&self.path, key.get_ref()),
            value: value.get_ref(),
            spot: value.span().into(),
            key_spot: key.span().into(),
            shape: self.shape,
        })
    }

    /// Makes an element of an absent array, for [`TableReader::record`] of its default.
    pub(crate) fn default_element(
        &self,
        key: &'static str,
        index: usize,
        record: impl FnOnce(&TableReader<'_>),
    ) {
        let array = KeyPath::Key(&self.path, key);
        let path = KeyPath::Element(&array, index);
        let shape = Shape { header: path, ..self.shape };
        record(&TableReader::new(self.reader, path, None, None, shape));
    }

    /// Records the value of a key that is not read by [`TableReader::get`], for `check --print`.
    pub(crate) fn record(
        &self,
        key: &str,
        written: impl FnOnce() -> String,
        origin: impl FnOnce() -> ValueOrigin,
    ) {
        if self.shape.is_element {
            return;
        }
        self.reader.record(|record| {
            let header = self.shape.header;
            let key = KeyPath::Key(&self.path, key).dotted(header.segments().len());
            record.value(&header.to_string(), &header.header(), &key, &written(), &origin());
        });
    }

    /// Returns the value of a key in the file, without variables.
    fn written(&self, key: &'static str) -> Option<Node<'_>> {
        let path = KeyPath::Key(&self.path, key);
        let written = self.entries.and_then(|entries| entries.get_key_value(key));
        if !self.requested.borrow().contains(&key) {
            self.reader.record(|record| record.key(path.normalised()));
            self.requested.borrow_mut().push(key);
            self.found.set(self.found.get().saturating_add(usize::from(written.is_some())));
        }
        let (written, value) = written?;
        let (spot, key_spot) = (value.span().into(), written.span().into());
        let (reader, shape, value) = (self.reader, self.shape, value.get_ref());
        Some(Node { reader, path, value, spot, key_spot, shape })
    }

    fn refuse_unknown(&self, key: &str, spot: Spot<'_>, value: &DeValue<'_>) {
        let requested = self.requested.borrow();
        let elsewhere = || {
            let ends_with_key = |known: &&String| known.rsplit('.').next() == Some(key);
            (self.reader.known_keys)()
                .iter()
                .find(ends_with_key)
                .map(|known| format!("did you mean `{known}`?"))
        };
        let is_split_name = value.is_table() && matches!(self.path, KeyPath::Name(..));
        let unquoted = || is_split_name.then(|| "put a name with a dot in quotes".to_owned());
        let help = suggestion(key, requested.iter().copied())
            .map(|near| format!("did you mean `{near}`?"))
            .or_else(unquoted)
            .or_else(elsewhere)
            .unwrap_or_else(|| format!("the keys of this table are {}", requested.join(", ")));
        let problem = Problem::error(self.reader.place(spot), self.key_of(key), "unknown key");
        self.reader.push(problem.help(help));
    }
}

impl Drop for TableReader<'_> {
    fn drop(&mut self) {
        let Some(entries) = self.entries else { return };
        if self.found.get() >= entries.len() {
            return;
        }
        for (key, value) in entries.iter() {
            if !self.requested.borrow().contains(&key.get_ref().as_ref()) {
                self.refuse_unknown(key.get_ref(), key.span().into(), value.get_ref());
            }
        }
    }
}
