//! What is noted of an exchange that is followed. There is no room for a path, a query, a cookie or a client's address
//! (A3).

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderValue, Method, Version};

use super::{
    Request, TRACEPARENT, TRACESTATE, context,
    ids::{Ids, SpanId, TraceId},
};
use crumbgate_audit::route_template;
use crumbgate_config::ServerAddress;

/// An exchange that is followed: the gateway's own span, and that of the call to the application.
#[derive(Debug)]
pub struct Followed {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    /// The caller's span; none where the trace begins here.
    pub(super) parent: Option<SpanId>,
    came_unix_ns: u64,
    came: Instant,
    pub(super) ended_unix_ns: u64,
    /// None where no standard has it.
    pub(super) method: Option<&'static str>,
    pub(super) version: &'static str,
    pub(super) route: String,
    pub(super) request_id: String,
    pub(super) tenant: Option<Arc<str>>,
    /// None where the client went away before there was one.
    pub(super) status: Option<u16>,
    /// Whether the answer was handed over whole.
    pub(super) is_whole: bool,
    /// Why the gateway has answered in the application's place.
    pub(super) rejection: Option<&'static str>,
    pub(super) call: Option<Call>,
}

/// The call to the application.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) span: SpanId,
    pub(super) upstream: String,
    pub(super) began_unix_ns: u64,
    /// When the answer's head came, or the call failed.
    pub(super) ended_unix_ns: Option<u64>,
    pub(super) called: Option<Called>,
}

/// What became of a call to the application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Called {
    /// A server has answered.
    Answered {
        /// Which one.
        server: ServerAddress,
        /// With what.
        status: u16,
    },
    /// None has.
    Failed {
        /// Why, as a word of a closed set.
        reason: &'static str,
    },
}

impl Followed {
    pub(super) fn new(
        trace: TraceId,
        parent: Option<SpanId>,
        request: Request<'_>,
        came_unix_ns: u64,
        came: Instant,
        ids: &Ids,
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

    /// Notes whose request it is.
    pub fn set_tenant(&mut self, tenant: &Arc<str>) {
        self.tenant = Some(Arc::clone(tenant));
    }

    /// Notes what was answered.
    pub fn set_status(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Notes that the application is called, and tells it in the request's `fields`. `tracestate` goes on only where
    /// the trace does.
    pub fn call(&mut self, upstream: &str, fields: &mut HeaderMap, ids: &Ids) {
        let span = ids.span();
        let traceparent = HeaderValue::try_from(context::write(self.trace, span));
        fields.insert(TRACEPARENT, traceparent.expect("digits and hyphens are a field's value"));
        if self.parent.is_none() {
            fields.remove(TRACESTATE);
        }
        let (upstream, began_unix_ns) = (upstream.to_owned(), self.now());
        self.call = Some(Call { span, upstream, began_unix_ns, ended_unix_ns: None, called: None });
    }

    /// Notes that this server has answered the call.
    pub fn set_answered(&mut self, server: &ServerAddress, status: u16) {
        self.end_call(Called::Answered { server: server.clone(), status });
    }

    /// Notes that the gateway answers in the application's place, and why; that ends a call that is not answered.
    pub fn set_rejected(&mut self, reason: &'static str) {
        self.rejection = Some(reason);
        if self.call.as_ref().is_some_and(|call| call.called.is_none()) {
            self.end_call(Called::Failed { reason });
        }
    }

    fn end_call(&mut self, called: Called) {
        let now = self.now();
        if let Some(call) = &mut self.call {
            call.ended_unix_ns = Some(now);
            call.called = Some(called);
        }
    }

    /// Notes that it has ended, and whether the answer was handed over whole.
    pub fn finish(&mut self, is_whole: bool) {
        self.ended_unix_ns = self.now();
        self.is_whole = is_whole;
    }

    /// How many spans it is.
    pub(super) fn spans(&self) -> u64 {
        1 + u64::from(self.call.is_some())
    }

    /// When the request came.
    pub(super) fn came_unix_ns(&self) -> u64 {
        self.came_unix_ns
    }

    /// The time, measured from when the request came: spans never end before they began, whatever the calendar does.
    fn now(&self) -> u64 {
        let since = u64::try_from(self.came.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.came_unix_ns.saturating_add(since)
    }
}

/// A method's name. One that no standard has is the client's own words, of any length.
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
