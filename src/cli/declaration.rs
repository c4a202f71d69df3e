//! `crumbgate declaration`: what people can read about the cookies, for whoever publishes it elsewhere, too.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::termios::tcgetwinsize;

use crate::{
    config::{Config, TenantKeys},
    language::Language,
    ledger,
    page::{Kind, Pages, Since, Subject, settings::Settings, text},
    policy::{
        Agreement, Mode, Policy,
        declaration::{Declaration, SessionDuration},
    },
    state,
    tenants::TenantTable,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file; config.toml where there is one, otherwise the built-in declaration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Whose cookie page: a host, or a tenant's name [default: what holds for tenants that say nothing]
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// In which language
    #[arg(long, value_enum, default_value_t)]
    language: Language,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// The cookie page itself
    Html,
    /// The same for programs
    Json,
    /// The cookies alone, as a table in Markdown, to publish elsewhere
    Table,
    /// For a terminal
    Text,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  crumbgate declaration --tenant www.example.com
  crumbgate declaration --language de --format table
  crumbgate declaration --format html > cookies.html";

/// Prints it.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let default = Path::new("config.toml");
    let is_there = default.try_exists().context("config.toml can't be looked for")?;
    let file = arguments.config.as_deref().or(is_there.then_some(default));
    let config = match file.map(super::read) {
        None => None,
        Some(Ok(loaded)) => Some(loaded.config),
        Some(Err(problems)) => {
            super::tell(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    let told = match config {
        Some(config) => Told::of(config, arguments.tenant.as_deref())?,
        None if arguments.tenant.is_some() => {
            bail!("there is no config.toml, and so no tenant: name yours with --config")
        }
        None => Told::built_in(),
    };
    if told.mode == Mode::Report {
        super::complain(
            "in report mode cookies are not yet as is said here, and the gateway shows no such page",
        );
    }
    super::say(told.written(arguments.format, arguments.language))?;
    Ok(ExitCode::SUCCESS)
}

/// What there is to tell of one tenant, or of those that say nothing themselves.
struct Told {
    declaration: Arc<Declaration>,
    since: Since,
    session: SessionDuration,
    mode: Mode,
    agreement: Agreement,
    sealed: Option<String>,
    settings: Settings,
}

impl Told {
    fn built_in() -> Self {
        Self {
            declaration: Declaration::flexopus().into(),
            since: Since::NotYet,
            session: SessionDuration::ONE_WEEK,
            mode: Mode::Enforce,
            agreement: Agreement::Off,
            sealed: None,
            settings: Settings::default(),
        }
    }

    fn of(mut config: Config, tenant: Option<&str>) -> Result<Self> {
        let since = since(&config)?;
        let defaults = config.defaults;
        let (session, mode, agreement, seals) = match tenant {
            None => {
                let seals = defaults.seal || defaults.agreement != Agreement::Off;
                (defaults.session, defaults.mode, defaults.agreement, seals)
            }
            Some(host) => {
                let policy = find(&mut config, host)?;
                (policy.session, policy.mode, policy.agreement, policy.seals())
            }
        };
        let sealed = config.seal.cookie.filter(|_| seals).map(|cookie| cookie.as_str().to_owned());
        let (declaration, settings) = (config.declaration, config.page);
        Ok(Self { declaration, since, session, mode, agreement, sealed, settings })
    }

    fn written(&self, format: Format, language: Language) -> Vec<u8> {
        let version = ledger::declaration::record(&self.declaration, 0).hash;
        let subject = Subject {
            declaration: &self.declaration,
            version: &version,
            since: self.since,
            session: self.session,
            agreement: self.agreement,
            sealed: self.sealed.as_deref(),
            settings: &self.settings,
        };
        match format {
            Format::Html => Pages::new(&subject).get(Kind::Cookies, language).html.to_vec(),
            Format::Json => Pages::new(&subject).json(language).bytes.to_vec(),
            Format::Table => text::table(&subject, language).into_bytes(),
            Format::Text => text::text(&subject, language, width()).into_bytes(),
        }
    }
}

/// The policy of the tenant that serves a host, or has that name; those that were set while the gateway ran are there, too.
fn find(config: &mut Config, host: &str) -> Result<Policy> {
    let written = std::mem::take(&mut config.tenants);
    let table = TenantTable::new(written, config.default_tenant.take());
    for state::TenantRecord { host, keys } in state::stored_tenants(&config.evidence.path)? {
        let keys = TenantKeys::parse(&keys).filter(|_| table.named(&host).is_none());
        // One that does not fit is not served, and the gateway says so.
        if let Some(Ok(tenant)) = keys.map(|keys| config.tenant(&host, &keys)) {
            table.insert(tenant);
        }
    }
    let host = host.to_ascii_lowercase();
    let found = table.named(&host).or_else(|| table.find(&host));
    let shown = host.escape_debug();
    Ok(found.with_context(|| format!("no tenant serves the host {shown}"))?.policy.clone())
}

fn since(config: &Config) -> Result<Since> {
    let evidence = &config.evidence;
    if !evidence.ledger {
        return Ok(Since::Unknown);
    }
    let version = ledger::declaration::record(&config.declaration, 0).hash;
    let known = ledger::declaration::since(&evidence.path, &version)?;
    Ok(known.map_or(Since::NotYet, Since::At))
}

/// How wide a line may be: as the terminal is, and not wider than can be read.
fn width() -> usize {
    let columns = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { WIDEST } else { columns.clamp(NARROWEST, WIDEST) }
}

const WIDEST: usize = 100;
const NARROWEST: usize = 24;
