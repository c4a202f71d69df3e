//! The measurements, in their order.
//!
//! Under each load the targets take turns, round by round: what the machine does meanwhile meets all of them. A
//! target of which something can't be measured is left out there, and named in the report; one that fails a check
//! ends the run.

mod connections;
mod features;
mod latency;
mod loads;
mod streams;

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::runtime::{Builder, Runtime};

pub use self::{
    connections::{HANDSHAKES, IDLE, START_UP},
    features::FEATURES,
    latency::LATENCY,
    loads::{LOADS, Load},
    streams::{STREAMS, Stream},
};
use crate::{
    about::About,
    checks,
    load::{Times, Window},
    process::{LOAD_CORE, pin_this_thread},
    results::{Failure, Results, What},
    targets::{Ground, Running, Target},
    upstream::{Nginx, Place, Scripted},
};

/// The selected measurements.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number of turns of each target under each load.
    pub rounds: u32,
    /// The length of a turn.
    pub times: Times,
    /// The loads, by how their names begin; none: all.
    pub only: Vec<String>,
    /// The targets.
    pub targets: Vec<Target>,
    /// The number of idle connections.
    pub idle_connections: usize,
}

impl Plan {
    fn wants(&self, load: &str) -> bool {
        // A number is meant whole: 10 streams are not 100.
        let begins = |start: &String| {
            let rest = load.strip_prefix(start.as_str());
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        };
        self.only.is_empty() || self.only.iter().any(begins)
    }

    fn peers(&self) -> impl Iterator<Item = Target> + '_ {
        self.targets.iter().copied().filter(|target| !target.is_ours())
    }
}

/// A run: what it wants, where it is, and what it has found.
pub(crate) struct Run<'a> {
    plan: &'a Plan,
    ground: &'a Ground,
    runtime: Runtime,
    application: Nginx,
    results: Results,
    keep: &'a dyn Fn(&Results) -> Result<()>,
}

/// A target that serves, and what it is called.
type Started = (Target, Running);

/// Checks all targets, and measures what is wanted of them. After each load, `keep` sees what there is.
pub fn run(plan: &Plan, ground: &Ground, keep: &dyn Fn(&Results) -> Result<()>) -> Result<Results> {
    ensure!(!plan.targets.is_empty(), "there is nothing to measure");
    rlimit::increase_nofile_limit(u64::MAX)?;
    pin_this_thread(LOAD_CORE)?;
    let mut run = Run {
        plan,
        ground,
        runtime: Builder::new_current_thread().enable_all().build()?,
        application: Nginx::start(&ground.new_folder("application")?)?,
        results: Results::new(About::now(&ground.crumbgate)?),
        keep,
    };
    run.check_all()?;
    run.loads()?;
    run.latency()?;
    run.handshakes()?;
    run.streams()?;
    run.features()?;
    run.idle()?;
    run.start_up()?;
    Ok(run.results)
}

impl Run<'_> {
    /// Each target before an application that shows what reaches it.
    fn check_all(&self) -> Result<()> {
        say("Checking what each target does");
        let folder = self.ground.new_folder("scripted")?;
        let scripted = self.runtime.block_on(Scripted::start(&folder))?;
        for &target in &self.plan.targets {
            for place in [scripted.tcp(), scripted.unix()] {
                let running = target.start(self.ground, &place)?;
                let endpoint = running.endpoint(self.ground);
                self.runtime.block_on(checks::check(target, &endpoint, &scripted))?;
            }
        }
        Ok(())
    }

    /// Starts targets before an application.
    fn start(&self, targets: &[Target], application: &Place) -> Result<Vec<Started>> {
        let start = |&target: &Target| Ok((target, target.start(self.ground, application)?));
        targets.iter().map(start).collect()
    }

    /// Gives each target its turn in each round; what a turn brings, it adds to the results.
    fn rounds<T>(
        &mut self,
        load: &str,
        rounds: u32,
        targets: &mut [T],
        name: impl Fn(&T) -> Target,
        mut turn: impl FnMut(&mut Self, &mut T) -> Result<()>,
    ) -> Result<()> {
        for round in 1..=rounds {
            say(&format!("{load}: round {round} of {rounds}"));
            for target in targets.iter_mut() {
                let named = name(target);
                if self.has_failed(load, named) {
                    continue;
                }
                if let Err(error) = turn(self, target) {
                    let error = format!("{error:#}");
                    say(&format!("{load}: {named}: {error}"));
                    let (load, target) = (load.to_owned(), named.to_string());
                    self.results.failures.push(Failure { load, target, error });
                }
            }
        }
        (self.keep)(&self.results)
    }

    fn has_failed(&self, load: &str, target: Target) -> bool {
        let target = target.to_string();
        let mut failures = self.results.failures.iter();
        failures.any(|failure| failure.load == load && failure.target == target)
    }

    /// Notes what a target has used for so many requests, messages or whatever else.
    fn note(&mut self, load: &str, target: Target, window: Window, count: u64) {
        #[expect(clippy::cast_precision_loss, reason = "no target has 2^52 KiB")]
        let memory = window.memory_kib as f64;
        for (what, value) in [
            (What::Cpu, window.cpu_us(count)),
            (What::User, window.user_us(count)),
            (What::Rate, window.rate(count)),
            (What::Memory, memory),
            (What::Foreign, window.foreign),
            (What::Stolen, window.stolen),
        ] {
            self.results.add(load, target, what, value);
        }
    }
}

/// Prints the progress, beside the report.
pub(crate) fn say(text: &str) {
    eprintln!("── {text}");
}

fn none_failed(errors: u64, first: Option<&str>) -> Result<()> {
    ensure!(errors == 0, "{errors} failed, the first: {}", first.unwrap_or("unknown"));
    Ok(())
}

/// After the start of a load that has no warm-up of its own.
const SETTLING: Duration = Duration::from_millis(300);
