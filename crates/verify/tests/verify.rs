//! The program verifies real ledgers and bundles, and reports what was changed in them.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crumbgate_ledger::{
    export::{Selection, export},
    read::Reader,
};
use crumbgate_testkit::ledger::signed::{LedgerWriter, USUAL};
use serde_json::Value;

const NOW_UNIX_S: u64 = 1_795_428_000;
const TENANT: &str = "acme.example";

/// Writes a ledger with two segments.
fn write_ledger(path: &Path) -> LedgerWriter {
    let mut writer = LedgerWriter::new(path, NOW_UNIX_S);
    for _ in 0..2 {
        writer.gateway_heartbeat();
        writer.traffic(TENANT, &USUAL);
        writer.next_window();
        writer.close();
    }
    writer
}

fn verify(arguments: &[&str], folder: &Path) -> Output {
    let program = env!("CARGO_BIN_EXE_crumbgate-verify");
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_ledger_and_its_bundles_verify_and_a_pinned_key_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crumbgate.db");
    let writer = write_ledger(&path);
    let reader = Reader::open(&path).unwrap();
    let tenant = Selection { tenant: Some(TENANT.to_owned()), ..Selection::default() };
    export(&reader, &Selection::default(), &folder.path().join("all.zip"), false).unwrap();
    export(&reader, &tenant, &folder.path().join("acme.zip"), false).unwrap();

    let key = writer.keyring.signer().verifier().to_string();
    for file in ["crumbgate.db", "all.zip", "acme.zip"] {
        let verified = verify(&[file, "--key", &key], folder.path());
        assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
        let output = text(&verified.stdout);
        assert!(output.starts_with(&format!("{file}: verified.\n")), "{output}");
        assert!(output.contains("the expected key has signed"), "{output}");
    }
    let json = verify(&["all.zip", "--json"], folder.path());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["verifies"], &json["segments"]), (&Value::from(true), &Value::from(2)));
}

#[test]
fn a_changed_entry_is_reported_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crumbgate.db");
    let writer = write_ledger(&path);
    writer.connection.execute("UPDATE verdicts SET count = 99 WHERE seq = 4", []).unwrap();

    let changed = verify(&["crumbgate.db"], folder.path());
    assert_eq!(changed.status.code(), Some(1));
    let output = text(&changed.stdout);
    assert!(output.contains("segment 1: entry 4 was changed"), "{output}");
    let json = verify(&["crumbgate.db", "--json"], folder.path());
    assert_eq!(json.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["finding"], &json["entry"]), (&Value::from("changed"), &Value::from(4)));
}

#[test]
fn a_checkpoint_that_was_kept_elsewhere_must_be_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = write_ledger(&folder.path().join("crumbgate.db"));
    writer.gateway_heartbeat();
    let kept = writer.close().checkpoint;
    fs::write(folder.path().join("kept.txt"), kept).unwrap();
    write_ledger(&folder.path().join("other.db"));

    let found = verify(&["crumbgate.db", "--anchor", "kept.txt"], folder.path());
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stdout));
    let absent = verify(&["other.db", "--anchor", "kept.txt"], folder.path());
    assert_eq!(absent.status.code(), Some(1), "{}", text(&absent.stdout));
}

#[test]
fn a_file_that_is_not_a_ledger_is_reported_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "nothing\n").unwrap();
    let refused = verify(&["notes.txt"], folder.path());
    assert_eq!(refused.status.code(), Some(1));
    let output = text(&refused.stdout);
    assert!(output.contains("the file is cut or damaged: file is not a database"), "{output}");
}

#[test]
fn an_absent_file_is_an_error_with_exit_code_1_and_no_argument_is_a_usage_error_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let refused = verify(&["absent.db"], folder.path());
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(error.starts_with("crumbgate-verify: absent.db: there is no such file"), "{error}");
    assert!(refused.stdout.is_empty());
    assert_eq!(verify(&[], folder.path()).status.code(), Some(2));
}
