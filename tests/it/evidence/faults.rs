//! Faults of the ledger's disk, file or gateway: traffic goes on, and every loss is recorded.
//! All tests use the real binary: processes are killed, disks fill up, files are damaged.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::Method;
use http_body_util::BodyExt;
use rusqlite::Connection;
use rustix::process::Signal;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::sleep;

use crate::harness::{ACME, App, Browser, Http, Kept, Program, Setup, Site, ok, spawn};

const UNDECLARED: Action = Action::Strip(Reason::Undeclared);

async fn site() -> (App, Site) {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let site = Site::of(&Setup::before(&app).server("workers = 2").sections(JSON));
    (app, site)
}

const JSON: &str = "[log]\nformat = \"json\"";

fn ledger_of(site: &Site) -> PathBuf {
    site.path("state/crumbgate.db")
}

/// Sends this number of requests, each with an undeclared cookie; the application answers every one.
async fn send(browser: &Browser, requests: u64) {
    for _ in 0..requests {
        assert_eq!(browser.get_with_cookie("/", "_ga=1").await.status, 200);
    }
}

/// Waits until the ledger has this number of requests, each with an undeclared cookie.
async fn until_kept(program: &mut Program<'_>, ledger: &Path, requests: u64) -> Kept {
    let what = format!("{requests} requests in the ledger");
    let kept = program
        .wait_for(&what, |_| {
            let kept = Kept::try_read(ledger).ok()?;
            (kept.requests(ACME) == requests).then_some(kept)
        })
        .await;
    kept.assert_balanced();
    assert_eq!(kept.count(ACME, Direction::Request, UNDECLARED), requests);
    kept
}

#[tokio::test]
async fn sigterm_writes_everything() {
    let (_app, site) = site().await;
    let mut program = site.start();
    send(&program.browser(Http::One).await, 50).await;
    send(&program.browser(Http::Two).await, 50).await;
    program.signal(Signal::TERM);
    assert_eq!(program.exit().await.code, Some(0));
    assert!(!site.path("state/crumbgate.db-wal").exists(), "all of it is in one file");
    let kept = Kept::read(&ledger_of(&site));
    kept.assert_balanced();
    assert_eq!(kept.requests(ACME), 100);
    assert_eq!(kept.count(ACME, Direction::Request, UNDECLARED), 100);
    assert_eq!(
        (kept.events_of(EventKind::Start).len(), kept.events_of(EventKind::Stop).len()),
        (1, 1)
    );
    assert_eq!(kept.segments.len(), 1, "closed, and signed");
}

/// Sends requests until `stop` is set, and counts the answers.
async fn under_load(browser: Arc<Browser>, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    while !stop.load(SeqCst) {
        let request = browser.request(Method::GET, "/").header("cookie", "_ga=1");
        let Ok(answer) = browser.try_send(request, "").await else { return };
        if answer.into_body().collect().await.is_ok() {
            answered.fetch_add(1, SeqCst);
        }
    }
}

#[tokio::test]
async fn kill_9_under_load_loses_a_second_at_most_and_the_next_start_records_it() {
    let (_app, site) = site().await;
    let mut program = site.start();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for http in [Http::One, Http::Two, Http::One, Http::Two] {
        let browser = Arc::new(program.browser(http).await);
        drop(spawn(under_load(browser, Arc::clone(&stop), Arc::clone(&answered))));
    }
    sleep(Duration::from_millis(1500)).await;
    // The answers of more than a second before the kill are in the file.
    let certain = answered.load(SeqCst);
    assert!(certain > 0);
    sleep(Duration::from_secs(1)).await;
    let killed_unix_s = unix_s();
    program.signal(Signal::KILL);
    stop.store(true, SeqCst);
    assert_eq!(program.exit().await.code, None);

    let kept = Kept::read(&ledger_of(&site));
    kept.assert_balanced();
    assert!(kept.requests(ACME) >= certain, "{} of {certain}", kept.requests(ACME));
    assert!(kept.events_of(EventKind::Stop).is_empty());

    let mut program = site.start();
    program.logged("the previous gateway was not stopped properly: entries may be missing").await;
    let browser = program.browser(Http::One).await;
    send(&browser, 1).await;
    program.signal(Signal::TERM);
    assert_eq!(program.exit().await.code, Some(0));
    let again = Kept::read(&ledger_of(&site));
    again.assert_balanced();
    assert_eq!(again.requests(ACME), kept.requests(ACME) + 1);
    let [short] = &again.events_of(EventKind::UncleanStop)[..] else {
        panic!("{:?}", again.events)
    };
    let moment = |key: &str| {
        let text = short[key].as_str().unwrap();
        let moment = OffsetDateTime::parse(text, &Rfc3339).unwrap();
        u64::try_from(moment.unix_timestamp()).unwrap()
    };
    assert!((killed_unix_s - 2..=killed_unix_s).contains(&moment("from")), "{short}");
    assert!((killed_unix_s..=unix_s()).contains(&moment("until")), "{short}");
    assert_eq!(again.segments.len(), 2, "what was left open is closed at the start");
}

