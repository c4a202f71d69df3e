//! Connections that have been used once, and now do nothing.

use std::{io, net::TcpStream};

use anyhow::{Context as _, ensure};
use rustls::client::Resumption;

use super::{
    Endpoint, Request,
    crowd::open_all,
    http1::{Buffer, exchange},
    paths,
    tls::{Connector, Stream},
};

/// Connections that are open as long as this is held.
///
/// On this side nothing is kept of their TLS sessions: they are a file each.
pub struct IdleConnections(Vec<TcpStream>);

impl IdleConnections {
    /// The number of connections that the target has not closed.
    pub fn count_open(&self) -> usize {
        self.0.iter().filter(|stream| is_open(stream)).count()
    }
}

fn is_open(stream: &TcpStream) -> bool {
    match stream.peek(&mut [0; 1]) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Opens that many connections, each of which has shaken hands and had one answer.
///
/// Each number of 5,000 comes from another loopback address. Raises the limit of open files; fails where it can't be
/// raised far enough.
pub async fn open(endpoint: &Endpoint, connections: usize) -> anyhow::Result<IdleConnections> {
    raise_file_limit(connections)?;
    let connector = Connector::new(endpoint, Resumption::disabled())?;
    let request = Request::get(paths::TINY).to_bytes(connector.host());
    let first =
        async |stream: &mut Stream, buffer: &mut Buffer| exchange(stream, &request, buffer).await;
    let streams = open_all(&connector, connections, first).await?;
    let files = streams.into_iter().map(|stream| stream.into_inner().0.into_std());
    Ok(IdleConnections(files.collect::<Result<_, _>>().context("a connection can't be kept")?))
}

/// Lets this process have that many connections.
pub fn raise_file_limit(connections: usize) -> anyhow::Result<()> {
    let limit = rlimit::increase_nofile_limit(u64::MAX);
    let limit = limit.context("the limit of open files can't be raised")?;
    let needed = connections as u64 + FILES_BESIDE_CONNECTIONS;
    ensure!(limit >= needed, "{needed} open files are needed, and {limit} are allowed");
    Ok(())
}

const FILES_BESIDE_CONNECTIONS: u64 = 64;
