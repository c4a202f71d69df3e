//! The gateway with an allocator that counts: used like the gateway itself. Whoever connects to `allocations.sock` in
//! the folder that it was started in receives the number of allocations so far, and of their bytes.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark prints its figures and its progress"
)]

use std::{alloc::System, io::Write, os::unix::net::UnixListener, process::ExitCode, thread};

use anyhow::{Context, Result};
use crumbgate_bench::allocations::SOCKET;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<ExitCode> {
    let listener = UnixListener::bind(SOCKET).with_context(|| format!("can't make {SOCKET}"))?;
    thread::spawn(move || listener.incoming().filter_map(Result::ok).for_each(answer));
    Ok(crumbgate::cli::main())
}

/// A receiver that is gone gets no message.
fn answer(mut stream: impl Write) {
    let counted = ALLOCATOR.stats();
    let count = counted.allocations + counted.reallocations;
    let _ = write!(stream, "{count} {}", counted.bytes_allocated);
}
