//! The loads of wrk and h2load.

use anyhow::Result;

use super::{Run, Started};
use crate::{
    load::{Http1, Http2, Sample, Times},
    targets::Running,
    traffic::{self, Request, UNDECLARED_MAX},
    upstream::Nginx,
};

/// A load that wrk or h2load makes.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Its name: in the command's arguments, and in JSON.
    pub name: &'static str,
    /// The description.
    pub title: &'static str,
    request: fn() -> Request,
    connections: u32,
    /// On each connection, if it is HTTP/2.
    streams: Option<u32>,
    socket: Socket,
}

/// The connection to the application.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Socket {
    Tcp,
    Unix,
}

/// All of them.
pub const LOADS: [Load; 17] = [
    http1("h1-json-c1", "JSON, 1 connection: one request at a time", json, 1),
    http1("h1-json-c4", "JSON, 4 connections", json, 4),
    http1("h1-json-c32", "JSON, 32 connections", json, 32),
    http1("h1-json-c256", "JSON, 256 connections", json, 256),
    http1("h1-json-none-c32", "JSON, 32 connections, nothing undeclared", || traffic::json(0), 32),
    http1(
        "h1-json-one-c32",
        "JSON, 32 connections, 1 undeclared each way",
        || traffic::json(1),
        32,
    ),
    http1("h1-renewal-c32", "JSON, 32 connections, session renewed", traffic::renewal, 32),
    http1("h1-page-c32", "8 KiB page, 32 connections", traffic::page, 32),
    http1("h1-navigation-c32", "8 KiB page, 32 connections, navigation", traffic::navigation, 32),
    Load {
        socket: Socket::Unix,
        ..http1("unix-json-c32", "JSON, 32 connections, Unix socket", json, 32)
    },
    http2("h2-json-s1", "JSON, 16 connections, 1 stream each", json, 1),
    http2("h2-json-s10", "JSON, 16 connections, 10 streams each", json, 10),
    http2("h2-json-s100", "JSON, 16 connections, 100 streams each", json, 100),
    http2("h2-page-s1", "8 KiB page, 16 connections, 1 stream each", traffic::page, 1),
    http2("h2-page-s10", "8 KiB page, 16 connections, 10 streams each", traffic::page, 10),
    http2("h2-page-s100", "8 KiB page, 16 connections, 100 streams each", traffic::page, 100),
    http1("h1-tiny-c32", "3 bytes, 32 connections", traffic::tiny, 32),
];

const fn http1(
    name: &'static str,
    title: &'static str,
    request: fn() -> Request,
    connections: u32,
) -> Load {
    Load { name, title, request, connections, streams: None, socket: Socket::Tcp }
}

const fn http2(
    name: &'static str,
    title: &'static str,
    request: fn() -> Request,
    streams: u32,
) -> Load {
    Load { name, title, request, connections: 16, streams: Some(streams), socket: Socket::Tcp }
}

fn json() -> Request {
    traffic::json(UNDECLARED_MAX)
}

impl Load {
    /// The load of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        LOADS.iter().find(|load| load.name == name)
    }

    /// Puts a target under it.
    pub fn put_on(&self, target: &Running, application: &Nginx, times: Times) -> Result<Sample> {
        let (request, connections) = ((self.request)(), self.connections);
        match self.streams {
            None => Http1 { request, connections }.run(target, application, times),
            Some(streams) => {
                Http2 { request, connections, streams }.run(target, application, times)
            }
        }
    }
}

impl Run<'_> {
    /// All loads that are wanted, over TCP and over a Unix socket.
    pub(super) fn loads(&mut self) -> Result<()> {
        for socket in [Socket::Tcp, Socket::Unix] {
            let wanted = LOADS.iter().filter(|load| load.socket == socket);
            let wanted: Vec<_> = wanted.filter(|load| self.plan.wants(load.name)).collect();
            if wanted.is_empty() {
                continue;
            }
            let application = match socket {
                Socket::Tcp => self.application.tcp(),
                Socket::Unix => self.application.unix(),
            };
            let mut targets = self.start(&self.plan.targets, &application)?;
            for load in wanted {
                self.load(load, load.name, &mut targets)?;
            }
        }
        Ok(())
    }

    /// One load, for all targets, noted under `name`.
    pub(super) fn load(&mut self, load: &Load, name: &str, targets: &mut [Started]) -> Result<()> {
        let turn = |run: &mut Self, (target, running): &mut Started| {
            running.process.still_runs()?;
            let sample = load.put_on(running, &run.application, run.plan.times)?;
            run.note(name, *target, sample.window, sample.requests);
            Ok(())
        };
        self.rounds(name, self.plan.rounds, targets, |(target, _)| *target, turn)
    }
}
