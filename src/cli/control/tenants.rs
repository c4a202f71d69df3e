//! `crumbgate tenants`: lists and changes the tenants of the running gateway.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Subcommand;
use http::{
    Method, StatusCode,
    header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    client::{Api, Call, Client, Reply},
    reply::{print_json, refuse},
};
use crate::cli::output::{confirm, print};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Make many changes together: all of them, or none
    ///
    /// The file is JSON: {"changes": [{"host": "acme.example", "set": {"session": "2h"}},
    /// {"host": "old.example", "set": null}]}. null removes a tenant; "if_match" and "if_absent" are preconditions.
    Apply {
        /// The file; - reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        api: Api,
    },
    /// List the tenants, sorted by host
    List {
        /// Only hosts with this prefix
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: Api,
    },
    /// Remove a tenant that was set while the gateway ran
    Remove {
        /// The host, or *. and a host
        host: String,
        /// Only if the tenant still has this etag, as `show` prints it
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        api: Api,
    },
    /// Set keys of a tenant, which is created if it does not exist
    ///
    /// Other keys keep their values; `KEY=` resets a key to the default. The change applies from the next request on, and
    /// is kept across restarts. If somebody else changes the tenant at the same time, nothing is changed.
    Set {
        /// The host, or *. and a host
        host: String,
        /// session=2h, mode=report, evict=domain, agreement=notice, guard=watch, seal=true, upstream=app
        #[arg(value_name = "KEY=VALUE", value_parser = read_pair)]
        keys: Vec<(String, String)>,
        /// Only if the tenant still has this etag, as `show` prints it
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        api: Api,
    },
    /// Show a tenant
    Show {
        /// The host, or *. and a host
        host: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: Api,
    },
}

/// The options of a change.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Change {
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn read_pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) =
        text.split_once('=').ok_or("write a key and its value, such as session=2h")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs the command.
pub(in crate::cli) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Apply { file, change, api } => apply(&Client::new(&api)?, &file, &change),
        Command::List { prefix, json, api } => list(&Client::new(&api)?, prefix.as_deref(), json),
        Command::Remove { host, if_match, change, api } => {
            let fields = if_match.map(|tag| (IF_MATCH, quoted(&tag))).into_iter().collect();
            let client = Client::new(&api)?;
            let reply = client.send(Call {
                method: Method::DELETE,
                path: &path(&host, &change),
                fields,
                body: None,
            })?;
            print_result(&reply, &change)
        }
        Command::Set { host, keys, if_match, change, api } => {
            set(&Client::new(&api)?, &host, keys, if_match.as_deref(), &change)
        }
        Command::Show { host, json, api } => show(&Client::new(&api)?, &host, json),
    }
}

