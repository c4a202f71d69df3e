use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process::{Core, PROXY_CORE, Process, Used};

/// Looks at a target while something happens.
#[derive(Debug)]
pub struct Watch<'a> {
    process: &'a Process,
    begun: Instant,
    used: Used,
    core: Core,
}

/// The resources that a target has used between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The duration.
    pub took: Duration,
    /// The resources that the target has used.
    pub used: Used,
    /// Its memory at the end.
    pub memory_kib: u64,
    /// The part of the time in which other programs had the target's core.
    pub foreign: f64,
    /// The part of the time in which the machine below gave the core to others. It counts as used.
    pub stolen: f64,
}

impl<'a> Watch<'a> {
    /// Begins to watch.
    pub fn start(process: &'a Process) -> Result<Self> {
        let core = Core::read(PROXY_CORE)?;
        Ok(Self { process, begun: Instant::now(), used: process.used()?, core })
    }

    /// Ends it.
    pub fn stop(self) -> Result<Window> {
        let (took, used) = (self.begun.elapsed(), self.process.used()?.since(self.used));
        let core = Core::read(PROXY_CORE)?;
        let busy = core.busy.saturating_sub(self.core.busy);
        let stolen = core.stolen.saturating_sub(self.core.stolen);
        let part = |time: Duration| time.as_secs_f64() / took.as_secs_f64();
        Ok(Window {
            took,
            used,
            memory_kib: self.process.memory_kib()?,
            foreign: part(busy.saturating_sub(used.cpu)),
            stolen: part(stolen),
        })
    }
}

impl Window {
    /// Microseconds on a core for each of so many.
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    pub fn cpu_us(&self, count: u64) -> f64 {
        self.used.cpu.as_secs_f64() * 1e6 / count as f64
    }

    /// The part of it outside the kernel.
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    pub fn user_us(&self, count: u64) -> f64 {
        self.used.user.as_secs_f64() * 1e6 / count as f64
    }

    /// So many, each second.
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    pub fn rate(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64()
    }
}
