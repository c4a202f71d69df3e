//! `[defaults]`: the values of tenants that set none themselves.

use std::sync::Arc;

use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, Policy,
    declaration::{Declaration, SessionDuration},
};

/// `[defaults]`: the values of a tenant that sets none itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TenantDefaults {
    /// An index into `Config::upstreams`; `None` if no tenant needs a default and the upstream does not exist.
    pub upstream: Option<u16>,
    /// The time that a session lives without use.
    pub session: SessionDuration,
    /// Enforces the policy, or only reports.
    pub mode: Mode,
    /// The reach of the deletion of undeclared cookies.
    pub evict: EvictScope,
    /// Seals the session cookie.
    pub seal: bool,
    /// The way people are asked before cookies are used.
    pub agreement: AgreementMode,
    /// The guard against cookies that scripts set.
    pub guard: GuardMode,
}

impl TenantDefaults {
    /// Returns the policy of a tenant that sets no value itself.
    pub fn policy(&self, declaration: &Arc<Declaration>) -> Policy {
        let Self { upstream: _, session, mode, evict, seal, agreement, guard } = *self;
        let declaration = Arc::clone(declaration);
        Policy { declaration, session, mode, evict, seal, agreement, guard }
    }
}
