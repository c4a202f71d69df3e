//! `crumbgate guard`: prints the script that pages get, for review.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::{Context, Result};

use super::{
    configuration::{self, ConfigFile},
    declaration::find,
    output::{confirm, print, write_problems},
};
use crumbgate_config::Config;
use crumbgate_pages::{guard::GuardScript, page::settings::PagePath};
use crumbgate_policy::Policy;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// The tenant: a host or a tenant's name [default: the defaults of all tenants]
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// The script of pages for a person who has not agreed; it differs under agreement = "required"
    #[arg(long)]
    before_agreement: bool,
    /// Print the text in front of the scripts of service workers instead
    #[arg(long)]
    worker: bool,
    /// Print the readable source, with the same arguments in its last line
    #[arg(long)]
    source: bool,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  crumbgate guard --tenant www.example.com
  crumbgate guard --source | less
  crumbgate --quiet guard > guard.html";

/// Prints the script.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut config = match configuration::read(&arguments.config.config) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            write_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    let policy = match &arguments.tenant {
        Some(host) => find(&mut config, host)?,
        None => defaults(&config),
    };
    let path = config.page.path.unwrap_or_else(PagePath::well_known);
    let script = GuardScript::of(&policy, !arguments.before_agreement, &path).context(IS_OFF)?;
    if arguments.source {
        print(if arguments.worker { script.worker_source() } else { script.source() })?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.worker {
        print(&script.worker_prefix)?;
        print("\n")?;
        confirm(format!("\n{} bytes\n", script.worker_prefix.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&script.html)?;
    print("\n")?;
    let mut about = String::new();
    writeln!(about, "\n{} bytes", script.html.len())?;
    writeln!(about, "source in a Content-Security-Policy: {}", script.csp_source)?;
    writeln!(about, "mark of entity tags: {}", script.tag)?;
    confirm(about)?;
    Ok(ExitCode::SUCCESS)
}

/// The policy of a tenant that sets nothing of its own.
fn defaults(config: &Config) -> Policy {
    let defaults = &config.defaults;
    Policy {
        mode: defaults.mode,
        agreement: defaults.agreement,
        guard: defaults.guard,
        ..Policy::new(config.declaration.clone())
    }
}

const IS_OFF: &str =
    "the guard is off: write guard = \"watch\" or \"enforce\" in [defaults] or for the tenant";
