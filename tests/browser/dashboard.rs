//! Chromium uses the dashboard: as it is shown, by the keyboard, without its script, with tokens.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Demo, drive,
    process::{self, Process},
};

/// The driver's findings at the demo's dashboard.
fn found(task: &str) -> Value {
    let demo = Demo::start();
    let (dashboard, site) = (demo.dashboard(), demo.address_of("acme.localhost"));
    drive("dashboard.js", &[task.as_ref(), dashboard.as_ref(), site.as_ref()])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

#[test]
fn the_page_is_valid_and_accessible_in_each_language_and_state() {
    let found = found("look");
    let states = found.as_object().expect("an object");
    assert_eq!(states.len(), 4, "{:?}", states.keys());
    for (state, message) in states {
        assert_eq!(*message, json!([]), "{state}: {message:#}");
    }
}

#[test]
fn a_tracker_appears_without_a_reload_and_the_end_of_the_gateway_is_shown() {
    let found = found("live");
    assert!(text(&found["before"]).contains("No undeclared cookie has been seen"), "{found:#}");
    // Markup in a name is shown as text.
    let names = found["names"].as_array().expect("a list");
    assert!(names.len() == 2 && names.contains(&"_fbp".into()), "{names:?}");
    assert!(names.contains(&"<b>".into()), "{names:?}");
    assert_eq!((&found["bold"], &found["isSamePage"]), (&0.into(), &true.into()));
    assert_eq!(found["tiles"].as_array().map(Vec::len), Some(6));
    for picture in found["pictures"].as_array().expect("a list") {
        assert!(text(picture).contains("over the last 15 minutes: "), "{picture}");
    }
    assert_eq!(found["reported"], json!([]), "it loads nothing from elsewhere, and nothing fails");

    assert!(text(&found["lost"]["link"]).starts_with("No answer since "), "{found:#}");
    assert!(text(&found["lost"]["trouble"]).contains("tries again by itself"), "{found:#}");
    assert_eq!(found["foundAgain"], true);
    assert_eq!(found["hidden"], json!({ "link": "Paused", "asked": 0 }));
    assert_eq!(found["shownAgain"], true);
}

#[test]
fn a_session_is_changed_by_the_keyboard_alone_and_the_next_response_has_it() {
    let found = found("change");
    assert_eq!(found["skipped"], "dashboard");
    assert_eq!((&found["before"], &found["unconfirmed"]), (&1_200.into(), &1_200.into()));
    assert_eq!(found["isBack"], true, "who leaves the editor is where they were");
    assert!(text(&found["refusal"]).contains("45 minutes"), "{found:#}");
    assert_eq!(found["difference"], json!(["new.localhost", "20m", "45m"]));
    assert_eq!(found["after"], 2_700);
    assert_eq!(found["announced"], "new.localhost: a session now lasts 45m.");
    assert!(text(&found["row"]).contains("45m"), "{found:#}");
    assert_eq!(found["hasFocus"], true);
    // Its other keys are unchanged.
    assert_eq!(found["keys"]["after"], json!({ "mode": "enforce", "session": "45m" }));
    assert_eq!(found["reported"], json!([]));
}

#[test]
fn a_change_based_on_an_outdated_etag_is_refused() {
    let found = found("stale");
    assert!(text(&found["refusal"]).contains("has changed since you read it"), "{found:#}");
    assert_eq!((&found["lang"], &found["isEditing"]), (&"en".into(), &true.into()));
}

#[test]
fn without_its_script_the_page_shows_all_of_it_and_searches() {
    let found = found("plain");
    assert!(text(&found["notice"]).contains("Ohne JavaScript"), "{found:#}");
    let hosts = json!(["new.localhost"]);
    assert_eq!((&found["title"], &found["hosts"]), (&"Mandanten".into(), &hosts));
    assert_eq!(found["language"], "de");
    assert_eq!(found["other"], json!({ "language": "en", "hosts": hosts }));
}

#[test]
fn with_tokens_nothing_is_shown_without_one_and_none_is_stored() {
    let operator = "operator-0123456789abcdef0123456789";
    let auditor = "auditor-0123456789abcdef0123456789";
    let gateway =
        Gateway::with_tokens(&format!("alice operator {operator}\nbob auditor {auditor}"));
    let found = drive(
        "dashboard.js",
        &["tokens".as_ref(), gateway.dashboard.as_ref(), operator.as_ref(), auditor.as_ref()],
    );
    for state in ["before", "forgotten"] {
        assert!(text(&found[state]).contains("Who are you?"), "{found:#}");
        assert!(!text(&found[state]).contains("kept.example"), "{found:#}");
    }
    assert_eq!((&found["valid"], &found["violations"]), (&json!([]), &json!([])));
    assert!(text(&found["wrong"]).contains("does not know this token"), "{found:#}");
    assert_eq!(found["auditor"]["edits"], 0);
    let note = text(&found["auditor"]["note"]);
    assert!(note.contains("kept.example") && note.contains("change nothing"), "{note}");
    assert_eq!(found["operator"], 1);
    assert_eq!((&found["cookies"], &found["inAddresses"]), (&json!([]), &json!([])));
    assert_eq!((&found["stored"], &found["otherTab"]), (&0.into(), &true.into()));
}

/// A gateway whose admin API needs tokens, with a tenant that was set at run time.
struct Gateway {
    dashboard: String,
    _process: Process,
    _folder: TempDir,
}

impl Gateway {
    fn with_tokens(tokens: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).expect("the folder can be written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
        };
        write("tokens", tokens);
        write("config.toml", CONFIGURATION);
        let certificate =
            process::run(process::crumbgate().arg("certificate").current_dir(folder.path()));
        assert!(certificate.status.success());
        let mut command = process::crumbgate();
        let mut process = Process::start(
            command.arg("run").current_dir(folder.path()),
            &folder.path().join("log"),
        );
        let address = process.wait_for("its addresses", |log| {
            let (_, rest) = log.split_once("listening for administration address=\"")?;
            log.contains("listening for https")
                .then(|| rest.split('"').next().map(str::to_owned))?
        });
        let set = ["tenants", "set", "kept.example", "session=2h", "--address", &address];
        let set = process::run(process::crumbgate().args(set).current_dir(folder.path()));
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
        Self { dashboard: format!("http://{address}/"), _process: process, _folder: folder }
    }
}

const CONFIGURATION: &str = r#"
[server]
https = ["127.0.0.1:0"]
http = []

[tls]
certificates = [{ chain = "certs/dev.crt", key = "certs/dev.key" }]

[upstreams.app]
servers = ["http://127.0.0.1:9"]

[tenants."localhost"]

[admin]
listen = "127.0.0.1:0"
token_file = "tokens"
"#;
