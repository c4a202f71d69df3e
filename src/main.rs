//! The `crumbgate` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Huge pages would double what a gateway takes, a third of it never used, and make no request cheaper. Where the system
    // can't do without them, that is what it costs.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    crumbgate::cli::main()
}
