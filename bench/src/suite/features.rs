//! The cost of each feature of the gateway: everything on, and one feature switched at a time.

use anyhow::{Context, Result};

use super::{Load, Run};
use crate::targets::{Switch, Target};

/// The loads, by their names here and among [`super::LOADS`].
pub const FEATURES: [(&str, &str); 4] = [
    ("features-json", "h1-json-c32"),
    ("features-renewal", "h1-renewal-c32"),
    ("features-page", "h1-page-c32"),
    ("features-navigation", "h1-navigation-c32"),
];

impl Run<'_> {
    /// All switches under all these loads, with HAProxy beside them.
    pub(super) fn features(&mut self) -> Result<()> {
        let wanted = FEATURES.iter().filter(|(name, _)| self.plan.wants(name));
        let wanted: Vec<_> = wanted.copied().collect();
        if wanted.is_empty() || !self.plan.targets.iter().any(|target| target.is_ours()) {
            return Ok(());
        }
        let switched = Switch::ALL.into_iter().map(Target::Crumbgate);
        let plain = self.plan.targets.iter().copied().filter(|target| !target.does_policy());
        let targets: Vec<_> = switched.chain(plain).collect();
        let mut targets = self.start(&targets, &self.application.tcp())?;
        for (name, load) in wanted {
            let load = Load::named(load).with_context(|| format!("there is no load {load}"))?;
            self.load(load, name, &mut targets)?;
        }
        Ok(())
    }
}
