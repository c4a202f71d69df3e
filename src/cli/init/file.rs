//! The text of the new configuration: short, with an explanation of each key, and with useful keys as comments.

use super::{address, plan::Plan};
use crumbgate_config::{CertificateFiles, ServerAddress, quoted};

impl Plan {
    /// The text of the whole configuration.
    pub(super) fn text(&self) -> String {
        let application = &self.application;
        let CertificateFiles { chain, key } = &self.certificate;
        let [chain, key] = [chain, key].map(|path| quoted(&path.to_string_lossy()));
        let mode = if self.report { "report" } else { "enforce" };
        let (https, admin) = (self.listen, self.admin_port());
        let of_certificate = if self.is_development {
            "\n# This one is for development: browsers warn about it, and it expires after 90 days."
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
# The configuration of Crumbgate in front of {server}, written by `crumbgate init`. You can change it.
# `crumbgate check` reports errors in it; `crumbgate check --print` shows every key with its value.
# A line `## key = value` is an example: remove the `##` to turn it on.

[server]
# The addresses for browsers, with TLS. \"0.0.0.0:8443\" means every address of this machine.
https = [\"{https}\"]
# The addresses on which plain HTTP is redirected to https, such as [\"0.0.0.0:8080\"]. An empty list: none.
http = []
# Reload automatically when this file, or a certificate that it names, has changed.
## watch = true

[tls]
# The certificate's chain (leaf first) and its key, as PEM files.{of_certificate}
certificates = [{{ chain = {chain}, key = {key} }}]

[upstreams.app]
# The servers of the application. Several servers share the requests.
servers = [{server}]
{authority}# Request this path from each server every 5 seconds, and use only servers that answer correctly.
## health = {{ path = \"/\" }}

[defaults]
# \"enforce\", or \"report\": cookies are counted and not changed, for the first days in front of a live site.
mode = \"{mode}\"
# The lifetime of an unused session.
session = \"1w\"

# The hosts that are served. Each is a tenant, and can have its own mode and session below its line.
{tenants}## mode = \"report\"
## session = \"2h\"

[admin]
# The address of the dashboard, of the API, and of commands such as `crumbgate status`.
listen = \"127.0.0.1:{admin}\"
# A file with one line per operator or auditor, \"NAME ROLE TOKEN\". Absent: every user of this machine has access.
## token_file = \"admin-tokens\"

# The declared cookies. Every other cookie is stripped. Without [[cookies]] they are those that Flexopus publishes,
# XSRF-TOKEN, flexopus_session and visitedMapBuilder; the first [[cookies]] replaces all three.
## [[cookies]]
# The name, byte for byte.
## name = \"session\"
# The requests that renew it. Absent: none, it expires as the application has set it.
## renew_on = {{ paths = [\"/*\"] }}
# The purpose, as in the published declaration.
## purpose = {{ en = \"Required to stay logged in at {example}.\" }}
"
        )
    }

    /// A port that neither the listener nor the application uses.
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
# A PEM file with the authority of the servers' certificates. Absent: the authorities of the system.
## ca = \"upstream-ca.pem\"
";
