//! Writes ledgers as a gateway would have left them, for tests and benchmarks that read them.

mod hostile;
mod rich;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use crumbgate_audit::{AgreementEvent, ShownPage};
use crumbgate_ledger::entry::{EventKind, Figures};
use crumbgate_policy::{
    Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Action, Direction, Reason},
};
use crumbgate_state::migrate;
use rusqlite::{Connection, params};
use serde_json::Value;

#[allow(unused_imports, reason = "as above")]
pub use hostile::{HOSTILE, TENANTS, hostile};
#[allow(unused_imports, reason = "as above")]
pub use rich::rich;

/// A ledger that is being written. Nothing is on the disk before [`Draft::finish`].
pub struct Draft {
    connection: Connection,
    texts: HashMap<String, i64>,
    pages: HashSet<String>,
    seq: u64,
    heartbeats: HashMap<String, u64>,
    window_s: u64,
    declaration: String,
}

/// Cookies of one tenant and window that have one verdict.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub mode: Mode,
    pub direction: Direction,
    pub action: Action,
    pub name: Option<&'a str>,
    pub lifetime: Option<RequestedLifetime>,
    pub granted_s: Option<u32>,
    pub route: &'a str,
    pub attributes: u16,
    pub count: u64,
}

impl<'a> Seen<'a> {
    /// A declared cookie of requests.
    pub fn kept(name: &'a str, count: u64) -> Self {
        Self {
            mode: Mode::Enforce,
            direction: Direction::Request,
            action: Action::Keep,
            name: Some(name),
            lifetime: None,
            granted_s: None,
            route: "/",
            attributes: 0,
            count,
        }
    }

    /// A declared cookie of responses.
    pub fn rewritten(name: &'a str, asked: RequestedLifetime, granted_s: u32, count: u64) -> Self {
        Self {
            direction: Direction::Response,
            action: Action::Rewrite,
            lifetime: Some(asked),
            granted_s: Some(granted_s),
            attributes: SECURE_LAX,
            ..Self::kept(name, count)
        }
    }

    /// A cookie that the gateway adds.
    pub fn added(action: Action, name: &'a str, granted_s: Option<u32>, count: u64) -> Self {
        Self { direction: Direction::Response, action, granted_s, ..Self::kept(name, count) }
    }

    /// An undeclared cookie of requests.
    pub fn sent(name: &'a str, count: u64) -> Self {
        Self { action: Action::Strip(Reason::Undeclared), ..Self::kept(name, count) }
    }

    /// An undeclared cookie of responses.
    pub fn set(name: &'a str, asked: RequestedLifetime, count: u64) -> Self {
        Self {
            direction: Direction::Response,
            lifetime: Some(asked),
            attributes: PATH_MAX_AGE,
            ..Self::sent(name, count)
        }
    }

    pub fn on(self, route: &'a str) -> Self {
        Self { route, ..self }
    }

    /// Only watched.
    pub fn watched(self) -> Self {
        Self { mode: Mode::Report, ..self }
    }
}

const SECURE_LAX: u16 = 1 | 1 << 6 | 1 << 10;
const PATH_MAX_AGE: u16 = 1 << 4 | 1 << 6;

