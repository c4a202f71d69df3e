//! The cost of tenants: seconds to load a million of them, nanoseconds to find one, also while others are written,
//! bytes to keep one.
//!
//! Prints Markdown. `cargo bench --bench tenants`; Linux only, since it reads its own size from `/proc`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints")]

use std::{
    env,
    fmt::Write,
    fs,
    hint::black_box,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crumbgate_audit::tenants::{Tenant, TenantTable, host_of_authority};
use crumbgate_config::Config;
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, Policy,
    declaration::{Declaration, SessionDuration},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if env::args().any(|argument| argument == LOAD) {
        return load_a_million();
    }
    // First, while nothing that was freed distorts the size of the process.
    let bytes = bytes_of_a_tenant();
    println!("| look-up, ns (median of {ROUNDS}) | {} |", columns(SIZES, |size| size.to_string()));
    println!("|---|{}|", columns(SIZES, |_| "---:".to_owned()));
    let tables = SIZES.map(|size| TenantTable::new(tenants(size), None));
    for (what, host) in HOSTS {
        for (how, spread) in [("any of them", usize::MAX), ("the busiest 100", 100)] {
            print_look_ups(&format!("{what}, {how}"), &tables, host, spread);
        }
    }
    for (how, pause) in
        [("a thousand times a second", WRITE_PAUSE), ("all the time", Duration::ZERO)]
    {
        let what = format!("exact host, any of them, while another thread writes {how}");
        while_written(&tables, pause, || print_look_ups(&what, &tables, exact_host, usize::MAX));
    }
    let authorities: Vec<_> =
        hosts(1_000, exact_host).iter().map(|h| format!("{h}:8443")).collect();
    let cost = median(|| per_item(&authorities, |authority| host_of_authority(authority)));
    println!("\n- authority to host: {:.0} ns", cost.as_secs_f64() * 1e9);
    println!("- a tenant in the table: {bytes} bytes of memory");
    // In a process of its own, so that what was done here is no part of its memory.
    let load = Command::new(env::current_exe().unwrap()).arg(LOAD).status().unwrap();
    assert!(load.success());
}

/// Prints what a look-up takes in each of the tables.
fn print_look_ups(what: &str, tables: &[TenantTable; 3], host: HostOf, spread: usize) {
    let cost = |index: usize| {
        let hosts = hosts(SIZES[index].min(spread), host);
        format!("{:.0}", look_up(&tables[index], &hosts).as_secs_f64() * 1e9)
    };
    println!("| {what} | {} |", columns([0, 1, 2], cost));
}

/// Does the work while a thread replaces tenants of all tables, one in each, after every pause.
fn while_written(tables: &[TenantTable; 3], pause: Duration, work: impl FnOnce()) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                if is_done.load(Ordering::Relaxed) {
                    return;
                }
                for (table, size) in tables.iter().zip(SIZES) {
                    tenants_from(spread(turn, size), 1)
                        .for_each(|tenant| drop(table.insert(tenant)));
                }
                if !pause.is_zero() {
                    thread::sleep(pause);
                }
            }
        });
        work();
        is_done.store(true, Ordering::Relaxed);
    });
}

/// Loads a file of a million tenants, of which every third sets its session and every tenth is a wildcard.
fn load_a_million() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let mut text = "tls.certificates = [{ chain = 'a.crt', key = 'a.key' }]\n\
                    upstreams.app.servers = ['http://127.0.0.1:8000']\n"
        .to_owned();
    for index in 0..MILLION {
        writeln!(text, "[tenants.\"{}\"]", name(index)).unwrap();
        if index % 3 == 0 {
            writeln!(text, "session = \"2h\"").unwrap();
        }
    }
    fs::write(&path, &text).unwrap();
    println!("- a file of {MILLION} tenants ({} MiB):", text.len() / 1_048_576);
    drop(text);

    let loaded = timed("read and checked", || Config::load(&path, []).unwrap());
    let (tenants, default) = (loaded.config.tenants, loaded.config.default_tenant);
    let table = timed("put into the table", || TenantTable::new(tenants, default));
    assert_eq!(table.len(), MILLION);
    println!("  - {} MiB of memory at the most", status_kibibytes("VmHWM:") / 1024);
    let printed = timed("printed with the origin of each value", || loaded.effective.to_string());
    println!("  - {} lines printed", printed.lines().count());
}

