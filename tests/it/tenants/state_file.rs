//! Tenants that are set while the gateway runs, as the state file keeps them, and the ledger's entries about their
//! changes and about the declarations in force.
//!
//! Some tests start a process of their own, which can be killed and whose disk can be full: this test program, which an
//! environment variable makes set tenants until it ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::{Arc, mpsc::SyncSender},
    thread,
};

use crumbgate_audit::{
    Aggregator, AgreementEvent, Batch, Counters, GuardEvent, ScriptedKind, ShownPage,
};
use crumbgate_base::clock::Clock;
use crumbgate_ledger::{
    entry::{DeclarationRecord, EventKind},
    merkle::sha256,
};
use crumbgate_policy::{
    GuardMode, Mode,
    verdict::{Action, Direction, Reason, Verdict},
};
use crumbgate_state::{
    ChangeError, Settings, StateHandle, StateThread, TenantChange, key::KeyFiles, stored_tenants,
};
use proptest::prelude::*;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    evidence::agreements::as_of_version,
    harness::{
        ACME, App, Holding, Http, Kept, NOW_UNIX_S, Program, Setup, Site, in_time,
        ledger::{LedgerWriter, USUAL},
        ok, until, without_variables,
    },
};

const FIRST: &str = r#"{"cookies":[{"name":"flexopus_session","lifetime":"session"}]}"#;
const SECOND: &str = r#"{"cookies":[{"name":"_ga","lifetime":60}]}"#;

