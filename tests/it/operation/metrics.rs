//! Metrics: the numbers are those of the traffic, and no client can create series.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use crumbgate_audit::CounterSnapshot;
use crumbgate_policy::verdict::{Action, Direction, Reason};
use http::{Method, StatusCode};
use rustls::pki_types::ServerName;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsConnector;

use crate::harness::{
    ACME, App, Exposed, Holding, Http, Kept, Raw, Running, Setup, both_versions, in_time, ok,
    read_request, until,
};

/// The output of promtool for a text, and whether it accepts the text.
fn promtool(text: &str) -> (bool, String) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

/// An application that answers with the status that the request asks for.
async fn obliging() -> App {
    App::replying(|request| {
        let status = request.field("x-status").unwrap_or("200");
        let fields = "set-cookie: flexopus_session=s\r\nset-cookie: _ga=1\r\n";
        format!("HTTP/1.1 {status} X\r\n{fields}content-length: 0\r\n\r\n").into_bytes()
    })
    .await
}

#[tokio::test]
async fn promtool_finds_nothing_in_the_metrics_of_a_gateway_that_had_traffic() {
    in_time(async {
        let app = obliging().await;
        let gateway = Setup::before(&app)
            .server("workers = 2")
            .tenant(ACME, "")
            .tenant("globex.example", "")
            .start();
        for http in [Http::One, Http::Two] {
            for host in [ACME, "globex.example"] {
                let browser = gateway.browser_at(host, http);
                browser.get_with_cookie("/", "flexopus_session=s; _ga=1").await;
            }
        }
        for tenant_series in [0, 1, 10] {
            let text = gateway.inner().control().metrics_text(tenant_series);
            assert_eq!(promtool(&text), (true, String::new()), "{text}");
        }
        // It finds a mistake where there is one.
        let (is_content, output) = promtool("# TYPE a_total gauge\na_total 1\n");
        assert!(!is_content && output.contains("a_total"), "{output}");
    })
    .await;
}

both_versions!(an_answer_counts_in_its_class_and_its_time, |http| {
    let app = obliging().await;
    let gateway = Setup::before(&app).limits("cookie_bytes = 4096").start();
    let browser = gateway.browser(http);
    for status in ["200", "204", "302", "404", "500", "503", "799"] {
        let request = browser.request(Method::GET, "/").header("x-status", status);
        browser.send(request, "").await;
    }
    let junk = format!("flexopus_session={}", "1".repeat(5_000));
    assert_eq!(browser.get_with_cookie("/", junk).await.status, 431);
    let metrics = Exposed::by(&gateway);
    let classes = [("1xx", 0.), ("2xx", 2.), ("3xx", 1.), ("4xx", 2.), ("5xx", 2.), ("other", 1.)];
    for (class, count) in classes {
        let series = format!("crumbgate_requests_total{{status_class=\"{class}\"}}");
        assert_eq!(metrics.get(&series), count, "{class}");
    }
    assert_eq!(metrics.get("crumbgate_request_duration_seconds_count"), 8.);
    assert_eq!(metrics.get("crumbgate_request_duration_seconds_bucket{le=\"+Inf\"}"), 8.);
    assert_eq!(metrics.get("crumbgate_upstream_duration_seconds_count"), 7.);
    let gateway_s = metrics.get("crumbgate_request_duration_seconds_sum");
    let upstream_s = metrics.get("crumbgate_upstream_duration_seconds_sum");
    assert!(gateway_s > upstream_s && upstream_s > 0., "{gateway_s} {upstream_s}");
    assert_eq!(metrics.get("crumbgate_rejections_total{reason=\"cookie_too_large\"}"), 1.);
    assert_eq!(metrics.sum("crumbgate_rejections_total"), 1.);
    assert_eq!(metrics.sum("crumbgate_exchanges_ended_early_total"), 0.);
});

