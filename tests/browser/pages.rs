//! Chromium reads the gateway's own pages: the cookie page, the agreement page, the banner, and the pages after an
//! answer.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Demo, drive,
    process::{self, Process},
};

#[test]
fn every_page_is_valid_and_accessible_in_each_language_wide_and_narrow() {
    let demo = Demo::start();
    let gateway = Gateway::before(&demo.application());
    let found = drive("pages.js", &[gateway.port.as_ref()]);
    let pages = found.as_object().expect("an object");
    assert_eq!(pages.len(), 16, "{:?}", pages.keys());
    for (name, page) in pages {
        let is_banner = name.ends_with("notice /");
        let language = if name.starts_with("en") { "en" } else { "de" };
        assert_eq!(page["found"], json!([]), "{name}: {page:#}");
        assert_eq!(page["languages"], json!([language]), "{name}");
        let status = if name.ends_with("required /") { 403 } else { 200 };
        assert_eq!(page["status"], status, "{name}");
        if is_banner {
            let share = page["covered"]["share"].as_f64().expect("a number");
            assert!(share > 0.0 && share < 0.4, "{name}: it covers {share} of the window");
            assert_eq!(page["covered"]["isAtTheBottom"], true, "{name}");
        } else {
            assert_eq!(page["cookies"], Value::Null, "{name}");
        }
    }
}

/// A gateway with tenants that request agreement, and one that does not.
struct Gateway {
    port: String,
    _process: Process,
    _folder: TempDir,
}

impl Gateway {
    fn before(application: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let server = application.trim_end_matches('/');
        let text = CONFIGURATION.replace("{server}", server);
        fs::write(folder.path().join("config.toml"), text).expect("the folder can be written");
        let certificate =
            process::run(process::crumbgate().arg("certificate").current_dir(folder.path()));
        assert!(certificate.status.success());
        let mut command = process::crumbgate();
        let mut process = Process::start(
            command.arg("run").current_dir(folder.path()),
            &folder.path().join("log"),
        );
        let port = process.wait_for("its port", |log| {
            let (_, rest) = log.split_once("listening for https address=")?;
            let address = rest.trim_start_matches('"').split(['"', ' ', '\n']).next()?;
            Some(address.rsplit(':').next()?.to_owned())
        });
        Self { port, _process: process, _folder: folder }
    }
}

const CONFIGURATION: &str = r#"
[server]
https = ["127.0.0.1:0"]
http = []

[tls]
certificates = [{ chain = "certs/dev.crt", key = "certs/dev.key" }]

[upstreams.app]
servers = ["{server}"]

[tenants."off.localhost"]
session = "2h"

[tenants."notice.localhost"]
agreement = "notice"

[tenants."required.localhost"]
agreement = "required"
session = "90m"

[page]
operator = "Beispiel GmbH, Köln"
link = "https://www.example.com/impressum"
logo = "Beispiel"

[admin]
listen = "off"
"#;
