//! The applications behind the targets.
//!
//! [`Nginx`] serves the loads: it is fast, and no target of ours. [`Own`] serves what it can't: bodies that are sent,
//! and WebSockets. [`Scripted`] serves the checks: it shows the bytes of each head that reached it.

mod nginx;
mod own;
mod scripted;

use std::{net::SocketAddr, path::PathBuf};

pub use self::{
    nginx::{Counts, Nginx},
    own::{Own, serve},
    scripted::{Scripted, Seen},
};

/// The address of an application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}
