//! Processes that are measured: started on a core, stopped by their own id, and what they have used.
//!
//! A proxy may be several processes (nginx has a master and a worker), so whatever is asked is asked of the whole tree.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{CpuSet, sched_setaffinity},
};

/// The core on which everything runs that is not measured: the load and the applications.
pub const LOAD_CORE: u32 = 0;

/// The core that the measured proxy has for itself.
pub const PROXY_CORE: u32 = 1;

/// Makes a command that runs pinned to these cores ("1", "0-1"), and ends when this process does.
pub fn pinned(cores: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "--cpu-list", cores]).arg(program);
    command
}

/// Pins this thread, and what it starts, to a core.
pub fn pin_this_thread(core: u32) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(usize::try_from(core)?);
    sched_setaffinity(None, &cores).with_context(|| format!("can't run on core {core}"))
}

/// A server that was started, with all its children. Dropping it ends them.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    started: Instant,
}

/// The resources that a process tree has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Time on a core.
    pub cpu: Duration,
    /// The part of it that was spent outside the kernel, in steps of 10 ms.
    pub user: Duration,
}

impl Used {
    /// The resources used between an earlier moment and this one.
    pub fn since(self, earlier: Self) -> Self {
        let cpu = self.cpu.saturating_sub(earlier.cpu);
        Self { cpu, user: self.user.saturating_sub(earlier.user).min(cpu) }
    }
}

impl Process {
    /// Starts it; what it prints goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("can't make {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("can't start {command:?}"))?;
        Ok(Self { child, log: log.to_owned(), started })
    }

    /// The time of its start.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `find` has found something in what it prints, for a minute at most.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(found) = find(&self.printed()) {
                return Ok(found);
            }
            self.still_runs()?;
            ensure!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.printed());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Fails where it has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it has ended ({status}):\n{}", self.printed());
        }
        Ok(())
    }

    /// The time that it and its children have used.
    pub fn used(&self) -> Result<Used> {
        let mut sum = Used::default();
        for id in tree(self.id())? {
            let used = used_by(id)?;
            sum.cpu += used.cpu;
            sum.user += used.user;
        }
        Ok(sum)
    }

    /// The memory that it and its children hold, in KiB; what several share is divided among them (PSS).
    pub fn memory_kib(&self) -> Result<u64> {
        tree(self.id())?.into_iter().map(memory_kib_of).sum()
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A master that is asked ends its workers; who does not listen is killed.
        let all = tree(self.id()).unwrap_or_default();
        signal(self.id(), Signal::TERM);
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        for id in all {
            signal(id, Signal::KILL);
        }
        // Nothing can be done about one that can't be waited for.
        let _ = self.child.wait();
    }
}

/// A gateway with a million tenants takes some ten seconds.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(3);

fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended a moment ago, which is as well.
        let _ = kill_process(id, signal);
    }
}

/// The work of a core since the machine started.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// Time that programs had it, and the kernel for them.
    pub busy: Duration,
    /// Time that the machine below gave to others.
    pub stolen: Duration,
}

impl Core {
    /// Looks at a core.
    pub fn read(number: u32) -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("can't read /proc/stat")?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cpu{number} ")));
        let numbers = line.with_context(|| format!("there is no core {number}"))?;
        let numbers: Vec<u64> =
            numbers.split(' ').map(str::parse).collect::<Result<_, _>>().context("/proc/stat")?;
        let [user, nice, system, _idle, _waiting, interrupts, soft, stolen, ..] = numbers[..]
        else {
            bail!("/proc/stat has too few numbers");
        };
        let busy = ticks(user + nice + system + interrupts + soft);
        Ok(Self { busy, stolen: ticks(stolen) })
    }
}

/// A process and all below it.
fn tree(root: u32) -> Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that has ended meanwhile has no children.
        if let Ok(stat) = Stat::read(id) {
            children.entry(stat.parent).or_default().push(id);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(id) = found.get(next) {
        let below = children.get(id).cloned().unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    Ok(found)
}

/// The processor time of a process: the kernel's nanoseconds of its threads, or its ticks where threads have ended
/// meanwhile.
fn used_by(id: u32) -> Result<Used> {
    let stat = Stat::read(id)?;
    let mut threads_ns = 0;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let path = thread?.path().join("schedstat");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let ns = text.split(' ').next().and_then(|word| word.parse::<u64>().ok());
        threads_ns += ns.with_context(|| format!("no number in {}", path.display()))?;
    }
    let cpu = Duration::from_nanos(threads_ns).max(ticks(stat.user + stat.system));
    Ok(Used { cpu, user: ticks(stat.user) })
}

fn memory_kib_of(id: u32) -> Result<u64> {
    let path = format!("/proc/{id}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.and_then(|word| word.parse().ok()).with_context(|| format!("no Pss in {path}"))
}

/// A kernel's tick is a hundredth of a second (`USER_HZ`), whatever its own clock does.
fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 10)
}

struct Stat {
    parent: u32,
    user: u64,
    system: u64,
}

impl Stat {
    fn read(id: u32) -> Result<Self> {
        let path = format!("/proc/{id}/stat");
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
        Self::parse(&text).with_context(|| format!("{path} is not as expected"))
    }

    /// Reads the words behind the program's name, which may hold anything, brackets too.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let words: Vec<_> = rest.split_whitespace().collect();
        let number = |index: usize| words.get(index)?.parse().ok();
        Some(Self { parent: words.get(1)?.parse().ok()?, user: number(11)?, system: number(12)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_no_obstacle() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 30 0 0 20 0 1 0 5 6 7";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.parent, stat.user, stat.system), (7, 150, 30));
    }

    #[test]
    fn what_is_dropped_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        let process = Process::start(command.arg("600"), &folder.path().join("log")).unwrap();
        let path = format!("/proc/{}", process.id());
        assert!(Path::new(&path).exists());
        drop(process);
        assert!(!Path::new(&path).exists());
    }
}
