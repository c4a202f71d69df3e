//! What `crumbgate run` tells somebody at a terminal once it serves: where, for whom, in which mode, and the first thing
//! that is amiss. Elsewhere log lines say where it listens.

mod warning;

use std::{
    io::{self, IsTerminal, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anstyle::{AnsiColor, Style};

use super::output;
use crate::{
    admin::Administration,
    config::{AdminListener, Config, Log, LogFormat},
    gateway::{Control, ListenerKey},
    policy::Mode,
    telemetry,
    tenants::Tenant,
};

/// Whether somebody is there to read it, in the place of log lines for a program.
pub(super) fn is_wanted(log: Log) -> bool {
    !output::is_quiet() && log.format == LogFormat::Text && io::stderr().is_terminal()
}

/// Tells it, on standard error.
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
        tenants: control.table().iter().map(|tenant| Served::of(&tenant)).collect(),
        others: control.table().default_tenant().map(|tenant| tenant.policy.mode),
        upstreams: control.config(servers),
        dashboard: control.config(|config| dashboard(&administration.listen(), config)),
        warning: warning::first(control),
    };
    let text = opening.text(telemetry::is_colourful(&stderr));
    // Nobody reads it if it can't be written.
    let _ = stderr.write_all(text.as_bytes());
}

/// All that is told.
struct Opening {
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    tenants: Vec<Served>,
    /// The mode of hosts that no tenant has; none: they are refused.
    others: Option<Mode>,
    upstreams: Vec<String>,
    dashboard: String,
    warning: Option<String>,
}

/// A tenant: its name, and its mode.
struct Served {
    name: String,
    mode: Mode,
}

impl Served {
    fn of(tenant: &Tenant) -> Self {
        Self { name: tenant.name.to_string(), mode: tenant.policy.mode }
    }
}

impl Opening {
    fn text(mut self, colour: bool) -> String {
        let paint = |style: Style| if colour { style } else { Style::new() };
        let (bold, yellow) =
            (paint(Style::new().bold()), paint(AnsiColor::Yellow.on_default().bold()));
        let by_name = |served: &Served| (served.name.starts_with('*'), served.name.clone());
        self.tenants.sort_by_cached_key(by_name);
        let mut text =
            format!("\n{bold}Crumbgate {} serves{bold:#}\n\n", env!("CARGO_PKG_VERSION"));
        for (label, value) in self.lines() {
            text += &format!("  {label:<WIDTH$}{}\n", printable(&value));
        }
        if let Some(warning) = &self.warning {
            text += &format!("\n  {yellow}{:<WIDTH$}{yellow:#}{}\n", "warning", printable(warning));
        }
        text += &match self.first_page() {
            Some(page) => format!("\nOpen {bold}{page}{bold:#}, or stop with Ctrl-C.\n\n"),
            None => "\nStop with Ctrl-C.\n\n".to_owned(),
        };
        text
    }

    /// Labels and values; what goes on has no label.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        push(&mut lines, "https", self.https.iter().map(ToString::to_string));
        let redirects = |address: &SocketAddr| format!("{address}, redirects to https");
        push(&mut lines, "http", self.http.iter().map(redirects));
        push(&mut lines, "tenants", self.tenants());
        push(&mut lines, "upstream", [named(&self.upstreams)]);
        push(&mut lines, "dashboard", [self.dashboard.clone()]);
        lines
    }

    /// A line for each mode that some have.
    fn tenants(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (mode, word) in [(Mode::Enforce, "enforce"), (Mode::Report, "report ")] {
            let names = self.tenants.iter().filter(|served| served.mode == mode);
            let mut names: Vec<_> = names.map(|served| &*served.name).collect();
            if self.others == Some(mode) {
                names.insert(0, "every other host");
            }
            if !names.is_empty() {
                lines.push(format!("{word}  {}", named(&names)));
            }
        }
        if lines.is_empty() {
            lines.push("none: every request is refused".to_owned());
        }
        lines
    }

    /// What to open first: the page of a host that is no pattern.
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

/// Without what a terminal obeys: a path can have anything in it.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// A few by name, the others by their number.
fn named(names: &[impl AsRef<str>]) -> String {
    let (first, others) = names.split_at(names.len().min(NAMED));
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

/// Where a browser finds it.
fn dashboard(listen: &AdminListener, config: &Config) -> String {
    match listen {
        AdminListener::Off => "none: admin.listen is \"off\"".to_owned(),
        AdminListener::Tcp(address) => {
            let scheme = if config.admin.certificate.is_some() { "https" } else { "http" };
            format!("{scheme}://{}/", from_here(*address))
        }
        AdminListener::Unix(_) => {
            format!("{listen}, which no browser opens: see `crumbgate status`")
        }
    }
}

/// The address by which this machine reaches it.
fn from_here(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

const NAMED: usize = 4;
const WIDTH: usize = "dashboard  ".len();

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(tenants: &[(&str, Mode)]) -> Opening {
        let served = |(name, mode): &(&str, Mode)| Served { name: (*name).to_owned(), mode: *mode };
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
    fn everything_stands_in_two_columns_and_tenants_by_their_mode() {
        let tenants = [
            ("*.localhost", Mode::Enforce),
            ("localhost", Mode::Enforce),
            ("b.example", Mode::Report),
        ];
        let text = opening(&tenants).text(false);
        let expected = "
Crumbgate VERSION serves

  https      127.0.0.1:8443
             [::1]:8443
  http       127.0.0.1:8080, redirects to https
  tenants    enforce  localhost, *.localhost
             report   b.example
  upstream   http://127.0.0.1:8000
  dashboard  http://127.0.0.1:9443/

Open https://b.example:8443/, or stop with Ctrl-C.

";
        assert_eq!(text, expected.replace("VERSION", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn of_many_tenants_a_few_are_named_and_the_others_counted() {
        let names: Vec<_> = (0..20_000).map(|number| format!("t{number:05}.example")).collect();
        let tenants: Vec<_> = names.iter().map(|name| (&**name, Mode::Enforce)).collect();
        let text = opening(&tenants).text(false);
        let expected = "enforce  t00000.example, t00001.example, t00002.example, t00003.example and 19996 more\n";
        assert!(text.contains(expected), "{text}");
        assert_eq!(text.lines().count(), opening(&tenants[..1]).text(false).lines().count());
    }

    #[test]
    fn hosts_that_no_tenant_has_are_told_where_they_are_served() {
        assert!(opening(&[]).text(false).contains("tenants    none: every request is refused\n"));
        let all = Opening { others: Some(Mode::Report), ..opening(&[]) }.text(false);
        assert!(all.contains("tenants    report   every other host\n"), "{all}");
        assert!(all.ends_with("\nStop with Ctrl-C.\n\n"), "{all}");
    }

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        let path = "unix:/run/\u{1b}[2J.sock".to_owned();
        let warning = Some(format!("nothing answers at {path}"));
        let told = Opening { upstreams: vec![path], warning, ..opening(&[]) }.text(false);
        assert!(!told.contains('\u{1b}'), "{told}");
    }

    #[test]
    fn colour_changes_no_character() {
        let told = || Opening { warning: Some("no".to_owned()), ..opening(&[("a", Mode::Report)]) };
        let stripped = anstream::adapter::strip_str(&told().text(true)).to_string();
        assert_eq!(stripped, told().text(false));
        assert!(told().text(true).contains("\u{1b}["));
    }
}
