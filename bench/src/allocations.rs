//! Allocations for each request, of the gateway with an allocator that counts (the binary `allocations`).
//!
//! One that grows what was allocated counts like one that is new. What the gateway does by the clock, such as writing its
//! ledger, is in the figures, too: some hundredths.

use std::{fmt::Write as _, io::Read, os::unix::net::UnixStream, path::Path};

use anyhow::{Context, Result};

use crate::{
    exact::{Exact, Version},
    targets::{Ground, Running, Setup},
    traffic,
    upstream::Nginx,
};

/// Where the binary tells what it has counted, in the folder in which it was started.
pub const SOCKET: &str = "allocations.sock";

/// What one request of a kind allocates.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Allocations {
    /// The kind of request.
    pub request: String,
    /// How often memory is asked for.
    pub count: f64,
    /// How many bytes.
    pub bytes: f64,
}

/// Counts, for requests of each kind. The gateway of `ground` is the binary `allocations`.
pub fn measure(ground: &Ground, application: &Nginx) -> Result<Vec<Allocations>> {
    let folder = ground.folder.join("allocations");
    std::fs::create_dir_all(&folder)?;
    let target = Setup::default().start(ground, &folder, &application.tcp())?;
    let mut found = Vec::new();
    for (version, name) in [(Version::One, "HTTP/1.1"), (Version::Two, "HTTP/2")] {
        for (what, request) in kinds() {
            let load = Exact { request, version, connections: 1, streams: 1 };
            let (count, bytes) = count(&load, &target, &folder)?;
            found.push(Allocations { request: format!("{name}, {what}"), count, bytes });
        }
    }
    Ok(found)
}

/// The kinds of requests of which allocations and system calls are counted.
pub(crate) fn kinds() -> [(&'static str, traffic::Request); 4] {
    [
        ("nothing to strip, rewrite or renew", traffic::untouched()),
        ("2 renewed", traffic::renewal()),
        ("3 rewritten", traffic::json(0)),
        ("page, 5 of 8 stripped each way", traffic::page()),
    ]
}

/// A table of them.
pub fn table(all: &[Allocations]) -> String {
    let mut text = "| request | allocations | bytes |\n|---|---:|---:|\n".to_owned();
    for Allocations { request, count, bytes } in all {
        // Writing to a string can't fail.
        let _ = writeln!(text, "| {request} | {count:.2} | {bytes:.0} |");
    }
    text
}

fn count(load: &Exact, target: &Running, folder: &Path) -> Result<(f64, f64)> {
    let grown = Exact::per_request(|requests| {
        let (count, bytes) = told(folder)?;
        load.run(target, requests)?;
        let (count_now, bytes_now) = told(folder)?;
        Ok([("count".into(), count_now - count), ("bytes".into(), bytes_now - bytes)].into())
    })?;
    Ok((grown["count"], grown["bytes"]))
}

/// What was counted so far: allocations, and their bytes.
fn told(folder: &Path) -> Result<(u64, u64)> {
    let path = folder.join(SOCKET);
    let mut text = String::new();
    let stream = UnixStream::connect(&path);
    stream.with_context(|| format!("can't ask {}", path.display()))?.read_to_string(&mut text)?;
    let (count, bytes) = text.split_once(' ').with_context(|| format!("no numbers: {text:?}"))?;
    Ok((count.parse()?, bytes.parse()?))
}
