//! The gate: it fails where the gateway has become slower than in `bench/baseline.json`.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    counts::{self, Difference},
    load::Times,
    results::{Results, What},
    suite::{self, Plan},
    targets::{Ground, Switch, Target},
};

/// The committed baseline: the gateway's ratios, and the instructions of its pure parts.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Baseline {
    /// For each load and peer, how many times the peer's CPU time a request costs.
    pub ratios: BTreeMap<String, BTreeMap<String, f64>>,
    /// For each pure part, and for a request as a whole, the instructions.
    pub instructions: BTreeMap<String, u64>,
}

/// One thing that is worse than it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The load or the part, and the peer.
    pub what: String,
    /// The committed figure.
    pub before: f64,
    /// The measured figure.
    pub now: f64,
}

impl Baseline {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("can't read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not as expected", path.display()))
    }

    /// Writes it anew.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
    }

    /// Ratios that have grown by more than a tenth, and instructions by more than a fiftieth. What was not measured
    /// before wants a new baseline, and counts, too.
    pub fn slower(&self, now: &Self) -> Vec<Regression> {
        let mut found = self.longer(now);
        for (load, peers) in &now.ratios {
            for (peer, &now) in peers {
                let before = self.ratios.get(load).and_then(|peers| peers.get(peer));
                let before = before.copied().unwrap_or(0.0);
                if now > before * TOLERANCE {
                    found.push(Regression { what: format!("{load}, × {peer}"), before, now });
                }
            }
        }
        found
    }

    #[expect(clippy::cast_precision_loss, reason = "instructions of a part are far below 2^52")]
    fn longer(&self, now: &Self) -> Vec<Regression> {
        let differences = counts::compare(&self.instructions, &now.instructions);
        let failures = differences.into_iter().filter(Difference::is_failure);
        let number = |count: Option<u64>| count.unwrap_or(0) as f64;
        let regression = |Difference { part, before, now }| Regression {
            what: format!("instructions of {part}"),
            before: number(before),
            now: number(now),
        };
        failures.map(regression).collect()
    }
}

/// Measures how the gateway compares under the main loads.
pub fn ratios(ground: &Ground) -> Result<BTreeMap<String, BTreeMap<String, f64>>> {
    let plan = Plan {
        // Several short turns: what else a machine does comes and goes within seconds.
        rounds: 7,
        times: Times { warm_up: Duration::from_millis(300), window: Duration::from_millis(1300) },
        only: LOADS.map(str::to_owned).to_vec(),
        targets: vec![OURS, Target::HaproxyPlain, Target::HaproxyPolicy],
        idle_connections: 0,
    };
    let results = suite::run(&plan, ground, &|_| Ok(()))?;
    LOADS.into_iter().map(|load| Ok((load.to_owned(), compare(&results, load)?))).collect()
}

/// The committed and the measured figures, side by side.
pub fn table(before: &Baseline, now: &Baseline) -> String {
    let mut text = "| load | peer | committed | now |\n|---|---|---|---|\n".to_owned();
    for (load, peers) in &now.ratios {
        for (peer, now) in peers {
            let before = before.ratios.get(load).and_then(|peers| peers.get(peer));
            let before = before.map_or_else(|| "—".to_owned(), |ratio| format!("{ratio:.3}"));
            text += &format!("| {load} | {peer} | {before} | {now:.3} |\n");
        }
    }
    text
}

fn compare(results: &Results, load: &str) -> Result<BTreeMap<String, f64>> {
    let cpu = |target: Target| {
        let cpu = results.median(load, target, What::Cpu);
        cpu.with_context(|| format!("{target} was not measured under {load}"))
    };
    let ratio = |peer: Target| Ok((peer.to_string(), round(cpu(OURS)? / cpu(peer)?)));
    [Target::HaproxyPlain, Target::HaproxyPolicy].into_iter().map(ratio).collect()
}

/// A baseline shows no digits that are noise.
fn round(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

const OURS: Target = Target::Crumbgate(Switch::None);
const LOADS: [&str; 3] = ["h1-json-c32", "h1-page-c32", "h2-json-s10"];
const TOLERANCE: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(ratio: f64) -> Baseline {
        let peers = BTreeMap::from([("haproxy-plain".to_owned(), ratio)]);
        let ratios = BTreeMap::from([("h1-json-c32".to_owned(), peers)]);
        Baseline { ratios, ..Baseline::default() }
    }

    #[test]
    fn a_tenth_more_is_noise_and_what_is_beyond_is_slower() {
        assert_eq!(baseline(1.0).slower(&baseline(1.09)), []);
        assert_eq!(baseline(1.0).slower(&baseline(0.5)), []);
        assert_eq!(baseline(1.0).slower(&baseline(1.11)).len(), 1);
        assert_eq!(Baseline::default().slower(&baseline(0.5)).len(), 1);
    }
}
