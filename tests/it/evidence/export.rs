//! Bundles, whole or of one tenant: verified by the program and by other means; every change to them is found.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::Path,
    process::Command,
};

use crumbgate_policy::verdict::{Action, Reason};
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::harness::{
    NOW_UNIX_S, Setup, Site, in_time,
    ledger::{LedgerWriter, USUAL},
};

const TENANTS: [&str; 3] = ["acme.example", "rival.example", "tiny.example"];
const SECRET_ROUTE: &str = "/rival-only/{id}";
const SECRET_NAME: &str = "rival_tracker";
const SECRET_ACTOR: &str = "rivals-token";
/// A tenant that exists, and has had no request.
const QUIET: &str = "quiet.example";
/// A number that occurs within no other number.
const SECRET_COUNT: u64 = 7_340_159_268;

/// A folder with a ledger of four segments, the first of them pruned, signed by two keys.
fn site() -> (Site, LedgerWriter) {
    let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
    let mut writer = LedgerWriter::new(&site.path("crumbgate.db"), NOW_UNIX_S);
    for segment in 0..4 {
        for _ in 0..12 {
            writer.gateway_heartbeat();
            writer.traffic(TENANTS[0], &USUAL);
            let secret =
                (SECRET_NAME, SECRET_ROUTE, Action::Strip(Reason::Undeclared), SECRET_COUNT);
            writer.traffic(TENANTS[1], &[secret, USUAL[0], USUAL[1]]);
            writer.traffic(TENANTS[2], &USUAL[..1]);
            writer.next_window();
        }
        if segment == 3 {
            writer.change(TENANTS[0], "ada", r#"{"before":null,"after":{"session":"20m"}}"#);
            writer.change(
                TENANTS[1],
                SECRET_ACTOR,
                r#"{"before":{"session":"7654321s"},"after":null}"#,
            );
            writer.change(QUIET, "ada", r#"{"before":null,"after":{"mode":"report"}}"#);
        }
        if segment == 1 {
            let files = crumbgate_state::key::KeyFiles::beside(&writer.path);
            files.prepare_next(writer.keyring.signer().verifier().name()).unwrap();
        }
        writer.close();
        if segment == 2 {
            assert_eq!(writer.prune(NOW_UNIX_S + 12 * 300), Some(1));
        }
    }
    writer.gateway_heartbeat();
    (site, writer)
}

pub(crate) async fn export(site: &Site, arguments: &[&str]) -> String {
    let arguments = [&["audit", "export", "crumbgate.db"], arguments].concat();
    let finished = site.run(&arguments).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    finished.stdout
}

pub(crate) async fn verify(site: &Site, bundle: &str) -> Value {
    let finished = site.run(&["audit", "verify", bundle, "--json"]).await;
    assert_eq!(finished.stderr, "", "{finished:?}");
    let verification: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(finished.code, Some(i32::from(verification["verifies"] != true)), "{verification}");
    verification
}

pub(crate) fn members(bundle: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(fs::read(bundle).unwrap())).unwrap();
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        members.push((member.name().unwrap().into_owned(), content));
    }
    members
}

fn member(bundle: &Path, name: &str) -> String {
    let content = members(bundle).into_iter().find(|(other, _)| other == name);
    String::from_utf8(content.unwrap_or_else(|| panic!("no {name}")).1).unwrap()
}

