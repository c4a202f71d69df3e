//! The guard against cookies that scripts set (W), as a gateway puts it into the pages of a site, in Chromium and in Firefox.
//!
//! The site is that of `guard.rs`, and serves its pages without any script of its own. The tenant without a guard sets the
//! cookies, and neither tenant deletes one, so that only the guard can keep a jar empty.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    CHROMIUM, FIREFOX, drive_browser,
    guard::{Site, Visits, names_of},
    process::{self, Process},
};
use crumbgate_audit::{NameBuffer, name_template};

#[test]
fn w3_behind_a_gateway_chromium_never_holds_an_undeclared_cookie() {
    assert_gateway_guards(CHROMIUM);
}

#[test]
fn w3_behind_a_gateway_firefox_never_holds_an_undeclared_cookie() {
    assert_gateway_guards(FIREFOX);
}

/// The one declared name that scripts of the site set.
const DECLARED: &str = "XSRF-TOKEN";

fn assert_gateway_guards(browser: &str) {
    let site = Site::without_scripts();
    let gateway = Gateway::before(&site);
    let ports = [&site.port, &gateway.port, &gateway.admin].map(AsRef::as_ref);
    let found = drive_browser(browser, "guard.js", &ports);
    let [none, enforce] = ["none", "enforce"].map(|mode| Visits(&found[mode]));

    let set = none.cookies();
    let names: BTreeSet<_> = set.iter().map(|cookie| cookie.name).collect();
    let undeclared: Vec<_> = names.into_iter().filter(|name| *name != DECLARED).collect();
    assert!(undeclared.len() > 75, "{undeclared:?}");
    for cookie in enforce.held() {
        assert_eq!(cookie.name, DECLARED, "{cookie:?}");
    }
    for name in undeclared {
        assert!(has_in_evidence(&enforce, name), "{name}");
    }
    for (kind, name) in [('l', "local"), ('l', "by-call"), ('s', "session"), ('i', "database")] {
        assert!(enforce.has_reported(kind, name), "{kind}{name}");
    }
    assert!(!enforce.has_reported('l', "removed") && !enforce.has_reported('c', DECLARED));

    assert_libraries_set_nothing(&none, &enforce);
    for visits in [&none, &enforce] {
        visits.assert_without_errors();
    }
    assert_parts_arrive(&none, &["_part"]);
    assert_parts_arrive(&enforce, &[]);

    // A cookie is in the evidence as soon as a browser has sent it, so none was in the jar when a page reported its attempt.
    assert!(sent_undeclared(&none).len() > 75);
    assert!(sent_undeclared(&enforce).is_empty(), "{:?}", sent_undeclared(&enforce));
}

fn assert_libraries_set_nothing(none: &Visits<'_>, enforce: &Visits<'_>) {
    let libraries = none.libraries();
    assert_eq!(libraries.len(), 8);
    for (name, library) in libraries {
        let names = names_of(&library["cookies"]);
        assert!(!names.is_empty(), "{name} sets nothing");
        assert_eq!(enforce.0["libraries"][&name]["held"], json!([]), "{name}");
        for cookie in names {
            assert!(has_in_evidence(enforce, cookie) || name == "datadog", "{name}: {cookie}");
        }
    }
}

/// The scripts of all parts of a page have run, in their order, and have set these cookies. The site sends a part only when
/// the script of the one before has run.
fn assert_parts_arrive(visits: &Visits<'_>, held: &[&str]) {
    let streams = visits.0["streams"].as_object().expect("the pages that arrive in parts");
    assert_eq!(streams.len(), 3);
    for (coding, page) in streams {
        let parts = page["parts"].as_array().expect("the parts").iter();
        let numbers: Vec<_> = parts.map(|part| part[0].as_u64()).collect();
        assert_eq!(numbers, (0..10).map(Some).collect::<Vec<_>>(), "{coding}");
        assert_eq!(page["errors"], json!([]), "{coding}");
        assert_eq!(page["held"], json!(held), "{coding}");
    }
}

/// The gateway's evidence has the template of this name.
fn has_in_evidence(visits: &Visits<'_>, name: &str) -> bool {
    visits.has_reported('c', name_template(name.as_bytes(), &mut NameBuffer::default()))
}

/// The undeclared cookies that browsers have sent, by the gateway's evidence.
fn sent_undeclared<'a>(visits: &Visits<'a>) -> Vec<&'a Value> {
    let rows = visits.0["stripped"].as_array().expect("the stripped cookies");
    rows.iter().filter(|row| row["in_requests"] != 0).collect()
}

/// The gateway before the site.
struct Gateway {
    port: String,
    /// The port of its administration.
    admin: String,
    _process: Process,
    _folder: TempDir,
}

impl Gateway {
    fn before(site: &Site) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let made = process::run(process::crumbgate().arg("certificate").current_dir(folder.path()));
        assert!(made.status.success());
        let configuration = CONFIGURATION.replace("PORT", &site.port);
        fs::write(folder.path().join("config.toml"), configuration).expect("the folder is ours");
        let mut command = process::crumbgate();
        command.arg("run").current_dir(folder.path());
        let mut process = Process::start(&mut command, &folder.path().join("gateway.log"));
        let [port, admin] = ["https", "administration"]
            .map(|listener| process.wait_for(listener, |log| port_of(listener, log)));
        Self { port, admin, _process: process, _folder: folder }
    }
}

/// The port on which the gateway listens, as soon as its log says so.
fn port_of(listener: &str, log: &str) -> Option<String> {
    let (_, rest) = log.split_once(&format!("listening for {listener} address="))?;
    let (line, _) = rest.split_once('\n')?;
    Some(line.trim_end_matches('"').rsplit(':').next()?.to_owned())
}

const CONFIGURATION: &str = r#"
[server]
https = ["127.0.0.1:0"]
http = []

[tls]
certificates = [{ chain = "certs/dev.crt", key = "certs/dev.key" }]

[upstreams.app]
servers = ["http://127.0.0.1:PORT"]

[defaults]
evict = "off"

[tenants."none.guard.localhost"]
guard = "off"

[tenants."enforce.guard.localhost"]
guard = "enforce"

[admin]
listen = "127.0.0.1:0"
"#;