/// Prints how long the work takes, and how much of that it was on a processor: the machine may be busy.
fn timed<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let on_processor = || {
        let schedule = fs::read_to_string("/proc/self/schedstat").unwrap();
        Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
    };
    let (start, before) = (Instant::now(), on_processor());
    let result = work();
    let (elapsed, worked) =
        (start.elapsed().as_secs_f64(), (on_processor() - before).as_secs_f64());
    println!("  - {what}: {worked:.2} s of work, {elapsed:.2} s by the clock");
    result
}

/// The memory that a million tenants add to the process, for each.
fn bytes_of_a_tenant() -> usize {
    let before = status_kibibytes("VmRSS:");
    let table = TenantTable::new(tenants(MILLION), None);
    let after = status_kibibytes("VmRSS:");
    assert_eq!(table.len(), MILLION);
    (after - before) * 1024 / MILLION
}

fn tenants(count: usize) -> impl Iterator<Item = Tenant> {
    tenants_from(0, count)
}

fn tenants_from(first: usize, count: usize) -> impl Iterator<Item = Tenant> {
    let declaration = Arc::new(Declaration::flexopus());
    (first..first + count).map(move |index| {
        let policy = Policy {
            declaration: Arc::clone(&declaration),
            session: SessionDuration::ONE_WEEK,
            mode: Mode::Enforce,
            evict: EvictScope::Host,
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        Tenant { name: name(index).into(), policy, upstream: 0 }
    })
}

fn name(index: usize) -> String {
    let star = if is_wildcard(index) { "*." } else { "" };
    format!("{star}organization-{index}.flexopus.example")
}

fn is_wildcard(index: usize) -> bool {
    index % 10 == 9
}

/// Makes the host that is looked up for the tenant of an index.
type HostOf = fn(usize) -> String;

/// The authority that is looked up, and the host of the tenant with an index.
const HOSTS: [(&str, HostOf); 3] =
    [("exact host", exact_host), ("wildcard", wildcard_host), ("no tenant", unknown_host)];

fn exact_host(index: usize) -> String {
    let exact = if is_wildcard(index) { index - 1 } else { index };
    format!("organization-{exact}.flexopus.example")
}

fn wildcard_host(index: usize) -> String {
    format!("www.organization-{}.flexopus.example", index / 10 * 10 + 9)
}

fn unknown_host(index: usize) -> String {
    format!("nobody-{index}.flexopus.example")
}

/// Hosts of tenants picked all over a table of this size, in an order that no cache can guess.
fn hosts(size: usize, host: HostOf) -> Vec<String> {
    (0..LOOK_UPS).map(|n| host(spread(n, size))).collect()
}

/// The place of a number among so many.
fn spread(n: usize, size: usize) -> usize {
    // A large odd factor, modulo a power of two, visits every number once; modulo the size it is spread well enough.
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % size
}

fn look_up(table: &TenantTable, hosts: &[String]) -> Duration {
    median(|| per_item(hosts, |host| table.find(host)))
}

fn per_item<'a, T, R>(items: &'a [T], work: impl Fn(&'a T) -> R) -> Duration {
    let start = Instant::now();
    for item in items {
        black_box(work(black_box(item)));
    }
    start.elapsed().div_f64(items.len() as f64)
}

fn median(measure: impl Fn() -> Duration) -> Duration {
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| measure()).collect();
    rounds.sort();
    rounds[ROUNDS / 2]
}

fn columns<T, const N: usize>(values: [T; N], show: impl Fn(T) -> String) -> String {
    values.map(show).join(" | ")
}

fn status_kibibytes(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

/// The argument that asks for the load alone.
const LOAD: &str = "--load-a-million";
const MILLION: usize = 1_000_000;
const SIZES: [usize; 3] = [10, 10_000, MILLION];
const WRITE_PAUSE: Duration = Duration::from_millis(1);
const LOOK_UPS: usize = 200_000;
const ROUNDS: usize = 7;
