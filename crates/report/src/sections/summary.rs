//! The sections with totals, and the glossary.

use super::cells::count;
use crate::{
    layout::{Cell, Column, Line, Part, Section, Table, number, text},
    report::Report,
    totals::Totals,
    words::Words,
};
use crumbgate_policy::verdict::Direction;

/// The totals, and whether they balance.
pub(super) fn sums(report: &Report, words: &Words) -> Section {
    let totals = &report.totals;
    let mut facts = vec![
        (words.requests, count(totals.requests, words)),
        (words.seen, count(totals.seen(), words)),
        (words.passed, count(totals.passed(), words)),
        (words.held_back, count(totals.held_back(), words)),
    ];
    if totals.only_watched() > 0 {
        facts.push((words.only_watched, count(totals.only_watched(), words)));
    }
    facts.push((words.evicted, count(totals.evictions_sent(), words)));
    facts.push((words.balances, balance(totals, words)));
    let mut parts = vec![Part::Facts(facts)];
    if report.tenants.is_empty() {
        parts.push(Part::Note(words.empty.to_owned()));
    }
    if totals.only_watched() > 0 {
        parts.push(Part::Note(words.watched_note.to_owned()));
    }
    let dropped = [totals.request.dropped, totals.response.dropped, totals.added.dropped];
    let dropped = dropped.into_iter().fold(0, u64::saturating_add);
    if dropped > 0 {
        parts.push(Part::Note((words.lost_rows)(&words.language.number(dropped))));
    }
    parts.extend([Part::Table(sides(totals, words)), Part::Table(added(totals, words))]);
    Section { id: "sums", title: words.sums, lead: words.balance_rule.to_owned(), parts }
}

fn sides(totals: &Totals, words: &Words) -> Table {
    let columns = vec![
        text(words.direction),
        number(words.counted),
        number(words.kept),
        number(words.rewritten),
        number(words.stripped),
        number(words.dropped),
        number(words.difference),
    ];
    let rows = [(Direction::Request, &totals.request), (Direction::Response, &totals.response)];
    let rows = rows.into_iter().map(|(direction, side)| {
        let mut row = vec![Cell::plain((words.cookies_of)(direction))];
        let counts = [side.seen, side.kept, side.rewritten, side.stripped, side.dropped];
        row.extend(counts.map(|number| count(number, words)));
        row.push(left_over(side.difference(), words));
        row
    });
    Table::new(words.balance, columns, rows)
}

fn added(totals: &Totals, words: &Words) -> Table {
    let columns = vec![
        text(words.direction),
        number(words.in_all),
        number(words.renewed),
        number(words.injected),
        number(words.evictions),
        number(words.dropped),
        number(words.difference),
    ];
    let added = totals.added;
    let mut row = vec![Cell::plain(words.added)];
    let counts = [added.counted, added.renewed, added.injected, added.evicted, added.dropped];
    row.extend(counts.map(|number| count(number, words)));
    row.push(left_over(added.difference(), words));
    Table::new(words.added, columns, [row].into_iter())
}

/// "yes", or the differences.
fn balance(totals: &Totals, words: &Words) -> Cell {
    if totals.is_balanced() {
        return Cell::plain(words.is_balanced).sorted_by(0);
    }
    let wrong: Vec<_> = totals
        .differences()
        .into_iter()
        .filter(|difference| *difference != 0)
        .map(|d| words.language.signed(d))
        .collect();
    Cell::of(vec![Line::Strong((words.is_unbalanced)(&wrong.join(", ")))]).sorted_by(1)
}

fn left_over(difference: i64, words: &Words) -> Cell {
    let text = words.language.signed(difference);
    let line = if difference == 0 { Line::Plain(text) } else { Line::Strong(text) };
    Cell::of(vec![line]).sorted_by(difference.unsigned_abs())
}

/// The totals of each tenant.
pub(super) fn tenants(report: &Report, words: &Words) -> Section {
    let columns: Vec<Column> = vec![
        text(words.tenant),
        text(words.mode_title),
        number(words.requests),
        number(words.seen),
        number(words.passed),
        number(words.held_back),
        number(words.only_watched),
        number(words.evicted),
        text(words.balances),
    ];
    let rows = report.tenants.iter().map(|tenant| {
        let modes = tenant.modes.iter().map(|mode| Line::Plain((words.mode)(*mode).to_owned()));
        let totals = &tenant.totals;
        let counts = [
            totals.requests,
            totals.seen(),
            totals.passed(),
            totals.held_back(),
            totals.only_watched(),
            totals.evictions_sent(),
        ];
        let mut row = vec![Cell::code(&tenant.tenant), Cell::of(modes.collect())];
        row.extend(counts.map(|number| count(number, words)));
        row.push(balance(totals, words));
        row
    });
    let table = Table::new(words.tenants, columns, rows);
    let (title, lead) = (words.tenants, words.tenants_lead.to_owned());
    Section { id: "tenants", title, lead, parts: vec![Part::Table(table)] }
}

/// The glossary.
pub(super) fn glossary(words: &Words) -> Section {
    let terms = words.terms.iter().map(|(term, meaning)| (*term, Cell::plain(*meaning)));
    let parts = vec![Part::Facts(terms.collect())];
    Section { id: "glossary", title: words.glossary, lead: String::new(), parts }
}