/// Prints page after page, so that a million tenants are never in memory at once.
fn list(client: &Client, prefix: Option<&str>, json: bool) -> Result<ExitCode> {
    let mut after: Option<String> = None;
    let mut is_first = true;
    loop {
        let mut path = "/v1/tenants?limit=1000".to_owned();
        for (key, value) in [("prefix", prefix), ("after", after.as_deref())] {
            if let Some(value) = value {
                path += &format!("&{key}={}", encoded(value));
            }
        }
        let reply = client.get(&path)?;
        if reply.is_refused() {
            return Ok(refuse(&reply));
        }
        let mut page = String::new();
        if is_first {
            page += if json { "{\"tenants\": [" } else { HEAD };
        }
        for tenant in reply.body["tenants"].as_array().into_iter().flatten() {
            if json {
                page += &format!("{}\n{tenant}", if is_first { "" } else { "," });
            } else {
                page += &row(tenant);
            }
            is_first = false;
        }
        is_first = false;
        after = reply.body["next"].as_str().map(str::to_owned);
        if after.is_none() && json {
            page += "\n]}\n";
        }
        print(page)?;
        if after.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

const HEAD: &str =
    "HOST                                     SESSION  MODE     EVICT   UPSTREAM         ORIGIN\n";

fn row(tenant: &Value) -> String {
    let text = |key: &str| tenant[key].as_str().unwrap_or_default();
    format!(
        "{:<40} {:<8} {:<8} {:<7} {:<16} {}\n",
        text("host"),
        text("session"),
        text("mode"),
        text("evict"),
        text("upstream"),
        text("origin")
    )
}

fn show(client: &Client, host: &str, json: bool) -> Result<ExitCode> {
    let reply = client.get(&format!("/v1/tenants/{}", encoded(host)))?;
    if reply.is_refused() {
        return Ok(refuse(&reply));
    }
    if json {
        print_json(&reply.body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |key: &str| reply.body[key].as_str().unwrap_or_default();
    let origin = match reply.body["place"].as_str() {
        Some(place) => format!("configured at {place}"),
        None => "set at run time".to_owned(),
    };
    print(format!(
        "host      {}\nupstream  {}\nsession   {}\nmode      {}\nevict     {}\nseal      {}\nagreement {}\nguard     {}\norigin    {origin}\netag      {}\n",
        text("host"),
        text("upstream"),
        text("session"),
        text("mode"),
        text("evict"),
        reply.body["seal"],
        text("agreement"),
        text("guard"),
        text("etag")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the tenant, changes the given keys, and writes it back unless somebody else has changed it in between.
fn set(
    client: &Client,
    host: &str,
    keys: Vec<(String, String)>,
    if_match: Option<&str>,
    change: &Change,
) -> Result<ExitCode> {
    let found = client.get(&format!("/v1/tenants/{}", encoded(host)))?;
    let is_absent = found.status == StatusCode::NOT_FOUND;
    if found.is_refused() && !is_absent {
        return Ok(refuse(&found));
    }
    let mut set = found.body["keys"].as_object().cloned().unwrap_or_default();
    for (key, value) in keys {
        put(&mut set, key, &value);
    }
    let field = match (if_match, &found.tag) {
        (Some(tag), _) => (IF_MATCH, quoted(tag)),
        (None, Some(tag)) => (IF_MATCH, tag.clone()),
        (None, None) => (IF_NONE_MATCH, "*".to_owned()),
    };
    let reply = client.send(Call {
        method: Method::PUT,
        path: &path(host, change),
        fields: vec![field],
        body: Some(Value::Object(set).to_string().into_bytes()),
    })?;
    print_result(&reply, change)
}

/// Sets a key to a number, a boolean or a string. An empty value removes the key.
fn put(keys: &mut Map<String, Value>, key: String, value: &str) {
    if value.is_empty() {
        keys.remove(&key);
        return;
    }
    let number = value.parse::<u64>().ok().map(Value::from);
    let truth = || value.parse::<bool>().ok().map(Value::from);
    keys.insert(key, number.or_else(truth).unwrap_or_else(|| value.into()));
}

fn apply(client: &Client, file: &Path, change: &Change) -> Result<ExitCode> {
    let mut body = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MAX_BATCH_BYTES).read_to_end(&mut body).map(drop)
    } else {
        fs::read(file).map(|bytes| body = bytes)
    };
    read.with_context(|| format!("{} can't be read", file.display()))?;
    let path = format!("/v1/tenants/batch?dry_run={}", change.dry_run);
    let fields: Vec<(HeaderName, String)> = Vec::new();
    let reply =
        client.send(Call { method: Method::POST, path: &path, fields, body: Some(body) })?;
    print_result(&reply, change)
}

/// One more than the gateway's limit, so that the gateway rejects a larger file.
const MAX_BATCH_BYTES: u64 = 16 * 1024 * 1024 + 1;

/// Prints the changes, made or simulated.
fn print_result(reply: &Reply, change: &Change) -> Result<ExitCode> {
    if reply.is_refused() {
        return Ok(refuse(reply));
    }
    if change.json {
        print_json(&reply.body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let one = json!([reply.body]);
    let changes = reply.body.get("changes").unwrap_or(&one).as_array().cloned().unwrap_or_default();
    let shown: String = changes.iter().map(|changed| lines(changed, change.dry_run)).collect();
    let all = reply.body["changed"].as_u64().unwrap_or_default();
    let unshown = all.saturating_sub(changes.len() as u64);
    let more = if unshown == 0 { String::new() } else { format!("and {unshown} more\n") };
    let text = format!("{shown}{more}");
    // A dry run's result was requested; after a change the text only confirms it.
    if change.dry_run {
        print(text)?
    } else {
        confirm(text)?
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(changed: &Value, dry_run: bool) -> String {
    let (before, after) = (&changed["before"], &changed["after"]);
    let done = match (before.is_null(), after.is_null()) {
        (true, _) => "set",
        (false, true) => "removed",
        (false, false) => "changed",
    };
    let would = if dry_run { "would be " } else { "" };
    let host = changed["host"].as_str().unwrap_or_default();
    let mut lines = format!("{host}: {would}{done}\n");
    for key in ["session", "mode", "evict", "seal", "agreement", "guard", "upstream"] {
        let text = |tenant: &Value| match &tenant[key] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        let (before, after) = (text(before), text(after));
        if before != after {
            lines += &format!("  {key:<10} {before} -> {after}\n");
        }
    }
    lines
}

fn path(host: &str, change: &Change) -> String {
    format!("/v1/tenants/{}?dry_run={}", encoded(host), change.dry_run)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, EXCEPT_HOSTS).to_string()
}

const EXCEPT_HOSTS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Adds the quotes that HTTP requires around an entity tag.
fn quoted(tag: &str) -> String {
    if tag == "*" || tag.starts_with('"') { tag.to_owned() } else { format!("\"{tag}\"") }
}
