//! The sections about the gateway: time line, heartbeats, events, declarations, segments.

use super::cells::count;
use crate::{
    chain::ChainCheck,
    declared::DeclarationVersion,
    layout::{Cell, Line, Part, Section, Table, number, text},
    report::Report,
    timeline::Bucket,
    words::Words,
};
use crumbgate_base::format::minute;

/// The time line.
pub(super) fn timeline(report: &Report, words: &Words) -> Section {
    let columns = vec![
        text(words.begin),
        number(words.passed),
        number(words.held_back),
        number(words.only_watched),
    ];
    let row = |bucket: &Bucket| {
        let mut row = vec![Cell::moment(bucket.start_unix_s)];
        let counts = [bucket.passed, bucket.stripped, bucket.only_watched];
        row.extend(counts.map(|number| count(number, words)));
        row
    };
    let rows = report.timeline.buckets.iter().map(row);
    let table = Table::new(words.timeline_numbers, columns, rows);
    let lead = (words.timeline_lead)(&words.language.duration(report.timeline.bucket_s));
    Section { id: "timeline", title: words.timeline, lead, parts: vec![Part::Timeline(table)] }
}

/// Heartbeats and gaps.
pub(super) fn liveness(report: &Report, words: &Words) -> Section {
    let heartbeats = report.heartbeats;
    let missing = match heartbeats.missing {
        0 => count(0, words),
        number => Cell::of(vec![Line::Strong(words.language.number(number))]),
    };
    let alive = words.language.elapsed(heartbeats.alive_s);
    let share = words.language.share(heartbeats.alive_s, report.period.seconds());
    let facts = vec![
        (words.heartbeats, count(heartbeats.count, words)),
        (words.missing, missing),
        (words.alive, Cell::plain(format!("{alive} ({share})"))),
    ];
    let columns = vec![text(words.begin), text(words.end), number(words.duration), text(words.why)];
    let rows = report.gaps.iter().map(|gap| {
        let mut why = Cell::plain((words.gap)(gap.reason));
        if let (Some(cookies), Some(requests)) = (gap.cookies, gap.requests) {
            let lost =
                (words.lost)(&words.language.number(cookies), &words.language.number(requests));
            why = why.and(Line::Strong(lost));
        }
        if let Some(agreements) = gap.agreements {
            why =
                why.and(Line::Strong((words.lost_agreements)(&words.language.number(agreements))));
        }
        let seconds = gap.period.seconds();
        vec![
            Cell::moment(gap.period.since_unix_s),
            Cell::moment(gap.period.until_unix_s),
            Cell::plain(words.language.elapsed(seconds)).sorted_by(seconds),
            why,
        ]
    });
    let gaps = if report.gaps.is_empty() {
        Part::Note(words.gaps_none.to_owned())
    } else {
        Part::Table(Table::new(words.gaps, columns, rows))
    };
    let (title, lead) = (words.liveness, words.liveness_lead.to_owned());
    Section { id: "liveness", title, lead, parts: vec![Part::Facts(facts), gaps] }
}

/// Events of the gateway, and changes of tenants.
pub(super) fn events(report: &Report, words: &Words) -> Section {
    let columns = vec![text(words.when), text(words.what), text(words.who), text(words.detail)];
    let rows = report.events.iter().map(|event| {
        let tenant = event.tenant.iter().map(|tenant| (words.tenant, tenant));
        let detail = event.detail.iter().map(|(key, value)| (&**key, value));
        let detail = tenant.chain(detail).map(|(key, value)| Line::Code(format!("{key}: {value}")));
        vec![
            Cell::moment(event.at_unix_s),
            Cell::plain((words.event)(event.kind)),
            Cell::code(&event.actor),
            Cell::of(detail.collect()),
        ]
    });
    let part = if report.events.is_empty() {
        Part::Note(words.events_none.to_owned())
    } else {
        Part::Table(Table::new(words.events, columns, rows))
    };
    Section { id: "events", title: words.events, lead: String::new(), parts: vec![part] }
}

/// The versions of the declaration.
pub(super) fn versions(report: &Report, words: &Words) -> Section {
    let columns = vec![
        text(words.version),
        text(words.since),
        text(words.ruled),
        text(words.cookies),
        text(words.changes),
    ];
    let rows = report.declarations.iter().enumerate().map(|(index, version)| {
        let ruled = match version.ruled {
            Some(period) => {
                Cell::of(vec![Line::Period(period, words.to)]).sorted_by(period.since_unix_s)
            }
            None => Cell::of(vec![Line::Quiet(words.did_not_rule.to_owned())]),
        };
        vec![
            Cell::code(&version.hash),
            Cell::moment(version.since_unix_s),
            ruled,
            cookies(version, words),
            if index == 0 { Cell::plain(words.first_version) } else { changes(version, words) },
        ]
    });
    let part = if report.declarations.is_empty() {
        Part::Note(words.versions_none.to_owned())
    } else {
        Part::Table(Table::new(words.versions, columns, rows))
    };
    Section { id: "versions", title: words.versions, lead: String::new(), parts: vec![part] }
}

fn cookies(version: &DeclarationVersion, words: &Words) -> Cell {
    match &version.cookies {
        Some(cookies) => {
            Cell::of(cookies.iter().map(|cookie| Line::Code(cookie.name.clone())).collect())
        }
        None => Cell::of(vec![Line::Strong(words.unreadable.to_owned())]),
    }
}

/// `+ added`, `− removed`, `≠ changed`.
fn changes(version: &DeclarationVersion, words: &Words) -> Cell {
    let signs =
        [("+", &version.added), ("\u{2212}", &version.removed), ("\u{2260}", &version.changed)];
    let lines: Vec<_> = signs
        .into_iter()
        .flat_map(|(sign, names)| names.iter().map(move |name| format!("{sign} {name}")))
        .map(Line::Code)
        .collect();
    if lines.is_empty() { Cell::plain(words.none) } else { Cell::of(lines) }
}

/// The closed and signed segments.
pub(super) fn chain(report: &Report, words: &Words) -> Section {
    let chain = &report.chain;
    let mut facts = vec![
        (words.segments, count(chain.segments, words)),
        (words.pruned, count(chain.pruned, words)),
    ];
    if let Some(first) = chain.first {
        facts.push((words.first_segment, count(first, words)));
    }
    if let Some(last) = &chain.last {
        let root = last.root.as_ref().map_or_else(|| Cell::plain(words.unknown), Cell::code);
        facts.extend([
            (words.last_segment, count(last.number, words)),
            (words.last_root, root),
            (words.last_newest, Cell::plain(format!("{} UTC", minute(last.newest_unix_s)))),
        ]);
    }
    facts.push((words.open_entries, count(chain.open_entries, words)));
    let keys: Vec<_> = chain.keys.iter().map(|key| Line::Code(key.clone())).collect();
    facts
        .push((words.keys, if keys.is_empty() { Cell::plain(words.none) } else { Cell::of(keys) }));
    let checked = match &chain.checked {
        ChainCheck::Fails { why } => Line::Strong((words.chain_fails)(why)),
        ChainCheck::Holds { at_unix_s } => {
            Line::Plain((words.chain_holds)(&format!("{} UTC", minute(*at_unix_s))))
        }
        ChainCheck::NotHere => Line::Plain(words.chain_unchecked.to_owned()),
    };
    facts.push((words.checked, Cell::of(vec![checked])));
    let (title, lead) = (words.chain, words.chain_lead.to_owned());
    Section { id: "chain", title, lead, parts: vec![Part::Facts(facts)] }
}
