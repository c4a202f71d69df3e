//! Does one pure part's work so many times, for an instrument that counts instructions: `pure NAME TIMES`; `pure` alone
//! lists the names.
//!
//! Nothing here reads a clock, and what is hashed is hashed by the process's own random keys only where the gateway
//! does so, too.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark prints its figures and its progress"
)]

use std::process::ExitCode;

use anyhow::{Context, Result};

#[path = "../../../benches/parts/mod.rs"]
mod parts;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        parts::all().iter().for_each(|part| println!("{}", part.name));
        return Ok(ExitCode::SUCCESS);
    };
    let times: u64 = arguments.next().context("how many times?")?.parse()?;
    let parts = parts::all();
    let part = parts.iter().find(|part| part.name == name);
    let mut work = part.with_context(|| format!("no part is named {name:?}"))?.prepare();
    (0..times).for_each(|_| work());
    Ok(ExitCode::SUCCESS)
}
