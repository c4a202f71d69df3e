//! The cost of a report over a million entries: seconds to read and add them up, and to write each format.
//!
//! Prints Markdown. `cargo bench --bench report`. The ledger is a year of a busy gateway: windows of five minutes,
//! forty tenants, three hundred names, of which each window has some.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crumbgate_base::language::Language;
use crumbgate_ledger::read::Reader;
use crumbgate_policy::{requested::RequestedLifetime, verdict::Action};
use crumbgate_report::{Report, Selection, VendorHint, vendors::Category};
use crumbgate_testkit::ledger::{Seen, UnsignedLedger};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 1_000_000;
const ROUNDS: usize = 5;
const NOW_UNIX_S: u64 = 1_795_428_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let entries = write(&path);
    let megabytes = std::fs::metadata(&path).unwrap().len() / 1_000_000;
    let usually = |name: &str| {
        name.starts_with("_ga").then(|| VendorHint {
            platform: "Google Analytics".to_owned(),
            purpose: Category::Analytics,
            category: "Analytics".to_owned(),
            description: None,
        })
    };
    let build = || {
        let reader = Reader::open(&path).unwrap();
        Report::build(&reader, &Selection::default(), NOW_UNIX_S, &usually).unwrap()
    };
    let report = build();
    println!(
        "A ledger of {entries} entries, {megabytes} MB; {} rows of stripped cookies.\n",
        report.stripped.len()
    );
    println!("| step | s (median of {ROUNDS}) |\n|---|---:|");
    let row = |step: &str, seconds: Duration| println!("| {step} | {:.3} |", seconds.as_secs_f64());
    row("open, read, add up", median(|| drop(build())));
    row("text", median(|| drop(report.text(Language::En, false))));
    row("html", median(|| drop(report.html(Language::De))));
    row("json", median(|| drop(report.json(Language::En).unwrap())));
    row("csv", median(|| drop(report.csv().unwrap())));
}

/// The year's ledger; returns how many entries it has.
fn write(path: &Path) -> u64 {
    let mut writer = UnsignedLedger::new(path, 300);
    let names: Vec<_> = (0..300)
        .map(|n| if n % 10 == 0 { format!("_ga_{n}") } else { format!("name-{n}") })
        .collect();
    let tenants: Vec<_> = (0..40).map(|n| format!("t{n}.flexopus.example")).collect();
    let routes = ["/", "/login", "/dashboard", "/api/bookings", "/maps/{id}"];
    let mut start = NOW_UNIX_S - 365 * 86_400;
    let mut turn = 0_usize;
    while writer.last() < ENTRIES {
        writer.heartbeat(start, start + 299);
        turn += 1;
        let tenant = &tenants[turn % tenants.len()];
        let mut seen = vec![
            Seen::kept("flexopus_session", 9),
            Seen::rewritten("flexopus_session", RequestedLifetime::Day, 604_800, 2),
            Seen::added(Action::Evict, &names[turn % names.len()], None, 1),
        ];
        for offset in 0..8 {
            let at = turn * 7 + offset * 13;
            let (name, route) = (&names[at % names.len()], routes[at % routes.len()]);
            let cookie = if offset % 4 == 0 {
                Seen::set(name, RequestedLifetime::Year, 1)
            } else {
                Seen::sent(name, 3)
            };
            let cookie = cookie.on(route);
            seen.push(if turn.is_multiple_of(5) { cookie.watched() } else { cookie });
        }
        writer.traffic(start, tenant, 10, &seen);
        start += 300;
    }
    let entries = writer.last();
    writer.finish();
    entries
}

fn median(mut step: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            step();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}
