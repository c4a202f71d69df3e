//! The record of each exchange, which is complete when the exchange ends; with `log.access`, one log line.
//!
//! A line has no cookie, no address, no user agent, no query and no raw path (A3), so that it identifies nobody.

use std::{sync::Arc, time::Instant};

use http::{Method, StatusCode};
use tracing::info;

use super::{connection::OpenExchange, request_id::RequestId};
use crate::traces::{TracedExchange, Tracing};
use crumbgate_audit::route_template;

/// The record of an exchange: open until the last byte of the answer is handed over, or the downstream is gone.
pub(crate) struct Record {
    exchange: OpenExchange,
    /// Boxed, because every exchange has room for it and most have none.
    notes: Option<Box<Notes>>,
}

/// The outputs of a finished exchange.
#[derive(Default)]
struct Notes {
    line: Option<Line>,
    trace: Option<Trace>,
}

/// A traced exchange, and the exporter of its spans.
struct Trace {
    followed: TracedExchange,
    tracing: Tracing,
}

/// The fields of an access line.
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
    /// Begins the line of a request that was just received.
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
    /// Opens the record of an exchange; `line` if access lines are wanted.
    pub(crate) fn new(exchange: OpenExchange, line: Option<Line>) -> Self {
        let notes = line.map(|line| Box::new(Notes { line: Some(line), trace: None }));
        Self { exchange, notes }
    }

    /// Adds a trace.
    pub(crate) fn follow(&mut self, followed: TracedExchange, tracing: &Tracing) {
        let notes = self.notes.get_or_insert_default();
        notes.trace = Some(Trace { followed, tracing: tracing.clone() });
    }

    /// Returns the trace of the exchange, if it is traced.
    pub(crate) fn followed(&mut self) -> Option<&mut TracedExchange> {
        self.notes.as_mut()?.trace.as_mut().map(|trace| &mut trace.followed)
    }

    fn line(&mut self) -> Option<&mut Line> {
        self.notes.as_mut()?.line.as_mut()
    }

    /// Sets the tenant.
    pub(crate) fn set_tenant(&mut self, tenant: &Arc<str>) {
        if let Some(line) = self.line() {
            line.tenant = Some(Arc::clone(tenant));
        }
        if let Some(followed) = self.followed() {
            followed.set_tenant(tenant);
        }
    }

    /// Sets the status of the answer.
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

    /// Marks the answer as complete.
    pub(crate) fn finish(&mut self) {
        self.exchange.finish();
    }

    /// Marks the answer as aborted by the application.
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

/// Returns the name of a standard method. Any other is text of the client, of any length, and becomes `other`.
fn known(method: &Method) -> &str {
    let name = method.as_str();
    if METHODS.contains(&name) { name } else { "other" }
}

/// RFC 9110 (section 9.3) and RFC 5789.
const METHODS: [&str; 9] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
