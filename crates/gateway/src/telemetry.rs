//! Log lines: their filter, their format and where they are written.

use std::{borrow::Cow, sync::OnceLock};

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer,
    filter::{ParseError, Targets, filter_fn},
    fmt::{
        self, FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crumbgate_config::{Log, LogFormat};

/// The amount of log lines where `RUST_LOG` does not set it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// `info` and above.
    All,
    /// Warnings and errors; and access lines, where the configuration enables them.
    Warnings,
    /// `info` and above, except the lines of a normal start: `crumbgate run` prints those in words at a terminal.
    WithoutStart,
}

impl Detail {
    fn targets(self) -> Targets {
        let info = Targets::new().with_default(LevelFilter::INFO);
        match self {
            Self::All => info,
            Self::Warnings => Targets::new()
                .with_default(LevelFilter::WARN)
                .with_target("crumbgate::access", LevelFilter::INFO),
            Self::WithoutStart => info.with_target("crumbgate::start", LevelFilter::WARN),
        }
    }
}

/// Writes log lines to standard error, as many as `detail` allows, in the format of `log`. `filter` (the text of `RUST_LOG`)
/// replaces `detail`, as in `debug` or `crumbgate::proxy=debug`. Its targets are public targets (see `PUBLIC_TARGETS`).
/// A filter that cannot be parsed is an error.
///
/// Libraries log errors only, whatever `filter` says: below that level they describe their peers (a whole ClientHello, for
/// example), and no log line may identify a person (A3).
///
/// Lines wait in a bounded queue for a thread of their own, so a slow or absent reader of standard error stops no request
/// and no drain. Lines that do not fit into the queue are lost and counted.
///
/// Only the first call in a process has an effect. Lines are written until the returned value is dropped, which waits
/// up to one second for the lines that are left.
pub fn start(log: Log, detail: Detail, filter: Option<&str>) -> Result<Lines, ParseError> {
    let targets = match filter.filter(|filter| !filter.is_empty()) {
        Some(filter) => filter.parse::<Targets>()?,
        None => detail.targets(),
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_QUEUED_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    let lines = fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Json => {
            lines.event_format(JsonLines::new()).fmt_fields(JsonFields::new()).boxed()
        }
        LogFormat::Text => {
            lines.with_ansi(is_colourful(&std::io::stderr())).with_target(false).boxed()
        }
    };
    let _ = LOST.set(lost);
    let most = most_detailed(&targets);
    let is_wanted = filter_fn(move |line| is_wanted(&targets, line)).with_max_level_hint(most);
    // A second start in one process (in a test, for example) keeps the lines of the first one.
    let _ = tracing_subscriber::registry().with(lines.with_filter(is_wanted)).try_init();
    Ok(Lines { _guard: guard })
}

/// The log, as long as it is written.
pub struct Lines {
    _guard: WorkerGuard,
}

impl Lines {
    /// The number of lost lines, see [`lost_lines`].
    pub fn lost(&self) -> usize {
        lost_lines()
    }
}

/// The number of lines that were lost because standard error was not read in time.
pub fn lost_lines() -> usize {
    LOST.get().map_or(0, ErrorCounter::dropped_lines)
}

/// A process has one log.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// The number of lines that may wait to be written.
const MAX_QUEUED_LINES: usize = 8192;

/// Returns `true` if `stream` shows colours: it is a terminal, or colours are forced, and they are not disabled (`NO_COLOR`,
/// `CLICOLOR`, `CLICOLOR_FORCE`: <https://no-color.org>, <https://bixense.com/clicolors/>).
pub fn is_colourful<S: RawStream>(stream: &S) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Decided once for each place that logs, not for each line.
fn is_wanted(targets: &Targets, line: &Metadata<'_>) -> bool {
    match public_target(line.target()) {
        Some(public) => targets.would_enable(&public, line.level()),
        None => *line.level() <= Level::ERROR && targets.would_enable(line.target(), line.level()),
    }
}

fn most_detailed(targets: &Targets) -> LevelFilter {
    let levels = targets.iter().map(|(_, level)| level);
    levels.chain(targets.default_level()).max().unwrap_or(LevelFilter::OFF)
}

/// The public target of the events that one of this program's crates logs; `None` for those of a library.
fn public_target(target: &str) -> Option<Cow<'_, str>> {
    let (krate, path) = target.split_at(target.find("::").unwrap_or(target.len()));
    let (_, public) = PUBLIC_TARGETS.iter().find(|(name, _)| *name == krate)?;
    Some(if *public == krate {
        Cow::Borrowed(target)
    } else {
        Cow::Owned(format!("{public}{path}"))
    })
}

