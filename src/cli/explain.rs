//! `crumbgate explain`: explains the verdicts on cookies.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;

use super::{
    configuration,
    output::{print, write_problems},
};
use crate::explain::{
    Explainer, json,
    question::{Question, Unclear},
    text,
};
use crumbgate_base::clock::Clock;
use crumbgate_gateway::telemetry;
use crumbgate_policy as policy;

/// The cookies to explain. The options override the transcript in each of its exchanges.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file [default: config.toml if it exists, otherwise the built-in declaration]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The tenant: a host or a tenant's name
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// The request's method
    #[arg(long, value_parser = read_method)]
    method: Option<String>,
    /// The request's path
    #[arg(long, value_parser = read_path)]
    path: Option<String>,
    /// The request accepts text/html, as a page navigation does
    #[arg(long, visible_alias = "accept-html")]
    navigation: bool,
    /// Explain it as for a person who has agreed to the use of cookies
    #[arg(long)]
    agreed: bool,
    /// A Cookie header of the request; can be repeated, as in HTTP/2
    #[arg(long, value_name = "PAIRS")]
    cookie: Vec<OsString>,
    /// The status of the application's response
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(100..=999))]
    status: Option<u16>,
    /// A Set-Cookie header of the response; can be repeated
    #[arg(long, value_name = "FIELD")]
    set_cookie: Vec<OsString>,
    /// A Cache-Control header of the response; can be repeated
    #[arg(long, value_name = "FIELD")]
    cache_control: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The output of `curl -v`, or heads of HTTP messages; - reads standard input
    #[arg(value_name = "TRANSCRIPT")]
    transcript: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  curl -v http://127.0.0.1:8000/login 2>&1 | crumbgate explain --tenant www.example.com -
  crumbgate explain --path /api/me --cookie 'flexopus_session=abc; _ga=1'
  crumbgate explain --set-cookie 'flexopus_session=abc; Max-Age=7200; Path=/' --json";

/// Prints the explanation.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Some((configuration, explainer)) = explainer(arguments.config.as_deref())? else {
        return Ok(ExitCode::FAILURE);
    };
    let transcript = arguments.transcript.as_deref().map(read).transpose()?;
    let explanations = match arguments.question(transcript).answer(&explainer) {
        Ok(explanations) => explanations,
        Err(unclear) => return Ok(usage_error(&unclear)),
    };
    let printed = if arguments.json {
        json::render(configuration.as_deref(), &explanations)
    } else {
        let colour = telemetry::is_colourful(&io::stdout());
        let without = configuration.is_none().then(|| WITHOUT_CONFIGURATION.to_owned());
        let texts = explanations.iter().map(|explanation| text::render(explanation, colour));
        without.into_iter().chain(texts).collect::<Vec<_>>().join("\n")
    };
    print(printed)?;
    Ok(ExitCode::SUCCESS)
}

const WITHOUT_CONFIGURATION: &str =
    "There is no config.toml: the built-in declaration and the defaults are used.\n";

/// Makes the explainer, with the name of its configuration file if there is one. Returns `None` where the file has
/// errors, after writing them.
fn explainer(named: Option<&Path>) -> Result<Option<(Option<String>, Explainer)>> {
    let now = Clock::system().now();
    let default = Path::new("config.toml");
    let is_there = default.try_exists().context("config.toml can't be accessed")?;
    let Some(file) = named.or(is_there.then_some(default)) else {
        return Ok(Some((None, Explainer::built_in(now))));
    };
    match configuration::read(file) {
        Ok(loaded) => {
            let name = file.display().to_string();
            Ok(Some((Some(name), Explainer::new(loaded.config, now))))
        }
        Err(problems) => {
            write_problems(&problems);
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
        bail!("{name} has more than {MAX_TRANSCRIPT_BYTES} bytes: remove the bodies");
    }
    Ok(transcript)
}

const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;

impl Arguments {
    fn question(&self, transcript: Option<Vec<u8>>) -> Question {
        let bytes = |values: &[OsString]| values.iter().map(|v| v.as_bytes().to_vec()).collect();
        Question {
            tenant: self.tenant.clone(),
            method: self.method.clone(),
            path: self.path.clone(),
            navigation: self.navigation,
            agreed: self.agreed,
            cookie: bytes(&self.cookie),
            status: self.status,
            set_cookie: bytes(&self.set_cookie),
            cache_control: bytes(&self.cache_control),
            transcript,
        }
    }
}

/// Writes a usage error with advice, and returns its exit code.
fn usage_error(unclear: &Unclear) -> ExitCode {
    let words = match unclear {
        Unclear::NoHost { .. } => {
            format!("{unclear}: write a host, for example --tenant www.example.com")
        }
        Unclear::NoMessage => format!(
            "{unclear}: pass the complete output of curl, as in curl -v https://www.example.com/ 2>&1 | crumbgate explain -"
        ),
        Unclear::NoTenant => format!("{unclear}: add one"),
        Unclear::Nothing => format!(
            "{unclear}: write --cookie 'a=1; b=2', --set-cookie 'a=1; Path=/', or a file with the output of `curl -v` \
             (- for standard input)"
        ),
        Unclear::Whose { hosts, others } => {
            let hosts: Vec<_> = hosts.iter().map(|host| format!("--tenant {host}")).collect();
            let more =
                if *others == 0 { String::new() } else { format!(", or one of {others} more") };
            format!("{unclear}: write one of {}{more}", hosts.join(", "))
        }
    };
    let command = clap::Command::new("explain").bin_name("crumbgate explain");
    let mut command = <Arguments as clap::Args>::augment_args(command);
    // A failure to write to standard error is ignored.
    let _ = command.error(ErrorKind::ValueValidation, words).print();
    ExitCode::from(2)
}

fn read_method(text: &str) -> Result<String, &'static str> {
    let is_method = policy::is_token(text.as_bytes());
    is_method.then(|| text.to_owned()).ok_or("write a method such as GET")
}

fn read_path(text: &str) -> Result<String, &'static str> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_path.then(|| text.to_owned()).ok_or("write a path such as /api/me")
}
