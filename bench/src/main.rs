//! `crumbgate-bench`: what `bench/run` and `bench/gate` call.

#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark prints its figures and its progress"
)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use crumbgate_bench::{
    allocations, certificate, counts,
    gate::{self, Baseline, Regression},
    load::Times,
    report,
    results::Results,
    scale,
    suite::{self, Plan},
    syscalls,
    targets::{Ground, Switch, Target},
    upstream::{self, Nginx},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Measures Crumbgate against HAProxy and nginx.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count the allocations of a request
    Allocations {
        /// The gateway with an allocator that counts
        #[arg(long, default_value = "target/dist/allocations")]
        gateway: PathBuf,
        /// Show where they are made, too
        #[arg(long)]
        sites: bool,
    },
    /// Count the instructions of the pure parts, and of whole requests
    Counts {
        /// The program that does the pure parts' work
        #[arg(long, default_value = "target/dist/pure")]
        pure: PathBuf,
        /// The gateway's program
        #[arg(long, default_value = "target/dist/crumbgate")]
        crumbgate: PathBuf,
    },
    /// Say what has become slower than in bench/baseline.json
    Gate {
        /// Write what is measured to bench/baseline.json instead
        #[arg(long)]
        accept: bool,
        /// The program that does the pure parts' work
        #[arg(long, default_value = "target/dist/pure")]
        pure: PathBuf,
        /// The gateway's program
        #[arg(long, default_value = "target/dist/crumbgate")]
        crumbgate: PathBuf,
    },
    /// Check every target, measure, and print the report
    Run(Wanted),
    /// Measure how the gateway's costs grow with tenants, names, connections and workers, and draw it
    Scale(Growing),
    /// Count the system calls of a request
    Syscalls {
        /// The gateway's program
        #[arg(long, default_value = "target/dist/crumbgate")]
        crumbgate: PathBuf,
    },
    /// Serve large bodies and WebSockets, as an application does
    Upstream {
        /// The TCP address
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// A Unix socket, too
        #[arg(long)]
        unix: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
struct Wanted {
    /// The number of turns of each target under each load
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// The length of a turn, in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Only the loads whose names begin so: h1, h2-json, latency, …
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Only these targets: crumbgate, haproxy-plain, …
    #[arg(long, num_args = 1.., value_name = "NAME", value_parser = target)]
    targets: Vec<Target>,
    /// A single round, and a short one: to see that everything works
    #[arg(long)]
    quick: bool,
    /// The number of idle connections
    #[arg(long, default_value_t = 10_000)]
    idle_connections: usize,
    /// The gateway's program
    #[arg(long, default_value = "target/dist/crumbgate")]
    crumbgate: PathBuf,
    /// The folder for report.md and results.json
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct Growing {
    /// The number of measurements of each point
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// For how many seconds each time
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// The most tenants, names and connections that are tried
    #[arg(long, default_value_t = 1_000_000)]
    most: u64,
    /// The gateway's program
    #[arg(long, default_value = "target/dist/crumbgate")]
    crumbgate: PathBuf,
    /// The folder for scale.md, scale.json and the pictures
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

impl Growing {
    fn plan(&self) -> scale::Plan {
        let window = Duration::from_secs_f64(self.seconds.clamp(0.2, 600.0));
        scale::Plan { rounds: self.rounds, window, most: self.most }
    }
}

impl Wanted {
    fn plan(&self) -> Plan {
        let quick = Times { warm_up: Duration::from_millis(300), window: Duration::from_secs(1) };
        let window = Duration::from_secs_f64(self.seconds.clamp(0.2, 600.0));
        let thorough = Times { warm_up: Duration::from_millis(600), window };
        Plan {
            rounds: if self.quick { 1 } else { self.rounds },
            times: if self.quick { quick } else { thorough },
            only: self.only.clone(),
            targets: if self.targets.is_empty() {
                Target::ALL.into()
            } else {
                self.targets.clone()
            },
            idle_connections: self.idle_connections,
        }
    }
}

fn target(name: &str) -> Result<Target> {
    Target::named(name).with_context(|| {
        let names = Target::ALL.map(|target| target.to_string());
        format!("there are {}", names.join(", "))
    })
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Allocations { gateway, sites } => count_allocations(&gateway, sites),
        Command::Counts { pure, crumbgate } => {
            print!("{}", counts::table(&count_instructions(&pure, &crumbgate)?));
            Ok(())
        }
        Command::Gate { accept, pure, crumbgate } => gate(accept, &pure, &crumbgate),
        Command::Run(wanted) => {
            let folder = folder()?;
            let ground = ground(folder.path(), &wanted.crumbgate)?;
            let keep = |results: &Results| report::write(results, &wanted.out);
            let results = suite::run(&wanted.plan(), &ground, &keep)?;
            print!("{}", report::markdown(&results));
            Ok(())
        }
        Command::Scale(growing) => {
            let folder = folder()?;
            let ground = ground(folder.path(), &growing.crumbgate)?;
            let application = Nginx::start(&ground.new_folder("application")?)?;
            let measured = scale::run(&ground, &application, growing.plan(), &growing.out);
            print!("{}", runtime()?.block_on(measured)?);
            Ok(())
        }
        Command::Syscalls { crumbgate } => count_system_calls(&crumbgate),
        Command::Upstream { listen, unix } => runtime()?.block_on(upstream::serve(listen, unix)),
    }
}

fn gate(accept: bool, pure: &Path, crumbgate: &Path) -> Result<()> {
    let folder = folder()?;
    let ratios = gate::ratios(&ground(folder.path(), crumbgate)?)?;
    let now = Baseline { ratios, instructions: count_instructions(pure, crumbgate)? };
    if accept {
        return now.write(Path::new(BASELINE));
    }
    let before = Baseline::read(Path::new(BASELINE))?;
    print!("{}", gate::table(&before, &now));
    let slower = before.slower(&now);
    for Regression { what, before, now } in &slower {
        println!("slower: {what}: {now:.3}, and it was {before:.3}");
    }
    ensure!(slower.is_empty(), "{} have become slower; bench/gate --accept takes it", slower.len());
    Ok(())
}

fn count_instructions(pure: &Path, crumbgate: &Path) -> Result<BTreeMap<String, u64>> {
    let folder = tempfile::tempdir()?;
    let application = Nginx::start(folder.path())?;
    let mut counted = counts::measure(pure)?;
    counted.extend(counts::of_gateway(&ground(folder.path(), crumbgate)?, &application)?);
    Ok(counted)
}

fn count_allocations(gateway: &Path, sites: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ground = ground(folder.path(), gateway)?;
    let application = Nginx::start(folder.path())?;
    print!("{}", allocations::table(&allocations::measure(&ground, &application)?));
    for (what, load) in allocations::loads().into_iter().filter(|_| sites) {
        let sites = allocations::sites::find(&ground, &application, &load)?;
        print!("\n{what}\n\n{}", allocations::sites::list(&sites));
    }
    Ok(())
}

fn count_system_calls(crumbgate: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ground = ground(folder.path(), crumbgate)?;
    let application = Nginx::start(folder.path())?;
    let target = Target::Crumbgate(Switch::None).start(&ground, &application.tcp())?;
    print!("{}", syscalls::table(&syscalls::measure(&target, folder.path())?));
    Ok(())
}

const BASELINE: &str = "bench/baseline.json";

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("no runtime")
}

/// The folder of temporary files.
fn folder() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("crumbgate-bench-").tempdir();
    folder.context("can't make a temporary folder")
}

/// The paths of this run, in a folder that ends with it.
fn ground(folder: &Path, crumbgate: &Path) -> Result<Ground> {
    let crumbgate = crumbgate.canonicalize();
    let crumbgate = crumbgate.context("the gateway is not built: see bench/run")?;
    Ok(Ground::new(folder.to_owned(), crumbgate, certificate::make(folder)?))
}
