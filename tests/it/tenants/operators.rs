//! Tenants that an operator changes under traffic: by curl and by the command line.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{
    ACME, App, Http, Operator, Setup, Site, both_versions, in_time, on_each_worker,
};

const GLOBEX: &str = "globex.example";

async fn session_app() -> App {
    App::answering(&[("/", &["set-cookie: flexopus_session=a"])]).await
}

/// The output of curl, with the arguments that an operator types.
fn curl(operator: &Operator, method: &str, path: &str, body: &str) -> Value {
    let url = format!("http://{}{path}", operator.address());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--request", method, "--json", body, &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

both_versions!(a_change_by_curl_holds_for_the_next_response_on_every_worker, |http| {
    let app = session_app().await;
    let setup = Setup::before(&app).server("workers = 2").admin("").tenant("other.example", "");
    let site = Site::of(&setup);
    let mut program = site.start();
    let operator = program.operator().await;
    let path = format!("/v1/tenants/{ACME}");
    curl(&operator, "PUT", &path, "{\"session\": \"2h\"}");
    let browser = program.browser(http).await;
    let workers = on_each_worker(&app, &browser).await;
    for (session, max_age) in [("20m", "Max-Age=1200;"), ("3d", "Max-Age=259200;")] {
        let changed = curl(&operator, "PUT", &path, &json!({"session": session}).to_string());
        assert_eq!(changed["after"]["session"], session);
        for browser in &workers {
            let answer = browser.get("/").await;
            let cookie = answer.set_cookie("flexopus_session");
            assert!(cookie.contains(max_age), "{cookie}");
            assert_eq!(browser.jar(), ["flexopus_session=a"]);
        }
    }
    curl(&operator, "DELETE", &path, "{}");
    for browser in &workers {
        assert_eq!(browser.get("/").await.status, 421);
    }
});

#[tokio::test]
async fn the_command_line_changes_only_the_named_keys() {
    in_time(async {
        let app = session_app().await;
        let site = Site::of(&Setup::before(&app).admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let address = operator.address();
        let tenants = async |arguments: &[&str]| {
            let all = [&["tenants"], arguments, &["--address", &*address]].concat();
            site.run(&all).await
        };
        let finished = tenants(&["set", GLOBEX, "session=2h", "mode=report", "--dry-run"]).await;
        let expected =
            "globex.example: would be set\n  session    - -> 2h\n  mode       - -> report\n";
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stdout.starts_with(expected), "{}", finished.stdout);
        assert_eq!(tenants(&["show", GLOBEX]).await.code, Some(1));

        assert_eq!(tenants(&["set", GLOBEX, "session=2h", "mode=report"]).await.code, Some(0));
        let finished = tenants(&["set", GLOBEX, "session=1200"]).await;
        let expected = "globex.example: changed\n  session    2h -> 20m\n";
        assert_eq!((finished.code, &*finished.stdout), (Some(0), expected), "{finished:?}");
        let finished = tenants(&["set", GLOBEX, "mode="]).await;
        assert_eq!(finished.stdout, "globex.example: changed\n  mode       report -> enforce\n");
        let finished = tenants(&["show", GLOBEX, "--json"]).await;
        let shown: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(shown["keys"], json!({"session": 1200}));

        let finished = tenants(&["show", GLOBEX]).await;
        for line in ["host      globex.example\n", "session   20m\n", "origin    set at run time"] {
            assert!(finished.stdout.contains(line), "{}", finished.stdout);
        }
        let finished = tenants(&["list"]).await;
        let lines: Vec<_> = finished.stdout.lines().collect();
        assert!(lines[0].starts_with("HOST"), "{lines:?}");
        assert!(lines[1].starts_with("acme.example ") && lines[1].ends_with(" file"), "{lines:?}");
        assert!(lines[2].contains(" 20m ") && lines[2].ends_with(" live"), "{lines:?}");

        let finished = tenants(&["set", GLOBEX, "session=3d", "--if-match", "another"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("has changed since you read it"), "{}", finished.stderr);
        let etag = shown["etag"].as_str().unwrap();
        let finished = tenants(&["remove", GLOBEX, "--if-match", etag, "--json"]).await;
        let removed: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!((&removed["before"], &removed["after"]), (&shown, &Value::Null));
        let finished = tenants(&["remove", GLOBEX]).await;
        assert_eq!(finished.code, Some(1));
        assert_eq!(
            finished.stderr,
            "crumbgate: host: there is no tenant \"globex.example\"; GET /v1/tenants lists all tenants\n"
        );
        let finished = tenants(&["set", ACME, "session=3d"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("is defined at "), "{}", finished.stderr);
        assert_eq!(tenants(&["set", GLOBEX, "session"]).await.code, Some(2));
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_applied_from_a_file() {
    in_time(async {
        let app = session_app().await;
        let site = Site::of(&Setup::before(&app).admin(""));
        let mut program = site.start();
        let address = program.admin().await;
        let changes = json!({"changes": [
            {"host": GLOBEX, "set": {"session": "2h"}}, {"host": "initech.example", "set": {}},
        ]});
        std::fs::write(site.path("changes.json"), changes.to_string()).unwrap();
        let apply = ["tenants", "apply", "changes.json", "--address", &address];
        let finished = site.run(&[&apply[..], &["--dry-run"]].concat()).await;
        assert!(finished.stdout.starts_with("globex.example: would be set\n"), "{finished:?}");
        let finished = site.run(&apply).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stdout.contains("initech.example: set\n"), "{}", finished.stdout);
        // A browser there receives the new settings.
        let browser = program.browser(Http::Two).await;
        assert_eq!(browser.get("/").await.status, 200);
        std::fs::write(site.path("changes.json"), "{\"changes\": [{\"host\": \"x\"}]}").unwrap();
        let finished = site.run(&apply).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("changes[0]: missing field `set`"), "{}", finished.stderr);
        assert_eq!(site.run(&["tenants", "apply", "none.json"]).await.code, Some(1));
    })
    .await;
}
