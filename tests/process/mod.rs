//! Programs that a test starts beside itself: bounded in time, and ended together with the test.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running program and all that it has started; killed when dropped.
///
/// It stays in the test's process group, so that a test runner that ends the test ends it too.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command`, and writes what it prints to the file `output`.
    pub(crate) fn start(command: &mut Command, output: &Path) -> Self {
        let file = File::create(output).expect("the test's folder can be written");
        let also_file = file.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(file).stderr(also_file);
        let child = spawn(command);
        Self { child, output: output.to_owned() }
    }

    /// Waits until `look` finds something.
    ///
    /// Panics, with all that the program has printed, where it ends before, or where it takes more than 20 s.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + CONDITION_TIMEOUT;
        loop {
            let ended = self.child.try_wait().expect("a child can be asked");
            let printed = fs::read_to_string(&self.output).expect("what a program prints is text");
            if let Some(found) = look(&printed) {
                return found;
            }
            if let Some(status) = ended {
                panic!("waiting for {what}, the program ended with {status}:\n{printed}");
            }
            assert!(Instant::now() < deadline, "waited too long for {what}:\n{printed}");
            thread::sleep(PAUSE);
        }
    }
}

#[allow(dead_code, reason = "not every test that starts programs stops one before its end")]
impl Process {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs, and is ours");
    }

    /// Asks it by a signal to end, and waits until it has.
    pub(crate) fn stop(mut self, signal: Signal) {
        self.signal(signal);
        let deadline = Instant::now() + CONDITION_TIMEOUT;
        while self.child.try_wait().expect("a child can be asked").is_none() {
            assert!(Instant::now() < deadline, "waited too long for its end");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its number may be another process's by now.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        kill_all(Pid::from_child(&self.child));
        let _ = self.child.wait();
    }
}

/// Kills a process and its descendants, as far as first threads have started them. PHP's server, which has one thread,
/// does not end its workers when it is killed.
fn kill_all(process: Pid) {
    // Stopped, it starts no more of them. Both signals fail where it has already ended, which is as good.
    let _ = kill_process(process, Signal::STOP);
    let id = process.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.filter_map(Pid::from_raw).for_each(kill_all);
    let _ = kill_process(process, Signal::KILL);
}

/// The gateway's own binary. What the test's environment says to a gateway is not for this one.
pub(crate) fn crumbgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crumbgate"));
    let ours = env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.as_encoded_bytes().starts_with(b"CRUMBGATE_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end, and returns what it has printed on both outputs.
pub(crate) fn run(command: &mut Command) -> Output {
    let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    child.wait_with_output().expect("a child can be waited for")
}

/// Starts a program that ends by itself.
pub(crate) fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        let program = command.get_program().display();
        panic!("{program}: {error}. {HOW_TO_INSTALL}")
    })
}

/// The hint for a missing program.
pub(crate) const HOW_TO_INSTALL: &str = "Run scripts/test, which installs what the tests need.";

const CONDITION_TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);
