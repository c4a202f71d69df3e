//! System calls for each request, as the kernel's own trace points count them (`perf stat`), which slows nothing down.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{
    allocations,
    exact::{self, Exact, Version},
    targets::Running,
    traffic,
};

/// The system calls of one load.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Calls {
    /// The load.
    pub load: String,
    /// For each request: all of them, and those of each name.
    pub total: f64,
    /// By name; those that are rare are left out.
    pub by_name: BTreeMap<String, f64>,
}

/// Counts those of a target that has one process, under each load; `folder` is for what perf writes.
pub fn measure(target: &Running, folder: &Path) -> Result<Vec<Calls>> {
    loads().into_iter().map(|(what, load)| count(what, &load, target, folder)).collect()
}

/// A table of them.
pub fn table(all: &[Calls]) -> String {
    let mut text = "| load | system calls | of which |\n|---|---:|---|\n".to_owned();
    for Calls { load, total, by_name } in all {
        let mut names: Vec<_> = by_name.iter().collect();
        names.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let names: Vec<_> =
            names.into_iter().map(|(name, count)| format!("{name} {count:.2}")).collect();
        // Writing to a string can't fail.
        let _ = writeln!(text, "| {load} | {total:.2} | {} |", names.join(", "));
    }
    text
}

/// One request after the other; and many at once, where one call may serve several.
fn loads() -> Vec<(String, Exact)> {
    let request = traffic::renewal();
    let many = |version, connections, streams| Exact {
        request: request.clone(),
        version,
        connections,
        streams,
    };
    let mut loads = allocations::loads();
    loads.extend([
        ("HTTP/1.1, 32 connections, 2 renewed".into(), many(Version::One, 32, 1)),
        ("HTTP/2, 16 connections × 10 streams, 2 renewed".into(), many(Version::Two, 16, 10)),
    ]);
    loads
}

fn count(load: String, exact: &Exact, target: &Running, folder: &Path) -> Result<Calls> {
    let output = folder.join("perf.csv");
    let mut by_name = Exact::per_request(|requests| counted(exact, target, requests, &output))
        .with_context(|| format!("{load}: can't count its system calls"))?;
    let total = by_name.remove(ALL).with_context(|| format!("{load}: perf has counted nothing"))?;
    by_name.retain(|_, count| *count >= RARE);
    let by_name = by_name.into_iter();
    let named = |(event, count): (String, f64)| (event.replace(ENTER, ""), count);
    Ok(Calls { load, total, by_name: by_name.map(named).collect() })
}

/// The system calls of a target while it answers this number of requests, by perf's events.
fn counted(
    exact: &Exact,
    target: &Running,
    requests: u64,
    output: &Path,
) -> Result<BTreeMap<String, u64>> {
    let mut command = Command::new("perf");
    command.args(["stat", "--field-separator=,", "--output"]).arg(output);
    command.arg(format!("--pid={}", target.process.id()));
    let named = NAMES.map(|name| format!("{ENTER}{name}"));
    command.args(["--event", &[&[ALL.to_owned()], &named[..]].concat().join(",")]);
    let load = exact.command(target, requests);
    command.arg("--").arg(load.get_program()).args(load.get_args());
    exact::succeeded(&mut command, requests)?;
    Ok(fs::read_to_string(output)?.lines().filter_map(counter).collect())
}

/// Reads `4711,,syscalls:sys_enter_read,…`; an event that does not exist here has no number.
fn counter(line: &str) -> Option<(String, u64)> {
    let mut fields = line.split(',');
    let (count, event) = (fields.next()?.parse().ok()?, fields.nth(1)?);
    Some((event.to_owned(), count))
}

/// Every system call.
const ALL: &str = "raw_syscalls:sys_enter";

const ENTER: &str = "syscalls:sys_enter_";

/// The system calls that a proxy may need for a request.
const NAMES: [&str; 24] = [
    "accept4",
    "close",
    "connect",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "futex",
    "getsockopt",
    "getrandom",
    "madvise",
    "mmap",
    "munmap",
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
    "timerfd_settime",
    "write",
    "writev",
];

/// Calls for each request below which they are not listed.
const RARE: f64 = 0.005;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_perf_s_counters() {
        let line = "4711,,syscalls:sys_enter_read,1000,100.00,,";
        assert_eq!(counter(line), Some(("syscalls:sys_enter_read".into(), 4711)));
        assert_eq!(counter("<not counted>,,syscalls:sys_enter_readv,0,100.00,,"), None);
        assert_eq!(counter("# started on Thu Nov 26"), None);
    }
}
