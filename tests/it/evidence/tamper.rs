//! A ledger that was changed by somebody else: `crumbgate audit verify` reports every change.

use std::{fs, path::Path};

use crumbgate_ledger::{
    entry::EventKind,
    outline::{BLOCK, Outline},
};
use crumbgate_state::key::KeyFiles;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{
    NOW_UNIX_S, Setup, Site, in_time,
    ledger::{LedgerWriter, USUAL},
};

/// In each segment. A window has seven entries: the gateway's heartbeat, acme's with three verdicts, beta's with one.
const WINDOWS: u64 = 11;

/// The second segment; the first one has an event more.
const SECOND: std::ops::RangeInclusive<u64> = 79..=155;

/// A folder with a ledger of three segments, two tenants in each window, and one entry outside of a segment.
fn site() -> (Site, LedgerWriter) {
    let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
    let mut writer = LedgerWriter::new(&site.path("crumbgate.db"), NOW_UNIX_S);
    for _ in 0..3 {
        write_segment(&mut writer);
    }
    writer.gateway_heartbeat();
    (site, writer)
}

fn write_segment(writer: &mut LedgerWriter) {
    for _ in 0..WINDOWS {
        writer.gateway_heartbeat();
        writer.traffic("acme.example", &USUAL);
        writer.traffic("beta.example", &USUAL[..1]);
        writer.next_window();
    }
    writer.close();
}

/// The output of `audit verify --json`, with more arguments.
async fn verify(site: &Site, arguments: &[&str]) -> Value {
    let arguments = [&["audit", "verify", "crumbgate.db", "--json"], arguments].concat();
    let finished = site.run(&arguments).await;
    assert_eq!(finished.stderr, "", "{finished:?}");
    let verification: Value = serde_json::from_str(&finished.stdout).unwrap();
    let expected = if verification["verifies"] == true { 0 } else { 1 };
    assert_eq!(finished.code, Some(expected), "{verification}");
    verification
}

/// Changes a copy of the ledger, and returns the finding: the word, the segment, the entry.
async fn found(site: &Site, writer: &LedgerWriter, tamper: impl FnOnce(&Connection)) -> Value {
    let original = site.path("original.db");
    let _ = fs::remove_file(&original);
    let into = original.to_str().unwrap();
    writer.connection.execute("VACUUM INTO ?1", [into]).unwrap();
    writer.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    tamper(&writer.connection);
    let verification = verify(site, &[]).await;
    // Restores the original.
    let restore = "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM original.{table};";
    writer.connection.execute("ATTACH ?1 AS original", [into]).unwrap();
    for table in ["texts", "verdicts", "heartbeats", "events", "segments", "keys", "declarations"] {
        writer.connection.execute_batch(&restore.replace("{table}", table)).unwrap();
    }
    writer.connection.execute_batch("DETACH original").unwrap();
    assert_eq!(verification["verifies"], false, "{verification}");
    json!([verification["finding"], verification["segment"], verification["entry"]])
}

fn sql(statements: &'static str) -> impl FnOnce(&Connection) {
    move |connection| connection.execute_batch(statements).unwrap()
}

