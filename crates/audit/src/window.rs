//! Windows of time, and the figures that are summed up over them.

use crumbgate_policy::verdict::{Action, Direction};

/// A period over which counts are summed up, in UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Window {
    /// Start, in seconds since the Unix epoch; a multiple of the length.
    pub start_unix_s: u64,
    /// Length, in seconds.
    pub length_s: u32,
}

impl Window {
    /// The window of this length that contains a moment.
    pub fn of(unix_s: u64, length_s: u32) -> Self {
        let length = u64::from(length_s.max(1));
        Self { start_unix_s: unix_s - unix_s % length, length_s: length_s.max(1) }
    }

    /// Returns `true` if the window contains a moment.
    pub fn holds(self, unix_s: u64) -> bool {
        (self.start_unix_s..self.end_unix_s()).contains(&unix_s)
    }

    /// The first second after the window.
    pub fn end_unix_s(self) -> u64 {
        self.start_unix_s.saturating_add(u64::from(self.length_s))
    }
}

/// The start of a moment's minute: evidence does not record seconds (A2).
pub(super) fn minute(unix_s: u64) -> u64 {
    unix_s - unix_s % 60
}

/// Numbers of cookies: those seen, by direction, and those that the gateway added. Each cookie counts once. Also the
/// number of events on the gateway's own pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Cookies seen in requests: kept or stripped.
    pub request: u64,
    /// Cookies seen in responses: kept, rewritten or stripped.
    pub response: u64,
    /// Cookies added to responses: renewed, injected or evicted.
    pub added: u64,
    /// Events on pages (shown, agreed, declined, withdrawn); these are not cookies.
    pub agreements: u64,
}

impl Figures {
    /// The figure in which a verdict counts.
    pub fn of(&mut self, direction: Direction, action: Action) -> &mut u64 {
        match (action, direction) {
            (Action::Evict | Action::Inject | Action::Renew, _) => &mut self.added,
            (Action::Keep | Action::Rewrite | Action::Strip(_), Direction::Request) => {
                &mut self.request
            }
            (Action::Keep | Action::Rewrite | Action::Strip(_), Direction::Response) => {
                &mut self.response
            }
        }
    }

    /// Adds each figure of `other`.
    pub fn add(&mut self, other: Self) {
        self.request = self.request.saturating_add(other.request);
        self.response = self.response.saturating_add(other.response);
        self.added = self.added.saturating_add(other.added);
        self.agreements = self.agreements.saturating_add(other.agreements);
    }

    /// The difference to `earlier`, for each figure.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            request: self.request.saturating_sub(earlier.request),
            response: self.response.saturating_sub(earlier.response),
            added: self.added.saturating_sub(earlier.added),
            agreements: self.agreements.saturating_sub(earlier.agreements),
        }
    }

    /// Number of all cookies.
    pub fn cookies(self) -> u64 {
        self.request.saturating_add(self.response).saturating_add(self.added)
    }
}
