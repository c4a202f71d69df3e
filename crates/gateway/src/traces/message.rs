//! Spans as protobuf messages: the parts of `opentelemetry/proto/trace/v1` and of the collector service that an exchange
//! needs. Field numbers and types are those of OpenTelemetry's `.proto` files; a test decodes the messages with generated
//! code.

use super::span::{Call, CallOutcome, TracedExchange};
use crumbgate_config::ServerAddress;

/// `ExportTraceServiceRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

/// `ExportTraceServiceResponse`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(enumeration = "Kind", tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

/// `Span.SpanKind`
#[derive(Clone, Copy, Debug, Eq, PartialEq, prost::Enumeration)]
#[repr(i32)]
enum Kind {
    Unspecified = 0,
    Server = 2,
    Client = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(enumeration = "StatusCode", tag = "3")]
    code: i32,
}

/// `Status.StatusCode`
#[derive(Clone, Copy, Debug, Eq, PartialEq, prost::Enumeration)]
#[repr(i32)]
enum StatusCode {
    Unset = 0,
    Error = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
}

impl ExportRequest {
    /// The spans of these exchanges.
    pub(super) fn of(exchanges: &[TracedExchange]) -> Self {
        let resource = Resource {
            attributes: vec![
                text("service.name", "crumbgate"),
                text("service.version", env!("CARGO_PKG_VERSION")),
            ],
        };
        let scope =
            Scope { name: "crumbgate".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let spans = exchanges.iter().flat_map(spans).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
        Self { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans }] }
    }
}

impl ExportResponse {
    /// Number of spans that the collector rejected.
    pub(super) fn rejected(&self) -> u64 {
        let rejected = self.partial_success.as_ref().map_or(0, |partial| partial.rejected_spans);
        u64::try_from(rejected).unwrap_or(0)
    }
}

/// The server span of an exchange, and the client span of its call if there is one.
fn spans(exchange: &TracedExchange) -> impl Iterator<Item = Span> {
    let call = exchange.call.as_ref().map(|call| client_span(exchange, call));
    [server_span(exchange)].into_iter().chain(call)
}

/// Follows OpenTelemetry's semantic conventions for HTTP servers.
fn server_span(exchange: &TracedExchange) -> Span {
    let mut attributes = vec![
        text("http.request.method", exchange.method.unwrap_or(OTHER_METHOD)),
        text("http.route", &exchange.route),
        text("url.scheme", "https"),
        text("network.protocol.name", "http"),
        text("network.protocol.version", exchange.version),
        text("crumbgate.request_id", &exchange.request_id),
        attribute("crumbgate.complete", Value::Bool(exchange.is_whole)),
    ];
    attributes.extend(exchange.tenant.as_deref().map(|tenant| text("crumbgate.tenant", tenant)));
    if let Some(status) = exchange.status {
        attributes.push(number("http.response.status_code", status.into()));
    }
    attributes.extend(exchange.rejection.map(|reason| text("crumbgate.rejection", reason)));
    let error = match exchange.status {
        Some(status @ 500..) => {
            Some(exchange.rejection.map_or_else(|| status.to_string(), str::to_owned))
        }
        Some(_) => None,
        None => Some("given_up".to_owned()),
    };
    attributes.extend(error.as_deref().map(|error| text("error.type", error)));
    Span {
        trace_id: exchange.trace.0.to_vec(),
        span_id: exchange.span.0.to_vec(),
        parent_span_id: exchange.parent.map_or(Vec::new(), |parent| parent.0.to_vec()),
        name: format!("{} {}", exchange.method.unwrap_or("HTTP"), exchange.route),
        kind: Kind::Server.into(),
        start_time_unix_nano: exchange.came_unix_ns(),
        end_time_unix_nano: exchange.ended_unix_ns,
        attributes,
        status: Some(status(error.is_some())),
        flags: match exchange.parent {
            Some(_) => SAMPLED | PARENT_IS_KNOWN | PARENT_IS_REMOTE,
            None => SAMPLED | PARENT_IS_KNOWN,
        },
    }
}

/// Follows OpenTelemetry's semantic conventions for HTTP clients.
fn client_span(exchange: &TracedExchange, call: &Call) -> Span {
    let mut attributes = vec![
        text("http.request.method", exchange.method.unwrap_or(OTHER_METHOD)),
        text("network.protocol.version", "1.1"),
        text("crumbgate.upstream", &call.upstream),
    ];
    let error = match &call.called {
        Some(CallOutcome::Answered { server, status }) => {
            attributes.extend(address(server));
            attributes.push(number("http.response.status_code", (*status).into()));
            (*status >= 400).then(|| status.to_string())
        }
        Some(CallOutcome::Failed { reason }) => Some((*reason).to_owned()),
        None => Some("given_up".to_owned()),
    };
    attributes.extend(error.as_deref().map(|error| text("error.type", error)));
    Span {
        trace_id: exchange.trace.0.to_vec(),
        span_id: call.span.0.to_vec(),
        parent_span_id: exchange.span.0.to_vec(),
        name: exchange.method.unwrap_or("HTTP").to_owned(),
        kind: Kind::Client.into(),
        start_time_unix_nano: call.began_unix_ns,
        end_time_unix_nano: call.ended_unix_ns.unwrap_or(exchange.ended_unix_ns),
        attributes,
        status: Some(status(error.is_some())),
        flags: SAMPLED | PARENT_IS_KNOWN,
    }
}

/// The word for non-standard methods.
const OTHER_METHOD: &str = "_OTHER";

/// `SpanFlags`: the flags of `traceparent`, and whether the parent span is in another process.
const SAMPLED: u32 = 0x001;
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

fn status(is_error: bool) -> Status {
    let code = if is_error { StatusCode::Error } else { StatusCode::Unset };
    Status { code: code.into() }
}

fn address(server: &ServerAddress) -> Vec<KeyValue> {
    match server {
        ServerAddress::Plain { host, port } | ServerAddress::Tls { host, port } => {
            vec![text("server.address", host), number("server.port", (*port).into())]
        }
        ServerAddress::Unix(path) => vec![text("server.address", &path.to_string_lossy())],
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::Text(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::Int(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}
