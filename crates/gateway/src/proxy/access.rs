//! What is noted of each exchange when it ends; with `log.access`, one line.
//!
//! A line holds no cookie, no address, no user agent, no query and no raw path (A3): whose request it was can't be
//! read from it.

use std::{sync::Arc, time::Instant};

use http::{Method, StatusCode};
use tracing::info;

use super::{connection::OpenExchange, request_id::RequestId};
use crate::traces::{TracedExchange, Tracing};
use crumbgate_audit::route_template;

/// An exchange's record: open until the last byte of the answer is handed over, or the downstream is gone.
pub(crate) struct Record {
    exchange: OpenExchange,
    /// Most exchanges have none, and each has to have room for one: so it is small.
    notes: Option<Box<Notes>>,
}

/// What somebody wants to hear of an exchange when it ends.
#[derive(Default)]
struct Notes {
    line: Option<Line>,
    trace: Option<Trace>,
}

/// An exchange that is followed, and where it goes when it ends.
struct Trace {
    followed: TracedExchange,
    tracing: Tracing,
}

/// What an access line says.
pub(crate) struct Line {
    pub(crate) started: Instant,
    pub(crate) method: Method,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) route: String,
    pub(crate) status: StatusCode,
    pub(crate) bytes: u64,
    pub(crate) id: RequestId,
}

impl Line {
    /// The line of a request that has just come.
    pub(crate) fn begin(method: &Method, path: &str, id: &RequestId) -> Self {
        Self {
            started: Instant::now(),
            method: method.clone(),
            tenant: None,
            route: route_template(path),
            status: StatusCode::OK,
            bytes: 0,
            id: id.clone(),
        }
    }
}

impl Record {
    /// Opens the record of an exchange; `line` where access lines are wanted.
    pub(crate) fn new(exchange: OpenExchange, line: Option<Line>) -> Self {
        let notes = line.map(|line| Box::new(Notes { line: Some(line), trace: None }));
        Self { exchange, notes }
    }

    /// Notes that the exchange is followed, and where its spans go.
    pub(crate) fn follow(&mut self, followed: TracedExchange, tracing: &Tracing) {
        let notes = self.notes.get_or_insert_default();
        notes.trace = Some(Trace { followed, tracing: tracing.clone() });
    }

    /// The exchange as a trace has it, where it is followed.
    pub(crate) fn followed(&mut self) -> Option<&mut TracedExchange> {
        self.notes.as_mut()?.trace.as_mut().map(|trace| &mut trace.followed)
    }

    fn line(&mut self) -> Option<&mut Line> {
        self.notes.as_mut()?.line.as_mut()
    }

    /// Notes whose request it is.
    pub(crate) fn set_tenant(&mut self, tenant: &Arc<str>) {
        if let Some(line) = self.line() {
            line.tenant = Some(Arc::clone(tenant));
        }
        if let Some(followed) = self.followed() {
            followed.set_tenant(tenant);
        }
    }

    /// Notes what was answered.
    pub(crate) fn set_status(&mut self, status: StatusCode) {
        if let Some(line) = self.line() {
            line.status = status;
        }
        if let Some(followed) = self.followed() {
            followed.set_status(status.as_u16());
        }
    }

    /// Counts bytes of the answer's body.
    pub(crate) fn add_bytes(&mut self, bytes: usize) {
        if let Some(line) = self.line() {
            line.bytes += bytes as u64;
        }
    }

    /// Says that the answer was handed over whole.
    pub(crate) fn finish(&mut self) {
        self.exchange.finish();
    }

    /// Says that the application broke its answer off.
    pub(crate) fn break_off(&mut self) {
        self.exchange.break_off();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(notes) = self.notes.take() else { return };
        let Notes { line, trace } = *notes;
        if let Some(mut trace) = trace {
            trace.followed.finish(self.exchange.is_whole());
            trace.tracing.end(trace.followed);
        }
        let Some(line) = line else { return };
        info!(
            target: "crumbgate::access",
            request_id = line.id.as_str(),
            method = known(&line.method),
            tenant = line.tenant.as_deref().unwrap_or("-"),
            route = line.route,
            status = line.status.as_u16(),
            bytes = line.bytes,
            duration_us = u64::try_from(line.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            complete = self.exchange.is_whole(),
            "exchange"
        );
    }
}

/// A method's name. One that no standard has is the client's own words, of any length.
fn known(method: &Method) -> &str {
    let name = method.as_str();
    if METHODS.contains(&name) { name } else { "other" }
}

/// RFC 9110 (section 9.3) and RFC 5789.
const METHODS: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
