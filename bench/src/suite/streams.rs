//! The cost of bytes and messages: large bodies both ways, and WebSockets.

use anyhow::Result;

use super::{Run, SETTLING, Started, none_failed};
use crate::{
    clients::{
        bodies::{self, Direction},
        websocket,
    },
    load::Watch,
    upstream::Own,
};

/// The traffic through a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// Bodies of 1 MiB.
    Bodies(Direction),
    /// Messages of so many bytes that come back.
    Messages(usize),
}

/// The loads' names, with what they are for people.
pub const STREAMS: [(&str, &str, Stream); 4] = [
    ("body-down", "1 MiB downloaded, 4 connections", Stream::Bodies(Direction::Down)),
    ("body-up", "1 MiB uploaded, 4 connections", Stream::Bodies(Direction::Up)),
    (
        "websocket-small",
        "WebSocket message of 64 bytes and its echo, 32 connections",
        Stream::Messages(64),
    ),
    (
        "websocket-large",
        "WebSocket message of 4 KiB and its echo, 32 connections",
        Stream::Messages(4096),
    ),
];

const BODY_CONNECTIONS: usize = 4;
const SOCKET_CONNECTIONS: usize = 32;

impl Run<'_> {
    /// Bodies and messages, by an application that takes and returns them.
    pub(super) fn streams(&mut self) -> Result<()> {
        let wanted: Vec<_> =
            STREAMS.iter().filter(|(name, ..)| self.plan.wants(name)).copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let application = Own::start(&self.ground.new_folder("own")?)?;
        let mut targets = self.start(&self.plan.targets, &application.tcp())?;
        for (name, _, stream) in wanted {
            let turn = |run: &mut Self, started: &mut Started| run.stream(name, stream, started);
            self.rounds(name, self.plan.rounds, &mut targets, |(target, _)| *target, turn)?;
        }
        Ok(())
    }

    fn stream(&mut self, name: &str, stream: Stream, (target, running): &Started) -> Result<()> {
        let (endpoint, time) = (running.endpoint(self.ground), self.plan.times.window);
        let runtime = &self.runtime;
        let (window, count, errors, error) = match stream {
            Stream::Bodies(direction) => {
                let opened = bodies::Load::open(&endpoint, direction, BODY_CONNECTIONS);
                let mut load = runtime.block_on(opened)?;
                runtime.block_on(load.run(SETTLING))?;
                let watch = Watch::start(&running.process)?;
                let done = runtime.block_on(load.run(time))?;
                (watch.stop()?, done.requests, done.errors, done.first_error)
            }
            Stream::Messages(bytes) => {
                let opened = websocket::Load::open(&endpoint, SOCKET_CONNECTIONS, bytes);
                let mut load = runtime.block_on(opened)?;
                runtime.block_on(load.run(SETTLING))?;
                let watch = Watch::start(&running.process)?;
                let done = runtime.block_on(load.run(time))?;
                (watch.stop()?, done.messages, done.errors, done.first_error)
            }
        };
        none_failed(errors, error.as_deref())?;
        self.note(name, *target, window, count);
        Ok(())
    }
}
