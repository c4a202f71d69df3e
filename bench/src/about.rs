//! The time, the machine and the versions of a measurement.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, macros::format_description};

/// The conditions of a measurement, without which its figures mean nothing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct About {
    /// The moment, UTC.
    pub date: String,
    /// The commit of the gateway's repository, with a mark where files differ from it.
    pub commit: String,
    /// The processor.
    pub processor: String,
    /// The number of cores.
    pub cores: usize,
    /// The kernel.
    pub kernel: String,
    /// Each program with what it says of its version.
    pub versions: Vec<(String, String)>,
}

impl About {
    /// This machine, now.
    pub fn now(crumbgate: &Path) -> Result<Self> {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
        let processor = fs::read_to_string("/proc/cpuinfo")?;
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
        let processor =
            processor.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
        let commit = first_line(Command::new("git").args(["describe", "--always", "--dirty"]));
        Ok(Self {
            date: OffsetDateTime::now_utc().format(format)?,
            commit: commit.unwrap_or_else(|_| "unknown".into()),
            processor: processor.into(),
            cores: fs::read_to_string("/proc/cpuinfo")?.matches("processor\t").count(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().into(),
            versions: versions(crumbgate)?,
        })
    }
}

fn versions(crumbgate: &Path) -> Result<Vec<(String, String)>> {
    let crumbgate = crumbgate.to_str().context("the gateway's path is no text")?;
    let asked = [
        ("crumbgate", crumbgate, "--version", "crumbgate"),
        ("HAProxy", "haproxy", "-v", "HAProxy version"),
        ("nginx", "nginx", "-V", "nginx version"),
        ("OpenSSL of both", "nginx", "-V", "built with OpenSSL"),
        ("wrk", "wrk", "-v", "wrk"),
        ("h2load", "h2load", "--version", "h2load"),
    ];
    let version = |(name, program, argument, start): (&str, &str, &str, &str)| {
        // Some fail after they have printed their version.
        let output = Command::new(program).arg(argument).output();
        let output = output.with_context(|| format!("can't run {program}"))?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let line = printed.lines().find(|line| line.starts_with(start)).unwrap_or("unknown");
        let line = line.split(" https://").next().unwrap_or(line);
        let line = line.split(" Copyright").next().unwrap_or(line);
        Ok((
            name.to_owned(),
            line.trim_start_matches(start).trim_matches([' ', ':', '-']).to_owned(),
        ))
    };
    asked.into_iter().map(version).collect()
}

fn first_line(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "it failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