#[tokio::test]
async fn the_time_ends_with_the_answers_head_and_not_with_its_body() {
    in_time(async {
        let app = Holding::replying(|_| ok(&[], "")).await;
        let gateway = Setup::before(&app.app).start();
        let browser = Arc::new(gateway.browser(Http::One));
        let answered = app.begin(&browser, "/", "a").await;
        assert_eq!(Exposed::by(&gateway).get("crumbgate_request_duration_seconds_count"), 0.);
        // It is seen after two sweeps at the latest.
        until("it is active", || {
            let metrics = Exposed::by(&gateway);
            metrics.get("crumbgate_connections{state=\"active\"}") == 1.
                && metrics.get("crumbgate_open_exchanges") == 1.
        })
        .await;
        app.let_go("a");
        answered.await.unwrap();
        let metrics = Exposed::by(&gateway);
        assert_eq!(metrics.get("crumbgate_request_duration_seconds_count"), 1.);
        until("it is idle", || {
            let metrics = Exposed::by(&gateway);
            metrics.get("crumbgate_connections{state=\"idle\"}") == 1.
                && metrics.get("crumbgate_open_exchanges") == 0.
        })
        .await;
    })
    .await;
}

const ACTIONS: [(Action, &str, &str); 16] = [
    (Action::Evict, "evict", ""),
    (Action::Inject, "inject", ""),
    (Action::Keep, "keep", ""),
    (Action::Renew, "renew", ""),
    (Action::Rewrite, "rewrite", ""),
    (Action::Strip(Reason::Duplicate), "strip", "duplicate"),
    (Action::Strip(Reason::Malformed), "strip", "malformed"),
    (Action::Strip(Reason::Misplaced), "strip", "misplaced"),
    (Action::Strip(Reason::Nameless), "strip", "nameless"),
    (Action::Strip(Reason::Excess), "strip", "excess"),
    (Action::Strip(Reason::Oversize), "strip", "oversize"),
    (Action::Strip(Reason::BeforeAgreement), "strip", "before_agreement"),
    (Action::Strip(Reason::Expired), "strip", "expired"),
    (Action::Strip(Reason::Foreign), "strip", "foreign"),
    (Action::Strip(Reason::Forged), "strip", "forged"),
    (Action::Strip(Reason::Undeclared), "strip", "undeclared"),
];

/// Every verdict, with the labels of its series, and its count in an exposition.
fn verdicts(metrics: &Exposed) -> Vec<(Direction, Action, f64)> {
    let mut all = Vec::new();
    for (direction, word) in [(Direction::Request, "request"), (Direction::Response, "response")] {
        for (action, verb, reason) in ACTIONS {
            let labels = format!("direction=\"{word}\",action=\"{verb}\",reason=\"{reason}\"");
            let series = format!("crumbgate_cookies_total{{{labels}}}");
            // Verdicts that a request can't have have no series.
            all.push((direction, action, metrics.0.get(&series).copied().unwrap_or(0.)));
        }
    }
    all
}

both_versions!(a1_the_cookies_of_the_metrics_are_those_of_the_counters_and_of_the_ledger, |http| {
    let app = obliging().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for cookie in [
        "flexopus_session=s; _ga=1; =x",
        "_ga=1; XSRF-TOKEN=t; XSRF-TOKEN=u",
        "_fbp=1; flexopus_session=a b",
    ] {
        for path in ["/", "/api/me", "/map-builder"] {
            browser.get_with_cookie(path, cookie).await;
        }
    }
    let metrics = Exposed::by(&gateway);
    let counters: CounterSnapshot = gateway.counters_of(ACME);
    let mut reached = 0;
    for (direction, action, count) in verdicts(&metrics) {
        assert_eq!(count, counters.of(direction, action) as f64, "{direction:?} {action:?}");
        reached += usize::from(count > 0.);
    }
    assert!(reached > 6, "the traffic had {reached} kinds of verdicts");
    for direction in [Direction::Request, Direction::Response] {
        let sum = |is_of: fn(Action) -> bool| -> f64 {
            let all = verdicts(&metrics).into_iter();
            all.filter(|(of, action, _)| *of == direction && is_of(*action)).map(|v| v.2).sum()
        };
        let passed = sum(|action| matches!(action, Action::Keep | Action::Rewrite));
        let stripped = sum(|action| matches!(action, Action::Strip(_)));
        assert_eq!(counters.seen(direction) as f64, passed + stripped, "{direction:?}");
    }
    let kept = Kept::read(&gateway.stop().await.ledger());
    for (direction, action, count) in verdicts(&metrics) {
        assert_eq!(count, kept.count(ACME, direction, action) as f64, "{direction:?} {action:?}");
    }
});

