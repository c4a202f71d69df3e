//! Rows of a ledger's tables, with texts and heartbeats numbered as a gateway numbers them.

use std::collections::HashMap;

use crumbgate_audit::{AgreementEvent, GuardEvent, ShownPage};
use crumbgate_ledger::{
    entry::{Event, Figures},
    sqlite::signed,
};
use crumbgate_policy::{GuardMode, requested::Attributes};
use rusqlite::{Connection, params};

use super::seen::Seen;

/// The numbers that a ledger has assigned so far.
#[derive(Default)]
pub(crate) struct Rows {
    texts: HashMap<String, i64>,
    heartbeats: HashMap<Option<String>, u64>,
}

/// The times of an entry, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) window_unix_s: u64,
    pub(crate) window_s: u64,
    pub(crate) first_unix_s: u64,
    pub(crate) last_unix_s: u64,
}

/// The counts of a heartbeat.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) seen: Figures,
    pub(crate) dropped: Figures,
}

/// The mode, the event, the reported name and the count of an event of the guard.
pub type GuardRow<'r> = (GuardMode, GuardEvent, Option<&'r str>, u64);

impl Rows {
    /// Inserts an event about `tenant`, whose number replaces the event's.
    pub(crate) fn event(
        &mut self,
        connection: &Connection,
        seq: u64,
        tenant: Option<&str>,
        event: &Event,
    ) {
        let tenant = tenant.map(|tenant| self.text(connection, tenant));
        let Event { at_unix_s, kind, actor, detail, .. } = event;
        let insert =
            "INSERT INTO events (seq, at, kind, actor, detail, tenant) VALUES (?, ?, ?, ?, ?, ?)";
        let row = params![signed(seq), signed(*at_unix_s), kind.code(), actor, detail, tenant];
        connection.prepare_cached(insert).unwrap().execute(row).unwrap();
    }

    /// Inserts verdicts on a tenant's cookies.
    pub(crate) fn verdicts(
        &mut self,
        connection: &Connection,
        seq: u64,
        times: Times,
        (tenant, declaration): (&str, &str),
        seen: &Seen<'_>,
    ) {
        let [tenant, declaration, route] =
            [tenant, declaration, seen.route].map(|text| self.text(connection, text));
        let name = seen.name.map(|name| self.text(connection, name));
        let insert = "INSERT INTO verdicts (seq, window, window_s, tenant, mode, direction, action, name, \
             lifetime, granted_s, route, declaration, count, first, last, attributes) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let row = params![
            signed(seq),
            signed(times.window_unix_s),
            signed(times.window_s),
            tenant,
            seen.mode.code(),
            seen.direction.code(),
            seen.action.code(),
            name,
            seen.lifetime.map(|lifetime| lifetime.code()),
            seen.granted_s,
            route,
            declaration,
            signed(seen.count),
            signed(times.first_unix_s),
            signed(times.last_unix_s),
            Attributes::from_bits(seen.attributes).bits(),
        ];
        connection.prepare_cached(insert).unwrap().execute(row).unwrap();
    }

    /// Inserts an agreement event's count, and the page. Returns the page's hash.
    pub(crate) fn agreement(
        &mut self,
        connection: &Connection,
        seq: u64,
        times: Times,
        (tenant, declaration): (&str, &str),
        (event, html, count): (AgreementEvent, &str, u64),
    ) -> String {
        let page = ShownPage::new(html);
        let insert = "INSERT OR IGNORE INTO pages (hash, html) VALUES (?, ?)";
        connection.execute(insert, [&**page.hash(), html]).unwrap();
        let [tenant, declaration, hash] =
            [tenant, declaration, &**page.hash()].map(|text| self.text(connection, text));
        let insert = "INSERT INTO agreements (seq, window, window_s, tenant, event, page, declaration, count, \
             first, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let row = params![
            signed(seq),
            signed(times.window_unix_s),
            signed(times.window_s),
            tenant,
            event.code(),
            hash,
            declaration,
            signed(count),
            signed(times.first_unix_s),
            signed(times.last_unix_s),
        ];
        connection.execute(insert, row).unwrap();
        page.hash().to_string()
    }

    /// Inserts the count of an event of the guard.
    pub(crate) fn guard(
        &mut self,
        connection: &Connection,
        seq: u64,
        times: Times,
        (tenant, declaration): (&str, &str),
        (mode, event, name, count): GuardRow<'_>,
    ) {
        let [tenant, declaration] = [tenant, declaration].map(|text| self.text(connection, text));
        let insert = "INSERT INTO guards (seq, window, window_s, tenant, mode, event, name, declaration, count, \
             first, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let row = params![
            signed(seq),
            signed(times.window_unix_s),
            signed(times.window_s),
            tenant,
            mode.code(),
            event.code(),
            name,
            declaration,
            signed(count),
            signed(times.first_unix_s),
            signed(times.last_unix_s),
        ];
        connection.prepare_cached(insert).unwrap().execute(row).unwrap();
    }

    /// Inserts the next heartbeat of a tenant, or of the gateway.
    pub(crate) fn heartbeat(
        &mut self,
        connection: &Connection,
        seq: u64,
        times: Times,
        (tenant, declaration): (Option<&str>, &str),
        Counts { requests, seen, dropped }: Counts,
    ) {
        let number = self.heartbeats.entry(tenant.map(str::to_owned)).or_default();
        *number += 1;
        let number = *number;
        let tenant = tenant.map(|tenant| self.text(connection, tenant));
        let declaration = self.text(connection, declaration);
        let insert = "INSERT INTO heartbeats (seq, window, window_s, tenant, number, since, until, requests, \
             seen_request, seen_response, added, dropped_request, dropped_response, dropped_added, \
             declaration, agreements, dropped_agreements) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let row = params![
            signed(seq),
            signed(times.window_unix_s),
            signed(times.window_s),
            tenant,
            signed(number),
            signed(times.first_unix_s),
            signed(times.last_unix_s),
            signed(requests),
            signed(seen.request),
            signed(seen.response),
            signed(seen.added),
            signed(dropped.request),
            signed(dropped.response),
            signed(dropped.added),
            declaration,
            signed(seen.agreements),
            signed(dropped.agreements),
        ];
        connection.prepare_cached(insert).unwrap().execute(row).unwrap();
    }

    /// Inserts a declaration.
    pub(crate) fn declaration(connection: &Connection, hash: &str, json: &str, since_unix_s: u64) {
        let insert = "INSERT INTO declarations (hash, json, since) VALUES (?, ?, ?)";
        connection.execute(insert, params![hash, json, signed(since_unix_s)]).unwrap();
    }

    fn text(&mut self, connection: &Connection, text: &str) -> i64 {
        if let Some(id) = self.texts.get(text) {
            return *id;
        }
        connection.execute("INSERT INTO texts (text) VALUES (?)", [text]).unwrap();
        let id = connection.last_insert_rowid();
        self.texts.insert(text.to_owned(), id);
        id
    }
}
