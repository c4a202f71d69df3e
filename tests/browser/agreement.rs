//! Chromium visits sites that request agreement before cookies are used, in English and in German, with and without
//! scripts.
//!
//! `agreement.js` drives it, by the keyboard alone where a button is to be pressed. Within a
//! visit the browser is closed, and opened again with the cookies that it keeps then.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    DECLARED, Demo, drive,
    process::{self, Process},
};

/// The target of the visits, in the demo's map editor, and the heading of that page.
const DEEP: &str = "/map-builder/help?day=1&room=A%2FB";
const HELP: &str = "Help for the map editor";

/// The driver's findings at a site.
fn found(task: &str, site: &str) -> Value {
    drive("agreement.js", &[task.as_ref(), site.as_ref()])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

/// The requested page of the application, without a banner.
#[track_caller]
fn assert_is_application(step: &Value, address: &str) {
    let observed = [&step["address"], &step["status"], &step["language"], &step["banner"]];
    assert_eq!(observed, [&json!(address), &json!(200), &json!("en"), &Value::Null], "{step:#}");
    assert_eq!(step["isSealed"], true, "{step:#}");
}

/// One of the gateway's own pages, in this language, in a browser without cookies.
#[track_caller]
fn assert_is_own(step: &Value, status: u16, language: &str, title: &str) {
    let observed = [&step["status"], &step["language"], &step["title"], &step["cookies"]];
    let expected = [&json!(status), &json!(language), &json!(title), &json!([])];
    assert_eq!(observed, expected, "{step:#}");
}

/// The withdrawal of this visit, after which the browser has these cookies alone: neither declared ones, nor any that came
/// with it, wherever a script had set them.
#[track_caller]
fn assert_is_left(visit: &Value, left: &[&str]) {
    let scripted = visit["scripted"].as_array().expect("a list of names");
    for (name, count) in [("_ga", 2), ("_gid", 1), ("XSRF-TOKEN", 2)] {
        assert_eq!(scripted.iter().filter(|found| *found == name).count(), count, "{visit:#}");
    }
    assert_eq!(visit["left"], json!(left), "{visit:#}");
}

#[test]
fn g6_a_visit_from_the_agreement_page_to_the_withdrawal() {
    let found = found("required", &Demo::start().address_of("hooli.localhost"));
    let titles = [
        (
            "en",
            [
                "This site needs your agreement",
                "You have declined",
                "You have withdrawn your agreement",
            ],
        ),
        (
            "de",
            [
                "Diese Website braucht Ihr Einverständnis",
                "Sie haben abgelehnt",
                "Sie haben Ihr Einverständnis widerrufen",
            ],
        ),
    ];
    for (language, [asked, declined, withdrawn]) in titles {
        let visit = &found[language];
        assert_is_own(&visit["asked"], 403, language, asked);
        assert_eq!(visit["asked"]["address"], DEEP, "it is asked where one wanted to go");
        assert_is_own(&visit["declined"], 200, language, declined);

        assert_is_application(&visit["agreed"], DEEP);
        assert_eq!(
            (&visit["agreed"]["title"], &visit["agreed"]["cookies"]),
            (&json!(HELP), &json!(DECLARED))
        );
        assert_eq!(visit["loggedIn"]["user"], true);
        assert_is_application(&visit["map"], "/map-builder");
        assert_eq!(visit["map"]["cookies"], json!(DECLARED));

        assert_is_application(&visit["back"], DEEP);
        assert_eq!(visit["back"]["user"], true);
        assert_is_own(&visit["withdrawn"], 200, language, withdrawn);
        assert_is_left(visit, &[]);
        assert_is_own(&visit["askedAgain"], 403, language, asked);
        for step in ["declined", "agreed", "withdrawn"] {
            assert_eq!(
                visit[step]["isReached"], true,
                "{step}: the focus is on the button, and seen"
            );
        }
    }
}

#[test]
fn g6_a_visit_from_the_banner_to_the_withdrawal() {
    let demo = Demo::start();
    let admin = demo.dashboard();
    let admin = admin.trim_start_matches("http://").trim_end_matches('/');
    let settings = ["session=2h", "agreement=notice", "guard=off"];
    let tenant = [&["tenants", "set", "notice.localhost"][..], &settings].concat();
    let set = process::run(process::crumbgate().args(tenant).args(["--address", admin]));
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let site = demo.address_of("acme.localhost").replace("acme", "notice");
    let found = found("notice", &site);
    for (language, banner, withdrawn) in [
        ("en", "This site uses 3 cookies.", "You have withdrawn your agreement"),
        ("de", "Diese Website verwendet 3 Cookies.", "Sie haben Ihr Einverständnis widerrufen"),
    ] {
        let visit = &found[language];
        for (step, address) in [("reported", DEEP), ("loggedIn", "/"), ("reportedAgain", DEEP)] {
            let step = &visit[step];
            assert!(text(&step["banner"]).contains(banner), "{step:#}");
            assert_eq!((&step["address"], &step["language"]), (&json!(address), &json!("en")));
            assert_eq!((&step["isSealed"], &step["user"]), (&json!(true), &json!(address == "/")));
        }
        assert_is_application(&visit["agreed"], DEEP);
        assert_is_application(&visit["back"], "/map-builder");
        for step in ["agreed", "back"] {
            assert_eq!(visit[step]["user"], true, "{step}: who agrees stays logged in");
        }
        assert_is_own(&visit["withdrawn"], 200, language, withdrawn);
        // In German scripts run, and the last page before was the map: a cookie for its path alone does not come with the
        // withdrawal (E4).
        let left = if language == "de" { &["heatmap_trail /map-builder"][..] } else { &[] };
        assert_is_left(visit, left);
        for step in ["agreed", "withdrawn"] {
            assert_eq!(
                visit[step]["isReached"], true,
                "{step}: the focus is on the button, and seen"
            );
        }
    }
}

#[test]
fn g6_a_page_that_can_not_carry_a_banner_works_without_one() {
    let site = Site::start();
    let found = found("pages", &site.address);
    for (page, banners) in
        [("open", 1), ("compressed", 1), ("style", 0), ("form", 0), ("utf-16", 0)]
    {
        let works = json!({ "banner": banners, "title": "It works", "colour": "rgb(1, 2, 3)" });
        assert_eq!(found[page], works, "{page}");
    }
    assert_eq!(found["reported"], json!([]));
}

/// Pages of every kind, behind a gateway that shows a banner.
struct Site {
    address: String,
    _application: Process,
    _gateway: Process,
    _folder: TempDir,
}

impl Site {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/application.js");
        let mut application = Process::start(
            Command::new("node").arg(script),
            &folder.path().join("application.log"),
        );
        let port = application.wait_for("the application's port", |observed| {
            observed.strip_prefix("port ")?.strip_suffix('\n').map(str::to_owned)
        });

        let made = process::run(process::crumbgate().arg("certificate").current_dir(folder.path()));
        assert!(made.status.success());
        let configuration = CONFIGURATION.replace("PORT", &port);
        fs::write(folder.path().join("config.toml"), configuration).expect("the folder is ours");
        let mut command = process::crumbgate();
        command.arg("run").current_dir(folder.path());
        let mut gateway = Process::start(&mut command, &folder.path().join("gateway.log"));
        let port = gateway.wait_for("the gateway's port", |log| {
            let (_, rest) = log.split_once("listening for https address=127.0.0.1:")?;
            rest.split_once('\n').map(|(port, _)| port.to_owned())
        });
        let address = format!("https://localhost:{port}/");
        Self { address, _application: application, _gateway: gateway, _folder: folder }
    }
}

const CONFIGURATION: &str = r#"
[server]
https = ["127.0.0.1:0"]
http = []

[tls]
certificates = [{ chain = "certs/dev.crt", key = "certs/dev.key" }]

[upstreams.app]
servers = ["http://127.0.0.1:PORT"]

[tenants."localhost"]
agreement = "notice"

[admin]
listen = "off"
"#;