fn declaration(json: &str) -> DeclarationRecord {
    let hash = sha256(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    DeclarationRecord { hash, json: json.to_owned(), since_unix_s: NOW_UNIX_S }
}

/// The settings of the state file.
fn settings(path: &Path) -> Settings {
    let unix_s = Arc::new(NOW_UNIX_S.into());
    Settings {
        path: path.to_owned(),
        keeps_evidence: true,
        window_s: 300,
        retention: std::time::Duration::from_hours(24),
        configuration: "a".repeat(64),
        declaration: declaration(FIRST),
        actor: "crumbgate run".to_owned(),
        clock: Clock::Fixed { unix_s, started_unix_s: NOW_UNIX_S },
    }
}

/// The state writer of a gateway with one worker, and the sender of its batches.
fn keep(settings: Settings) -> (StateThread, SyncSender<Batch>) {
    let (sender, batches) = StateThread::queue(1);
    (StateThread::start(settings, batches).unwrap(), sender)
}

fn change(host: &str, before: Option<&str>, after: Option<&str>) -> TenantChange {
    let [before, after] = [before, after].map(|keys| keys.map(Arc::from));
    TenantChange { host: host.into(), before, after }
}

fn set(host: &str, keys: &str) -> TenantChange {
    change(host, None, Some(keys))
}

fn stored(path: &Path) -> BTreeMap<String, String> {
    let records = stored_tenants(path).unwrap().into_iter();
    records.map(|record| (record.host.to_string(), record.keys.to_string())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(host, keys)| ((*host).to_owned(), (*keys).to_owned())).collect()
}

const HOUR: &str = r#"{"session":"1h"}"#;
const WATCHED: &str = r#"{"mode":"report"}"#;

fn handle_of(gateway: &crate::harness::Running) -> StateHandle {
    gateway.inner().state_handle().unwrap()
}

#[tokio::test]
async fn tenants_survive_a_stop_and_each_change_is_an_entry() {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let gateway = Setup::before(&app).start();
    let handle = handle_of(&gateway);
    gateway.browser(Http::One).get_with_cookie("/", "_ga=1").await;
    handle.change_tenants(vec![set("a.example", HOUR), set("b.example", "{}")], "ada").unwrap();
    let changes = vec![
        change("a.example", Some(HOUR), Some(WATCHED)),
        change("b.example", Some("{}"), None),
        change("c.example", None, None),
    ];
    handle.change_tenants(changes, "bob").unwrap();
    let stopped = gateway.stop().await;
    assert_eq!(stored(&stopped.ledger()), pairs(&[("a.example", WATCHED)]));
    let kept = Kept::read(&stopped.ledger());
    kept.assert_balanced();
    let (hour, watched) = (json!({ "session": "1h" }), json!({ "mode": "report" }));
    let expected = [
        ("a.example", "ada", json!({ "before": null, "after": hour })),
        ("b.example", "ada", json!({ "before": null, "after": {} })),
        ("a.example", "bob", json!({ "before": hour, "after": watched })),
        ("b.example", "bob", json!({ "before": {}, "after": null })),
        ("c.example", "bob", json!({ "before": null, "after": null })),
    ];
    let expected = expected.map(|(tenant, actor, detail)| (tenant.into(), actor.into(), detail));
    assert_eq!(kept.changes, expected);
    assert!(matches!(
        handle.change_tenants(vec![set("late.example", HOUR)], "ada"),
        Err(ChangeError::Ended)
    ));
}

#[tokio::test]
async fn without_a_ledger_the_file_contains_only_tenants_and_is_created_for_the_first() {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let gateway = Setup::before(&app).sections("[audit]\nledger = false").start();
    let browser = gateway.browser(Http::One);
    browser.get_with_cookie("/", "_ga=1").await;
    let handle = handle_of(&gateway);
    handle.configure("b".repeat(64), declaration(SECOND), "ada");
    handle.change_tenants(vec![set("a.example", HOUR)], "ada").unwrap();
    browser.get_with_cookie("/", "_ga=1").await;
    let file = gateway.stop().await;
    assert_eq!(stored(&file.ledger()), pairs(&[("a.example", HOUR)]));
    let kept = Kept::read(&file.ledger());
    assert_eq!((kept.events.len(), kept.heartbeats.len(), kept.verdicts.len()), (0, 0, 0));
    assert!(!KeyFiles::beside(&file.ledger()).current().exists());

    // The next start finds them, and keeps a ledger if configured.
    let path = file.ledger();
    let (state, _) = keep(Settings { keeps_evidence: false, ..settings(&path) });
    state.handle().change_tenants(vec![set("b.example", HOUR)], "ada").unwrap();
    assert!(state.status().is_none());
    state.stop();
    let (state, _) = keep(settings(&path));
    state.handle().change_tenants(vec![change("b.example", Some(HOUR), None)], "ada").unwrap();
    state.stop();
    assert_eq!(stored(&path), pairs(&[("a.example", HOUR)]));
    assert_eq!(Kept::read(&path).changes.len(), 1);
}

/// The environment variable with the folder of a [`Child`]'s file.
const FOLDER: &str = "CHILD_KEEPS_TENANTS_IN";

/// With the variable, acts as a [`Child`]: sets one tenant after another, prints the result of each, and continues
/// until it is killed. Without it, does the same for a short time.
#[test]
fn one_tenant_after_another_is_stored_when_it_is_confirmed() {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    let own = TempDir::new().unwrap();
    let path = folder.clone().unwrap_or_else(|| own.path().to_owned()).join("crumbgate.db");
    let (state, _sender) = keep(settings(&path));
    let (handle, mut out) = (state.handle(), std::io::stdout());
    let keys = format!("{{\"session\":\"1h\",\"note\":\"{}\"}}", "x".repeat(4_000));
    for number in 0_u64.. {
        if folder.is_none() && number == 20 {
            break;
        }
        let printed = match handle.change_tenants(vec![set(&host(number), &keys)], "ada") {
            Ok(()) => format!("\nstored {number}\n"),
            Err(error) => format!("\nrefused {number}: {error}\n"),
        };
        out.write_all(printed.as_bytes()).unwrap();
        assert!(folder.is_some() || printed.contains("stored"), "{printed}");
    }
    assert_eq!(stored(&path).len(), 20);
}

fn host(number: u64) -> String {
    format!("{number}.example")
}

/// This test program as a process of its own that sets tenants in `state/` of a site.
fn child() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "tenants::state_file::one_tenant_after_another_is_stored_when_it_is_confirmed",
    ]);
    command.arg("--nocapture").env(FOLDER, "state");
    without_variables(&mut command);
    command
}

