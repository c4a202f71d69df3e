//! The evidence of agreement, from the worker's memory to reading, exporting and verifying: how often each page was
//! shown and answered, the page itself, and nothing else.
//!
//! The test itself is the worker, so that it knows each count exactly.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};

use crumbgate_audit::{Aggregator, AgreementEvent, Batch, Counters, ShownPage};
use crumbgate_base::clock::Clock;
use crumbgate_gateway::metrics::{Metrics, Readings, expose};
use crumbgate_ledger::{
    entry::{DeclarationRecord, EventKind},
    merkle::sha256,
    progress::Progress,
    verify::{Expected, verify_ledger},
};
use crumbgate_state::{Settings, StateThread};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    evidence::export::{export, members, verify, write},
    harness::{
        ACME, Kept, NOW_UNIX_S, Program, Setup, Site, in_time,
        ledger::{LedgerWriter, USUAL},
        until, without_variables,
    },
};

use AgreementEvent::{Agreed, Declined, Shown, Withdrawn};

const RIVAL: &str = "rival.example";
const FIRST: &str = r#"{"cookies":[{"name":"flexopus_session","lifetime":"session"}]}"#;
const SECOND: &str = r#"{"cookies":[{"name":"_ga","lifetime":60}]}"#;

fn declaration(json: &str) -> DeclarationRecord {
    DeclarationRecord { hash: hash(json), json: json.to_owned(), since_unix_s: NOW_UNIX_S }
}

fn hash(text: &str) -> String {
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The state writer of a gateway with one worker, whose clock is `clock`, and the sender of its batches.
fn start(path: &Path, clock: Clock) -> (StateThread, SyncSender<Batch>) {
    let settings = Settings {
        path: path.to_owned(),
        keeps_evidence: true,
        window_s: 300,
        retention: Duration::from_hours(24),
        configuration: "a".repeat(64),
        declaration: declaration(FIRST),
        actor: "crumbgate run".to_owned(),
        clock,
    };
    let (sender, batches) = StateThread::queue(1);
    (StateThread::start(settings, batches).unwrap(), sender)
}

fn fixed() -> Clock {
    Clock::Fixed { unix_s: Arc::new(NOW_UNIX_S.into()), started_unix_s: NOW_UNIX_S }
}

/// A gateway without workers: the test takes their place.
struct Worker {
    counters: Arc<Counters>,
    aggregator: Rc<Aggregator>,
}

impl Worker {
    fn new(sender: SyncSender<Batch>) -> Self {
        let counters = Arc::new(Counters::default());
        let aggregator = Aggregator::new(Arc::clone(&counters), Some((sender, 300)));
        Self { counters, aggregator }
    }

    fn count(&self, tenant: &str, declaration: &str, event: AgreementEvent, page: &Arc<ShownPage>) {
        let account = self.aggregator.recorder(&tenant.into(), &declaration.into());
        account.count_agreement(event, page, NOW_UNIX_S + 61);
    }

    /// Sends what was counted, as soon as the queue has room for all of it.
    fn flush_all(&self) {
        self.aggregator.flush();
        while self.aggregator.unsent() > 0 {
            std::thread::yield_now();
            self.aggregator.flush();
        }
    }
}

fn page(html: &str) -> Arc<ShownPage> {
    Arc::new(ShownPage::new(html))
}

#[tokio::test]
async fn agreements_appear_in_every_output_of_the_ledger() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        fs::create_dir(site.path("state")).unwrap();
        let path = site.path("state/crumbgate.db");
        let (first, second) = (declaration(FIRST).hash, declaration(SECOND).hash);
        let [german, english, newer, rivals] =
            ["<html lang=de>", "<html lang=en>", "<html lang=de>2", "<p>rival"].map(page);
        let (state, sender) = start(&path, fixed());
        let worker = Worker::new(sender);
        for (tenant, declaration, event, page, times) in [
            (ACME, &first, Shown, &german, 5),
            (ACME, &first, Agreed, &german, 2),
            (ACME, &first, Shown, &english, 1),
            (ACME, &second, Shown, &newer, 3),
            (ACME, &second, Declined, &newer, 1),
            (ACME, &second, Withdrawn, &newer, 1),
            (RIVAL, &second, Shown, &rivals, 4),
        ] {
            for _ in 0..times {
                worker.count(tenant, declaration, event, page);
            }
            worker.aggregator.flush();
        }
        state.handle().configure("b".repeat(64), declaration(SECOND), "ada");
        until("all of it is written", || {
            worker.aggregator.flush();
            Kept::try_read(&path).is_ok_and(|kept| kept.agreements.len() == 7)
        })
        .await;
        // The same page as another worker has rendered it: it is stored once, and counted in the same entry.
        worker.count(ACME, &first, Agreed, &page("<html lang=de>"));
        worker.flush_all();
        state.stop();

        let kept = Kept::read(&path);
        kept.assert_balanced();
        let pages = [&german, &english, &newer, &rivals];
        let pages = pages.map(|page| (page.hash().to_string(), page.html().to_string()));
        assert_eq!(kept.pages, BTreeMap::from(pages));
        assert_eq!(kept.agreements.len(), 7);
        for row in &kept.agreements {
            let declared = if row.page == **german.hash() || row.page == **english.hash() {
                &first
            } else {
                &second
            };
            assert_eq!(row.declaration, *declared);
            // The minute, without seconds.
            assert_eq!((row.first_unix_s, row.last_unix_s), (NOW_UNIX_S + 60, NOW_UNIX_S + 60));
            assert_eq!(row.window.start_unix_s, NOW_UNIX_S);
        }
        let times = AgreementEvent::ALL.map(|event| kept.agreements(ACME, event));
        assert_eq!(times, [3, 1, 9, 1]);
        assert_eq!(kept.agreements(RIVAL, Shown), 4);
        let exposition = expose(&Metrics::default(), &worker.counters, &Readings::default());
        for event in AgreementEvent::ALL {
            let entries = kept.agreements(ACME, event) + kept.agreements(RIVAL, event);
            let word = event.word();
            let series = format!("crumbgate_agreements_total{{event=\"{word}\"}} {entries}\n");
            assert!(exposition.contains(&series), "{series} in {exposition}");
        }
        assert_reports(&site, &first, &german).await;
        assert_bundles(&site, &rivals).await;
    })
    .await;
}

