//! `crumbgate audit report`: writes a report on the ledger.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;

use crate::cli::{
    configuration,
    output::{complain, print},
    progress,
};
use crumbgate_base::{clock::Clock, language::Language};
use crumbgate_config::Config;
use crumbgate_gateway::telemetry;
use crumbgate_ledger::{
    period::Moment,
    read::{ReadError, Reader},
    verify::{Expected, verify_ledger},
};
use crumbgate_report::{ChainCheck, Report, Selection, vendors::Catalogue};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The configuration file, which names the ledger [default: config.toml, unless --ledger is given]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A ledger, or a copy of one, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Only this tenant, by its name in the configuration
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// The start: a day, a time (2026-11-25T20:00:00Z), or an age (7d)
    #[arg(long, value_name = "T")]
    since: Option<Moment>,
    /// The end: a day (included), a time, or an age
    #[arg(long, value_name = "T")]
    until: Option<Moment>,
    /// The format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The language
    #[arg(long, value_enum, default_value_t)]
    language: Language,
    /// Verify the whole ledger as well, as `crumbgate audit verify` does, and include the result in the report
    #[arg(long)]
    verify: bool,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// A table of cookies, for spreadsheets
    Csv,
    /// One file for browsers, screen readers and printing
    Html,
    /// All data, for programs
    Json,
    /// For a terminal
    Text,
}

/// Writes the report.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode> {
    let now_unix_s = Clock::system().now().unix_s;
    let selection = Selection {
        tenant: arguments.tenant.map(|tenant| tenant.to_ascii_lowercase()),
        since_unix_s: arguments.since.map(|since| since.begin(now_unix_s)),
        until_unix_s: arguments.until.map(|until| until.end(now_unix_s)),
    };
    let until = selection.until_unix_s.unwrap_or(u64::MAX);
    if selection.since_unix_s.is_some_and(|since| since >= until) {
        complain("--until must be later than --since");
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    let language = arguments.language;
    let config = config(arguments.config, arguments.ledger.is_none())?;
    let catalogue = catalogue(config.as_ref())?;
    let usually = |name: &str| catalogue.usually(name, language);
    let (mut report, ledger) = progress::show("Reading the ledger", |progress| -> Result<_> {
        let reader = open(arguments.ledger.as_deref(), config.as_ref())?.counted_by(progress);
        let report = Report::build(&reader, &selection, now_unix_s, &usually)?;
        Ok((report, reader.path().to_owned()))
    })?;
    if arguments.verify {
        let verified = progress::show("Verifying", |progress| {
            verify_ledger(&ledger, &Expected::default(), progress)
        });
        report.chain.checked = match verified? {
            Ok(_) => ChainCheck::Holds { at_unix_s: now_unix_s },
            Err(finding) => ChainCheck::Fails { why: finding.to_string() },
        };
    }
    check_tenant(&report, config.as_ref())?;
    let is_colourful = arguments.output.is_none() && telemetry::is_colourful(&std::io::stdout());
    let written = match arguments.format {
        Format::Csv => report.csv()?,
        Format::Html => report.html(language).into_bytes(),
        Format::Json => report.json(language)?.into_bytes(),
        Format::Text => report.text(language, is_colourful).into_bytes(),
    };
    match arguments.output {
        Some(file) => fs::write(&file, written)
            .with_context(|| format!("{} can't be written", file.display()))?,
        None => print(written)?,
    }
    Ok(ExitCode::SUCCESS)
}

const WRONG_USAGE: u8 = 2;

/// Reads the configuration if it was named, or is needed to find the ledger.
fn config(file: Option<PathBuf>, is_needed: bool) -> Result<Option<Config>> {
    let Some(file) = file.or_else(|| is_needed.then(|| PathBuf::from("config.toml"))) else {
        return Ok(None);
    };
    let loaded = configuration::read(&file).map_err(|problems| anyhow!("{problems}"))?;
    Ok(Some(loaded.config))
}

fn open(ledger: Option<&Path>, config: Option<&Config>) -> Result<Reader> {
    let evidence = config.map(|config| &config.evidence);
    let path = ledger.or(evidence.map(|evidence| &*evidence.path));
    let path = path.context("name the ledger with --ledger, or the configuration with --config")?;
    let keeps_none = ledger.is_none() && evidence.is_some_and(|evidence| !evidence.ledger);
    match Reader::open(path) {
        Err(error @ ReadError::Absent { .. }) if keeps_none => {
            Err(error).context("the configuration has audit.ledger = false: this gateway keeps no ledger")
        }
        Err(error @ ReadError::Absent { .. }) => Err(error).context(
            "there is no ledger to report on: name one with --ledger, or the gateway's configuration with --config",
        ),
        opened => Ok(opened?),
    }
}

/// Rejects a tenant that neither the ledger nor the configuration has. A configured tenant without traffic is valid.
fn check_tenant(report: &Report, config: Option<&Config>) -> Result<()> {
    let Some(tenant) = &report.tenant else { return Ok(()) };
    let configured = config.into_iter().flat_map(|config| &config.tenants);
    let mut known: Vec<&str> = report.known_tenants.iter().map(|name| &**name).collect();
    known.extend(configured.map(|tenant| &*tenant.name));
    if known.contains(&&**tenant) {
        return Ok(());
    }
    known.sort_unstable();
    known.dedup();
    let near = near(tenant, &known);
    let shown = tenant.escape_debug();
    match &*near {
        [] => bail!("neither the ledger nor the configuration has a tenant {shown}"),
        near => bail!(
            "neither the ledger nor the configuration has a tenant {shown}; similar names: {}",
            near.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The most similar names, and the pattern that serves the name.
fn near<'k>(tenant: &str, known: &[&'k str]) -> Vec<&'k str> {
    let pattern = tenant.split_once('.').map(|(_, suffix)| format!("*.{suffix}"));
    let distance = |name: &str| {
        if pattern.as_deref() == Some(name) { 1.0 } else { strsim::jaro_winkler(tenant, name) }
    };
    let mut near: Vec<_> = known.iter().map(|name| (distance(name), *name)).collect();
    near.retain(|(likeness, _)| *likeness > MIN_LIKENESS);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name).collect()
}

const MIN_LIKENESS: f64 = 0.75;
const MAX_SUGGESTIONS: usize = 5;

/// The catalogue of cookie names: the built-in one, extended by the file of `audit.names`.
fn catalogue(config: Option<&Config>) -> Result<Catalogue> {
    match config.and_then(|config| config.evidence.names.as_deref()) {
        Some(names) => Ok(Catalogue::with_open_cookie_database(names)?),
        None => Ok(Catalogue::built_in()),
    }
}