pub(crate) fn write(bundle: &Path, members: &[(String, Vec<u8>)]) {
    let mut zip = ZipWriter::new(fs::File::create(bundle).unwrap());
    for (name, content) in members {
        zip.start_file(
            name,
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored),
        )
        .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

#[tokio::test]
async fn a_bundle_of_everything_verifies_with_no_other_file() {
    in_time(async {
        let (site, writer) = site();
        let verification = export(&site, &["--output", "all.zip"]).await;
        assert!(verification.contains("crumbgate audit verify all.zip"), "{verification}");
        let elsewhere = Site::of(&Setup::before_servers(&[]));
        fs::remove_file(elsewhere.path("config.toml")).unwrap();
        fs::copy(site.path("all.zip"), elsewhere.path("all.zip")).unwrap();
        let verification = verify(&elsewhere, "all.zip").await;
        for (key, expected) in [
            ("verifies", json!(true)),
            ("tenant", Value::Null),
            ("segments", json!(4)),
            ("segments_present", json!(3)),
            ("sealed_entry", json!(writer.seq - 1)),
        ] {
            assert_eq!(verification[key], expected, "{key} in {verification}");
        }
        assert_eq!(verification["keys"].as_array().unwrap().len(), 2);
        let names: Vec<_> =
            members(&site.path("all.zip")).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "VERIFY.txt",
                "verify.py",
                "keys.txt",
                "checkpoints.txt",
                "entries.ndjson",
                "bundle.json",
                "outlines.ndjson",
                "entries.csv",
                "declaration-edpb.json",
                "declarations.json"
            ]
        );
        let anchor = site.run(&["audit", "checkpoint", "crumbgate.db"]).await;
        fs::write(site.path("kept.txt"), anchor.stdout).unwrap();
        let kept = site.run(&["audit", "verify", "all.zip", "--anchor", "kept.txt"]).await;
        assert_eq!(kept.code, Some(0), "{kept:?}");
        // Each checkpoint is as good as the last.
        fs::write(site.path("kept.txt"), member(&site.path("all.zip"), "checkpoints.txt")).unwrap();
        let kept = site.run(&["audit", "verify", "all.zip", "--anchor", "kept.txt"]).await;
        assert!(kept.stdout.contains("all 4 are in the chain"), "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn the_same_ledger_makes_the_same_bytes_and_no_file_is_overwritten_without_force() {
    in_time(async {
        let (site, _writer) = site();
        export(&site, &["--output", "one.zip"]).await;
        export(&site, &["--output", "two.zip"]).await;
        let one = fs::read(site.path("one.zip")).unwrap();
        assert!(one == fs::read(site.path("two.zip")).unwrap());
        fs::write(site.path("two.zip"), "mine").unwrap();
        let refused = site.run(&["audit", "export", "crumbgate.db", "--output", "two.zip"]).await;
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("without --overwrite"), "{}", refused.stderr);
        assert_eq!(fs::read(site.path("two.zip")).unwrap(), b"mine");
        let ledger =
            ["audit", "export", "crumbgate.db", "--output", "./crumbgate.db", "--overwrite"];
        assert_eq!(site.run(&ledger).await.code, Some(1), "the ledger itself is never replaced");
        export(&site, &["--output", "two.zip", "--overwrite"]).await;
        assert!(one == fs::read(site.path("two.zip")).unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_tenant_s_bundle_verifies_and_has_no_trace_of_another() {
    in_time(async {
        let (site, writer) = site();
        export(&site, &["--tenant", "acme.example", "--output", "acme.zip"]).await;
        let verification = verify(&site, "acme.zip").await;
        assert_eq!(
            (&verification["verifies"], &verification["tenant"]),
            (&json!(true), &json!("acme.example"))
        );
        let bundle = site.path("acme.zip");
        let entries = member(&bundle, "entries.ndjson");
        // In three segments: twelve windows of the gateway's heartbeat, acme's and three verdicts; a rotation; a
        // prune; a change of the tenant.
        assert_eq!(entries.lines().count(), 3 * 12 * 5 + 3);
        let change =
            r#""event":"tenant","tenant":"acme.example","actor":"ada","detail":"{\"before\":null"#;
        assert_eq!(entries.matches(change).count(), 1);

        let salts = other_salts(&writer, &entries);
        assert!(salts.len() > 100);
        for (name, content) in members(&bundle) {
            let text = String::from_utf8(content).unwrap();
            let count = SECRET_COUNT.to_string();
            for secret in [
                TENANTS[1],
                TENANTS[2],
                QUIET,
                "rival",
                "tiny",
                "7654321s",
                SECRET_ROUTE,
                SECRET_NAME,
                &count,
            ] {
                assert!(!text.contains(secret), "{secret} in {name}");
            }
            for salt in &salts {
                assert!(!text.contains(salt), "the salt {salt} in {name}");
            }
        }
        // They are found where they exist.
        export(&site, &["--output", "all.zip"]).await;
        let all = member(&site.path("all.zip"), "entries.ndjson");
        assert!(salts.iter().all(|salt| all.contains(salt)) && all.contains(SECRET_ROUTE));
        assert!(all.contains(SECRET_ACTOR) && all.contains("7654321s") && all.contains(QUIET));

        export(&site, &["--tenant", QUIET, "--output", "quiet.zip"]).await;
        assert_eq!(verify(&site, "quiet.zip").await["verifies"], json!(true));
        let entries = member(&site.path("quiet.zip"), "entries.ndjson");
        assert_eq!(entries.matches(r#""event":"tenant""#).count(), 1, "its own change");

        let unknown = site.run(&["audit", "export", "crumbgate.db", "--tenant", "acme"]).await;
        assert_eq!(unknown.code, Some(1));
        assert!(unknown.stderr.contains("has no tenant \"acme\""), "{}", unknown.stderr);
        assert!(!site.path("crumbgate-audit.zip").exists());
    })
    .await;
}

/// The salts of the entries that are not among these lines.
fn other_salts(writer: &LedgerWriter, lines: &str) -> Vec<String> {
    let reader = crumbgate_ledger::read::Reader::open(&writer.path).unwrap();
    let mut salts = Vec::new();
    for segment in reader.segments().unwrap() {
        let writer = crumbgate_ledger::line::LineWriter::new(reader.texts(), &segment.secret);
        let each = |seq, entry| {
            let mut line = Vec::new();
            writer.write(seq, &entry, &mut line);
            let line: Value = serde_json::from_slice(&line).unwrap();
            let salt = line["salt"].as_str().unwrap().to_owned();
            if !lines.contains(&salt) {
                salts.push(salt);
            }
            Ok::<_, crumbgate_ledger::read::ReadError>(())
        };
        reader.entries(segment.first, segment.last, each).unwrap();
    }
    salts
}

#[tokio::test]
async fn a_time_range_selects_whole_segments() {
    in_time(async {
        let (site, _writer) = site();
        for (arguments, present) in [
            (&["--since", "2026-11-23T12:30:00Z"][..], json!(2)),
            (&["--until", "2026-11-23T12:00:00Z"], json!(1)),
            (&["--since", "2026-11-23T12:30:00Z", "--until", "2026-11-23T12:31:00Z"], json!(1)),
            (&["--since", "2026-11-23"], json!(3)),
            (&["--since", "2026-11-23", "--tenant", "tiny.example"], json!(3)),
            (&["--until", "2026-11-23T12:00:00Z", "--tenant", "tiny.example"], json!(1)),
        ] {
            export(&site, &[arguments, &["--output", "some.zip", "--overwrite"]].concat()).await;
            let verification = verify(&site, "some.zip").await;
            assert_eq!(
                (&verification["verifies"], &verification["segments_present"]),
                (&json!(true), &present),
                "{arguments:?}"
            );
        }
        for (arguments, code, expected) in [
            (&["--since", "2026-12-01"][..], 1, "no segment with entries"),
            (&["--until", "2026-11-23T10:30:00Z"], 1, "no segment with entries"),
            (
                &["--since", "2026-12-01", "--until", "2026-11-01"],
                2,
                "--until must be later than --since",
            ),
            (&["--since", "yesterday"], 2, "how long ago"),
        ] {
            let arguments =
                [&["audit", "export", "crumbgate.db", "--output", "no.zip"], arguments].concat();
            let finished = site.run(&arguments).await;
            assert_eq!(finished.code, Some(code), "{finished:?}");
            assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        }
    })
    .await;
}

#[tokio::test]
async fn the_steps_of_verify_txt_work_with_python_and_openssl_alone() {
    in_time(async {
        let (site, _writer) = site();
        for arguments in
            [&[][..], &["--tenant", "acme.example"], &["--since", "2026-11-23T12:30:00Z"]]
        {
            export(&site, &[arguments, &["--output", "some.zip", "--overwrite"]].concat()).await;
            let bundle = members(&site.path("some.zip"));
            let unpacked = |bundle: &[(String, Vec<u8>)]| {
                let folder = tempfile::tempdir().unwrap();
                for (name, content) in bundle {
                    fs::write(folder.path().join(name), content).unwrap();
                }
                let script = Command::new("python3").arg(folder.path().join("verify.py")).output();
                let script = script.unwrap();
                let verification = String::from_utf8(script.stdout).unwrap()
                    + &String::from_utf8(script.stderr).unwrap();
                (script.status.code(), verification)
            };
            let (code, verification) = unpacked(&bundle);
            assert_eq!(code, Some(0), "{verification}");
            assert!(verification.contains("It verifies: "), "{verification}");
            for (name, from, to, expected) in [
                ("entries.ndjson", "\"count\":7,", "\"count\":6,", "differs from what was signed"),
                ("checkpoints.txt", "closed 2026", "closed 2025", "signature"),
                ("keys.txt", "1 crumb", "2 crumb", "keys"),
                ("declarations.json", "XSRF", "xsrf", "declaration"),
            ] {
                let changed = changed(&bundle, name, from, to);
                let (code, verification) = unpacked(&changed);
                assert_eq!(code, Some(1), "{name}: {verification}");
                assert!(
                    verification.contains("It does not verify: ")
                        && verification.contains(expected),
                    "{name}: {verification}"
                );
            }
        }
    })
    .await;
}

/// The members, with the first `from` in one of them replaced.
fn changed(
    bundle: &[(String, Vec<u8>)],
    name: &str,
    from: &str,
    to: &str,
) -> Vec<(String, Vec<u8>)> {
    edited(bundle, name, |text| {
        assert!(text.contains(from), "{from} in {name}");
        text.replacen(from, to, 1)
    })
}

fn edited(
    bundle: &[(String, Vec<u8>)],
    name: &str,
    edit: impl FnOnce(String) -> String,
) -> Vec<(String, Vec<u8>)> {
    let mut bundle = bundle.to_vec();
    let member = bundle.iter_mut().find(|(other, _)| other == name).unwrap();
    member.1 = edit(String::from_utf8(member.1.clone()).unwrap()).into_bytes();
    bundle
}

/// The text without the line of an entry, or with its lines in another order.
fn lines(text: &str, edit: impl FnOnce(&mut Vec<&str>)) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    edit(&mut lines);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn a_changed_bundle_is_refused_and_the_first_mismatch_is_reported() {
    in_time(async {
        let (site, _writer) = site();
        export(&site, &["--output", "all.zip"]).await;
        let all = members(&site.path("all.zip"));
        let entries = member(&site.path("all.zip"), "entries.ndjson");
        let seq = |index: usize| -> Value {
            serde_json::from_str::<Value>(entries.lines().nth(index).unwrap()).unwrap()["seq"]
                .clone()
        };
        let line =
            |edit: fn(&mut Vec<&str>)| edited(&all, "entries.ndjson", |text| lines(&text, edit));
        for (what, bundle, expected) in [
            ("a row changed", line(|lines| lines[70] = lines[71]), json!(["missing", 2, seq(70)])),
            (
                "a count changed",
                changed(&all, "entries.ndjson", "\"count\":7,", "\"count\":8,"),
                json!(["changed", 2, seq(3)]),
            ),
            (
                "a row removed",
                line(|lines| {
                    lines.remove(70);
                }),
                json!(["missing", 2, seq(70)]),
            ),
            (
                "a row twice",
                line(|lines| lines.insert(70, lines[70])),
                json!(["inserted", 2, seq(70)]),
            ),
            ("rows exchanged", line(|lines| lines.swap(70, 72)), json!(["reordered", 2, seq(70)])),
            (
                "the end cut",
                line(|lines| lines.truncate(lines.len() - 1)),
                json!(["missing", 4, seq(entries.lines().count() - 1)]),
            ),
            (
                "a line cut",
                edited(&all, "entries.ndjson", |text| text[..text.len() - 9].to_owned()),
                json!(["file", null, null]),
            ),
            (
                "a checkpoint cut out",
                edited(&all, "checkpoints.txt", |text| {
                    let parts: Vec<_> = text.split("\n\n").collect();
                    [&parts[..2], &parts[4..]].concat().join("\n\n")
                }),
                json!(["segment missing", 2, null]),
            ),
            (
                "a checkpoint changed",
                changed(&all, "checkpoints.txt", "closed 2026", "closed 2025"),
                json!(["signature", 1, null]),
            ),
            ("a key swapped", changed(&all, "keys.txt", "+A", "+B"), json!(["key", null, null])),
            (
                "a rotation forgotten",
                edited(&all, "keys.txt", |text| lines(&text, |lines| lines.truncate(1))),
                json!(["key", 3, null]),
            ),
            (
                "the table changed",
                edited(&all, "entries.csv", |text| text.replacen(",7,", ",6,", 1)),
                json!(["copy", null, null]),
            ),
            (
                "the table longer",
                edited(&all, "entries.csv", |text| text + "x"),
                json!(["copy", null, null]),
            ),
            (
                "a declaration changed",
                changed(&all, "declarations.json", "XSRF", "xsrf"),
                json!(["declaration", null, null]),
            ),
            (
                "its copy changed",
                changed(&all, "declaration-edpb.json", "XSRF", "xsrf"),
                json!(["copy", null, null]),
            ),
            (
                "a segment denied",
                changed(&all, "bundle.json", "2,", "3,"),
                json!(["outline", 3, null]),
            ),
            (
                "a member missing",
                all.iter().filter(|(name, _)| name != "outlines.ndjson").cloned().collect(),
                json!(["file", null, null]),
            ),
        ] {
            write(&site.path("changed.zip"), &bundle);
            let verification = verify(&site, "changed.zip").await;
            assert_eq!(verification["verifies"], false, "{what}");
            assert_eq!(
                json!([verification["finding"], verification["segment"], verification["entry"]]),
                expected,
                "{what}: {verification}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_changed_bundle_of_a_tenant_is_refused_and_the_first_mismatch_is_reported() {
    in_time(async {
        let (site, _writer) = site();
        export(&site, &["--tenant", "acme.example", "--output", "acme.zip"]).await;
        let acme = members(&site.path("acme.zip"));
        let entries = member(&site.path("acme.zip"), "entries.ndjson");
        let row = |index: usize| -> Value {
            serde_json::from_str(entries.lines().nth(index).unwrap()).unwrap()
        };
        let seq = |index: usize| row(index)["seq"].clone();
        let both = |edit: fn(&mut Vec<&str>)| {
            let bundle = edited(&acme, "entries.ndjson", |text| lines(&text, edit));
            let bundle = edited(&bundle, "proofs.ndjson", |text| lines(&text, edit));
            // The table's first line contains the names of its columns.
            edited(&bundle, "entries.csv", |text| {
                let (head, rows) = text.split_once("\r\n").unwrap();
                let rows: Vec<_> = rows.split_terminator("\r\n").collect();
                let mut rows = rows;
                edit(&mut rows);
                rows.iter().fold(format!("{head}\r\n"), |text, row| text + row + "\r\n")
            })
        };
        // 0: the gateway's heartbeat, 1: that of acme, 2 to 4: verdicts, and so on.
        assert_eq!((&row(5)["tenant"], &row(6)["tenant"]), (&Value::Null, &json!("acme.example")));
        for (what, bundle, expected) in [
            (
                "a count changed",
                changed(&acme, "entries.ndjson", "\"count\":7,", "\"count\":8,"),
                json!(["proof", seq(3)]),
            ),
            (
                "a proof changed",
                edited(&acme, "proofs.ndjson", |text| {
                    text.replacen("\"path\":[\"", "\"path\":[\"AAAA", 1)
                }),
                json!(["proof", seq(0)]),
            ),
            (
                "an entry removed",
                edited(&acme, "entries.ndjson", |text| {
                    lines(&text, |lines| {
                        lines.remove(3);
                    })
                }),
                json!(["missing", seq(3)]),
            ),
            (
                "a proof removed",
                edited(&acme, "proofs.ndjson", |text| {
                    lines(&text, |lines| {
                        lines.remove(3);
                    })
                }),
                json!(["inserted", seq(3)]),
            ),
            (
                "an entry and its proof twice",
                both(|lines| lines.insert(3, lines[3])),
                json!(["inserted", seq(3)]),
            ),
            (
                "a heartbeat and its proof removed",
                both(|lines| {
                    lines.remove(6);
                }),
                json!(["heartbeat", seq(11)]),
            ),
            (
                "the gateway's heartbeat removed",
                both(|lines| {
                    lines.remove(5);
                }),
                json!(["heartbeat", seq(10)]),
            ),
            (
                "verdicts and their proof removed",
                both(|lines| {
                    lines.remove(8);
                }),
                json!(["balance", null]),
            ),
            (
                "another tenant",
                changed(&acme, "bundle.json", "acme.example", "beta.example"),
                json!(["unreadable", seq(1)]),
            ),
        ] {
            write(&site.path("changed.zip"), &bundle);
            let verification = verify(&site, "changed.zip").await;
            assert_eq!(verification["verifies"], false, "{what}");
            assert_eq!(
                json!([verification["finding"], verification["entry"]]),
                expected,
                "{what}: {verification}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_no_bundle_or_that_expands_too_far_is_refused() {
    in_time(async {
        let (site, _writer) = site();
        export(&site, &["--output", "all.zip"]).await;
        let whole = fs::read(site.path("all.zip")).unwrap();
        fs::write(site.path("cut.zip"), &whole[..whole.len() / 2]).unwrap();
        write(&site.path("other.zip"), &[("a".to_owned(), b"b".to_vec())]);
        let many: Vec<_> = (0..100).map(|number| (number.to_string(), Vec::new())).collect();
        write(&site.path("many.zip"), &many);
        let newer = changed(&members(&site.path("all.zip")), "bundle.json", "bundle-3", "bundle-9");
        write(&site.path("newer.zip"), &newer);
        for (name, expected) in [
            ("cut.zip", "cut.zip: not a bundle that this version reads"),
            ("other.zip", "bundle.json is cut or damaged: it is missing"),
            ("many.zip", "it has 100 members"),
            ("newer.zip", "its format is \"crumbgate-bundle-9\", expected \"crumbgate-bundle-3\""),
        ] {
            let finished = site.run(&["audit", "verify", name]).await;
            assert_eq!(finished.code, Some(1), "{finished:?}");
            assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        }
        // 65 MiB of zeros in a member that is read as a whole.
        let mut bomb = members(&site.path("all.zip"));
        bomb.iter_mut().find(|(name, _)| name == "keys.txt").unwrap().1 = vec![b' '; 65 << 20];
        write(&site.path("bomb.zip"), &bomb);
        let verification = verify(&site, "bomb.zip").await;
        assert_eq!(verification["finding"], "file", "{verification}");
        assert!(
            verification["message"].as_str().unwrap().contains("more than 67108864 bytes"),
            "{verification}"
        );
    })
    .await;
}
