//! The settings of sealing and agreement, and the results that callers act on (rules G1 to G8).

use alloc::vec::Vec;

use crate::{
    declaration::{CookieName, PathPattern},
    seal::{KeyRing, Version},
};

/// The keys and rules for the sealed cookies of all tenants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealing {
    /// The keys that seal and open.
    pub ring: KeyRing,
    /// The name of the declared cookie that is sealed (G1).
    pub cookie: CookieName,
    /// The version of the declaration that people see.
    pub version: Version,
    /// The end of the time in which unsealed values count (G3), in seconds since the Unix epoch; `None` if it has no end.
    pub unsealed_until_unix_s: Option<u64>,
    /// Accepts an agreement only for the current version of the declaration (G8).
    pub ask_again: bool,
    /// The paths that need no agreement (G6).
    pub open_paths: Vec<PathPattern>,
}

/// The facts about a request that its sealed cookie depends on.
#[derive(Clone, Copy, Debug)]
pub struct SealFacts<'r> {
    /// The keys and rules.
    pub sealing: &'r Sealing,
    /// The tenant's name.
    pub tenant: &'r str,
    /// The time of the request in seconds since the Unix epoch.
    pub now_unix_s: u64,
}

/// The state of a person's agreement to the use of cookies (G6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgreementState {
    /// The person has agreed.
    Agreed,
    /// The tenant does not ask.
    NotAsked,
    /// The person has not agreed, and sees a banner (`agreement = "notice"`).
    Notified,
    /// The person has not agreed, and every declared cookie is held back (`agreement = "required"`).
    Pending,
}

/// The answer that replaces the application's before a person has agreed (G6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgreementChallenge {
    /// A problem document for programs, which contains the address where to agree.
    Problem,
    /// The page with the question.
    Question,
}
