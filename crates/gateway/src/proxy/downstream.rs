//! A connection's downstream, and what the steps of one exchange on it have in common.

use std::{rc::Rc, sync::Arc};

use http::Response;

use super::{
    access::Record,
    body::Body,
    connection::{Activity, LargeHead},
    forwarded::Origin,
    large_request::NoRoom,
    request_id::{REQUEST_ID, RequestId},
    upgrade::Handshake,
    worker::{Permit, Worker},
    worker_config::WorkerConfig,
};
use crate::traces::TracedExchange;
use crumbgate_base::clock::Now;

/// The client side of one connection, with what its exchanges draw on.
pub(crate) struct Downstream {
    pub(crate) worker: Rc<Worker>,
    pub(crate) origin: Origin,
    /// The server name of the TLS handshake, in lower case.
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) activity: Arc<Activity>,
    /// Held as long as the connection or a tunnel of it lives.
    pub(crate) permit: Rc<Permit>,
}

/// One exchange: what its steps read, and what its end takes over.
pub(super) struct Exchange<'e> {
    pub(super) downstream: &'e Downstream,
    /// The configuration at the beginning of the exchange. A reload does not change it.
    pub(super) config: &'e WorkerConfig,
    pub(super) id: &'e RequestId,
    /// The time at which the request was received.
    pub(super) received: Now,
    /// The record of the exchange. A tunnel takes it; otherwise the answer's body does.
    pub(super) record: Option<Record>,
    /// The memory of the request's head until it is forwarded.
    pub(super) large_head: Result<Option<LargeHead>, NoRoom>,
    /// The handshake of a WebSocket that the request asks for. A tunnel takes it.
    pub(super) handshake: Option<Handshake>,
}

impl<'e> Exchange<'e> {
    /// The worker that carries the exchange.
    pub(super) fn worker(&self) -> &'e Worker {
        &self.downstream.worker
    }

    /// The trace of the exchange, if it is traced.
    pub(super) fn followed(&mut self) -> Option<&mut TracedExchange> {
        self.record.as_mut().and_then(Record::followed)
    }

    /// Adds the request's id to an answer of the gateway's own.
    pub(super) fn own(&self, mut response: Response<Body>) -> Response<Body> {
        response.headers_mut().insert(REQUEST_ID, self.id.value());
        response
    }
}
