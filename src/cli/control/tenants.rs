//! `crumbgate tenants`: the running gateway's table of tenants.

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

use super::{Api, Client, Reply, client::Asked, refuse, say_json};
use crate::cli::{confirm, say};

/// What can be asked of the table.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Make many changes at once: all of them, or none
    ///
    /// The file is JSON: {"changes": [{"host": "acme.example", "set": {"session": "2h"}},
    /// {"host": "old.example", "set": null}]}. null removes a tenant; "if_match" and "if_absent" say what must be there.
    Apply {
        /// The file; - is the standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        api: Api,
    },
    /// List the tenants, in the order of their hosts
    List {
        /// Only those whose hosts begin so
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
        /// Its host, or *. and a host
        host: String,
        /// Only if it is the one with this etag, as `show` prints it
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        api: Api,
    },
    /// Set keys of a tenant, which is made where there is none
    ///
    /// Its other keys stay as they are; `KEY=` takes one back to the defaults. It holds for the next request, and
    /// survives a restart. Where somebody else changes the tenant at the same moment, nothing is changed.
    Set {
        /// Its host, or *. and a host
        host: String,
        /// session=2h, mode=report, evict=domain, agreement=notice, seal=true, upstream=app
        #[arg(value_name = "KEY=VALUE", value_parser = read_pair)]
        keys: Vec<(String, String)>,
        /// Only if it is the one with this etag, as `show` prints it
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        api: Api,
    },
    /// Show a tenant
    Show {
        /// Its host, or *. and a host
        host: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        api: Api,
    },
}

/// How something is changed.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Change {
    /// Change nothing, and say what would change
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn read_pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write a key and its value, as in session=2h")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Does what is asked.
pub(in crate::cli) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Apply { file, change, api } => apply(&Client::new(&api)?, &file, &change),
        Command::List { prefix, json, api } => list(&Client::new(&api)?, prefix.as_deref(), json),
        Command::Remove { host, if_match, change, api } => {
            let fields = if_match.map(|tag| (IF_MATCH, quoted(&tag))).into_iter().collect();
            let client = Client::new(&api)?;
            let reply = client.ask(Asked {
                method: Method::DELETE,
                path: &path(&host, &change),
                fields,
                body: None,
            })?;
            told(&reply, &change)
        }
        Command::Set { host, keys, if_match, change, api } => {
            set(&Client::new(&api)?, &host, keys, if_match.as_deref(), &change)
        }
        Command::Show { host, json, api } => show(&Client::new(&api)?, &host, json),
    }
}

/// All pages, each printed as it comes: a million tenants are nowhere at once.
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
        say(page)?;
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
        say_json(&reply.body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = |key: &str| reply.body[key].as_str().unwrap_or_default();
    let origin = match reply.body["place"].as_str() {
        Some(place) => format!("written at {place}"),
        None => "set while the gateway runs".to_owned(),
    };
    say(format!(
        "host      {}\nupstream  {}\nsession   {}\nmode      {}\nevict     {}\nseal      {}\nagreement {}\norigin    {origin}\netag      {}\n",
        text("host"),
        text("upstream"),
        text("session"),
        text("mode"),
        text("evict"),
        reply.body["seal"],
        text("agreement"),
        text("etag")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at what there is, changes the keys that were named, and sends it back if nobody else did meanwhile.
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
    let reply = client.ask(Asked {
        method: Method::PUT,
        path: &path(host, change),
        fields: vec![field],
        body: Some(Value::Object(set).to_string().into_bytes()),
    })?;
    told(&reply, change)
}

/// A number is one, and so is a truth value; nothing is no key.
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
        client.ask(Asked { method: Method::POST, path: &path, fields, body: Some(body) })?;
    told(&reply, change)
}

/// One more than the gateway reads, so that it is the one to refuse.
const MAX_BATCH_BYTES: u64 = 16 * 1024 * 1024 + 1;

/// Says what was changed, or would be.
fn told(reply: &Reply, change: &Change) -> Result<ExitCode> {
    if reply.is_refused() {
        return Ok(refuse(reply));
    }
    if change.json {
        say_json(&reply.body)?;
        return Ok(ExitCode::SUCCESS);
    }
    let one = json!([reply.body]);
    let changes = reply.body.get("changes").unwrap_or(&one).as_array().cloned().unwrap_or_default();
    let shown: String = changes.iter().map(|changed| told_one(changed, change.dry_run)).collect();
    let all = reply.body["changed"].as_u64().unwrap_or_default();
    let unshown = all.saturating_sub(changes.len() as u64);
    let more = if unshown == 0 { String::new() } else { format!("and {unshown} more\n") };
    let told = format!("{shown}{more}");
    // What would be changed was asked for; what was, is as it was asked for.
    if change.dry_run {
        say(told)?
    } else {
        confirm(told)?
    }
    Ok(ExitCode::SUCCESS)
}

fn told_one(changed: &Value, dry_run: bool) -> String {
    let (before, after) = (&changed["before"], &changed["after"]);
    let done = match (before.is_null(), after.is_null()) {
        (true, _) => "set",
        (false, true) => "removed",
        (false, false) => "changed",
    };
    let would = if dry_run { "would be " } else { "" };
    let host = changed["host"].as_str().unwrap_or_default();
    let mut lines = format!("{host}: {would}{done}\n");
    for key in ["session", "mode", "evict", "seal", "agreement", "upstream"] {
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

/// An entity tag as HTTP writes it.
fn quoted(tag: &str) -> String {
    if tag == "*" || tag.starts_with('"') { tag.to_owned() } else { format!("\"{tag}\"") }
}
