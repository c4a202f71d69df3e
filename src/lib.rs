//! The program: the commands, the admin interface, explanations, and the demo. The gateway itself and its parts are crates
//! of their own, below `crates/`.
//!
//! - [`cli`]: the commands; [`admin`]: how a running gateway is administered.
//! - [`explain`]: the verdicts on an exchange that somebody describes, and the reasons for them.
//! - [`certificate`] and [`demo`]: for trying the gateway.

pub mod admin;
pub mod certificate;
pub mod cli;
pub mod demo;
pub mod explain;
