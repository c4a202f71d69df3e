//! Entries as a table for spreadsheets: one row for each, with the same columns for all kinds, and
//! no cell that a spreadsheet treats as a formula (A4).

use std::{borrow::Cow, io::Write};

use csv::{Terminator, Writer, WriterBuilder};
use serde::Serialize;

use super::{
    super::entry::{Agreement, Entry, Event, Guard, Heartbeat, Texts, Verdicts},
    bundle::Format,
};
use crumbgate_audit::csv_cell;
use crumbgate_base::text::rfc3339;
use crumbgate_policy::{requested::RequestedLifetime, verdict::Reason};

/// Writes the table.
pub(crate) struct Table<W: Write> {
    rows: Writer<W>,
    format: Format,
}

impl<W: Write> Table<W> {
    /// Writes the names of the columns of a bundle of this format.
    pub(crate) fn begin(to: W, format: Format) -> csv::Result<Self> {
        let mut rows =
            WriterBuilder::new().has_headers(false).terminator(Terminator::CRLF).from_writer(to);
        let (more, source): (&[_], &[_]) = match format {
            Format::WithoutAgreements => (&[], &[]),
            Format::WithoutGuard => (&MORE_COLUMNS, &[]),
            Format::Current => (&MORE_COLUMNS, &SOURCE_COLUMN),
        };
        rows.write_record(COLUMNS.iter().chain(more).chain(source))?;
        Ok(Self { rows, format })
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, seq: u64, entry: &Entry, texts: &Texts) -> csv::Result<()> {
        let row = match entry {
            Entry::Agreement(agreement) => Row::of_agreement(seq, agreement, texts),
            Entry::Event(event) => Row::of_event(seq, event, texts),
            Entry::Guard(guard) => Row::of_guard(seq, guard, texts),
            Entry::Heartbeat(heartbeat) => Row::of_heartbeat(seq, heartbeat, texts),
            Entry::Verdicts(verdicts) => Row::of_verdicts(seq, verdicts, texts),
        };
        match self.format {
            Format::WithoutAgreements => self.rows.serialize(row),
            Format::WithoutGuard => self.rows.serialize((row, More::of(entry, texts))),
            Format::Current => {
                self.rows.serialize((row, More::of(entry, texts), Source::of(entry)))
            }
        }
    }

    /// Returns the destination after everything was written.
    pub(crate) fn end(self) -> std::io::Result<W> {
        self.rows.into_inner().map_err(|error| error.into_error())
    }
}

/// The names of the fields of [`Row`].
const COLUMNS: [&str; 32] = [
    "seq",
    "kind",
    "window",
    "window_s",
    "tenant",
    "mode",
    "direction",
    "action",
    "reason",
    "name",
    "lifetime",
    "granted_s",
    "route",
    "count",
    "first",
    "last",
    "attributes",
    "declaration",
    "number",
    "from",
    "until",
    "requests",
    "seen_request",
    "seen_response",
    "added",
    "dropped_request",
    "dropped_response",
    "dropped_added",
    "at",
    "event",
    "actor",
    "detail",
];

/// The names of the fields of [`More`].
const MORE_COLUMNS: [&str; 3] = ["page", "agreements", "dropped_agreements"];

/// The name of the field of [`Source`].
const SOURCE_COLUMN: [&str; 1] = ["source"];

/// One row. Cells without a value are empty. External text is escaped.
#[derive(Default, Serialize)]
struct Row<'t> {
    seq: u64,
    kind: &'static str,
    window: String,
    window_s: Option<u32>,
    tenant: Cow<'t, str>,
    mode: &'static str,
    direction: &'static str,
    action: &'static str,
    reason: Option<&'static str>,
    name: Cow<'t, str>,
    lifetime: Option<&'static str>,
    granted_s: Option<u32>,
    route: Cow<'t, str>,
    count: Option<u64>,
    first: String,
    last: String,
    attributes: String,
    declaration: &'t str,
    number: Option<u64>,
    from: String,
    until: String,
    requests: Option<u64>,
    seen_request: Option<u64>,
    seen_response: Option<u64>,
    added: Option<u64>,
    dropped_request: Option<u64>,
    dropped_response: Option<u64>,
    dropped_added: Option<u64>,
    at: String,
    event: &'static str,
    actor: Cow<'t, str>,
    detail: Cow<'t, str>,
}

/// The columns that [`Format::WithoutAgreements`] lacks.
#[derive(Default, Serialize)]
struct More<'t> {
    page: Cow<'t, str>,
    agreements: Option<u64>,
    dropped_agreements: Option<u64>,
}

impl<'t> More<'t> {
    fn of(entry: &Entry, texts: &'t Texts) -> Self {
        match entry {
            Entry::Agreement(agreement) => {
                Self { page: csv_cell(texts.get(agreement.page)), ..Self::default() }
            }
            Entry::Heartbeat(heartbeat) => Self {
                agreements: Some(heartbeat.seen.agreements),
                dropped_agreements: Some(heartbeat.dropped.agreements),
                ..Self::default()
            },
            Entry::Event(_) | Entry::Guard(_) | Entry::Verdicts(_) => Self::default(),
        }
    }
}

