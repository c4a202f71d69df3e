//! Crumbgate: a TLS-terminating reverse proxy that makes a cookie declaration true.
//!
//! - [`policy`]: pure; which cookie may cross, and how it leaves.
//! - [`tenants`]: in memory; whose request it is.
//! - [`config`]: text to the values above.

pub mod clock;
pub mod config;
pub mod policy;
pub mod tenants;
