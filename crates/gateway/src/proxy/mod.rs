//! The data path: hyper, tokio, rustls. Thread-per-core: what a request touches belongs to one thread.
//!
//! - `worker.rs`: listen, accept, adopt a new configuration, drain; `snapshot.rs`: the configuration as workers see it;
//!   `worker_config.rs`: that of one worker.
//! - `serving.rs`: one task for each connection; `socket.rs`: how its bytes leave.
//! - `connection/`: what each connection is doing, and who must go.
//! - `tls/`: certificates by server name.
//! - `exchange.rs`: one request's journey, as a straight line.
//! - `admission.rs`: authority, tenant, limits (T1, T2, R8); `tenant_cache.rs`: the tenants that a worker knows;
//!   `recorder.rs`: counts what becomes of an exchange.
//! - `upstream/`: the connection pool, balancing, timeouts; `head.rs`: what a head holds; `forward.rs`: hop-by-hop and
//!   forwarding fields; `headers.rs`: cookie fields; `dates.rs`: `Date`.
//! - `request_body.rs`, `body.rs`, `trailers.rs`: bodies on their way; `deadline.rs`, `delivery.rs`: their time limits;
//!   `upgrade.rs`: WebSockets.
//! - `guard/`: the guard against cookies that scripts set, and what browsers report.
//! - `agreement/`: the gateway's own pages, the forms on them, and the banner in the application's; `document/`: inserts
//!   it into pages as they pass.
//! - `rejection.rs`: every answer given in the application's place; `redirect.rs`: plain HTTP to https.
//! - `access.rs`, `request_id.rs`: what is noted of an exchange.

mod access;
pub mod admission;
pub mod agreement;
mod body;
mod connection;
pub mod dates;
mod deadline;
mod delivery;
mod document;
mod downstream;
mod exchange;
mod forward;
mod forwarded;
pub mod guard;
pub mod head;
mod headers;
mod hop_by_hop;
pub mod judged;
mod large_request;
mod limits;
mod recorder;
mod redirect;
pub mod rejection;
pub mod request_body;
mod request_id;
mod serving;
pub(crate) mod snapshot;
mod socket;
mod sources;
mod tenant_cache;
pub mod tls;
mod trailers;
pub mod upgrade;
pub mod upstream;
pub(crate) mod worker;
mod worker_config;

/// Fresh random bytes from the operating system's generator.
///
/// # Panics
///
/// If the system has no randomness to give: nothing that follows could be safe.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator works");
    bytes
}
