//! One exchange, as a straight line: admit → judge request → forward → judge response → record → answer.

use std::{convert::Infallible, rc::Rc, sync::Arc, time::Instant};

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tracing::debug;

use super::{
    access::{Line, Record},
    admission::{self, Admitted},
    agreement,
    body::Body,
    connection::{Kind, LargeHead},
    downstream::{Downstream, Exchange},
    guard,
    headers::keep_cookies_private,
    large_request::{self, NoRoom},
    rejection::{Rejection, Representation},
    request_id::RequestId,
    tenant_cache::ServedTenant,
    upgrade::Handshake,
};
use crate::{
    metrics::WorkerMetrics,
    traces::{self, Tracing},
};

impl Exchange<'_> {
    /// Carries one request to the application, and its answer back.
    #[expect(
        clippy::manual_async_fn,
        reason = "the future of an `async fn` has room for its arguments twice"
    )]
    fn try_exchange(
        &mut self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Rejection>> {
        async move {
            let mut admitted = self.admit(&mut request)?;
            let judged = admitted.judge(self, &mut request)?;
            if let Some(beacon) = guard::beacon(self, &judged) {
                return Ok(beacon.answer(self, &judged, request).await);
            }
            if let Some(answer) = agreement::answer(self, &judged, &request)? {
                return Ok(answer.conclude(self, &judged, request).await);
            }
            let answer = judged.forward(self, request).await?;
            Ok(judged.judge_response(self, answer)?.respond(self))
        }
    }

    /// Admits the request, and begins the WebSocket handshake that it asks for.
    fn admit(
        &mut self,
        request: &mut Request<Incoming>,
    ) -> Result<Admitted<ServedTenant>, Rejection> {
        let Downstream { permit, activity, server_name, .. } = self.downstream;
        let has_room = self.large_head.is_ok();
        if permit.refused || !has_room || activity.resets_exceed(self.config.limits().h2_resets) {
            return Err(Rejection::Overloaded);
        }
        let find = |host: &str| self.config.find_tenant(host);
        let admitted = admission::admit(request, server_name.as_deref(), find)?;
        self.handshake = admitted.websocket.map(|websocket| Handshake::begin(websocket, request));
        if let Some(record) = &mut self.record {
            record.set_tenant(&admitted.tenant.recorder.tenant().name);
        }
        Ok(admitted)
    }

    /// Returns true if the peer is a trusted proxy.
    pub(super) fn trusts_peer(&self) -> bool {
        self.config.trusts(self.downstream.origin.peer())
    }

    /// Starts the task of a tunnel. A drain waits for it.
    pub(super) fn spawn_tunnel(&mut self, handshake: Handshake, upstream: OnUpgrade) {
        let worker = self.worker();
        let permit = Rc::clone(&self.downstream.permit);
        let registered = (!handshake.is_connect()).then(|| worker.connections.register());
        let open = OpenTunnel::new(&worker.metrics);
        if let Some(registered) = &registered {
            registered.becomes(Kind::Tunnel);
        }
        let record = self.record.take();
        tokio::task::spawn_local(async move {
            handshake.tunnel(upstream, registered, record).await;
            drop((open, permit));
        });
    }
}

impl Downstream {
    /// Receives one request, and answers it.
    pub(crate) fn receive(
        self: Rc<Self>,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> {
        // At once, so that a head that finds no room is freed before the next one is decoded.
        let large_head = large_request::receive(&self.worker.connections.large_heads, &mut request);
        self.exchange(request, large_head)
    }

    /// Answers one request: with the application's answer, or with that of the gateway if the request is rejected.
    async fn exchange(
        self: Rc<Self>,
        request: Request<Incoming>,
        large_head: Result<Option<LargeHead>, NoRoom>,
    ) -> Result<Response<Body>, Infallible> {
        let received = Instant::now();
        let worker = &*self.worker;
        let id = worker.request_ids.of(request.headers());
        let accept = request.headers().get(header::ACCEPT).cloned();
        let http1 = request.version() <= Version::HTTP_11;
        let is_head = *request.method() == Method::HEAD;
        let config = worker.config();
        let mut exchange = Exchange {
            downstream: &self,
            config: &config,
            id: &id,
            received: worker.clock.at(received),
            record: Some(self.record(
                &config.snapshot.tracing,
                config.snapshot.access_log,
                &request,
                &id,
                received,
            )),
            large_head,
            handshake: None,
        };
        let answer = exchange.try_exchange(request).await;
        let mut response = answer.unwrap_or_else(|rejection| {
            worker.metrics.count_rejection(rejection.reason());
            if let Some(followed) = exchange.followed() {
                followed.set_rejected(rejection.reason().word());
            }
            debug!(request_id = id.as_str(), %rejection, "the gateway rejected a request");
            let fields = accept.map(|accept| (header::ACCEPT, accept)).into_iter().collect();
            let page = rejection.into_response(Representation::asked_by(&fields), &id, http1);
            if is_head { page.map(|_| Body::none()) } else { page }
        });
        keep_cookies_private(response.headers_mut());
        if let Some(hsts) = &config.snapshot.hsts {
            let field = response.headers_mut().entry(header::STRICT_TRANSPORT_SECURITY);
            field.or_insert_with(|| hsts.clone());
        }
        let response = last_of_its_connection(response, http1 && worker.connections.is_draining());
        worker.metrics.count_answer(response.status().as_u16(), received.elapsed());
        let Some(mut record) = exchange.record.take() else { return Ok(response) };
        record.set_status(response.status());
        Ok(response.map(|body| body.recorded_by(record)))
    }

    /// Opens the record of an exchange, with an access line and a trace if they are wanted.
    fn record(
        &self,
        tracing: &Option<Tracing>,
        access_log: bool,
        request: &Request<Incoming>,
        id: &RequestId,
        received: Instant,
    ) -> Record {
        let (method, path) = (request.method(), request.uri().path());
        let line = access_log.then(|| Line::begin(method, path, id));
        let open = self.activity.begin_exchange(!request.body().is_end_stream());
        let mut record = Record::new(open, line);
        let Some(tracing) = tracing else { return record };
        let (fields, version, id) = (request.headers(), request.version(), id.as_str());
        let began = traces::TracedRequest { fields, method, path, version, id };
        let worker = &self.worker;
        if let Some(followed) = tracing.begin(began, &worker.clock, received, &worker.trace_ids) {
            record.follow(followed, tracing);
        }
        record
    }
}

/// Adds `Connection: close` to the last answer of a connection (RFC 9112, section 9.6).
pub(super) fn last_of_its_connection(
    mut response: Response<Body>,
    is_last: bool,
) -> Response<Body> {
    if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Counts a tunnel as open until it is dropped.
struct OpenTunnel(Arc<WorkerMetrics>);

impl OpenTunnel {
    fn new(metrics: &Arc<WorkerMetrics>) -> Self {
        metrics.open_tunnel();
        Self(Arc::clone(metrics))
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.close_tunnel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Every HTTP/1.1 connection holds the memory of one exchange, even while idle; so does every HTTP/2 stream.
    #[test]
    fn an_exchange_is_small() {
        let bytes = future_bytes(Downstream::exchange);
        assert!(bytes <= 4352, "an exchange has {bytes} bytes");
    }
}