#[expect(clippy::disallowed_methods, reason = "the program uses the machine's time")]
fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn to3_a_full_disk_stops_no_request_and_pending_entries_are_written_when_there_is_space() {
    let (_app, site) = site().await;
    fs::create_dir(site.path("state")).unwrap();
    // A disk of one megabyte, seen by the gateway alone.
    let crumbgate = site.command(&["run"]);
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=1m none state && exec \"$0\" run");
    command.arg(crumbgate.get_program()).current_dir(site.path(""));
    crate::harness::without_variables(&mut command);
    let mut program = site.start_command(&mut command);
    let browser = program.browser(Http::One).await;
    let seen =
        format!("/proc/{}/root{}", program.pid().as_raw_nonzero(), site.path("state").display());
    // Read from a copy: SQLite would look for the file on this side of the mount.
    let (ledger, ballast) =
        (Path::new(&seen).join("crumbgate.db"), Path::new(&seen).join("ballast"));
    send(&browser, 10).await;
    until_copied(&mut program, &ledger, 10).await;

    fill(&ballast);
    // Other names, so that the new rows do not fit into the pages that the file already has.
    let mut sent = 10;
    let mut themes = ["red", "green", "blue", "black", "white"].into_iter().cycle();
    let problem = "the ledger can't be written; entries wait in memory";
    while !program.stderr().contains(problem) {
        let cookie = format!("theme-{}=1", themes.next().unwrap());
        assert_eq!(browser.get_with_cookie("/", format!("{cookie}; _ga=1")).await.status, 200);
        sent += 1;
        fill(&ballast);
    }
    assert!(program.stderr().contains("full"), "{}", program.stderr());
    let names = (0..200).map(|n| format!("long-and-{}-longer=1", letters(n)));
    for name in names {
        assert_eq!(browser.get_with_cookie("/", format!("{name}; _ga=1")).await.status, 200);
        sent += 1;
    }
    fs::remove_file(&ballast).unwrap();
    program.logged("the ledger is written again").await;
    let kept = until_copied(&mut program, &ledger, sent).await;
    assert!(kept.events_of(EventKind::Loss).is_empty(), "all of it had room in memory");
    program.signal(Signal::TERM);
    assert_eq!(program.exit().await.code, Some(0));
}

/// Waits until a copy of the ledger has this number of requests.
async fn until_copied(program: &mut Program<'_>, ledger: &Path, requests: u64) -> Kept {
    let what = format!("{requests} requests in the ledger");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let kept = program
        .wait_for(&what, |_| {
            for suffix in ["", "-wal"] {
                let from = format!("{}{suffix}", ledger.display());
                fs::copy(from, format!("{}{suffix}", copy.display())).ok()?;
            }
            let kept = Kept::try_read(&copy).ok();
            let _ = fs::remove_file(format!("{}-shm", copy.display()));
            kept.filter(|kept| kept.requests(ACME) == requests)
        })
        .await;
    kept.assert_balanced();
    kept
}

/// A word that no template folds.
fn letters(number: usize) -> String {
    let letter = |n: usize| char::from(b"abcdefghij"[n % 10]);
    [number, number / 10, number / 100].map(letter).iter().collect()
}

/// Fills the disk.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = fs::File::options().create(true).append(true).open(ballast).unwrap();
    for size in [4096, 256, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[tokio::test]
async fn to3_a_locked_file_stops_no_request() {
    let (_app, site) = site().await;
    let mut program = site.start();
    let browser = program.browser(Http::One).await;
    send(&browser, 5).await;
    let ledger = ledger_of(&site);
    until_kept(&mut program, &ledger, 5).await;
    let other = Connection::open(&ledger).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    send(&browser, 5).await;
    program.logged("the ledger can't be written; entries wait in memory").await;
    send(&browser, 5).await;
    other.execute_batch("ROLLBACK").unwrap();
    until_kept(&mut program, &ledger, 15).await;
}

#[tokio::test]
async fn a_second_gateway_waits_for_the_first_ones_ledger() {
    let (_app, site) = site().await;
    let mut first = site.start();
    send(&first.browser(Http::One).await, 3).await;
    until_kept(&mut first, &ledger_of(&site), 3).await;
    let mut second = site.start();
    let message = "another gateway writes the ledger; entries wait in memory until it ends";
    assert_eq!(second.logged(message).await["level"], "WARN");
    send(&second.browser(Http::One).await, 3).await;
    first.signal(Signal::TERM);
    assert_eq!(first.exit().await.code, Some(0));
    let kept = until_kept(&mut second, &ledger_of(&site), 6).await;
    assert!(kept.events_of(EventKind::UncleanStop).is_empty());
}

#[tokio::test]
async fn to4_a_truncated_file_is_put_aside_at_the_start_and_reported() {
    let (_app, site) = site().await;
    let mut program = site.start();
    send(&program.browser(Http::One).await, 5).await;
    program.signal(Signal::TERM);
    program.exit().await;
    let ledger = ledger_of(&site);
    let bytes = fs::read(&ledger).unwrap();
    for (run, left) in [bytes.len() / 2, 4096, 1000, 1].into_iter().enumerate() {
        fs::write(&ledger, &bytes[..left]).unwrap();
        let mut program = site.start();
        send(&program.browser(Http::One).await, 2).await;
        let kept = until_kept(&mut program, &ledger, 2).await;
        let [damage] = &kept.events_of(EventKind::Damage)[..] else { panic!("{left}: {kept:#?}") };
        let aside = site.path("state").join(damage["file"].as_str().unwrap());
        assert_eq!(fs::read(&aside).unwrap(), &bytes[..left], "nothing is deleted");
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0), "{run}");
        fs::remove_file(aside).unwrap();
    }
}

