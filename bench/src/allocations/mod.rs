//! Allocations for each request, of the gateway with an allocator that counts (the binary `allocations`).
//!
//! One that grows what was allocated counts like one that is new. What the gateway does by the clock, such as writing
//! its ledger, is in the figures, too: some hundredths.

pub mod sites;

use std::{fmt::Write as _, io::Read, os::unix::net::UnixStream, path::Path};

use anyhow::{Context, Result};

use crate::{
    exact::{Exact, Version},
    targets::{Ground, Running, Setup},
    traffic::{self, Request},
    upstream::Nginx,
};

/// The file for the counts, in the folder in which the binary was started.
pub const SOCKET: &str = "allocations.sock";

/// The allocations of one request of a kind.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Allocations {
    /// The kind of request.
    pub request: String,
    /// The number of allocations.
    pub count: f64,
    /// The number of bytes.
    pub bytes: f64,
}

/// Counts, for requests of each kind. The gateway of `ground` is the binary `allocations`.
pub fn measure(ground: &Ground, application: &Nginx) -> Result<Vec<Allocations>> {
    let folder = ground.new_folder("allocations")?;
    let mut target = Setup::default().launch(ground, &folder, &application.tcp())?;
    target.wait()?;
    let of = |(request, load): (String, Exact)| {
        let (count, bytes) = count(&load, &target, &folder)?;
        Ok(Allocations { request, count, bytes })
    };
    loads().into_iter().map(of).collect()
}

/// One request after the other, of each kind and by both versions of HTTP.
pub fn loads() -> Vec<(String, Exact)> {
    let requests = [
        ("nothing to change", untouched()),
        ("2 renewed", traffic::renewal()),
        ("3 rewritten", traffic::json(0)),
        ("page, 5 of 8 stripped each way", traffic::page()),
    ];
    let versions = [Version::One, Version::Two].into_iter();
    let load = |version: Version| {
        requests.clone().map(|(what, request)| {
            let load = Exact { request, version, connections: 1, streams: 1 };
            (format!("{version}, {what}"), load)
        })
    };
    versions.flat_map(load).collect()
}

/// Declared cookies to a path that renews none, where the application sets none.
fn untouched() -> Request {
    let mut request = traffic::without_cookies(traffic::tiny());
    request.fields.push(("cookie", traffic::cookie_field(0)));
    request
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
        let (count, bytes) = read_counts(folder)?;
        load.run(target, requests)?;
        let (count_now, bytes_now) = read_counts(folder)?;
        Ok([("count".into(), count_now - count), ("bytes".into(), bytes_now - bytes)].into())
    })?;
    Ok((grown["count"], grown["bytes"]))
}

/// The allocations counted so far, and their bytes.
fn read_counts(folder: &Path) -> Result<(u64, u64)> {
    let path = folder.join(SOCKET);
    let mut text = String::new();
    let stream = UnixStream::connect(&path);
    stream.with_context(|| format!("can't ask {}", path.display()))?.read_to_string(&mut text)?;
    let (count, bytes) = text.split_once(' ').with_context(|| format!("no numbers: {text:?}"))?;
    Ok((count.parse()?, bytes.parse()?))
}
