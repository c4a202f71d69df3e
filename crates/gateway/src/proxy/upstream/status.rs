//! The state of an upstream at one moment, for the administration.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Check, ServerState, UpstreamState};

/// An upstream and the state of its servers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Upstream)]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    pub name: String,
    /// True if active checks have found a healthy server, and always if there are no active checks.
    pub ready: bool,
    /// Exchanges that wait for a connection now.
    pub queued: usize,
    /// Exchanges that had to wait.
    pub queued_total: u64,
    /// Exchanges rejected because the queue was full.
    pub queue_refused_total: u64,
    /// Exchanges whose wait timed out.
    pub queue_timeouts_total: u64,
    /// Its servers, in the order of the configuration.
    pub servers: Vec<ServerStatus>,
}

/// A server of an upstream.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Server)]
pub struct ServerStatus {
    /// Its address.
    pub address: String,
    /// The result of active checks; null if there are none or none has finished.
    pub up: Option<bool>,
    /// True while the server is ejected because exchanges with it failed.
    pub ejected: bool,
    /// Consecutive failures.
    pub failures: u32,
    /// Open connections.
    pub connections: usize,
    /// The limit of connections.
    pub max_connections: usize,
    /// Requests sent to it.
    pub requests_total: u64,
    /// Exchanges that failed.
    pub failures_total: u64,
    /// Ejections.
    pub ejections_total: u64,
    /// Active checks.
    pub checks_total: u64,
    /// Active checks that failed.
    pub checks_failed_total: u64,
    /// The last active check; null if there was none.
    pub last_check: Option<CheckStatus>,
}

/// The result of the last active check.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Check)]
pub struct CheckStatus {
    /// True if the server was healthy.
    pub healthy: bool,
    /// The status of the response, or the reason that there was none.
    pub outcome: String,
    /// Its duration.
    pub took_ms: u64,
    /// The time since its start.
    pub ago_ms: u64,
}

impl UpstreamState {
    /// Reads the state of the upstream and of its servers.
    pub fn status(&self) -> UpstreamStatus {
        UpstreamStatus {
            name: self.name().to_owned(),
            ready: self.is_ready(),
            queued: self.queued(),
            queued_total: self.queued_total(),
            queue_refused_total: self.queue_refused_total(),
            queue_timeouts_total: self.queue_timeouts_total(),
            servers: self.servers().iter().map(|server| server.status()).collect(),
        }
    }
}

impl ServerState {
    fn status(&self) -> ServerStatus {
        ServerStatus {
            address: self.address().to_string(),
            up: self.is_up(),
            ejected: self.is_ejected(),
            failures: self.failures(),
            connections: self.connections(),
            max_connections: self.max_connections(),
            requests_total: self.requests_total(),
            failures_total: self.failures_total(),
            ejections_total: self.ejections_total(),
            checks_total: self.checks_total(),
            checks_failed_total: self.checks_failed_total(),
            last_check: self.last_check().map(CheckStatus::from),
        }
    }
}

impl From<Check> for CheckStatus {
    fn from(check: Check) -> Self {
        Self {
            healthy: check.healthy,
            outcome: check.outcome,
            took_ms: whole_ms(check.took),
            ago_ms: whole_ms(check.at.elapsed()),
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
