//! Entries of the ledger: five kinds, numbered in the order in which they were first written.

use std::sync::Arc;

pub use crumbgate_audit::{AgreementEvent, Figures, GuardEvent, Window};
use crumbgate_policy::{
    GuardMode, Mode,
    requested::{Attributes, RequestedLifetime},
    verdict::{Action, Direction},
};

/// One entry. It refers to its texts by number, so that a report on a million entries compares
/// numbers; [`Texts`] has the texts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// The use of one of the gateway's own pages in a window.
    Agreement(Agreement),
    /// An event of the gateway or of a tenant.
    Event(Event),
    /// Pages that the guard was put into, or names that browsers reported, in a window (A7).
    Guard(Guard),
    /// The liveness of the gateway, or of a tenant's traffic, in a window (A5).
    Heartbeat(Heartbeat),
    /// Equal verdicts on cookies in a window (A2).
    Verdicts(Verdicts),
}

/// The number of a text in [`Texts`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TextId(pub u32);

/// The number of equal verdicts in one window (A2). Where a segment was closed within the window,
/// two entries may differ in count and times only; their counts add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdicts {
    /// The window.
    pub window: Window,
    /// The tenant: a host, `*.suffix` or `(default)`.
    pub tenant: TextId,
    /// The mode in which the verdict was reached: in report mode it was not carried out.
    pub mode: Mode,
    /// The direction in which the cookies went.
    pub direction: Direction,
    /// The action, with a reason where it strips.
    pub action: Action,
    /// The template of the cookies' name; `None` for nameless cookies.
    pub name: Option<TextId>,
    /// The lifetime that the application requested; `None` for cookies of requests.
    pub lifetime: Option<RequestedLifetime>,
    /// The lifetime that the browser received, in seconds; 0 deletes. `None` where no declared
    /// cookie left.
    pub granted_s: Option<u32>,
    /// The route template.
    pub route: TextId,
    /// The SHA-256 of the declaration in force, in hexadecimal digits.
    pub declaration: TextId,
    /// The number of cookies.
    pub count: u64,
    /// The first minute in which one was seen, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute, likewise.
    pub last_unix_s: u64,
    /// The union of the attributes with which the cookies were set.
    pub attributes: Attributes,
}

/// The number of equal agreement events on one of the gateway's pages in one window. As with
/// [`Verdicts`], counts of otherwise equal entries add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Agreement {
    /// The window.
    pub window: Window,
    /// The tenant.
    pub tenant: TextId,
    /// The event.
    pub event: AgreementEvent,
    /// The SHA-256 of the page, in hexadecimal digits. The ledger stores the page under it.
    pub page: TextId,
    /// The SHA-256 of the declaration in force, in hexadecimal digits.
    pub declaration: TextId,
    /// The number of events.
    pub count: u64,
    /// The first minute in which the event occurred, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute, likewise.
    pub last_unix_s: u64,
}

/// The number of equal events of the guard in one window. They are outside the totals of heartbeats. As with [`Verdicts`],
/// counts of otherwise equal entries add up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guard {
    /// The window.
    pub window: Window,
    /// The tenant.
    pub tenant: TextId,
    /// The mode in which the guard acted.
    pub mode: GuardMode,
    /// The event: the gateway's own observation of a page, or the kind of a name that a browser reported.
    pub event: GuardEvent,
    /// The template of the reported name; `None` for pages and for an empty name. It is not one of the [`Texts`]: anybody
    /// can post a name, and it leaves the file with its entry.
    pub name: Option<String>,
    /// The SHA-256 of the declaration in force, in hexadecimal digits.
    pub declaration: TextId,
    /// The number of pages, or of reports of the name.
    pub count: u64,
    /// The first minute in which the event occurred, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute, likewise.
    pub last_unix_s: u64,
}

/// Evidence that the gateway was alive in a window, with the totals of a tenant's traffic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heartbeat {
    /// The window.
    pub window: Window,
    /// The tenant that had traffic. `None` for the gateway itself, which has a heartbeat in every
    /// window, with figures of zero.
    pub tenant: Option<TextId>,
    /// The heartbeat's number: each tenant, and the gateway, counts from 1 without gaps, so that a
    /// missing one shows.
    pub number: u64,
    /// The first second of the window in which the gateway was alive, or the first minute in which
    /// the tenant had traffic, in seconds since the Unix epoch.
    pub from_unix_s: u64,
    /// The last such second or minute, likewise.
    pub until_unix_s: u64,
    /// The number of requests whose cookies were judged.
    pub requests: u64,
    /// The cookies and agreements that were counted, by the counters of the metrics.
    pub seen: Figures,
    /// The counted cookies and agreements that are in no entry because there was no room. For each
    /// figure, `seen` equals the sum of the window's entries plus `dropped` (A1).
    pub dropped: Figures,
    /// The SHA-256 of the declaration in force, in hexadecimal digits.
    pub declaration: TextId,
}

