//! The command line.
//!
//! Exit codes: 0 success; 1 failure (`check` found errors, the gateway can't start, an operation failed); 2 wrong usage.

mod audit;
mod configuration;
mod control;
mod declaration;
mod demo;
mod explain;
mod guard;
mod health;
mod init;
mod opening;
mod output;
mod progress;
mod run;
mod seal;
mod service;
mod shell;
mod successor;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};

use crate::certificate;
use configuration::ConfigFile;
use crumbgate_base::clock::Clock;
use output::{complain, confirm, print};

/// A TLS-terminating reverse proxy that enforces a cookie declaration: it removes undeclared cookies in both directions,
/// and gives declared cookies their declared lifetime.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true, after_help = EPILOGUE)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print only results, warnings and errors: no progress, no confirmations, no hints
    #[arg(long, short, global = true)]
    quiet: bool,
}

const EPILOGUE: &str = "\
To try it without a configuration: crumbgate demo
To put it in front of your application: crumbgate init http://127.0.0.1:8000

Exit codes: 0 success; 1 failure; 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Work with the ledger: verify it, export it, report on it, print or change its key
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Make a self-signed development certificate, `dev.crt` and `dev.key`
    ///
    /// Valid for 90 days, for localhost, *.localhost, 127.0.0.1, ::1 and the names that you add. Browsers warn about it;
    /// curl accepts it with --cacert certs/dev.crt.
    Certificate {
        /// More names and addresses, such as acme.localhost
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// The folder to write to
        #[arg(long, default_value = "certs")]
        folder: PathBuf,
        /// Replace existing files
        #[arg(long)]
        overwrite: bool,
    },
    /// Check the configuration, and list all errors and warnings with file, line and column
    ///
    /// Reads the configuration, the CRUMBGATE_… variables, the certificates and the CA bundles. Exit code 1 if there is
    /// an error.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Print the effective configuration, with the origin of each value
        #[arg(long)]
        print: bool,
    },
    /// Print completions for a shell
    ///
    /// For bash: crumbgate completions bash > ~/.local/share/bash-completion/completions/crumbgate
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the cookie page, or a table of the cookies to publish elsewhere
    ///
    /// This is the page that the gateway serves at page.path, rendered from the configuration's declaration and the
    /// tenant's session duration. The gateway need not be running.
    #[command(after_help = declaration::EXAMPLES)]
    Declaration(declaration::Arguments),
    /// Run the gateway in front of a built-in sample application that sets many trackers, on loopback
    ///
    /// Needs no configuration and no certificate. Prints addresses for a browser and commands for curl.
    Demo {
        /// The port of the gateway; 0 uses any free port
        #[arg(long, default_value_t = 8443)]
        port: u16,
        /// Log each exchange
        #[arg(long)]
        access: bool,
    },
    /// Explain the verdict on each cookie: the rule, and the bytes that would be sent
    ///
    /// Judges the cookies of a request and of a response as the gateway would. They come from a transcript, preferably of
    /// the application itself, or from the options, which override the transcript. Nothing is sent, and the gateway need
    /// not be running.
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Arguments),
    /// Print the script that keeps other scripts from setting undeclared cookies, with its hash and its size
    ///
    /// This is the script that the gateway puts into pages if `guard` is "watch" or "enforce". The gateway need not be
    /// running.
    #[command(after_help = guard::EXAMPLES)]
    Guard(guard::Arguments),
    /// Check that the running gateway answers: for container health checks
    ///
    /// Sends a request to the first listener of the configuration, on this machine. The request does not reach the
    /// application. Exit code 0 if the gateway answers, 1 otherwise.
    Health {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Write a configuration for an application, and a development certificate
    ///
    /// `crumbgate run` can serve with it at once, and each key in it is explained. Existing files are not replaced.
    Init(Box<init::Arguments>),
    /// Print the manual pages
    ///
    /// To read them: crumbgate man | man -l -
    Man {
        /// Write one file per page to this folder, and print nothing
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Reload the configuration of the running gateway
    ///
    /// The new configuration is checked first. If it has an error, the current one stays in force, and the errors are
    /// printed as by `check`. No connection is cut. Exit code 1 if the configuration is rejected.
    Reload {
        #[command(flatten)]
        api: control::Api,
    },
    /// Run the gateway until SIGTERM or SIGINT
    ///
    /// At the signal it drains: it accepts no new connections, waits for open exchanges for up to server.drain, and cuts
    /// the rest. A second signal cuts them at once. RUST_LOG (debug, or crumbgate::proxy=debug) shows more log lines.
    ///
    /// SIGHUP reloads the configuration. SIGUSR2 starts the program again with --replace, for a new version that was
    /// installed at the same path.
    Run {
        #[command(flatten)]
        config: ConfigFile,
        /// Replace the running gateway that has the same state file, without losing a connection
        ///
        /// The running gateway hands over its listening sockets, and drains once this one serves. If none is running,
        /// this one simply starts. If this one can't start, the other continues.
        #[arg(long)]
        replace: bool,
    },
    /// List and change the keys that seal session cookies
    ///
    /// The keys are in the file seal.keys. The first key seals; all keys open. A running gateway reads the file again at
    /// the next reload.
    Seal {
        #[command(subcommand)]
        command: seal::Command,
    },
    /// Show the state of the running gateway
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: control::Api,
    },
    /// List and change the tenants of the running gateway
    Tenants {
        #[command(subcommand)]
        command: control::TenantsCommand,
    },
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let Arguments { command, quiet } = Arguments::parse();
    if quiet {
        output::set_quiet();
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
        Command::Guard(arguments) => guard::run(&arguments),
        Command::Health { config } => health::run(&config.config),
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

fn check(file: &Path, shows_values: bool) -> Result<ExitCode> {
    let Some(loaded) = configuration::load(file) else { return Ok(ExitCode::FAILURE) };
    if shows_values {
        print(loaded.effective.to_string())?;
    } else {
        let tenants = match loaded.config.tenants.len() {
            1 => "1 tenant".to_owned(),
            number => format!("{number} tenants"),
        };
        confirm(format!("{}: valid, {tenants}\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut completions = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "crumbgate", &mut completions);
    print(completions)?;
    Ok(ExitCode::SUCCESS)
}

fn print_manual() -> Result<ExitCode> {
    let pages = manual()?.into_iter().flat_map(|(_, page)| page);
    print(pages.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn write_manual(folder: &Path) -> Result<ExitCode> {
    fs::create_dir_all(folder).with_context(|| format!("{} can't be created", folder.display()))?;
    for (name, page) in manual()? {
        let file = folder.join(name);
        fs::write(&file, page).with_context(|| format!("{} can't be written", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The manual pages of the command and of all subcommands, each with its file name.
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
