//! HAProxy: one thread, one process.

use std::{fs, path::Path};

use anyhow::Result;

use super::{CONNECTIONS, Ground, Running, fill, free_address, start_peer};
use crate::{
    process::{PROXY_CORE, pinned},
    upstream::Place,
};

pub(super) fn start(
    policy: bool,
    run: &Ground,
    folder: &Path,
    application: &Place,
) -> Result<Running> {
    let address = free_address()?;
    let server = match application {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(path) => format!("unix@{}", path.display()),
    };
    let rules = if policy { include_str!("../../peers/haproxy-policy.cfg") } else { "" };
    let written = fill(
        include_str!("../../peers/haproxy.cfg"),
        &[
            ("RULES", rules),
            ("FOLDER", &folder.display().to_string()),
            ("CONNECTIONS", &CONNECTIONS.to_string()),
            ("ADDRESS", &address.to_string()),
            ("CERTIFICATE", &run.certificate.both.display().to_string()),
            ("SERVER", &server),
        ],
    );
    let config = folder.join("haproxy.cfg");
    fs::write(&config, written)?;
    let mut command = pinned(&PROXY_CORE.to_string(), Path::new("haproxy"));
    command.arg("-db").arg("-f").arg(&config);
    start_peer(&mut command, folder, address)
}
