//! Headless Chromium visits the demo, with and without the gateway; it is asked for agreement (`agreement.rs`),
//! reads the gateway's own pages (`pages.rs`) and reports (`report.rs`), and works with the dashboard (`dashboard.rs`).
//! Firefox opens pages too where the two may differ (`csp.rs`, `guard.rs`, `guard_gateway.rs`).
//!
//! `visit.js` drives it: it opens the demo, logs in, opens the map editor and then its help, and logs out, and it
//! reports the browser's cookies after each step. The demo sets trackers by `Set-Cookie` and by script. Two of its
//! pages, the help and the one about privacy, run no script.

mod agreement;
mod csp;
mod dashboard;
mod guard;
mod guard_gateway;
mod pages;
#[path = "../process/mod.rs"]
mod process;
mod report;

use crumbgate_testkit::ledger;
use std::{collections::BTreeSet, ffi::OsStr, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;

const CHROMIUM: &str = "/usr/bin/chromium";
const FIREFOX: &str = "/usr/bin/firefox-esr";
const DECLARED: [&str; 3] = ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"];
const HOUR: f64 = 60.0 * 60.0;
const WEEK: f64 = 7.0 * 24.0 * HOUR;

#[test]
fn the_jar_contains_the_three_declared_cookies_only() {
    let demo = Demo::start();
    let visit = demo.visit(&demo.address_of("acme.localhost"));
    assert_eq!(visit.after("home").found, "h2");
    for step in ["home", "form", "logged in"] {
        assert_eq!(visit.after(step).names(), DECLARED[..2].iter().copied().collect(), "{step}");
    }
    for step in ["map editor", "help", "home again", "privacy"] {
        assert_eq!(visit.after(step).names(), DECLARED.into(), "{step}");
    }
    assert_eq!(visit.after("home again").found, 0, "the page's table says yes");
}

#[test]
fn without_the_gateway_the_trackers_stay() {
    let demo = Demo::start();
    let visit = demo.visit(&demo.application());
    let names = visit.after("help").names();
    for tracker in ["_ga", "_fbp", "_ga_G1ABC2", "hubspotutk", "heatmap_trail", "flexopus.session"]
    {
        assert!(names.contains(tracker), "{tracker} is not in {names:?}");
    }
    assert!(visit.after("home again").found.as_u64().is_some_and(|yes| yes > 20));
}

#[test]
fn d1_each_cookie_is_kept_for_the_duration_of_its_tenant() {
    let demo = Demo::start();
    for (host, session) in [("acme.localhost", 2.0 * HOUR), ("globex.localhost", WEEK)] {
        let visit = demo.visit(&demo.address_of(host));
        // Set by the application with each page, and renewed by the gateway with each call.
        for step in ["home", "help", "desks"] {
            visit.after(step).assert_is_kept("XSRF-TOKEN", session);
            visit.after(step).assert_is_kept("flexopus_session", session);
        }
        visit.after("map editor").assert_is_kept("visitedMapBuilder", 3.0 * WEEK);
    }
}

#[test]
fn r2_only_declared_cookies_reach_the_application() {
    let demo = Demo::start();
    let visit = demo.visit(&demo.address_of("acme.localhost"));
    let who_am_i = visit.after("who am I");
    assert!(who_am_i.names().contains("_ga_earlier"), "{:?}", who_am_i.names());

    let fields = who_am_i.found["body"]["fields"].as_array().expect("the fields that arrived");
    let cookie = fields.iter().find(|field| field[0] == "cookie").expect("a Cookie field");
    let pairs = cookie[1].as_str().expect("its value").split("; ");
    let names: BTreeSet<_> = pairs.filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    assert_eq!(names, ["XSRF-TOKEN", "flexopus_session"].into());
}

#[test]
fn s4_logging_out_works() {
    let demo = Demo::start();
    let visit = demo.visit(&demo.address_of("acme.localhost"));
    assert_eq!(visit.after("desks").found["status"], 200);
    assert_eq!(visit.after("desks again").found["status"], 401);
}

/// `crumbgate demo`: the sample application, and the gateway before it.
struct Demo {
    /// The output at its start.
    reported: String,
    _process: Process,
    _folder: TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let mut command = process::crumbgate();
        command.args(["demo", "--port", "0"]).env("TMPDIR", folder.path());
        let mut process = Process::start(&mut command, &folder.path().join("demo.log"));
        let reported = process.wait_for("what to try", |printed| {
            printed.contains("Stop with Ctrl-C").then(|| printed.to_owned())
        });
        Self { reported, _process: process, _folder: folder }
    }

    /// The address at which the gateway serves the organization `host`.
    fn address_of(&self, host: &str) -> String {
        self.word_that_starts_with(&format!("https://{host}:"))
    }

    /// The application's own address.
    fn application(&self) -> String {
        self.word_that_starts_with("http://127.0.0.1:")
    }

    /// The address of the dashboard.
    fn dashboard(&self) -> String {
        let (_, behind) = self.reported.split_once("The dashboard").expect("it is printed");
        let word = behind.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
        word.expect("its address is printed").to_owned()
    }

    fn word_that_starts_with(&self, start: &str) -> String {
        let word = self.reported.split_whitespace().find(|word| word.starts_with(start));
        word.unwrap_or_else(|| panic!("no {start}… in:\n{}", self.reported)).to_owned()
    }

    /// Opens this address in Chromium, with a new profile.
    fn visit(&self, url: &str) -> Visit {
        let profile = TempDir::new().expect("a temporary folder can be made");
        Visit(drive("visit.js", &[profile.path().as_os_str(), url.as_ref()]))
    }
}

