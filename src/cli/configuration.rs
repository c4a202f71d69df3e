//! The configuration file that a command is given.

use std::path::{Path, PathBuf};

use super::output::write_problems;
use crate::admin;
use crumbgate_base::clock::Clock;
use crumbgate_config::{Config, Loaded, Place, Problem, Problems};
use crumbgate_gateway::gateway::preflight;

/// The option that names the configuration file.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub(super) config: PathBuf,
}

/// Reads a configuration and the files that it names, and writes errors and warnings to standard error. Returns `None`
/// where there is an error.
pub(super) fn load(file: &Path) -> Option<Loaded> {
    let (loaded, problems) = match read(file) {
        Ok(loaded) => {
            let clock = Clock::system();
            let mut problems = preflight(&loaded, &clock);
            problems.absorb(admin::preflight(&loaded, &clock));
            (Some(loaded), problems)
        }
        Err(problems) => (None, problems),
    };
    if !problems.is_empty() {
        write_problems(&problems);
    }
    loaded.filter(|_| problems.errors() == 0)
}

/// Reads a configuration, but not the files that it names.
pub(super) fn read(file: &Path) -> Result<Loaded, Problems> {
    let loaded = Config::load(file, std::env::vars_os());
    loaded.map_err(|problems| if file.exists() { problems } else { no_such_file(file) })
}

/// The advice for a newcomer differs from that for a mistyped path, so both are given.
fn no_such_file(file: &Path) -> Problems {
    let mut problems = Problems::default();
    let place = Place::File(file.to_owned());
    problems.push(Problem::error(place, "", "there is no such file").help(
        "name your file with --config; to write a first one: crumbgate init http://127.0.0.1:8000, with the address of \
         your application; to try the gateway without one: crumbgate demo"
            .to_owned(),
    ));
    problems
}
