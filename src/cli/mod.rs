//! The command line: what was asked for → what was done → an exit code.
//!
//! Exit codes: 0 done; 1 the answer is no (`check` found errors, the gateway can't start, something failed);
//! 2 wrong usage.

mod audit;
mod control;
mod declaration;
mod demo;
mod explain;
mod health;
mod init;
mod opening;
mod output;
mod progress;
mod run;
mod seal;
mod service;
mod successor;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    admin, certificate,
    clock::Clock,
    config::{Config, Loaded, Place, Problem, Problems},
    gateway::preflight,
};
use output::{complain, confirm, say, tell};

/// A TLS-terminating reverse proxy that makes a cookie declaration true: undeclared cookies are stripped in both
/// directions, declared ones leave with the lifetime that was declared.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true, after_help = EPILOGUE)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say nothing where all is well: no progress, no confirmation, no hint
    #[arg(long, short, global = true)]
    quiet: bool,
}

const EPILOGUE: &str = "\
To see it work, without any configuration: crumbgate demo
Before an application of your own: crumbgate init http://127.0.0.1:8000

Exit codes: 0 done; 1 the answer is no, or it failed; 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the ledger of what was done: verify it, export it, print or change its key
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Make a self-signed development certificate, `dev.crt` and `dev.key`
    ///
    /// It is for localhost, *.localhost, 127.0.0.1, ::1 and the names that you add, and valid for 90 days. Browsers
    /// warn of it; curl takes it with --cacert certs/dev.crt.
    Certificate {
        /// More names and addresses that it is for, such as acme.localhost
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// The folder to write into
        #[arg(long, default_value = "certs")]
        folder: PathBuf,
        /// Replace files that are there already
        #[arg(long)]
        overwrite: bool,
    },
    /// Say what `run` would refuse, with file, line and column, and what is odd
    ///
    /// Reads the configuration, the CRUMBGATE_… variables, the certificates and the CA bundles, and tells everything at
    /// once. Exit code 1 where anything is an error.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Print the effective configuration, with where each value comes from
        #[arg(long)]
        print: bool,
    },
    /// Print the completions of a shell
    ///
    /// For bash: crumbgate completions bash > ~/.local/share/bash-completion/completions/crumbgate
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print what people can read about the cookies: the cookie page, or the table to publish elsewhere
    ///
    /// It is the page that the gateway serves at page.path, rendered from the declaration of the configuration and a
    /// tenant's own session duration. Nothing has to run.
    #[command(after_help = declaration::EXAMPLES)]
    Declaration(declaration::Arguments),
    /// Serve a sample application full of trackers behind the gateway, on loopback
    ///
    /// Needs nothing: the application is built in, the certificate is made on the spot. It prints addresses for a
    /// browser and lines for curl.
    Demo {
        /// The port of the gateway; 0 takes any that is free
        #[arg(long, default_value_t = 8443)]
        port: u16,
        /// Log each exchange
        #[arg(long)]
        access: bool,
    },
    /// Say what would become of these cookies, by which rule, and which bytes would leave
    ///
    /// Judges a request's cookies and an answer's as the gateway would. They come from a transcript, best one of the
    /// application itself, or from the options, which overrule it. Nothing is sent, and nothing has to run.
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Arguments),
    /// Ask the running gateway for a sign of life: for container health checks
    ///
    /// Asks the first listener of the configuration, on this machine; the application is not asked. Exit code 0 where
    /// the gateway answers, 1 otherwise.
    Health {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Write a configuration for an application, and a development certificate
    ///
    /// Asks nothing: `crumbgate run` serves with it at once, and each key in it is explained. Nothing that is there already
    /// is replaced.
    Init(Box<init::Arguments>),
    /// Print the manual pages
    ///
    /// To read them: crumbgate man | man -l -
    Man {
        /// Write a file for each page into this folder, and print nothing
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Have the running gateway read its configuration anew
    ///
    /// The whole of it is checked first: where anything is wrong, the old one goes on, and you are told what `check`
    /// would say. No connection is cut. Exit code 1 where it is refused.
    Reload {
        #[command(flatten)]
        api: control::Api,
    },
    /// Serve, as the configuration says, until SIGTERM or SIGINT
    ///
    /// At the signal it drains: it accepts nothing new, finishes what is open for as long as server.drain allows, and
    /// cuts the rest; a second signal cuts at once. RUST_LOG (debug, or crumbgate::proxy=debug) shows more lines.
    ///
    /// At SIGHUP it reads the configuration anew. At SIGUSR2 it starts the program anew, as with --replace: for a new
    /// version that was installed in the place of the one that runs.
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// Take the place of the gateway that runs with the same state file, without losing a connection
        ///
        /// It hands over its listening sockets, and drains once this one serves. Where none runs, this one just starts;
        /// where this one can't start, the other goes on.
        #[arg(long)]
        replace: bool,
    },
    /// Look at the keys that seal session cookies, and change them
    ///
    /// They are in the file of seal.keys. The first key seals, all of them open. A running gateway goes on with those that
    /// it has until the next reload.
    Seal {
        #[command(subcommand)]
        command: seal::Command,
    },
    /// Say how the running gateway does
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: control::Api,
    },
    /// Look at the running gateway's tenants, and change them
    Tenants {
        #[command(subcommand)]
        command: control::TenantsCommand,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let Arguments { command, quiet } = Arguments::parse();
    if quiet {
        output::hush();
    }
    let done = match command {
        Command::Audit { command } => audit::run(command),
        Command::Certificate { names, folder, overwrite } => {
            make_certificate(names, &folder, overwrite)
        }
        Command::Check { config, print } => check(&config.config, print),
        Command::Completions { shell } => print_completions(shell),
        Command::Declaration(arguments) => declaration::run(&arguments),
        Command::Demo { port, access } => demo::run(port, access),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Health { config } => health::ask(&config.config),
        Command::Init(arguments) => init::run(*arguments),
        Command::Man { folder: None } => print_manual(),
        Command::Man { folder: Some(folder) } => write_manual(&folder),
        Command::Reload { api } => control::reload(&api),
        Command::Run { config, replace } => run::run(&config.config, replace),
        Command::Seal { command } => seal::run(command),
        Command::Status { json, api } => control::status(&api, json),
        Command::Tenants { command } => control::tenants(command),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn make_certificate(mut names: Vec<String>, folder: &Path, overwrite: bool) -> Result<ExitCode> {
    names.extend(certificate::LOCAL_NAMES.map(str::to_owned));
    let made = certificate::make(&names, Clock::system().now())?;
    let written = made.write(folder, overwrite)?;
    confirm(format!("{}\n{}\n", written.chain.display(), written.key.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path, print: bool) -> Result<ExitCode> {
    let Some(loaded) = load(file) else { return Ok(ExitCode::FAILURE) };
    if print {
        say(loaded.effective.to_string())?;
    } else {
        let tenants = match loaded.config.tenants.len() {
            1 => "1 tenant".to_owned(),
            number => format!("{number} tenants"),
        };
        confirm(format!("{}: fine, {tenants}\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut completions = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "crumbgate", &mut completions);
    say(completions)?;
    Ok(ExitCode::SUCCESS)
}

fn print_manual() -> Result<ExitCode> {
    let pages = manual()?.into_iter().flat_map(|(_, page)| page);
    say(pages.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn write_manual(folder: &Path) -> Result<ExitCode> {
    fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    for (name, page) in manual()? {
        let file = folder.join(name);
        fs::write(&file, page).with_context(|| format!("{} can't be written", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A page for the command and one for each of its subcommands, and theirs, one after another; each with its file's name.
fn manual() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Arguments::command();
    command.build();
    let mut pages = Vec::new();
    render_manual(&command, &mut pages)?;
    Ok(pages)
}

fn render_manual(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let source = concat!("crumbgate ", env!("CARGO_PKG_VERSION"));
    let manual = clap_mangen::Man::new(command.clone()).source(source);
    let mut page = Vec::new();
    manual.render(&mut page)?;
    pages.push((manual.get_filename(), page));
    command.get_subcommands().try_for_each(|below| render_manual(below, pages))
}

/// Reads a configuration and everything that it names, and tells what is wrong or odd on standard error.
fn load(file: &Path) -> Option<Loaded> {
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
        tell(&problems);
    }
    loaded.filter(|_| problems.errors() == 0)
}

/// Reads a configuration, and nothing that it names.
fn read(file: &Path) -> std::result::Result<Loaded, Problems> {
    let loaded = Config::load(file, std::env::vars_os());
    loaded.map_err(|problems| if file.exists() { problems } else { no_such_file(file) })
}

/// What to do is another thing for who begins than for who mistyped: both are told.
fn no_such_file(file: &Path) -> Problems {
    let mut problems = Problems::default();
    let place = Place::File(file.to_owned());
    problems.push(Problem::error(place, "", "there is no such file").help(
        "name yours with --config; to begin: crumbgate init http://127.0.0.1:8000, with the address of your application; \
         to see the gateway work without one: crumbgate demo"
            .to_owned(),
    ));
    problems
}
