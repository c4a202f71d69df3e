//! A given number of requests on connections that are kept, for what is counted and not timed.
//!
//! What one request needs is the difference between `2 × N` requests and `N`: connecting and shaking hands cancel out.

use std::{collections::BTreeMap, fmt, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    process::{LOAD_CORE, pinned},
    targets::Running,
    traffic::{HOST, Request},
};

/// The version of HTTP by which something is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.1
    One,
    /// HTTP/2
    Two,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "HTTP/1.1",
            Self::Two => "HTTP/2",
        })
    }
}

/// A load that ends with its last answer.
#[derive(Clone, Debug)]
pub struct Exact {
    /// The request.
    pub request: Request,
    /// The version of HTTP.
    pub version: Version,
    /// Connections, on each of which one request follows the other; with HTTP/2 so many streams at once.
    pub connections: u32,
    /// Streams on each connection; 1 with HTTP/1.1.
    pub streams: u32,
}

impl Exact {
    /// The program that sends so many requests, with its arguments.
    pub fn command(&self, target: &Running, requests: u64) -> Command {
        let mut command = pinned(&LOAD_CORE.to_string(), Path::new("h2load"));
        if self.version == Version::One {
            command.arg("--h1");
        }
        command.args(["-t1", &format!("-n{requests}"), &format!("-c{}", self.connections)]);
        command.args([format!("-m{}", self.streams), format!("--connect-to={}", target.address)]);
        for (name, value) in &self.request.fields {
            command.args(["-H", &format!("{name}: {value}")]);
        }
        command.arg(format!("https://{HOST}:{}{}", target.address.port(), self.request.path));
        command
    }

    /// Sends so many requests. Fails unless each is answered with success.
    pub fn run(&self, target: &Running, requests: u64) -> Result<()> {
        succeeded(&mut self.command(target, requests), requests)
    }

    /// The growth of numbers by each request. `measure` sends the requested number of requests, and returns by how
    /// much each number has grown meanwhile.
    pub fn per_request(
        mut measure: impl FnMut(u64) -> Result<BTreeMap<String, u64>>,
    ) -> Result<BTreeMap<String, f64>> {
        // The first requests are never like the others: tables grow, connections open.
        measure(WARM_UP)?;
        let (once, twice) = (measure(REQUESTS)?, measure(2 * REQUESTS)?);
        let of_one = |(name, twice): (String, u64)| {
            let once = once.get(&name).copied().unwrap_or(0);
            (name, difference(twice, once))
        };
        Ok(twice.into_iter().map(of_one).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn difference(twice: u64, once: u64) -> f64 {
    (twice as f64 - once as f64) / REQUESTS as f64
}

/// Runs a command that [`Exact::command`] is, or is a part of.
pub fn succeeded(command: &mut Command, requests: u64) -> Result<()> {
    let output = command.output().with_context(|| format!("can't start {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        printed.contains(&format!("status codes: {requests} 2xx")),
        "not every request was answered well:\n{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

const WARM_UP: u64 = 320;

/// A multiple of every number of connections and streams.
const REQUESTS: u64 = 3200;
