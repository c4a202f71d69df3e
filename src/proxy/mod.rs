//! The data path: hyper, tokio, rustls. Thread-per-core: what a request touches belongs to one thread.
//!
//! - `worker.rs`: listen, accept, adopt a new configuration, drain; `snapshot.rs`: the configuration as workers see it.
//! - `serving.rs`: one task for each connection; `socket.rs`: how its bytes leave.
//! - `connection/`: what each connection is doing, and who must go.
//! - `tls/`: certificates by server name.
//! - `exchange.rs`: one request's journey, as a straight line.
//! - `admission.rs`: authority, tenant, limits (T1, T2, R8).
//! - `upstream/`: the connection pool, balancing, timeouts; `head.rs`: what a head holds; `forward.rs`: hop-by-hop and
//!   forwarding fields.
//! - `body.rs`: bodies on their way; `insertion.rs`: a banner in them; `delivery.rs`: whether they arrive; `upgrade.rs`: WebSockets.
//! - `page.rs`: the gateway's own pages; `agreement.rs`: asks, and does what people say; `form.rs`: what they send.
//! - `rejection.rs`: every answer given in the application's place; `redirect.rs`: plain HTTP to https.
//! - `access.rs`, `request_id.rs`: what is noted of an exchange.

mod access;
mod admission;
mod agreement;
mod body;
mod connection;
mod delivery;
mod exchange;
mod form;
mod forward;
mod head;
mod insertion;
mod limits;
mod page;
mod redirect;
mod rejection;
mod request_id;
mod serving;
pub(crate) mod snapshot;
mod socket;
pub mod tls;
mod upgrade;
pub mod upstream;
pub(crate) mod worker;

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
