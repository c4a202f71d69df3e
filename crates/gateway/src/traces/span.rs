//! The recorded facts of a sampled exchange. There is no place for a path, a query, a cookie or a client's address (A3).

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderValue, Method, Version};

use super::{
    context::{self, TRACEPARENT, TRACESTATE},
    ids::{IdGenerator, SpanId, TraceId},
};
use crumbgate_audit::route_template;
use crumbgate_config::ServerAddress;

/// The parts of a request that its span records.
#[derive(Clone, Copy, Debug)]
pub struct TracedRequest<'r> {
    /// The header, of which `traceparent` and `tracestate` are used.
    pub fields: &'r HeaderMap,
    pub method: &'r Method,
    /// The path, which is recorded as a route template.
    pub path: &'r str,
    /// The version of HTTP.
    pub version: Version,
    /// The request's id.
    pub id: &'r str,
}

/// A sampled exchange: the gateway's own span, and that of the call to the application.
#[derive(Debug)]
pub struct TracedExchange {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    /// The caller's span; `None` if the trace begins here.
    pub(super) parent: Option<SpanId>,
    came_unix_ns: u64,
    came: Instant,
    pub(super) ended_unix_ns: u64,
    /// `None` for a non-standard method.
    pub(super) method: Option<&'static str>,
    pub(super) version: &'static str,
    pub(super) route: String,
    pub(super) request_id: String,
    pub(super) tenant: Option<Arc<str>>,
    /// `None` if the client closed the connection before there was a response.
    pub(super) status: Option<u16>,
    /// True if the response was sent completely.
    pub(super) is_whole: bool,
    /// The reason that the gateway answered itself.
    pub(super) rejection: Option<&'static str>,
    pub(super) call: Option<Call>,
}

/// The call to the application.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) span: SpanId,
    pub(super) upstream: String,
    pub(super) began_unix_ns: u64,
    /// Time at which the response's head came, or the call failed.
    pub(super) ended_unix_ns: Option<u64>,
    pub(super) called: Option<CallOutcome>,
}

/// The outcome of a call to the application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum CallOutcome {
    /// A server answered.
    Answered { server: ServerAddress, status: u16 },
    /// No server answered.
    Failed {
        /// The reason, as a word of a closed set.
        reason: &'static str,
    },
}

impl TracedExchange {
    pub(super) fn new(
        trace: TraceId,
        parent: Option<SpanId>,
        request: TracedRequest<'_>,
        came_unix_ns: u64,
        came: Instant,
        ids: &IdGenerator,
    ) -> Self {
        Self {
            trace,
            span: ids.span(),
            parent,
            came_unix_ns,
            came,
            ended_unix_ns: came_unix_ns,
            method: known(request.method),
            version: version(request.version),
            route: route_template(request.path),
            request_id: request.id.to_owned(),
            tenant: None,
            status: None,
            is_whole: false,
            rejection: None,
            call: None,
        }
    }

    /// Records the tenant.
    pub fn set_tenant(&mut self, tenant: &Arc<str>) {
        self.tenant = Some(Arc::clone(tenant));
    }

    /// Records the status of the response.
    pub fn set_status(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Records that the application is called, and sets `traceparent` in the request's `fields`. Removes `tracestate` if the
    /// trace begins here.
    pub fn call(&mut self, upstream: &str, fields: &mut HeaderMap, ids: &IdGenerator) {
        let span = ids.span();
        let traceparent = HeaderValue::try_from(context::write(self.trace, span));
        fields.insert(TRACEPARENT, traceparent.expect("digits and hyphens are a field's value"));
        if self.parent.is_none() {
            fields.remove(TRACESTATE);
        }
        let (upstream, began_unix_ns) = (upstream.to_owned(), self.now());
        self.call = Some(Call { span, upstream, began_unix_ns, ended_unix_ns: None, called: None });
    }

    /// Records the server's answer.
    pub fn set_answered(&mut self, server: &ServerAddress, status: u16) {
        self.end_call(CallOutcome::Answered { server: server.clone(), status });
    }

    /// Records the reason that the gateway answers itself, and ends an unanswered call.
    pub fn set_rejected(&mut self, reason: &'static str) {
        self.rejection = Some(reason);
        if self.call.as_ref().is_some_and(|call| call.called.is_none()) {
            self.end_call(CallOutcome::Failed { reason });
        }
    }

    fn end_call(&mut self, called: CallOutcome) {
        let now = self.now();
        if let Some(call) = &mut self.call {
            call.ended_unix_ns = Some(now);
            call.called = Some(called);
        }
    }

    /// Records the end; `is_whole` is true if the response was sent completely.
    pub fn finish(&mut self, is_whole: bool) {
        self.ended_unix_ns = self.now();
        self.is_whole = is_whole;
    }

    pub(super) fn spans(&self) -> u64 {
        1 + u64::from(self.call.is_some())
    }

    /// Time at which the request came.
    pub(super) fn came_unix_ns(&self) -> u64 {
        self.came_unix_ns
    }

    /// The current time, measured from the arrival of the request, so that spans never end before they begin even if the
    /// clock is changed.
    fn now(&self) -> u64 {
        let since = u64::try_from(self.came.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.came_unix_ns.saturating_add(since)
    }
}

/// The name of a standard method. A non-standard name is any text that the client chose, so it is not recorded.
fn known(method: &Method) -> Option<&'static str> {
    METHODS.into_iter().find(|name| *name == method.as_str())
}

/// RFC 9110 (section 9.3) and RFC 5789.
const METHODS: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
