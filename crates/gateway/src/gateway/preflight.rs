//! Checks the files that a configuration names, without serving it.

use super::assembly::verifier;
use crate::{proxy::tls::Certificates, seal_keys};
use crumbgate_base::{clock::Clock, error::with_causes};
use crumbgate_config::{Config, Loaded, Problem, Problems, Severity};

/// The warnings of reading the configuration, then problems of the files that it names and tenants that no certificate
/// covers. Waits for the disk.
pub fn preflight(loaded: &Loaded, clock: &Clock) -> Problems {
    let mut problems = loaded.warnings.clone();
    let config = &loaded.config;
    for upstream in &config.upstreams {
        if let Err(error) = verifier(upstream) {
            let key = format!("upstreams.{}.ca", upstream.name);
            problems.push(Problem::error(loaded.effective.place(&key), key, with_causes(&error)));
        }
    }
    // A start creates the file if it does not exist.
    if config.seal.is_used && config.seal.keys.exists() {
        let key = "seal.keys";
        if let Err(error) = seal_keys::load(&config.seal.keys) {
            problems.push(Problem::error(loaded.effective.place(key), key, with_causes(&error)));
        }
    }
    if config.server.https.is_empty() {
        return problems;
    }
    let key = "tls.certificates";
    // Looked up once: each lookup parses the configuration file again.
    let place = loaded.effective.place(key);
    let problem =
        |severity, message| Problem { severity, ..Problem::error(place.clone(), key, message) };
    match Certificates::load(&config.tls, clock.now()) {
        Err(errors) => {
            for error in errors {
                problems.push(problem(Severity::Error, with_causes(&error)));
            }
        }
        Ok((certificates, warnings)) => {
            for warning in warnings {
                problems.push(problem(Severity::Warning, with_causes(&warning)));
            }
            if let Some(message) = uncovered(config, &certificates) {
                problems.push(problem(Severity::Warning, message));
            }
        }
    }
    problems
}

/// A message that lists the tenants that no certificate covers: up to five by name, then the number of the others.
fn uncovered(config: &Config, certificates: &Certificates) -> Option<String> {
    let names = config.tenants.iter().map(|tenant| &*tenant.name);
    let uncovered: Vec<_> = names.filter(|name| !certificates.covers(name)).collect();
    let (named, others) = uncovered.split_at(uncovered.len().min(MAX_NAMED_TENANTS));
    let tenants = if uncovered.len() == 1 { "tenant" } else { "tenants" };
    let and_others = match others.len() {
        0 => String::new(),
        number => format!(" and {number} more"),
    };
    (!named.is_empty())
        .then(|| format!("no certificate covers the {tenants} {}{and_others}", named.join(", ")))
}

const MAX_NAMED_TENANTS: usize = 5;
