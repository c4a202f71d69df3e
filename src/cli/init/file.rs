//! The new file: short, each key with what it is for, and what one would want next ready to be switched on.

use super::{Plan, address};
use crate::config::{CertificateFiles, ServerAddress, quoted};

impl Plan {
    /// The whole configuration.
    pub(super) fn text(&self) -> String {
        let application = &self.application;
        let CertificateFiles { chain, key } = &self.certificate;
        let [chain, key] = [chain, key].map(|path| quoted(&path.to_string_lossy()));
        let mode = if self.report { "report" } else { "enforce" };
        let (https, admin) = (self.listen, self.admin_port());
        let of_certificate = if self.is_development {
            "\n# This one is for development: browsers warn of it, and it ends after 90 days."
        } else {
            ""
        };
        let authority = match application {
            ServerAddress::Tls { .. } => AUTHORITY,
            ServerAddress::Plain { .. } | ServerAddress::Unix(_) => "",
        };
        let tenants: String =
            self.hosts.iter().map(|host| format!("[tenants.{}]\n", quoted(host))).collect();
        let example = address::shown_host(&self.hosts);
        let server = quoted(&application.to_string());
        format!(
            "\
# The configuration of Crumbgate before {server}, as `crumbgate init` wrote it: yours to change.
# `crumbgate check` says what is wrong with it, `crumbgate check --print` shows every key and the value that holds.
# A line `## key = value` is an example of what is otherwise absent: remove the marks to switch it on.

[server]
# Where browsers connect, over TLS. \"0.0.0.0:8443\" is every address of this machine.
https = [\"{https}\"]
# Where plain HTTP is redirected to https, as in [\"0.0.0.0:8080\"]. An empty list: nowhere.
http = []
# Reload by itself when this file, or a certificate that it names, has changed.
## watch = true

[tls]
# The certificate's chain, leaf first, and its key: PEM files.{of_certificate}
certificates = [{{ chain = {chain}, key = {key} }}]

[upstreams.app]
# Where the application runs; several servers share the requests.
servers = [{server}]
{authority}# Ask each server for this path every 5 seconds, and leave out one that does not answer well.
## health = {{ path = \"/\" }}

[defaults]
# \"enforce\", or \"report\": everything is counted and no cookie is changed, for the first days before a live site.
mode = \"{mode}\"
# How long a session lives without use.
session = \"1w\"

# The hosts that are served, each a tenant; below its line it can have a mode and a session of its own.
{tenants}## mode = \"report\"
## session = \"2h\"

[admin]
# Where the dashboard, the API and commands such as `crumbgate status` reach the gateway.
listen = \"127.0.0.1:{admin}\"
# A file with a line for each who may, \"NAME ROLE TOKEN\". Absent: whoever is on this machine.
## token_file = \"admin-tokens\"

# The cookies that may exist: every other one is stripped. Without [[cookies]] they are those that Flexopus publishes,
# XSRF-TOKEN, flexopus_session and visitedMapBuilder; the first [[cookies]] replaces all three.
## [[cookies]]
# Its name, byte for byte.
## name = \"session\"
# Which requests make it last longer. Absent: none, it ends when the application says so.
## renew_on = {{ paths = [\"/*\"] }}
# What it is for, as the published declaration says it.
## purpose = {{ en = \"Required to stay logged in at {example}.\" }}
"
        )
    }

    /// A port of its own, whatever the listener and the application have.
    fn admin_port(&self) -> u16 {
        let application = match &self.application {
            ServerAddress::Plain { port, .. } | ServerAddress::Tls { port, .. } => Some(*port),
            ServerAddress::Unix(_) => None,
        };
        let is_taken = |port: &u16| *port == self.listen.port() || Some(*port) == application;
        (ADMIN_PORT..).find(|port| !is_taken(port)).unwrap_or(ADMIN_PORT)
    }
}

const ADMIN_PORT: u16 = 9443;

const AUTHORITY: &str = "\
# The authority that their certificates are verified with, a PEM file. Absent: those of the system.
## ca = \"upstream-ca.pem\"
";
