//! `crumbgate reload`: the running gateway reads its configuration anew.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use http::{Method, StatusCode};

use super::{Api, Client, client::Asked, refuse};
use crate::cli::{complain, confirm};

/// Asks for it, and says what came of it.
pub(in crate::cli) fn run(api: &Api) -> Result<ExitCode> {
    let client = Client::new(api)?;
    let asked = Asked { method: Method::POST, path: "/v1/reload", fields: Vec::new(), body: None };
    let reply = client.ask(asked)?;
    let body = &reply.body;
    if let Some(text) = body["text"].as_str().filter(|text| !text.is_empty()) {
        // Nobody reads it if it can't be written.
        let _ = writeln!(io::stderr(), "{text}");
    }
    if reply.status == StatusCode::UNPROCESSABLE_ENTITY {
        complain(body["detail"].as_str().unwrap_or("the new configuration is refused"));
        return Ok(ExitCode::FAILURE);
    }
    if reply.is_refused() {
        return Ok(refuse(&reply));
    }
    for kept in body["kept"].as_array().into_iter().flatten() {
        let word = |key: &str| kept[key].as_str().unwrap_or_default();
        complain(&format!("{}: {}: a restart changes it", word("key"), word("message")));
    }
    let tenants = match body["tenants"].as_u64() {
        Some(1) => "1 tenant".to_owned(),
        number => format!("{} tenants", number.unwrap_or_default()),
    };
    let hash = body["config_hash"].as_str().unwrap_or_default();
    confirm(format!("reloaded: {tenants}, configuration {hash}\n"))?;
    Ok(ExitCode::SUCCESS)
}