#[tokio::test]
async fn to4_a_file_that_is_damaged_while_it_is_written_is_put_aside() {
    let (_app, site) = site().await;
    let mut program = site.start();
    let browser = program.browser(Http::One).await;
    send(&browser, 5).await;
    let ledger = ledger_of(&site);
    until_kept(&mut program, &ledger, 5).await;
    let log = fs::File::options().write(true).open(site.path("state/crumbgate.db-wal"));
    log.unwrap().set_len(0).unwrap();
    let kept = loop {
        send(&browser, 1).await;
        if let Some(kept) = Kept::try_read(&ledger).ok().filter(|k| !k.events.is_empty()) {
            break kept;
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(kept.events_of(EventKind::Damage).len(), 1, "{kept:#?}");
    program
        .logged(
            "the damaged ledger was moved to this file, and a new one begins: keep it as evidence",
        )
        .await;
}

#[tokio::test]
async fn a_ledger_that_can_not_be_created_stops_no_request() {
    let (_app, site) = site().await;
    fs::write(site.path("state"), "a file where a folder is expected").unwrap();
    let mut program = site.start();
    let browser = program.browser(Http::One).await;
    program.logged("the ledger can't be written; entries wait in memory").await;
    send(&browser, 5).await;
    fs::remove_file(site.path("state")).unwrap();
    until_kept(&mut program, &ledger_of(&site), 5).await;
}

#[tokio::test]
async fn the_database_of_another_program_is_not_changed() {
    let (_app, site) = site().await;
    fs::create_dir(site.path("state")).unwrap();
    let foreign = Connection::open(ledger_of(&site)).unwrap();
    foreign.execute_batch("CREATE TABLE mine (a); PRAGMA user_version = 7").unwrap();
    let mut program = site.start();
    let line = program.logged("the ledger can't be written; entries wait in memory").await;
    assert!(line["problem"].as_str().unwrap().starts_with("it is not a state file"), "{line}");
    send(&program.browser(Http::One).await, 1).await;
    program.signal(Signal::TERM);
    let finished = program.exit().await;
    finished.logged("the ledger could not be written: these entries are lost");
    let tables: String = foreign
        .query_row("SELECT group_concat(name) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, "mine");
}

#[tokio::test]
async fn changes_of_the_configuration_and_of_the_declaration_are_events() {
    let (_app, site) = site().await;
    let declared = "[[cookies]]\nname = \"sid\"\n";
    let first = fs::read_to_string(site.path("config.toml")).unwrap();
    for config in
        [&first, &first, &format!("{first}\n# changed\n"), &format!("{first}\n{declared}")]
    {
        fs::write(site.path("config.toml"), config).unwrap();
        let mut program = site.start();
        program.https().await;
        program.logged("the ledger is signed with this key").await;
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
    }
    let kept = Kept::read(&ledger_of(&site));
    let configurations = kept.events_of(EventKind::Configuration);
    assert_eq!(configurations.len(), 3, "the second start changed nothing");
    assert_eq!(configurations[0]["old"], serde_json::Value::Null);
    assert_eq!(configurations[1]["old"], configurations[0]["new"]);
    let declarations = kept.events_of(EventKind::Declaration);
    assert_eq!(declarations.len(), 2);
    assert_eq!(declarations[1]["old"], declarations[0]["new"]);
}

/// An auditor's copy, on a medium that can't be written.
#[tokio::test]
async fn a_copy_on_a_read_only_medium_can_be_verified() {
    let (_app, site) = site().await;
    let mut program = site.start();
    send(&program.browser(Http::One).await, 5).await;
    program.signal(Signal::TERM);
    program.exit().await;
    fs::create_dir(site.path("medium")).unwrap();
    fs::copy(ledger_of(&site), site.path("medium/a copy?.db")).unwrap();
    let crumbgate = site.command(&[]);
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    command.arg(
        "mount --bind medium medium && mount -o remount,bind,ro medium && \
         exec \"$0\" audit verify 'medium/a copy?.db'",
    );
    command.arg(crumbgate.get_program()).current_dir(site.path(""));
    crate::harness::without_variables(&mut command);
    let finished = site.start_command(&mut command).exit().await;
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.contains(": verified."), "{}", finished.stdout);
}
