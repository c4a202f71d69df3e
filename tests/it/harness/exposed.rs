//! The metrics of a gateway, parsed.

use std::collections::{BTreeMap, BTreeSet};

use super::Running;

/// The samples of an exposition, by name and labels as they are written.
pub(crate) struct Exposed(pub(crate) BTreeMap<String, f64>);

impl Exposed {
    /// The metrics of a gateway, without series by tenant.
    pub(crate) fn by(gateway: &Running) -> Self {
        Self::of(&gateway.inner().control().metrics_text(0))
    }

    /// The metrics in a text.
    pub(crate) fn of(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        };
        Self(samples.map(sample).collect())
    }

    /// The sample of this series.
    #[track_caller]
    pub(crate) fn get(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("{series} is not exposed"))
    }

    /// The sum of all series of this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of = |series: &&String| series.split('{').next() == Some(name);
        self.0.keys().filter(of).map(|series| self.0[series]).sum()
    }

    /// Every series.
    pub(crate) fn series(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}
