//! The gateway with an allocator that counts: used like the gateway itself. Whoever connects to `allocations.sock` in
//! the folder that it was started in is told how often memory was asked for so far, and for how many bytes.

use std::{alloc::System, io::Write, os::unix::net::UnixListener, process::ExitCode, thread};

use anyhow::{Context, Result};
use crumbgate_bench::allocations::SOCKET;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<ExitCode> {
    let listener = UnixListener::bind(SOCKET).with_context(|| format!("can't make {SOCKET}"))?;
    thread::spawn(move || listener.incoming().filter_map(Result::ok).for_each(tell));
    Ok(crumbgate::cli::main())
}

/// Who does not listen is not told.
fn tell(mut stream: impl Write) {
    let counted = ALLOCATOR.stats();
    let count = counted.allocations + counted.reallocations;
    let _ = write!(stream, "{count} {}", counted.bytes_allocated);
}