/// The column that only [`Format::Current`] has.
#[derive(Default, Serialize)]
struct Source {
    source: Option<&'static str>,
}

impl Source {
    fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Guard(guard) => Self { source: Some(guard.event.source()) },
            Entry::Agreement(_) | Entry::Event(_) | Entry::Heartbeat(_) | Entry::Verdicts(_) => {
                Self::default()
            }
        }
    }
}

impl<'t> Row<'t> {
    fn of_agreement(seq: u64, agreement: &Agreement, texts: &'t Texts) -> Self {
        Self {
            seq,
            kind: "agreement",
            window: rfc3339(agreement.window.start_unix_s),
            window_s: Some(agreement.window.length_s),
            tenant: csv_cell(texts.get(agreement.tenant)),
            count: Some(agreement.count),
            first: rfc3339(agreement.first_unix_s),
            last: rfc3339(agreement.last_unix_s),
            declaration: texts.get(agreement.declaration),
            event: agreement.event.word(),
            ..Self::default()
        }
    }

    fn of_event(seq: u64, event: &'t Event, texts: &'t Texts) -> Self {
        Self {
            seq,
            kind: "event",
            tenant: event.tenant.map_or_else(Cow::default, |tenant| csv_cell(texts.get(tenant))),
            at: rfc3339(event.at_unix_s),
            event: event.kind.word(),
            actor: csv_cell(&event.actor),
            detail: csv_cell(&event.detail),
            ..Self::default()
        }
    }

    fn of_guard(seq: u64, guard: &'t Guard, texts: &'t Texts) -> Self {
        Self {
            seq,
            kind: "guard",
            window: rfc3339(guard.window.start_unix_s),
            window_s: Some(guard.window.length_s),
            tenant: csv_cell(texts.get(guard.tenant)),
            mode: guard.mode.word(),
            name: guard.name.as_deref().map_or_else(Cow::default, csv_cell),
            count: Some(guard.count),
            first: rfc3339(guard.first_unix_s),
            last: rfc3339(guard.last_unix_s),
            declaration: texts.get(guard.declaration),
            event: guard.event.word(),
            ..Self::default()
        }
    }

    fn of_heartbeat(seq: u64, heartbeat: &Heartbeat, texts: &'t Texts) -> Self {
        let Heartbeat { window, seen, dropped, .. } = heartbeat;
        Self {
            seq,
            kind: "heartbeat",
            window: rfc3339(window.start_unix_s),
            window_s: Some(window.length_s),
            tenant: heartbeat
                .tenant
                .map_or_else(Cow::default, |tenant| csv_cell(texts.get(tenant))),
            declaration: texts.get(heartbeat.declaration),
            number: Some(heartbeat.number),
            from: rfc3339(heartbeat.from_unix_s),
            until: rfc3339(heartbeat.until_unix_s),
            requests: Some(heartbeat.requests),
            seen_request: Some(seen.request),
            seen_response: Some(seen.response),
            added: Some(seen.added),
            dropped_request: Some(dropped.request),
            dropped_response: Some(dropped.response),
            dropped_added: Some(dropped.added),
            ..Self::default()
        }
    }

    fn of_verdicts(seq: u64, verdicts: &Verdicts, texts: &'t Texts) -> Self {
        Self {
            seq,
            kind: "verdicts",
            window: rfc3339(verdicts.window.start_unix_s),
            window_s: Some(verdicts.window.length_s),
            tenant: csv_cell(texts.get(verdicts.tenant)),
            mode: verdicts.mode.word(),
            direction: verdicts.direction.word(),
            action: verdicts.action.word(),
            reason: verdicts.action.reason().map(Reason::word),
            name: verdicts.name.map_or_else(Cow::default, |name| csv_cell(texts.get(name))),
            lifetime: verdicts.lifetime.map(RequestedLifetime::word),
            granted_s: verdicts.granted_s,
            route: csv_cell(texts.get(verdicts.route)),
            count: Some(verdicts.count),
            first: rfc3339(verdicts.first_unix_s),
            last: rfc3339(verdicts.last_unix_s),
            attributes: verdicts.attributes.words().collect::<Vec<_>>().join(" "),
            declaration: texts.get(verdicts.declaration),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_the_name_of_what_is_in_it() {
        let mut rows = WriterBuilder::new().from_writer(Vec::new());
        rows.serialize((Row::default(), More::default(), Source::default())).unwrap();
        let written = String::from_utf8(rows.into_inner().unwrap()).unwrap();
        let columns = [&COLUMNS[..], &MORE_COLUMNS, &SOURCE_COLUMN].concat().join(",");
        assert_eq!(written.lines().next(), Some(&*columns));
    }
}
