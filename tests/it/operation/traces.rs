//! Traces across services: a collector that decodes what it receives with OpenTelemetry's own code.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;
use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::harness::{
    ACME, App, Holding, Http, NOW_UNIX_S, Received, Running, Setup, Site, both_versions, in_time,
    json_lines, ok, until,
};

/// A collector that accepts everything.
async fn collector() -> App {
    App::replying(|_| ok(&["content-type: application/x-protobuf"], "")).await
}

fn tracing_to(collector: &App, app: &App, sample: &str) -> Setup {
    let endpoint = format!("endpoint = \"http://{}\"", collector.address());
    Setup::before(app).sections(&format!("[traces]\n{endpoint}\nsample = {sample}"))
}

/// The spans that a collector has received, decoded.
fn spans(collector: &App) -> Vec<Span> {
    let decode = |request: &Received| {
        let message = ExportTraceServiceRequest::decode(&*request.body).unwrap();
        let scopes = message.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect::<Vec<_>>()
    };
    collector.received().iter().flat_map(decode).collect()
}

fn text(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()).unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        other => panic!("{other:?}"),
    }
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    span.attributes.iter().map(|attribute| (&*attribute.key, text(attribute))).collect()
}

fn hexadecimal(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The server's span, and that of its upstream call.
async fn pair(collector: &App) -> (Span, Span) {
    until("both spans have come", || spans(collector).len() == 2).await;
    let of = |kind: SpanKind| {
        spans(collector).into_iter().find(|span| span.kind == i32::from(kind)).unwrap()
    };
    (of(SpanKind::Server), of(SpanKind::Client))
}

fn metric(gateway: &Running, series: &str) -> u64 {
    let text = gateway.inner().control().metrics_text(0);
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{series}")).parse().unwrap()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

/// Sends a request with these fields, and returns the request that the application received.
async fn get(gateway: &Running, app: &App, http: Http, fields: &[(&str, &str)]) -> Received {
    let browser = gateway.browser(http);
    let mut request = browser.request(Method::GET, "/api/desks/42?name=ada");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    browser.send(request, "").await;
    app.last()
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

both_versions!(without_an_endpoint_a_trace_passes_through_untouched, |http| {
    let app = App::replying(|_| ok(&[], "")).await;
    let gateway = Setup::before(&app).start();
    for value in [traceparent("01"), traceparent("00"), "nonsense".to_owned()] {
        let fields = [("traceparent", &*value), ("tracestate", STATE)];
        let received = get(&gateway, &app, http, &fields).await;
        assert_eq!(received.field("traceparent"), Some(&*value));
        assert_eq!(received.field("tracestate"), Some(STATE));
    }
    let received = get(&gateway, &app, http, &[]).await;
    assert_eq!((received.field("traceparent"), received.field("tracestate")), (None, None));
});

both_versions!(a_sampled_trace_continues_with_the_gateways_span_as_parent, |http| {
    let app = App::replying(|_| ok(&[], "hello")).await;
    let collector = collector().await;
    let gateway = tracing_to(&collector, &app, "0").start();
    let traceparent = traceparent("01");
    let fields =
        [("traceparent", &*traceparent), ("tracestate", STATE), ("x-request-id", "order-66")];
    let received = get(&gateway, &app, http, &fields).await;
    let (server, client) = pair(&collector).await;

    let sent = format!("00-{TRACE}-{}-01", hexadecimal(&client.span_id));
    assert_eq!(received.field("traceparent"), Some(&*sent));
    assert_eq!(received.field("tracestate"), Some(STATE));
    assert_eq!(hexadecimal(&server.trace_id), TRACE);
    assert_eq!(hexadecimal(&server.parent_span_id), CALLER);
    assert_eq!(client.trace_id, server.trace_id);
    assert_eq!(client.parent_span_id, server.span_id);
    assert_ne!(client.span_id, server.span_id);

    assert_eq!(server.name, "GET /api/desks/{id}");
    let version = if http == Http::One { "1.1" } else { "2" };
    let expected = [
        ("crumbgate.complete", "true"),
        ("crumbgate.request_id", "order-66"),
        ("crumbgate.tenant", ACME),
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/api/desks/{id}"),
        ("network.protocol.name", "http"),
        ("network.protocol.version", version),
        ("url.scheme", "https"),
    ];
    assert_eq!(attributes(&server), expected.map(|(key, value)| (key, value.to_owned())).into());
    let (address, port) = (app.address().ip().to_string(), app.address().port().to_string());
    let expected = [
        ("crumbgate.upstream", "app"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("server.address", &*address),
        ("server.port", &*port),
    ];
    assert_eq!(client.name, "GET");
    assert_eq!(attributes(&client), expected.map(|(key, value)| (key, value.to_owned())).into());

    let began = NOW_UNIX_S * 1_000_000_000;
    assert_eq!(server.start_time_unix_nano, began);
    assert!(client.start_time_unix_nano > began);
    assert!(client.end_time_unix_nano > client.start_time_unix_nano);
    assert!(server.end_time_unix_nano > client.end_time_unix_nano);
    assert_eq!(server.status.unwrap().code(), StatusCode::Unset);
    let posted = collector.last();
    assert_eq!((posted.method(), posted.target()), ("POST", "/v1/traces"));
    assert_eq!(posted.field("content-type"), Some("application/x-protobuf"));
    until("it is counted", || metric(&gateway, "crumbgate_trace_spans_exported_total") == 2).await;
});

both_versions!(a_trace_that_the_caller_does_not_sample_is_not_sampled, |http| {
    let app = App::replying(|_| ok(&[], "")).await;
    let collector = collector().await;
    let gateway = tracing_to(&collector, &app, "1.0").start();
    let unfollowed = traceparent("00");
    let fields = [("traceparent", &*unfollowed), ("tracestate", STATE)];
    let received = get(&gateway, &app, http, &fields).await;
    assert_eq!(received.field("traceparent"), Some(&*unfollowed));
    assert_eq!(received.field("tracestate"), Some(STATE));
    // The sampled request is exported, and arrives alone.
    get(&gateway, &app, http, &[]).await;
    let (server, _) = pair(&collector).await;
    assert_ne!(hexadecimal(&server.trace_id), TRACE);
});

both_versions!(an_invalid_traceparent_begins_a_new_trace, |http| {
    let app = App::replying(|_| ok(&[], "")).await;
    let collector = collector().await;
    let gateway = tracing_to(&collector, &app, "1").start();
    let too_long = format!("{}-more", traceparent("01"));
    let twice = traceparent("01");
    let cases: [&[(&str, &str)]; 4] = [
        &[("tracestate", STATE)],
        &[("traceparent", "nonsense"), ("tracestate", STATE)],
        &[("traceparent", &too_long), ("tracestate", STATE)],
        &[("traceparent", &twice), ("traceparent", &twice), ("tracestate", STATE)],
    ];
    for (index, fields) in cases.into_iter().enumerate() {
        let received = get(&gateway, &app, http, fields).await;
        let sent = received.field("traceparent").unwrap();
        assert!(sent.len() == 55 && sent.ends_with("-01") && !sent.contains(TRACE), "{sent}");
        // It belonged to another trace.
        assert_eq!(received.field("tracestate"), None);
        until("both spans have come", || spans(&collector).len() == 2 * (index + 1)).await;
    }
    let servers: Vec<_> = spans(&collector).into_iter().filter(|span| span.kind == 2).collect();
    assert!(servers.iter().all(|span| span.parent_span_id.is_empty()));
});

#[tokio::test]
async fn an_answer_of_the_gateway_itself_is_traced_too() {
    in_time(async {
        let app = App::serving(|stream, _, _| async move { drop(stream) }).await;
        let collector = collector().await;
        let gateway = tracing_to(&collector, &app, "1").start();
        let browser = gateway.browser(Http::One);
        assert_eq!(browser.post("/login").await.status, 502);
        let (server, client) = pair(&collector).await;
        for span in [&server, &client] {
            assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Error);
            assert_eq!(attributes(span)["error.type"], "upstream_broken");
        }
        assert_eq!(attributes(&server)["crumbgate.rejection"], "upstream_broken");
        assert_eq!(attributes(&server)["http.response.status_code"], "502");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_exchange_is_traced_up_to_there() {
    in_time(async {
        let app = Holding::replying(|_| ok(&[], "")).await;
        let collector = collector().await;
        let gateway = tracing_to(&collector, &app.app, "1").start();
        let browser = Arc::new(gateway.browser(Http::Two));
        app.begin(&browser, "/", "a").await.abort();
        drop(browser);
        let (server, client) = pair(&collector).await;
        for span in [&server, &client] {
            assert_eq!(attributes(span)["error.type"], "given_up");
            assert!(!attributes(span).contains_key("http.response.status_code"));
        }
        assert_eq!(attributes(&server)["crumbgate.complete"], "false");
    })
    .await;
}

both_versions!(a3_a_span_contains_nothing_that_a_client_has_sent, |http| {
    let app = App::replying(|_| ok(&["set-cookie: flexopus_session=canary-set"], "")).await;
    let collector = collector().await;
    let gateway = tracing_to(&collector, &app, "1").start();
    let browser = gateway.browser(http);
    let method = Method::from_bytes(b"CANARY-METHOD").unwrap();
    let request = browser
        .request(method, "/canary-path/canary@example.org?q=canary-query")
        .header("cookie", "canary_name=canary-value; flexopus_session=canary-session")
        .header("user-agent", "canary-agent")
        .header("referer", "https://canary.example/")
        .header("tracestate", "canary=canary-state")
        .header("x-forwarded-for", "canary-address");
    browser.send(request, "canary-body").await;
    let (server, client) = pair(&collector).await;
    assert_eq!(server.name, "HTTP /{id}/{id}");
    assert_eq!(attributes(&client)["http.request.method"], "_OTHER");
    for request in collector.received() {
        let sent = [request.head.as_bytes(), &request.body].concat().to_ascii_lowercase();
        let canary = sent.windows(6).position(|part| part == b"canary");
        assert_eq!(canary, None, "{}", sent.escape_ascii());
        // The client's address is absent as well; the application and the collector have other ones.
        let port = format!(":{}", gateway.https().port());
        assert!(!sent.windows(port.len()).any(|part| part == port.as_bytes()));
    }
});

#[tokio::test]
async fn the_last_spans_are_sent_at_a_stop() {
    in_time(async {
        let app = App::replying(|_| ok(&[], "")).await;
        let collector = collector().await;
        let gateway = tracing_to(&collector, &app, "1").start();
        for _ in 0..3 {
            gateway.browser(Http::One).get("/").await;
        }
        gateway.stop().await;
        assert_eq!(spans(&collector).len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_refuses_or_is_down_costs_spans_and_no_request() {
    in_time(async {
        let app = App::replying(|_| ok(&[], "hello")).await;
        let lost = "crumbgate_trace_spans_dropped_total{reason=\"collector\"}";
        let refusing = App::replying(|_| {
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_vec()
        })
        .await;
        let gateway = tracing_to(&refusing, &app, "1").start();
        assert_eq!(gateway.browser(Http::One).get("/").await.status, 200);
        until("they are lost", || metric(&gateway, lost) == 2).await;
        assert_eq!(metric(&gateway, "crumbgate_trace_spans_exported_total"), 0);

        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("endpoint = \"http://{}\"", nobody.local_addr().unwrap());
        drop(nobody);
        let setup = Setup::before(&app).sections(&format!("[traces]\n{endpoint}\nsample = 1"));
        let gateway = setup.start();
        assert_eq!(gateway.browser(Http::One).get("/").await.status, 200);
        until("they are lost", || metric(&gateway, lost) == 2).await;
    })
    .await;
}

#[tokio::test]
async fn the_number_of_spans_that_a_collector_rejects_is_counted() {
    in_time(async {
        let app = App::replying(|_| ok(&[], "")).await;
        let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "x".into() };
        let answer = ExportTraceServiceResponse { partial_success: Some(partial) };
        let body = answer.encode_to_vec();
        let collector = App::replying(move |_| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            [head.as_bytes(), &body].concat()
        })
        .await;
        let gateway = tracing_to(&collector, &app, "1").start();
        gateway.browser(Http::One).get("/").await;
        let lost = "crumbgate_trace_spans_dropped_total{reason=\"collector\"}";
        until("one is lost", || metric(&gateway, lost) == 1).await;
        assert_eq!(metric(&gateway, "crumbgate_trace_spans_exported_total"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_hangs_slows_no_request_and_no_stop() {
    in_time(async {
        let app = App::replying(|_| ok(&[], "")).await;
        let silent = App::serving(|mut stream, _, _| async move {
            // It accepts everything, and never answers.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let gateway = tracing_to(&silent, &app, "1").start();
        let browser = gateway.browser(Http::One);
        browser.get("/").await;
        until("the collector is asked", || silent.connections() == 1).await;
        for _ in 0..50 {
            assert_eq!(browser.get("/").await.status, 200);
        }
        assert_eq!(metric(&gateway, "crumbgate_trace_spans_exported_total"), 0);
        gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_reload_changes_the_collector_and_loses_no_span() {
    in_time(async {
        let app = App::replying(|_| ok(&[], "")).await;
        let (one, other) = (collector().await, collector().await);
        let site = Site::of(&tracing_to(&one, &app, "1").sections(JSON));
        let mut program = site.start();
        let browser = program.browser(Http::One).await;
        browser.get("/").await;
        let text = std::fs::read_to_string(site.path("config.toml")).unwrap();
        let [before, after] = [&one, &other].map(|app| app.address().to_string());
        std::fs::write(site.path("config.toml"), text.replace(&before, &after)).unwrap();
        program.signal(Signal::HUP);
        program.logged("reloaded").await;
        browser.get("/").await;
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
        assert_eq!([spans(&one).len(), spans(&other).len()], [2, 2]);
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_is_down_causes_one_line_a_minute() {
    in_time(async {
        const LINE: &str = "trace spans can't be exported; they are dropped";
        let app = App::replying(|_| ok(&[], "")).await;
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("endpoint = \"http://{}\"", nobody.local_addr().unwrap());
        drop(nobody);
        let traces = format!("[traces]\n{endpoint}\nsample = 1\n{JSON}");
        let site = Site::of(&Setup::before(&app).sections(&traces));
        let mut program = site.start();
        let browser = program.browser(Http::One).await;
        browser.get("/").await;
        let line = program.logged(LINE).await;
        assert_eq!((&line["level"], &line["lost"]), (&"WARN".into(), &2.into()));
        assert_eq!(line["reason"], "the collector can't be reached");
        browser.get("/").await;
        program.signal(Signal::TERM);
        let finished = program.exit().await;
        let lines = json_lines(&finished.stderr);
        assert_eq!(lines.iter().filter(|line| line["message"] == LINE).count(), 1);
    })
    .await;
}

const JSON: &str = "[log]\nformat = \"json\"";
