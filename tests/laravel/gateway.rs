//! The gateway before the application: the real binary, with tenants that differ in their session's duration and in
//! the treatment of the session's cookie.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
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
    /// Its configuration and its state.
    _folder: TempDir,
    shared: Rc<TempDir>,
}

impl Gateway {
    pub(crate) fn before(application: &Application) -> Self {
        Plan::default().before(application)
    }

    /// Another one with the same certificate and the same keys.
    pub(crate) fn another(&self) -> Plan {
        Plan { shared: Some(Rc::clone(&self.shared)), ..Plan::default() }
    }

    /// The certificate that browsers trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.shared.path().join("gateway.crt")
    }
}

/// The settings of a gateway.
#[derive(Default)]
pub(crate) struct Plan {
    shared: Option<Rc<TempDir>>,
    tenants: Option<&'static str>,
    sections: &'static str,
    ahead_s: u64,
}

impl Plan {
    /// With these tenants instead of the usual ones.
    pub(crate) fn tenants(self, tenants: &'static str) -> Self {
        Self { tenants: Some(tenants), ..self }
    }

    /// With these additional sections of the configuration.
    pub(crate) fn sections(self, sections: &'static str) -> Self {
        Self { sections, ..self }
    }

    /// With a clock that is ahead of the machine's.
    pub(crate) fn ahead(self, ahead_s: u64) -> Self {
        Self { ahead_s, ..self }
    }

    pub(crate) fn before(self, application: &Application) -> Gateway {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let shared = self.shared.clone().unwrap_or_else(|| {
            let shared = TempDir::new().expect("a temporary folder can be made");
            make_certificate(shared.path());
            Rc::new(shared)
        });
        let config = folder.path().join("config.toml");
        let text = self.configuration(application.port, shared.path());
        fs::write(&config, text).expect("the folder is ours");

        let mut command = process::crumbgate();
        command.args(["run", "--config"]).arg(&config);
        if self.ahead_s > 0 {
            put_clock_ahead(&mut command, self.ahead_s);
        }
        let mut process = Process::start(&mut command, &folder.path().join("gateway.log"));
        let port = process.wait_for("the gateway's port", |printed| {
            let lines = printed.lines().filter_map(|line| serde_json::from_str(line).ok());
            lines.filter_map(|event| listening(&event)).next()
        });
        Gateway { port, _process: process, _folder: folder, shared }
    }

    fn configuration(&self, application: u16, shared: &Path) -> String {
        let (shared, tenants) = (shared.display(), self.tenants.unwrap_or(TENANTS));
        let sections = self.sections;
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
            certificates = [{{ chain = "{shared}/gateway.crt", key = "{shared}/gateway.key" }}]

            [seal]
            keys = "{shared}/seal.keys"

            [upstreams.app]
            servers = ["http://127.0.0.1:{application}"]

            [defaults]
            upstream = "app"

            {tenants}
            {sections}
            "#
        )
    }
}

/// `sealed` and `rival` are alike, and so are `asking` and `asking-too`.
const TENANTS: &str = r#"
    [tenants."acme.flexopus.example"]
    session = "2h"

    [tenants."beta.flexopus.example"]
    session = "3d"

    [tenants."sealed.flexopus.example"]
    session = "2h"
    seal = true

    [tenants."rival.flexopus.example"]
    session = "2h"
    seal = true

    [tenants."asking.flexopus.example"]
    session = "2h"
    agreement = "required"

    [tenants."asking-too.flexopus.example"]
    session = "2h"
    agreement = "required"

    [tenants."*.flexopus.example"]
"#;

/// Shows a program a calendar that is ahead; the monotonic clock is unchanged.
fn put_clock_ahead(command: &mut Command, ahead_s: u64) {
    let faketime = Path::new("/usr/bin/faketime");
    assert!(faketime.exists(), "{}: not here. {}", faketime.display(), process::HOW_TO_INSTALL);
    command
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1")
        .env("FAKETIME", format!("+{ahead_s}"))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// The port in an event of the log, where it has one.
fn listening(event: &Value) -> Option<u16> {
    let is_listening = event["message"] == "listening for https";
    let address: SocketAddr = event["address"].as_str().filter(|_| is_listening)?.parse().ok()?;
    Some(address.port())
}

fn make_certificate(folder: &Path) {
    let names = vec!["*.flexopus.example".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("the name is a good one");
    fs::write(folder.join("gateway.crt"), made.cert.pem()).expect("the folder is ours");
    fs::write(folder.join("gateway.key"), made.signing_key.serialize_pem())
        .expect("the folder is ours");
}
