//! Walks a TOML document, hands out checked values, and collects every problem on the way.
//!
//! A key exists because the code asks for it: what is written and was never asked for is unknown. So there is no list
//! of keys beside the code that reads them, and none that could drift from it.

mod node;
mod path;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use smallvec::SmallVec;
use toml::de::{DeTable, DeValue};

use super::{
    effective::{Origin, Record},
    environment::{Variable, Variables},
    known_keys,
    problem::{Place, Problem, Problems, Source},
    written::Written,
};
pub(super) use node::{Node, shown};
use path::KeyPath;

/// What a walk needs, and what it finds.
#[derive(Debug)]
pub(super) struct Reader {
    source: Arc<Source>,
    variables: Variables,
    /// The names of those that a key has asked for.
    used_variables: RefCell<BTreeSet<String>>,
    problems: RefCell<Problems>,
    /// Every key, value and origin. None where nobody asks: a file may have a million tenants.
    record: Option<RefCell<Record>>,
}

impl Reader {
    pub(super) fn new(source: Arc<Source>, variables: Variables) -> Self {
        let (used_variables, problems) = (RefCell::default(), RefCell::default());
        Self { source, variables, used_variables, problems, record: None }
    }

    /// A reader that also remembers every key, value and origin.
    pub(super) fn recording(source: Arc<Source>, variables: Variables) -> Self {
        Self { record: Some(RefCell::default()), ..Self::new(source, variables) }
    }

    /// The document's root.
    pub(super) fn root<'a>(&'a self, document: &'a DeTable<'a>) -> Table<'a> {
        let shape = Shape { header: KeyPath::Root, is_overridable: true, is_element: false };
        Table::new(self, KeyPath::Root, Some(document), None, shape)
    }

    /// Adds a problem.
    pub(super) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// The place of the file as a whole.
    pub(super) fn file(&self) -> Place {
        Place::File(self.source.path().to_owned())
    }

    /// A path as the file has it, relative to the folder in which the file is.
    pub(super) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.source.path().parent().unwrap_or(Path::new("")).join(path)
    }

    /// Ends the walk: adds what is wrong with the variables.
    pub(super) fn finish(self) -> (Problems, Record) {
        let mut problems = self.problems.into_inner();
        problems.extend(self.variables.problems(&self.used_variables.borrow()));
        (problems, self.record.map(RefCell::into_inner).unwrap_or_default())
    }

    fn place(&self, spot: Spot<'_>) -> Place {
        match spot {
            Spot::File { start, end } => {
                Place::Span { source: Arc::clone(&self.source), span: start..end }
            }
            Spot::Variable(variable) => variable.place(),
        }
    }

    fn record(&self, write: impl FnOnce(&mut Record)) {
        if let Some(record) = &self.record {
            write(&mut record.borrow_mut());
        }
    }
}

/// A table that is being read. When it is dropped, each key of it that nobody asked for is a problem.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) reader: &'a Reader,
    path: KeyPath<'a>,
    /// None: it is not written.
    entries: Option<&'a DeTable<'a>>,
    /// Where its header, its braces or its key are.
    spot: Option<Spot<'a>>,
    shape: Shape<'a>,
    asked: RefCell<SmallVec<[&'static str; 16]>>,
    /// How many of the asked keys are written.
    found: Cell<usize>,
}

/// How a table is written, and what reaches it.
#[derive(Clone, Copy, Debug)]
struct Shape<'a> {
    /// The table whose header it stands below: itself, or that of which it is a dotted key.
    header: KeyPath<'a>,
    /// Whether variables override its keys.
    is_overridable: bool,
    /// Whether it is an inline table in an array, and thus part of a value.
    is_element: bool,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
enum Spot<'a> {
    File { start: usize, end: usize },
    Variable(&'a Variable),
}

impl From<Range<usize>> for Spot<'_> {
    fn from(span: Range<usize>) -> Self {
        Self::File { start: span.start, end: span.end }
    }
}

impl<'a> Table<'a> {
    fn new(
        reader: &'a Reader,
        path: KeyPath<'a>,
        entries: Option<&'a DeTable<'a>>,
        spot: Option<Spot<'a>>,
        shape: Shape<'a>,
    ) -> Self {
        let (asked, found) = (RefCell::default(), Cell::new(0));
        Self { reader, path, entries, spot, shape, asked, found }
    }

    /// Whether the file has it.
    pub(super) fn is_written(&self) -> bool {
        self.entries.is_some()
    }

    /// Where it is in the file; the file as a whole where it is not written.
    pub(super) fn place(&self) -> Place {
        self.spot.map_or_else(|| self.reader.file(), |spot| self.reader.place(spot))
    }

    /// Its dotted key.
    pub(super) fn key(&self) -> String {
        self.path.to_string()
    }

    /// Whether something else than a table is written in its place, which has been told.
    pub(super) fn is_misread(&self) -> bool {
        self.spot.is_some() && self.entries.is_none()
    }

