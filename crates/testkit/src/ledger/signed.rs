//! A signed ledger as a gateway leaves it, written entry by entry.

use std::path::{Path, PathBuf};

use crumbgate_audit::AgreementEvent;
use crumbgate_base::text::hex;
use crumbgate_ledger::{
    entry::{Event, EventKind, Figures, Segment, Window},
    merkle::sha256,
};
use crumbgate_policy::{
    requested::RequestedLifetime,
    verdict::{Action, Direction, Reason},
};
use crumbgate_state::{key::KeyFiles, keyring::Keyring, migrate, segments};
use rusqlite::Connection;

use super::{
    rows::{Counts, GuardRow, Rows, Times},
    seen::Seen,
};

/// The writer of a ledger.
pub struct LedgerWriter {
    pub connection: Connection,
    pub keyring: Keyring,
    pub path: PathBuf,
    /// The number of the last entry.
    pub seq: u64,
    /// The beginning of the window that is being written.
    pub window_unix_s: u64,
    rows: Rows,
    declaration: String,
}

/// The verdicts on one tenant's cookies in a window: `(name, route, action, count)`, all of responses.
pub type CookieCount<'t> = (&'t str, &'t str, Action, u64);

/// The length of a window, in seconds.
pub const WINDOW_S: u32 = 300;

const DECLARATION: &str = r#"{"cookies":[{"name":"flexopus_session"},{"name":"XSRF-TOKEN"}]}"#;

impl LedgerWriter {
    /// Creates the ledger of a gateway that has just started.
    pub fn new(path: &Path, now_unix_s: u64) -> Self {
        let mut connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        migrate(&mut connection).unwrap();
        let declaration = hex(&sha256(DECLARATION.as_bytes()));
        let transaction = connection.transaction().unwrap();
        let keyring = Keyring::open(&transaction, KeyFiles::beside(path)).unwrap();
        Rows::declaration(&transaction, &declaration, DECLARATION, now_unix_s);
        transaction.commit().unwrap();
        let mut writer = Self {
            connection,
            keyring,
            path: path.to_owned(),
            seq: 0,
            window_unix_s: Window::of(now_unix_s, WINDOW_S).start_unix_s,
            rows: Rows::default(),
            declaration,
        };
        writer.event(EventKind::Start, r#"{"version":"0.1.0"}"#);
        writer
    }

    /// Writes an event at the beginning of the window. Returns the number of the entry.
    pub fn event(&mut self, kind: EventKind, detail: &str) -> u64 {
        self.insert_event(kind, None, "crumbgate run", detail)
    }

    /// Writes that a tenant was set or removed at the beginning of the window. Returns the number of the entry.
    pub fn change(&mut self, tenant: &str, actor: &str, detail: &str) -> u64 {
        self.insert_event(EventKind::Tenant, Some(tenant), actor, detail)
    }

    fn insert_event(
        &mut self,
        kind: EventKind,
        tenant: Option<&str>,
        actor: &str,
        detail: &str,
    ) -> u64 {
        let (actor, detail) = (actor.to_owned(), detail.to_owned());
        let event = Event { at_unix_s: self.window_unix_s, kind, tenant: None, actor, detail };
        self.seq += 1;
        self.rows.event(&self.connection, self.seq, tenant, &event);
        self.seq
    }

    /// Writes the gateway's heartbeat in the window. Returns the number of the entry.
    pub fn gateway_heartbeat(&mut self) -> u64 {
        self.heartbeat(None, Figures::default())
    }

    /// Writes a tenant's heartbeat in the window, and an entry for each verdict.
    pub fn traffic(&mut self, tenant: &str, cookies: &[CookieCount<'_>]) {
        let mut figures = Figures::default();
        for (_, _, action, count) in cookies {
            *figures.of(Direction::Response, *action) += count;
        }
        self.heartbeat(Some(tenant), figures);
        for (name, route, action, count) in cookies {
            let seen = Seen {
                direction: Direction::Response,
                action: *action,
                lifetime: Some(RequestedLifetime::Longer),
                granted_s: (*action == Action::Rewrite).then_some(604_800),
                attributes: 0b0101_0000,
                ..Seen::kept(name, *count).on(route)
            };
            self.seq += 1;
            let (times, texts) = (self.times(240), (tenant, &*self.declaration));
            self.rows.verdicts(&self.connection, self.seq, times, texts, &seen);
        }
    }

    /// Writes a tenant's heartbeat in the window, an entry for each event, and the pages.
    pub fn agreements(&mut self, tenant: &str, events: &[(AgreementEvent, &str, u64)]) {
        let agreements = events.iter().map(|(.., count)| count).sum();
        self.heartbeat(Some(tenant), Figures { agreements, ..Figures::default() });
        for event in events {
            self.seq += 1;
            let (times, texts) = (self.times(240), (tenant, &*self.declaration));
            self.rows.agreement(&self.connection, self.seq, times, texts, *event);
        }
    }

    /// Writes an entry for each event of a tenant's guard.
    pub fn guards(&mut self, tenant: &str, events: &[GuardRow<'_>]) {
        for event in events {
            self.seq += 1;
            let (times, texts) = (self.times(240), (tenant, &*self.declaration));
            self.rows.guard(&self.connection, self.seq, times, texts, *event);
        }
    }

    /// Begins the next window.
    pub fn next_window(&mut self) {
        self.window_unix_s += u64::from(WINDOW_S);
    }

    /// Closes the segment of everything that is in none, and adopts a prepared key.
    pub fn close(&mut self) -> Segment {
        let next = self.keyring.next().unwrap();
        let transaction = self.connection.transaction().unwrap();
        let segment =
            segments::close(&transaction, &self.keyring, next.as_ref(), self.window_unix_s);
        let segment = segment.unwrap().expect("there are entries in no segment");
        transaction.commit().unwrap();
        if let Some(next) = next {
            self.keyring.adopt(next).unwrap();
        }
        self.seq = segment.last;
        segment
    }

    /// Prunes segments that are older than a moment, as the gateway does.
    pub fn prune(&mut self, before_unix_s: u64) -> Option<u64> {
        let transaction = self.connection.transaction().unwrap();
        let pruned = segments::prune(&transaction, before_unix_s, self.window_unix_s).unwrap();
        transaction.commit().unwrap();
        if let Some(segment) = pruned {
            self.event(EventKind::Prune, &format!(r#"{{"segments":{segment}}}"#));
        }
        pruned
    }

    fn heartbeat(&mut self, tenant: Option<&str>, seen: Figures) -> u64 {
        let requests = if tenant.is_some() { 100 } else { 0 };
        let counts = Counts { requests, seen, dropped: Figures::default() };
        self.seq += 1;
        let times = self.times(u64::from(WINDOW_S) - 1);
        let texts = (tenant, &*self.declaration);
        self.rows.heartbeat(&self.connection, self.seq, times, texts, counts);
        self.seq
    }

    /// The times of an entry about the first `seconds` of the window.
    fn times(&self, seconds: u64) -> Times {
        Times {
            window_unix_s: self.window_unix_s,
            window_s: WINDOW_S.into(),
            first_unix_s: self.window_unix_s,
            last_unix_s: self.window_unix_s + seconds,
        }
    }
}

/// The content of most windows of these ledgers.
pub const USUAL: [CookieCount<'static>; 3] = [
    ("flexopus_session", "/api/{id}", Action::Rewrite, 40),
    ("_ga", "/", Action::Strip(Reason::Undeclared), 7),
    ("=HYPERLINK(\"https://evil.example\")", "/", Action::Strip(Reason::Malformed), 1),
];
