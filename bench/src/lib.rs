//! Measures Crumbgate against others: what a request, a handshake, a connection and a byte cost.
//!
//! `bench/run` is the command; [`suite`] is what it does, from targets to figures. Every figure comes from a real proxy
//! that runs as a process of its own, pinned to a core of its own, and from what the kernel says it has used.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark prints its figures and its progress"
)]

pub mod about;
pub mod allocations;
pub mod certificate;
pub mod checks;
pub mod clients;
pub mod counts;
pub mod exact;
pub mod gate;
pub mod load;
pub mod picture;
pub mod probe;
pub mod process;
pub mod report;
pub mod results;
pub mod scale;
pub mod suite;
pub mod syscalls;
pub mod targets;
pub mod traffic;
pub mod upstream;
mod valgrind;
