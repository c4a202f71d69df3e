//! Helpers that the tests and benchmarks of several crates share.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

pub mod csp;
pub mod ledger;
