//! Laravel in Chromium, whose pages set cookies by script, with the guard and without it (W3).
//!
//! `tests/browser/laravel.js` drives it.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{Application, DECLARED, SESSION, gateway::Plan, process};

#[test]
fn w3_a_day_in_chromium_works_and_only_declared_cookies_are_ever_held() {
    let day = Day::at("guarded.flexopus.example");
    assert_eq!(day.held("form"), SESSION.into());
    for step in STEPS.into_iter().skip(1) {
        assert_eq!(day.held(step), DECLARED.into(), "{step}");
    }
    assert_eq!(day.found("tracked"), &json!(["XSRF-TOKEN", "visitedMapBuilder"]));
    day.assert_works();
}

#[test]
fn without_the_guard_trackers_of_scripts_are_held() {
    let day = Day::at("open.flexopus.example");
    for step in STEPS {
        for tracker in ["_ga", "_hjSessionUser_1", "visited"] {
            assert!(day.held(step).contains(tracker), "{step}: {tracker}");
        }
    }
    day.assert_works();
}

const STEPS: [&str; 10] = [
    "form",
    "logged in",
    "booked",
    "refused",
    "tracked",
    "booked again",
    "map editor",
    "desks",
    "logged out",
    "desks afterwards",
];

/// The driver's findings.
struct Day(Value);

impl Day {
    fn at(host: &str) -> Self {
        let application = Application::start();
        let gateway = Plan::default().tenants(TENANTS).before(&application);
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/laravel.js");
        for needed in [&driver.with_file_name("node_modules"), Path::new(CHROMIUM)] {
            let exists = needed.exists();
            assert!(exists, "{}: not here. {}", needed.display(), process::HOW_TO_INSTALL);
        }
        let url = format!("https://{host}:{}/", gateway.port);
        let output = process::run(Command::new("node").arg(driver).args([CHROMIUM, &url]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).expect("a driver prints its findings in JSON"))
    }

    /// The names of all cookies that the jar has held during a step.
    fn held(&self, step: &str) -> BTreeSet<&str> {
        let names = self.0["steps"][step]["held"].as_array().expect("a step has its cookies");
        names.iter().filter_map(Value::as_str).collect()
    }

    fn found(&self, step: &str) -> &Value {
        &self.0["steps"][step]["found"]
    }

    /// Asserts that bookings need the token of the cookie, that logging out works, and that no script failed.
    fn assert_works(&self) {
        assert_eq!(self.found("booked"), &json!({ "status": 201, "booked": "B1" }));
        assert_eq!(self.found("refused"), &json!({ "status": 419 }));
        assert_eq!(self.found("booked again"), &json!({ "status": 201, "booked": "A1" }));
        assert_eq!(self.found("map editor"), "Map editor");
        assert_eq!(
            (self.found("desks"), self.found("desks afterwards")),
            (&200.into(), &401.into())
        );
        assert_eq!(self.0["errors"], json!([]));
    }
}

const CHROMIUM: &str = "/usr/bin/chromium";

const TENANTS: &str = r#"
    [tenants."guarded.flexopus.example"]
    guard = "enforce"

    [tenants."open.flexopus.example"]
    guard = "off"
"#;