#[tokio::test]
async fn an_unchanged_ledger_verifies() {
    in_time(async {
        let (site, writer) = site();
        let verification = verify(&site, &[]).await;
        let newest = writer.seq - 1;
        for (key, expected) in [
            ("verifies", json!(true)),
            ("segments", json!(3)),
            ("segments_present", json!(3)),
            ("entries", json!(newest)),
            ("entries_unsealed", json!(1)),
            ("sealed_entry", json!(newest)),
            ("keys", json!([writer.keyring.signer().verifier().to_string()])),
        ] {
            assert_eq!(verification[key], expected, "{key} in {verification}");
        }
        let finished = site.run(&["audit", "verify", "crumbgate.db"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        for part in ["verified.", "3, in one chain", "1 newer entries", "--anchor"] {
            assert!(finished.stdout.contains(part), "{part} in {}", finished.stdout);
        }
    })
    .await;
}

#[tokio::test]
async fn a_changed_entry_is_reported() {
    in_time(async {
        let (site, writer) = site();
        for (statement, expected) in [
            ("UPDATE verdicts SET count = count - 1 WHERE seq = 102", json!(["changed", 2, 102])),
            ("UPDATE verdicts SET name = NULL WHERE seq = 5", json!(["changed", 1, 5])),
            ("UPDATE heartbeats SET seen_response = 0 WHERE seq = 3", json!(["changed", 1, 3])),
            ("UPDATE heartbeats SET number = 9 WHERE seq = 2", json!(["changed", 1, 2])),
            ("UPDATE events SET detail = '{}' WHERE seq = 1", json!(["changed", 1, 1])),
            ("UPDATE verdicts SET action = 99 WHERE seq = 102", json!(["unreadable", null, 102])),
            ("UPDATE verdicts SET count = 'a' WHERE seq = 102", json!(["unreadable", null, 102])),
            ("UPDATE verdicts SET count = -1 WHERE seq = 102", json!(["unreadable", null, 102])),
            // Several: the first is reported.
            ("UPDATE verdicts SET count = 0 WHERE seq >= 102", json!(["changed", 2, 102])),
            // Many entries contain a tenant's name.
            ("UPDATE texts SET text = 'x' WHERE text = 'beta.example'", json!(["changed", 1, 7])),
        ] {
            assert_eq!(found(&site, &writer, sql(statement)).await, expected, "{statement}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_removed_entry_is_reported_even_if_the_others_are_renumbered() {
    in_time(async {
        let (site, writer) = site();
        let remove = "DELETE FROM verdicts WHERE seq = 102";
        let close_ranks = "DELETE FROM verdicts WHERE seq = 102;
            UPDATE verdicts SET seq = seq - 1 WHERE seq > 102;
            UPDATE heartbeats SET seq = seq - 1 WHERE seq > 102;";
        for statement in [remove, close_ranks] {
            assert_eq!(found(&site, &writer, sql(statement)).await, json!(["missing", 2, 102]));
        }
        let first = found(&site, &writer, sql("DELETE FROM events WHERE seq = 1")).await;
        assert_eq!(first, json!(["missing", 1, 1]));
        let last = "DELETE FROM verdicts WHERE seq = (SELECT last FROM segments WHERE number = 3)";
        let expected = json!(["missing", 3, writer.seq - 1]);
        assert_eq!(found(&site, &writer, sql(last)).await, expected);
    })
    .await;
}

#[tokio::test]
async fn an_inserted_entry_is_reported() {
    in_time(async {
        let (site, writer) = site();
        let make_room = "UPDATE verdicts SET seq = -seq - 1 WHERE seq >= 102;
            UPDATE verdicts SET seq = -seq WHERE seq < 0;
            UPDATE heartbeats SET seq = -seq - 1 WHERE seq >= 102;
            UPDATE heartbeats SET seq = -seq WHERE seq < 0;
            INSERT INTO events VALUES (102, 1795428000, 7, 'x', '{}', NULL)";
        assert_eq!(found(&site, &writer, sql(make_room)).await, json!(["inserted", 2, 102]));
        let twice = "INSERT INTO events VALUES (102, 1795428000, 7, 'x', '{}', NULL)";
        assert_eq!(found(&site, &writer, sql(twice)).await, json!(["inserted", 2, 102]));
        let before = "INSERT INTO events VALUES (0, 1795428000, 7, 'x', '{}', NULL)";
        assert_eq!(found(&site, &writer, sql(before)).await, json!(["inserted", null, 0]));
    })
    .await;
}

#[tokio::test]
async fn swapped_entries_are_reported() {
    in_time(async {
        let (site, writer) = site();
        let swap = "UPDATE verdicts SET seq = -1 WHERE seq = 102;
            UPDATE verdicts SET seq = 102 WHERE seq = 117;
            UPDATE verdicts SET seq = 117 WHERE seq = -1;";
        assert_eq!(found(&site, &writer, sql(swap)).await, json!(["reordered", 2, 102]));
    })
    .await;
}

#[tokio::test]
async fn a_change_of_entry_and_mark_is_reported_by_its_block() {
    in_time(async {
        let (site, writer) = site();
        let marks = |connection: &Connection| {
            let outline = "SELECT outline FROM segments WHERE number = 2";
            let bytes: Vec<u8> = connection.query_row(outline, [], |row| row.get(0)).unwrap();
            let mut outline = Outline::of_bytes(&bytes, 77).unwrap();
            outline.marks[70] = *b"whatever";
            let update = "UPDATE segments SET outline = ?1 WHERE number = 2";
            connection.execute(update, [outline.to_bytes()]).unwrap();
        };
        assert_eq!(found(&site, &writer, marks).await, json!(["outline", 2, null]));

        // The mark that belongs to the change replaces the old one: only the block remains to detect it.
        let change = |connection: &Connection| {
            let entry = SECOND.start() + BLOCK as u64;
            let statement = format!("UPDATE verdicts SET count = 999 WHERE seq >= {entry}");
            connection.execute_batch(&statement).unwrap();
            let outline = "SELECT outline, secret FROM segments WHERE number = 2";
            let (bytes, secret): (Vec<u8>, [u8; 32]) =
                connection.query_row(outline, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let mut outline = Outline::of_bytes(&bytes, 77).unwrap();
            let reader = crumbgate_ledger::read::Reader::open(&site.path("crumbgate.db")).unwrap();
            let lines = crumbgate_ledger::line::LineWriter::new(reader.texts(), &secret);
            let each = |seq: u64, entry| {
                let mut line = Vec::new();
                lines.write(seq, &entry, &mut line);
                let leaf = crumbgate_ledger::merkle::leaf(&line);
                let index = usize::try_from(seq - SECOND.start()).unwrap();
                outline.marks[index] = crumbgate_ledger::outline::mark(&leaf);
                Ok::<_, crumbgate_ledger::read::ReadError>(())
            };
            reader.entries(*SECOND.start(), *SECOND.end(), each).unwrap();
            let update = "UPDATE segments SET outline = ?1 WHERE number = 2";
            connection.execute(update, [outline.to_bytes()]).unwrap();
        };
        let block = json!(["segment", 2, SECOND.start() + BLOCK as u64]);
        assert_eq!(found(&site, &writer, change).await, block);

        let lost =
            "UPDATE segments SET outline = NULL; UPDATE verdicts SET count = 9 WHERE seq = 102";
        assert_eq!(found(&site, &writer, sql(lost)).await, json!(["outline", 1, null]));
        let lost = "UPDATE segments SET outline = NULL WHERE number = 2;
            UPDATE verdicts SET count = 9 WHERE seq = 102";
        assert_eq!(found(&site, &writer, sql(lost)).await, json!(["segment", 2, 79]));
    })
    .await;
}

#[tokio::test]
async fn a_removed_segment_is_reported() {
    in_time(async {
        let (site, writer) = site();
        let rows = |number: u64| {
            format!(
                "DELETE FROM verdicts WHERE seq BETWEEN (SELECT first FROM segments WHERE number = {number})
                     AND (SELECT last FROM segments WHERE number = {number});
                 DELETE FROM heartbeats WHERE seq BETWEEN (SELECT first FROM segments WHERE number = {number})
                     AND (SELECT last FROM segments WHERE number = {number});
                 DELETE FROM events WHERE seq BETWEEN (SELECT first FROM segments WHERE number = {number})
                     AND (SELECT last FROM segments WHERE number = {number});"
            )
        };
        for number in [1, 2] {
            let cut = format!("{} DELETE FROM segments WHERE number = {number}", rows(number));
            let cut = |connection: &Connection| connection.execute_batch(&cut).unwrap();
            let expected = json!(["segment missing", number, null]);
            assert_eq!(found(&site, &writer, cut).await, expected);
        }
        // With all later ones renumbered.
        let cut = format!(
            "{} DELETE FROM segments WHERE number = 2; UPDATE segments SET number = 2 WHERE number = 3",
            rows(2)
        );
        let cut = |connection: &Connection| connection.execute_batch(&cut).unwrap();
        assert_eq!(found(&site, &writer, cut).await, json!(["segment missing", 2, null]));
        // As if it had been pruned.
        let cut = format!("{} UPDATE segments SET pruned = 1, outline = NULL WHERE number = 2", rows(2));
        let cut = |connection: &Connection| connection.execute_batch(&cut).unwrap();
        assert_eq!(found(&site, &writer, cut).await, json!(["pruned", 2, null]));
    })
    .await;
}

#[tokio::test]
async fn a_removed_end_is_reported_by_a_checkpoint_that_was_kept_elsewhere() {
    in_time(async {
        let (site, mut writer) = site();
        let kept = site.run(&["audit", "checkpoint", "crumbgate.db"]).await;
        assert_eq!(kept.code, Some(0), "{kept:?}");
        fs::write(site.path("kept.txt"), &kept.stdout).unwrap();
        let anchored = verify(&site, &["--anchor", "kept.txt"]).await;
        assert_eq!((&anchored["verifies"], &anchored["anchors"]), (&json!(true), &json!(1)));

        let last: u64 = writer.connection.query_row("SELECT first FROM segments WHERE number = 3", [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
        writer
            .connection
            .execute_batch(&format!(
                "DELETE FROM verdicts WHERE seq >= {last}; DELETE FROM heartbeats WHERE seq >= {last};
                 DELETE FROM segments WHERE number = 3"
            ))
            .unwrap();
        assert_eq!(verify(&site, &[]).await["verifies"], true, "nothing inside can show it");
        let cut = verify(&site, &["--anchor", "kept.txt"]).await;
        assert_eq!((&cut["finding"], &cut["segment"]), (&json!("anchor"), &json!(3)), "{cut}");

        // The owner of the key writes another third segment.
        writer.seq = last - 1;
        writer.event(EventKind::Stop, "{}");
        writer.close();
        assert_eq!(verify(&site, &[]).await["verifies"], true, "the key's owner can do that");
        let other = verify(&site, &["--anchor", "kept.txt"]).await;
        assert_eq!((&other["finding"], &other["segment"]), (&json!("anchor"), &json!(3)));
    })
    .await;
}

#[tokio::test]
async fn a_changed_checkpoint_is_reported() {
    in_time(async {
        let (site, writer) = site();
        for (statement, expected) in [
            (
                "UPDATE segments SET checkpoint = replace(checkpoint, 'closed 2026', 'closed 2025') WHERE number = 2",
                json!(["signature", 2, null]),
            ),
            (
                "UPDATE segments SET checkpoint = replace(checkpoint, 'entries ', 'entries 0') WHERE number = 2",
                json!(["checkpoint", 2, null]),
            ),
            ("UPDATE segments SET checkpoint = '' WHERE number = 2", json!(["checkpoint", 2, null])),
            (
                "UPDATE segments SET checkpoint = (SELECT checkpoint FROM segments WHERE number = 1) WHERE number = 2",
                json!(["segment missing", 2, null]),
            ),
            ("UPDATE segments SET last = last - 1 WHERE number = 2", json!(["checkpoint", 2, null])),
            ("UPDATE segments SET secret = zeroblob(32) WHERE number = 2", json!(["changed", 2, 79])),
            ("UPDATE declarations SET json = '{}'", json!(["declaration", null, null])),
        ] {
            assert_eq!(found(&site, &writer, sql(statement)).await, expected, "{statement}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_replaced_key_is_reported() {
    in_time(async {
        let (site, mut writer) = site();
        let other = LedgerWriter::new(&site.path("other.db"), NOW_UNIX_S);
        let (own, other) = (writer.keyring.signer().verifier(), other.keyring.signer().verifier());
        let swap = |connection: &Connection| {
            connection.execute("UPDATE keys SET verifier = ?1", [other.to_string()]).unwrap();
        };
        assert_eq!(found(&site, &writer, swap).await, json!(["signature", 1, null]));
        let add = |connection: &Connection| {
            connection.execute("INSERT INTO keys VALUES (3, ?1)", [other.to_string()]).unwrap();
        };
        assert_eq!(found(&site, &writer, add).await, json!(["key", 3, null]));
        assert_eq!(found(&site, &writer, sql("DELETE FROM keys")).await, json!(["key", 1, null]));
        assert_eq!(
            found(&site, &writer, sql("UPDATE keys SET verifier = 'x'")).await,
            json!(["key", null, null])
        );

        for key in [own.to_string(), own.fingerprint(), own.fingerprint().to_uppercase()] {
            assert_eq!(verify(&site, &["--key", &key]).await["verifies"], true, "{key}");
        }
        for key in [other.to_string(), other.fingerprint()] {
            let verification = verify(&site, &["--key", &key]).await;
            assert_eq!(
                (&verification["verifies"], &verification["finding"]),
                (&json!(false), &json!("key"))
            );
        }
        let usage = site.run(&["audit", "verify", "crumbgate.db", "--key", "x"]).await;
        assert_eq!(usage.code, Some(2), "{usage:?}");

        // A rotation without a signature, and one with it.
        let rotated = site.run(&["audit", "rotate-key", "crumbgate.db"]).await;
        assert_eq!(rotated.code, Some(0), "{rotated:?}");
        let again = site.run(&["audit", "rotate-key", "crumbgate.db"]).await;
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(again.stderr.contains("crumbgate.key.next exists"), "{}", again.stderr);
        let old = own.to_string();
        writer.close();
        write_segment(&mut writer);
        let new = writer.keyring.signer().verifier().to_string();
        assert!(rotated.stdout.starts_with(&new), "{rotated:?}");
        assert_eq!(verify(&site, &["--key", &old]).await["keys"], json!([old, new]));
        assert_eq!(verify(&site, &["--key", &new]).await["verifies"], true);
        let printed = site.run(&["audit", "key", "crumbgate.db"]).await;
        assert!(printed.stdout.starts_with(&format!("{new}\nfingerprint ")), "{printed:?}");
        let forget = sql("DELETE FROM keys WHERE since_segment > 1");
        assert_eq!(found(&site, &writer, forget).await, json!(["key", 5, null]));
        let early = sql("UPDATE keys SET since_segment = 4 WHERE since_segment = 5");
        assert_eq!(found(&site, &writer, early).await, json!(["key", 5, null]));
    })
    .await;
}

#[tokio::test]
async fn a_ledger_with_pruned_entries_still_verifies_and_balances() {
    in_time(async {
        let (site, mut writer) = site();
        let files = KeyFiles::beside(&writer.path);
        files.prepare_next(writer.keyring.signer().verifier().name()).unwrap();
        writer.close();
        write_segment(&mut writer);
        let begin_of_third = NOW_UNIX_S + 2 * WINDOWS * 300;
        assert_eq!(writer.prune(begin_of_third), Some(2));
        write_segment(&mut writer);
        let verification = verify(&site, &[]).await;
        assert_eq!(verification["verifies"], true, "{verification}");
        assert_eq!(
            (&verification["segments"], &verification["segments_present"]),
            (&json!(6), &json!(4))
        );
        // The rotation's own entry too: the checkpoints still record it.
        assert_eq!(writer.prune(writer.window_unix_s), Some(6));
        let verification = verify(&site, &[]).await;
        assert_eq!(
            (&verification["verifies"], &verification["segments_present"]),
            (&json!(true), &json!(0))
        );
        assert_eq!(verification["keys"].as_array().unwrap().len(), 2);

        let back = sql("INSERT INTO events VALUES (102, 1795428000, 7, 'x', '{}', NULL)");
        assert_eq!(found(&site, &writer, back).await, json!(["inserted", 2, 102]));
        let untold = sql("DELETE FROM events");
        assert_eq!(found(&site, &writer, untold).await, json!(["pruned", 6, null]));
    })
    .await;
}

#[tokio::test]
async fn a1_a5_a_signed_segment_that_is_wrong_is_reported_too() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let path = site.path("crumbgate.db");
        let begin = |name: &str| {
            for end in ["db", "db-wal", "db-shm", "key"] {
                let _ = fs::remove_file(path.with_extension(end));
            }
            let mut writer = LedgerWriter::new(&path, NOW_UNIX_S);
            writer.gateway_heartbeat();
            writer.traffic(name, &USUAL);
            writer
        };

        let mut writer = begin("acme.example");
        writer.next_window();
        writer.next_window();
        let behind = writer.gateway_heartbeat();
        writer.close();
        let verification = verify(&site, &[]).await;
        assert_eq!(
            (&verification["finding"], &verification["entry"]),
            (&json!("gap"), &json!(behind)),
            "{verification}"
        );

        for reason in [EventKind::Stop, EventKind::UncleanStop, EventKind::Clock] {
            let mut writer = begin("acme.example");
            writer.event(reason, "{}");
            writer.next_window();
            writer.next_window();
            writer.gateway_heartbeat();
            writer.close();
            assert_eq!(verify(&site, &[]).await["verifies"], true, "{reason:?}");
        }

        let mut writer = begin("acme.example");
        writer.connection.execute_batch("UPDATE heartbeats SET number = 2 WHERE seq = 3").unwrap();
        writer.next_window();
        writer.close();
        let verification = verify(&site, &[]).await;
        assert_eq!(
            (&verification["finding"], &verification["entry"]),
            (&json!("heartbeat"), &json!(3)),
            "{verification}"
        );

        let mut writer = begin("acme.example");
        writer.connection.execute_batch("UPDATE verdicts SET count = 6 WHERE count = 7").unwrap();
        writer.close();
        assert_eq!(verify(&site, &[]).await["verifies"], true, "the window is still open");
        writer.next_window();
        writer.gateway_heartbeat();
        writer.close();
        let verification = verify(&site, &[]).await;
        assert_eq!(verification["finding"], "balance", "{verification}");
        let message = verification["message"].as_str().unwrap();
        assert!(message.contains("2026-11-23T10:00:00Z of \"acme.example\""), "{message}");
        assert!(message.contains("48 cookies of responses") && message.ends_with("add up to 47"));

        // A window that is split over two segments balances over both.
        let mut writer = begin("acme.example");
        writer.connection.execute_batch("UPDATE verdicts SET count = 6 WHERE count = 7").unwrap();
        writer.close();
        writer.traffic("acme.example", &USUAL);
        let last = writer.seq;
        let more = format!("UPDATE verdicts SET count = 8 WHERE count = 7 AND seq <= {last}");
        writer.connection.execute_batch(&more).unwrap();
        writer.next_window();
        writer.close();
        assert_eq!(verify(&site, &[]).await["verifies"], true);
    })
    .await;
}

#[tokio::test]
async fn a_truncated_file_or_one_that_is_no_ledger_is_reported() {
    in_time(async {
        let (site, writer) = site();
        writer.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let whole = fs::read(site.path("crumbgate.db")).unwrap();
        drop(writer);
        for length in [whole.len() / 2, whole.len() - 4096] {
            cut(&site.path("crumbgate.db"), &whole[..length]);
            let verification = verify(&site, &[]).await;
            assert_eq!(
                (&verification["verifies"], &verification["finding"]),
                (&json!(false), &json!("file")),
                "{verification}"
            );
        }
        for (content, expected) in
            [(&b""[..], "there is no such file"), (b"nothing\n", "the file can't be read")]
        {
            cut(&site.path("crumbgate.db"), content);
            let finished = site.run(&["audit", "verify", "crumbgate.db"]).await;
            assert_eq!(finished.code, Some(1), "{finished:?}");
            let message = finished.stderr.clone() + &finished.stdout;
            assert!(message.contains(expected) || message.contains("cut or damaged"), "{message}");
        }
        let absent = site.run(&["audit", "verify", "absent.db"]).await;
        assert_eq!(absent.code, Some(1));
        assert!(absent.stderr.contains("absent.db: there is no such file"), "{}", absent.stderr);
    })
    .await;
}

fn cut(path: &Path, content: &[u8]) {
    for end in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(path.with_extension(end));
    }
    fs::write(path, content).unwrap();
}
