//! `crumbgate tenants`, `reload` and `status`: what is asked of the running gateway, by its API.

mod client;
mod reload;
mod status;
mod tenants;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

use client::{Client, Reply};

pub(super) use reload::run as reload;
pub(super) use status::run as status;
pub(super) use tenants::{Command as TenantsCommand, run as tenants};

/// Which gateway is asked, and by whom.
#[derive(Debug, clap::Args)]
pub(super) struct Api {
    /// The gateway's configuration file, which says where it is administered
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    /// Where it is administered, if not where the file says: 127.0.0.1:9443, or unix:/run/crumbgate.sock
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// A file that holds your token [default: $CRUMBGATE_TOKEN_FILE, or the first operator's of admin.token_file]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Says why the answer is no, and how to mend it.
fn refuse(reply: &Reply) -> ExitCode {
    super::complain(&reply.problem());
    ExitCode::FAILURE
}

/// An answer as a program reads it.
fn say_json(value: &serde_json::Value) -> Result<()> {
    super::say(serde_json::to_string_pretty(value)? + "\n")
}