    /// Whether it has no key.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_none_or(DeTable::is_empty)
    }

    /// Where a key is that the operator chose; none where it is not written.
    pub(super) fn place_of_name(&self, name: &str) -> Option<Place> {
        let (key, _) = self.entries?.get_key_value(name)?;
        Some(self.reader.place(key.span().into()))
    }

    /// The dotted key of a key in it.
    pub(super) fn key_of(&self, key: &str) -> String {
        KeyPath::Key(&self.path, key).to_string()
    }

    /// A table below it with a header of its own: `[server]`.
    pub(super) fn section(&self, key: &'static str) -> Table<'_> {
        let path = KeyPath::Key(&self.path, key);
        self.table(key, path, Shape { header: path, ..self.shape })
    }

    /// A table below it without a header of its own: `health.path`.
    pub(super) fn inner(&self, key: &'static str) -> Table<'_> {
        self.table(key, KeyPath::Key(&self.path, key), self.shape)
    }

    fn table<'t>(&'t self, key: &'static str, path: KeyPath<'t>, shape: Shape<'t>) -> Table<'t> {
        let node = self.written(key);
        let entries = node.and_then(|node| node.entries());
        Table::new(self.reader, path, entries, node.map(|node| node.spot), shape)
    }

    /// The value of a key: of a variable that overrides it, else of the file; none where neither has it.
    pub(super) fn value(&self, key: &'static str) -> Option<Node<'_>> {
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

    /// The value of a key, or its default.
    pub(super) fn get<T: Written>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> T {
        self.get_or(key, default, || Origin::Default, read)
    }

    /// The value of a key, or a default that comes from elsewhere.
    pub(super) fn get_or<T: Written>(
        &self,
        key: &'static str,
        default: T,
        origin: impl FnOnce() -> Origin,
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

    /// The value of a key that has no default and may be absent.
    pub(super) fn optional<T: Written>(
        &self,
        key: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let node = self.value(key)?;
        let value = read(node)?;
        self.record(key, || value.written(), || node.origin());
        Some(value)
    }

    /// The value of a key that must be there; its absence is a problem.
    pub(super) fn required<T: Written>(
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

    /// The elements of an array, or its default. Those that are wrong are left out.
    pub(super) fn list<T: Written>(
        &self,
        key: &'static str,
        default: Vec<T>,
        read: impl FnMut(&Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.get(key, default, |node| Some(node.elements()?.iter().filter_map(read).collect()))
    }

    /// The values below keys that the operator chooses, by key. No key of the table is unknown then.
    pub(super) fn names(&self) -> impl Iterator<Item = Node<'_>> {
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

    /// Hands out an element of an array that is not written, to [`Table::record`] what holds in its place.
    pub(super) fn default_element(
        &self,
        key: &'static str,
        index: usize,
        record: impl FnOnce(&Table<'_>),
    ) {
        let array = KeyPath::Key(&self.path, key);
        let path = KeyPath::Element(&array, index);
        let shape = Shape { header: path, ..self.shape };
        record(&Table::new(self.reader, path, None, None, shape));
    }

    /// Notes for `--print` what a key means that is read by other means than [`Table::get`].
    pub(super) fn record(
        &self,
        key: &str,
        written: impl FnOnce() -> String,
        origin: impl FnOnce() -> Origin,
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

    /// The value of a key in the file alone.
    fn written(&self, key: &'static str) -> Option<Node<'_>> {
        let path = KeyPath::Key(&self.path, key);
        let written = self.entries.and_then(|entries| entries.get_key_value(key));
        if !self.asked.borrow().contains(&key) {
            self.reader.record(|record| record.key(path.normalised()));
            self.asked.borrow_mut().push(key);
            self.found.set(self.found.get().saturating_add(usize::from(written.is_some())));
        }
        let (written, value) = written?;
        let (spot, key_spot) = (value.span().into(), written.span().into());
        let (reader, shape, value) = (self.reader, self.shape, value.get_ref());
        Some(Node { reader, path, value, spot, key_spot, shape })
    }

    fn refuse_unknown(&self, key: &str, spot: Spot<'_>, value: &DeValue<'_>) {
        let asked = self.asked.borrow();
        let elsewhere = || {
            let ends_so = |known: &&String| known.rsplit('.').next() == Some(key);
            known_keys().iter().find(ends_so).map(|known| format!("it is `{known}`"))
        };
        let is_cut_name = value.is_table() && matches!(self.path, KeyPath::Name(..));
        let unquoted = || is_cut_name.then(|| "a name with a dot needs quotes".to_owned());
        let help = suggestion(key, asked.iter().copied())
            .map(|near| format!("did you mean `{near}`?"))
            .or_else(unquoted)
            .or_else(elsewhere)
            .unwrap_or_else(|| format!("the keys here are {}", asked.join(", ")));
        let problem = Problem::error(self.reader.place(spot), self.key_of(key), "unknown key");
        self.reader.push(problem.help(help));
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        let Some(entries) = self.entries else { return };
        if self.found.get() >= entries.len() {
            return;
        }
        for (key, value) in entries.iter() {
            if !self.asked.borrow().contains(&key.get_ref().as_ref()) {
                self.refuse_unknown(key.get_ref(), key.span().into(), value.get_ref());
            }
        }
    }
}

/// The word that was probably meant: at most one slip in three letters.
pub(super) fn suggestion<'k>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), word);
    let near = candidates.into_iter().map(|word| (distance(&word.to_lowercase()), word)).min()?;
    (near.0 <= (wrong.chars().count() / 3).max(1)).then_some(near.1)
}
