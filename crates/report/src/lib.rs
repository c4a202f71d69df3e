//! A report over a stretch of time: what was declared and enforced, what was stripped, and whether the books balance.
//!
//! - [`Report::build`] reads the ledger once and adds up; `tally.rs` adds, `agreement.rs` what became of pages,
//!   `liveness.rs` finds the gaps, `declared.rs`
//!   reads declarations, `chain.rs` says what is closed and signed, `timeline.rs` folds windows into buckets.
//! - [`text`](Report::text), [`html`](Report::html), [`json`](Report::json) and [`csv`](Report::csv) write it down;
//!   `words.rs` has every text in both languages, `visible.rs` what keeps a name from
//!   outside from doing anything.
//!
//! The fields of the structs here are those of the JSON, and `docs/reference/report.md` lists them.

mod agreement;
mod books;
mod chain;
mod csv;
mod declared;
mod html;
mod json;
mod liveness;
pub mod overview;
mod page;
mod sections;
mod stripped;
mod tally;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
pub mod vendors;
mod visible;
mod words;

use serde::{Serialize, Serializer};

use crumbgate_ledger::{
    codes::Coded,
    entry::EventKind,
    line::rfc3339,
    read::{ReadError, Reader},
};

pub use agreement::{Agreement, AgreementPage, Times};
pub use books::{Added, Agreements, Books, Side, TenantBooks};
pub use chain::{ChainState, Checked, ClosedSegment};
pub use declared::{Declared, DeclaredCookie, DeclaredIn, Granted, Lifetime, Version};
pub use liveness::{Gap, Heartbeats, Why};
pub use stripped::{Dependence, Route, Stripped, Usually};
pub use timeline::{Bucket, Timeline};

/// What a report is asked to be about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// A tenant's name, as the ledger has it: a host, `*.suffix` or `(default)`; none: all of them.
    pub tenant: Option<String>,
    /// From when, in seconds since the Unix epoch; none: from the ledger's begin.
    pub since_unix_s: Option<u64>,
    /// Until when, that second excluded; none: until the ledger's end.
    pub until_unix_s: Option<u64>,
}

/// A stretch of time, in seconds since the Unix epoch, its last second excluded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Period {
    /// Its begin.
    #[serde(rename = "since", serialize_with = "moment")]
    pub since_unix_s: u64,
    /// The first second behind it.
    #[serde(rename = "until", serialize_with = "moment")]
    pub until_unix_s: u64,
}

impl Period {
    /// How long it is.
    pub fn seconds(self) -> u64 {
        self.until_unix_s.saturating_sub(self.since_unix_s)
    }

    fn overlaps(self, other: Self) -> bool {
        self.since_unix_s < other.until_unix_s && other.since_unix_s < self.until_unix_s
    }

    /// The shortest that has both.
    fn with(self, other: Self) -> Self {
        Self {
            since_unix_s: self.since_unix_s.min(other.since_unix_s),
            until_unix_s: self.until_unix_s.max(other.until_unix_s),
        }
    }

    /// The part that lies within another.
    fn within(self, other: Self) -> Option<Self> {
        let part = Self {
            since_unix_s: self.since_unix_s.max(other.since_unix_s),
            until_unix_s: self.until_unix_s.min(other.until_unix_s),
        };
        (part.since_unix_s < part.until_unix_s).then_some(part)
    }
}

/// Everything that a report says, in the order in which it says it. Texts that come from outside are as the ledger has
/// them: each format makes them harmless in its own way.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of the program that made the report.
    pub version: &'static str,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(rename = "made", serialize_with = "moment")]
    pub made_unix_s: u64,
    /// The tenant that it is about; none: all of them.
    pub tenant: Option<String>,
    /// What it is about; a window that reaches into it counts as a whole.
    pub period: Period,
    /// Versions of the gateway that began to serve in this time, in order.
    pub gateway_versions: Vec<String>,
    /// The sums over all tenants of the report.
    pub books: Books,
    /// The sums of each tenant, by name.
    pub tenants: Vec<TenantBooks>,
    /// Declared cookies, in the order declared; then those that only an older declaration has.
    pub declared: Vec<Declared>,
    /// Stripped cookies, most frequent first.
    pub stripped: Vec<Stripped>,
    /// What became of the gateway's own pages, by tenant and declaration.
    pub agreements: Vec<Agreement>,
    /// What happened when.
    pub timeline: Timeline,
    /// Whether the gateway was alive.
    pub heartbeats: Heartbeats,
    /// When it was not, or may not have written everything down.
    pub gaps: Vec<Gap>,
    /// What happened to the gateway itself, and to the keys of tenants.
    pub events: Vec<Happening>,
    /// The declarations that have ruled, oldest first.
    pub declarations: Vec<Version>,
    /// What is closed and signed.
    pub chain: ChainState,
    /// Every tenant that the ledger has entries of, whatever the selection.
    #[serde(skip)]
    pub known_tenants: Vec<String>,
}

/// An event, readable.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Happening {
    /// When, in seconds since the Unix epoch.
    #[serde(rename = "at", serialize_with = "moment")]
    pub at_unix_s: u64,
    /// What.
    #[serde(serialize_with = "word")]
    pub kind: EventKind,
    /// The tenant that it is about; none: the gateway itself.
    pub tenant: Option<String>,
    /// Who brought it about.
    pub actor: String,
    /// What else is known: key and value.
    #[serde(serialize_with = "object")]
    pub detail: Vec<(String, String)>,
}

impl Report {
    /// Reads the ledger once, and adds up what the selection asks for. `usually` says who usually sets a cookie of a
    /// name, in the language that the report will have; it is asked once for each stripped cookie.
    ///
    /// A tenant that the ledger does not know makes an empty report: see [`Report::known_tenants`].
    ///
    /// # Errors
    ///
    /// Where the ledger can't be read.
    pub fn build(
        reader: &Reader,
        selection: &Selection,
        now_unix_s: u64,
        usually: &dyn Fn(&str) -> Option<Usually>,
    ) -> Result<Self, ReadError> {
        let mut tally = tally::Tally::new(reader.texts(), selection);
        let last = reader.last()?;
        reader.expect_all();
        reader.entries(1, last, |_, entry| {
            tally.add(entry);
            Ok::<_, ReadError>(())
        })?;
        let chain = ChainState::of(&reader.segments()?, &reader.keys()?, last);
        Ok(tally.finish(&reader.declarations()?, chain, now_unix_s, usually))
    }

    /// Cookies that the browser sends to an application that is only watched (report mode), those first that it may
    /// depend on: what to look at before enforcing.
    pub fn before_enforcing(&self) -> Vec<&Stripped> {
        let mut watched: Vec<_> =
            self.stripped.iter().filter(|stripped| stripped.dependence.is_some()).collect();
        watched.sort_by_key(|stripped| stripped.dependence);
        watched
    }

    /// Whether the report is about more than one tenant.
    fn has_tenants(&self) -> bool {
        self.tenant.is_none() && self.tenants.len() != 1
    }
}

fn moment<S: Serializer>(unix_s: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*unix_s))
}

fn object<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

fn word<T: Coded, S: Serializer>(member: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(member.text())
}
