//! wrk and h2load: run, and read.
//!
//! A figure is taken over a window in the middle of a run: no connection is opened in it, and nothing is cold. How many
//! requests were completed meanwhile, the application knows.

mod h2load;
mod watch;
mod wrk;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

pub use self::{
    h2load::Http2,
    watch::{Watch, Window},
    wrk::Http1,
};
use crate::{
    process::{LOAD_CORE, pinned},
    targets::Running,
    upstream::Nginx,
};

/// The resources that a target used in a window under load.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests that were completed.
    pub requests: u64,
    /// Connections that were opened to the application.
    pub connections: u64,
    /// The events in the meantime.
    pub window: Window,
}

/// The duration of a load.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Before the window.
    pub warm_up: Duration,
    /// The window.
    pub window: Duration,
}

impl Times {
    /// The duration for the load generator: a little longer than the window.
    fn whole_s(&self) -> u64 {
        (self.warm_up + self.window + Duration::from_millis(1300)).as_secs()
    }
}

/// Puts a target under load by `command`, and looks at it in the window; then hands on what the command printed.
fn sample(
    mut command: Command,
    target: &Running,
    application: &Nginx,
    times: Times,
) -> Result<(Sample, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("can't start {command:?}"))?;
    let load = Load(Some(child));
    thread::sleep(times.warm_up);
    let (counted, watch) = (application.counts()?, Watch::start(&target.process)?);
    thread::sleep(times.window);
    let (window, then) = (watch.stop()?, application.counts()?);
    let counted = then.since(counted)?;
    let printed = load.finish()?;
    Ok((Sample { requests: counted.requests, connections: counted.connections, window }, printed))
}

/// A program that makes load; it does not outlive what reads it.
struct Load(Option<Child>);

impl Load {
    fn finish(mut self) -> Result<String> {
        let child = self.0.take().context("it is there until it is finished")?;
        let output = child.wait_with_output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("it failed: {}\n{printed}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(printed)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn load_program(name: &str) -> Command {
    pinned(&LOAD_CORE.to_string(), Path::new(name))
}

/// Fails where the load kept opening connections to the application, beyond one for each request that is open at once.
fn check_kept(sample: &Sample, at_once: u32) -> Result<()> {
    let (connections, requests) = (sample.connections, sample.requests);
    ensure!(
        connections <= requests / 100 + u64::from(at_once),
        "{connections} connections were opened to the application for {requests} requests"
    );
    Ok(())
}