#[tokio::test]
async fn no_client_can_create_series() {
    Box::pin(in_time(async {
        let app = obliging().await;
        let gateway = Setup::before(&app)
            .defaults("unknown_hosts = \"default\"")
            .tenant("*.flexopus.example", "")
            .start();
        let before = gateway.inner().control().metrics_text(3);
        let browser = gateway.browser_at("a.flexopus.example", Http::One);
        for attack in 0..200 {
            let method = Method::from_bytes(format!("METHOD{attack}").as_bytes()).unwrap();
            let request = browser
                .request(method, &format!("/secret-{attack}?q={attack}"))
                .header("cookie", format!("name{attack}=1; x{attack}=[]"))
                .header("x-status", (200 + 3 * attack).to_string())
                .header("x-request-id", attack.to_string());
            browser.send(request, "").await;
        }
        for attack in 0..50 {
            let host = format!("h{attack}.example");
            let mut raw = gateway.raw().await;
            raw.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
            raw.read_head().await;
        }
        let after = gateway.inner().control().metrics_text(3);
        let (before, after) = (Exposed::of(&before), Exposed::of(&after));
        assert_eq!(after.sum("crumbgate_requests_total"), 250.);
        let is_of_tenant = |series: &&str| !series.starts_with("crumbgate_tenant_");
        let without = |metrics: &Exposed| -> Vec<String> {
            metrics.series().into_iter().filter(is_of_tenant).map(str::to_owned).collect()
        };
        assert_eq!(without(&before), without(&after));
        // The operator chooses the bound: three tenants and the rest.
        assert!(after.series().len() - without(&after).len() <= 4 * (1 + 8 + 4));
    }))
    .await;
}

#[tokio::test]
async fn the_first_tenants_have_series_of_their_own_and_the_others_share_one() {
    in_time(async {
        let app = obliging().await;
        let gateway = Setup::before(&app)
            .tenant("c.flexopus.example", "")
            .tenant("b.flexopus.example", "")
            .tenant("a.flexopus.example", "")
            .start();
        for (host, times) in [("c", 1), ("b", 2), ("a", 3), ("c", 4)] {
            let browser = gateway.browser_at(&format!("{host}.flexopus.example"), Http::One);
            for _ in 0..times {
                browser.get_with_cookie("/", "flexopus_session=s; _ga=1").await;
            }
        }
        let none = gateway.inner().control().metrics_text(0);
        assert!(!none.contains("tenant=\""), "{none}");
        let metrics = Exposed::of(&gateway.inner().control().metrics_text(1));
        assert_eq!(metrics.get("crumbgate_tenants"), 3.);
        for (tenant, requests) in [("c.flexopus.example", 5.), ("(other)", 5.)] {
            let of = format!("tenant=\"{tenant}\"");
            assert_eq!(metrics.get(&format!("crumbgate_tenant_requests_total{{{of}}}")), requests);
            for action in ["keep", "strip"] {
                let labels = format!("{of},direction=\"request\",action=\"{action}\"");
                let series = format!("crumbgate_tenant_cookies_total{{{labels}}}");
                assert_eq!(metrics.get(&series), requests, "{series}");
            }
        }
        assert!(!metrics.0.keys().any(|series| series.contains("a.flexopus.example")));
    })
    .await;
}

fn handshakes(gateway: &Running, labels: &str) -> f64 {
    Exposed::by(gateway).get(&format!("crumbgate_handshakes_total{{{labels}}}"))
}

