//! What is summed up: stretches of time, and figures of cookies and agreements.

use crumbgate_policy::verdict::{Action, Direction};

/// A stretch of time that counts are summed up over, in UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Window {
    /// Its begin, in seconds since the Unix epoch; a multiple of its length.
    pub start_unix_s: u64,
    /// Its length, in seconds.
    pub length_s: u32,
}

impl Window {
    /// The window of this length that a moment is in.
    pub fn of(unix_s: u64, length_s: u32) -> Self {
        let length = u64::from(length_s.max(1));
        Self { start_unix_s: unix_s - unix_s % length, length_s: length_s.max(1) }
    }

    /// Whether a moment is in it.
    pub fn holds(self, unix_s: u64) -> bool {
        (self.start_unix_s..self.end_unix_s()).contains(&unix_s)
    }

    /// The first second behind it.
    pub fn end_unix_s(self) -> u64 {
        self.start_unix_s.saturating_add(u64::from(self.length_s))
    }
}

/// Cookies, each counted once: those that were seen, by direction, and those that the gateway added. Beside them, what
/// became of the gateway's own pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Seen in requests: kept or stripped.
    pub request: u64,
    /// Seen in responses: kept, rewritten or stripped.
    pub response: u64,
    /// Added to responses: renewed, injected or evicted.
    pub added: u64,
    /// Pages that were shown, agreed to or declined, and agreements that were withdrawn: no cookies.
    pub agreements: u64,
}

impl Figures {
    /// The figure that a verdict counts in.
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

    /// Adds another's, each to each.
    pub fn add(&mut self, other: Self) {
        self.request = self.request.saturating_add(other.request);
        self.response = self.response.saturating_add(other.response);
        self.added = self.added.saturating_add(other.added);
        self.agreements = self.agreements.saturating_add(other.agreements);
    }

    /// What is here and not in `earlier`, each from each.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            request: self.request.saturating_sub(earlier.request),
            response: self.response.saturating_sub(earlier.response),
            added: self.added.saturating_sub(earlier.added),
            agreements: self.agreements.saturating_sub(earlier.agreements),
        }
    }

    /// All cookies together.
    pub fn cookies(self) -> u64 {
        self.request.saturating_add(self.response).saturating_add(self.added)
    }
}
