//! HAProxy: one thread, one process.

use std::{fs, path::Path};

use anyhow::Result;

use super::{CONNECTIONS, Ground, Running, fill, free_address};
use crate::{
    process::{PROXY_CORE, pinned},
    upstream::Place,
};

/// Leaves cookies alone.
pub(super) const PLAIN: &str = "";

/// Does the policy with rules of its own.
pub(super) const POLICY: &str = include_str!("../../peers/haproxy-policy.cfg");

/// Starts it with its files in this folder. It may not listen yet.
pub(super) fn launch(
    rules: &str,
    run: &Ground,
    folder: &Path,
    application: &Place,
) -> Result<Running> {
    let address = free_address()?;
    let server = match application {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(path) => format!("unix@{}", path.display()),
    };
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
    Running::launch(&mut command, folder, address)
}
