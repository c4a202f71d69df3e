//! The `CRUMBGATE_…` variables, which override single values of the file: `CRUMBGATE_SERVER__WORKERS=2`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
};

use toml::de::DeValue;

use super::{
    problem::{Place, Problem},
    suggestion::suggestion,
};

/// The variables of the gateway, by key: `SERVER__WORKERS`.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    by_key: BTreeMap<String, Variable>,
}

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// The full name.
    pub(super) name: String,
    /// The text, as a string of TOML.
    pub(super) value: DeValue<'static>,
    is_text: bool,
}

impl Variables {
    /// Takes the variables of the gateway from an environment.
    pub(super) fn of(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = environment.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let key = name.strip_prefix(PREFIX).filter(|key| !is_for_others(key))?.to_owned();
            let is_text = value.to_str().is_some();
            let value = DeValue::String(value.to_string_lossy().into_owned().into());
            Some((key, Variable { name, value, is_text }))
        });
        Self { by_key: ours.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Writes the variables as lines `NAME=value`; `None` if no variable is set.
    pub(super) fn written(&self) -> Option<String> {
        let line = |v: &Variable| format!("{}={}\n", v.name, v.value.as_str().unwrap_or_default());
        (!self.is_empty()).then(|| self.by_key.values().map(line).collect())
    }

    /// Returns the variable that overrides the key with these segments.
    pub(super) fn find(&self, segments: &[&str]) -> Option<&Variable> {
        self.by_key.get(&segments.join(SEPARATOR).to_ascii_uppercase())
    }

    /// Returns a problem for each variable that is not text or that overrides no key.
    pub(super) fn problems(
        &self,
        used: &BTreeSet<String>,
        known_keys: fn() -> &'static BTreeSet<String>,
    ) -> Vec<Problem> {
        let bad = self.by_key.iter().filter(|(_, v)| !v.is_text || !used.contains(&v.name));
        bad.map(|(key, variable)| variable.problem(key, known_keys)).collect()
    }
}

impl Variable {
    /// Returns the variable as the place of a problem.
    pub(super) fn place(&self) -> Place {
        let value = self.value.as_str().unwrap_or_default().to_owned();
        Place::Variable { name: self.name.clone(), value }
    }

    fn problem(&self, key: &str, known_keys: fn() -> &'static BTreeSet<String>) -> Problem {
        let dotted = key.to_ascii_lowercase().replace(SEPARATOR, ".");
        let problem = |message| Problem::error(self.place(), dotted.clone(), message);
        if !self.is_text {
            return problem("found bytes that are not UTF-8, expected text");
        }
        let table = key.split(SEPARATOR).next().unwrap_or_default();
        if FILE_ONLY.contains(&table) {
            let help = "write it in the configuration file".to_owned();
            return problem("a variable cannot set this key").help(help);
        }
        let name = key.split(SEPARATOR).nth(1).unwrap_or_default();
        let candidates: Vec<_> = known_keys()
            .iter()
            .filter(|key| !key.contains("[]"))
            .map(|key| key.replace('*', name).replace('.', SEPARATOR).to_ascii_uppercase())
            .map(|key| format!("{PREFIX}{key}"))
            .collect();
        let help = suggestion(&self.name, candidates.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"))
            .unwrap_or_else(|| {
                "name the variable after a key (CRUMBGATE_SERVER__WORKERS sets workers in [server]), or \
                 unset it"
                    .to_owned()
            });
        problem("no key of the configuration has this name").help(help)
    }
}

const PREFIX: &str = "CRUMBGATE_";

/// The separator between the levels of a key.
const SEPARATOR: &str = "__";

/// Tables that variables cannot reach.
const FILE_ONLY: [&str; 2] = ["COOKIES", "TENANTS"];

/// Returns true for variables with the prefix that are not keys: those of the command line, and those that Kubernetes
/// sets in each container for a Service named `crumbgate` (`CRUMBGATE_PORT_443_TCP_ADDR`; none has a double underscore).
fn is_for_others(key: &str) -> bool {
    let is_service_link = ["PORT", "SERVICE"]
        .iter()
        .filter_map(|word| key.strip_prefix(word))
        .any(|rest| rest.is_empty() || rest.starts_with('_'));
    ["CONFIG", "TOKEN_FILE"].contains(&key) || (is_service_link && !key.contains(SEPARATOR))
}