/// The crates of this program, and the public log target that each has. Operators filter by public targets
/// (`RUST_LOG=crumbgate::proxy=debug`) and JSON lines carry them, so they stay the same when code moves to another crate.
const PUBLIC_TARGETS: [(&str, &str); 11] = [
    ("crumbgate", "crumbgate"),
    ("crumbgate_audit", "crumbgate::audit"),
    ("crumbgate_base", "crumbgate"),
    ("crumbgate_config", "crumbgate::config"),
    ("crumbgate_gateway", "crumbgate"),
    ("crumbgate_ledger", "crumbgate::ledger"),
    ("crumbgate_pages", "crumbgate"),
    ("crumbgate_policy", "crumbgate::policy"),
    ("crumbgate_report", "crumbgate::ledger"),
    ("crumbgate_state", "crumbgate::ledger"),
    ("crumbgate_verify", "crumbgate::verify"),
];

/// JSON lines that carry the public target.
struct JsonLines {
    whole: Format<Json>,
    without_target: Format<Json>,
}

impl JsonLines {
    fn new() -> Self {
        let whole = fmt::format().json().flatten_event(true).with_current_span(false);
        Self { without_target: whole.clone().with_target(false), whole }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let Some(Cow::Owned(public)) = public_target(event.metadata().target()) else {
            return self.whole.format_event(context, out, event);
        };
        let mut line = String::new();
        self.without_target.format_event(context, Writer::new(&mut line), event)?;
        let members = line.trim_end().strip_suffix('}').unwrap_or(&line);
        // A target is a path of identifiers: nothing in it needs an escape.
        writeln!(out, "{members},\"target\":\"{public}\"}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(filter: &str, target: &'static str, level: Level) -> bool {
        let targets: Targets = filter.parse().unwrap();
        let public = public_target(target).unwrap();
        targets.would_enable(&public, &level)
    }

    #[test]
    fn a_filter_names_public_targets_whatever_crate_logs() {
        for (filter, target, is_wanted) in [
            ("crumbgate=debug", "crumbgate::cli::run", true),
            ("crumbgate=debug", "crumbgate_gateway::proxy::worker", true),
            ("crumbgate=debug", "crumbgate_state::writer", true),
            ("crumbgate::proxy=debug", "crumbgate_gateway::proxy::worker", true),
            ("crumbgate::proxy=debug", "crumbgate_gateway::gateway::reload", false),
            ("crumbgate::gateway=debug", "crumbgate_gateway::gateway::reload", true),
            ("crumbgate::ledger=debug", "crumbgate_ledger::verify", true),
            ("crumbgate::ledger=debug", "crumbgate_state::writer", true),
            ("crumbgate::ledger=debug", "crumbgate::cli::run", false),
            ("crumbgate=info,crumbgate::ledger=debug", "crumbgate_state::writer", true),
            ("debug,crumbgate::ledger=info", "crumbgate_state::writer", false),
        ] {
            assert_eq!(wanted(filter, target, Level::DEBUG), is_wanted, "{filter} {target}");
        }
    }

    #[test]
    fn every_crate_of_the_program_has_a_public_target() {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        // `testkit` is part of tests only. The root crate is the only one outside this folder.
        let folders = std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().file_name());
        let names = folders.map(|folder| folder.into_string().unwrap());
        let mut expected: Vec<_> = names
            .filter(|name| name != "testkit")
            .map(|name| format!("crumbgate_{name}"))
            .collect();
        expected.push("crumbgate".to_owned());
        expected.sort();
        assert_eq!(PUBLIC_TARGETS.map(|(name, _)| name).to_vec(), expected);
    }

    #[test]
    fn a_library_has_no_public_target() {
        for target in ["hyper::proto", "crumbgate_other::proxy", "crumbgates", "log"] {
            assert_eq!(public_target(target), None, "{target}");
        }
    }

    #[test]
    fn the_most_detailed_level_is_that_of_any_directive() {
        for (filter, level) in [
            ("warn", LevelFilter::WARN),
            ("warn,crumbgate::proxy=debug", LevelFilter::DEBUG),
            ("crumbgate::proxy=info", LevelFilter::INFO),
            ("off", LevelFilter::OFF),
        ] {
            assert_eq!(most_detailed(&filter.parse().unwrap()), level, "{filter}");
        }
    }
}
