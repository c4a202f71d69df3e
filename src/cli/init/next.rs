//! What was written, and what to do now.

use std::{net::IpAddr, path::Path};

use super::{Plan, address};
use crate::config::Config;

/// What was written, and what to do now, in lines to copy.
pub(super) fn steps(plan: &Plan, config: &Config) -> String {
    let mut written = vec![(
        plan.file.display().to_string(),
        format!("serves {} from {}", plan.hosts.join(" and "), plan.application),
    )];
    if plan.is_development {
        let chain = plan.found_at(&plan.certificate.chain);
        let what = "a certificate for development and, beside it, its key".to_owned();
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

/// What becomes of cookies; there is no second chance to say it before it happens.
fn remark(plan: &Plan, config: &Config) -> String {
    if plan.report {
        return "No cookie is changed yet: `crumbgate audit report` says what enforcing would strip.".to_owned();
    }
    let cookies = config.declaration.cookies();
    let names: Vec<_> = cookies.iter().map(|cookie| cookie.name.to_string()).collect();
    format!(
        "Every cookie but {} is stripped: declare yours under [[cookies]],\nor begin with mode = \"report\", which only counts.",
        names.join(", ")
    )
}

/// A first request, with what it takes to reach a host that no name server knows yet.
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

/// A path as a shell takes it for one word.
pub(in crate::cli) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