#[tokio::test]
async fn handshakes_count_by_version_resumption_and_outcome() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).limits("handshake_timeout = \"300ms\"").start();
        let config = Arc::new(gateway.client_config(Http::One));
        for resumed in ["false", "true"] {
            let stream = TcpStream::connect(gateway.https()).await.unwrap();
            let name = ServerName::try_from(ACME).unwrap();
            let stream = TlsConnector::from(Arc::clone(&config)).connect(name, stream).await;
            let mut raw = Raw::new(stream.unwrap());
            raw.send("GET / HTTP/1.1\r\nhost: acme.example\r\n\r\n").await;
            raw.read_until("hello").await;
            let labels = format!("version=\"1.3\",resumed=\"{resumed}\",outcome=\"done\"");
            assert_eq!(handshakes(&gateway, &labels), 1., "{labels}");
        }
        let failed = |outcome| format!("version=\"none\",resumed=\"false\",outcome=\"{outcome}\"");
        let mut plain = TcpStream::connect(gateway.https()).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        until("it has failed", || handshakes(&gateway, &failed("failed")) == 1.).await;
        drop(TcpStream::connect(gateway.https()).await.unwrap());
        until("it is given up", || handshakes(&gateway, &failed("given_up")) == 1.).await;
        let _silent = TcpStream::connect(gateway.https()).await.unwrap();
        until("it is late", || handshakes(&gateway, &failed("late")) == 1.).await;
        let metrics = Exposed::by(&gateway);
        assert_eq!(metrics.sum("crumbgate_handshakes_total"), 5.);
        assert_eq!(metrics.get("crumbgate_connections_accepted_total"), 5.);
    })
    .await;
}

#[tokio::test]
async fn each_rejection_has_its_reason() {
    in_time(async {
        let app = App::serving(|stream, _, _| async move { drop(stream) }).await;
        let setup = Setup::before(&app).limits("body_bytes = 10\nhead_bytes = 8192");
        let gateway = setup.start();
        let large = "x".repeat(9_000);
        for (reason, request, status) in [
            (
                "authority",
                "GET / HTTP/1.1\r\nhost: a.example\r\nhost: b.example\r\n\r\n".to_owned(),
                400,
            ),
            (
                "body_too_large",
                "POST / HTTP/1.1\r\nhost: acme.example\r\ncontent-length: 11\r\n\r\n".to_owned(),
                413,
            ),
            (
                "head_too_large",
                format!("GET / HTTP/1.1\r\nhost: acme.example\r\nx: {large}\r\n\r\n"),
                431,
            ),
            ("method", "TRACE / HTTP/1.1\r\nhost: acme.example\r\n\r\n".to_owned(), 405),
            ("misdirected", "GET / HTTP/1.1\r\nhost: nobody.example\r\n\r\n".to_owned(), 421),
            (
                "upstream_broken",
                "POST / HTTP/1.1\r\nhost: acme.example\r\ncontent-length: 0\r\n\r\n".to_owned(),
                502,
            ),
        ] {
            let mut raw = gateway.raw().await;
            raw.send(&request).await;
            let head = raw.read_head().await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{reason}: {head}");
            let series = format!("crumbgate_rejections_total{{reason=\"{reason}\"}}");
            assert_eq!(Exposed::by(&gateway).get(&series), 1., "{reason}");
        }
        assert_eq!(Exposed::by(&gateway).sum("crumbgate_rejections_total"), 6.);
    })
    .await;
}

both_versions!(a_client_that_disconnects_and_an_answer_that_is_aborted_count_separately, |http| {
    let app = App::serving(|mut stream, number, _| async move {
        read_request(&mut stream, &mut Vec::new(), number).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome";
        stream.write_all(head).await.unwrap();
    })
    .await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let answer = browser.send_streaming(browser.request(Method::GET, "/"), "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let early = |side: &str| {
        let series = format!("crumbgate_exchanges_ended_early_total{{side=\"{side}\"}}");
        Exposed::by(&gateway).get(&series)
    };
    until("the application has broken off", || early("upstream") == 1.).await;
    drop((answer, browser));

    let silent = Holding::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&silent.app).start();
    let browser = Arc::new(gateway.browser(http));
    silent.begin(&browser, "/", "a").await.abort();
    drop(browser);
    let series = "crumbgate_exchanges_ended_early_total{side=\"downstream\"}";
    until("the client has gone away", || Exposed::by(&gateway).get(series) == 1.).await;
});