/// The numbers of the tenants for which a child has printed this word.
fn printed(program: &Program<'_>, word: &str) -> Vec<u64> {
    numbers(&program.stdout(), word)
}

fn numbers(printed: &str, word: &str) -> Vec<u64> {
    let whole = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let rest = whole.filter_map(|line| line.trim_end().strip_prefix(word)?.strip_prefix(' '));
    rest.map(|rest| rest.split(':').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn kill_9_after_an_answer_loses_no_tenant() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&[]));
        fs::create_dir(site.path("state")).unwrap();
        let path = site.path("state/crumbgate.db");
        for _ in 0..3 {
            let mut program = site.start_command(child().current_dir(site.path("")));
            let has_begun =
                |program: &Program<'_>| (printed(program, "stored").len() > 10).then_some(());
            program.wait_for("eleven tenants", has_begun).await;
            program.signal(Signal::KILL);
            let finished = program.exit().await;
            assert_eq!(finished.code, None);
            let stored = stored(&path);
            let kept = Kept::try_read(&path).unwrap();
            for number in numbers(&finished.stdout, "stored") {
                assert!(stored.contains_key(&host(number)), "{number}");
                assert!(
                    kept.changes.iter().any(|(tenant, ..)| *tenant == host(number)),
                    "{number}"
                );
            }
        }
        let (state, _) = keep(settings(&path));
        state.stop();
        Kept::read(&path);
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_refuses_a_change_and_nothing_is_changed() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&[]));
        fs::create_dir(site.path("state")).unwrap();
        let child = child();
        // A disk of one megabyte, mounted for the child alone.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c"]);
        command.arg("mount -t tmpfs -o size=1m none state && exec \"$0\" \"$@\"");
        command.arg(child.get_program()).args(child.get_args()).current_dir(site.path(""));
        without_variables(&mut command);
        command.env(FOLDER, "state");
        let mut program = site.start_command(&mut command);
        let refused = |program: &Program<'_>| printed(program, "refused").first().copied();
        let refused = program.wait_for("a full disk", refused).await;
        assert!(program.stdout().contains("database or disk is full"), "{}", program.stdout());

        // Read from a copy: SQLite would look for the file on this side of the mount.
        let pid = program.pid().as_raw_nonzero();
        let seen = PathBuf::from(format!("/proc/{pid}/root{}", site.path("state").display()));
        rustix::process::kill_process(program.pid(), Signal::STOP).unwrap();
        for suffix in ["", "-wal"] {
            let name = format!("crumbgate.db{suffix}");
            fs::copy(seen.join(&name), site.path(&name)).unwrap();
        }
        program.signal(Signal::KILL);
        let certain = printed(&program, "stored");
        let path = site.path("crumbgate.db");
        let stored = stored(&path);
        assert!(certain.iter().all(|number| stored.contains_key(&host(*number))));
        for number in printed(&program, "refused") {
            assert!(!stored.contains_key(&host(number)), "{number}");
        }
        assert!(certain.contains(&(refused - 1)), "those before it are there");
        let kept = Kept::try_read(&path).unwrap();
        assert!(kept.changes.iter().all(|(tenant, ..)| stored.contains_key(tenant)));
    })
    .await;
}

