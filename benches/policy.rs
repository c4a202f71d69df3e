//! What judging costs: a `Cookie` field of six pairs, and a response of eight `Set-Cookie` fields.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use crumbgate::policy::{
    EvictScope, Mode, Policy, RequestFacts, Resources, ResponseFacts,
    declaration::{Declaration, Inject, Lifetime, RenewOn, SameSite, SessionDuration},
    superseded::Superseded,
    verdict::Verdict,
};

/// What Laravel's encrypted cookies look like, in length and letters.
fn encrypted(seed: &str) -> String {
    format!("eyJpdiI6{}%3D", seed.repeat(40))
}

fn policy(declaration: Declaration) -> Policy {
    Policy {
        declaration: Arc::new(declaration),
        session: SessionDuration::ONE_WEEK,
        mode: Mode::Enforce,
        evict: EvictScope::Host,
    }
}

/// Six declared cookies, so that all six pairs stay.
fn six() -> Declaration {
    let cookie = |name: &str| {
        let mut cookie = Declaration::flexopus().cookies()[0].clone();
        cookie.name = name.parse().expect("a token");
        cookie.lifetime = Lifetime::Session;
        cookie.renew_on = RenewOn { methods: Vec::new(), paths: Vec::new() };
        cookie.inject = Inject::Renew;
        cookie.same_site = SameSite::Lax;
        cookie
    };
    let names = ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder", "_ga", "_gid", "theme"];
    Declaration::new(names.map(cookie).to_vec()).expect("six different names")
}

fn request(path: &str) -> RequestFacts<'_> {
    RequestFacts { method: "GET", path, host: "acme.flexopus.example", accepts_html: false }
}

fn benchmarks(criterion: &mut Criterion) {
    let field = format!(
        "_ga=GA1.2.1234567890.1234567890; XSRF-TOKEN={}; theme=dark; flexopus_session={}; _gid=GA1.2.99; \
         visitedMapBuilder=1",
        encrypted("Qm9va"),
        encrypted("c2Vzc"),
    );
    let count = |verdicts: &mut u64| *verdicts += 1;
    for (name, policy) in [
        ("request: 6 pairs, none stripped", policy(six())),
        ("request: 6 pairs, 3 stripped", policy(Declaration::flexopus())),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut verdicts = 0;
                let mut record = |_: Verdict<'_>| count(&mut verdicts);
                let fields = [black_box(field.as_bytes())];
                let (outcome, _) = policy.judge_request(request("/"), fields, &mut record);
                (outcome, verdicts)
            });
        });
    }

    let policy = policy(Declaration::flexopus());
    let superseded = Superseded::new(65_536, 7);
    let mut fields: Vec<String> = ["_ga", "_gid", "theme", "laravel_session", "AWSALB"]
        .map(|name| format!("{name}=0123456789; expires=Tue, 23-Nov-2027 12:00:00 GMT; path=/"))
        .to_vec();
    for name in ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"] {
        let value = encrypted("bmV3a");
        fields.push(format!(
            "{name}={value}; expires=Tue, 24-Nov-2026 12:00:00 GMT; Max-Age=7200; path=/; httponly; samesite=lax"
        ));
    }
    let response = ResponseFacts {
        status: 200,
        date_unix_s: 1_795_435_200,
        uptime_s: 1,
        may_be_shared: false,
    };
    let cases = [
        ("response: 8 fields, 5 stripped, no cookie sent", "/", &fields[..], None),
        ("response: 8 fields, 5 stripped, 2 values superseded", "/", &fields[..], Some(&field)),
        ("response: no field, 2 renewed", "/api/me", &[], Some(&field)),
        ("response: no field, nothing to do", "/", &[], Some(&field)),
    ];
    for (name, path, set_cookie, sent) in cases {
        let sent = sent.map(|field| field.as_bytes());
        let (_, judged) = policy.judge_request(request(path), sent, &mut |_| ());
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut verdicts = 0;
                let mut record = |_: Verdict<'_>| count(&mut verdicts);
                let set_cookie = black_box(set_cookie).iter().map(String::as_bytes);
                let resources =
                    Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
                let outcome = judged.judge_response(response, set_cookie, resources, &mut record);
                (outcome, verdicts)
            });
        });
    }
}

criterion_group!(policy_benches, benchmarks);
criterion_main!(policy_benches);
