//! A ledger as a gateway leaves it, written row by row: whatever a test wants to have happened.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crumbgate_audit::{AgreementEvent, ShownPage};
use crumbgate_ledger::entry::{EventKind, Figures, Segment, Window};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Direction, Reason},
};
use crumbgate_state::{key::KeyFiles, keyring::Keyring, migrate, segments};
use rusqlite::{Connection, params};

/// The writer of a ledger.
pub(crate) struct LedgerWriter {
    pub(crate) connection: Connection,
    pub(crate) keyring: Keyring,
    pub(crate) path: PathBuf,
    /// The number of the last entry.
    pub(crate) seq: u64,
    /// The begin of the window that is being written.
    pub(crate) window_unix_s: u64,
    texts: HashMap<String, i64>,
    heartbeats: HashMap<Option<String>, u64>,
}

/// What one tenant's cookies did in a window: `(name, route, action, count)`, all of responses.
pub(crate) type CookieCount<'t> = (&'t str, &'t str, Action, u64);

/// The verdicts on one tenant's cookies in a window: `(name, route, action, count)`, all of responses.
pub(crate) const WINDOW_S: u32 = 300;

const DECLARATION: &str = r#"{"cookies":[{"name":"flexopus_session"},{"name":"XSRF-TOKEN"}]}"#;

