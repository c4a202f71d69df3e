//! A value that is being read.

use std::fmt::Display;

use toml::de::{DeTable, DeValue};

use super::{KeyPath, Reader, Shape, Spot, Table};
use crate::config::{
    effective::Origin,
    problem::{Place, Problem},
    written::quoted,
};

/// A value that is being read. Each reading returns none where it has found, and told, that the value is wrong.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Node<'a> {
    pub(in crate::config) reader: &'a Reader,
    pub(super) path: KeyPath<'a>,
    pub(super) value: &'a DeValue<'a>,
    pub(super) spot: Spot<'a>,
    pub(super) key_spot: Spot<'a>,
    /// That of the table in which it is.
    pub(super) shape: Shape<'a>,
}

impl<'a> Node<'a> {
    /// Refuses the value: what was expected in its place, and the mend.
    pub(in crate::config) fn refuse<T>(
        &self,
        expected: impl Display,
        help: impl Into<String>,
    ) -> Option<T> {
        self.error(format!("found {}, expected {expected}", self.found()), help)
    }

    /// Refuses the value for a reason in words.
    pub(in crate::config) fn error<T>(
        &self,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        let problem = Problem::error(self.place(), self.key(), message);
        self.reader.push(problem.help(help.into()));
        None
    }

    /// Takes the value, and says what is odd about it.
    pub(in crate::config) fn warn(&self, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::warning(self.place(), self.key(), message);
        self.reader.push(problem.help(help.into()));
    }

    /// Refuses the key that the operator chose.
    pub(in crate::config) fn refuse_name<T>(
        &self,
        expected: impl Display,
        help: impl Into<String>,
    ) -> Option<T> {
        self.error_at_name(format!("found {}, expected {expected}", shown(self.name())), help)
    }

    /// Refuses the key that the operator chose for a reason in words.
    pub(in crate::config) fn error_at_name<T>(
        &self,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        let problem = Problem::error(self.name_place(), self.key(), message);
        self.reader.push(problem.help(help.into()));
        None
    }

    /// Where the key is.
    pub(in crate::config) fn name_place(&self) -> Place {
        self.reader.place(self.key_spot)
    }

    /// Where the value is.
    pub(in crate::config) fn place(&self) -> Place {
        self.reader.place(self.spot)
    }

    /// The value's dotted key.
    pub(in crate::config) fn key(&self) -> String {
        self.path.to_string()
    }

    /// The last part of the key.
    pub(in crate::config) fn name(&self) -> &'a str {
        match self.path {
            KeyPath::Key(_, key) | KeyPath::Name(_, key) => key,
            KeyPath::Element(..) | KeyPath::Root => "",
        }
    }

    /// Where the value stands among others: grows along the file.
    pub(in crate::config) fn offset(&self) -> usize {
        match self.key_spot {
            Spot::File { start, .. } => start,
            Spot::Variable(_) => 0,
        }
    }

    /// Where the value comes from.
    pub(in crate::config) fn origin(&self) -> Origin {
        Origin::Place(self.place())
    }

    pub(in crate::config) fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(in crate::config) fn is_empty_array(&self) -> bool {
        self.value.as_array().is_some_and(|elements| elements.is_empty())
    }

    pub(in crate::config) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// A text.
    pub(in crate::config) fn text(&self) -> Option<&'a str> {
        self.as_text().or_else(|| self.refuse("a text", "write it in quotes"))
    }

    /// `true` or `false`.
    pub(in crate::config) fn boolean(&self) -> Option<bool> {
        match (self.value, self.spot) {
            (DeValue::Boolean(value), _) => Some(*value),
            (DeValue::String(text), Spot::Variable(_)) if text == "true" => Some(true),
            (DeValue::String(text), Spot::Variable(_)) if text == "false" => Some(false),
            _ => self.refuse("true or false", "write it without quotes"),
        }
    }

    /// A whole number, if that is what it is; tells no problem.
    pub(in crate::config) fn as_number(&self) -> Option<u64> {
        match (self.value, self.spot) {
            (DeValue::Integer(number), _) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            (DeValue::String(text), Spot::Variable(_)) => text.parse().ok(),
            _ => None,
        }
    }

    /// A number that may have a fraction, as it is written; tells no problem.
    pub(in crate::config) fn as_fraction(&self) -> Option<&'a str> {
        match (self.value, self.spot) {
            (DeValue::Float(number), _) => Some(number.as_str()),
            (DeValue::Integer(number), _) if number.radix() == 10 => Some(number.as_str()),
            (DeValue::String(text), Spot::Variable(_)) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array.
    pub(in crate::config) fn elements(&self) -> Option<Vec<Node<'_>>> {
        let DeValue::Array(elements) = self.value else {
            return match self.spot {
                Spot::File { .. } => self.refuse("an array", "write it in brackets: [ … ]"),
                Spot::Variable(_) => self.error(
                    "a variable cannot set a list",
                    "write the list in the configuration file, and unset the variable",
                ),
            };
        };
        let element = |(index, element): (usize, &'a toml::Spanned<DeValue<'a>>)| Node {
            reader: self.reader,
            path: KeyPath::Element(&self.path, index),
            value: element.get_ref(),
            spot: element.span().into(),
            key_spot: element.span().into(),
            shape: self.shape,
        };
        Some(elements.iter().enumerate().map(element).collect())
    }

    /// A table with a header of its own, whose keys no variable overrides: `[[cookies]]`, `[tenants."…"]`.
    pub(in crate::config) fn fixed_section(&self) -> Option<Table<'a>> {
        self.read_table(Shape { header: self.path, is_overridable: false, ..self.shape })
    }

    /// A table with a header of its own: `[upstreams.app]`.
    pub(in crate::config) fn section(&self) -> Option<Table<'a>> {
        self.read_table(Shape { header: self.path, ..self.shape })
    }

    /// An inline table that is an element of a list, or all of a value.
    pub(in crate::config) fn element(&self) -> Option<Table<'a>> {
        self.read_table(Shape { is_element: true, is_overridable: false, ..self.shape })
    }

    fn read_table(&self, shape: Shape<'a>) -> Option<Table<'a>> {
        let entries = self.entries()?;
        Some(Table::new(self.reader, self.path, Some(entries), Some(self.spot), shape))
    }

    pub(super) fn entries(&self) -> Option<&'a DeTable<'a>> {
        self.value.as_table().or_else(|| self.refuse("a table", "write it as { key = value }"))
    }

    /// The value in words.
    fn found(&self) -> String {
        match self.value {
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(value) => format!("the date {value}"),
            DeValue::Float(value) => value.to_string(),
            DeValue::Integer(value) => value.to_string(),
            DeValue::String(text) => shown(text),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}

/// A text in quotes, cut where it is long.
pub(in crate::config) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((cut, _)) => format!("{}…", quoted(text.get(..cut).unwrap_or_default())),
        None => quoted(text),
    }
}

/// How much of a text a message repeats.
const SHOWN_CHARACTERS: usize = 80;
