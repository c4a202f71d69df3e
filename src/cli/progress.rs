//! A progress bar for long work, shown only on a terminal. The work itself only counts.

use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crumbgate_ledger::progress::Progress;

/// Runs `work`, and shows a progress bar if it takes longer than half a second. The bar is removed before this returns.
pub(super) fn show<T>(what: &'static str, work: impl FnOnce(&Progress) -> T) -> T {
    let progress = Progress::default();
    let display = is_wanted().then(|| Display::begin(what, &progress));
    let done = work(&progress);
    drop(display);
    done
}

fn is_wanted() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !output::is_quiet() && !is_dumb && io::stderr().is_terminal()
}

/// The thread that draws the bar. Dropping it stops the thread and removes the bar.
struct Display {
    stop: Option<Sender<()>>,
    /// `None`: no thread could be started, and nothing is shown.
    thread: Option<JoinHandle<()>>,
}

impl Display {
    fn begin(what: &'static str, progress: &Progress) -> Self {
        let (stop, stopped) = mpsc::channel();
        let progress = progress.clone();
        let draw = move || draw(what, &progress, &stopped);
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(draw);
        Self { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has nothing to remove.
            let _ = thread.join();
        }
    }
}

fn draw(what: &'static str, progress: &Progress, stopped: &Receiver<()>) {
    if is_over(stopped, DELAY) {
        return;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(what);
    bar.set_style(style("{msg} …"));
    let mut is_known = false;
    loop {
        let (expected, taken) = (progress.expected(), progress.taken());
        if expected > 0 {
            bar.set_length(expected.max(taken));
            bar.set_position(taken);
            if !is_known {
                bar.set_style(style("{msg}  {bar:32}  {percent:>3} % of {human_len} entries"));
                is_known = true;
            }
        }
        bar.tick();
        if is_over(stopped, REDRAW_PERIOD) {
            break;
        }
    }
    bar.finish_and_clear();
}

fn is_over(stopped: &Receiver<()>, within: Duration) -> bool {
    stopped.recv_timeout(within) != Err(RecvTimeoutError::Timeout)
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─")
}

/// The time before the bar appears.
const DELAY: Duration = Duration::from_millis(500);
const REDRAW_PERIOD: Duration = Duration::from_millis(100);
