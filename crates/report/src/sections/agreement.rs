//! The section about agreement.

use super::cells::{count, table};
use crate::{
    layout::{Cell, Column, Part, Section, Table, number, text},
    report::Report,
    totals::AgreementCounts,
    words::Words,
};

/// The counts of pages that were shown, agreed to, declined, and withdrawn.
pub(super) fn agreement(report: &Report, words: &Words) -> Section {
    let section = |parts| Section {
        id: "agreement",
        title: words.agreement,
        lead: words.agreement_lead.to_owned(),
        parts,
    };
    let mut parts = Vec::new();
    let dropped = report.totals.agreements.dropped;
    if dropped > 0 {
        parts.push(Part::Note((words.agreement_dropped)(&words.language.number(dropped))));
    }
    if report.agreements.is_empty() {
        parts.push(Part::Note(words.agreement_none.to_owned()));
        return section(parts);
    }
    let rows = report.agreements.iter().map(|agreement| {
        let names = [Cell::code(&agreement.declaration), Cell::code(&agreement.tenant)];
        let minutes = (agreement.first_unix_s, agreement.last_unix_s);
        row(names, agreement.counts, minutes, words)
    });
    let by_version = Table::new(words.agreement, columns(words.version, words), rows);
    let pages: Vec<_> = report
        .agreements
        .iter()
        .flat_map(|agreement| agreement.pages.iter().map(|page| (&agreement.tenant, page)))
        .collect();
    let rows = pages.iter().map(|(tenant, page)| {
        let names = [Cell::code(&page.hash), Cell::code(*tenant)];
        row(names, page.counts, (page.first_unix_s, page.last_unix_s), words)
    });
    let by_page = Table::new(words.pages, columns(words.page, words), rows);
    parts.extend([
        table(by_version, report, words),
        Part::Note(words.pages_lead.to_owned()),
        table(by_page, report, words),
    ]);
    section(parts)
}

fn columns(first: &'static str, words: &Words) -> Vec<Column> {
    vec![
        text(first),
        text(words.tenant),
        number(words.shown),
        number(words.agreed),
        number(words.declined),
        number(words.withdrawn),
        text(words.first_time),
        text(words.last_time),
    ]
}

fn row(
    names: [Cell; 2],
    counts: AgreementCounts,
    (first, last): (u64, u64),
    words: &Words,
) -> Vec<Cell> {
    let mut row = Vec::from(names);
    let counts = [counts.shown, counts.agreed, counts.declined, counts.withdrawn];
    row.extend(counts.map(|number| count(number, words)));
    row.extend([Cell::moment(first), Cell::moment(last)]);
    row
}
