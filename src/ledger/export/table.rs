//! Entries as a table for spreadsheets: one row each, in columns that all kinds share, and no cell a formula (A4).

use std::io::Write;

use csv::{Terminator, Writer, WriterBuilder};

use super::super::{
    codes::{Coded, reason_word},
    entry::{Entry, Texts},
    line::rfc3339,
};
use crate::audit::csv_cell;

/// What each column holds; empty where an entry has no such thing.
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

/// Writes the table.
pub(in crate::ledger) struct Table<W: Write> {
    rows: Writer<W>,
}

impl<W: Write> Table<W> {
    /// Begins with the names of the columns.
    pub(in crate::ledger) fn begin(to: W) -> csv::Result<Self> {
        let mut rows = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(to);
        rows.write_record(COLUMNS)?;
        Ok(Self { rows })
    }

    /// Adds an entry.
    pub(in crate::ledger) fn add(
        &mut self,
        seq: u64,
        entry: &Entry,
        texts: &Texts,
    ) -> csv::Result<()> {
        self.rows.write_record(
            COLUMNS.map(|column| csv_cell(&value(column, seq, entry, texts)).into_owned()),
        )
    }

    /// What was written to, when all of it has arrived there.
    pub(in crate::ledger) fn end(self) -> std::io::Result<W> {
        self.rows.into_inner().map_err(|error| error.into_error())
    }
}

/// What an entry has in a column.
fn value(column: &str, seq: u64, entry: &Entry, texts: &Texts) -> String {
    if column == "seq" {
        return seq.to_string();
    }
    match entry {
        Entry::Event(event) => match column {
            "kind" => "event".to_owned(),
            "at" => rfc3339(event.at_unix_s),
            "event" => event.kind.word().to_owned(),
            "actor" => event.actor.clone(),
            "detail" => event.detail.clone(),
            _ => String::new(),
        },
        Entry::Heartbeat(heartbeat) => match column {
            "kind" => "heartbeat".to_owned(),
            "window" => rfc3339(heartbeat.window.start_unix_s),
            "window_s" => heartbeat.window.length_s.to_string(),
            "tenant" => heartbeat.tenant.map_or("", |tenant| texts.get(tenant)).to_owned(),
            "declaration" => texts.get(heartbeat.declaration).to_owned(),
            "number" => heartbeat.number.to_string(),
            "from" => rfc3339(heartbeat.from_unix_s),
            "until" => rfc3339(heartbeat.until_unix_s),
            "requests" => heartbeat.requests.to_string(),
            "seen_request" => heartbeat.seen.request.to_string(),
            "seen_response" => heartbeat.seen.response.to_string(),
            "added" => heartbeat.seen.added.to_string(),
            "dropped_request" => heartbeat.dropped.request.to_string(),
            "dropped_response" => heartbeat.dropped.response.to_string(),
            "dropped_added" => heartbeat.dropped.added.to_string(),
            _ => String::new(),
        },
        Entry::Verdicts(verdicts) => match column {
            "kind" => "verdicts".to_owned(),
            "window" => rfc3339(verdicts.window.start_unix_s),
            "window_s" => verdicts.window.length_s.to_string(),
            "tenant" => texts.get(verdicts.tenant).to_owned(),
            "mode" => verdicts.mode.word().to_owned(),
            "direction" => verdicts.direction.word().to_owned(),
            "action" => verdicts.action.word().to_owned(),
            "reason" => reason_word(verdicts.action).unwrap_or_default().to_owned(),
            "name" => verdicts.name.map_or("", |name| texts.get(name)).to_owned(),
            "lifetime" => verdicts.lifetime.map_or("", Coded::word).to_owned(),
            "granted_s" => {
                verdicts.granted_s.map(|seconds| seconds.to_string()).unwrap_or_default()
            }
            "route" => texts.get(verdicts.route).to_owned(),
            "count" => verdicts.count.to_string(),
            "first" => rfc3339(verdicts.first_unix_s),
            "last" => rfc3339(verdicts.last_unix_s),
            "attributes" => verdicts.attributes.words().collect::<Vec<_>>().join(" "),
            "declaration" => texts.get(verdicts.declaration).to_owned(),
            _ => String::new(),
        },
    }
}
