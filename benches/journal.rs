//! What writing down costs on the way of a request, with the ledger and without: the verdicts of one exchange (six pairs
//! sent, eight fields set, of which eight cookies are stripped), all in rows that were met before.

use std::{hint::black_box, sync::Arc, thread};

use criterion::{Criterion, criterion_group, criterion_main};
use crumbgate::{
    audit::{Account, Books, Journal, Page},
    policy::{
        Mode,
        asked::Asked,
        verdict::{Action, Direction, Reason, Verdict},
    },
};

const UNIX_S: u64 = 1_795_428_000;

fn verdicts() -> Vec<Verdict<'static>> {
    let verdict = |direction, name: &'static str, action| Verdict {
        direction,
        name: name.as_bytes(),
        action,
        asked: (direction == Direction::Response).then(Asked::default),
        granted_s: (action == Action::Rewrite).then_some(604_800),
    };
    let strip = Action::Strip(Reason::Undeclared);
    let request = [
        ("_ga", strip),
        ("XSRF-TOKEN", Action::Keep),
        ("theme", strip),
        ("flexopus_session", Action::Keep),
        ("_ga_G1ABC2D3E4", strip),
        ("visitedMapBuilder", Action::Keep),
    ];
    let response = [
        ("_ga", strip),
        ("_gid", strip),
        ("theme", strip),
        ("laravel_session", strip),
        ("AWSALB", strip),
        ("XSRF-TOKEN", Action::Rewrite),
        ("flexopus_session", Action::Rewrite),
        ("visitedMapBuilder", Action::Rewrite),
    ];
    let request = request.map(|(name, action)| verdict(Direction::Request, name, action));
    let response = response.map(|(name, action)| verdict(Direction::Response, name, action));
    [&request[..], &response].concat()
}

fn exchange(account: &Account, path: &str, verdicts: &[Verdict<'_>]) {
    let route = account.route(black_box(path));
    account.count_request(UNIX_S);
    for verdict in verdicts {
        account.count(black_box(verdict), Mode::Enforce, route.as_ref(), UNIX_S);
    }
}

fn benchmarks(criterion: &mut Criterion) {
    let verdicts = verdicts();
    let (sender, pages) = std::sync::mpsc::sync_channel::<Page>(4);
    // As the ledger's thread does: whatever comes is taken.
    let reader = thread::spawn(move || pages.iter().map(|page| page.rows.len()).sum::<usize>());
    for (name, evidence) in [("without the ledger", None), ("with the ledger", Some((sender, 300)))]
    {
        let journal = Journal::new(Arc::new(Books::default()), evidence);
        let account = journal.account(&"acme.flexopus.example".into(), &"first".into());
        let name = format!("an exchange of 14 cookies, {name}");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| exchange(&account, "/api/buildings/7/desks/42", &verdicts));
        });
        criterion.bench_function(&format!("{name}: a request without cookies"), |bencher| {
            bencher.iter(|| exchange(&account, "/api/buildings/7/desks/42", &[]));
        });
        journal.hand_on();
    }
    reader.join().expect("the reader has no reason to panic");
}

criterion_group!(journal_benches, benchmarks);
criterion_main!(journal_benches);
