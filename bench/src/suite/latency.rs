//! Latency at a fixed rate, which every target can serve.

use anyhow::{Context, Result};

use super::{Load, Run, Started, none_failed, say};
use crate::{
    clients::paced,
    results::What,
    traffic::{self, UNDECLARED_MAX},
};

/// The load's name.
pub const LATENCY: &str = "latency";

/// The load that shows how much the slowest peer can serve.
const SATURATION: &str = "h1-json-c32";

/// The part of it that is sent.
const SHARE: f64 = 0.6;

const CONNECTIONS: usize = 32;

impl Run<'_> {
    /// JSON at 60 % of the rate at which the slowest peer is saturated.
    pub(super) fn latency(&mut self) -> Result<()> {
        if !self.plan.wants(LATENCY) {
            return Ok(());
        }
        let mut targets = self.start(&self.plan.targets, &self.application.tcp())?;
        let rate = SHARE * self.slowest_rate(&targets)?;
        say(&format!("{LATENCY}: {rate:.0} requests a second"));
        let turn = |run: &mut Self, (target, running): &mut Started| {
            let (endpoint, request) =
                (running.endpoint(run.ground), traffic::json(UNDECLARED_MAX).to_client());
            let latencies = run.runtime.block_on(async {
                let mut load = paced::Paced::open(&endpoint, request, CONNECTIONS).await?;
                load.run(rate, run.plan.times.warm_up).await?;
                load.run(rate, run.plan.times.window).await
            })?;
            none_failed(latencies.errors, latencies.first_error.as_deref())?;
            for (what, value) in [
                (What::P50, latencies.p50_us),
                (What::P99, latencies.p99_us),
                (What::P999, latencies.p999_us),
                (What::Rate, rate),
            ] {
                run.results.add(LATENCY, *target, what, value);
            }
            Ok(())
        };
        self.rounds(LATENCY, self.plan.rounds, &mut targets, |(target, _)| *target, turn)?;
        Ok(())
    }

    /// Of the peers; where there are none, of whatever there is.
    fn slowest_rate(&self, targets: &[Started]) -> Result<f64> {
        let has_peers = self.plan.peers().next().is_some();
        let load = Load::named(SATURATION).context("the load that saturates is there")?;
        let mut slowest = f64::INFINITY;
        for (target, running) in targets {
            if has_peers && target.is_ours() {
                continue;
            }
            let rate = match self.results.median(SATURATION, *target, What::Rate) {
                Some(rate) => rate,
                None => {
                    let sample = load.put_on(running, &self.application, self.plan.times)?;
                    sample.window.rate(sample.requests)
                }
            };
            slowest = slowest.min(rate);
        }
        Ok(slowest)
    }
}
