//! The results, round by round.

use serde::{Deserialize, Serialize};

use crate::{about::About, targets::Target};

/// All that was measured in a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Results {
    /// The time, the machine and the versions.
    pub about: About,
    /// The figures, in the order in which they were first measured.
    pub figures: Vec<Figure>,
    /// The measurements that failed.
    pub failures: Vec<Failure>,
}

/// One figure of one target under one load.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figure {
    /// The load's name.
    pub load: String,
    /// The target's name.
    pub target: String,
    /// The description.
    pub what: What,
    /// Its unit.
    pub unit: String,
    /// A value for each round.
    pub rounds: Vec<f64>,
}

/// A measurement that failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failure {
    /// The load's name.
    pub load: String,
    /// The target's name.
    pub target: String,
    /// Why.
    pub error: String,
}

/// The kind of a figure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Time on a core, of the whole process tree.
    Cpu,
    /// The share of the window in which other programs had the target's core.
    Foreign,
    /// The memory of the process tree.
    Memory,
    /// The additional memory for each idle connection.
    MemoryPerConnection,
    /// Half of the requests took at most this.
    P50,
    /// 99 of 100 took at most this.
    P99,
    /// 999 of 1,000 took at most this.
    P999,
    /// The number of requests, handshakes, bodies or messages in a second.
    Rate,
    /// From its start to the first answer.
    StartUp,
    /// The share of the window in which the machine below gave the core to others.
    Stolen,
    /// The part of [`What::Cpu`] outside the kernel.
    User,
}

impl What {
    /// In what it is measured.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu | Self::User | Self::P50 | Self::P99 | Self::P999 => "µs",
            Self::Foreign | Self::Stolen => "share",
            Self::Memory | Self::MemoryPerConnection => "KiB",
            Self::Rate => "1/s",
            Self::StartUp => "ms",
        }
    }
}

/// The middle of several rounds, and their ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these values, if there are any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Some(Self { median: lower.midpoint(upper), min, max })
    }
}

impl Results {
    /// Nothing yet.
    pub fn new(about: About) -> Self {
        Self { about, figures: Vec::new(), failures: Vec::new() }
    }

    /// Adds a round.
    pub fn add(&mut self, load: &str, target: Target, what: What, value: f64) {
        let target = target.to_string();
        let known = self.figures.iter_mut().find(|figure| figure.is(load, &target, what));
        match known {
            Some(figure) => figure.rounds.push(value),
            None => self.figures.push(Figure {
                load: load.to_owned(),
                target,
                what,
                unit: what.unit().to_owned(),
                rounds: vec![value],
            }),
        }
    }

    /// The spread of a figure, if it was measured.
    pub fn spread(&self, load: &str, target: Target, what: What) -> Option<Spread> {
        let target = target.to_string();
        let figure = self.figures.iter().find(|figure| figure.is(load, &target, what))?;
        Spread::of(&figure.rounds)
    }

    /// The median of a figure, if it was measured.
    pub fn median(&self, load: &str, target: Target, what: What) -> Option<f64> {
        self.spread(load, target, what).map(|spread| spread.median)
    }
}

impl Figure {
    fn is(&self, load: &str, target: &str, what: What) -> bool {
        self.load == load && self.target == target && self.what == what
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        let of = |values: &[f64]| Spread::of(values).map(|spread| spread.median);
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(of(&[]), None);
    }
}
