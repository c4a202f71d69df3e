//! The time of the pure parts of an exchange: `cargo bench --bench pure`; a part of a name may follow (`--
//! request`).

use criterion::{Criterion, criterion_group, criterion_main};

mod parts;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn benchmarks(criterion: &mut Criterion) {
    for part in parts::all() {
        criterion.bench_function(&part.name, |bencher| {
            let mut work = part.prepare();
            bencher.iter(&mut work);
        });
    }
}

criterion_group!(pure_benches, benchmarks);
criterion_main!(pure_benches);
