//! `crumbgate-bench`: what `bench/run` and `bench/gate` call.

use std::{path::PathBuf, time::Duration};

use crumbgate_bench::{
    certificate, checks,
    clients::Endpoint,
    load::{Http1, Http2, Times},
    targets::{Ground, Target},
    traffic,
    upstream::{Nginx, Scripted},
};

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let certificate = certificate::make(folder.path())?;
    let crumbgate = std::env::var("CRUMBGATE_BINARY").map(PathBuf::from)?;
    let application = Nginx::start(folder.path())?;
    let ground = Ground::new(folder.path().to_owned(), crumbgate, certificate);
    let times = Times { warm_up: Duration::from_millis(700), window: Duration::from_secs(3) };
    let names: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scripted = runtime.block_on(Scripted::start(folder.path()))?;
    let mut all = Vec::new();
    for name in &names {
        let target = Target::named(name).ok_or_else(|| anyhow::anyhow!("no {name}"))?;
        let checked = target.start(&ground, &scripted.tcp())?;
        let endpoint = Endpoint {
            address: checked.address,
            server_name: traffic::HOST.into(),
            roots: vec![ground.certificate.root.clone()],
        };
        runtime.block_on(checks::check(target, &endpoint, &scripted))?;
        println!("{target} does what is claimed of it");
        all.push((target, target.start(&ground, &application.tcp())?));
    }
    for _ in 0..3 {
        for (target, running) in &all {
            let load = Http1 { request: traffic::json(8), connections: 32 };
            let s = load.run(running, &application, times)?;
            let load = Http2 { request: traffic::json(8), connections: 16, streams: 10 };
            let t = load.run(running, &application, times)?;
            println!(
                "{target} {:.2} us (user {:.2}) {:.0}/s {} KiB; h2 {:.2} us {:.0}/s",
                s.cpu_us(),
                s.user_us(),
                s.rate(),
                s.memory_kib,
                t.cpu_us(),
                t.rate()
            );
        }
    }
    Ok(())
}
