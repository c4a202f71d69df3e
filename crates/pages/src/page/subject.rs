//! The content of the pages.

use super::settings::PageSettings;
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode,
    declaration::{Declaration, SessionDuration},
};

/// The content of the pages: a declaration and the settings of a tenant.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The published declaration.
    pub declaration: &'s Declaration,
    /// The version of the declaration: its SHA-256 in hexadecimal digits, as in the ledger.
    pub version: &'s str,
    /// The moment from which the declaration is in force.
    pub since: Since,
    /// The session duration of the tenant (D1).
    pub session: SessionDuration,
    /// The way people are asked (G6).
    pub agreement: AgreementMode,
    /// The reach of evictions (E1).
    pub evict: EvictScope,
    /// The guard against cookies that scripts set (W).
    pub guard: GuardMode,
    /// The name of the sealed cookie (G1); `None` if the tenant seals none.
    pub sealed: Option<&'s str>,
    /// The settings of the operator for the pages.
    pub settings: &'s PageSettings,
}

/// The moment from which a declaration is in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Since {
    /// A moment, in seconds since the Unix epoch.
    At(u64),
    /// It is not in force yet.
    NotYet,
    /// The moment was not recorded.
    Unknown,
}
