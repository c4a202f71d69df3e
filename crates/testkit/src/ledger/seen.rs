//! Equal verdicts on cookies, to be written to a ledger.

use crumbgate_policy::{
    Mode,
    requested::RequestedLifetime,
    verdict::{Action, Direction, Reason},
};

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
