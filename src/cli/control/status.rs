//! `crumbgate status`: shows the state of the running gateway.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use super::{
    client::{Api, Client},
    reply::{print_json, refuse},
};
use crate::cli::output::print;

/// Prints the state.
pub(in crate::cli) fn run(api: &Api, json: bool) -> Result<ExitCode> {
    let reply = Client::new(api)?.get("/v1/status")?;
    if reply.is_refused() {
        return Ok(refuse(&reply));
    }
    if json {
        print_json(&reply.body)?;
    } else {
        print(lines(&reply.body))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(status: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut lines = String::new();
    let mut line = |name: &str, value: String| lines.push_str(&format!("{name:<15}{value}\n"));
    line("version", text(&status["version"]));
    let why = status["not_ready"].as_str().map_or_else(String::new, |why| format!(": {why}"));
    line("ready", format!("{}{why}", if status["ready"] == true { "yes" } else { "no" }));
    line("started", format!("{}, {} s ago", text(&status["started"]), text(&status["uptime_s"])));
    line("configuration", text(&status["config_file"]));
    line("", text(&status["config_hash"]));
    let reload = &status["last_reload"];
    line(
        "last reload",
        match (reload["at"].as_str(), reload["refused"] == true) {
            (None, _) => "none since the start".to_owned(),
            (Some(at), false) => format!("{at}, by {}", text(&reload["actor"])),
            (Some(at), true) => {
                format!(
                    "{at}, by {}: rejected, the previous configuration stays in force",
                    text(&reload["actor"])
                )
            }
        },
    );
    for listener in status["listeners"].as_array().into_iter().flatten() {
        line("listens", format!("{} ({})", text(&listener["address"]), text(&listener["key"])));
    }
    line("workers", text(&status["workers"]));
    line("connections", text(&status["connections"]));
    let live = text(&status["live_tenants"]);
    line("tenants", format!("{}, {live} of them set at run time", text(&status["tenants"])));
    let guard = &status["guard"];
    let counts = ["guarded", "unguarded", "names"].map(|key| guard[key].as_u64());
    if counts.iter().any(|count| count.is_some_and(|count| count > 0)) {
        let pages = [&guard["guarded"], &guard["unguarded"]].map(text);
        line("guard", format!("{} pages with it, {} without", pages[0], pages[1]));
        line("reported", format!("{} names by browsers; the last ones:", text(&guard["names"])));
    }
    for name in guard["reported"].as_array().into_iter().flatten() {
        let about = ["kind", "tenant", "mode", "vendor"].map(|key| text(&name[key]));
        let [times, first, last] = ["reports", "first", "last"].map(|key| text(&name[key]));
        let (name, about) = (text(&name["name"]), about.join(", "));
        line("", format!("{name} ({about}): {times} times, from {first} to {last}"));
    }
    lines
}
