//! The cost of connections: to open them, to keep them, and the start of the whole program.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{Run, Started, none_failed};
use crate::{
    clients::{
        handshakes::{Clients, Resumption},
        idle,
    },
    load::Watch,
    probe::{Probe, Version},
    results::What,
    targets::Target,
    traffic,
};

/// The loads' names, with what they are for people.
pub const HANDSHAKES: [(&str, &str, Resumption); 2] = [
    ("handshake-full", "full handshake, and a tiny request", Resumption::Full),
    ("handshake-resumed", "resumed handshake, and a tiny request", Resumption::Resumed),
];

/// The name of the load of idle connections.
pub const IDLE: &str = "idle";

/// The name of what measures the start.
pub const START_UP: &str = "start";

impl Run<'_> {
    /// New connections, with a tiny request each.
    pub(super) fn handshakes(&mut self) -> Result<()> {
        for (name, _, resumption) in HANDSHAKES {
            if !self.plan.wants(name) {
                continue;
            }
            let mut targets = self.start(&self.plan.targets, &self.application.tcp())?;
            let turn = |run: &mut Self, (target, running): &mut Started| {
                let endpoint = running.endpoint(run.ground);
                let clients = run.runtime.block_on(Clients::open(&endpoint, resumption))?;
                run.runtime.block_on(clients.run(super::SETTLING))?;
                let watch = Watch::start(&running.process)?;
                let done = run.runtime.block_on(clients.run(run.plan.times.window))?;
                let window = watch.stop()?;
                none_failed(done.errors, done.first_error.as_deref())?;
                run.note(name, *target, window, done.count);
                Ok(())
            };
            self.rounds(name, self.plan.rounds, &mut targets, |(target, _)| *target, turn)?;
        }
        Ok(())
    }

    /// The additional memory of a target for each of many idle connections. Each round has a new target.
    pub(super) fn idle(&mut self) -> Result<()> {
        if !self.plan.wants(IDLE) {
            return Ok(());
        }
        let count = self.plan.idle_connections;
        let turn = |run: &mut Self, target: &mut Target| {
            let running = target.start(run.ground, &run.application.tcp())?;
            let endpoint = running.endpoint(run.ground);
            // What every target makes for its first connections is none of theirs.
            drop(run.runtime.block_on(idle::open(&endpoint, FIRST_CONNECTIONS))?);
            thread::sleep(IDLE_PAUSE);
            let before = running.process.memory_kib()?;
            let connections = run.runtime.block_on(idle::open(&endpoint, count))?;
            thread::sleep(IDLE_PAUSE);
            let after = running.process.memory_kib()?;
            let open = connections.count_open();
            ensure!(open == count, "{} connections were closed", count - open);
            #[expect(clippy::cast_precision_loss, reason = "no target has 2^52 KiB")]
            let each = after.saturating_sub(before) as f64 / count as f64;
            run.results.add(IDLE, *target, What::MemoryPerConnection, each);
            Ok(())
        };
        let rounds = self.plan.rounds.min(IDLE_ROUNDS);
        // The policy does nothing to a connection.
        let targets = self.plan.targets.iter().copied();
        let mut targets: Vec<_> =
            targets.filter(|target| target.is_ours() || !target.does_policy()).collect();
        self.rounds(IDLE, rounds, &mut targets, |target| *target, turn)
    }

    /// The time from a target's start to its first answer.
    pub(super) fn start_up(&mut self) -> Result<()> {
        if !self.plan.wants(START_UP) {
            return Ok(());
        }
        let turn = |run: &mut Self, target: &mut Target| {
            let mut running = target.launch(run.ground, &run.application.tcp())?;
            let endpoint = running.endpoint(run.ground);
            let deadline = Instant::now() + START_LIMIT;
            let first = async || -> Result<_> {
                let mut probe = Probe::connect(&endpoint, Version::One).await?;
                probe.ask(&traffic::tiny()).await
            };
            let received = loop {
                if let Ok(received) = run.runtime.block_on(first()) {
                    break received;
                }
                running.process.still_runs()?;
                ensure!(Instant::now() < deadline, "it does not answer");
                thread::sleep(Duration::from_micros(500));
            };
            let took = running.process.started().elapsed();
            ensure!(received.status == 200, "the first answer is {}", received.status);
            run.results.add(START_UP, *target, What::StartUp, took.as_secs_f64() * 1000.0);
            Ok(())
        };
        let rounds = self.plan.rounds;
        self.rounds(START_UP, rounds, &mut self.plan.targets.clone(), |target| *target, turn)
    }
}

const FIRST_CONNECTIONS: usize = 200;
const IDLE_PAUSE: Duration = Duration::from_secs(3);
const IDLE_ROUNDS: u32 = 3;
const START_LIMIT: Duration = Duration::from_secs(10);