/// The report contains it in each format and both languages.
async fn assert_reports(site: &Site, first: &str, german: &ShownPage) {
    let report = async |arguments: &[&str]| {
        let arguments = [&["audit", "report", "--format"], arguments].concat();
        let finished = site.run(&arguments).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.stdout
    };
    let json: Value = serde_json::from_str(&report(&["json"]).await).unwrap();
    let of_first = json["agreements"].as_array().unwrap().iter();
    let of_first: Vec<_> = of_first.filter(|row| row["declaration"] == first).collect();
    let [row] = &of_first[..] else { panic!("{json}") };
    let page = row["pages"].as_array().unwrap().iter();
    let page = page.filter(|page| page["hash"] == **german.hash()).collect::<Vec<_>>();
    let times =
        |of: &Value| ["shown", "agreed", "declined", "withdrawn"].map(|key| of[key].clone());
    assert_eq!(times(row), [6, 3, 0, 0].map(Value::from));
    assert_eq!(times(page[0]), [5, 3, 0, 0].map(Value::from));
    assert_eq!(row["tenant"], ACME);
    assert_eq!(row["first"], json!("2026-11-23T10:01:00Z"));
    assert_eq!(json["books"]["agreements"]["counted"], 18);
    assert_eq!(json["books"]["agreements"]["difference"], 0);
    for (language, words) in [
        ("en", ["Agreement", "Withdrawn", "Shown pages"]),
        ("de", ["Zustimmung", "Widerrufen", "Die gezeigten Seiten"]),
    ] {
        for format in ["text", "html"] {
            let verification = report(&[format, "--language", language]).await;
            // The text format has no captions.
            let words = if format == "text" { &words[..2] } else { &words };
            for word in [words, &[first, &**german.hash()]].concat() {
                assert!(verification.contains(word), "{word} in {verification}");
            }
        }
    }
    let csv = report(&["csv"]).await;
    let row = format!(",{first},{},5,3,0,0,,,,", german.hash());
    assert!(csv.lines().any(|line| line.ends_with(&row)), "{row} in {csv}");
    let rivals: Value = serde_json::from_str(&report(&["json", "--tenant", RIVAL]).await).unwrap();
    assert_eq!(rivals["agreements"].as_array().unwrap().len(), 1, "{rivals}");
    assert!(!rivals.to_string().contains(&**german.hash()));
}

