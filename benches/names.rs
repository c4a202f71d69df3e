//! What the template of a cookie's name costs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use crumbgate::audit::{NameBuffer, name_template};

fn benchmarks(criterion: &mut Criterion) {
    let longest = "session-user.".repeat(10);
    for (what, name) in [
        ("a family's", "_ga_G1ABC2"),
        ("a word", "OptanonConsent"),
        ("several words", "cookielawinfo-checkbox-analytics"),
        ("a number", "user_123456"),
        ("a hash", "remember_me_59ba36addc2b2f9401580f014c7f58ea4e30989d"),
        ("a UUID", "cart-5f8d0d55-b54e-4b3c-8d1f-0242ac130003"),
        ("escapes", "\x1b[31mred"),
        ("the longest", &longest),
    ] {
        let mut buffer = NameBuffer::default();
        criterion.bench_function(&format!("{what}: {} bytes", name.len()), |bencher| {
            bencher.iter(|| name_template(black_box(name.as_bytes()), &mut buffer).len());
        });
    }
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
