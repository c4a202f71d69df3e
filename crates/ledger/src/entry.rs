//! What the ledger holds: entries of four kinds, numbered in the order in which they were first written.

use std::sync::Arc;

pub use crumbgate_audit::{AgreementEvent, Figures, Window};
use crumbgate_policy::{
    Mode,
    asked::{AskedLifetime, Attributes},
    verdict::{Action, Direction},
};

/// One entry of the ledger. Its texts are numbers until [`Texts`] are asked for them: a report over a million entries
/// compares numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// What became of a page of the gateway's own in a window.
    Agreement(Agreement),
    /// Something happened to the gateway itself, or to a tenant's keys.
    Event(Event),
    /// The gateway, or a tenant's traffic, was alive in a window (A5).
    Heartbeat(Heartbeat),
    /// What became of cookies in a window (A2).
    Verdicts(Verdicts),
}

/// The number of a text in [`Texts`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TextId(pub u32);

/// How often one verdict was reached in one window (A2). Two entries of one window that differ in nothing but count and
/// times are possible where a segment was closed between them: their counts add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdicts {
    /// The window.
    pub window: Window,
    /// The tenant's name: a host, `*.suffix` or `(default)`.
    pub tenant: TextId,
    /// Whether the verdict was carried out.
    pub mode: Mode,
    /// Which way the cookies went.
    pub direction: Direction,
    /// What happened to them, and why.
    pub action: Action,
    /// The template of their name; none for nameless ones.
    pub name: Option<TextId>,
    /// What the upstream asked for; none where it has not set them.
    pub lifetime: Option<AskedLifetime>,
    /// For how many seconds they left for the browser; 0 deletes; none where no declared cookie left.
    pub granted_s: Option<u32>,
    /// The route template.
    pub route: TextId,
    /// The SHA-256 of the declaration that ruled, in hexadecimal digits.
    pub declaration: TextId,
    /// How many.
    pub count: u64,
    /// The first minute in which one was seen, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
    /// All attributes that any of them was set with.
    pub attributes: Attributes,
}

/// How often one thing happened to one page of the gateway's own in one window. As with [`Verdicts`], counts of entries
/// that differ in nothing else add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Agreement {
    /// The window.
    pub window: Window,
    /// The tenant's name.
    pub tenant: TextId,
    /// What happened.
    pub event: AgreementEvent,
    /// The SHA-256 of the very page, in hexadecimal digits: the ledger has it under that hash.
    pub page: TextId,
    /// The SHA-256 of the declaration that ruled, in hexadecimal digits.
    pub declaration: TextId,
    /// How often.
    pub count: u64,
    /// The first minute in which it did, in seconds since the Unix epoch.
    pub first_unix_s: u64,
    /// The last such minute.
    pub last_unix_s: u64,
}

/// That the gateway was alive in a window; for a tenant, what its traffic added up to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heartbeat {
    /// The window.
    pub window: Window,
    /// The tenant that had traffic; none for the gateway itself, which has a heartbeat in every window, and no traffic
    /// of its own: its figures are zero.
    pub tenant: Option<TextId>,
    /// Counts the heartbeats of this tenant (or of the gateway) from 1, without a gap: a missing one shows.
    pub number: u64,
    /// The first second of the window in which it was alive (gateway), or the first minute with traffic (tenant), in
    /// seconds since the Unix epoch.
    pub from_unix_s: u64,
    /// The last such second or minute.
    pub until_unix_s: u64,
    /// Requests of which the cookies were judged.
    pub requests: u64,
    /// Cookies and agreements that were counted, by the counters that the metrics show.
    pub seen: Figures,
    /// Those of them that are in no [`Verdicts`] and no [`Agreement`], because there was no room. So, for each figure
    /// (A1): `seen` = the sum of the window's entries + `dropped`.
    pub dropped: Figures,
    /// The SHA-256 of the declaration that is loaded, in hexadecimal digits.
    pub declaration: TextId,
}

/// Something that happened to the gateway itself, or to one tenant's keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When, in seconds since the Unix epoch.
    pub at_unix_s: u64,
    /// What.
    pub kind: EventKind,
    /// The tenant that it is about, of an [`EventKind::Tenant`]: nobody else may see it. All others name none.
    pub tenant: Option<TextId>,
    /// Who brought it about: `crumbgate run`, `crumbgate audit rotate-key` …
    pub actor: String,
    /// What else is to be said, as a JSON object; its keys are listed at [`EventKind`].
    pub detail: String,
}

/// What can happen to the gateway.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EventKind {
    /// The clock ran away from the other one, or the machine slept: no window was open from `from` until `until`.
    Clock,
    /// The configuration is another one than before: `old` and `new`, SHA-256.
    Configuration,
    /// A damaged file was set aside, and this one begun: `file`, its name (none where it was gone), and `problem`.
    Damage,
    /// The declaration is another one than before: `old` and `new`, SHA-256.
    Declaration,
    /// The key that signs has changed: `old` and `new`, public keys.
    Key,
    /// Verdicts were lost for want of room: `cookies`, `requests`, and `agreements` where there were any, how many; `from`,
    /// `until`, when.
    Loss,
    /// Entries older than the retention were removed: `segments`, the last of them.
    Prune,
    /// The gateway began to serve: `version`.
    Start,
    /// The gateway has stopped, and everything is written.
    Stop,
    /// A tenant was set or removed while the gateway ran: `before` and `after`, its keys as they are written; null where
    /// there was none, or is none any more.
    Tenant,
    /// It had stopped without a [`EventKind::Stop`]: the books may be short from `from` until `until`.
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

/// Entries that were closed together, under one root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Counts segments from 1.
    pub number: u64,
    /// The number of its first entry.
    pub first: u64,
    /// The number of its last entry.
    pub last: u64,
    /// The latest second that an entry of it speaks of: what retention goes by.
    pub newest_unix_s: u64,
    /// What the salts of its entries come from (see `line.rs`).
    pub secret: [u8; 32],
    /// The signed checkpoint: a C2SP signed note.
    pub checkpoint: String,
    /// When its entries were removed, in seconds since the Unix epoch; none: they are there.
    pub pruned_unix_s: Option<u64>,
}

/// A key that has signed checkpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKey {
    /// The first segment that it has signed.
    pub since_segment: u64,
    /// The public half, as C2SP's signed notes write it (`name+hash+key`).
    pub verifier: String,
}

/// A declaration that has ruled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeclarationRecord {
    /// SHA-256 of `json`, in hexadecimal digits: the declaration's version.
    pub hash: String,
    /// The declaration itself, as JSON.
    pub json: String,
    /// When it was first loaded, in seconds since the Unix epoch.
    pub since_unix_s: u64,
}

/// The texts of a ledger: tenants, names, routes, versions.
#[derive(Clone, Debug, Default)]
pub struct Texts(Vec<Option<Arc<str>>>);

impl Texts {
    /// The text of a number; `?` where the file lacks it (then it is damaged).
    pub fn get(&self, id: TextId) -> &str {
        self.0.get(id.0 as usize).and_then(Option::as_deref).unwrap_or("?")
    }

    /// The number of a text.
    pub fn find(&self, text: &str) -> Option<TextId> {
        let index = self.0.iter().position(|known| known.as_deref() == Some(text))?;
        u32::try_from(index).ok().map(TextId)
    }

    /// Adds a text under its number.
    pub fn insert(&mut self, id: TextId, text: Arc<str>) {
        let index = id.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(text);
    }
}