impl Draft {
    /// A new ledger at this path, of windows of this length.
    pub fn new(path: &Path, window_s: u64) -> Self {
        let mut connection = Connection::open(path).unwrap();
        migrate(&mut connection).unwrap();
        connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").unwrap();
        let (texts, pages, heartbeats) = (HashMap::new(), HashSet::new(), HashMap::new());
        let declaration = "0".repeat(64);
        Self { connection, texts, pages, seq: 0, heartbeats, window_s, declaration }
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

    /// One entry of verdicts, without a heartbeat.
    pub fn verdicts(&mut self, start_unix_s: u64, tenant: &str, seen: &Seen<'_>) {
        let texts = [tenant, seen.route].map(|text| self.text(text));
        let declaration = self.text(&self.declaration.clone());
        let name = seen.name.map(|name| self.text(name));
        let seq = self.next();
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO verdicts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
            .unwrap();
        let row = params![
            seq,
            number(start_unix_s),
            number(self.window_s),
            texts[0],
            seen.mode.code(),
            seen.direction.code(),
            seen.action.code(),
            name,
            seen.lifetime.map(RequestedLifetime::code),
            seen.granted_s,
            texts[1],
            declaration,
            number(seen.count),
            number(start_unix_s + 60),
            number(start_unix_s + self.window_s - 60),
            Attributes::from_bits(seen.attributes).bits(),
        ];
        insert.execute(row).unwrap();
    }

    /// Writes the events of a tenant's pages in the window that begins then, with a heartbeat that balances. Returns their
    /// hashes.
    pub fn agreements(
        &mut self,
        start_unix_s: u64,
        tenant: &str,
        events: &[(AgreementEvent, &str, u64)],
    ) -> Vec<String> {
        let pages = events
            .iter()
            .map(|(event, html, count)| self.agreement(start_unix_s, tenant, *event, html, *count));
        let pages = pages.collect();
        let agreements = events.iter().map(|(.., count)| count).sum();
        let seen = Figures { agreements, ..Figures::default() };
        self.heartbeat_of(start_unix_s, tenant, 0, seen, Figures::default());
        pages
    }

    fn agreement(
        &mut self,
        start_unix_s: u64,
        tenant: &str,
        event: AgreementEvent,
        html: &str,
        count: u64,
    ) -> String {
        let page = ShownPage::new(html);
        if self.pages.insert(page.hash().to_string()) {
            let row = [&**page.hash(), html];
            self.connection.execute("INSERT INTO pages VALUES (?,?)", row).unwrap();
        }
        let declaration = self.declaration.clone();
        let texts = [tenant, &**page.hash(), &*declaration].map(|text| self.text(text));
        let row = params![
            self.next(),
            number(start_unix_s),
            number(self.window_s),
            texts[0],
            event.code(),
            texts[1],
            texts[2],
            number(count),
            number(start_unix_s + 60),
            number(start_unix_s + self.window_s - 60),
        ];
        let insert = "INSERT INTO agreements VALUES (?,?,?,?,?,?,?,?,?,?)";
        self.connection.execute(insert, row).unwrap();
        page.hash().to_string()
    }

    /// A tenant's heartbeat.
    pub fn heartbeat_of(
        &mut self,
        start_unix_s: u64,
        tenant: &str,
        requests: u64,
        seen: Figures,
        dropped: Figures,
    ) {
        let from_until = (start_unix_s, start_unix_s + self.window_s - 60);
        self.insert_heartbeat(Some(tenant), from_until, requests, seen, dropped);
    }

    /// A heartbeat of the gateway itself.
    pub fn heartbeat(&mut self, from_unix_s: u64, until_unix_s: u64) {
        let none = Figures::default();
        self.insert_heartbeat(None, (from_unix_s, until_unix_s), 0, none, none);
    }

    fn insert_heartbeat(
        &mut self,
        tenant: Option<&str>,
        (from_unix_s, until_unix_s): (u64, u64),
        requests: u64,
        seen: Figures,
        dropped: Figures,
    ) {
        let heartbeats = self.heartbeats.entry(tenant.unwrap_or_default().to_owned()).or_default();
        *heartbeats += 1;
        let heartbeats = *heartbeats;
        let tenant = tenant.map(|tenant| self.text(tenant));
        let declaration = self.text(&self.declaration.clone());
        let seq = self.next();
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO heartbeats VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
            .unwrap();
        let row = params![
            seq,
            number(from_unix_s - from_unix_s % self.window_s),
            number(self.window_s),
            tenant,
            number(heartbeats),
            number(from_unix_s),
            number(until_unix_s),
            number(requests),
            number(seen.request),
            number(seen.response),
            number(seen.added),
            number(dropped.request),
            number(dropped.response),
            number(dropped.added),
            declaration,
            number(seen.agreements),
            number(dropped.agreements),
        ];
        insert.execute(row).unwrap();
    }

    pub fn event(&mut self, at_unix_s: u64, kind: EventKind, actor: &str, detail: &Value) {
        self.insert_event(at_unix_s, kind, None, actor, detail);
    }

    /// A tenant is set or removed.
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
        let tenant = tenant.map(|tenant| self.text(tenant));
        let (at, detail) = (number(at_unix_s), detail.to_string());
        let row = params![self.next(), at, kind.code(), actor, detail, tenant];
        self.connection.execute("INSERT INTO events VALUES (?,?,?,?,?,?)", row).unwrap();
    }

    /// A declaration that rules from now on.
    pub fn declare(&mut self, since_unix_s: u64, hash: &str, declaration: &Value) {
        self.rule(hash);
        let row = params![hash, declaration.to_string(), number(since_unix_s)];
        self.connection.execute("INSERT INTO declarations VALUES (?,?,?)", row).unwrap();
    }

    /// Lets a declaration that is known rule from now on.
    pub fn rule(&mut self, hash: &str) {
        hash.clone_into(&mut self.declaration);
    }

    /// Closes everything since the last segment.
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
        self.connection.execute("INSERT INTO keys VALUES (?,?)", row).unwrap();
    }

    /// The number of the last entry.
    pub fn last(&self) -> u64 {
        self.seq
    }

    fn next(&mut self) -> i64 {
        self.seq += 1;
        number(self.seq)
    }

    fn text(&mut self, text: &str) -> i64 {
        if let Some(id) = self.texts.get(text) {
            return *id;
        }
        let id = i64::try_from(self.texts.len()).unwrap() + 1;
        self.connection.execute("INSERT INTO texts VALUES (?,?)", params![id, text]).unwrap();
        self.texts.insert(text.to_owned(), id);
        id
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}
