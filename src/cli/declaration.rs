//! `crumbgate declaration`: prints the cookie page, for review or to publish elsewhere.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::termios::tcgetwinsize;

use super::{
    configuration,
    output::{complain, print, write_problems},
};
use crumbgate_audit::tenants::TenantTable;
use crumbgate_base::language::Language;
use crumbgate_config::{Config, TenantKeys};
use crumbgate_ledger as ledger;
use crumbgate_pages::page::{PageKind, Pages, Since, Subject, settings::PageSettings, text};
use crumbgate_policy::{Mode, Policy, declaration::Declaration};
use crumbgate_state as state;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file [default: config.toml if it exists, otherwise the built-in declaration]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The tenant: a host or a tenant's name [default: the defaults of all tenants]
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// The format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The language
    #[arg(long, value_enum, default_value_t)]
    language: Language,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// The cookie page itself
    Html,
    /// The same content for programs
    Json,
    /// Only the cookies, as a table in Markdown, to publish elsewhere
    Table,
    /// For a terminal
    Text,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  crumbgate declaration --tenant www.example.com
  crumbgate declaration --language de --format table
  crumbgate declaration --format html > cookies.html";

/// Prints the page.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let default = Path::new("config.toml");
    let is_there = default.try_exists().context("config.toml can't be accessed")?;
    let file = arguments.config.as_deref().or(is_there.then_some(default));
    let config = match file.map(configuration::read) {
        None => None,
        Some(Ok(loaded)) => Some(loaded.config),
        Some(Err(problems)) => {
            write_problems(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    let content = match config {
        Some(config) => Content::of(config, arguments.tenant.as_deref())?,
        None if arguments.tenant.is_some() => {
            bail!(
                "there is no config.toml, so there are no tenants: name your configuration with --config"
            )
        }
        None => Content::built_in(),
    };
    if content.policy.mode == Mode::Report {
        complain(
            "in report mode the gateway does not enforce this yet and does not serve this page",
        );
    }
    print(content.written(arguments.format, arguments.language))?;
    Ok(ExitCode::SUCCESS)
}

/// The content of the page: for one tenant, or for the defaults.
struct Content {
    policy: Policy,
    since: Since,
    sealed: Option<String>,
    settings: PageSettings,
}

impl Content {
    fn built_in() -> Self {
        Self {
            policy: Policy::new(Declaration::flexopus().into()),
            since: Since::NotYet,
            sealed: None,
            settings: PageSettings::default(),
        }
    }

    fn of(mut config: Config, tenant: Option<&str>) -> Result<Self> {
        let since = since(&config)?;
        let policy = match tenant {
            None => config.defaults.policy(&config.declaration),
            Some(host) => find(&mut config, host)?,
        };
        let sealed = config.seal.cookie.filter(|_| policy.seals());
        let sealed = sealed.map(|cookie| cookie.as_str().to_owned());
        Ok(Self { policy, since, sealed, settings: config.page })
    }

    fn written(&self, format: Format, language: Language) -> Vec<u8> {
        let Policy { declaration, session, agreement, evict, guard, .. } = &self.policy;
        let version = ledger::declaration::record(declaration, 0).hash;
        let subject = Subject {
            declaration,
            version: &version,
            since: self.since,
            session: *session,
            agreement: *agreement,
            evict: *evict,
            guard: *guard,
            sealed: self.sealed.as_deref(),
            settings: &self.settings,
        };
        match format {
            Format::Html => Pages::new(&subject).get(PageKind::Cookies, language).html.to_vec(),
            Format::Json => Pages::new(&subject).json(language).bytes.to_vec(),
            Format::Table => text::table(&subject, language).into_bytes(),
            Format::Text => text::text(&subject, language, width()).into_bytes(),
        }
    }
}

/// The policy of the tenant that serves a host, or has that name, including tenants that were set at run time.
pub(super) fn find(config: &mut Config, host: &str) -> Result<Policy> {
    let written = std::mem::take(&mut config.tenants);
    let table = TenantTable::new(written, config.default_tenant.take());
    for state::TenantRecord { host, keys } in state::stored_tenants(&config.evidence.path)? {
        let keys = TenantKeys::parse(&keys).filter(|_| table.named(&host).is_none());
        // A stored tenant with invalid keys is not served, and the gateway logs that.
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

/// The width of lines: that of the terminal, up to 100 columns.
fn width() -> usize {
    let columns = tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { MAX_WIDTH } else { columns.clamp(MIN_WIDTH, MAX_WIDTH) }
}

const MAX_WIDTH: usize = 100;
const MIN_WIDTH: usize = 24;
