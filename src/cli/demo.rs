//! `crumbgate demo`: the sample application behind a gateway, on loopback.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, Result};

use super::{
    opening, output,
    run::{self, Signals},
};
use crate::{admin, certificate, demo};
use crumbgate_base::clock::Clock;
use crumbgate_config::{Config, Log, LogFormat};
use crumbgate_gateway::gateway::Inherited;

/// Serves until a signal stops it. Port 0 uses any free port.
pub(super) fn run(port: u16, access: bool) -> Result<ExitCode> {
    let folder = tempfile::Builder::new()
        .prefix("crumbgate-demo-")
        .tempdir()
        .context("no folder for the demo's certificate and configuration could be created")?;
    let application = demo::Application::start().context("the sample application can't start")?;
    let names: Vec<_> = demo::HOSTS.iter().chain(&certificate::LOCAL_NAMES).collect();
    let made = certificate::make(&names, Clock::system().now())?;
    made.write(folder.path(), false)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let admin = listener.local_addr()?.to_string();
    let mut inherited = Inherited::of_this_process(admin::KEY, &admin, listener.into());
    let file = folder.path().join("config.toml");
    fs::write(&file, configuration(port, &application.address().to_string(), &admin))?;
    let mut loaded = Config::load(&file, [])
        .map_err(|problems| anyhow::anyhow!("the demo's own configuration:\n{problems}"))?;
    loaded.config.log = Log { format: LogFormat::Text, access };
    let lines = run::start_log(loaded.config.log, opening::is_wanted(loaded.config.log))?;
    let signals = Signals::catch()?;
    let (gateway, administration) = run::start(loaded, &mut inherited).with_context(|| {
        format!("if another program has port {port}, try `crumbgate demo --port 0`")
    })?;
    let port = gateway.https().first().map_or(port, std::net::SocketAddr::port);
    let steps = steps(port, &application.address().to_string(), &admin, folder.path());
    output::confirm(steps)?;
    run::serve_until_stopped(gateway, &administration, signals, &lines)
}

/// The configuration: four organizations with different settings.
fn configuration(port: u16, application: &str, admin: &str) -> String {
    let [acme, globex, initech, hooli] = demo::HOSTS;
    format!(
        r#"# The configuration of `crumbgate demo`.
[server]
https = ["127.0.0.1:{port}"]
http = []
drain = "2s"

[limits]
connections = 1000

[tls]
certificates = [{{ chain = "dev.crt", key = "dev.key" }}]

[upstreams.app]
servers = ["http://{application}"]

[defaults]
upstream = "app"
guard = "enforce"                     # scripts in pages can't set undeclared cookies

[admin]
listen = "{admin}"

[tenants."{acme}"]
session = "2h"

[tenants."{globex}"]                  # one week, the default

[tenants."{initech}"]
session = "20m"
mode = "report"                       # counts verdicts and changes no cookie; the guard only watches

[tenants."{hooli}"]
session = "2h"
agreement = "required"                # no cookie is set before a person agrees
"#
    )
}

fn steps(port: u16, application: &str, admin: &str, folder: &Path) -> String {
    let [acme, globex, initech, hooli] = demo::HOSTS;
    let folder = folder.display();
    format!(
        "\
The sample application sets {trackers} cookies on every page; the gateway passes only the three declared ones.

In a browser (which warns about the new self-signed certificate):
  https://{acme}:{port}/      sessions of 2 hours
  https://{globex}:{port}/    sessions of 1 week
  https://{initech}:{port}/   report mode: cookies are counted, not stripped
  https://{hooli}:{port}/     asks for agreement before any cookie is set
  https://{acme}:{port}/.well-known/cookies   the page about the declared cookies
  http://{application}/            the application itself, without the gateway

The cookies that the application sets, and those that pass the gateway:
  curl -sD- -o/dev/null http://{application}/ | grep -i set-cookie
  curl -sD- -o/dev/null --cacert {folder}/dev.crt https://{acme}:{port}/ | grep -i set-cookie

The cookies that the application receives:
  curl -s --cacert {folder}/dev.crt -b '_ga=GA1.2.3; flexopus_session=abc; _fbp=fb.1' https://{acme}:{port}/whoami

The report of the ledger, as text and for a browser:
  crumbgate audit report --config {folder}/config.toml
  crumbgate audit report --config {folder}/config.toml --format html --output report.html

The dashboard for operators:
  http://{admin}/

Changing a tenant and showing the state while the gateway runs:
  crumbgate tenants set new.localhost session=20m --config {folder}/config.toml
  crumbgate status --config {folder}/config.toml

Configuration: {folder}/config.toml. Stop with Ctrl-C.
",
        trackers = demo::TRACKERS.len(),
    )
}