/// Runs a script of this folder that drives Chromium, and returns its findings.
fn drive(script: &str, arguments: &[&OsStr]) -> Value {
    drive_browser(CHROMIUM, script, arguments)
}

/// Runs a script of this folder that drives a browser, and returns its findings.
fn drive_browser(browser: &str, script: &str, arguments: &[&OsStr]) -> Value {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
    for needed in [&driver.with_file_name("node_modules"), Path::new(browser)] {
        let exists = needed.exists();
        assert!(exists, "{}: not here. {}", needed.display(), process::HOW_TO_INSTALL);
    }
    let mut node = Command::new("node");
    let output = process::run(node.arg(driver).arg(browser).args(arguments));
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{problem}");
    serde_json::from_slice(&output.stdout).expect("a driver prints its findings in JSON")
}

/// The driver's report, step by step.
struct Visit(Value);

impl Visit {
    fn after<'a>(&'a self, step: &'a str) -> Step<'a> {
        let reported = &self.0[step];
        let cookies = reported["cookies"].as_array().unwrap_or_else(|| panic!("no step {step}"));
        Step { reported, found: &reported["found"], cookies }
    }
}

/// One step of a visit.
struct Step<'a> {
    reported: &'a Value,
    /// The text of the page.
    found: &'a Value,
    /// The browser's cookies after the step.
    cookies: &'a [Value],
}

impl<'a> Step<'a> {
    fn names(&self) -> BTreeSet<&'a str> {
        self.cookies.iter().filter_map(|cookie| cookie["name"].as_str()).collect()
    }

    /// Asserts that the cookie was set during this step, for that many seconds.
    fn assert_is_kept(&self, name: &str, lifetime_s: f64) {
        let seconds = |value: &Value| value.as_f64().expect("a number of seconds");
        let cookie = self.cookies.iter().find(|cookie| cookie["name"] == name);
        let cookie = cookie.unwrap_or_else(|| panic!("no {name} in {:?}", self.names()));
        let set_at = seconds(&cookie["expires"]) - lifetime_s;
        // The response's date is in whole seconds.
        let step = seconds(&self.reported["before"]) - 1.0..=seconds(&self.reported["after"]);
        assert!(step.contains(&set_at), "{name}: set at {set_at}, not within {step:?}");
    }
}
