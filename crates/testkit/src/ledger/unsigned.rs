//! An unsigned ledger, written window by window.

use std::path::Path;

use crumbgate_audit::AgreementEvent;
use crumbgate_ledger::{
    entry::{Event, EventKind, Figures},
    sqlite::signed as number,
};
use crumbgate_state::migrate;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::{
    rows::{Counts, GuardRow, Rows, Times},
    seen::Seen,
};

/// An unsigned ledger that is being written. Nothing is on the disk before [`UnsignedLedger::finish`].
pub struct UnsignedLedger {
    connection: Connection,
    rows: Rows,
    seq: u64,
    window_s: u64,
    declaration: String,
}

impl UnsignedLedger {
    /// Creates a ledger at this path, with windows of this length.
    pub fn new(path: &Path, window_s: u64) -> Self {
        let mut connection = Connection::open(path).unwrap();
        migrate(&mut connection).unwrap();
        connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").unwrap();
        Self { connection, rows: Rows::default(), seq: 0, window_s, declaration: "0".repeat(64) }
    }

    pub fn finish(self) {
        self.connection.execute_batch("COMMIT").unwrap();
    }

    /// Writes the verdicts on a tenant's cookies in the window that begins then, with a heartbeat that balances.
    pub fn traffic(&mut self, start_unix_s: u64, tenant: &str, requests: u64, seen: &[Seen<'_>]) {
        let mut figures = Figures::default();
        for seen in seen {
            self.verdicts(start_unix_s, tenant, seen);
            *figures.of(seen.direction, seen.action) += seen.count;
        }
        self.heartbeat_of(start_unix_s, tenant, requests, figures, Figures::default());
    }

    /// Writes one entry of verdicts, without a heartbeat.
    pub fn verdicts(&mut self, start_unix_s: u64, tenant: &str, seen: &Seen<'_>) {
        let (seq, times) = (self.next(), self.times(start_unix_s));
        let texts = (tenant, &*self.declaration);
        self.rows.verdicts(&self.connection, seq, times, texts, seen);
    }

    /// Writes the events of a tenant's pages in the window that begins then, with a heartbeat that balances. Returns the
    /// pages' hashes.
    pub fn agreements(
        &mut self,
        start_unix_s: u64,
        tenant: &str,
        events: &[(AgreementEvent, &str, u64)],
    ) -> Vec<String> {
        let mut pages = Vec::new();
        for event in events {
            let (seq, times) = (self.next(), self.times(start_unix_s));
            let texts = (tenant, &*self.declaration);
            pages.push(self.rows.agreement(&self.connection, seq, times, texts, *event));
        }
        let agreements = events.iter().map(|(.., count)| count).sum();
        let seen = Figures { agreements, ..Figures::default() };
        self.heartbeat_of(start_unix_s, tenant, 0, seen, Figures::default());
        pages
    }

    /// Writes the events of the guard of a tenant in the window that begins then. They need no heartbeat.
    pub fn guards(&mut self, start_unix_s: u64, tenant: &str, events: &[GuardRow<'_>]) {
        for event in events {
            let (seq, times) = (self.next(), self.times(start_unix_s));
            let texts = (tenant, &*self.declaration);
            self.rows.guard(&self.connection, seq, times, texts, *event);
        }
    }

    /// Writes a tenant's heartbeat.
    pub fn heartbeat_of(
        &mut self,
        start_unix_s: u64,
        tenant: &str,
        requests: u64,
        seen: Figures,
        dropped: Figures,
    ) {
        let from_until = (start_unix_s, start_unix_s + self.window_s - 60);
        self.insert_heartbeat(Some(tenant), from_until, Counts { requests, seen, dropped });
    }

    /// Writes a heartbeat of the gateway itself.
    pub fn heartbeat(&mut self, from_unix_s: u64, until_unix_s: u64) {
        self.insert_heartbeat(None, (from_unix_s, until_unix_s), Counts::default());
    }

    fn insert_heartbeat(
        &mut self,
        tenant: Option<&str>,
        (first_unix_s, last_unix_s): (u64, u64),
        counts: Counts,
    ) {
        let window_unix_s = first_unix_s - first_unix_s % self.window_s;
        let times = Times { window_unix_s, window_s: self.window_s, first_unix_s, last_unix_s };
        let seq = self.next();
        let texts = (tenant, &*self.declaration);
        self.rows.heartbeat(&self.connection, seq, times, texts, counts);
    }

    pub fn event(&mut self, at_unix_s: u64, kind: EventKind, actor: &str, detail: &Value) {
        self.insert_event(at_unix_s, kind, None, actor, detail);
    }

    /// Writes that a tenant was set or removed.
    pub fn change(&mut self, at_unix_s: u64, tenant: &str, actor: &str, detail: &Value) {
        self.insert_event(at_unix_s, EventKind::Tenant, Some(tenant), actor, detail);
    }

    fn insert_event(
        &mut self,
        at_unix_s: u64,
        kind: EventKind,
        tenant: Option<&str>,
        actor: &str,
        detail: &Value,
    ) {
        let (actor, detail) = (actor.to_owned(), detail.to_string());
        let event = Event { at_unix_s, kind, tenant: None, actor, detail };
        let seq = self.next();
        self.rows.event(&self.connection, seq, tenant, &event);
    }

    /// Writes a declaration, which is in force from now on.
    pub fn declare(&mut self, since_unix_s: u64, hash: &str, declaration: &Value) {
        self.rule(hash);
        Rows::declaration(&self.connection, hash, &declaration.to_string(), since_unix_s);
    }

    /// Puts a declaration in force that was written before.
    pub fn rule(&mut self, hash: &str) {
        hash.clone_into(&mut self.declaration);
    }

    /// Closes a segment of everything since the previous one, with this checkpoint.
    pub fn close(&mut self, segment: u64, first: u64, newest_unix_s: u64, checkpoint: &str) {
        let row = params![
            number(segment),
            number(first),
            number(self.seq),
            number(newest_unix_s),
            [7_u8; 32],
            checkpoint,
            None::<i64>
        ];
        let sql = "INSERT INTO segments (number, first, last, newest, secret, checkpoint, pruned) \
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        self.connection.execute(sql, row).unwrap();
    }

    pub fn key(&mut self, since_segment: u64, verifier: &str) {
        let row = params![number(since_segment), verifier];
        self.connection
            .execute("INSERT INTO keys (since_segment, verifier) VALUES (?, ?)", row)
            .unwrap();
    }

    /// The number of the last entry.
    pub fn last(&self) -> u64 {
        self.seq
    }

    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The times of an entry about most of a window.
    fn times(&self, window_unix_s: u64) -> Times {
        Times {
            window_unix_s,
            window_s: self.window_s,
            first_unix_s: window_unix_s + 60,
            last_unix_s: window_unix_s + self.window_s - 60,
        }
    }
}
