//! The gateway under one of valgrind's tools.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    exact::Exact,
    targets::{Ground, Running, Setup},
    upstream::Nginx,
};

/// Runs the gateway under valgrind with these options until it has answered so many requests, and returns what was
/// printed. Its files are in `folder`.
pub(crate) fn serve(
    ground: &Ground,
    application: &Nginx,
    folder: &Path,
    options: &str,
    load: (&Exact, u64),
) -> Result<String> {
    let program = wrapper(&ground.crumbgate, folder, options)?;
    let watched = Ground::new(folder.to_owned(), program, ground.certificate.clone());
    // Counts do not depend on what else the machine does: two at a time are fine.
    let setup = Setup { cores: "0-1".into(), ..Setup::default() };
    let mut target = setup.launch(&watched, folder, &application.tcp())?;
    wait(&mut target)?;
    let (exact, requests) = load;
    exact.run(&target, requests)?;
    end(&mut target)?;
    Ok(fs::read_to_string(folder.join("log"))?)
}

/// A program that runs the other one under valgrind.
fn wrapper(program: &Path, folder: &Path, options: &str) -> Result<PathBuf> {
    let path = folder.join("under-valgrind");
    let text = format!("#!/bin/sh\nexec valgrind {options} '{}' \"$@\"\n", program.display());
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Waits until it listens, which takes its time.
fn wait(target: &mut Running) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(target.address).is_err() {
        target.process.still_runs()?;
        ensure!(Instant::now() < deadline, "the gateway does not listen under valgrind");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Asks it to end, and waits: valgrind's tools write at the end.
fn end(target: &mut Running) -> Result<()> {
    let id = i32::try_from(target.process.id()).ok().and_then(Pid::from_raw);
    kill_process(id.context("a process has an id")?, Signal::TERM)?;
    let deadline = Instant::now() + END_LIMIT;
    while target.process.still_runs().is_ok() {
        ensure!(Instant::now() < deadline, "the gateway does not end under valgrind");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

const START_LIMIT: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(60);
