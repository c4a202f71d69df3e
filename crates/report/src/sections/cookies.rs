//! The sections about declared and stripped cookies.

use super::cells::{count, name, routes, table, usually};
use crate::{
    declared::{Lifetime, TenantUsage},
    layout::{Cell, Line, Part, Section, Table, number, text},
    report::Report,
    stripped::StrippedCookie,
    words::Words,
};
use crumbgate_policy::{Mode, declaration::SessionDuration, requested::RequestedLifetime};

/// The cookies to review before enforcing. `None`: every tenant of the report is enforced.
pub(super) fn before(report: &Report, words: &Words) -> Option<Section> {
    let is_watched = |mode: &Mode| *mode == Mode::Report;
    if !report.tenants.iter().any(|tenant| tenant.modes.iter().any(is_watched)) {
        return None;
    }
    let columns = vec![
        text(words.cookie),
        text(words.tenant),
        text(words.observed),
        number(words.from_browsers),
        number(words.from_application),
        text(words.usually),
        text(words.last_seen),
        text(words.routes),
    ];
    let watched = report.before_enforcing();
    let rows = watched.iter().map(|row| {
        let dependence = row.dependence.map_or_else(Cell::default, |dependence| {
            Cell::plain((words.dependence)(dependence)).sorted_by(dependence as u64)
        });
        vec![
            name(row.name.as_deref(), words),
            Cell::code(&row.tenant),
            dependence,
            count(row.in_requests, words),
            count(row.in_responses, words),
            usually(row.usually.as_ref(), words),
            Cell::moment(row.last_unix_s),
            routes(row, words),
        ]
    });
    let parts = if watched.is_empty() {
        vec![Part::Note(words.before_none.to_owned())]
    } else {
        vec![table(Table::new(words.before, columns, rows), report, words)]
    };
    let lead = words.before_lead.to_owned();
    Some(Section { id: "before", title: words.before, lead, parts })
}

/// Declared cookies, with requested and granted lifetimes.
pub(super) fn declared(report: &Report, words: &Words) -> Section {
    let columns = vec![text(words.cookie), text(words.purpose), text(words.declared_lifetime)];
    let rows = report.declared.iter().map(|declared| {
        let mut name = Cell::code(&declared.cookie.name);
        if !declared.is_current {
            name = name.and(Line::Quiet(words.no_longer_declared.to_owned()));
        }
        let purpose = &declared.cookie.purpose;
        let purpose = purpose.get(words.language.tag()).or_else(|| purpose.values().next());
        let purpose = purpose.map_or_else(Cell::default, Cell::plain);
        vec![name, purpose, lifetime(&declared.cookie.lifetime, words)]
    });
    let mut parts = vec![Part::Table(Table::new(words.declared, columns, rows))];
    let used: Vec<_> = report
        .declared
        .iter()
        .flat_map(|declared| declared.tenants.iter().map(|of| (&declared.cookie.name, of)))
        .collect();
    if !used.is_empty() {
        let columns = vec![
            text(words.cookie),
            text(words.tenant),
            text(words.mode_title),
            text(words.requested),
            text(words.granted),
            number(words.to_application),
            number(words.rewritten),
            number(words.renewed),
            number(words.injected),
        ];
        let rows = used.iter().map(|(name, used)| {
            vec![
                Cell::code(*name),
                Cell::code(&used.tenant),
                Cell::plain((words.mode)(used.mode)),
                Cell::of(requested(&used.requested, words)),
                granted(used, words),
                count(used.kept, words),
                count(used.rewritten, words),
                count(used.renewed, words),
                count(used.injected, words),
            ]
        });
        parts.push(Part::Note(words.lifetimes_lead.to_owned()));
        parts.push(table(Table::new(words.lifetimes, columns, rows), report, words));
    }
    let lead = words.declared_lead.to_owned();
    Section { id: "declared", title: words.declared, lead, parts }
}

fn lifetime(lifetime: &Lifetime, words: &Words) -> Cell {
    match lifetime {
        Lifetime::Fixed(seconds) => Cell::plain(words.language.duration((*seconds).into())),
        Lifetime::Written(written) if written.is_empty() => Cell::plain(words.unknown),
        Lifetime::Written(written) if written == "session" => Cell::plain(words.session_lifetime),
        Lifetime::Written(written) => match written.parse::<SessionDuration>() {
            Ok(duration) => Cell::plain(words.language.duration(duration.seconds().into())),
            Err(_) => Cell::code(written),
        },
    }
}

fn requested(lifetimes: &[(RequestedLifetime, u64)], words: &Words) -> Vec<Line> {
    let line = |(step, number): &(RequestedLifetime, u64)| {
        let times = (words.times)(&words.language.number(*number));
        Line::Plain(format!("{}: {times}", (words.lifetime)(*step)))
    };
    lifetimes.iter().map(line).collect()
}

fn granted(used: &TenantUsage, words: &Words) -> Cell {
    let lines = used.granted.iter().map(|granted| {
        let lifetime = match granted.seconds {
            0 => words.deleted.to_owned(),
            seconds => words.language.duration(seconds.into()),
        };
        Line::Plain(format!("{lifetime}: {}", (words.times)(&words.language.number(granted.count))))
    });
    let longest = used.granted.iter().map(|granted| u64::from(granted.seconds)).max();
    Cell::of(lines.collect()).sorted_by(longest.unwrap_or(0))
}

/// Stripped cookies.
pub(super) fn stripped(report: &Report, words: &Words) -> Section {
    let columns = vec![
        text(words.cookie),
        text(words.usually),
        text(words.tenant),
        text(words.why),
        number(words.from_browsers),
        number(words.from_application),
        number(words.evictions),
        text(words.first_seen),
        text(words.last_seen),
        text(words.routes),
        text(words.attributes),
        text(words.requested),
    ];
    let rows = report.stripped.iter().map(|row| {
        let attributes = row.attributes.words().collect::<Vec<_>>().join(", ");
        let why = Cell::plain((words.reason)(row.reason));
        vec![
            name(row.name.as_deref(), words),
            usually(row.usually.as_ref(), words),
            Cell::code(&row.tenant),
            why.and(Line::Quiet((words.mode)(row.mode).to_owned())),
            count(row.in_requests, words),
            count(row.in_responses, words),
            evictions(row, words),
            Cell::moment(row.first_unix_s),
            Cell::moment(row.last_unix_s),
            routes(row, words),
            Cell::plain(attributes),
            Cell::of(requested(&row.lifetimes, words)),
        ]
    });
    let parts = if report.stripped.is_empty() {
        vec![Part::Note(words.stripped_none.to_owned())]
    } else {
        vec![table(Table::new(words.stripped_title, columns, rows).wide(), report, words)]
    };
    let lead = words.stripped_lead.to_owned();
    Section { id: "stripped", title: words.stripped_title, lead, parts }
}

/// The evictions of a name, and whether browsers still send it.
fn evictions(row: &StrippedCookie, words: &Words) -> Cell {
    let number = words.language.number(row.evictions);
    let mut cell = match row.mode {
        Mode::Report if row.evictions > 0 => Cell::plain((words.would_be)(&number)),
        Mode::Enforce | Mode::Report => Cell::plain(number),
    };
    if row.in_spite_of_evictions {
        cell = cell.and(Line::Strong(words.in_spite_short.to_owned()));
    }
    cell.sorted_by(row.evictions)
}
