//! The settings of one tenant's policy.

use alloc::sync::Arc;

use crate::declaration::{Declaration, SessionDuration};

/// The settings that one tenant's cookies are judged by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// The published cookies (D).
    pub declaration: Arc<Declaration>,
    /// The time that a session lives without use (D1).
    pub session: SessionDuration,
    /// Enforcing or reporting (T4).
    pub mode: Mode,
    /// The reach of evictions (E1).
    pub evict: EvictScope,
    /// Seals the session cookie even if no agreement is asked for (G1). See [`Policy::seals`].
    pub seal: bool,
    /// The way in which people are asked for their agreement (G6).
    pub agreement: AgreementMode,
    /// The guard against cookies that scripts set (W).
    pub guard: GuardMode,
}

/// Enforcing or reporting (T4).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Mode {
    /// Verdicts are carried out.
    #[default]
    Enforce,
    /// Verdicts are only counted; no byte of any cookie changes.
    Report,
}

impl Mode {
    /// Both modes, in the order of the discriminants.
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Report];

    /// Returns the word in the configuration, the ledger and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Enforce => 1,
            Self::Report => 2,
        }
    }
}

/// The way in which people are asked for their agreement to the use of cookies (G6).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum AgreementMode {
    /// People who have not agreed see a banner; nothing is held back.
    Notice,
    /// Nobody is asked.
    #[default]
    Off,
    /// Declared cookies are held back until a person agrees, and navigations are answered with the question.
    Required,
}

impl AgreementMode {
    /// Every way, in the order of the discriminants.
    pub const ALL: [Self; 3] = [Self::Notice, Self::Off, Self::Required];

    /// Returns the word in the configuration and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Off => "off",
            Self::Required => "required",
        }
    }
}

/// The reach of an eviction (E1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EvictScope {
    /// The host and each of its parents down to the registrable domain.
    Domain,
    /// The host alone.
    #[default]
    Host,
    /// Nothing is evicted.
    Off,
}

impl EvictScope {
    /// Every reach, in the order of the discriminants.
    pub const ALL: [Self; 3] = [Self::Domain, Self::Host, Self::Off];

    /// Returns the word in the configuration and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Host => "host",
            Self::Off => "off",
        }
    }
}

/// The guard against cookies that scripts of a page set (W).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum GuardMode {
    /// Scripts are kept from setting undeclared cookies, and browsers report the names.
    Enforce,
    /// No page gets the guard.
    #[default]
    Off,
    /// Browsers report the names that scripts set, and nothing changes.
    Watch,
}

impl GuardMode {
    /// Every mode, in the order of the discriminants.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Off, Self::Watch];

    /// Returns the word in the configuration and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Off => "off",
            Self::Watch => "watch",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Enforce => 1,
            Self::Off => 2,
            Self::Watch => 3,
        }
    }
}

impl Policy {
    /// Makes a policy with this declaration and the default settings: a session of one week, enforcing, evictions at the
    /// host, no sealing, no agreement and no guard.
    pub fn new(declaration: Arc<Declaration>) -> Self {
        Self {
            declaration,
            session: SessionDuration::ONE_WEEK,
            mode: Mode::default(),
            evict: EvictScope::default(),
            seal: false,
            agreement: AgreementMode::default(),
            guard: GuardMode::default(),
        }
    }

    /// Returns the guard in force: in report mode, one that enforces acts as one that watches (W).
    pub fn guard_in_force(&self) -> GuardMode {
        match (self.guard, self.mode) {
            (GuardMode::Enforce, Mode::Report) => GuardMode::Watch,
            (guard, Mode::Enforce | Mode::Report) => guard,
        }
    }

    /// Returns true if the session cookie is sealed (G1).
    pub fn seals(&self) -> bool {
        self.seal || self.agreement != AgreementMode::Off
    }
}
