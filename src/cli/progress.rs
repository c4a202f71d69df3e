//! How far a long piece of work is, for who waits at a terminal. Nobody else sees anything of it, and the work itself only
//! counts.

use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::ledger::progress::Progress;

/// Does `work`, and shows how far it is where that takes longer than a moment. Nothing of it is left when this returns.
pub(super) fn show<T>(what: &'static str, work: impl FnOnce(&Progress) -> T) -> T {
    let progress = Progress::default();
    let shown = is_wanted().then(|| Shown::begin(what, &progress));
    let done = work(&progress);
    drop(shown);
    done
}

fn is_wanted() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !output::is_quiet() && !is_dumb && io::stderr().is_terminal()
}

/// What draws; it ends, and is wiped away, when this is dropped.
struct Shown {
    stop: Option<Sender<()>>,
    /// None where no thread could be had: then nothing is shown.
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    fn begin(what: &'static str, progress: &Progress) -> Self {
        let (stop, stopped) = mpsc::channel();
        let progress = progress.clone();
        let draw = move || draw(what, &progress, &stopped);
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(draw);
        Self { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Where it has panicked there is nothing to wipe away.
            let _ = thread.join();
        }
    }
}

fn draw(what: &'static str, progress: &Progress, stopped: &Receiver<()>) {
    if is_over(stopped, A_MOMENT) {
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
        if is_over(stopped, BETWEEN_TWO_LOOKS) {
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

/// What ends sooner is over before anybody has read how far it is.
const A_MOMENT: Duration = Duration::from_millis(500);
const BETWEEN_TWO_LOOKS: Duration = Duration::from_millis(100);
