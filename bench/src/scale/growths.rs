//! The quantities that grow.

use super::{Growth, Measured, Plan, Probe, Series, WORKERS, requests};
use crate::{
    clients::idle::raise_file_limit,
    targets::{CONNECTIONS, Ground, Running, Setup},
    upstream::Nginx,
};

/// 1 to 10^6 tenants: one of them is asked, then all of them in turn.
pub(super) async fn tenants(
    ground: &Ground,
    application: &Nginx,
    plan: Plan,
) -> anyhow::Result<Growth> {
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for tenants in powers(0..=6, plan) {
        let setup = Setup { tenants, ..Setup::default() };
        let running = start(&setup, ground, application)?;
        let probe = Probe::open(ground, &running, FEW, plan).await?;
        let at = u64::from(tenants);
        one.push(probe.measure(at, 0, requests::to_tenants(1)).await?);
        // Each has been asked once before it is measured.
        all.push(probe.measure(at, at, requests::to_tenants(at)).await?);
    }
    Ok(Growth {
        name: "tenants",
        title: "Tenants",
        conditions: "HTTP/1.1, 32 connections, small JSON with one undeclared cookie each way; \
                     one worker on a core of its own",
        series: vec![
            Series { name: "one is asked", points: one },
            Series { name: "all are asked in turn", points: all },
        ],
    })
}

/// 10 to 10^6 different undeclared names, 8 in each request, over 100 tenants.
pub(super) async fn names(
    ground: &Ground,
    application: &Nginx,
    plan: Plan,
) -> anyhow::Result<Growth> {
    let mut points = Vec::new();
    for names in powers(1..=6, plan) {
        let setup = Setup::default();
        let running = start(&setup, ground, application)?;
        let probe = Probe::open(ground, &running, FEW, plan).await?;
        let (at, tenants) = (u64::from(names), u64::from(setup.tenants));
        let write = requests::with_names(at, tenants);
        points.push(probe.measure(at, at.div_ceil(requests::NAMES_OF_ONE), write).await?);
    }
    Ok(Growth {
        name: "names",
        title: "Different names of undeclared cookies: an attack on the ledger",
        conditions: "HTTP/1.1, 32 connections, small JSON, 8 undeclared cookies in each request, \
                     100 tenants; one worker on a core of its own",
        series: vec![Series { name: "names in turn", points }],
    })
}

/// 100 connections and more, as many as the gateway may have here, which are used in turn.
pub(super) async fn connections(
    ground: &Ground,
    application: &Nginx,
    plan: Plan,
) -> anyhow::Result<Growth> {
    let mut points = Vec::new();
    let numbers = [100, 300, 1_000, 3_000, 10_000, CONNECTIONS];
    for connections in numbers.into_iter().filter(|number| u64::from(*number) <= plan.most) {
        let running = start(&Setup::default(), ground, application)?;
        let count = usize::try_from(connections)?;
        raise_file_limit(count)?;
        let probe = Probe::open(ground, &running, count, plan).await?;
        let at = u64::from(connections);
        points.push(probe.measure(at, at, requests::to_tenants(1)).await?);
    }
    Ok(Growth {
        name: "connections",
        title: "Connections",
        conditions: "HTTP/1.1, small JSON with one undeclared cookie each way; connections are \
                     used in turn, 32 requests at once; one worker on a core of its own",
        series: vec![Series { name: "used in turn", points }],
    })
}

/// 1 and 2 workers, on the two cores that the load and the application also have.
pub(super) async fn workers(
    ground: &Ground,
    application: &Nginx,
    plan: Plan,
) -> anyhow::Result<Growth> {
    let mut points: Vec<Measured> = Vec::new();
    for workers in [1, 2] {
        let setup = Setup { workers, cores: "0-1".to_owned(), ..Setup::default() };
        let running = start(&setup, ground, application)?;
        let probe = Probe::open(ground, &running, FEW, plan).await?;
        let at = u64::from(workers);
        points.push(probe.measure(at, 0, requests::to_tenants(1)).await?);
    }
    Ok(Growth {
        name: WORKERS,
        title: "Workers",
        conditions: "HTTP/1.1, 32 connections, small JSON with one undeclared cookie each way; \
                     on two cores, of which load and application need one",
        series: vec![Series { name: "both cores shared with the load", points }],
    })
}

/// Connections where it is not those that grow.
const FEW: usize = 32;

/// Powers of ten that the plan allows.
fn powers(exponents: impl Iterator<Item = u32>, plan: Plan) -> impl Iterator<Item = u32> {
    let numbers = exponents.map(|exponent| 10_u32.pow(exponent));
    numbers.filter(move |number| u64::from(*number) <= plan.most)
}

fn start(setup: &Setup, ground: &Ground, application: &Nginx) -> anyhow::Result<Running> {
    let mut running = setup.launch(ground, &ground.new_folder("scale")?, &application.tcp())?;
    running.wait()?;
    Ok(running)
}