/// An event of the gateway or of one tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The moment, in seconds since the Unix epoch.
    pub at_unix_s: u64,
    /// The kind.
    pub kind: EventKind,
    /// The tenant of an [`EventKind::Tenant`], which only that tenant may see. `None` for all other
    /// kinds.
    pub tenant: Option<TextId>,
    /// The program or operator that caused it: `crumbgate run`, `crumbgate audit rotate-key` …
    pub actor: String,
    /// Details as a JSON object. [`EventKind`] lists its keys.
    pub detail: String,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EventKind {
    /// The wall clock jumped, or the machine slept: no window was open from `from` until `until`.
    Clock,
    /// The configuration has changed: `old` and `new`, SHA-256.
    Configuration,
    /// A damaged file was moved aside and this one begun: `file`, its name (null where the file was
    /// missing), and `problem`.
    Damage,
    /// The declaration has changed: `old` and `new`, SHA-256.
    Declaration,
    /// The signing key has changed: `old` and `new`, public keys.
    Key,
    /// Verdicts were lost because there was no room: `cookies`, `requests` and, unless 0,
    /// `agreements` and `guard_events` are their numbers, `from` and `until` the period.
    Loss,
    /// Entries older than the retention were removed: `segments` is the number of the last segment.
    Prune,
    /// The gateway started: `version`.
    Start,
    /// The gateway stopped, and everything is written.
    Stop,
    /// A tenant was set or removed at run time: `before` and `after` are its keys as in the
    /// configuration, null where the tenant did not exist or was removed.
    Tenant,
    /// The gateway before this one had not recorded [`EventKind::Stop`]: entries from `from` until
    /// `until` may be missing.
    UncleanStop,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Clock,
        Self::Configuration,
        Self::Damage,
        Self::Declaration,
        Self::Key,
        Self::Loss,
        Self::Prune,
        Self::Start,
        Self::Stop,
        Self::Tenant,
        Self::UncleanStop,
    ];

    /// Returns the word in lines and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Configuration => "configuration",
            Self::Damage => "damage",
            Self::Declaration => "declaration",
            Self::Key => "key",
            Self::Loss => "loss",
            Self::Prune => "prune",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Tenant => "tenant",
            Self::UncleanStop => "unclean stop",
        }
    }

    /// Returns the number in the file, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Configuration => 1,
            Self::Damage => 2,
            Self::Declaration => 3,
            Self::Key => 4,
            Self::Loss => 5,
            Self::Prune => 6,
            Self::Start => 7,
            Self::Stop => 8,
            Self::UncleanStop => 9,
            Self::Clock => 10,
            Self::Tenant => 11,
        }
    }
}

/// A closed segment: entries under one signed root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// The segment's number, from 1.
    pub number: u64,
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The latest second that one of its entries mentions, in seconds since the Unix epoch.
    /// Retention is measured from it.
    pub newest_unix_s: u64,
    /// The secret from which the salts of its entries are derived (see `line.rs`).
    pub secret: [u8; 32],
    /// The signed checkpoint, as a C2SP signed note.
    pub checkpoint: String,
    /// The moment at which its entries were removed, in seconds since the Unix epoch. `None` while
    /// they exist.
    pub pruned_unix_s: Option<u64>,
}

/// A key that has signed checkpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKey {
    /// The first segment that it signed.
    pub since_segment: u64,
    /// The public half, as in C2SP's signed notes (`name+hash+key`).
    pub verifier: String,
}

/// A declaration that is or was in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeclarationRecord {
    /// The SHA-256 of `json`, in hexadecimal digits.
    pub hash: String,
    /// The declaration as JSON.
    pub json: String,
    /// The moment at which it was first loaded, in seconds since the Unix epoch.
    pub since_unix_s: u64,
}

/// The texts of a ledger: tenants, names, routes and hashes, by number.
#[derive(Clone, Debug, Default)]
pub struct Texts(Vec<Option<Arc<str>>>);

impl Texts {
    /// Returns the text of a number, `?` where a damaged file lacks it.
    pub fn get(&self, id: TextId) -> &str {
        self.0.get(id.0 as usize).and_then(Option::as_deref).unwrap_or("?")
    }

    /// Returns the number of a text.
    pub fn find(&self, text: &str) -> Option<TextId> {
        let index = self.0.iter().position(|known| known.as_deref() == Some(text))?;
        u32::try_from(index).ok().map(TextId)
    }

    /// Adds a text.
    pub fn insert(&mut self, id: TextId, text: Arc<str>) {
        let index = id.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(text);
    }
}
