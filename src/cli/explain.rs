//! `crumbgate explain`: what would become of these cookies, and why.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, error::ErrorKind};

use crate::{
    clock::Clock,
    explain::{
        Explainer, host_of_tenant, json, text,
        transcript::{self, Exchange, Fields, Request, Response},
    },
    policy, telemetry,
};

/// What is to be explained. What is said here counts more than what the transcript says, in each of its exchanges.
#[derive(Debug, clap::Args)]
pub(super) struct Question {
    /// The configuration file; config.toml where there is one, otherwise the built-in declaration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Whose request it is: a host, or a tenant's name
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// The request's method
    #[arg(long, value_parser = read_method)]
    method: Option<String>,
    /// The request's path
    #[arg(long, value_parser = read_path)]
    path: Option<String>,
    /// The request accepts text/html, as one does that opens a page
    #[arg(long, visible_alias = "accept-html")]
    navigation: bool,
    /// A Cookie field of the request; several are possible, as in HTTP/2
    #[arg(long, value_name = "PAIRS")]
    cookie: Vec<OsString>,
    /// The status of the application's answer
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(100..=999))]
    status: Option<u16>,
    /// A Set-Cookie field of the answer; several are possible
    #[arg(long, value_name = "FIELD")]
    set_cookie: Vec<OsString>,
    /// A Cache-Control field of the answer
    #[arg(long, value_name = "FIELD")]
    cache_control: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// What `curl -v` has printed, or heads of HTTP messages; - reads them from standard input
    #[arg(value_name = "TRANSCRIPT")]
    transcript: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  curl -v http://127.0.0.1:8000/login 2>&1 | crumbgate explain --tenant www.example.com -
  crumbgate explain --path /api/me --cookie 'flexopus_session=abc; _ga=1'
  crumbgate explain --set-cookie 'flexopus_session=abc; Max-Age=7200; Path=/' --json";

/// Explains, and prints it.
pub(super) fn run(question: &Question) -> Result<ExitCode> {
    let Some((configuration, explainer)) = explainer(question.config.as_deref())? else {
        return Ok(ExitCode::FAILURE);
    };
    let transcript = question.transcript.as_deref().map(read).transpose()?;
    let exchanges = match question.exchanges(transcript.as_deref(), &explainer) {
        Ok(exchanges) => exchanges,
        Err(usage) => return Ok(usage.tell()),
    };
    let explain = |(host, exchange): &(Option<String>, Exchange)| {
        explainer.explain(host.as_deref(), exchange)
    };
    let explanations: Vec<_> = exchanges.iter().map(explain).collect();
    let printed = if question.json {
        json::render(configuration.as_deref(), &explanations)
    } else {
        let colour = telemetry::is_colourful(&io::stdout());
        let without = configuration.is_none().then(|| WITHOUT_CONFIGURATION.to_owned());
        let texts = explanations.iter().map(|explanation| text::render(explanation, colour));
        without.into_iter().chain(texts).collect::<Vec<_>>().join("\n")
    };
    super::say(printed)?;
    Ok(ExitCode::SUCCESS)
}

const WITHOUT_CONFIGURATION: &str =
    "There is no config.toml: this is the built-in declaration, with every default.\n";

/// Who explains, and the file that it explains by, if any. None where that file has errors, which are told.
fn explainer(named: Option<&Path>) -> Result<Option<(Option<String>, Explainer)>> {
    let now = Clock::system().now();
    let default = Path::new("config.toml");
    let is_there = default.try_exists().context("config.toml can't be looked for")?;
    let Some(file) = named.or(is_there.then_some(default)) else {
        return Ok(Some((None, Explainer::built_in(now))));
    };
    match super::read(file) {
        Ok(loaded) => {
            let name = file.display().to_string();
            Ok(Some((Some(name), Explainer::new(loaded.config, now))))
        }
        Err(problems) => {
            super::tell(&problems);
            Ok(None)
        }
    }
}

/// Reads a transcript; `-` is standard input.
fn read(file: &Path) -> Result<Vec<u8>> {
    let mut transcript = Vec::new();
    let (name, read) = if file == Path::new("-") {
        let stdin = io::stdin().lock();
        ("standard input".into(), stdin.take(MAX_TRANSCRIPT_BYTES + 1).read_to_end(&mut transcript))
    } else {
        let file_bytes = File::open(file).map(|file| file.take(MAX_TRANSCRIPT_BYTES + 1));
        let read = file_bytes.and_then(|mut bytes| bytes.read_to_end(&mut transcript));
        (file.to_string_lossy(), read)
    };
    if read.with_context(|| format!("{name} can't be read"))? as u64 > MAX_TRANSCRIPT_BYTES {
        bail!("{name} has more than {MAX_TRANSCRIPT_BYTES} bytes: leave the bodies out");
    }
    Ok(transcript)
}

const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;

/// Wrong usage: what was said, and what to write.
struct Usage(String);

