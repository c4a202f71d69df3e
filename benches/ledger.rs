//! A ledger of a million entries: how fast it is sealed and verified, and what it takes on disk.
//!
//! `cargo bench --bench ledger`; the number of entries may follow (`-- 100000`).

#![allow(missing_docs, reason = "a benchmark has no users")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints what it found, and ends where something fails"
)]

use std::{fs, time::Instant};

use crumbgate_ledger::{
    export::{Selection, export},
    progress::Progress,
    read::Reader,
    verify::{Expected, verify_bundle, verify_ledger},
};
use crumbgate_policy::verdict::{Action, Reason};
use crumbgate_testkit::ledger::signed::LedgerWriter;

/// Segments are closed hourly: twelve windows.
const WINDOWS_A_SEGMENT: u64 = 12;
const TENANTS: u64 = 50;
/// In each window, for each tenant.
const VERDICTS: u64 = 40;
const BEGIN_UNIX_S: u64 = 1_795_428_000;

fn main() {
    let entries = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crumbgate.db");
    let mut writer = LedgerWriter::new(&path, BEGIN_UNIX_S);
    let (mut sealing, mut segments) = (std::time::Duration::ZERO, 0);
    let begun = Instant::now();
    while writer.seq < entries {
        writer.connection.execute_batch("BEGIN").unwrap();
        for _ in 0..WINDOWS_A_SEGMENT {
            write_window(&mut writer);
        }
        writer.connection.execute_batch("COMMIT").unwrap();
        let closing = Instant::now();
        writer.close();
        sealing += closing.elapsed();
        segments += 1;
    }
    let entries = writer.seq;
    let written = begun.elapsed() - sealing;
    writer.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    let megabytes = fs::metadata(&path).unwrap().len() as f64 / 1e6;
    println!("{entries} entries in {segments} segments, {megabytes:.0} MB");
    say("written", entries, written);
    say("sealed", entries, sealing);

    for _ in 0..3 {
        let begun = Instant::now();
        let verification =
            verify_ledger(&path, &Expected::default(), &Progress::default()).unwrap().unwrap();
        assert_eq!(verification.entries, entries);
        say("verified", entries, begun.elapsed());
    }

    let bundle = folder.path().join("bundle.zip");
    let begun = Instant::now();
    let reader = Reader::open(&path).unwrap();
    export(&reader, &Selection::default(), &bundle, false).unwrap();
    let megabytes = fs::metadata(&bundle).unwrap().len() as f64 / 1e6;
    say(&format!("exported ({megabytes:.0} MB)"), entries, begun.elapsed());
    let begun = Instant::now();
    let verification =
        verify_bundle(&bundle, &Expected::default(), &Progress::default()).unwrap().unwrap();
    assert_eq!(verification.entries, entries);
    say("bundle verified", entries, begun.elapsed());
}

fn write_window(writer: &mut LedgerWriter) {
    writer.gateway_heartbeat();
    for tenant in 0..TENANTS {
        let names: Vec<_> = (0..VERDICTS)
            .map(|name| (format!("cookie_{name}"), format!("/route/{}/{{id}}", name % 7)))
            .collect();
        let cookies: Vec<_> = names
            .iter()
            .map(|(name, route)| (&**name, &**route, Action::Strip(Reason::Undeclared), 1 + tenant))
            .collect();
        writer.traffic(&format!("tenant{tenant}.example"), &cookies);
    }
    writer.next_window();
}

fn say(what: &str, entries: u64, took: std::time::Duration) {
    let rate = entries as f64 / took.as_secs_f64();
    println!("{what} in {:.2} s: {rate:.0} entries a second", took.as_secs_f64());
}
