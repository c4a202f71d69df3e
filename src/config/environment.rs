//! `CRUMBGATE_…` variables, which override scalars of the file: `CRUMBGATE_SERVER__WORKERS=2`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
};

use toml::de::DeValue;

use super::{
    known_keys,
    problem::{Place, Problem},
    reader::suggestion,
};

/// The variables that are ours, by key: `SERVER__WORKERS`.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    by_key: BTreeMap<String, Variable>,
}

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// The whole name.
    pub(super) name: String,
    /// Its text, as if it were a string of the file.
    pub(super) value: DeValue<'static>,
    is_text: bool,
}

impl Variables {
    /// Takes those that are ours out of an environment.
    pub(super) fn of(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = environment.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let key = name.strip_prefix(PREFIX).filter(|key| !is_no_key(key))?.to_owned();
            let is_text = value.to_str().is_some();
            let value = DeValue::String(value.to_string_lossy().into_owned().into());
            Some((key, Variable { name, value, is_text }))
        });
        Self { by_key: ours.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All of them as `NAME=value`, a line each; none where there is none.
    pub(super) fn written(&self) -> Option<String> {
        let line = |v: &Variable| format!("{}={}\n", v.name, v.value.as_str().unwrap_or_default());
        (!self.is_empty()).then(|| self.by_key.values().map(line).collect())
    }

    /// The variable that overrides a key of these segments.
    pub(super) fn find(&self, segments: &[&str]) -> Option<&Variable> {
        self.by_key.get(&segments.join(SEPARATOR).to_ascii_uppercase())
    }

    /// Those that are no text, and those that no key has asked for.
    pub(super) fn problems(&self, used: &BTreeSet<String>) -> Vec<Problem> {
        let bad = self.by_key.iter().filter(|(_, v)| !v.is_text || !used.contains(&v.name));
        bad.map(|(key, variable)| variable.problem(key)).collect()
    }
}

impl Variable {
    /// The variable, as the place of a problem.
    pub(super) fn place(&self) -> Place {
        let value = self.value.as_str().unwrap_or_default().to_owned();
        Place::Variable { name: self.name.clone(), value }
    }

    fn problem(&self, key: &str) -> Problem {
        let dotted = key.to_ascii_lowercase().replace(SEPARATOR, ".");
        let problem = |message| Problem::error(self.place(), dotted.clone(), message);
        if !self.is_text {
            return problem("found bytes that are no UTF-8, expected text");
        }
        let table = key.split(SEPARATOR).next().unwrap_or_default();
        if FILE_ONLY.contains(&table) {
            let help = "write it in the configuration file".to_owned();
            return problem("cannot be set by a variable").help(help);
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
                "a variable is named after a key: CRUMBGATE_SERVER__WORKERS is workers of [server]; \
                 unset what is none"
                    .to_owned()
            });
        problem("found a variable for no key of the configuration").help(help)
    }
}

const PREFIX: &str = "CRUMBGATE_";

/// Between the levels of a key.
const SEPARATOR: &str = "__";

/// Tables that variables cannot reach.
const FILE_ONLY: [&str; 2] = ["COOKIES", "TENANTS"];

/// Variables with our prefix that are meant for somebody else: the command line's, and those that Kubernetes makes in
/// each container for a Service named `crumbgate` (`CRUMBGATE_PORT_443_TCP_ADDR`; none has a double underscore).
fn is_no_key(key: &str) -> bool {
    let is_service_link = ["PORT", "SERVICE"]
        .iter()
        .filter_map(|word| key.strip_prefix(word))
        .any(|rest| rest.is_empty() || rest.starts_with('_'));
    ["CONFIG", "TOKEN_FILE"].contains(&key) || (is_service_link && !key.contains(SEPARATOR))
}
