//! Where log lines go and what they look like.

use std::sync::OnceLock;

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, ParseError, Targets, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crumbgate_config::{Log, LogFormat};

/// How much is logged where `RUST_LOG` does not say it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// `info` and above.
    All,
    /// Warnings and errors; and exchanges, where the configuration asks for them.
    Warnings,
    /// `info` and above, without what each start says: somebody at a terminal is told that in words.
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

/// Writes log lines to standard error, as many as `detail` says, in the format of `log`. `filter` (the text of `RUST_LOG`)
/// asks for more or less, as in `debug` or `crumbgate::proxy=debug`; one that can't be read is an error.
///
/// Of libraries only errors are written, whatever `filter` says: below that they describe their peers (a whole
/// ClientHello, say), and they don't know that nobody may be recognised in a line (A3).
///
/// Lines wait in a bounded queue for a thread of their own: who reads them slowly, or not at all, stops no request and
/// no drain. What does not fit is lost and counted.
///
/// Only the first call in a process has an effect. Lines are written until the returned value is dropped, which waits
/// a second at most for those that are left.
pub fn start(log: Log, detail: Detail, filter: Option<&str>) -> Result<Lines, ParseError> {
    let targets = match filter.filter(|filter| !filter.is_empty()) {
        Some(filter) => filter.parse::<Targets>()?,
        None => detail.targets(),
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    let lines = fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Text => {
            lines.with_ansi(is_colourful(&std::io::stderr())).with_target(false).boxed()
        }
    };
    let _ = LOST.set(lost);
    // A second start in one process (a test's, say) keeps the first one's lines.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets.and(filter_fn(is_fit_to_print))))
        .try_init();
    Ok(Lines { _guard: guard })
}

/// The log, as long as it is written.
pub struct Lines {
    _guard: WorkerGuard,
}

impl Lines {
    /// How many lines were lost, see [`lost_lines`].
    #[expect(clippy::unused_self, reason = "there are lines to lose as long as it lives")]
    pub fn lost(&self) -> usize {
        lost_lines()
    }
}

/// How many lines were lost because nobody read what was written before them.
pub fn lost_lines() -> usize {
    LOST.get().map_or(0, ErrorCounter::dropped_lines)
}

/// A process has one log.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines may wait to be written.
const WAITING_LINES: usize = 8192;

/// Whether a stream shows colours: to a person at a terminal who did not ask for none, and where they are asked for in any
/// case (`NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`: <https://no-color.org>, <https://bixense.com/clicolors/>).
pub fn is_colourful<S: RawStream>(stream: &S) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

fn is_fit_to_print(line: &Metadata<'_>) -> bool {
    let is_ours = line.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
    is_ours || *line.level() <= Level::ERROR
}
