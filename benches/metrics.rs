//! The cost of the metrics: recording one exchange, with the clock that it reads, and writing all of them. Recording
//! without the clock is a pure part: `benches/pure.rs`.

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use crumbgate_audit::Counters;
use crumbgate_gateway::metrics::{Metrics, Readings, expose};

fn record(criterion: &mut Criterion) {
    let metrics = Metrics::default();
    let worker = metrics.open();
    let began = Instant::now();
    criterion.bench_function("one exchange", |bencher| {
        bencher.iter(|| {
            // The moment at which it is sent is known: the request's body began there.
            let (came, sent) = (Instant::now(), black_box(began));
            worker.count_upstream_answer(sent.elapsed());
            worker.count_answer(black_box(200), black_box(came).elapsed());
        });
    });
}

fn write(criterion: &mut Criterion) {
    let (metrics, counters) = (Metrics::default(), Counters::default());
    let _workers: Vec<_> = (0..16).map(|_| metrics.open()).collect();
    for tenant in 0..1_000 {
        counters.open(&format!("{tenant}.flexopus.example").into()).count_request();
    }
    criterion.bench_function("writing, 16 workers, 1000 tenants", |bencher| {
        bencher.iter(|| expose(&metrics, &counters, &Readings::default()));
    });
    let readings = Readings { tenant_series: 100, ..Readings::default() };
    criterion.bench_function("writing, 100 tenants with series of their own", |bencher| {
        bencher.iter(|| expose(&metrics, &counters, &readings));
    });
}

criterion_group!(benches, record, write);
criterion_main!(benches);
