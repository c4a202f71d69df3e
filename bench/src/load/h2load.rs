use anyhow::{Context, Result, ensure};

use super::{Sample, Times, check_kept, load_program, sample};
use crate::{
    targets::Running,
    traffic::{HOST, Request},
    upstream::Nginx,
};

/// HTTP/2 by h2load: each connection keeps so many streams open.
#[derive(Clone, Debug)]
pub struct Http2 {
    /// The request.
    pub request: Request,
    /// The number of connections.
    pub connections: u32,
    /// The number of streams on each of them.
    pub streams: u32,
}

impl Http2 {
    /// Puts the target under this load.
    pub fn run(&self, target: &Running, application: &Nginx, times: Times) -> Result<Sample> {
        let mut command = load_program("h2load");
        command.args(["-t1", &format!("-c{}", self.connections), &format!("-m{}", self.streams)]);
        command.args(["-D", &times.whole_s().to_string()]);
        command.arg(format!("--connect-to={}", target.address));
        for (name, value) in &self.request.fields {
            command.args(["-H", &format!("{name}: {value}")]);
        }
        command.arg(format!("https://{HOST}:{}{}", target.address.port(), self.request.path));
        let (sample, printed) = sample(command, target, application, times)?;
        check(&printed).with_context(|| format!("h2load says:\n{printed}"))?;
        check_kept(&sample, self.connections * self.streams)?;
        Ok(sample)
    }
}

/// Fails where not all requests were answered well, or not over HTTP/2.
fn check(printed: &str) -> Result<()> {
    ensure!(printed.contains("Application protocol: h2"), "it is not HTTP/2");
    let line = |start: &str| {
        let found = printed.lines().find_map(|line| line.strip_prefix(start));
        found.with_context(|| format!("there is no line {start:?}"))
    };
    let requests = line("requests: ")?;
    for none in [" 0 failed", " 0 errored", " 0 timeout"] {
        ensure!(requests.contains(none), "requests failed");
    }
    let codes = line("status codes: ")?;
    for none in [" 0 3xx", " 0 4xx", " 0 5xx"] {
        ensure!(codes.contains(none), "not all answers are successes");
    }
    Ok(())
}
