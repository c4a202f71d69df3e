//! At a SIGUSR2 the gateway starts its program anew, in its own place: what was installed meanwhile then serves.
//!
//! The new process begins where a service manager has put the gateway, as the same user and with the same limits. But it is
//! no child of this one: the manager has to be its parent before it says that it is the gateway now. systemd would
//! otherwise not wait for it at a stop, and kill it.

use std::{
    env,
    ffi::OsString,
    io,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use tracing::{info, warn};

/// How a successor is started, and the last one that was.
pub(super) struct Successors {
    /// As this process was called: its file may have been replaced since.
    program: OsString,
    arguments: Vec<OsString>,
    last: Option<JoinHandle<()>>,
}

impl Successors {
    /// Successors of this process, which was started with `run`.
    pub(super) fn of_this_process() -> Self {
        let mut words = env::args_os();
        let program = words.next().unwrap_or_else(|| "crumbgate".into());
        let mut arguments: Vec<_> = words.collect();
        if !arguments.iter().any(|argument| argument == REPLACE) {
            arguments.push(REPLACE.into());
        }
        Self { program, arguments, last: None }
    }

    /// Starts one, unless one is starting. How it goes is logged by both processes.
    pub(super) fn start(&mut self) {
        if self.last.as_ref().is_some_and(|last| !last.is_finished()) {
            info!("a successor is starting already");
            return;
        }
        match self.spawn() {
            Ok(last) => self.last = Some(last),
            Err(error) => {
                warn!(%error, program = %self.program.display(), "no successor could be started");
            }
        }
    }

    fn spawn(&self) -> io::Result<JoinHandle<()>> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", ORPHAN]).arg(&self.program).args(&self.arguments);
        for name in MEANT_FOR_THIS_PROCESS {
            shell.env_remove(name);
        }
        let said = shell.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?.stdout;
        let number = String::from_utf8_lossy(&said).trim().parse().ok().and_then(Pid::from_raw);
        let pid = number.ok_or_else(|| io::Error::other("the shell did not say its number"))?;
        info!(pid = pid.as_raw_nonzero(), "a successor was started");
        // Where it takes over, this process ends first.
        thread::Builder::new().name("successor".to_owned()).spawn(move || match wait_for(pid) {
            Ok(()) => warn!("the successor has ended"),
            Err(error) => warn!(%error, "the successor can't be waited for"),
        })
    }
}

/// Waits until a process has ended, also one that is no child.
fn wait_for(pid: Pid) -> io::Result<()> {
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        opened => opened?,
    };
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.map(drop).map_err(io::Error::from),
        }
    }
}

/// Starts what follows, says its number, and ends: what it has started then has another parent.
const ORPHAN: &str = r#""$0" "$@" >&2 & echo $!"#;

const REPLACE: &str = "--replace";

/// Variables of a service manager that name this process's number, or its sockets.
const MEANT_FOR_THIS_PROCESS: [&str; 4] =
    ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_PID"];
