use anyhow::{Context, Result, ensure};

use super::{Sample, Times, check_kept, load_program, sample};
use crate::{
    targets::Running,
    traffic::{HOST, Request},
    upstream::Nginx,
};

/// HTTP/1.1 by wrk: each connection sends its next request when it has the answer.
#[derive(Clone, Debug)]
pub struct Http1 {
    /// The request.
    pub request: Request,
    /// The number of connections.
    pub connections: u32,
}

impl Http1 {
    /// Puts the target under this load.
    pub fn run(&self, target: &Running, application: &Nginx, times: Times) -> Result<Sample> {
        let mut command = load_program("wrk");
        command.args(["-t1", &format!("-c{}", self.connections)]);
        command.arg(format!("-d{}s", times.whole_s())).args(["--timeout", "10s"]);
        command.args(["-H", &format!("Host: {HOST}")]);
        for (name, value) in &self.request.fields {
            command.args(["-H", &format!("{name}: {value}")]);
        }
        command.arg(format!("https://{}{}", target.address, self.request.path));
        let (sample, printed) = sample(command, target, application, times)?;
        check(&printed).with_context(|| format!("wrk says:\n{printed}"))?;
        check_kept(&sample, self.connections)?;
        Ok(sample)
    }
}

/// Fails where not all requests were answered well.
fn check(printed: &str) -> Result<()> {
    for line in printed.lines().map(str::trim) {
        ensure!(!line.starts_with("Non-2xx"), "not all answers are successes");
        ensure!(!line.starts_with("Socket errors"), "connections failed");
    }
    ensure!(printed.contains(" requests in "), "there is no result");
    Ok(())
}
