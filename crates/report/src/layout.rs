//! The structure of text and HTML reports: sections of facts and tables. `sections/` decides their content once for both
//! formats.

use super::period::Period;
use crumbgate_base::format::minute;

/// A section of the report.
pub(super) struct Section {
    /// A unique id, for the fragment of a URL.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: String,
    pub(super) parts: Vec<Part>,
}

pub(super) enum Part {
    /// Names and values.
    Facts(Vec<(&'static str, Cell)>),
    /// A sentence.
    Note(String),
    Table(Table),
    /// The chart of the time line, and its numbers.
    Timeline(Table),
}

pub(super) struct Table {
    pub(super) caption: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The number of rows that are not shown.
    pub(super) left_out: usize,
    /// True for a table that is too wide for a terminal, and for a page in portrait format.
    pub(super) is_wide: bool,
}

/// A column. The first cell of a row names the row.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) is_number: bool,
}

/// A cell of one or more lines.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) lines: Vec<Line>,
    /// The sort key. `None`: the text.
    pub(super) order: Option<u64>,
}

pub(super) enum Line {
    /// Text from outside, not escaped: a name, a route, a hash.
    Code(String),
    /// A time, in seconds since the Unix epoch.
    Moment(u64),
    /// A period, and the word between its start and end.
    Period(Period, &'static str),
    Plain(String),
    /// Less important text.
    Quiet(String),
    /// Emphasized text.
    Strong(String),
}

impl Table {
    /// Makes a table of the first [`MAX_ROWS`] rows.
    pub(super) fn new(
        caption: &'static str,
        columns: Vec<Column>,
        rows: impl ExactSizeIterator<Item = Vec<Cell>>,
    ) -> Self {
        let left_out = rows.len().saturating_sub(MAX_ROWS);
        let rows = rows.take(MAX_ROWS).collect();
        Self { caption, columns, rows, left_out, is_wide: false }
    }

    pub(super) fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    /// Removes a column.
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

/// The limit of shown rows. CSV and JSON have all rows.
pub(super) const MAX_ROWS: usize = 500;

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
    /// The line as plain text, not escaped.
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
