//! Output of commands: results on standard output, everything else on standard error.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use anstyle::Style;
use anyhow::{Context, Result};

use crumbgate_config::Problems;
use crumbgate_gateway::telemetry;

/// Suppresses progress, confirmations and hints from now on.
pub(super) fn set_quiet() {
    IS_QUIET.store(true, Relaxed);
}

/// Returns true after [`set_quiet`].
pub(super) fn is_quiet() -> bool {
    IS_QUIET.load(Relaxed)
}

/// Global, because a process has one command line.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Writes to standard output. A reader that has closed the pipe is not an error.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output can't be written"),
    }
}

/// Confirms that something was done, or gives a hint, unless `--quiet` is set.
pub(super) fn confirm(text: impl AsRef<[u8]>) -> Result<()> {
    if is_quiet() { Ok(()) } else { print(text) }
}

/// Writes an error message to standard error. A failure of that is ignored.
pub(super) fn complain(message: &str) {
    let mut stderr = io::stderr();
    let bold = if telemetry::is_colourful(&stderr) { Style::new().bold() } else { Style::new() };
    let _ = writeln!(stderr, "{bold}crumbgate:{bold:#} {message}");
}

/// Writes the problems of a configuration to standard error. A failure of that is ignored.
pub(super) fn write_problems(problems: &Problems) {
    let mut stderr = io::stderr();
    let rendered = problems.render(telemetry::is_colourful(&stderr));
    let _ = writeln!(stderr, "{rendered}");
}
