//! The guard against cookies that scripts set (W), in Chromium and in Firefox.
//!
//! `guard-cases.js` has the ways in which a page sets a cookie by script, and lists those that the guard is known not to stop.
//! `guard-libraries.js` has libraries that do it. `guard-site.js` serves both, and puts the script into its pages as the gateway
//! does. Each page is visited without the guard, too: so each case is known to set a cookie.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    CHROMIUM, FIREFOX, drive_browser,
    process::{self, Process},
};
use crumbgate_pages::guard::GuardScript;
use crumbgate_policy::GuardMode;

#[test]
fn w3_in_chromium_no_undeclared_cookie_is_set_and_every_name_is_reported() {
    assert_is_guarded(CHROMIUM);
}

#[test]
fn w3_in_firefox_no_undeclared_cookie_is_set_and_every_name_is_reported() {
    assert_is_guarded(FIREFOX);
}

#[test]
fn the_minified_scripts_are_those_of_the_source() {
    let minify = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/minify.js");
    let output = process::run(Command::new("node").arg(minify).arg("--check"));
    let found = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "write them with `node tests/browser/minify.js`: {found}{problem}"
    );
}

/// Cases in documents of a frame that `"watch"` need not see: only `"enforce"` puts a copy of the script into them.
const NOT_WATCHED: [&str; 3] = ["srcdoc-later", "srcdoc-second", "srcdoc-shadow"];

fn assert_is_guarded(browser: &str) {
    let site = Site::with_scripts();
    let found = drive_browser(browser, "guard.js", &[site.port.as_ref()]);
    let [none, watch, enforce] = ["none", "watch", "enforce"].map(|mode| Visits(&found[mode]));

    let set = none.cookies();
    assert!(set.len() > 75, "{set:?}");
    assert_eq!(watch.cookies(), set);
    for cookie in enforce.held() {
        assert_eq!(cookie.name, "XSRF-TOKEN", "{cookie:?}");
    }
    let undeclared = set.iter().filter(|cookie| cookie.name != "XSRF-TOKEN");
    for cookie in undeclared {
        assert!(enforce.has_reported('c', cookie.name), "{cookie:?}");
        let is_watched = !NOT_WATCHED.contains(&cookie.value);
        assert!(!is_watched || watch.has_reported('c', cookie.name), "{cookie:?}");
    }
    for visits in [&watch, &enforce] {
        for (kind, name) in [('l', "local"), ('l', "by-call"), ('s', "session"), ('i', "database")]
        {
            assert!(visits.has_reported(kind, name), "{kind}{name}");
        }
        assert!(!visits.has_reported('l', "removed") && !visits.has_reported('c', "XSRF-TOKEN"));
    }
    for visits in [&none, &watch, &enforce] {
        visits.assert_without_errors();
    }

    let libraries = none.libraries();
    assert_eq!(libraries.len(), 8);
    for (name, library) in libraries {
        let names = names_of(&library["cookies"]);
        assert!(!names.is_empty(), "{name} sets nothing");
        assert_eq!(names_of(&watch.0["libraries"][&name]["cookies"]), names, "{name}");
        assert_eq!(names_of(&enforce.0["libraries"][&name]["held"]), BTreeSet::new(), "{name}");
        for cookie in names {
            assert!(watch.has_reported('c', cookie), "{name}: {cookie}");
            assert!(enforce.has_reported('c', cookie) || name == "datadog", "{name}: {cookie}");
        }
    }
}

/// Findings of the driver in one mode.
pub(crate) struct Visits<'a>(pub(crate) &'a Value);

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cookie<'a> {
    value: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> Visits<'a> {
    /// The cookies of all cases at the end: the value is the name of the case.
    pub(crate) fn cookies(&self) -> BTreeSet<Cookie<'a>> {
        let cookies = self.0["cookies"].as_array().expect("the cookies");
        cookies.iter().map(Cookie::of).collect()
    }

    /// All that the jar has held at a moment when the driver looked.
    pub(crate) fn held(&self) -> BTreeSet<Cookie<'a>> {
        let cookies = self.0["held"].as_array().expect("the cookies of all moments");
        cookies.iter().map(Cookie::of).collect()
    }

    pub(crate) fn has_reported(&self, kind: char, name: &str) -> bool {
        let lines = self.0["reported"].as_array().expect("the reports");
        lines
            .iter()
            .any(|line| line.as_str().and_then(|line| line.strip_prefix(kind)) == Some(name))
    }

    pub(crate) fn libraries(&self) -> Vec<(String, Value)> {
        let libraries = self.0["libraries"].as_object().expect("the libraries");
        libraries.iter().map(|(name, library)| (name.clone(), library.clone())).collect()
    }

    pub(crate) fn assert_without_errors(&self) {
        assert_eq!(self.0["errors"], Value::Array(Vec::new()));
        for (name, library) in self.libraries() {
            assert_eq!(library["errors"], Value::Array(Vec::new()), "{name}");
        }
    }
}

impl<'a> Cookie<'a> {
    fn of(cookie: &'a Value) -> Self {
        let text = |key| cookie[key].as_str().expect("a text");
        Self { value: text("value"), name: text("name") }
    }
}

pub(crate) fn names_of(cookies: &Value) -> BTreeSet<&str> {
    let cookies = cookies.as_array().expect("the cookies of a library");
    cookies.iter().filter_map(Value::as_str).collect()
}

/// The site with the pages.
pub(crate) struct Site {
    pub(crate) port: String,
    _process: Process,
    _folder: TempDir,
}

impl Site {
    /// Starts it with the scripts of the gateway in its pages.
    fn with_scripts() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        for mode in [GuardMode::Enforce, GuardMode::Watch] {
            let names = ["XSRF-TOKEN", "visitedMapBuilder"];
            let script = GuardScript::new(mode, names, "/.well-known/cookies/seen");
            let script = script.expect("the guard is on");
            for (end, bytes) in [("html", &script.html), ("worker.js", &script.worker_prefix)] {
                let file = folder.path().join(format!("{}.{end}", mode.word()));
                fs::write(file, bytes).expect("the folder can be written");
            }
        }
        Self::start(Some(folder.path().to_owned()), folder)
    }

    /// Starts it without them: a gateway is in front of it.
    pub(crate) fn without_scripts() -> Self {
        Self::start(None, TempDir::new().expect("a temporary folder can be made"))
    }

    fn start(scripts: Option<PathBuf>, folder: TempDir) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/guard-site.js");
        let mut site = Process::start(
            Command::new("node").arg(program).args(scripts),
            &folder.path().join("site.log"),
        );
        let port = site.wait_for("the site's port", |observed| {
            observed.strip_prefix("port ")?.strip_suffix('\n').map(str::to_owned)
        });
        Self { port, _process: site, _folder: folder }
    }
}
