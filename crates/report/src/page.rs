//! The shape of a report for people: sections of facts and tables. What they say is decided once, in `sections/`; the
//! formats only write it down.

use super::Period;
use crumbgate_base::format::minute;

/// A part of the report that has a title.
pub(super) struct Section {
    /// Unique in the report; a fragment of a URL.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: String,
    pub(super) parts: Vec<Part>,
}

pub(super) enum Part {
    /// Names and what there is to say of them.
    Facts(Vec<(&'static str, Cell)>),
    /// A sentence.
    Note(String),
    Table(Table),
    /// The picture of the report's time line, and the numbers in it.
    Timeline(Table),
}

pub(super) struct Table {
    pub(super) caption: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many rows are not shown.
    pub(super) left_out: usize,
    /// Whether it has more columns than a terminal has room for, and a page in upright format.
    pub(super) is_wide: bool,
}

/// A column; its first cell of a row names the row.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) is_number: bool,
}

/// What stands in a cell, line by line.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) lines: Vec<Line>,
    /// What the column is sorted by, if not by the text.
    pub(super) order: Option<u64>,
}

pub(super) enum Line {
    /// A text from outside, not yet made visible: a name, a route, a hash.
    Code(String),
    /// A moment, in seconds since the Unix epoch.
    Moment(u64),
    /// From when until when; the word is what stands between.
    Period(Period, &'static str),
    Plain(String),
    /// What is of less weight.
    Quiet(String),
    /// What wants to be seen.
    Strong(String),
}

impl Table {
    /// A table of at most [`MOST_ROWS`] of these rows, the first ones.
    pub(super) fn new(
        caption: &'static str,
        columns: Vec<Column>,
        rows: impl ExactSizeIterator<Item = Vec<Cell>>,
    ) -> Self {
        let left_out = rows.len().saturating_sub(MOST_ROWS);
        let rows = rows.take(MOST_ROWS).collect();
        Self { caption, columns, rows, left_out, is_wide: false }
    }

    pub(super) fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    /// Without one column, where it would say the same in each row.
    pub(super) fn without(mut self, title: &str) -> Self {
        if let Some(index) = self.columns.iter().position(|column| column.title == title) {
            self.columns.remove(index);
            for row in &mut self.rows {
                row.remove(index);
            }
        }
        self
    }
}

/// How many rows people are shown of a table; formats for programs have all of them.
pub(super) const MOST_ROWS: usize = 500;

pub(super) fn text(title: &'static str) -> Column {
    Column { title, is_number: false }
}

pub(super) fn number(title: &'static str) -> Column {
    Column { title, is_number: true }
}

impl Cell {
    pub(super) fn of(lines: Vec<Line>) -> Self {
        Self { lines, order: None }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::of(vec![Line::Plain(text.into())])
    }

    pub(super) fn code(text: impl Into<String>) -> Self {
        Self::of(vec![Line::Code(text.into())])
    }

    pub(super) fn moment(unix_s: u64) -> Self {
        Self { lines: vec![Line::Moment(unix_s)], order: Some(unix_s) }
    }

    pub(super) fn sorted_by(self, order: u64) -> Self {
        Self { order: Some(order), ..self }
    }

    pub(super) fn and(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }
}

impl Line {
    /// The line as plain text, not yet made visible.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Code(text) | Self::Plain(text) | Self::Quiet(text) | Self::Strong(text) => {
                text.clone()
            }
            Self::Moment(unix_s) => minute(*unix_s),
            Self::Period(Period { since_unix_s, until_unix_s }, to) => {
                format!("{} {to} {}", minute(*since_unix_s), minute(*until_unix_s))
            }
        }
    }
}
