//! Instruction counts of the pure parts, as callgrind has them: the same on every machine with the same processor's
//! features, however busy it is.
//!
//! Each part's work is done many times by one process and twice as often by another; what a process needs besides
//! cancels out in the difference.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, ensure};

use crate::{
    exact::{Exact, Version},
    targets::Ground,
    traffic,
    upstream::Nginx,
    valgrind,
};

/// The growth over the committed count that is a regression, in percent.
pub const TOLERANCE_PERCENT: u64 = 2;

/// A part whose count is not what was committed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The part.
    pub part: String,
    /// The committed count; none: the part is new.
    pub before: Option<u64>,
    /// The count of now; none: the part is gone.
    pub now: Option<u64>,
}

impl Difference {
    /// True where the part needs more than allowed. A part that is new or gone needs a new baseline, and fails, too.
    pub fn is_failure(&self) -> bool {
        match (self.before, self.now) {
            (Some(before), Some(now)) => now * 100 > before * (100 + TOLERANCE_PERCENT),
            (None, _) | (_, None) => true,
        }
    }
}

/// Counts the instructions that each part's work needs, once; `binary` is `pure`.
pub fn measure(binary: &Path) -> Result<BTreeMap<String, u64>> {
    let names = succeeded(&mut Command::new(binary), "the list of parts")?.stdout;
    let names = String::from_utf8(names).context("the parts' names are text")?;
    let names = Mutex::new(names.lines().map(str::to_owned).collect::<Vec<_>>());
    let next = || names.lock().ok().and_then(|mut names| names.pop());
    let count = || {
        let mut counts = Vec::new();
        while let Some(name) = next() {
            counts.push((name.clone(), count_one(binary, &name)?));
        }
        Ok(counts)
    };
    // A count does not depend on what else the machine does.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let counting: Vec<_> = (0..cores).map(|_| scope.spawn(count)).collect();
        let counts = counting.into_iter().map(|counting| counting.join().expect("no panic in it"));
        Ok(counts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

/// Counts the instructions, outside the kernel, with which the whole gateway answers a request.
pub fn of_gateway(ground: &Ground, application: &Nginx) -> Result<BTreeMap<String, u64>> {
    let loads = [
        ("HTTP/1.1, 2 renewed", traffic::renewal(), Version::One),
        ("HTTP/2, page, 5 of 8 stripped each way", traffic::page(), Version::Two),
    ];
    let count = |(name, request, version): (&str, _, _)| {
        let load = Exact { request, version, connections: 1, streams: 1 };
        let run = |requests| {
            let folder = ground.new_folder("callgrind")?;
            let options = "--tool=callgrind --callgrind-out-file=/dev/null";
            let printed =
                valgrind::serve(ground, application, &folder, options, (&load, requests))?;
            fs::remove_dir_all(&folder)?;
            collected(&printed)
                .with_context(|| format!("callgrind has counted nothing:\n{printed}"))
        };
        let (once, twice) = (run(REQUESTS)?, run(2 * REQUESTS)?);
        Ok((name.to_owned(), per_one(once, twice, REQUESTS).with_context(|| name.to_owned())?))
    };
    loads.into_iter().map(count).collect()
}

/// The parts whose counts are others than those that were committed, by more than the tolerance, in either direction.
pub fn compare(
    baseline: &BTreeMap<String, u64>,
    measured: &BTreeMap<String, u64>,
) -> Vec<Difference> {
    let parts = baseline.keys().chain(measured.keys().filter(|part| !baseline.contains_key(*part)));
    let difference = |part: &String| {
        let (before, now) = (baseline.get(part).copied(), measured.get(part).copied());
        Difference { part: part.clone(), before, now }
    };
    parts.map(difference).filter(Difference::is_notable).collect()
}

/// A table of counts.
pub fn table(counts: &BTreeMap<String, u64>) -> String {
    let mut text = "| part | instructions |\n|---|---:|\n".to_owned();
    for (part, count) in counts {
        // Writing to a string can't fail.
        let _ = writeln!(text, "| {part} | {count} |");
    }
    text
}

impl Difference {
    fn is_notable(&self) -> bool {
        match (self.before, self.now) {
            (Some(before), Some(now)) => before.abs_diff(now) * 100 > before * TOLERANCE_PERCENT,
            (None, _) | (_, None) => true,
        }
    }
}

/// The number of repetitions of a part's work: a multiple of the number of turns that a part takes.
const TIMES: u64 = 500;

/// The number of repetitions where the work is so small that the rest of the process, which varies a little where
/// random keys hash something, would show.
const TIMES_SMALL: u64 = 20_000;

/// Instructions below which work is small.
const SMALL: u64 = 3_000;

/// The number of requests that the gateway answers.
const REQUESTS: u64 = 500;

fn count_one(binary: &Path, name: &str) -> Result<u64> {
    let count = |times| {
        let once = instructions(binary, name, times)?;
        let twice = instructions(binary, name, 2 * times)?;
        per_one(once, twice, times).with_context(|| name.to_owned())
    };
    let counted = count(TIMES)?;
    if counted < SMALL { count(TIMES_SMALL) } else { Ok(counted) }
}

/// The cost of one of `times`, rounded, from this count and that of `twice` as many.
fn per_one(once: u64, twice: u64, times: u64) -> Result<u64> {
    let more = twice.checked_sub(once).context("more work took less")?;
    Ok((more + times / 2) / times)
}

/// All instructions of a process that does a part's work so many times.
fn instructions(binary: &Path, name: &str, times: u64) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(binary);
    // Where the stack begins depends on the environment's length.
    command.args([name, &times.to_string()]).env_clear().env("PATH", "/usr/bin:/bin");
    let printed = succeeded(&mut command, name)?.stderr;
    collected(&String::from_utf8_lossy(&printed))
        .with_context(|| format!("{name}: callgrind does not say what it has counted"))
}

fn succeeded(command: &mut Command, what: &str) -> Result<Output> {
    let output = command.output().with_context(|| format!("{what}: can't start {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{what}: {}\n{printed}", output.status);
    Ok(output)
}

/// Reads `==42== Collected : 123456`.
fn collected(printed: &str) -> Option<u64> {
    let line = printed.lines().find_map(|line| line.split_once("Collected :"));
    line.and_then(|(_, count)| count.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts.iter().map(|(part, count)| ((*part).to_owned(), *count)).collect()
    }

    #[test]
    fn reads_what_callgrind_says() {
        let printed = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(printed), Some(1_234_567));
        assert_eq!(collected("valgrind: no such program"), None);
    }

    #[test]
    fn two_percent_are_tolerated_and_only_more_is_a_failure() {
        let baseline = counts(&[("same", 1000), ("within", 1000), ("more", 1000), ("less", 1000)]);
        let measured = counts(&[("same", 1000), ("within", 1020), ("more", 1021), ("less", 900)]);
        let found = compare(&baseline, &measured);
        let found: Vec<_> = found.iter().map(|d| (d.part.as_str(), d.is_failure())).collect();
        assert_eq!(found, [("less", false), ("more", true)]);
    }

    #[test]
    fn a_part_that_is_new_or_gone_wants_a_new_baseline() {
        let found = compare(&counts(&[("gone", 1)]), &counts(&[("new", 1)]));
        assert!(found.iter().all(Difference::is_failure));
        assert_eq!(found.len(), 2);
    }
}