/// Bundles contain the pages and verify; a tenant's bundle contains the pages of no other tenant.
async fn assert_bundles(site: &Site, rivals: &ShownPage) {
    let ledger = "state/crumbgate.db";
    for (output, tenant, pages) in [("all.zip", None, 4), ("acme.zip", Some(ACME), 3)] {
        let mut arguments = vec!["audit", "export", ledger, "--output", output];
        arguments.extend(tenant.iter().flat_map(|tenant| ["--tenant", tenant]));
        let finished = site.run(&arguments).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(verify(site, output).await["verifies"], true);
        let members = members(&site.path(output));
        let of_pages: Vec<_> =
            members.iter().filter(|(name, _)| name.starts_with("pages/")).collect();
        assert_eq!(of_pages.len(), pages);
        for (name, content) in of_pages {
            let html = String::from_utf8(content.clone()).unwrap();
            assert_eq!(*name, format!("pages/{}.html", hash(&html)));
        }
        let texts = members.iter().map(|(_, content)| String::from_utf8_lossy(content));
        let has_rivals = texts.clone().any(|text| {
            [RIVAL, rivals.hash(), rivals.html()].iter().any(|secret| text.contains(*secret))
        });
        assert_eq!(has_rivals, tenant.is_none());
        let (code, verification) = run_script(&members);
        assert_eq!(code, Some(0), "{verification}");
    }
}

