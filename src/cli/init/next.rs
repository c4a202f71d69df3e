//! The output of `crumbgate init`: the written files and the next commands.

use std::net::IpAddr;

use super::{address, plan::Plan};
use crate::cli::shell::shell_word;
use crumbgate_config::Config;

/// The written files and the next commands, ready to copy.
pub(super) fn steps(plan: &Plan, config: &Config) -> String {
    let mut written = vec![(
        plan.file.display().to_string(),
        format!("serves {} from {}", plan.hosts.join(" and "), plan.application),
    )];
    if plan.is_development {
        let chain = plan.found_at(&plan.certificate.chain);
        let what = "a development certificate, with its key in the same folder".to_owned();
        written.push((chain.display().to_string(), what));
    }
    let run = match plan.file.to_str() {
        Some("config.toml") => "crumbgate run".to_owned(),
        _ => format!("crumbgate run --config {}", shell_word(&plan.file)),
    };
    let width = written.iter().map(|(path, _)| path.chars().count()).max().unwrap_or_default();
    let written: String =
        written.iter().map(|(path, what)| format!("{path:<width$}  {what}\n")).collect();
    format!("{written}\nNext:\n  {run}\n  {}\n\n{}\n", curl(plan), remark(plan, config))
}

/// A warning about the cookies that will be stripped.
fn remark(plan: &Plan, config: &Config) -> String {
    if plan.report {
        return "In report mode no cookie is changed: `crumbgate audit report` lists what would be stripped.".to_owned();
    }
    let cookies = config.declaration.cookies();
    let names: Vec<_> = cookies.iter().map(|cookie| cookie.name.to_string()).collect();
    format!(
        "Every cookie except {} is stripped: declare yours under [[cookies]],\nor start with mode = \"report\", which only counts.",
        names.join(", ")
    )
}

/// A curl command for a first request, which also works for hosts that DNS does not have yet.
fn curl(plan: &Plan) -> String {
    let host = address::shown_host(&plan.hosts);
    let port = match plan.listen.port() {
        0 => "PORT".to_owned(),
        port => port.to_string(),
    };
    let mut line = "curl -i".to_owned();
    if plan.is_development {
        let chain = plan.found_at(&plan.certificate.chain);
        line += &format!(" --cacert {}", shell_word(&chain));
    }
    let ip = plan.listen.ip();
    let is_resolved = address::is_local(&host) && (ip.is_loopback() || ip.is_unspecified());
    if !is_resolved && host.parse::<IpAddr>().is_err() && !host.starts_with('[') {
        let ip = match ip {
            IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        line += &format!(" --resolve {host}:{port}:{ip}");
    }
    let port = if port == "443" { String::new() } else { format!(":{port}") };
    format!("{line} https://{host}{port}/")
}
