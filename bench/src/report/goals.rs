//! The goals, and the results.

use crate::{
    results::{Results, What},
    targets::{Switch, Target},
};

/// A ratio that must not be above a bound.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The description of the comparison.
    pub title: &'static str,
    /// The load.
    pub load: &'static str,
    /// The figure.
    pub what: What,
    /// With whom: the best of these.
    pub against: Against,
    /// The bound.
    pub at_most: f64,
}

/// With whom the gateway is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Against {
    /// The best of all peers.
    All,
    /// HAProxy that leaves cookies alone.
    Haproxy,
    /// nginx that leaves cookies alone.
    Nginx,
    /// The best of those that do the policy.
    Policy,
}

impl Against {
    fn name(self) -> &'static str {
        match self {
            Self::All => "the best peer",
            Self::Haproxy => "HAProxy plain",
            Self::Nginx => "nginx plain",
            Self::Policy => "the best peer doing the policy",
        }
    }

    fn takes(self, target: Target) -> bool {
        match self {
            Self::All => !target.is_ours(),
            Self::Haproxy => target == Target::HaproxyPlain,
            Self::Nginx => target == Target::NginxPlain,
            Self::Policy => !target.is_ours() && target.does_policy(),
        }
    }
}

/// All goals.
pub fn goals() -> Vec<Goal> {
    use Against::{All, Haproxy, Nginx, Policy};
    use What::{Cpu, Memory, MemoryPerConnection, P99};
    let goal = |title, load, what, against, at_most| Goal { title, load, what, against, at_most };
    let json = "HTTP/1.1, JSON, 32 connections";
    let renewal = "HTTP/1.1, JSON, session renewed";
    let page = "HTTP/1.1, 8 KiB page";
    vec![
        goal(json, "h1-json-c32", Cpu, Nginx, 1.0),
        goal(json, "h1-json-c32", Cpu, Haproxy, 1.0),
        goal(renewal, "h1-renewal-c32", Cpu, Nginx, 1.0),
        goal(renewal, "h1-renewal-c32", Cpu, Haproxy, 1.0),
        goal(page, "h1-page-c32", Cpu, Nginx, 1.0),
        goal(page, "h1-page-c32", Cpu, Haproxy, 1.0),
        goal(json, "h1-json-c32", Cpu, Policy, 0.55),
        goal(renewal, "h1-renewal-c32", Cpu, Policy, 0.55),
        goal(page, "h1-page-c32", Cpu, Policy, 0.55),
        goal("HTTP/2, JSON, 10 streams", "h2-json-s10", Cpu, Policy, 0.6),
        goal("HTTP/2, 8 KiB page, 10 streams", "h2-page-s10", Cpu, Policy, 0.6),
        goal("one request at a time", "h1-json-c1", Cpu, Policy, 0.75),
        goal("full handshake", "handshake-full", Cpu, All, 0.65),
        goal("resumed handshake", "handshake-resumed", Cpu, All, 0.75),
        goal("1 MiB down", "body-down", Cpu, All, 1.0),
        goal("1 MiB up", "body-up", Cpu, All, 1.0),
        goal("memory of an idle connection", "idle", MemoryPerConnection, Haproxy, 1.0),
        goal("p99 at a fixed rate", "latency", P99, All, 1.0),
        goal("memory under load, 256 connections", "h1-json-c256", Memory, Haproxy, 1.0),
    ]
}

/// Ours, the best of those that it is compared with, and who that is.
struct Comparison {
    ours: f64,
    best: f64,
    who: Target,
}

impl Goal {
    fn compare(&self, results: &Results) -> Option<Comparison> {
        let ours = results.median(self.load, Target::Crumbgate(Switch::None), self.what)?;
        let others = Target::ALL.into_iter().filter(|&target| self.against.takes(target));
        let measured = others
            .filter_map(|target| Some((target, results.median(self.load, target, self.what)?)));
        let (who, best) = measured.min_by(|one, other| one.1.total_cmp(&other.1))?;
        Some(Comparison { ours, best, who })
    }

    /// Ours, divided by the best of those that it is compared with.
    pub fn ratio(&self, results: &Results) -> Option<f64> {
        self.compare(results).map(|found| found.ours / found.best)
    }
}

/// The goals that were measured.
pub(super) fn table(results: &Results) -> String {
    let mut rows = String::new();
    for goal in goals() {
        let Some(Comparison { ours, best, who }) = goal.compare(results) else { continue };
        let (ratio, unit) = (ours / best, goal.what.unit());
        let met = if ratio <= goal.at_most { "yes" } else { "**no**" };
        rows += &format!(
            "| {} | {} | {ours:.2} {unit} | {best:.2} {unit} ({who}) | {ratio:.2} | ≤ {:.2} | {met} |\n",
            goal.title,
            goal.against.name(),
            goal.at_most
        );
    }
    if rows.is_empty() {
        return rows;
    }
    let head = "| | against | Crumbgate | the other | ratio | goal | met |\n|---|---|---|---|---|---|---|\n";
    format!("## Goals\n\n{head}{rows}")
}
