//! A value that is being read.

use std::fmt::Display;

use toml::de::{DeTable, DeValue};

use super::{
    path::KeyPath,
    walk::{DocumentReader, Shape, Spot},
};
use crate::{
    problem::{Place, Problem},
    record::ValueOrigin,
    written::excerpt,
};

/// A value that is being read. Each method that reads it returns `None` after it has reported that the value is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) reader: &'a DocumentReader,
    pub(super) path: KeyPath<'a>,
    pub(super) value: &'a DeValue<'a>,
    pub(super) spot: Spot<'a>,
    pub(super) key_spot: Spot<'a>,
    /// The shape of the table that holds the value.
    pub(super) shape: Shape<'a>,
}

impl<'a> Node<'a> {
    /// Reports that another value was expected, with a suggested fix.
    pub(crate) fn refuse<T>(&self, expected: impl Display, help: impl Into<String>) -> Option<T> {
        self.error(format!("found {}, expected {expected}", self.found()), help)
    }

    /// Reports an error of the value.
    pub(crate) fn error<T>(
        &self,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        let problem = Problem::error(self.place(), self.key(), message);
        self.reader.push(problem.help(help.into()));
        None
    }

    /// Reports a warning about the value.
    pub(crate) fn warn(&self, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::warning(self.place(), self.key(), message);
        self.reader.push(problem.help(help.into()));
    }

    /// Reports that another name was expected in the place of the key that the operator chose.
    pub(crate) fn refuse_name<T>(
        &self,
        expected: impl Display,
        help: impl Into<String>,
    ) -> Option<T> {
        self.error_at_name(format!("found {}, expected {expected}", excerpt(self.name())), help)
    }

    /// Reports an error of the key that the operator chose.
    pub(crate) fn error_at_name<T>(
        &self,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        let problem = Problem::error(self.name_place(), self.key(), message);
        self.reader.push(problem.help(help.into()));
        None
    }

    /// Returns the place of the key.
    pub(crate) fn name_place(&self) -> Place {
        self.reader.place(self.key_spot)
    }

    /// Returns the place of the value.
    pub(crate) fn place(&self) -> Place {
        self.reader.place(self.spot)
    }

    /// Returns the dotted key of the value.
    pub(crate) fn key(&self) -> String {
        self.path.to_string()
    }

    /// Returns the last part of the key.
    pub(crate) fn name(&self) -> &'a str {
        match self.path {
            KeyPath::Key(_, key) | KeyPath::Name(_, key) => key,
            KeyPath::Element(..) | KeyPath::Root => "",
        }
    }

    /// Returns the position of the key in the file, in bytes.
    pub(crate) fn offset(&self) -> usize {
        match self.key_spot {
            Spot::File { start, .. } => start,
            Spot::Variable(_) => 0,
        }
    }

    /// Returns the origin of the value.
    pub(crate) fn origin(&self) -> ValueOrigin {
        ValueOrigin::Place(self.place())
    }

    pub(crate) fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(crate) fn is_empty_array(&self) -> bool {
        self.value.as_array().is_some_and(|elements| elements.is_empty())
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Reads a text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        self.as_text().or_else(|| self.refuse("a text", "put it in quotes"))
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match (self.value, self.spot) {
            (DeValue::Boolean(value), _) => Some(*value),
            (DeValue::String(text), Spot::Variable(_)) if text == "true" => Some(true),
            (DeValue::String(text), Spot::Variable(_)) if text == "false" => Some(false),
            _ => self.refuse("true or false", "write it without quotes"),
        }
    }

    /// Returns the value if it is a whole number, without reporting a problem.
    pub(crate) fn as_number(&self) -> Option<u64> {
        match (self.value, self.spot) {
            (DeValue::Integer(number), _) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            (DeValue::String(text), Spot::Variable(_)) => text.parse().ok(),
            _ => None,
        }
    }

    /// Returns the text of a number that may have a fraction, without reporting a problem.
    pub(crate) fn as_fraction(&self) -> Option<&'a str> {
        match (self.value, self.spot) {
            (DeValue::Float(number), _) => Some(number.as_str()),
            (DeValue::Integer(number), _) if number.radix() == 10 => Some(number.as_str()),
            (DeValue::String(text), Spot::Variable(_)) => Some(text),
            _ => None,
        }
    }

    /// Reads the elements of an array.
    pub(crate) fn elements(&self) -> Option<Vec<Node<'_>>> {
        let DeValue::Array(elements) = self.value else {
            return match self.spot {
                Spot::File { .. } => self.refuse("an array", "write an array: [ … ]"),
                Spot::Variable(_) => self.error(
                    "a variable cannot set a list",
                    "set the list in the configuration file, and unset the variable",
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

    pub(super) fn entries(&self) -> Option<&'a DeTable<'a>> {
        self.value.as_table().or_else(|| self.refuse("a table", "write a table: { key = value }"))
    }

    /// Describes the value for a message.
    fn found(&self) -> String {
        match self.value {
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(value) => format!("the date {value}"),
            DeValue::Float(value) => value.to_string(),
            DeValue::Integer(value) => value.to_string(),
            DeValue::String(text) => excerpt(text),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}
