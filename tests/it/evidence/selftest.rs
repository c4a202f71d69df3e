//! `crumbgate audit selftest` against a running gateway (A3): it finds its canaries where they are kept, and only
//! there.

use std::{
    fs::{self, File},
    io::Write,
};

use crate::harness::{ACME, App, Http, Kept, Setup, Site, ok};

const LOG: &str = "[log]\nformat = \"json\"\naccess = true";

#[tokio::test]
async fn a3_the_selftest_finds_nothing_of_its_canaries_in_ledger_export_and_log() {
    let app = App::replying(|_| ok(&["set-cookie: _ga=1"], "hello")).await;
    let site = Site::of(&Setup::before(&app).server("workers = 2").sections(LOG));
    let log = File::create(site.path("gateway.log")).unwrap();
    let mut command = site.command(&["run"]);
    command.env("RUST_LOG", "trace");
    let mut program = site.start_command(&mut command);
    let address = program.https().await.to_string();
    program.browser(Http::One).await.get("/").await;
    let selftest = ["audit", "selftest", "--address", &address, "--log", "gateway.log"];
    let copy = |stderr: String| (&log).write_all(stderr.as_bytes()).unwrap();

    // Once to fill the log, and once with other canaries; the traces of the first are searched for below.
    let first = site.run(&selftest).await;
    assert_eq!(first.code, Some(0), "{}{}", first.stdout, first.stderr);
    copy(program.stderr());
    let second = site.run(&selftest).await;
    assert_eq!(second.code, Some(0), "{}{}", second.stdout, second.stderr);
    for searched in ["the ledger", "the ledger's write-ahead log", "an export", "the log"] {
        let line = second.stdout.lines().find(|line| line.starts_with(&format!("{searched}, ")));
        assert!(line.is_some_and(|line| line.ends_with(": nothing found")), "{}", second.stdout);
    }
    // The application received the canaries: they were really sent.
    let request = app.last();
    let session =
        request.field("cookie").unwrap().trim_start_matches("flexopus_session=").to_owned();
    assert_eq!(session.len(), 32, "{session}");
    let address = request.field("x-forwarded-for").unwrap().to_owned();
    assert!(address.starts_with("127."), "{address}");
    for canary in [session, address] {
        assert!(!program.stderr().contains(&canary));
        let ledger = fs::read(site.path("state/crumbgate.db-wal")).unwrap();
        assert!(memchr::memmem::find(&ledger, canary.as_bytes()).is_none());
    }
}

#[tokio::test]
async fn a3_the_selftest_of_a_tenant_with_a_guard_reports_a_name_and_finds_only_its_template() {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let site = Site::of(&Setup::before(&app).tenant(ACME, "guard = \"watch\"").sections(LOG));
    let mut program = site.start();
    let address = program.https().await.to_string();
    let finished = site.run(&["audit", "selftest", "--address", &address]).await;
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let kept = Kept::try_read(&site.path("state/crumbgate.db")).unwrap();
    let names: Vec<_> =
        kept.guards.iter().map(|guard| (guard.name.as_deref(), guard.count)).collect();
    assert_eq!(names, [(Some("selftest_{id}"), 3); 2]);
    assert_eq!(app.received().len(), 3, "the application receives no report");
}

#[tokio::test]
async fn a_log_that_contains_a_canary_fails_the_selftest() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("application.log");
    let written = log.clone();
    // An application that logs its requests, as some do.
    let app = App::replying(move |request| {
        fs::write(&written, request.field("user-agent").unwrap_or_default()).unwrap();
        ok(&[], "hello")
    })
    .await;
    let site = Site::of(&Setup::before(&app).sections(LOG));
    let mut program = site.start();
    let address = program.https().await.to_string();
    let log = log.to_str().unwrap();
    let finished = site.run(&["audit", "selftest", "--address", &address, "--log", log]).await;
    assert_eq!(finished.code, Some(1), "{}{}", finished.stdout, finished.stderr);
    let found = "FOUND the user agent, plain, at byte 0";
    assert!(finished.stdout.contains(found), "{}", finished.stdout);
}

#[tokio::test]
async fn a_selftest_without_a_result_reports_the_reason() {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let site = Site::of(&Setup::before(&app).sections(LOG));
    let mut program = site.start();
    let address = program.https().await.to_string();
    for (arguments, words) in [
        (
            vec!["--address", "127.0.0.1:1"],
            "nothing answers at 127.0.0.1:1; is the gateway running?",
        ),
        (vec![], "give the gateway's address with --address"),
        (
            vec!["--address", &address, "--tenant", "other.example"],
            "no tenant of the configuration serves other.example",
        ),
    ] {
        let finished = site.run(&[&["audit", "selftest"], &arguments[..]].concat()).await;
        assert_eq!(finished.code, Some(1), "{arguments:?}: {}", finished.stdout);
        assert!(finished.stderr.contains(words), "{arguments:?}: {}", finished.stderr);
    }
}