impl LedgerWriter {
    /// A new ledger, that of a gateway which has just started.
    pub(crate) fn new(path: &Path, now_unix_s: u64) -> Self {
        let mut connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        migrate(&mut connection).unwrap();
        let transaction = connection.transaction().unwrap();
        let keyring = Keyring::open(&transaction, KeyFiles::beside(path)).unwrap();
        transaction
            .execute(
                "INSERT INTO declarations (hash, json, since) VALUES (?1, ?2, ?3)",
                params![declaration_hash(), DECLARATION, now_unix_s.cast_signed()],
            )
            .unwrap();
        transaction.commit().unwrap();
        let mut writer = Self {
            connection,
            keyring,
            path: path.to_owned(),
            seq: 0,
            window_unix_s: Window::of(now_unix_s, WINDOW_S).start_unix_s,
            texts: HashMap::new(),
            heartbeats: HashMap::new(),
        };
        writer.event(EventKind::Start, r#"{"version":"0.1.0"}"#);
        writer
    }

    /// Something happens at the begin of the window.
    pub(crate) fn event(&mut self, kind: EventKind, detail: &str) -> u64 {
        self.insert_event(kind, None, "crumbgate run", detail)
    }

    /// A tenant is set, or removed, at the begin of the window.
    pub(crate) fn change(&mut self, tenant: &str, actor: &str, detail: &str) -> u64 {
        self.insert_event(EventKind::Tenant, Some(tenant), actor, detail)
    }

    fn insert_event(
        &mut self,
        kind: EventKind,
        tenant: Option<&str>,
        actor: &str,
        detail: &str,
    ) -> u64 {
        let tenant = tenant.map(|tenant| self.text(tenant));
        self.seq += 1;
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT INTO events (seq, at, kind, actor, detail, tenant) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .unwrap();
        let (seq, at) = (self.seq.cast_signed(), self.window_unix_s.cast_signed());
        insert.execute(params![seq, at, kind.code(), actor, detail, tenant]).unwrap();
        self.seq
    }

    /// The gateway's heartbeat in the window. Returns the number of the entry.
    pub(crate) fn gateway_heartbeat(&mut self) -> u64 {
        self.heartbeat(None, Figures::default())
    }

    /// Writes the verdicts on a tenant's cookies in the window: its heartbeat, and an entry for each.
    pub(crate) fn traffic(&mut self, tenant: &str, cookies: &[CookieCount<'_>]) {
        let mut seen = Figures::default();
        for (_, _, action, count) in cookies {
            *seen.of(Direction::Response, *action) += count;
        }
        self.heartbeat(Some(tenant), seen);
        for (name, route, action, count) in cookies {
            self.verdicts(tenant, name, route, *action, *count);
        }
    }

    /// Writes the events of a tenant's pages in the window: its heartbeat, and an entry for each. The pages are in the
    /// ledger from now on.
    pub(crate) fn agreements(&mut self, tenant: &str, cookies: &[(AgreementEvent, &str, u64)]) {
        let agreements = cookies.iter().map(|(.., count)| count).sum();
        self.heartbeat(Some(tenant), Figures { agreements, ..Figures::default() });
        for (event, html, count) in cookies {
            self.seq += 1;
            let page = ShownPage::new(*html);
            let insert = "INSERT OR IGNORE INTO pages VALUES (?1, ?2)";
            self.connection.execute(insert, [&**page.hash(), html]).unwrap();
            let (tenant, declaration) = (self.text(tenant), self.text(&declaration_hash()));
            let start = self.window_unix_s.cast_signed();
            let row = params![
                self.seq.cast_signed(),
                start,
                WINDOW_S,
                tenant,
                event.code(),
                self.text(page.hash()),
                declaration,
                count.cast_signed(),
                start,
                start + 240
            ];
            let insert = "INSERT INTO agreements VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            self.connection.execute(insert, row).unwrap();
        }
    }

    /// The next window begins.
    pub(crate) fn next_window(&mut self) {
        self.window_unix_s += u64::from(WINDOW_S);
    }

    /// Closes what is open, and adopts the key that waits.
    pub(crate) fn close(&mut self) -> Segment {
        let next = self.keyring.next().unwrap();
        let transaction = self.connection.transaction().unwrap();
        let segment =
            segments::close(&transaction, &self.keyring, next.as_ref(), self.window_unix_s);
        let segment = segment.unwrap().expect("something is open");
        transaction.commit().unwrap();
        if let Some(next) = next {
            self.keyring.adopt(next).unwrap();
        }
        self.seq = segment.last;
        segment
    }

    /// Prunes what is older than a moment, as the keeper does.
    pub(crate) fn prune(&mut self, before_unix_s: u64) -> Option<u64> {
        let transaction = self.connection.transaction().unwrap();
        let pruned = segments::prune(&transaction, before_unix_s, self.window_unix_s).unwrap();
        transaction.commit().unwrap();
        if let Some(segment) = pruned {
            self.event(EventKind::Prune, &format!(r#"{{"segments":{segment}}}"#));
        }
        pruned
    }

    fn heartbeat(&mut self, tenant: Option<&str>, seen: Figures) -> u64 {
        self.seq += 1;
        let number = self.heartbeats.entry(tenant.map(str::to_owned)).or_default();
        *number += 1;
        let number = *number;
        let requests: i64 = tenant.map_or(0, |_| 100);
        let tenant = tenant.map(|tenant| self.text(tenant));
        let declaration = self.text(&declaration_hash());
        let start = self.window_unix_s.cast_signed();
        let [number, request, response, added, agreements] =
            [number, seen.request, seen.response, seen.added, seen.agreements]
                .map(u64::cast_signed);
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT INTO heartbeats VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, ?12, ?13, 0)",
            )
            .unwrap();
        insert
            .execute(params![
                self.seq.cast_signed(),
                start,
                WINDOW_S,
                tenant,
                number,
                start,
                start + i64::from(WINDOW_S) - 1,
                requests,
                request,
                response,
                added,
                declaration,
                agreements
            ])
            .unwrap();
        self.seq
    }

    fn verdicts(&mut self, tenant: &str, name: &str, route: &str, action: Action, count: u64) {
        self.seq += 1;
        let tenant = self.text(tenant);
        let (name, route) = (self.text(name), self.text(route));
        let declaration = self.text(&declaration_hash());
        let start = self.window_unix_s.cast_signed();
        let granted: Option<u32> = (action == Action::Rewrite).then_some(604_800);
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT INTO verdicts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )
            .unwrap();
        insert
            .execute(params![
                self.seq.cast_signed(),
                start,
                WINDOW_S,
                tenant,
                Mode::Enforce.code(),
                Direction::Response.code(),
                action.code(),
                name,
                8,
                granted,
                route,
                declaration,
                count.cast_signed(),
                start,
                start + 240,
                0b0101_0000
            ])
            .unwrap();
    }

    fn text(&mut self, text: &str) -> i64 {
        if let Some(id) = self.texts.get(text) {
            return *id;
        }
        self.connection.execute("INSERT INTO texts (text) VALUES (?1)", [text]).unwrap();
        let id = self.connection.last_insert_rowid();
        self.texts.insert(text.to_owned(), id);
        id
    }
}

/// The version of the only declaration.
pub(crate) fn declaration_hash() -> String {
    let hash = crumbgate_ledger::merkle::sha256(DECLARATION.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cookies in most windows of these ledgers.
pub(crate) const USUAL: [CookieCount<'static>; 3] = [
    ("flexopus_session", "/api/{id}", Action::Rewrite, 40),
    ("_ga", "/", Action::Strip(Reason::Undeclared), 7),
    ("=HYPERLINK(\"https://evil.example\")", "/", Action::Strip(Reason::Malformed), 1),
];
