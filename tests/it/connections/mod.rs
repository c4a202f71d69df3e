//! The connections of clients: TLS, the two versions of HTTP, limits and bodies.

mod forwarding;
mod limits;
mod redirect;
mod resting;
mod smuggling;
mod streaming;
mod tls;
mod upgrade;
