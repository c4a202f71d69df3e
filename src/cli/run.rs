//! `crumbgate run`: starts a gateway, serves, and drains.

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

use super::{configuration, opening, output, service, successor::Successors};
use crate::admin::{self, Administration};
use crumbgate_base::clock::Clock;
use crumbgate_config::{Loaded, Log};
use crumbgate_gateway::{
    gateway::{Control, Cutter, Gateway, Inherited, Predecessor},
    telemetry::{self, Detail, Lines},
};
use crumbgate_policy::verdict::{Action, Direction};

/// Serves until a signal or a successor stops it.
pub(super) fn run(file: &Path, replace: bool) -> Result<ExitCode> {
    let Some(loaded) = configuration::load(file) else { return Ok(ExitCode::FAILURE) };
    let has_summary = opening::is_wanted(loaded.config.log);
    let lines = start_log(loaded.config.log, has_summary)?;
    let mut signals = Signals::catch()?;
    signals.successors = Some(Successors::of_this_process());
    let (predecessor, mut inherited) = sockets(&loaded, replace)?;
    let (gateway, administration) = start(loaded, &mut inherited)?;
    let unclaimed = inherited.unclaimed();
    if !unclaimed.is_empty() {
        bail!(
            "the service manager listens on {}, which is not a listener of the configuration: \
             add it there, or remove it from the socket unit",
            unclaimed.join(", ")
        );
    }
    // Closes unused sockets: connections to an open socket that nobody accepts from would hang.
    drop(inherited);
    let is_successor = predecessor.is_some();
    let control = gateway.control();
    // Before the predecessor ends: the service manager must know the new main process when the old one exits.
    service::ready();
    if let Some(predecessor) = predecessor {
        replace_predecessor(predecessor, control)?;
    }
    if let Err(error) = control.offer_handover(is_successor) {
        warn!(%error, "this gateway can't hand over its sockets: --replace will not find it");
    }
    control.watch_files();
    service::watch(control);
    if has_summary {
        opening::print(control, &administration);
    }
    serve_until_stopped(gateway, &administration, signals, &lines)
}

/// Starts logging: only warnings with `--quiet`, and without the lines about the start where there is a summary.
pub(super) fn start_log(log: Log, has_summary: bool) -> Result<Lines> {
    let detail = match (output::is_quiet(), has_summary) {
        (true, _) => Detail::Warnings,
        (false, true) => Detail::WithoutStart,
        (false, false) => Detail::All,
    };
    let filter = std::env::var("RUST_LOG").ok();
    telemetry::start(log, detail, filter.as_deref())
        .context("RUST_LOG: expected a level or target=level, such as debug")
}

/// Makes the predecessor drain. If it has ended by itself in the meantime, this gateway serves alone.
fn replace_predecessor(predecessor: Predecessor, control: &Control) -> Result<()> {
    let Err(error) = predecessor.replace() else {
        info!("replaced the previous gateway, which now drains");
        return Ok(());
    };
    let state = control.config(|config| config.evidence.path.clone());
    if let Ok(Some(_)) = Predecessor::ask(&state) {
        return Err(error)
            .context("this gateway serves, and the previous one still serves as well");
    }
    warn!(%error, "the previous gateway has ended by itself; this one serves instead");
    Ok(())
}

/// The listening sockets that are open already: those of the gateway to replace, or of a service manager.
fn sockets(loaded: &Loaded, replace: bool) -> Result<(Option<Predecessor>, Inherited)> {
    if replace {
        let found = Predecessor::ask(&loaded.config.evidence.path)?;
        if let Some((predecessor, inherited)) = found {
            return Ok((Some(predecessor), inherited));
        }
        info!("there is no gateway to replace: this one starts normally");
    }
    let inherited = Inherited::of_service_manager();
    Ok((None, inherited.context("a socket of the service manager can't be used")?))
}

