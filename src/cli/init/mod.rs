//! `crumbgate init`: writes a configuration for an application.

mod address;
mod file;
mod next;
mod plan;

use std::process::ExitCode;

use anyhow::Result;

use self::plan::Plan;
use super::output::{confirm, write_problems};
use crumbgate_base::clock::Clock;
use crumbgate_config::{Config, Problems, Source};
use crumbgate_gateway::gateway::preflight;

pub(super) use self::plan::Arguments;

/// Writes the configuration, and a certificate if none is named, and prints the next commands.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode> {
    let plan = Plan::of(arguments)?;
    if !plan.is_development {
        plan.check_certificate()?;
    }
    // The arguments are valid. If the resulting text is still not a valid configuration, nothing is written.
    let mut loaded = match Config::read(Source::new(&plan.file, plan.text()), []) {
        Ok(loaded) => loaded,
        Err(problems) => {
            write_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    plan.write()?;
    // The warning about report mode is unnecessary: it was requested.
    loaded.warnings = Problems::default();
    let problems = preflight(&loaded, &Clock::system());
    if !problems.is_empty() {
        write_problems(&problems);
    }
    confirm(next::steps(&plan, &loaded.config))?;
    Ok(if problems.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
