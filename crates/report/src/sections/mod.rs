//! What a report says to people, section by section, in the words of one language.

mod agreement;
mod cookies;
mod operation;
mod summary;

use super::{
    Report, Stripped,
    page::{Cell, Line, Part, Section, Table},
    words::Words,
};
use crumbgate_base::format::minute;

/// Every section, in the order of reading. Those that have nothing to say say so, or are left out where that is no
/// answer to a question.
pub(super) fn sections(report: &Report, words: &Words) -> Vec<Section> {
    let sections = [
        Some(summary::sums(report, words)),
        cookies::before(report, words),
        Some(cookies::declared(report, words)),
        Some(cookies::stripped(report, words)),
        Some(agreement::agreement(report, words)),
        Some(operation::timeline(report, words)),
        report.has_tenants().then(|| summary::tenants(report, words)),
        Some(operation::liveness(report, words)),
        Some(operation::events(report, words)),
        Some(operation::versions(report, words)),
        Some(operation::chain(report, words)),
        Some(summary::glossary(words)),
    ];
    sections.into_iter().flatten().collect()
}

/// What stands above all sections: whom the report is about, when, and what made it.
pub(super) fn head(report: &Report, words: &Words) -> Vec<(&'static str, Cell)> {
    let tenant = match &report.tenant {
        Some(tenant) => Cell::code(tenant),
        None => Cell::plain(words.all_tenants),
    };
    let gateways = match &*report.gateway_versions {
        [] => words.unknown.to_owned(),
        versions => format!("Crumbgate {}", versions.join(", ")),
    };
    let made = format!("{} UTC, ", minute(report.made_unix_s));
    vec![
        (words.about, tenant),
        (words.period_utc, Cell::of(vec![Line::Period(report.period, words.to)])),
        (words.gateway, Cell::plain(gateways)),
        (words.made, Cell::plain(made + &(words.made_with)(report.version))),
    ]
}

/// How often, to be sorted by.
fn count(number: u64, words: &Words) -> Cell {
    Cell::plain(words.language.number(number)).sorted_by(number)
}

/// A table with the tenant's column only where there is more than one.
fn table(table: Table, report: &Report, words: &Words) -> Part {
    Part::Table(if report.has_tenants() { table } else { table.without(words.tenant) })
}

/// The template of a cookie's name.
fn name(stripped: &Stripped, words: &Words) -> Cell {
    match &stripped.name {
        Some(name) => Cell::code(name),
        None => Cell::plain(words.nameless),
    }
}

/// Who usually sets such a cookie, and for what.
fn usually(stripped: &Stripped, words: &Words) -> Cell {
    match &stripped.usually {
        Some(usually) => Cell::plain(&usually.platform).and(Line::Quiet(usually.category.clone())),
        None => Cell::of(vec![Line::Quiet(words.unknown.to_owned())]),
    }
}

/// The routes that a cookie was seen on most often, and how many others there are.
fn routes(stripped: &Stripped, words: &Words) -> Cell {
    let (named, others) = stripped.routes.split_at(stripped.routes.len().min(NAMED_ROUTES));
    let mut lines: Vec<_> = named.iter().map(|route| Line::Code(route.route.clone())).collect();
    if !others.is_empty() {
        lines.push(Line::Quiet((words.more)(&words.language.number(others.len() as u64))));
    }
    Cell::of(lines)
}

const NAMED_ROUTES: usize = 3;