impl Usage {
    fn tell(self) -> ExitCode {
        let mut arguments = super::Arguments::command();
        arguments.build();
        let command = arguments.find_subcommand_mut("explain");
        let error = command.map(|command| command.error(ErrorKind::ValueValidation, self.0));
        // Nobody reads it if it can't be written.
        let _ = error.map(|error| error.print());
        ExitCode::from(2)
    }
}

impl Question {
    /// The exchanges that are asked about, each with its host where it does not name one itself, or where another one
    /// was named.
    fn exchanges(
        &self,
        transcript: Option<&[u8]>,
        explainer: &Explainer,
    ) -> Result<Vec<(Option<String>, Exchange)>, Usage> {
        let exchanges = match transcript {
            Some(transcript) => transcript::read(transcript),
            None if self.has_request() || self.has_response() => vec![Exchange {
                request: Some(Request::default()),
                response: Some(Response::default()),
                ..Exchange::default()
            }],
            None => return Err(Usage(NOTHING_ASKED.to_owned())),
        };
        if exchanges.is_empty() {
            return Err(Usage(NOTHING_READ.to_owned()));
        }
        let with_host = |mut exchange| {
            self.overrule(&mut exchange);
            Ok((self.host(&exchange, explainer)?, exchange))
        };
        exchanges.into_iter().map(with_host).collect()
    }

    fn has_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.navigation || !self.cookie.is_empty()
    }

    fn has_response(&self) -> bool {
        self.status.is_some() || !self.set_cookie.is_empty() || !self.cache_control.is_empty()
    }

    /// Puts what was said in place of what the exchange says.
    fn overrule(&self, exchange: &mut Exchange) {
        if self.has_request() {
            let request = exchange.request.get_or_insert_default();
            if let Some(method) = &self.method {
                request.method.clone_from(method);
            }
            if let Some(path) = &self.path {
                request.target.clone_from(path);
            }
            if self.navigation {
                request.fields.replace("accept", [b"text/html".to_vec()]);
            }
            overrule(&mut request.fields, "cookie", &self.cookie);
        }
        if self.has_response() {
            let response = exchange.response.get_or_insert_default();
            response.status = self.status.unwrap_or(response.status);
            overrule(&mut response.fields, "set-cookie", &self.set_cookie);
            overrule(&mut response.fields, "cache-control", &self.cache_control);
        }
    }

    /// Whose exchange it is: as was said, or else as it says itself (none), or else the only tenant's.
    fn host(&self, exchange: &Exchange, explainer: &Explainer) -> Result<Option<String>, Usage> {
        if let Some(name) = &self.tenant {
            let words = || format!("{name:?} is no host: write --tenant www.example.com, say");
            return host_of_tenant(name).ok_or_else(|| Usage(words())).map(Some);
        }
        if exchange.request.as_ref().is_some_and(Request::names_host) {
            return Ok(None);
        }
        explainer.only_host().ok_or_else(|| whose(explainer)).map(Some)
    }
}

/// Puts these values in place of all fields of this name; none leaves them.
fn overrule(fields: &mut Fields, name: &str, values: &[OsString]) {
    if !values.is_empty() {
        fields.replace(name, values.iter().map(|value| value_of(name, value).to_vec()));
    }
}

/// The value of a field that was pasted with its name or without.
fn value_of<'v>(name: &str, value: &'v OsStr) -> &'v [u8] {
    let bytes = value.as_bytes();
    let with_name = bytes.split_at_checked(name.len()).and_then(|(start, rest)| {
        rest.strip_prefix(b":").filter(|_| start.eq_ignore_ascii_case(name.as_bytes()))
    });
    policy::trim(with_name.unwrap_or(bytes))
}

/// Nobody knows whose request it is.
fn whose(explainer: &Explainer) -> Usage {
    let tenants = explainer.tenants();
    let (named, others) = tenants.split_at(tenants.len().min(NAMED_TENANTS));
    let named: Vec<_> = named
        .iter()
        .filter_map(|name| host_of_tenant(name))
        .map(|host| format!("--tenant {host}"))
        .collect();
    let words = match (named.join(", "), others.len()) {
        (named, _) if named.is_empty() => {
            "there is no tenant, so nobody would be served: add one".to_owned()
        }
        (named, 0) => format!("nothing says whose request it is: write one of {named}"),
        (named, more) => {
            format!("nothing says whose request it is: write one of {named}, or one of {more} more")
        }
    };
    Usage(words)
}

const NAMED_TENANTS: usize = 5;

const NOTHING_ASKED: &str = "there is nothing to explain: write --cookie 'a=1; b=2', --set-cookie 'a=1; Path=/', or a \
    file with what `curl -v` has printed (- for standard input)";

const NOTHING_READ: &str = "the transcript has no head of an HTTP message: give all that curl prints, as in \
    curl -v https://www.example.com/ 2>&1 | crumbgate explain -";

fn read_method(text: &str) -> Result<String, &'static str> {
    let is_method = policy::is_token(text.as_bytes());
    is_method.then(|| text.to_owned()).ok_or("write a method such as GET")
}

fn read_path(text: &str) -> Result<String, &'static str> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_path.then(|| text.to_owned()).ok_or("write a path such as /api/me")
}
