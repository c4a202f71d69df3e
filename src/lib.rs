//! Crumbgate: a TLS-terminating reverse proxy that makes a cookie declaration true.
//!
//! - [`policy`]: pure; which cookie may cross, and how it leaves.

pub mod clock;
pub mod policy;
