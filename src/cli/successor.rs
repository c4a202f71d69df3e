//! The successor process that SIGUSR2 starts: the program at the same path, which may have been upgraded.
//!
//! The new process has the same user, limits and control group as this one. But it must not be a child of this process:
//! the service manager has to be its parent before it reports itself as the main process. systemd would otherwise not
//! wait for it when the service stops, and kill it.

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

/// Starts successors of this process, one at a time.
pub(super) struct Successors {
    /// The program's path as this process was called. The file may have been replaced since.
    program: OsString,
    arguments: Vec<OsString>,
    last: Option<JoinHandle<()>>,
}

impl Successors {
    /// Reads the arguments of this process, whose command is `run`.
    pub(super) fn of_this_process() -> Self {
        let mut words = env::args_os();
        let program = words.next().unwrap_or_else(|| "crumbgate".into());
        let mut arguments: Vec<_> = words.collect();
        if !arguments.iter().any(|argument| argument == REPLACE) {
            arguments.push(REPLACE.into());
        }
        Self { program, arguments, last: None }
    }

    /// Starts a successor, unless one is starting already. Both processes log the outcome.
    pub(super) fn start(&mut self) {
        if self.last.as_ref().is_some_and(|last| !last.is_finished()) {
            info!("a successor is already starting");
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
        let output = shell.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?.stdout;
        let number = String::from_utf8_lossy(&output).trim().parse().ok().and_then(Pid::from_raw);
        let pid = number.ok_or_else(|| io::Error::other("the shell did not print a process id"))?;
        info!(pid = pid.as_raw_nonzero(), "a successor was started");
        // After a successful takeover this process ends before the successor does.
        thread::Builder::new().name("successor".to_owned()).spawn(move || match wait_for(pid) {
            Ok(()) => warn!("the successor has ended"),
            Err(error) => warn!(%error, "the successor can't be waited for"),
        })
    }
}

/// Waits until a process has ended. It need not be a child of this one.
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

/// A shell script that starts the program in the background, prints its process id, and ends, so that the program gets
/// another parent.
const ORPHAN: &str = r#""$0" "$@" >&2 & echo $!"#;

const REPLACE: &str = "--replace";

/// Variables by which a service manager refers to the process id or the sockets of this process.
const MEANT_FOR_THIS_PROCESS: [&str; 4] =
    ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_PID"];
