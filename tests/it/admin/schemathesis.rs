//! Schemathesis against the API of the real program: thousands of requests from its OpenAPI document, and every answer
//! conforms to the document.
//!
//! It is installed by `scripts/test`, in `target/python`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::harness::{App, CONDITION_TIMEOUT, Setup, Site};

const TOKEN: &str = "operator-0123456789abcdef0123456789";

#[tokio::test]
async fn every_answer_conforms_to_the_openapi_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schemathesis = root.join("target/python/bin/st");
    assert!(schemathesis.exists(), "{} is missing: scripts/test makes it", schemathesis.display());
    let app = App::answering(&[("/", &[])]).await;
    let site = Site::of(&Setup::before(&app).admin("token_file = \"tokens\""));
    fs::write(site.path("tokens"), format!("alice operator {TOKEN}")).unwrap();
    fs::set_permissions(site.path("tokens"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut program = site.start();
    let address = program.admin().await;

    let mut command = Command::new(schemathesis);
    command.arg("--config-file").arg(root.join("tests/schemathesis/schemathesis.toml"));
    command.arg("run").arg(format!("http://{address}/openapi.json"));
    command.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
    command.args(["--generation-deterministic", "--max-examples", EXAMPLES]);
    command.args(["--max-time", MAX_TIME_S, "--no-color", "--continue-on-failure"]);
    command.env("NO_COLOR", "1").current_dir(site.path(""));
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output =
        tokio::time::timeout(12 * CONDITION_TIMEOUT, run).await.expect("it hangs").unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    // It has found the operations, and has called each of them.
    assert!(stdout.contains("Coverage (in"), "{stdout}");
    let tested = stdout.lines().find_map(|line| line.trim().strip_prefix("Tested: "));
    let tested: usize = tested.and_then(|number| number.parse().ok()).expect("a number");
    assert!(tested >= 16, "{stdout}");
    assert!(!stdout.contains(TOKEN) && !program.stderr().contains("panic"), "{stdout}");
}

const EXAMPLES: &str = "15";
const MAX_TIME_S: &str = "80";