#[tokio::test]
async fn the_file_that_replaces_a_damaged_one_has_the_tenants() {
    let folder = TempDir::new().unwrap();
    // Truncated, or truncated and then written to after the gap.
    for (keeps_evidence, is_gap) in [(true, false), (false, false), (true, true), (false, true)] {
        let path = folder.path().join(format!("{keeps_evidence}-{is_gap}/crumbgate.db"));
        let (state, _sender) = keep(Settings { keeps_evidence, ..settings(&path) });
        let handle = state.handle();
        handle.change_tenants(vec![set("a.example", HOUR), set("b.example", HOUR)], "ada").unwrap();
        let log = format!("{}-wal", path.display());
        let log = fs::File::options().write(true).open(log).unwrap();
        let length = log.metadata().unwrap().len();
        log.set_len(0).unwrap();
        if is_gap {
            log.set_len(length).unwrap();
        }
        handle.change_tenants(vec![change("b.example", Some(HOUR), Some(WATCHED))], "bob").unwrap();
        let expected = pairs(&[("a.example", HOUR), ("b.example", WATCHED)]);
        assert_eq!(stored(&path), expected);
        fs::remove_file(&path).unwrap();
        handle.change_tenants(vec![set("c.example", HOUR)], "bob").unwrap();
        assert_eq!(stored(&path).len(), 3);
        state.stop();
        assert_eq!(stored(&path).len(), 3);
        if keeps_evidence {
            assert!(!Kept::read(&path).events_of(EventKind::Damage).is_empty());
        }
    }
}

#[tokio::test]
async fn readable_tenants_of_a_damaged_file_are_in_the_new_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("crumbgate.db");
    let (state, _sender) = keep(settings(&path));
    state.handle().change_tenants(vec![set("a.example", HOUR)], "ada").unwrap();
    state.stop();
    let file = Connection::open(&path).unwrap();
    file.execute_batch("DROP TABLE facts").unwrap();
    drop(file);
    let (state, _sender) = keep(settings(&path));
    state.handle().change_tenants(vec![set("b.example", HOUR)], "ada").unwrap();
    state.stop();
    assert_eq!(stored(&path), pairs(&[("a.example", HOUR), ("b.example", HOUR)]));
    assert_eq!(Kept::read(&path).events_of(EventKind::Damage).len(), 1);
}

