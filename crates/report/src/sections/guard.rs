//! The section about the guard: pages with its script, and names that browsers reported.

use super::cells::{count, name, table, usually};
use crate::{
    guard::{GuardedPages, ScriptedName},
    layout::{Cell, Line, Part, Section, Table, number, text},
    report::Report,
    words::Words,
};

/// The results of the guard. `None`: no tenant of the report had it.
pub(super) fn guard(report: &Report, words: &Words) -> Option<Section> {
    let history = &report.guard;
    if history.pages.is_empty() && history.names.is_empty() {
        return None;
    }
    let columns = vec![
        text(words.mode_title),
        text(words.tenant),
        number(words.guarded),
        number(words.unguarded),
        text(words.first_time),
        text(words.last_time),
    ];
    let rows = history.pages.iter().map(|pages| pages_row(pages, words));
    let mut parts = vec![table(Table::new(words.guard_pages, columns, rows), report, words)];
    if history.names.is_empty() {
        parts.push(Part::Note(words.scripted_none.to_owned()));
    } else {
        let columns = vec![
            text(words.scripted_name),
            text(words.scripted_kind_title),
            text(words.tenant),
            text(words.mode_title),
            text(words.usually),
            text(words.risk_title),
            number(words.reports),
            text(words.first_seen),
            text(words.last_seen),
        ];
        let rows = history.names.iter().map(|scripted| name_row(scripted, words));
        let names = Table::new(words.scripted_names, columns, rows).wide();
        parts.extend([Part::Note(words.scripted_lead.to_owned()), table(names, report, words)]);
    }
    let lead = words.guard_lead.to_owned();
    Some(Section { id: "guard", title: words.guard, lead, parts })
}

fn pages_row(pages: &GuardedPages, words: &Words) -> Vec<Cell> {
    let sum = pages.unguarded.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let causes = pages.unguarded.iter().map(|(outcome, count)| {
        let cause = (words.unguarded_cause)(*outcome);
        Line::Quiet(format!("{cause}: {}", words.language.number(*count)))
    });
    vec![
        Cell::plain((words.guard_mode)(pages.mode)),
        Cell::code(&pages.tenant),
        count(pages.guarded, words),
        causes.fold(count(sum, words), Cell::and),
        Cell::moment(pages.first_unix_s),
        Cell::moment(pages.last_unix_s),
    ]
}

fn name_row(scripted: &ScriptedName, words: &Words) -> Vec<Cell> {
    let risk = scripted
        .risk
        .map_or_else(Cell::default, |risk| Cell::plain((words.risk)(risk)).sorted_by(risk as u64));
    vec![
        name(scripted.name.as_deref(), words),
        Cell::plain((words.scripted_kind)(scripted.kind)),
        Cell::code(&scripted.tenant),
        Cell::plain((words.guard_mode)(scripted.mode)),
        usually(scripted.usually.as_ref(), words),
        risk,
        count(scripted.reports, words),
        Cell::moment(scripted.first_unix_s),
        Cell::moment(scripted.last_unix_s),
    ]
}
