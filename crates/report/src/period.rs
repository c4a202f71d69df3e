//! The selection of a report: a tenant and a period.

use serde::Serialize;

use super::serialize::moment;

/// The tenant and period that a report is about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// A tenant's name as in the ledger: a host, `*.suffix` or `(default)`. `None`: all tenants.
    pub tenant: Option<String>,
    /// The start, in seconds since the Unix epoch. `None`: the start of the ledger.
    pub since_unix_s: Option<u64>,
    /// The end, excluded. `None`: the end of the ledger.
    pub until_unix_s: Option<u64>,
}

/// A period of time, with its end excluded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Period {
    /// The start, in seconds since the Unix epoch.
    #[serde(rename = "since", serialize_with = "moment")]
    pub since_unix_s: u64,
    /// The first second after the period.
    #[serde(rename = "until", serialize_with = "moment")]
    pub until_unix_s: u64,
}

impl Period {
    /// The length in seconds.
    pub fn seconds(self) -> u64 {
        self.until_unix_s.saturating_sub(self.since_unix_s)
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.since_unix_s < other.until_unix_s && other.since_unix_s < self.until_unix_s
    }

    /// The shortest period that contains both.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            since_unix_s: self.since_unix_s.min(other.since_unix_s),
            until_unix_s: self.until_unix_s.max(other.until_unix_s),
        }
    }

    /// The part that lies within another period.
    pub(super) fn within(self, other: Self) -> Option<Self> {
        let part = Self {
            since_unix_s: self.since_unix_s.max(other.since_unix_s),
            until_unix_s: self.until_unix_s.min(other.until_unix_s),
        };
        (part.since_unix_s < part.until_unix_s).then_some(part)
    }
}