/// Starts a gateway with the system clock.
pub(super) fn start(
    loaded: Loaded,
    inherited: &mut Inherited,
) -> Result<(Gateway, Administration)> {
    raise_file_limit();
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

/// Serves until a signal stops it, then drains.
pub(super) fn serve_until_stopped(
    gateway: Gateway,
    administration: &Administration,
    mut signals: Signals,
    lines: &Lines,
) -> Result<ExitCode> {
    let signal = signals.wait_for_stop(gateway.control());
    info!(signal, "draining");
    if signal == Control::SUCCESSOR {
        // The successor has reported itself to the service manager.
        administration.hand_over();
    } else {
        service::stopping(gateway.control().config(|config| config.server.drain));
    }
    let counters = gateway.counters().clone();
    cut_at_second_signal(gateway.cutter(), gateway.control().clone(), signals)?;
    let report = gateway.drain();
    let total = counters.total();
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
        warn!(lost = lines.lost(), "log lines were lost because they were not read in time");
    }
    if report.cut > 0 {
        warn!(cut = report.cut, "stopped; exchanges that were still open after the drain were cut");
    } else {
        info!("stopped; every exchange was completed");
    }
    if report.failed_workers > 0 {
        bail!("{} workers panicked: please report it", report.failed_workers);
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the drain at a second signal.
fn cut_at_second_signal(cutter: Cutter, control: Control, mut signals: Signals) -> Result<()> {
    let first = Instant::now();
    let wait = move || {
        let mut signal = signals.wait_for_stop(&control);
        while first.elapsed() < REPEAT_INTERVAL {
            signal = signals.wait_for_stop(&control);
        }
        warn!(signal, "a second signal: cutting what is still open");
        cutter.cut();
    };
    let thread = thread::Builder::new().name("signals".to_owned()).spawn(wait);
    thread.map(drop).context("no thread could be started to wait for a second signal")
}

/// A signal this soon after the first does not count as a second one: `timeout` signals a process and then its group.
const REPEAT_INTERVAL: Duration = Duration::from_millis(200);

/// The signals that control a gateway.
pub(super) struct Signals {
    runtime: runtime::Runtime,
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    user_two: tokio::signal::unix::Signal,
    /// `None`: SIGUSR2 is ignored.
    successors: Option<Successors>,
    /// The channel to the thread that reloads. Reloads have their own thread so that a stop is handled meanwhile.
    reloads: Option<SyncSender<()>>,
    /// True after the first stop. A successor requests a stop once, and that must not count as a second signal.
    has_stopped: bool,
}

impl Signals {
    /// Installs the signal handlers. Must happen before others can know that the gateway is running.
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

    /// Requests a reload on the reload thread. Requests that are still waiting are merged into one.
    fn reload(&mut self, control: &Control) {
        let reloads = self.reloads.get_or_insert_with(|| {
            let (sender, requests) = mpsc::sync_channel(1);
            let control = control.clone();
            let reload = move || {
                while requests.recv().is_ok() {
                    // The control logs the result and keeps it for `crumbgate status`.
                    service::reloading(|| drop(control.reload("SIGHUP")));
                }
            };
            let thread = thread::Builder::new().name("reload".to_owned()).spawn(reload);
            if let Err(error) = thread {
                warn!(%error, "no thread could be started to reload");
            }
            sender
        });
        // A full channel already holds a request, whose reload will read the current file.
        let _ = reloads.try_send(());
    }

    /// Starts a successor, unless this gateway is stopping.
    fn start_successor(&mut self) {
        if let (false, Some(successors)) = (self.has_stopped, &mut self.successors) {
            successors.start();
        }
    }

    /// Waits for a stop by a signal or a successor, and returns its name. Meanwhile SIGHUP reloads and SIGUSR2 starts a
    /// successor.
    fn wait_for_stop(&mut self, control: &Control) -> &'static str {
        loop {
            let can_be_replaced = !self.has_stopped;
            let action = self.runtime.block_on(async {
                tokio::select! {
                    _ = self.hangup.recv() => SignalAction::Reload,
                    _ = self.user_two.recv() => SignalAction::Successor,
                    actor = control.stop_requested(), if can_be_replaced => SignalAction::Stop(actor),
                    _ = self.interrupt.recv() => SignalAction::Stop("SIGINT"),
                    _ = self.terminate.recv() => SignalAction::Stop("SIGTERM"),
                }
            });
            match action {
                SignalAction::Reload => self.reload(control),
                SignalAction::Stop(signal) => {
                    self.has_stopped = true;
                    return signal;
                }
                SignalAction::Successor => self.start_successor(),
            }
        }
    }
}

/// The action of a signal.
enum SignalAction {
    Reload,
    /// The name of the signal, or of the successor.
    Stop(&'static str),
    Successor,
}

/// Raises the limit of open files to the maximum: each connection needs one.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "the limit of open files can't be raised");
    }
}
