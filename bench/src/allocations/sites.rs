//! The places of a request's allocations: the gateway under valgrind's heap profiler (`--tool=dhat`), which keeps the
//! stack of each allocation. Slow: it takes minutes, and is asked for by itself.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{exact::Exact, targets::Ground, upstream::Nginx, valgrind};

/// A place in the code, and what it allocates for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The innermost functions, without those of the allocator and of collections.
    pub frames: Vec<String>,
    /// The number of allocations.
    pub count: f64,
    /// The number of bytes.
    pub bytes: f64,
}

/// Finds the sites of a load, those that allocate most often first. The gateway of `ground` is one that uses the
/// system's allocator: the binary `allocations`.
pub fn find(ground: &Ground, application: &Nginx, load: &Exact) -> Result<Vec<Site>> {
    let once = profile(ground, application, load, REQUESTS)?;
    let twice = profile(ground, application, load, 2 * REQUESTS)?;
    let mut sites: Vec<_> = twice
        .into_iter()
        .map(|(frames, (count, bytes))| {
            let (count_once, bytes_once) = once.get(&frames).copied().unwrap_or_default();
            let (count, bytes) = (of_one(count, count_once), of_one(bytes, bytes_once));
            Site { frames, count, bytes }
        })
        .filter(|site| site.count >= RARE)
        .collect();
    sites.sort_by(|one, other| other.count.total_cmp(&one.count));
    Ok(sites)
}

/// A list of them.
pub fn list(sites: &[Site]) -> String {
    let sum = |figure: fn(&Site) -> f64| sites.iter().map(figure).sum::<f64>();
    let (count, bytes) = (sum(|site| site.count), sum(|site| site.bytes));
    let mut text = format!("{count:.2} allocations, {bytes:.0} bytes\n");
    for Site { frames, count, bytes } in sites {
        // Writing to a string can't fail.
        let _ =
            writeln!(text, "{count:6.2} {bytes:7.0} B  {}", frames.join("\n                  < "));
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn of_one(twice: u64, once: u64) -> f64 {
    (twice as f64 - once as f64) / REQUESTS as f64
}

/// By stack: how often, and how many bytes.
type Profile = BTreeMap<Vec<String>, (u64, u64)>;

/// Runs the gateway under dhat for so many requests.
fn profile(ground: &Ground, application: &Nginx, load: &Exact, requests: u64) -> Result<Profile> {
    let folder = ground.new_folder("dhat")?;
    let output = folder.join("dhat.json");
    let options = format!("--tool=dhat --num-callers=200 '--dhat-out-file={}'", output.display());
    valgrind::serve(ground, application, &folder, &options, (load, requests))?;
    let written = fs::read(&output).context("dhat has written no profile")?;
    fs::remove_dir_all(&folder)?;
    Ok(serde_json::from_slice::<Written>(&written)?.profile())
}

/// The part of dhat's file that is of interest.
#[derive(Deserialize)]
struct Written {
    /// Frames, to which the program points refer.
    ftbl: Vec<String>,
    pps: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    /// Total bytes.
    tb: u64,
    /// Total blocks.
    tbk: u64,
    /// The stack, the innermost first.
    fs: Vec<usize>,
}

impl Written {
    fn profile(&self) -> Profile {
        let mut profile = Profile::new();
        for Point { tb, tbk, fs } in &self.pps {
            let frames = fs.iter().filter_map(|index| self.ftbl.get(*index));
            let sum = profile.entry(significant_frames(frames.map(String::as_str))).or_default();
            sum.0 += tbk;
            sum.1 += tb;
        }
        profile
    }
}

/// The first frames of a stack that are significant, down to where every request's stack is the same.
fn significant_frames<'a>(frames: impl Iterator<Item = &'a str>) -> Vec<String> {
    let frames = frames.map(|frame| frame.split_once(": ").map_or(frame, |(_, frame)| frame));
    let frames = frames.take_while(|frame| !COMMON.iter().any(|part| frame.contains(part)));
    frames.filter(|frame| !is_silent(frame)).take(FRAMES).map(str::to_owned).collect()
}

/// True for a frame of the allocator, of a collection or of another tool of the standard library.
fn is_silent(frame: &str) -> bool {
    frame.contains("(library/")
        || frame.contains("/library/")
        || frame.contains("vgpreload")
        || SILENT.iter().any(|start| frame.starts_with(start))
}

const SILENT: [&str; 12] = [
    "<alloc::",
    "<core::",
    "alloc",
    "core::",
    "extend_from",
    "grow",
    "hashbrown",
    "new<",
    "spec_",
    "std::",
    "to_vec",
    "with_capacity",
];

const COMMON: [&str; 3] =
    ["::Dispatcher<", "exchange::Downstream::exchange", "tokio::runtime::task"];

const FRAMES: usize = 6;

/// Allocations for each request below which a site is left out: what is done by the clock.
const RARE: f64 = 0.1;

const REQUESTS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_reduced_to_its_significant_frames() {
        let text = r#"{"ftbl": ["[root]",
            "0x1: malloc (in /usr/libexec/valgrind/vgpreload_dhat-amd64-linux.so)",
            "0x2: alloc::alloc::Global::alloc_impl_runtime (library/alloc/src/alloc.rs:190)",
            "0x3: bytes::bytes::shallow_clone_vec (bytes.rs:1496)",
            "0x4: crumbgate_gateway::proxy::request_id::RequestId::value (request_id.rs:47)",
            "0x5: crumbgate_gateway::proxy::exchange::Downstream::exchange::{{closure}} (exchange.rs:69)"],
            "pps": [{"tb": 24, "tbk": 1, "fs": [1, 2, 3, 4, 5]}, {"tb": 48, "tbk": 2, "fs": [1, 3, 4, 5]}]}"#;
        let profile = serde_json::from_str::<Written>(text).unwrap().profile();
        let stack = vec![
            "bytes::bytes::shallow_clone_vec (bytes.rs:1496)".to_owned(),
            "crumbgate_gateway::proxy::request_id::RequestId::value (request_id.rs:47)".to_owned(),
        ];
        assert_eq!(profile, [(stack, (3, 72))].into());
    }
}
