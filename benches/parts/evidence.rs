//! Writing down: names as templates, the counters with and without the aggregator, the metrics.

use std::{
    hint::black_box,
    sync::{Arc, mpsc},
    time::Duration,
};

use crumbgate_audit::{Aggregator, Batch, Counters, NameBuffer, TenantRecorder, name_template};
use crumbgate_gateway::metrics::Metrics;
use crumbgate_policy::{
    Mode,
    requested::RequestedAttributes,
    verdict::{Action, Direction, Reason, Verdict},
};

use super::Part;

/// The parts. The verdicts are those of one exchange: six pairs sent, eight fields set, eight cookies stripped of the
/// fourteen; all in rows that were met before.
pub(super) fn parts() -> Vec<Part> {
    let mut parts: Vec<_> = NAMES.iter().map(|(what, name)| template(what, name)).collect();
    parts.extend([
        counting("the counters alone, 14 verdicts", false, verdicts()),
        counting("counters and aggregator, 14 verdicts", true, verdicts()),
        counting("counters and aggregator, no cookie", true, Vec::new()),
        handing_on(),
        metrics(),
    ]);
    parts
}

fn template(what: &str, name: &str) -> Part {
    let name = name.to_owned();
    Part::new(format!("name: {what}, {} bytes", name.len()), move || {
        let (mut buffer, name) = (NameBuffer::default(), name.clone());
        move || {
            black_box(name_template(black_box(name.as_bytes()), &mut buffer));
        }
    })
}

fn counting(what: &str, with_aggregator: bool, verdicts: Vec<Verdict<'static>>) -> Part {
    Part::new(format!("ledger: {what}"), move || {
        // Nothing is handed on: the page never ends.
        let (sender, pages) = mpsc::sync_channel(1);
        let aggregator =
            Aggregator::new(Arc::default(), with_aggregator.then_some((sender, WINDOW_S)));
        let account = account(&aggregator);
        let verdicts = verdicts.clone();
        move || {
            exchange(&account, &verdicts);
            black_box(&pages);
        }
    })
}

/// An exchange, and then a page with its rows: what a worker does several times a second.
fn handing_on() -> Part {
    Part::new("ledger: 14 verdicts, and their page", || {
        let (sender, pages) = mpsc::sync_channel::<Batch>(1);
        let aggregator = Aggregator::new(Arc::<Counters>::default(), Some((sender, WINDOW_S)));
        let account = account(&aggregator);
        let verdicts = verdicts();
        move || {
            exchange(&account, &verdicts);
            aggregator.flush();
            black_box(pages.try_recv().expect("a page was handed on"));
        }
    })
}

fn account(aggregator: &std::rc::Rc<Aggregator>) -> TenantRecorder {
    aggregator.recorder(&"acme.flexopus.example".into(), &"first".into())
}

fn exchange(account: &TenantRecorder, verdicts: &[Verdict<'_>]) {
    let route = account.route(black_box("/api/buildings/7/desks/42"));
    account.count_request(UNIX_S);
    for verdict in verdicts {
        account.count(black_box(verdict), Mode::Enforce, route.as_ref(), UNIX_S);
    }
}

fn metrics() -> Part {
    Part::new("metrics: one exchange, without its clock", || {
        let (worker, duration) = (Metrics::default().open(), Duration::from_micros(300));
        move || {
            worker.count_upstream_answer(black_box(duration));
            worker.count_answer(black_box(200), black_box(duration));
        }
    })
}

fn verdicts() -> Vec<Verdict<'static>> {
    let verdict = |direction, name: &'static str, action| Verdict {
        direction,
        name: name.as_bytes(),
        action,
        requested: (direction == Direction::Response).then(RequestedAttributes::default),
        granted_s: (action == Action::Rewrite).then_some(604_800),
        seal: None,
        count: 1,
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

const NAMES: [(&str, &str); 7] = [
    ("a family's", "_ga_G1ABC2"),
    ("a word", "OptanonConsent"),
    ("several words", "cookielawinfo-checkbox-analytics"),
    ("a number", "user_123456"),
    ("a hash", "remember_me_59ba36addc2b2f9401580f014c7f58ea4e30989d"),
    ("a UUID", "cart-5f8d0d55-b54e-4b3c-8d1f-0242ac130003"),
    ("escapes", "\x1b[31mred"),
];

const UNIX_S: u64 = 1_795_428_000;
const WINDOW_S: u32 = 300;
