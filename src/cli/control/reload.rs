//! `crumbgate reload`: reloads the configuration of the running gateway.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use http::{Method, StatusCode};

use super::{
    client::{Api, Call, Client},
    reply::refuse,
};
use crate::cli::output::{complain, confirm};

/// Requests a reload and prints its result.
pub(in crate::cli) fn run(api: &Api) -> Result<ExitCode> {
    let client = Client::new(api)?;
    let call = Call { method: Method::POST, path: "/v1/reload", fields: Vec::new(), body: None };
    let reply = client.send(call)?;
    let body = &reply.body;
    if let Some(text) = body["text"].as_str().filter(|text| !text.is_empty()) {
        // A failure to write to standard error is ignored.
        let _ = writeln!(io::stderr(), "{text}");
    }
    if reply.status == StatusCode::UNPROCESSABLE_ENTITY {
        complain(body["detail"].as_str().unwrap_or("the new configuration is rejected"));
        return Ok(ExitCode::FAILURE);
    }
    if reply.is_refused() {
        return Ok(refuse(&reply));
    }
    for kept in body["kept"].as_array().into_iter().flatten() {
        let word = |key: &str| kept[key].as_str().unwrap_or_default();
        complain(&format!("{}: {}: this needs a restart", word("key"), word("message")));
    }
    let tenants = match body["tenants"].as_u64() {
        Some(1) => "1 tenant".to_owned(),
        number => format!("{} tenants", number.unwrap_or_default()),
    };
    let hash = body["config_hash"].as_str().unwrap_or_default();
    confirm(format!("reloaded: {tenants}, configuration {hash}\n"))?;
    Ok(ExitCode::SUCCESS)
}
