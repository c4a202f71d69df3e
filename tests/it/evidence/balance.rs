//! Rules A: every cookie that is seen ends in exactly one verdict, and the counters balance.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use crumbgate_audit::{CounterSnapshot, tenants::Tenant};
use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::Request;
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use tokio::{task::JoinHandle, time::sleep};

use crate::harness::{Answer, App, Browser, Http, Kept, Running, Setup, both_versions, spawn};

/// One exchange: the browser's request and the application's answer.
#[derive(Clone, Debug)]
struct Exchange {
    method: &'static str,
    path: &'static str,
    accept: &'static str,
    /// At least one. `true`: a new `Cookie` field begins with it.
    pairs: Vec<(bool, Pair)>,
    status: u16,
    cache_control: &'static str,
    fields: Vec<Field>,
    /// True where the answer's trailers contain a cookie.
    has_trailers: bool,
}

/// A pair of the request.
#[derive(Clone, Debug)]
enum Pair {
    Malformed(&'static str),
    Nameless(&'static str),
    WellFormed(&'static str),
}

/// A `Set-Cookie` field of the answer.
#[derive(Clone, Debug)]
enum Field {
    /// The token, exactly as the declaration has it.
    AsDeclared,
    Delete(&'static str),
    Nameless(&'static str),
    Oversize(&'static str),
    Set(&'static str),
}

const DECLARED: [&str; 3] = ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"];

/// Undeclared names that a deletion can repeat, and those that it can't (E2).
const TOKENS: [&str; 6] = ["_ga", "_fbp", "xsrf-token", "flexopus.session", "XSRF-TOKEN2", "x"];
const NO_TOKENS: [&str; 3] = ["[x]", "flexopus_session[]", "a@b"];

const NAMELESS: [&str; 3] = ["alone", "=flexopus_session", "="];

fn any_exchange() -> impl Strategy<Value = Exchange> {
    let request = (
        select(vec!["GET", "GET", "HEAD", "OPTIONS", "POST"]),
        select(vec!["/", "/api/me", "/api/me", "/map-builder", "/map-builder/1/edit"]),
        select(vec!["text/html,*/*;q=0.8", "application/json"]),
        prop::collection::vec((any::<bool>(), any_pair()), 1..8),
    );
    let answer = (
        select(vec![200, 200, 200, 204, 302, 304, 401, 404, 419, 500]),
        select(vec!["private", "no-store", "public"]),
        prop::collection::vec(any_field(), 0..4),
        any::<bool>(),
    );
    (request, answer).prop_map(|((method, path, accept, pairs), answer)| {
        let (status, cache_control, fields, has_trailers) = answer;
        let has_trailers = has_trailers && status == 200 && method != "HEAD";
        Exchange { method, path, accept, pairs, status, cache_control, fields, has_trailers }
    })
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => select(&DECLARED[..]), 2 => select(&TOKENS[..]), 1 => select(&NO_TOKENS[..])]
}

fn any_pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        6 => any_name().prop_map(Pair::WellFormed),
        1 => any_name().prop_map(Pair::Malformed),
        1 => select(&NAMELESS[..]).prop_map(Pair::Nameless),
    ]
}

fn any_field() -> impl Strategy<Value = Field> {
    prop_oneof![
        1 => Just(Field::AsDeclared),
        1 => any_name().prop_map(Field::Delete),
        1 => select(&NAMELESS[..]).prop_map(Field::Nameless),
        1 => any_name().prop_map(Field::Oversize),
        3 => any_name().prop_map(Field::Set),
    ]
}

/// The number of times that each verdict must be reached, in the order of [`counted`].
struct Expected {
    requests: u64,
    seen: [u64; 2],
    verdicts: Vec<u64>,
}

impl Expected {
    fn new() -> Self {
        Self { requests: 0, seen: [0; 2], verdicts: vec![0; 2 * ACTIONS.len()] }
    }

    fn reach(&mut self, direction: Direction, action: Action) {
        self.verdicts[row(direction, action)] += 1;
    }

    /// Adds the verdicts of one exchange, derived from the rules and from what was sent.
    fn add(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.seen[0] += exchange.pairs.len() as u64;
        self.seen[1] += exchange.fields.len() as u64 + u64::from(exchange.has_trailers);
        let (mut came, mut twice) = (BTreeSet::new(), BTreeSet::new());
        let (mut kept, mut evicted) = (BTreeSet::new(), BTreeSet::new());
        for (_, pair) in &exchange.pairs {
            let action = match *pair {
                Pair::Nameless(_) => Action::Strip(Reason::Nameless),
                Pair::Malformed(name) | Pair::WellFormed(name) if !DECLARED.contains(&name) => {
                    if TOKENS.contains(&name) {
                        evicted.insert(name);
                    }
                    Action::Strip(Reason::Undeclared)
                }
                Pair::Malformed(name) | Pair::WellFormed(name) if !came.insert(name) => {
                    twice.insert(name);
                    Action::Strip(Reason::Duplicate)
                }
                Pair::Malformed(_) => Action::Strip(Reason::Malformed),
                Pair::WellFormed(name) => {
                    kept.insert(name);
                    Action::Keep
                }
            };
            self.reach(Direction::Request, action);
        }
        let freshens = exchange.status == 304 || exchange.method == "HEAD";
        let mut set = BTreeSet::new();
        for field in &exchange.fields {
            let (name, action) = match *field {
                Field::AsDeclared if freshens => ("XSRF-TOKEN", Action::Strip(Reason::Misplaced)),
                Field::AsDeclared => ("XSRF-TOKEN", Action::Keep),
                Field::Nameless(_) => ("", Action::Strip(Reason::Nameless)),
                Field::Delete(name) | Field::Oversize(name) | Field::Set(name)
                    if !DECLARED.contains(&name) =>
                {
                    (name, Action::Strip(Reason::Undeclared))
                }
                Field::Oversize(name) => (name, Action::Strip(Reason::Oversize)),
                Field::Delete(name) | Field::Set(name) if freshens => {
                    (name, Action::Strip(Reason::Misplaced))
                }
                Field::Delete(name) | Field::Set(name) => (name, Action::Rewrite),
            };
            set.insert(name);
            self.reach(Direction::Response, action);
        }
        if exchange.has_trailers {
            self.reach(Direction::Response, Action::Strip(Reason::Misplaced));
        }
        let is_accepted = (200..400).contains(&exchange.status) && exchange.method != "OPTIONS";
        for name in DECLARED {
            let is_mark = name == "visitedMapBuilder";
            let is_due = match is_mark {
                true => exchange.method == "GET" && exchange.path.starts_with("/map-builder"),
                false => exchange.path.starts_with("/api/"),
            };
            let is_settled = set.contains(name) || twice.contains(name);
            if !is_due || is_settled || freshens || !is_accepted {
                continue;
            }
            match (kept.contains(name), is_mark) {
                (true, _) => self.reach(Direction::Response, Action::Renew),
                (false, true) => self.reach(Direction::Response, Action::Inject),
                (false, false) => {}
            }
        }
        if exchange.method == "GET" && exchange.accept.contains("text/html") && !freshens {
            evicted.iter().for_each(|_| self.reach(Direction::Response, Action::Evict));
        }
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Request, Direction::Response];

const ACTIONS: [Action; 11] = [
    Action::Evict,
    Action::Inject,
    Action::Keep,
    Action::Renew,
    Action::Rewrite,
    Action::Strip(Reason::Duplicate),
    Action::Strip(Reason::Malformed),
    Action::Strip(Reason::Misplaced),
    Action::Strip(Reason::Nameless),
    Action::Strip(Reason::Oversize),
    Action::Strip(Reason::Undeclared),
];

fn row(direction: Direction, action: Action) -> usize {
    let of_direction = DIRECTIONS.iter().position(|other| *other == direction).unwrap();
    of_direction * ACTIONS.len() + ACTIONS.iter().position(|other| *other == action).unwrap()
}

/// All counts of a snapshot, in the order of [`DIRECTIONS`] and of [`ACTIONS`].
fn counted(counters: &CounterSnapshot) -> Vec<u64> {
    let of = |direction| ACTIONS.map(|action| counters.of(direction, action));
    DIRECTIONS.map(of).concat()
}

/// An application that answers as the request demands: status, `Cache-Control`, trailers, and
/// `Set-Cookie` fields.
async fn obedient() -> App {
    App::replying(|request| {
        let mut instructions = request.field("x-answer").unwrap().split('|');
        let [status, cache_control, has_trailers] = [(); 3].map(|()| instructions.next().unwrap());
        let fields: String = instructions.map(|field| format!("set-cookie: {field}\r\n")).collect();
        // Its own date: a lifetime that is as declared stays so while the gateway's clock advances.
        let head = format!(
            "HTTP/1.1 {status} X\r\ndate: {DATE}\r\ncache-control: {cache_control}\r\n{fields}"
        );
        match has_trailers {
            "true" => {
                format!("{head}transfer-encoding: chunked\r\n\r\n0\r\nset-cookie: t=1\r\n\r\n")
            }
            _ => format!("{head}content-length: 0\r\n\r\n"),
        }
        .into_bytes()
    })
    .await
}

/// [`NOW_UNIX_S`](crate::harness::NOW_UNIX_S), which [`AS_DECLARED`] counts from.
const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";

/// Makes one exchange. No value is ever sent twice, so that none is superseded (N4).
async fn make(exchange: &Exchange, browser: &Browser, host: &str, http: Http) -> Answer {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let value = || NEXT.fetch_add(1, SeqCst);
    let Exchange { method, path, accept, status, cache_control, has_trailers, .. } = exchange;
    let request = Request::builder().method(*method).header("accept", *accept);
    let mut request = match http {
        Http::One => request.uri(*path).header("host", host),
        Http::Two => request.uri(format!("https://{host}{path}")),
    };
    let pairs = exchange.pairs.iter().map(|(begins, pair)| {
        let text = match pair {
            Pair::Malformed(name) => format!("{name}=a b{}", value()),
            Pair::Nameless(text) => (*text).to_owned(),
            Pair::WellFormed(name) => format!("{name}=v{}", value()),
        };
        (*begins, text)
    });
    let mut fields: Vec<String> = Vec::new();
    for (begins, text) in pairs {
        match fields.last_mut().filter(|_| !begins) {
            Some(field) => *field += &format!("; {text}"),
            None => fields.push(text),
        }
    }
    for field in fields {
        request = request.header("cookie", field);
    }
    let answer = exchange.fields.iter().map(|field| match field {
        Field::AsDeclared => format!("XSRF-TOKEN=n{}; {AS_DECLARED}", value()),
        Field::Delete(name) => format!("{name}=; Max-Age=0"),
        Field::Nameless(text) => (*text).to_owned(),
        Field::Oversize(name) => format!("{name}={}", "v".repeat(4097)),
        Field::Set(name) => format!("{name}=n{}; Domain=.example; Max-Age=60", value()),
    });
    let instructions = [status.to_string(), (*cache_control).to_owned(), has_trailers.to_string()];
    let instructions: Vec<_> = instructions.into_iter().chain(answer).collect();
    browser.send(request.header("x-answer", instructions.join("|")), "").await
}

const AS_DECLARED: &str =
    "Max-Age=604800; Expires=Mon, 30 Nov 2026 10:00:00 GMT; Path=/; Secure; SameSite=Lax";

both_versions!(a1_every_cookie_ends_in_exactly_one_verdict, |http| {
    let app = obedient().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let mut expected = Expected::new();
    for exchange in traffic(300) {
        expected.add(&exchange);
        let answer = make(&exchange, &browser, "acme.example", http).await;
        assert_eq!(answer.status, exchange.status);
        let counters = gateway.counters_of("acme.example");
        assert_eq!(counted(&counters), expected.verdicts, "after {exchange:?}");
    }
    assert_balance(&gateway.counters_of("acme.example"), &expected);
    let unused: Vec<_> = ACTIONS
        .iter()
        .filter(|action| {
            DIRECTIONS.iter().all(|direction| expected.verdicts[row(*direction, **action)] == 0)
        })
        .collect();
    assert!(unused.is_empty(), "the traffic had no {unused:?}");
});

/// This number of random exchanges.
fn traffic(exchanges: usize) -> Vec<Exchange> {
    let mut runner = TestRunner::new(Config::default());
    (0..exchanges).map(|_| any_exchange().new_tree(&mut runner).unwrap().current()).collect()
}

#[track_caller]
fn assert_balance(counters: &CounterSnapshot, expected: &Expected) {
    assert_eq!(counters.requests, expected.requests);
    assert_eq!(counted(counters), expected.verdicts);
    assert_eq!(DIRECTIONS.map(|direction| counters.seen(direction)), expected.seen);
    for direction in DIRECTIONS {
        let passed = counters.of(direction, Action::Keep) + counters.of(direction, Action::Rewrite);
        assert_eq!(counters.seen(direction), passed + counters.stripped(direction));
    }
}

/// The tenants differ in nothing that changes a verdict: a duration, a mode, a name.
fn three_tenants(app: &App) -> Running {
    Setup::before(app)
        .server("workers = 2")
        .tenant("acme.example", "")
        .tenant("globex.example", "mode = \"report\"")
        .tenant("*.flexopus.example", "")
        .start()
}

#[tokio::test]
async fn a1_the_counters_of_several_tenants_balance_over_all_workers_and_both_versions() {
    const CONNECTIONS: usize = 3;
    let app = obedient().await;
    let gateway = three_tenants(&app);
    let mut total = Expected::new();
    let mut tenants = Vec::new();
    let mut under_way = Vec::new();
    for (host, name) in [
        ("acme.example", "acme.example"),
        ("globex.example", "globex.example"),
        ("a.flexopus.example", "*.flexopus.example"),
    ] {
        let mut expected = Expected::new();
        for http in [Http::One, Http::Two].repeat(CONNECTIONS) {
            let browser = gateway.browser_at(host, http);
            let exchanges = traffic(40);
            for exchange in &exchanges {
                expected.add(exchange);
                total.add(exchange);
            }
            under_way.push(spawn(async move {
                for exchange in exchanges {
                    let answer = make(&exchange, &browser, host, http).await;
                    assert_eq!(answer.status, exchange.status, "{exchange:?}");
                }
            }));
        }
        tenants.push((name, expected));
    }
    // Windows end, and a segment is closed, while the exchanges are under way.
    let mut windows = 1;
    while !under_way.iter().all(JoinHandle::is_finished) {
        gateway.advance(if windows % 8 == 0 { 3_600 } else { 300 });
        windows += 1;
        sleep(Duration::from_millis(200)).await;
    }
    for connection in under_way {
        connection.await.unwrap();
    }
    for (name, expected) in &tenants {
        assert_balance(&gateway.counters_of(name), expected);
    }
    assert_balance(&gateway.inner().counters().total(), &total);
    assert_eq!(gateway.inner().counters().read().len(), tenants.len());

    let kept = Kept::read(&gateway.stop().await.ledger());
    kept.assert_balanced();
    for (name, expected) in &tenants {
        assert_eq!(kept.requests(name), expected.requests, "{name}");
        assert_eq!(kept_counts(&kept, name), expected.verdicts, "{name}");
    }
    let traffic = kept.heartbeats.iter().filter(|beat| beat.tenant.is_some());
    let busy_windows: BTreeSet<_> = traffic.map(|beat| beat.window).collect();
    assert!(busy_windows.len() > 1, "the windows rolled in vain: {busy_windows:?}");
}

/// The counts of a tenant in the ledger, in the order of [`counted`].
fn kept_counts(kept: &Kept, tenant: &str) -> Vec<u64> {
    let of = |direction| ACTIONS.map(|action| kept.count(tenant, direction, action));
    DIRECTIONS.map(of).concat()
}

both_versions!(a1_an_exchange_that_the_gateway_answers_is_counted_once, |http| {
    let app = App::serving(|stream, _, _| async move { drop(stream) }).await;
    let gateway = Setup::before(&app).limits("cookie_bytes = 4096").start();
    let browser = gateway.browser(http);
    let unanswered = browser.get_with_cookie("/api/me", "flexopus_session=s; _ga=1").await;
    assert_eq!(unanswered.status, 502);
    let junk = format!("flexopus_session={}; _ga=1; _fbp=1", "1".repeat(5000));
    let refused = browser.get_with_cookie("/api/me", junk).await;
    assert_eq!(refused.status, 431);
    let counters = gateway.counters_of("acme.example");
    let mut expected = Expected::new();
    expected.requests = 2;
    expected.seen = [5, 0];
    expected.verdicts[row(Direction::Request, Action::Keep)] = 2;
    expected.verdicts[row(Direction::Request, Action::Strip(Reason::Undeclared))] = 3;
    expected.verdicts[row(Direction::Response, Action::Evict)] = 2;
    assert_balance(&counters, &expected);
});

both_versions!(a1_a_tenant_that_is_changed_or_returns_keeps_its_counters, |http| {
    let app = obedient().await;
    let gateway = three_tenants(&app);
    let table = gateway.inner().tenants();
    let browser = gateway.browser(http);
    let mut expected = Expected::new();
    for exchange in traffic(30) {
        expected.add(&exchange);
        make(&exchange, &browser, "acme.example", http).await;
        let tenant = table.remove("acme.example").unwrap();
        let refused = make(&exchange, &browser, "acme.example", http).await;
        assert_eq!(refused.status, 421, "the request of no tenant, and counted for none");
        table.insert(Tenant::clone(&tenant));
    }
    assert_balance(&gateway.counters_of("acme.example"), &expected);
    assert_balance(&gateway.inner().counters().total(), &expected);
});