#[tokio::test]
async fn plain_requests_count_as_redirects_only() {
    in_time(async {
        let app = App::answering(&[]).await;
        let gateway = Setup::before(&app).start();
        let get = async |host: &str| {
            let mut stream = TcpStream::connect(gateway.http()).await.unwrap();
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.unwrap();
        };
        get(ACME).await;
        get("nobody.example").await;
        let metrics = Exposed::by(&gateway);
        assert_eq!(metrics.get("crumbgate_redirects_total"), 1.);
        assert_eq!(metrics.get("crumbgate_rejections_total{reason=\"misdirected\"}"), 1.);
        assert_eq!(metrics.sum("crumbgate_requests_total"), 0.);
    })
    .await;
}

#[tokio::test]
async fn gauges_are_read_at_the_time_of_the_scrape() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let gateway = Setup::before(&app).server("workers = 2").start();
        until("both serve", || Exposed::by(&gateway).get("crumbgate_workers") == 2.).await;
        let metrics = Exposed::by(&gateway);
        assert_eq!(metrics.get("crumbgate_config_last_reload_success"), 1.);
        assert_eq!(
            metrics.get("crumbgate_config_last_reload_timestamp_seconds"),
            crate::harness::NOW_UNIX_S as f64
        );
        assert!(metrics.sum("crumbgate_certificate_expiry_timestamp_seconds") > 1.7e9);
        assert!(metrics.get("process_resident_memory_bytes") > 1e6);
        assert!(
            metrics.0.keys().any(|series| series.starts_with("crumbgate_build_info{version=\"0."))
        );
        gateway.browser(Http::One).get_with_cookie("/", "_ga=1").await;
        until("a row is written", || Exposed::by(&gateway).get("crumbgate_audit_rows_total") > 0.)
            .await;
    })
    .await;
}

#[tokio::test]
async fn each_server_of_an_application_has_its_figures() {
    in_time(async {
        let app = obliging().await;
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = nobody.local_addr().unwrap();
        drop(nobody);
        let servers = [format!("http://{}", app.address()), format!("http://{gone}")];
        let gateway = Setup::before_servers(&servers)
            .upstream("health = { path = \"/up\", interval = \"1s\" }")
            .start();
        let of = |name: &str, server: &str| {
            let labels = format!("upstream=\"app\",server=\"{server}\"");
            let series = format!("crumbgate_upstream_server_{name}{{{labels}}}");
            Exposed::by(&gateway).0.get(&series).copied()
        };
        let [there, gone] = [&*servers[0], &*servers[1]];
        until("both were checked", || {
            [there, gone].iter().all(|server| of("up", server).is_some())
        })
        .await;
        assert_eq!((of("up", there), of("up", gone)), (Some(1.), Some(0.)));
        assert!(of("failed_checks_total", gone) >= Some(1.));
        assert_eq!(of("failed_checks_total", there), Some(0.));
        let before = of("requests_total", there);
        let browser = gateway.browser(Http::One);
        for _ in 0..5 {
            assert_eq!(browser.get("/").await.status, 200);
        }
        assert_eq!(of("requests_total", there), before.map(|before| before + 5.));
        assert_eq!(of("requests_total", gone), Some(0.));
        assert!(of("connections", there) >= Some(1.));
        let queue = "crumbgate_upstream_queue_length{upstream=\"app\"}";
        assert_eq!(Exposed::by(&gateway).get(queue), 0.);
        let text = gateway.inner().control().metrics_text(0);
        assert_eq!(promtool(&text), (true, String::new()), "{text}");
    })
    .await;
}
