//! Cells and tables that several sections use.

use crate::{
    layout::{Cell, Line, Part, Table},
    report::Report,
    stripped::{StrippedCookie, VendorHint},
    words::Words,
};

/// A count, which is also the sort key.
pub(super) fn count(number: u64, words: &Words) -> Cell {
    Cell::plain(words.language.number(number)).sorted_by(number)
}

/// A table, without the tenant's column where the report has only one tenant.
pub(super) fn table(table: Table, report: &Report, words: &Words) -> Part {
    Part::Table(if report.has_tenants() { table } else { table.without(words.tenant) })
}

/// The template of a cookie's name.
pub(super) fn name(name: Option<&str>, words: &Words) -> Cell {
    match name {
        Some(name) => Cell::code(name),
        None => Cell::plain(words.nameless),
    }
}

/// The usual vendor of a cookie, and its category.
pub(super) fn usually(usually: Option<&VendorHint>, words: &Words) -> Cell {
    match usually {
        Some(usually) => Cell::plain(&usually.platform).and(Line::Quiet(usually.category.clone())),
        None => Cell::of(vec![Line::Quiet(words.unknown.to_owned())]),
    }
}

/// The most frequent routes of a cookie, and the number of others.
pub(super) fn routes(stripped: &StrippedCookie, words: &Words) -> Cell {
    let (named, others) = stripped.routes.split_at(stripped.routes.len().min(MAX_ROUTES));
    let mut lines: Vec<_> = named.iter().map(|route| Line::Code(route.route.clone())).collect();
    if !others.is_empty() {
        lines.push(Line::Quiet((words.more)(&words.language.number(others.len() as u64))));
    }
    Cell::of(lines)
}

const MAX_ROUTES: usize = 3;
