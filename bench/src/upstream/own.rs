use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Place;
use crate::{
    clients,
    process::{LOAD_CORE, Process, pinned},
};

/// The application of this crate, as a process of its own: it serves large bodies and WebSockets.
#[derive(Debug)]
pub struct Own {
    address: SocketAddr,
    _process: Process,
}

impl Own {
    /// Starts it, with its files in this folder.
    pub fn start(folder: &Path) -> Result<Self> {
        let program = env::current_exe().context("where is this program?")?;
        let mut command = pinned(&LOAD_CORE.to_string(), &program);
        command.arg("upstream");
        let mut process = Process::start(&mut command, &folder.join("own.log"))?;
        let address = process.wait_for("its address", |log| {
            log.strip_prefix(GREETING)?.strip_suffix('\n')?.parse().ok()
        })?;
        Ok(Self { address, _process: process })
    }

    /// Its TCP port.
    pub fn tcp(&self) -> Place {
        Place::Tcp(self.address)
    }
}

/// Serves until the process is ended: what the process does that [`Own::start`] starts.
///
/// The first line that it prints is the address at which it listens.
pub async fn serve(listen: SocketAddr, unix: Option<PathBuf>) -> Result<()> {
    let upstream = clients::upstream::Upstream::bind(listen, unix.as_deref())?;
    println!("{GREETING}{}", upstream.address()?);
    upstream.serve().await
}

const GREETING: &str = "listening on ";