/// The result of `verify.py` for a bundle.
pub(crate) fn run_script(members: &[(String, Vec<u8>)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in members {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let script = Command::new("python3").arg(folder.path().join("verify.py")).output().unwrap();
    let verification = [script.stdout, script.stderr].concat();
    (script.status.code(), String::from_utf8(verification).unwrap())
}

const ASKS: &str = "<p>We use cookies";
const OTHER: &str = "<p>Cookies are used";
const NEWER: &str = "<p>We use fewer cookies";

/// A ledger of two segments: a page of the first is not shown in the second.
fn site() -> (Site, LedgerWriter) {
    let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
    let mut writer = LedgerWriter::new(&site.path("crumbgate.db"), NOW_UNIX_S);
    for pages in [[ASKS, OTHER], [ASKS, NEWER]] {
        for _ in 0..3 {
            writer.gateway_heartbeat();
            writer.traffic("acme.example", &USUAL);
            writer.agreements(
                "acme.example",
                &[(Shown, pages[0], 7), (Agreed, pages[0], 3), (Shown, pages[1], 1)],
            );
            writer.next_window();
        }
        writer.close();
    }
    writer.gateway_heartbeat();
    (site, writer)
}

/// The first error in the ledger, and its place.
async fn found(site: &Site) -> Value {
    let verification = verify(site, "crumbgate.db").await;
    json!([verification["finding"], verification["segment"], verification["entry"]])
}

#[tokio::test]
async fn a_page_that_was_changed_removed_or_added_is_reported() {
    in_time(async {
        let (site, writer) = site();
        assert_eq!(verify(&site, "crumbgate.db").await["verifies"], true);
        let row = format!("WHERE hash = '{}'", hash(ASKS));
        let stray = hash("<p>Never shown");
        for (tamper, restore, expected) in [
            (
                format!("UPDATE pages SET html = html || ' ' {row}"),
                format!("UPDATE pages SET html = '{ASKS}' {row}"),
                json!(["page", null, null]),
            ),
            (
                format!("UPDATE pages SET html = x'ff' {row}"),
                format!("UPDATE pages SET html = '{ASKS}' {row}"),
                json!(["page", null, null]),
            ),
            (
                format!("DELETE FROM pages {row}"),
                format!("INSERT INTO pages VALUES ('{}', '{ASKS}')", hash(ASKS)),
                json!(["page", null, null]),
            ),
            (
                format!("INSERT INTO pages VALUES ('{stray}', '<p>Never shown')"),
                format!("DELETE FROM pages WHERE hash = '{stray}'"),
                json!(["page", null, null]),
            ),
            // Counts are part of the entries.
            (
                "UPDATE agreements SET count = 4 WHERE count = 3 AND seq < 10".to_owned(),
                "UPDATE agreements SET count = 3 WHERE count = 4".to_owned(),
                json!(["changed", 1, 9]),
            ),
            // The hash is stored as a text, and each line repeats it.
            (
                format!("UPDATE texts SET text = '{stray}' WHERE text = '{}'", hash(OTHER)),
                format!("UPDATE texts SET text = '{}' WHERE text = '{stray}'", hash(OTHER)),
                json!(["changed", 1, 10]),
            ),
        ] {
            writer.connection.execute_batch(&tamper).unwrap();
            assert_eq!(found(&site).await, expected, "{tamper}");
            writer.connection.execute_batch(&restore).unwrap();
        }
        let verification = verify(&site, "crumbgate.db").await;
        assert_eq!(verification["verifies"], true, "{verification}");
        // The same in words.
        writer.connection.execute_batch(&format!("DELETE FROM pages {row}")).unwrap();
        let finished = site.run(&["audit", "verify", "crumbgate.db"]).await;
        let words = format!("the page {} is missing, and entries name it", hash(ASKS));
        assert!(finished.stdout.contains(&words), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn an_agreement_without_an_entry_does_not_balance() {
    in_time(async {
        let (site, mut writer) = site();
        writer.agreements("acme.example", &[(Shown, ASKS, 7), (Agreed, ASKS, 2)]);
        let left_out = "DELETE FROM agreements WHERE count = 2";
        writer.connection.execute_batch(left_out).unwrap();
        writer.seq -= 1;
        writer.next_window();
        writer.gateway_heartbeat();
        writer.close();
        let verification = verify(&site, "crumbgate.db").await;
        assert_eq!(verification["finding"], "balance", "{verification}");
        let message = verification["message"].as_str().unwrap();
        assert!(
            message.contains("has 9 agreements") && message.ends_with("add up to 7"),
            "{verification}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_page_is_removed_with_the_last_entry_that_refers_to_it() {
    in_time(async {
        let (site, mut writer) = site();
        let pages = |writer: &LedgerWriter| {
            let kept = Kept::read(&writer.path);
            kept.pages.into_values().collect::<Vec<_>>()
        };
        assert_eq!(pages(&writer).len(), 3);
        assert_eq!(writer.prune(NOW_UNIX_S + 3 * 300), Some(1));
        let mut left = [ASKS, NEWER].map(str::to_owned);
        left.sort_by_key(|html| hash(html));
        assert_eq!(pages(&writer), left);
        // The entry about the pruning is signed.
        writer.close();
        export(&site, &["--output", "all.zip"]).await;
        assert_eq!(verify(&site, "all.zip").await["verifies"], true);
        writer.next_window();
        assert_eq!(writer.prune(writer.window_unix_s), Some(3));
        assert!(pages(&writer).is_empty());
    })
    .await;
}

/// A member of a bundle: its name and its content.
type Member = (String, Vec<u8>);

#[tokio::test]
async fn changed_pages_or_agreements_of_a_bundle_are_found_by_program_and_script() {
    in_time(async {
        let (site, _writer) = site();
        for tenant in [&[][..], &["--tenant", "acme.example"]] {
            export(&site, &[tenant, &["--output", "some.zip", "--overwrite"]].concat()).await;
            let bundle = members(&site.path("some.zip"));
            let asks = format!("pages/{}.html", hash(ASKS));
            let edited = |edit: &dyn Fn(&mut Vec<Member>)| {
                let mut bundle = bundle.clone();
                edit(&mut bundle);
                bundle
            };
            let is_asks = |(name, _): &Member| *name == asks;
            for (what, bundle, expected) in [
                (
                    "a page changed",
                    edited(&|members| {
                        members.iter_mut().find(|member| is_asks(member)).unwrap().1.push(b' ');
                    }),
                    "page",
                ),
                (
                    "a page removed",
                    edited(&|members| members.retain(|member| !is_asks(member))),
                    "page",
                ),
                (
                    "a page added",
                    edited(&|members| {
                        let name = format!("pages/{}.html", hash("<p>Never shown"));
                        members.push((name, b"<p>Never shown".to_vec()));
                    }),
                    "page",
                ),
                (
                    "something else added",
                    edited(&|members| members.push(("pages/notes".to_owned(), b"x".to_vec()))),
                    "page",
                ),
                (
                    "a count changed",
                    edited(&|members| {
                        let entries =
                            members.iter_mut().find(|(name, _)| name == "entries.ndjson").unwrap();
                        let text = String::from_utf8(entries.1.clone()).unwrap();
                        entries.1 = text.replacen("\"count\":3,", "\"count\":4,", 1).into_bytes();
                    }),
                    if tenant.is_empty() { "changed" } else { "proof" },
                ),
            ] {
                write(&site.path("changed.zip"), &bundle);
                let verification = verify(&site, "changed.zip").await;
                assert_eq!(verification["finding"], expected, "{what}: {verification}");
                let (code, verification) = run_script(&bundle);
                assert_eq!(code, Some(1), "{what}: {verification}");
                assert!(verification.contains("It does not verify: "), "{what}: {verification}");
            }
        }
    })
    .await;
}

/// The environment variable with the folder of a child's ledger.
const FOLDER: &str = "CHILD_KEEPS_AGREEMENTS_IN";

/// With the variable, acts as the child: shows one page after another, as fast as it can, until it is killed. Without
/// it, does the same for a short time.
#[test]
fn one_page_after_another_is_shown() {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    let own = TempDir::new().unwrap();
    let path = folder.clone().unwrap_or_else(|| own.path().to_owned()).join("crumbgate.db");
    let (state, sender) = start(&path, Clock::system());
    let worker = Worker::new(sender);
    let declaration = declaration(FIRST).hash;
    for number in 0_u64.. {
        if folder.is_none() && number == 20 {
            break;
        }
        let page = page(&format!("<p>{number}{}", "x".repeat(20_000)));
        worker.count(ACME, &declaration, Shown, &page);
        worker.count(ACME, &declaration, Agreed, &page);
        worker.aggregator.flush();
        if folder.is_some() {
            // As many pages as fit on a disk, more than fit in memory.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    worker.flush_all();
    state.stop();
    let kept = Kept::read(&path);
    assert_eq!((kept.agreements(ACME, Agreed), kept.pages.len()), (20, 20));
}

#[tokio::test]
async fn kill_9_leaves_no_entry_without_its_page() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&[]));
        fs::create_dir(site.path("state")).unwrap();
        let path = site.path("state/crumbgate.db");
        let mut before = 0;
        for _ in 0..2 {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "evidence::agreements::one_page_after_another_is_shown"]);
            child.arg("--nocapture").env(FOLDER, "state");
            without_variables(&mut child);
            let mut program = site.start_command(child.current_dir(site.path("")));
            let pages = |_: &Program<'_>| {
                let pages = Kept::try_read(&path).map_or(0, |kept| kept.pages.len());
                (pages > before + 30).then_some(())
            };
            program.wait_for("thirty pages more", pages).await;
            program.signal(Signal::KILL);
            program.exit().await;
            // Each page is there, and no other: verification checks that.
            let found = verify_ledger(&path, &Expected::default(), &Progress::default()).unwrap();
            found.unwrap_or_else(|finding| panic!("it does not verify: {finding}"));
            let kept = Kept::try_read(&path).unwrap();
            before = kept.pages.len();
            let hashes = kept.agreements.iter().map(|row| &row.page);
            assert!(hashes.into_iter().all(|hash| kept.pages.contains_key(hash)));
            assert_eq!(kept.agreements(ACME, Shown), kept.agreements(ACME, Agreed));
        }
        let (state, _sender) = start(&path, Clock::system());
        state.stop();
        let kept = Kept::read(&path);
        assert_eq!(kept.pages.len(), before);
        assert!(!kept.events_of(EventKind::UncleanStop).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_damaged_file_that_is_put_aside_keeps_its_pages_and_the_new_file_has_all_later_ones() {
    in_time(async {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("crumbgate.db");
        let (state, sender) = start(&path, fixed());
        let worker = Worker::new(sender);
        let declaration = declaration(FIRST).hash;
        let [asks, other] = [ASKS, OTHER].map(page);
        let written = |agreements: usize| {
            let path = path.clone();
            move || Kept::try_read(&path).is_ok_and(|kept| kept.agreements.len() == agreements)
        };
        worker.count(ACME, &declaration, Shown, &asks);
        worker.count(ACME, &declaration, Shown, &other);
        worker.aggregator.flush();
        until("two are written", written(2)).await;
        // The file is moved away.
        fs::rename(&path, folder.path().join("moved.db")).unwrap();
        worker.count(ACME, &declaration, Agreed, &asks);
        worker.aggregator.flush();
        until("it goes on in a new one", written(1)).await;
        state.stop();
        let kept = Kept::read(&path);
        assert_eq!(kept.pages.into_values().collect::<Vec<_>>(), [ASKS]);
        assert_eq!(kept.agreements[0].event, Agreed);
    })
    .await;
}

/// Changes a ledger into one of an older gateway.
pub(crate) fn as_of_version(connection: &Connection, version: u32) {
    let without_agreements = "DROP TABLE agreements; DROP TABLE pages;
        ALTER TABLE heartbeats DROP COLUMN agreements;
        ALTER TABLE heartbeats DROP COLUMN dropped_agreements;";
    let without_tenants = "DROP TABLE tenants; ALTER TABLE events DROP COLUMN tenant;";
    let steps = [(4, "DROP TABLE guards;"), (3, without_agreements), (2, without_tenants)];
    for (_, without) in steps.iter().filter(|(since, _)| version < *since) {
        connection.execute_batch(without).unwrap();
    }
    connection.pragma_update(None, "user_version", version).unwrap();
}
