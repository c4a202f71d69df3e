//! `crumbgate run`: from a configuration to a gateway that serves, and to its end.

use std::{
    io,
    path::Path,
    process::ExitCode,
    sync::mpsc::{self, SyncSender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};
use tracing::{info, warn};

use super::{opening, output, service, successor::Successors};
use crate::{
    admin::{self, Administration},
    clock::Clock,
    config::{Loaded, Log},
    gateway::{Control, Cutter, Gateway, Inherited, Predecessor},
    policy::verdict::{Action, Direction},
    telemetry::{self, Detail, Lines},
};

/// Serves until a signal, or a successor, says stop.
pub(super) fn run(file: &Path, replace: bool) -> Result<ExitCode> {
    let Some(loaded) = super::load(file) else { return Ok(ExitCode::FAILURE) };
    let greets = opening::is_wanted(loaded.config.log);
    let lines = start_log(loaded.config.log, greets)?;
    let mut signals = Signals::catch()?;
    signals.successors = Some(Successors::of_this_process());
    let (predecessor, mut inherited) = sockets(&loaded, replace)?;
    let (gateway, administration) = start(loaded, &mut inherited)?;
    let unclaimed = inherited.unclaimed();
    if !unclaimed.is_empty() {
        bail!(
            "the service manager listens on {}, which no listener of the configuration has: \
             write it there, or take it out of the socket unit",
            unclaimed.join(", ")
        );
    }
    // What nobody has asked for is closed: a socket that is open, and that nobody accepts from, swallows connections.
    drop(inherited);
    let is_successor = predecessor.is_some();
    let control = gateway.control();
    // Before the predecessor may end: a service manager must not see its process go without knowing the next one.
    service::ready();
    if let Some(predecessor) = predecessor {
        replace_it(predecessor, control)?;
    }
    if let Err(error) = control.offer_handover(is_successor) {
        warn!(%error, "this gateway can't hand over its sockets: --replace won't find it");
    }
    control.watch_files();
    service::watch(control);
    if greets {
        opening::print(control, &administration);
    }
    serve_until_stopped(gateway, &administration, signals, &lines)
}

/// Begins to log: all of it, unless the start is told in words, or nobody wants to read what is well.
pub(super) fn start_log(log: Log, greets: bool) -> Result<Lines> {
    let detail = match (output::is_quiet(), greets) {
        (true, _) => Detail::Warnings,
        (false, true) => Detail::WithoutStart,
        (false, false) => Detail::All,
    };
    let filter = std::env::var("RUST_LOG").ok();
    telemetry::start(log, detail, filter.as_deref())
        .context("RUST_LOG: expected a level or target=level, as in debug")
}

/// Has the predecessor drain. Where it has gone by itself meanwhile, nobody else serves, and this one goes on.
fn replace_it(predecessor: Predecessor, control: &Control) -> Result<()> {
    let Err(error) = predecessor.replace() else {
        info!("took the place of the gateway that ran before; it drains");
        return Ok(());
    };
    let state = control.config(|config| config.evidence.path.clone());
    if let Ok(Some(_)) = Predecessor::ask(&state) {
        return Err(error).context("this gateway serves, and the other one does, too");
    }
    warn!(%error, "the gateway that ran before has ended by itself; this one serves in its place");
    Ok(())
}

/// The listening sockets that are open already: those of the gateway to be replaced, or a service manager's.
fn sockets(loaded: &Loaded, replace: bool) -> Result<(Option<Predecessor>, Inherited)> {
    if replace {
        let found = Predecessor::ask(&loaded.config.evidence.path)?;
        if let Some((predecessor, inherited)) = found {
            return Ok((Some(predecessor), inherited));
        }
        info!("there is no gateway to replace: this one just starts");
    }
    let inherited = Inherited::of_service_manager();
    Ok((None, inherited.context("a socket of the service manager can't be used")?))
}

/// Starts a gateway on the machine's clock.
pub(super) fn start(
    loaded: Loaded,
    inherited: &mut Inherited,
) -> Result<(Gateway, Administration)> {
    raise_file_limit(loaded.config.limits.connections);
    let clock = Clock::system();
    let listener = admin::Listener::bind(&loaded.config.admin.listen, inherited)?;
    let gateway = Gateway::start_on(loaded, clock.clone(), inherited)?;
    let administration = admin::start(listener, gateway.control(), &clock)?;
    for address in gateway.https() {
        info!(target: "crumbgate::start", %address, "listening for https");
    }
    for address in gateway.http() {
        info!(target: "crumbgate::start", %address, "listening for http, to redirect");
    }
    Ok((gateway, administration))
}

/// Serves until a signal says stop, then drains.
pub(super) fn serve_until_stopped(
    gateway: Gateway,
    administration: &Administration,
    mut signals: Signals,
    lines: &Lines,
) -> Result<ExitCode> {
    let signal = signals.wait_for_stop(gateway.control());
    info!(signal, "draining");
    if signal == Control::SUCCESSOR {
        // It has told the service manager that it is the one now.
        administration.hand_over();
    } else {
        service::stopping(gateway.control().config(|config| config.server.drain));
    }
    let books = gateway.books().clone();
    cut_at_second_signal(gateway.cutter(), gateway.control().clone(), signals)?;
    let report = gateway.drain();
    let total = books.total();
    for (direction, words) in [(Direction::Request, "requests"), (Direction::Response, "responses")]
    {
        info!(
            seen = total.seen(direction),
            kept = total.of(direction, Action::Keep),
            rewritten = total.of(direction, Action::Rewrite),
            stripped = total.stripped(direction),
            renewed = total.of(direction, Action::Renew),
            injected = total.of(direction, Action::Inject),
            evicted = total.of(direction, Action::Evict),
            "cookies of {words}"
        );
    }
    if lines.lost() > 0 {
        warn!(lost = lines.lost(), "log lines were lost: nobody read them in time");
    }
    if report.cut > 0 {
        warn!(cut = report.cut, "stopped; exchanges that were still open after the drain were cut");
    } else {
        info!("stopped; every exchange was finished");
    }
    if report.failed_workers > 0 {
        bail!("{} workers ended by a panic: please report it", report.failed_workers);
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets whoever asks twice not wait: a second signal ends the drain.
fn cut_at_second_signal(cutter: Cutter, control: Control, mut signals: Signals) -> Result<()> {
    let first = Instant::now();
    let wait = move || {
        let mut signal = signals.wait_for_stop(&control);
        while first.elapsed() < ECHO {
            signal = signals.wait_for_stop(&control);
        }
        warn!(signal, "a second signal: cutting what is still open");
        cutter.cut();
    };
    let thread = thread::Builder::new().name("signals".to_owned()).spawn(wait);
    thread.map(drop).context("no thread could be started to wait for a second signal")
}

/// A signal that follows the first so closely is the same wish: `timeout` signals a process and then its group.
const ECHO: Duration = Duration::from_millis(200);

/// The signals that a gateway is told things by.
pub(super) struct Signals {
    runtime: runtime::Runtime,
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    user_two: tokio::signal::unix::Signal,
    /// None: there is nothing to start anew.
    successors: Option<Successors>,
    /// To the thread that reloads: while it waits for something, a stop must be heard.
    reloads: Option<SyncSender<()>>,
    /// Whether a stop was heard: a successor asks for it once, and that is no second signal.
    has_stopped: bool,
}

impl Signals {
    /// Catches them from now on: before anybody can know that the gateway is there.
    pub(super) fn catch() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = runtime.enter();
        let hangup = signal(SignalKind::hangup())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let user_two = signal(SignalKind::user_defined2())?;
        drop(guard);
        Ok(Self {
            runtime,
            hangup,
            interrupt,
            terminate,
            user_two,
            successors: None,
            reloads: None,
            has_stopped: false,
        })
    }

    /// Has the configuration read anew. Several wishes that wait are one.
    fn reload(&mut self, control: &Control) {
        let reloads = self.reloads.get_or_insert_with(|| {
            let (wish, wishes) = mpsc::sync_channel(1);
            let control = control.clone();
            let reload = move || {
                while wishes.recv().is_ok() {
                    // How it went is logged, and kept for who asks.
                    service::reloading(|| drop(control.reload("SIGHUP")));
                }
            };
            let thread = thread::Builder::new().name("reload".to_owned()).spawn(reload);
            if let Err(error) = thread {
                warn!(%error, "no thread could be started to reload");
            }
            wish
        });
        // Full: the wish that waits is still to be fulfilled, and reads what is there then.
        let _ = reloads.try_send(());
    }

    /// Has the program started anew, in the place of this gateway, unless that stops already.
    fn start_successor(&mut self) {
        if let (false, Some(successors)) = (self.has_stopped, &mut self.successors) {
            successors.start();
        }
    }

    /// Waits for the signal to stop, or for a successor, and says which it was. Until then each SIGHUP is a reload, and
    /// each SIGUSR2 a successor.
    fn wait_for_stop(&mut self, control: &Control) -> &'static str {
        loop {
            let is_asked_once = !self.has_stopped;
            let wish = self.runtime.block_on(async {
                tokio::select! {
                    _ = self.hangup.recv() => Wish::Reload,
                    _ = self.user_two.recv() => Wish::Successor,
                    actor = control.stop_asked(), if is_asked_once => Wish::Stop(actor),
                    _ = self.interrupt.recv() => Wish::Stop("SIGINT"),
                    _ = self.terminate.recv() => Wish::Stop("SIGTERM"),
                }
            });
            match wish {
                Wish::Reload => self.reload(control),
                Wish::Stop(signal) => {
                    self.has_stopped = true;
                    return signal;
                }
                Wish::Successor => self.start_successor(),
            }
        }
    }
}

/// What a signal asks for.
enum Wish {
    Reload,
    /// By whom or what.
    Stop(&'static str),
    Successor,
}

/// Lets the process open as many files as it may: each exchange needs one for either side.
fn raise_file_limit(connections: usize) {
    let needed = 2 * connections as u64 + FILES_BESIDE_CONNECTIONS;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < needed => warn!(
            limit,
            needed, "limits.connections needs more open files than this process may have"
        ),
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files can't be raised"),
    }
}

const FILES_BESIDE_CONNECTIONS: u64 = 64;
