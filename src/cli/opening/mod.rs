//! The summary that `crumbgate run` shows on a terminal once it serves: addresses, tenants, modes, and the first problem.
//! If standard error is not a terminal, log lines have the addresses instead.

mod warning;

use std::{
    io::{self, IsTerminal, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anstyle::{AnsiColor, Style};

use super::output;
use crate::admin::Administration;
use crumbgate_audit::tenants::Tenant;
use crumbgate_base::text::printable;
use crumbgate_config::{AdminListener, Config, Log, LogFormat};
use crumbgate_gateway::{
    gateway::{Control, ListenerKey},
    telemetry,
};
use crumbgate_policy::Mode;

/// True where the summary replaces the log lines about the start.
pub(super) fn is_wanted(log: Log) -> bool {
    !output::is_quiet() && log.format == LogFormat::Text && io::stderr().is_terminal()
}

/// Writes the summary to standard error.
pub(super) fn print(control: &Control, administration: &Administration) {
    let mut stderr = io::stderr();
    let listeners = control.status().listeners;
    let of = |key: ListenerKey| -> Vec<SocketAddr> {
        let listeners = listeners.iter().filter(|listener| listener.key == key);
        listeners.map(|listener| listener.exact).collect()
    };
    let opening = Opening {
        https: of(ListenerKey::Https),
        http: of(ListenerKey::Http),
        tenants: control.table().iter().map(|tenant| TenantLine::of(&tenant)).collect(),
        others: control.table().default_tenant().map(|tenant| tenant.policy.mode),
        upstreams: control.config(servers),
        dashboard: control.config(|config| dashboard(&administration.listen(), config)),
        warning: warning::first(control),
    };
    let text = opening.text(telemetry::is_colourful(&stderr));
    // A failure to write to standard error is ignored.
    let _ = stderr.write_all(text.as_bytes());
}

/// The values of the summary.
struct Opening {
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    tenants: Vec<TenantLine>,
    /// The mode of hosts without a tenant. `None`: their requests are rejected.
    others: Option<Mode>,
    upstreams: Vec<String>,
    dashboard: String,
    warning: Option<String>,
}

/// A tenant: its name, and its mode.
struct TenantLine {
    name: String,
    mode: Mode,
}

impl TenantLine {
    fn of(tenant: &Tenant) -> Self {
        Self { name: tenant.name.to_string(), mode: tenant.policy.mode }
    }
}

impl Opening {
    fn text(mut self, colour: bool) -> String {
        let paint = |style: Style| if colour { style } else { Style::new() };
        let (bold, yellow) =
            (paint(Style::new().bold()), paint(AnsiColor::Yellow.on_default().bold()));
        let by_name = |served: &TenantLine| (served.name.starts_with('*'), served.name.clone());
        self.tenants.sort_by_cached_key(by_name);
        let mut text =
            format!("\n{bold}Crumbgate {} is running{bold:#}\n\n", env!("CARGO_PKG_VERSION"));
        for (label, value) in self.lines() {
            text += &format!("  {label:<WIDTH$}{}\n", printable(&value));
        }
        if let Some(warning) = &self.warning {
            text += &format!("\n  {yellow}{:<WIDTH$}{yellow:#}{}\n", "warning", printable(warning));
        }
        text += &match self.first_page() {
            Some(page) => format!("\nOpen {bold}{page}{bold:#}. Stop with Ctrl-C.\n\n"),
            None => "\nStop with Ctrl-C.\n\n".to_owned(),
        };
        text
    }

    /// Labels and values. Further values of the same label have an empty one.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        push(&mut lines, "https", self.https.iter().map(ToString::to_string));
        let redirects = |address: &SocketAddr| format!("{address}, redirects to https");
        push(&mut lines, "http", self.http.iter().map(redirects));
        push(&mut lines, "tenants", self.tenants());
        push(&mut lines, "upstream", [list_names(&self.upstreams)]);
        push(&mut lines, "dashboard", [self.dashboard.clone()]);
        lines
    }

    /// One line for each mode in use.
    fn tenants(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for mode in Mode::ALL {
            let names = self.tenants.iter().filter(|served| served.mode == mode);
            let mut names: Vec<_> = names.map(|served| &*served.name).collect();
            if self.others == Some(mode) {
                names.insert(0, "every other host");
            }
            if !names.is_empty() {
                lines.push(format!("{:<7}  {}", mode.word(), list_names(&names)));
            }
        }
        if lines.is_empty() {
            lines.push("none: every request is rejected".to_owned());
        }
        lines
    }

    /// The address of the first tenant that is not a wildcard.
    fn first_page(&self) -> Option<String> {
        let port = self.https.first()?.port();
        let host = &self.tenants.iter().find(|served| !served.name.starts_with('*'))?.name;
        Some(if port == 443 {
            format!("https://{host}/")
        } else {
            format!("https://{host}:{port}/")
        })
    }
}

fn push(
    lines: &mut Vec<(&'static str, String)>,
    label: &'static str,
    values: impl IntoIterator<Item = String>,
) {
    for (index, value) in values.into_iter().enumerate() {
        lines.push((if index == 0 { label } else { "" }, value));
    }
}

/// Lists the first names, and the number of the others.
fn list_names(names: &[impl AsRef<str>]) -> String {
    let (first, others) = names.split_at(names.len().min(MAX_NAMES));
    let first = first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match others.len() {
        0 => first,
        number => format!("{first} and {number} more"),
    }
}

fn servers(config: &Config) -> Vec<String> {
    let servers = config.upstreams.iter().flat_map(|upstream| &upstream.servers);
    servers.map(ToString::to_string).collect()
}

/// The address of the dashboard.
fn dashboard(listen: &AdminListener, config: &Config) -> String {
    match listen {
        AdminListener::Off => "none: admin.listen is \"off\"".to_owned(),
        AdminListener::Tcp(address) => {
            let scheme = if config.admin.certificate.is_some() { "https" } else { "http" };
            format!("{scheme}://{}/", from_here(*address))
        }
        AdminListener::Unix(_) => {
            format!("{listen}, which browsers can't open: use `crumbgate status`")
        }
    }
}

/// The address by which this machine reaches a listener.
fn from_here(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

const MAX_NAMES: usize = 4;
const WIDTH: usize = "dashboard  ".len();

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(tenants: &[(&str, Mode)]) -> Opening {
        let served =
            |(name, mode): &(&str, Mode)| TenantLine { name: (*name).to_owned(), mode: *mode };
        Opening {
            https: vec!["127.0.0.1:8443".parse().unwrap(), "[::1]:8443".parse().unwrap()],
            http: vec!["127.0.0.1:8080".parse().unwrap()],
            tenants: tenants.iter().map(served).collect(),
            others: None,
            upstreams: vec!["http://127.0.0.1:8000".to_owned()],
            dashboard: "http://127.0.0.1:9443/".to_owned(),
            warning: None,
        }
    }

    #[test]
    fn the_summary_has_two_columns_and_lists_tenants_by_mode() {
        let tenants = [
            ("*.localhost", Mode::Enforce),
            ("localhost", Mode::Enforce),
            ("b.example", Mode::Report),
        ];
        let text = opening(&tenants).text(false);
        let expected = "
Crumbgate VERSION is running

  https      127.0.0.1:8443
             [::1]:8443
  http       127.0.0.1:8080, redirects to https
  tenants    enforce  localhost, *.localhost
             report   b.example
  upstream   http://127.0.0.1:8000
  dashboard  http://127.0.0.1:9443/

Open https://b.example:8443/. Stop with Ctrl-C.

";
        assert_eq!(text, expected.replace("VERSION", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn of_many_tenants_four_are_named_and_the_others_counted() {
        let names: Vec<_> = (0..20_000).map(|number| format!("t{number:05}.example")).collect();
        let tenants: Vec<_> = names.iter().map(|name| (&**name, Mode::Enforce)).collect();
        let text = opening(&tenants).text(false);
        let expected = "enforce  t00000.example, t00001.example, t00002.example, t00003.example and 19996 more\n";
        assert!(text.contains(expected), "{text}");
        assert_eq!(text.lines().count(), opening(&tenants[..1]).text(false).lines().count());
    }

    #[test]
    fn hosts_without_a_tenant_are_listed_where_a_default_tenant_serves_them() {
        assert!(opening(&[]).text(false).contains("tenants    none: every request is rejected\n"));
        let all = Opening { others: Some(Mode::Report), ..opening(&[]) }.text(false);
        assert!(all.contains("tenants    report   every other host\n"), "{all}");
        assert!(all.ends_with("\nStop with Ctrl-C.\n\n"), "{all}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let path = "unix:/run/\u{1b}[2J.sock".to_owned();
        let warning = Some(format!("nothing answers at {path}"));
        let text = Opening { upstreams: vec![path], warning, ..opening(&[]) }.text(false);
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn colour_does_not_change_the_text() {
        let text = || Opening { warning: Some("no".to_owned()), ..opening(&[("a", Mode::Report)]) };
        let stripped = anstream::adapter::strip_str(&text().text(true)).to_string();
        assert_eq!(stripped, text().text(false));
        assert!(text().text(true).contains("\u{1b}["));
    }
}
