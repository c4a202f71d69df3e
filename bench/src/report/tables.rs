//! A table for each group of loads: a row for each load, a column for each target, and how Crumbgate compares.

use crate::{
    results::{Results, Spread, What},
    suite::{FEATURES, HANDSHAKES, IDLE, LATENCY, LOADS, Load, START_UP, STREAMS},
    targets::{Switch, Target},
};

const OURS: Target = Target::Crumbgate(Switch::None);

/// All tables that have anything in them.
pub(super) fn all(results: &Results) -> String {
    let loads: Vec<_> = LOADS.iter().map(|load| (load.name, load.title)).collect();
    let handshakes = HANDSHAKES.map(|(name, title, _)| (name, title));
    let streams = STREAMS.map(|(name, title, _)| (name, title));
    let (bodies, messages) = streams.split_at(2);
    let with = |name| move |load: &&(&'static str, &'static str)| load.0.starts_with(name);
    let beginning = |name| loads.iter().filter(with(name)).copied().collect::<Vec<_>>();
    let [latency, idle, start] = [
        [(LATENCY, "JSON at 60 % of the slowest peer's saturation, 32 connections")],
        [(IDLE, "each idle TLS connection")],
        [(START_UP, "from the start to the first answer, with a new ledger")],
    ];
    [
        table(results, "HTTP/1.1: CPU µs a request", What::Cpu, &beginning("h1-")),
        table(results, "HTTP/1.1: the part outside the kernel", What::User, &beginning("h1-")),
        table(results, "HTTP/2: CPU µs a request", What::Cpu, &beginning("h2-")),
        table(results, "Unix socket: CPU µs a request", What::Cpu, &beginning("unix-")),
        table(results, "Requests a second, one core saturated", What::Rate, &loads),
        table(results, "Latency at a fixed rate: p50, µs", What::P50, &latency),
        table(results, "Latency at a fixed rate: p99, µs", What::P99, &latency),
        table(results, "Latency at a fixed rate: p99.9, µs", What::P999, &latency),
        table(results, "Handshakes: CPU µs each", What::Cpu, &handshakes),
        table(results, "Bodies: CPU µs for each MiB", What::Cpu, bodies),
        table(results, "WebSocket: CPU µs a message", What::Cpu, messages),
        table(results, "Memory under load, KiB", What::Memory, &loads),
        table(results, "Memory of connections, KiB", What::MemoryPerConnection, &idle),
        table(results, "Start, ms", What::StartUp, &start),
        features(results),
    ]
    .concat()
}

fn table(results: &Results, title: &str, what: What, loads: &[(&str, &str)]) -> String {
    let measured = |load: &str, target| results.spread(load, target, what);
    let targets = Target::ALL.into_iter();
    let targets: Vec<_> = targets
        .filter(|&target| loads.iter().any(|(name, _)| measured(name, target).is_some()))
        .collect();
    if targets.is_empty() {
        return String::new();
    }
    let comparisons: Vec<_> = targets
        .iter()
        .copied()
        .filter(|&target| target != OURS && targets.contains(&OURS))
        .collect();
    let mut text = format!("\n## {title}\n\n| |");
    targets.iter().for_each(|target| text += &format!(" {target} |"));
    comparisons.iter().for_each(|target| text += &format!(" × {target} |"));
    text += "\n|---|";
    text += &"---|".repeat(targets.len() + comparisons.len());
    text.push('\n');
    for (name, title) in loads {
        if !targets.iter().any(|&target| measured(name, target).is_some()) {
            continue;
        }
        text += &format!("| {title} |");
        for &target in &targets {
            text += &format!(" {} |", measured(name, target).map_or("—".into(), spread));
        }
        for &target in &comparisons {
            let ratio = ratio(measured(name, OURS), measured(name, target));
            text += &format!(" {} |", ratio.map_or("—".into(), |ratio| format!("{ratio:.2}")));
        }
        text.push('\n');
    }
    text
}

/// A row for each switch, a column for each load, and what the switch saves or costs.
fn features(results: &Results) -> String {
    let cpu = |load: &str, target| results.spread(load, target, What::Cpu);
    let loads: Vec<_> = FEATURES.iter().filter(|(name, _)| cpu(name, OURS).is_some()).collect();
    if loads.is_empty() {
        return String::new();
    }
    let mut text = "\n## What each feature costs: CPU µs a request\n\n| |".to_owned();
    for (_, load) in &loads {
        text += &format!(" {} | difference |", Load::named(load).map_or(*load, |load| load.title));
    }
    text += &format!("\n|---|{}\n", "---|".repeat(2 * loads.len()));
    let switched = Switch::ALL.map(|switch| (switch.title(), Target::Crumbgate(switch)));
    let plain = [Target::HaproxyPlain, Target::NginxPlain];
    let names = plain.map(|target| target.to_string());
    let plain = names.iter().map(String::as_str).zip(plain);
    for (title, target) in switched.into_iter().chain(plain) {
        if !loads.iter().any(|(name, _)| cpu(name, target).is_some()) {
            continue;
        }
        text += &format!("| {title} |");
        for (name, _) in &loads {
            let (found, ours) = (cpu(name, target), cpu(name, OURS));
            text += &format!(" {} |", found.map_or("—".into(), spread));
            text += &match (found, ours) {
                (Some(found), Some(ours)) if target != OURS => {
                    format!(" {:+.2} |", found.median - ours.median)
                }
                _ => " |".to_owned(),
            };
        }
        text.push('\n');
    }
    text
}

fn ratio(ours: Option<Spread>, other: Option<Spread>) -> Option<f64> {
    Some(ours?.median / other?.median)
}

fn spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    let digits = match median {
        0.0..100.0 => 2,
        100.0..1000.0 => 1,
        _ => 0,
    };
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}
