//! `crumbgate-bench`: what `bench/run` and `bench/gate` call.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use crumbgate_bench::{
    certificate,
    gate::{self, Baseline, Regression},
    load::Times,
    report, scale,
    suite::{self, Plan},
    targets::{Ground, Target},
    upstream::{self, Nginx},
};
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
    /// Say what has become slower than bench/baseline.json tells
    Gate {
        /// Write what is measured to bench/baseline.json instead
        #[arg(long)]
        accept: bool,
        /// The gateway's program
        #[arg(long, default_value = "target/release/crumbgate")]
        crumbgate: PathBuf,
    },
    /// Check every target, measure, and print the report
    Run(Wanted),
    /// Measure how the gateway's costs grow with tenants, names, connections and workers, and draw it
    Scale(Growing),
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
    /// How often each target has its turn under each load
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How many seconds a turn is measured
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Only the loads whose names begin so: h1, h2-json, latency, …
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Only these targets: crumbgate, haproxy-plain, …
    #[arg(long, num_args = 1.., value_name = "NAME", value_parser = target)]
    targets: Vec<Target>,
    /// Two short rounds: to see that everything works
    #[arg(long)]
    quick: bool,
    /// How many connections are idle at once
    #[arg(long, default_value_t = 10_000)]
    idle_connections: usize,
    /// The gateway's program
    #[arg(long, default_value = "target/release/crumbgate")]
    crumbgate: PathBuf,
    /// The folder for report.md and results.json
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct Growing {
    /// How often each point is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// For how many seconds each time
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// The most tenants, names and connections that are tried
    #[arg(long, default_value_t = 1_000_000)]
    most: u64,
    /// The gateway's program
    #[arg(long, default_value = "target/release/crumbgate")]
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
        let thorough = Times { warm_up: Duration::from_millis(700), window };
        Plan {
            rounds: if self.quick { 2 } else { self.rounds },
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
        Command::Gate { accept, crumbgate } => gate(accept, &crumbgate),
        Command::Run(wanted) => {
            let folder = tempfile::tempdir()?;
            let results = suite::run(&wanted.plan(), &ground(folder.path(), &wanted.crumbgate)?)?;
            print!("{}", report::write(&results, &wanted.out)?);
            Ok(())
        }
        Command::Scale(growing) => {
            let folder = tempfile::tempdir()?;
            let ground = ground(folder.path(), &growing.crumbgate)?;
            let application = Nginx::start(&ground.new_folder("application")?)?;
            let measured = scale::run(&ground, &application, growing.plan(), &growing.out);
            print!("{}", runtime()?.block_on(measured)?);
            Ok(())
        }
        Command::Upstream { listen, unix } => runtime()?.block_on(upstream::serve(listen, unix)),
    }
}

fn gate(accept: bool, crumbgate: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ratios = gate::ratios(&ground(folder.path(), crumbgate)?)?;
    let now = Baseline { ratios, ..Baseline::default() };
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

const BASELINE: &str = "bench/baseline.json";

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("no runtime")
}

/// Where everything of this run is, in a folder that ends with it.
fn ground(folder: &Path, crumbgate: &Path) -> Result<Ground> {
    let crumbgate = crumbgate.canonicalize();
    let crumbgate = crumbgate.context("the gateway is not built: see bench/run")?;
    Ok(Ground::new(folder.to_owned(), crumbgate, certificate::make(folder)?))
}
