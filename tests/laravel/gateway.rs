//! The gateway before the application: the real binary, with tenants that differ in their session's duration.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    application::Application,
    process::{self, Process},
};

pub(crate) struct Gateway {
    pub(crate) port: u16,
    _process: Process,
    folder: TempDir,
}

impl Gateway {
    pub(crate) fn before(application: &Application) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        make_certificate(folder.path());
        let config = folder.path().join("config.toml");
        fs::write(&config, configuration(application.port)).expect("the folder is ours");

        let mut command = process::crumbgate();
        command.args(["run", "--config"]).arg(&config);
        let mut process = Process::start(&mut command, &folder.path().join("gateway.log"));
        let port = process.wait_for("the gateway's port", |printed| {
            let lines = printed.lines().filter_map(|line| serde_json::from_str(line).ok());
            lines.filter_map(|event| listening(&event)).next()
        });
        Self { port, _process: process, folder }
    }

    /// The certificate that browsers trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("gateway.crt")
    }
}

/// The port that an event of the log tells, where it tells one.
fn listening(event: &Value) -> Option<u16> {
    let tells = event["message"] == "listening for https";
    let address: SocketAddr = event["address"].as_str().filter(|_| tells)?.parse().ok()?;
    Some(address.port())
}

fn configuration(application: u16) -> String {
    format!(
        r#"
        [server]
        https = ["127.0.0.1:0"]
        http = []

        [admin]
        listen = "off"

        [log]
        format = "json"

        [tls]
        certificates = [{{ chain = "gateway.crt", key = "gateway.key" }}]

        [upstreams.app]
        servers = ["http://127.0.0.1:{application}"]

        [defaults]
        upstream = "app"

        [tenants."acme.flexopus.example"]
        session = "2h"

        [tenants."beta.flexopus.example"]
        session = "3d"

        [tenants."*.flexopus.example"]
        "#
    )
}

fn make_certificate(folder: &Path) {
    let names = vec!["*.flexopus.example".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("the name is a good one");
    fs::write(folder.join("gateway.crt"), made.cert.pem()).expect("the folder is ours");
    fs::write(folder.join("gateway.key"), made.signing_key.serialize_pem())
        .expect("the folder is ours");
}
