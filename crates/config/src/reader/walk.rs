//! The walk over a document: collects problems, used variables and, if wanted, a record.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::path::KeyPath;
use crate::{
    environment::{Variable, Variables},
    problem::{Place, Problem, Problems, Source},
    record::KeyRecord,
};

/// The state of a walk over a document: its text, the variables, and the problems found so far.
#[derive(Debug)]
pub(crate) struct DocumentReader {
    source: Arc<Source>,
    pub(super) variables: Variables,
    /// The names of the variables that override a key.
    pub(super) used_variables: RefCell<BTreeSet<String>>,
    problems: RefCell<Problems>,
    /// Every key, value and origin; `None` if they are not needed, since a file may have a million tenants.
    record: Option<RefCell<KeyRecord>>,
    /// Every key of a configuration, for suggestions. A function, because the keys are themselves found by a walk.
    pub(super) known_keys: KnownKeys,
}

type KnownKeys = fn() -> &'static BTreeSet<String>;

impl DocumentReader {
    pub(crate) fn new(source: Arc<Source>, variables: Variables, known_keys: KnownKeys) -> Self {
        let (used_variables, problems) = (RefCell::default(), RefCell::default());
        Self { source, variables, used_variables, problems, record: None, known_keys }
    }

    /// Makes a reader that also records every key, value and origin.
    pub(crate) fn recording(
        source: Arc<Source>,
        variables: Variables,
        known_keys: KnownKeys,
    ) -> Self {
        Self { record: Some(RefCell::default()), ..Self::new(source, variables, known_keys) }
    }

    /// Adds a problem.
    pub(crate) fn push(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Returns the whole file as a place.
    pub(crate) fn file(&self) -> Place {
        Place::File(self.source.path().to_owned())
    }

    /// Resolves a path of the file against the folder of the file.
    pub(crate) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.source.path().parent().unwrap_or(Path::new("")).join(path)
    }

    /// Ends the walk, and adds the problems of the variables.
    pub(crate) fn finish(self) -> (Problems, KeyRecord) {
        let mut problems = self.problems.into_inner();
        problems.extend(self.variables.problems(&self.used_variables.borrow(), self.known_keys));
        (problems, self.record.map(RefCell::into_inner).unwrap_or_default())
    }

    pub(super) fn place(&self, spot: Spot<'_>) -> Place {
        match spot {
            Spot::File { start, end } => {
                Place::Span { source: Arc::clone(&self.source), span: start..end }
            }
            Spot::Variable(variable) => variable.place(),
        }
    }

    /// Passes the record to `write` if there is one.
    pub(super) fn record(&self, write: impl FnOnce(&mut KeyRecord)) {
        if let Some(record) = &self.record {
            write(&mut record.borrow_mut());
        }
    }
}

/// The way a table is written, and whether variables override it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'a> {
    /// The table whose header stands above it: the table itself, or the one of which it is a dotted key.
    pub(super) header: KeyPath<'a>,
    /// True if variables override its keys.
    pub(super) is_overridable: bool,
    /// True for an inline table in an array, which is part of a value.
    pub(super) is_element: bool,
}

/// The place of a value: bytes of the file, or a variable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot<'a> {
    File { start: usize, end: usize },
    Variable(&'a Variable),
}

impl From<Range<usize>> for Spot<'_> {
    fn from(span: Range<usize>) -> Self {
        Self::File { start: span.start, end: span.end }
    }
}
