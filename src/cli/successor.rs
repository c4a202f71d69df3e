//! At a SIGUSR2 the gateway starts its program anew, in its own place: what was installed meanwhile then serves.
//!
//! The new process is a child of this one. So it runs where a service manager has put the gateway, as the same user and
//! with the same limits, and the manager believes it when it says that it is the gateway now.

use std::{
    env,
    ffi::OsString,
    io,
    process::Command,
    thread::{self, JoinHandle},
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
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        for name in MEANT_FOR_THIS_PROCESS {
            command.env_remove(name);
        }
        let mut child = command.spawn()?;
        info!(pid = child.id(), "a successor was started");
        // Where it takes over, this process ends first.
        thread::Builder::new().name("successor".to_owned()).spawn(move || match child.wait() {
            Ok(status) => warn!(%status, "the successor has ended"),
            Err(error) => warn!(%error, "the successor can't be waited for"),
        })
    }
}

const REPLACE: &str = "--replace";

/// Variables of a service manager that name this process's number, or its sockets.
const MEANT_FOR_THIS_PROCESS: [&str; 4] =
    ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_PID"];