#[tokio::test]
async fn a_file_that_can_not_be_written_refuses_a_change_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state/crumbgate.db");
    let refusal =
        |handle: &StateHandle| match handle.change_tenants(vec![set("a.example", HOUR)], "ada") {
            Err(error @ ChangeError::Unavailable { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
    fs::write(folder.path().join("state"), "a file where a folder is expected").unwrap();
    let (first, _sender) = keep(settings(&path));
    assert!(refusal(&first.handle()).contains("folder"));
    fs::remove_file(folder.path().join("state")).unwrap();
    first.handle().change_tenants(vec![set("a.example", WATCHED)], "ada").unwrap();

    let (second, _sender) = keep(settings(&path));
    let words = refusal(&second.handle());
    assert!(words.contains("another gateway writes it; nothing was changed"), "{words}");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(refusal(&first.handle()).contains("locked"));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(stored(&path), pairs(&[("a.example", WATCHED)]));
    first.handle().change_tenants(vec![set("b.example", HOUR)], "ada").unwrap();
    first.stop();
    // The second finds the tenants of the first.
    let last = vec![change("b.example", Some(HOUR), None)];
    second.handle().change_tenants(last, "ada").unwrap();
    second.stop();
    assert_eq!(stored(&path), pairs(&[("a.example", WATCHED)]));
    assert_eq!(Kept::read(&path).changes.len(), 3);
}

#[tokio::test]
async fn many_changes_are_stored_while_the_queue_of_batches_is_full() {
    let stored = in_time(tokio::task::spawn_blocking(|| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("crumbgate.db");
        let (sender, batches) = StateThread::queue(1);
        while sender.try_send(Batch::default()).is_ok() {}
        let state = StateThread::start(settings(&path), batches).unwrap();
        thread::scope(|scope| {
            for worker in 0..8 {
                let handle = state.handle();
                let sender = sender.clone();
                scope.spawn(move || {
                    for number in 0..250 {
                        while sender.try_send(Batch::default()).is_ok() {}
                        let host = format!("{worker}-{number}.example");
                        handle.change_tenants(vec![set(&host, HOUR)], "ada").unwrap();
                    }
                });
            }
        });
        let batch = (0..10_000).map(|number| set(&host(number), HOUR)).collect();
        state.handle().change_tenants(batch, "bob").unwrap();
        state.stop();
        assert_eq!(Kept::read(&path).changes.len(), 12_000);
        stored(&path).len()
    }))
    .await
    .unwrap();
    assert_eq!(stored, 12_000);
}

/// The changes for a model and for the file.
fn changes() -> impl Strategy<Value = Vec<Vec<(u8, Option<u8>)>>> {
    let change = (0..6_u8, prop::option::of(0..3_u8));
    prop::collection::vec(prop::collection::vec(change, 0..5), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_file_contains_the_last_change_of_each_tenant(batches in changes(), stops in 0..12_usize) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("crumbgate.db");
        let mut state = keep(settings(&path)).0;
        let mut model = BTreeMap::new();
        let mut recorded = 0;
        for (number, batch) in batches.iter().enumerate() {
            if number == stops {
                state.stop();
                state = keep(settings(&path)).0;
            }
            let mut changes = Vec::new();
            for (tenant, after) in batch {
                let tenant = format!("{tenant}.example");
                let after = after.map(|keys| format!("{{\"session\":{keys}}}"));
                let before = model.get(&tenant).map(String::as_str);
                changes.push(change(&tenant, before, after.as_deref()));
                match after {
                    Some(keys) => model.insert(tenant, keys),
                    None => model.remove(&tenant),
                };
            }
            recorded += changes.len();
            state.handle().change_tenants(changes, "ada").unwrap();
            prop_assert_eq!(&stored(&path), &model);
        }
        state.stop();
        prop_assert_eq!(&stored(&path), &model);
        let kept = Kept::read(&path);
        prop_assert_eq!(kept.changes.len(), recorded);
        // Each change begins where the previous one ended.
        let mut known = BTreeMap::<String, Value>::new();
        for (tenant, _, detail) in kept.changes {
            let before = known.insert(tenant, detail["after"].clone()).unwrap_or_default();
            prop_assert_eq!(&before, &detail["before"]);
        }
    }
}

/// A gateway without workers: the test takes their place.
fn count(aggregator: &Rc<Aggregator>, declaration: &str, name: &str, action: Action) {
    let account = aggregator.recorder(&ACME.into(), &declaration.into());
    account.count_request(NOW_UNIX_S);
    let (direction, requested, granted_s) = (Direction::Request, None, None);
    let verdict = Verdict {
        direction,
        name: name.as_bytes(),
        action,
        requested,
        granted_s,
        seal: None,
        count: 1,
    };
    let route = account.route("/");
    account.count(&verdict, Mode::Enforce, route.as_ref(), NOW_UNIX_S);
}

#[tokio::test]
async fn a2_a_window_of_two_declarations_balances_verifies_and_is_reported_with_both() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let path = site.path("state/crumbgate.db");
        let (first, second) = (declaration(FIRST), declaration(SECOND));
        let (state, sender) = keep(settings(&path));
        let evidence = Some((sender, 300));
        let aggregator = Aggregator::new(Arc::new(Counters::default()), evidence);
        let handle = state.handle();
        // The file is open, and its start is recorded.
        handle.change_tenants(vec![set(ACME, HOUR)], "ada").unwrap();
        count(&aggregator, &first.hash, "flexopus_session", Action::Keep);
        count(&aggregator, &first.hash, "_ga", Action::Strip(Reason::Undeclared));
        handle.configure("b".repeat(64), second.clone(), "ada");
        count(&aggregator, &second.hash, "_ga", Action::Keep);
        aggregator.flush();
        until("all of it is written", || {
            Kept::try_read(&path).is_ok_and(|kept| kept.verdicts.len() == 3)
        })
        .await;
        // And back again, in the same window.
        handle.configure("b".repeat(64), first.clone(), "bob");
        count(&aggregator, &first.hash, "flexopus_session", Action::Keep);
        aggregator.flush();
        state.stop();

        let kept = Kept::read(&path);
        kept.assert_balanced();
        let recorded = kept.verdicts.iter();
        let recorded: BTreeSet<_> = recorded
            .map(|row| {
                (row.name.as_deref().unwrap(), &*row.declaration, row.action.word(), row.count)
            })
            .collect();
        let (old, new) = (&*first.hash, &*second.hash);
        let expected = [
            ("_ga", old, "strip", 1),
            ("_ga", new, "keep", 1),
            ("flexopus_session", old, "keep", 2),
        ];
        assert_eq!(recorded, BTreeSet::from(expected));
        assert_eq!(kept.requests(ACME), 4);
        assert_eq!(kept.heartbeats_of(Some(ACME)).len(), 2, "one for each declaration");
        assert_eq!(kept.heartbeats_of(None).len(), 2);
        let declarations = kept.events_of(EventKind::Declaration);
        assert_eq!(
            declarations[1..],
            [&json!({ "old": old, "new": new }), &json!({ "old": new, "new": old }),]
        );
        let configurations = kept.events_of(EventKind::Configuration);
        let (before, after) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(configurations[1..], [&json!({ "old": before, "new": after })]);

        let run = async |arguments: &[&str]| {
            let finished = site.run(arguments).await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
            finished.stdout
        };
        let report = run(&["audit", "report", "--format", "json"]).await;
        let report: Value = serde_json::from_str(&report).unwrap();
        let ruled: Vec<_> = report["declarations"].as_array().unwrap().iter().collect();
        assert_eq!(ruled.len(), 2);
        assert!(ruled.iter().all(|version| version["ruled"] != Value::Null), "{report}");
        assert_eq!(report["books"]["request"]["difference"], 0);
        let by = |kind: &str| {
            let events = report["events"].as_array().unwrap().iter();
            let of = events.filter(|event| event["kind"] == kind);
            of.map(|event| event["actor"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(by("declaration"), ["crumbgate run", "ada", "bob"]);
        assert_eq!(by("configuration"), ["crumbgate run", "ada"]);
        for (output, tenant) in [("all.zip", None), ("acme.zip", Some(ACME))] {
            let mut arguments = vec!["audit", "export", "--output", output];
            arguments.extend(tenant.iter().flat_map(|tenant| ["--tenant", tenant]));
            run(&arguments).await;
            run(&["audit", "verify", output]).await;
            let unpack = format!("unzip -q {output} -d {output}.d && python3 {output}.d/verify.py");
            let mut python = Command::new("sh");
            python.args(["-c", &unpack]).current_dir(site.path(""));
            let finished = site.start_command(&mut python).exit().await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a2_verdicts_are_recorded_under_the_declaration_at_the_start_of_the_exchange() {
    in_time(async {
        let fields = ["set-cookie: old=1", "set-cookie: new=1"];
        let holding = Holding::replying(move |_| ok(&fields, "")).await;
        let declaring = |name: &str| {
            Setup::before(&holding.app).sections(&format!("[[cookies]]\nname = \"{name}\""))
        };
        let gateway = declaring("old").start();
        let browser = Arc::new(gateway.browser(Http::Two));
        let held = holding.begin(&browser, "/", "late").await;
        gateway.reload(&declaring("new"), "ada").await;
        browser.get("/").await;
        holding.let_go("late");
        held.await.unwrap();
        browser.get("/").await;
        let kept = Kept::read(&gateway.stop().await.ledger());
        kept.assert_balanced();
        let [first, reloaded] = &kept.events_of(EventKind::Declaration)[..] else {
            panic!("{:?}", kept.events)
        };
        assert_eq!(reloaded["old"], first["new"]);
        let set = kept.verdicts.iter().filter(|row| row.direction == Direction::Response);
        let recorded: BTreeSet<_> = set
            .filter(|row| matches!(row.action, Action::Rewrite | Action::Strip(_)))
            .map(|row| {
                let version = if row.declaration == first["new"] { "first" } else { "second" };
                (version, row.name.as_deref().unwrap(), row.action.word(), row.count)
            })
            .collect();
        let expected = [
            ("first", "old", "rewrite", 1),
            ("first", "new", "strip", 1),
            ("second", "new", "rewrite", 2),
            ("second", "old", "strip", 2),
        ];
        assert_eq!(recorded, BTreeSet::from(expected));
    })
    .await;
}

#[tokio::test]
async fn a_file_of_version_1_can_be_read_and_is_migrated_when_written() {
    can_be_read_and_is_migrated_when_written(1).await;
}

#[tokio::test]
async fn a_file_of_version_2_can_be_read_and_is_migrated_when_written() {
    can_be_read_and_is_migrated_when_written(2).await;
}

#[tokio::test]
async fn a_file_of_version_3_can_be_read_and_is_migrated_when_written() {
    can_be_read_and_is_migrated_when_written(3).await;
}

async fn can_be_read_and_is_migrated_when_written(version: u32) {
    in_time(async {
        let site = Site::of(
            &Setup::before_servers(&["http://127.0.0.1:9".to_owned()])
                .sections("[log]\nformat = \"json\""),
        );
        fs::create_dir(site.path("state")).unwrap();
        let path = site.path("state/crumbgate.db");
        let mut writer = LedgerWriter::new(&path, NOW_UNIX_S);
        for _ in 0..3 {
            writer.gateway_heartbeat();
            writer.traffic(ACME, &USUAL);
            writer.next_window();
        }
        writer.event(EventKind::Stop, "{}");
        writer.close();
        // The heartbeats of the gateway continue; the columns of later versions are removed.
        let counted = "INSERT INTO heartbeat_numbers VALUES (0, 3)";
        writer.connection.execute_batch(counted).unwrap();
        as_of_version(&writer.connection, version);
        drop(writer);
        let before = fs::read(&path).unwrap();
        assert_eq!(stored(&path), pairs(&[]));
        let run = async |arguments: &[&str]| {
            let finished = site.run(arguments).await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
        };
        run(&["audit", "verify"]).await;
        run(&["audit", "report"]).await;
        run(&["audit", "export", "--output", "old.zip"]).await;
        run(&["audit", "verify", "old.zip"]).await;
        assert_eq!(fs::read(&path).unwrap(), before, "who reads it leaves it as it is");

        let mut program = site.start();
        program.logged("the ledger is signed with this key").await;
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
        let kept = Kept::read(&path);
        assert_eq!(kept.requests(ACME), 300);
        let (state, sender) = keep(settings(&path));
        state.handle().change_tenants(vec![set("a.example", HOUR)], "ada").unwrap();
        assert_eq!(stored(&path), pairs(&[("a.example", HOUR)]));
        let aggregator = Aggregator::new(Arc::new(Counters::default()), Some((sender, 300)));
        let page = Arc::new(ShownPage::new("<p>We use cookies"));
        let account = aggregator.recorder(&ACME.into(), &"first".into());
        account.count_agreement(AgreementEvent::Shown, &page, NOW_UNIX_S);
        let cookie = GuardEvent::Reported(ScriptedKind::Cookie);
        account.count_guard(cookie, b"_ga", GuardMode::Watch, NOW_UNIX_S);
        aggregator.flush();
        state.stop();
        let kept = Kept::try_read(&path).unwrap();
        assert_eq!((kept.agreements(ACME, AgreementEvent::Shown), kept.pages.len()), (1, 1));
        assert_eq!((kept.guards.len(), kept.guards[0].name.as_deref()), (1, Some("_ga")));
        run(&["audit", "verify", "old.zip"]).await;
    })
    .await;
}
