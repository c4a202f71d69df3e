//! What is said and where: answers on standard output, everything else on standard error.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use anstyle::Style;
use anyhow::{Context, Result};

use crate::{config::Problems, telemetry};

/// From now on nothing is said but what was asked for, warnings and errors.
pub(super) fn hush() {
    IS_QUIET.store(true, Relaxed);
}

/// Whether that is so.
pub(super) fn is_quiet() -> bool {
    IS_QUIET.load(Relaxed)
}

/// A process has one command line.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Writes to standard output. Who stops reading has read enough: that is no failure.
pub(super) fn say(text: impl AsRef<[u8]>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output can't be written"),
    }
}

/// Says that something was done, and what to do next: what a script does without.
pub(super) fn confirm(text: impl AsRef<[u8]>) -> Result<()> {
    if is_quiet() { Ok(()) } else { say(text) }
}

/// Says on standard error what is wrong. Nobody reads it if it can't be written.
pub(super) fn complain(what: &str) {
    let mut stderr = io::stderr();
    let bold = if telemetry::is_colourful(&stderr) { Style::new().bold() } else { Style::new() };
    let _ = writeln!(stderr, "{bold}crumbgate:{bold:#} {what}");
}

/// Tells what is wrong with a configuration, or odd about it.
pub(super) fn tell(problems: &Problems) {
    let mut stderr = io::stderr();
    let rendered = problems.render(telemetry::is_colourful(&stderr));
    // Nobody reads it if it can't be written.
    let _ = writeln!(stderr, "{rendered}");
}
