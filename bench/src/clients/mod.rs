//! The loads that wrk and h2load can't be: paced requests, handshakes, idle connections, bodies, WebSockets.
//!
//! All of them speak HTTP/1.1 over TLS 1.3 with AES-256-GCM and X25519, whatever the target would rather have: so each
//! target does the same work. (OpenSSL 3.0 has no ML-KEM, which the gateway would choose.) HTTP is written by hand, for
//! the client shares its core with the application, and hyper would take much of it.
//!
//! Each runs on a runtime of one thread. `open` connects and sends a first request, `run` is what is measured; the
//! function `run` of each module does both.

pub mod bodies;
pub mod closed;
mod crowd;
mod frame;
pub mod handshakes;
mod http1;
pub mod idle;
pub mod paced;
#[cfg(test)]
mod tests;
mod timer;
mod tls;
pub mod upstream;
pub mod websocket;

use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;

/// The address of a target, and its certificate.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address to connect to.
    pub address: SocketAddr,
    /// The server name that is asked for, and the host of requests that name none.
    pub server_name: String,
    /// The trusted certificate.
    pub roots: Vec<CertificateDer<'static>>,
}

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method: `GET`, say.
    pub method: String,
    /// The path, with a query if there is one.
    pub path: String,
    /// Its fields but for `Host`, which is the endpoint's server name unless it is here.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// A request for `path` without any field.
    pub fn get(path: &str) -> Self {
        Self { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new() }
    }

    /// As it is sent.
    pub fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            push_field(&mut bytes, "Host", host);
        }
        for (name, value) in &self.headers {
            push_field(&mut bytes, name, value);
        }
        bytes.push_str("\r\n");
        bytes.into_bytes()
    }
}

fn push_field(head: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.push_str(part);
    }
}

/// The requests of the loads; [`upstream`] serves all of them.
pub mod paths {
    /// A few bytes: the request of a handshake and of an idle connection.
    pub const TINY: &str = "/tiny";
    /// A body of [`BODY_BYTES`](super::BODY_BYTES).
    pub const DOWN: &str = "/down";
    /// Takes a body of any size, and answers how many bytes it had.
    pub const UP: &str = "/up";
    /// A WebSocket that returns every message.
    pub const SOCKET: &str = "/socket";
}

/// The size of bodies, down and up: 1 MiB.
pub const BODY_BYTES: usize = 1 << 20;
