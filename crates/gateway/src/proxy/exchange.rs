//! One request's journey, as a straight line: admit → judge request → forward → judge response → record → answer.

use std::{convert::Infallible, rc::Rc, sync::Arc, time::Instant};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version, header, uri::PathAndQuery,
};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use smallvec::SmallVec;
use tracing::{debug, warn};

use super::{
    access::{Line, Record},
    admission,
    agreement::{
        action::AgreementAction,
        answer::Desk,
        banner::{notify, notify_head},
        logout, page,
    },
    body::Body,
    connection::{Activity, Kind},
    dates::http_date,
    forward::{self, Forwarded, Origin},
    head::Marks,
    headers::{field_bytes, replace_cookie, replace_set_cookie, sensitive},
    recorder::Recorder,
    rejection::{Rejection, Representation},
    request_body::RequestBody,
    request_id::{REQUEST_ID, RequestId},
    upgrade::{self, Asked},
    upstream::Answer,
    worker::{Permit, Worker},
    worker_config::WorkerConfig,
};
use crate::{
    metrics::WorkerMetrics,
    traces::{self, Tracing},
};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::language::Language;
use crumbgate_config::Limits;
use crumbgate_pages::banner;
use crumbgate_policy::{
    self as policy, AgreementMode, JudgedRequest, Mode, RequestFacts, Resources, ResponseFacts,
    sealing::SealFacts,
};

/// A connection's downstream: who it is, and what its exchanges draw on.
pub(crate) struct Downstream {
    pub(crate) worker: Rc<Worker>,
    pub(crate) origin: Origin,
    /// The server name of the TLS handshake, in lower case.
    pub(crate) server_name: Option<Box<str>>,
    pub(crate) activity: Arc<Activity>,
    /// Held as long as the connection or a tunnel of it lives.
    pub(crate) permit: Rc<Permit>,
}

impl Downstream {
    /// Answers one request: with what the application says, or with why it was not asked.
    pub(crate) async fn exchange(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let came = Instant::now();
        let worker = &self.worker;
        let id = worker.request_ids.of(request.headers());
        let accept = request.headers().get(header::ACCEPT).cloned();
        let http1 = request.version() <= Version::HTTP_11;
        let has_body = !request.body().is_end_stream();
        let bodiless = *request.method() == Method::HEAD;
        let view = worker.view();
        let line = view
            .snapshot
            .access_log
            .then(|| Line::begin(request.method(), request.uri().path(), &id));
        let mut record = Some(Record::new(self.activity.begin_exchange(has_body), line));
        if let (Some(tracing), Some(record)) = (&view.snapshot.tracing, &mut record) {
            self.follow(tracing, &request, &id, came, record);
        }
        let answer = self.try_exchange(request, &view, &id, came, &mut record).await;
        let response = answer.unwrap_or_else(|rejection| {
            worker.metrics.count_rejection(rejection.reason());
            if let Some(followed) = record.as_mut().and_then(Record::followed) {
                followed.set_rejected(rejection.reason().word());
            }
            debug!(request_id = id.as_str(), %rejection, "answered in the application's place");
            let fields = accept.map(|accept| (header::ACCEPT, accept)).into_iter().collect();
            let page = rejection.into_response(Representation::asked_by(&fields), &id, http1);
            if bodiless { page.map(|_| Body::none()) } else { page }
        });
        let response = last_of_its_connection(response, http1 && worker.connections.is_draining());
        worker.metrics.count_answer(response.status().as_u16(), came.elapsed());
        let Some(mut record) = record else { return Ok(response) };
        record.set_status(response.status());
        Ok(response.map(|body| body.recorded_by(record)))
    }

    /// Follows an exchange across services, if its caller or chance says so.
    fn follow(
        &self,
        tracing: &Tracing,
        request: &Request<Incoming>,
        id: &RequestId,
        came: Instant,
        record: &mut Record,
    ) {
        let began = traces::Request {
            fields: request.headers(),
            method: request.method(),
            path: request.uri().path(),
            version: request.version(),
            id: id.as_str(),
        };
        let worker = &self.worker;
        if let Some(followed) = tracing.begin(began, &worker.clock, came, &worker.trace_ids) {
            record.follow(followed, tracing);
        }
    }

    async fn try_exchange(
        &self,
        mut request: Request<Incoming>,
        view: &WorkerConfig,
        id: &RequestId,
        came: Instant,
        record: &mut Option<Record>,
    ) -> Result<Response<Body>, Rejection> {
        let worker = &*self.worker;
        if self.permit.refused || self.activity.resets_exceed(view.limits().h2_resets) {
            return Err(Rejection::Overloaded);
        }
        let marks = Marks::of(request.headers());
        let asked = Asked::by(&mut request, marks)?;
        admission::check_method(request.method())?;
        if !forward::is_clearly_framed(request.headers(), marks) {
            return Err(Rejection::Framing);
        }
        let authority = admission::authority(&request)?;
        let host = admission::host(&authority)?;
        let entry = admission::admit(&view.tenants, &host, self.server_name.as_deref())?;
        if let Some(record) = record {
            record.set_tenant(&entry.tenant.name);
        }
        let came = worker.clock.at(came);
        let came_unix_s = came.unix_s;
        let page = view.snapshot.page.path.as_ref();
        let place = page::place(page, &entry.tenant, request.uri().path());
        if let (Some(place), Some(path)) = (place, page) {
            let pages = view.pages(&entry.tenant);
            if let Some((response, shown)) = page::read(place, &request, path, &pages) {
                if let Some(page) = shown
                    && entry.tenant.policy.agreement != AgreementMode::Off
                {
                    let recorder = Recorder::aside(entry);
                    recorder.count_agreement(AgreementEvent::Shown, &page, came_unix_s);
                }
                return Ok(own(response, id));
            }
        }
        let recorder = Recorder::begin(entry, request.uri().path(), came_unix_s);

        // What the response is judged by stays here while the request travels on: clones share their bytes.
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let cookies: SmallVec<[HeaderValue; 2]> =
            request.headers().get_all(header::COOKIE).iter().cloned().collect();
        let tenant = recorder.tenant();
        let facts = RequestFacts {
            method: method.as_str(),
            path: uri.path(),
            host: &host,
            accepts_html: policy::accepts_html(field_bytes(request.headers(), &header::ACCEPT)),
            seal: view.snapshot.sealing.as_deref().map(|sealing| SealFacts {
                sealing,
                tenant: &tenant.name,
                now_unix_s: came_unix_s,
            }),
        };
        let (field, judged) = tenant.policy.judge_request(
            facts,
            cookies.iter().map(HeaderValue::as_bytes),
            &mut recorder.record_at(came_unix_s),
        );
        self.check_head(&request, &cookies, view.limits(), &recorder, &judged)?;
        if let Some(path) = page {
            let desk = Desk { path, recorder: &recorder, authority: &authority, came };
            if let Some(deed) = place.and_then(AgreementAction::at) {
                let pages = view.pages(tenant);
                let mut resources = Resources {
                    tenant: &tenant.name,
                    superseded: &worker.superseded,
                    random: &mut super::random::<32>,
                };
                let form = (&uri, request.headers());
                let response = desk.act(deed, form, &pages, &judged, &mut resources)?;
                if let Some(logout) =
                    view.snapshot.logout.as_ref().filter(|_| deed == AgreementAction::Withdraw)
                    && let Some(cookies) = judged.logout_cookie().and_then(sensitive)
                {
                    request.headers_mut().insert(header::COOKIE, cookies);
                    let told = self.end_session(request, logout, view, &recorder, &authority, id);
                    Box::pin(told).await;
                }
                return Ok(own(response, id));
            }
            if let Some(demand) = judged.challenge(asked.is_some()) {
                let is_head = method == Method::HEAD;
                let pages = view.pages(tenant);
                let response = desk.demand(demand, request.headers(), &pages, is_head)?;
                return Ok(own(response, id));
            }
        }
        replace_cookie(request.headers_mut(), field);
        let is_notified = judged.is_notified() && !banner::is_embedded(request.headers());
        // In which language a banner is put into the answer, if one is.
        let language = is_notified.then(|| Language::preferred(request.headers()));
        if is_notified {
            banner::prepare_request(request.headers_mut());
        }

        let upstream = &view.upstreams[usize::from(tenant.upstream)];
        let trusted = view.trusts(self.origin.peer());
        let version = request.version();
        let forwarded = Forwarded { marks, trusted, version, authority: &authority };
        let mut request =
            self.prepare(request, view.limits(), &recorder, &forwarded, id, asked.is_some());
        if let Some(followed) = record.as_mut().and_then(Record::followed) {
            followed.call(upstream.name(), request.headers_mut(), &worker.trace_ids);
        }
        let answer = upstream.send(request, asked.is_some()).await?;
        let Answer { mut response, marks, checkout } = answer;
        if version != Version::HTTP_2 && checkout.has_sent_all() {
            self.activity.note_body_read();
        }
        let answered = Instant::now();
        worker.metrics.count_upstream_answer(checkout.elapsed_at(answered));
        if let Some(followed) = record.as_mut().and_then(Record::followed) {
            followed.set_answered(checkout.address(), response.status().as_u16());
        }
        let now = worker.clock.at(answered);
        let fields = response.headers();
        let date = fields.get(header::DATE);
        let (is_dated, date) = (date.is_some(), date.and_then(|date| worker.dates.read(date)));
        let response_facts = ResponseFacts {
            status: response.status().as_u16(),
            date_unix_s: date.unwrap_or(now.unix_s),
            now_unix_s: now.unix_s,
            uptime_s: now.uptime_s,
            may_be_shared: marks.any(Marks::CACHE_CONTROL)
                && policy::may_be_shared(field_bytes(fields, &header::CACHE_CONTROL)),
        };
        let resources = Resources {
            tenant: &tenant.name,
            superseded: &worker.superseded,
            random: &mut super::random::<32>,
        };
        let has_set_cookies = marks.any(Marks::SET_COOKIE);
        let came = has_set_cookies.then(|| field_bytes(fields, &header::SET_COOKIE));
        let set_cookies = judged.judge_response(
            response_facts,
            came.into_iter().flatten(),
            resources,
            &mut recorder.record_at(now.unix_s),
        );
        // Which version the application speaks is between it and the gateway.
        *response.version_mut() = Version::HTTP_11;
        let tunnel = match (asked, response.status()) {
            (Some(asked), StatusCode::SWITCHING_PROTOCOLS) => {
                asked.check(&response)?;
                Some((asked, hyper::upgrade::on(&mut response)))
            }
            (None, StatusCode::SWITCHING_PROTOCOLS) => return Err(Rejection::Upgrade),
            (Some(asked), status) if asked.is_connect() && status.is_success() => {
                return Err(Rejection::Upgrade);
            }
            (Some(_) | None, _) => None,
        };
        let fields = response.headers_mut();
        forward::remove_hop_by_hop(fields, marks);
        if tenant.policy.mode == Mode::Enforce {
            forward::remove_obsolete_cookies(fields, marks);
        }
        if marks.any(Marks::ALT_SVC) {
            // An address of another protocol would lead past the gateway.
            fields.remove(header::ALT_SVC);
        }
        replace_set_cookie(fields, has_set_cookies, set_cookies);
        if !is_dated {
            fields.insert(header::DATE, http_date(response_facts.date_unix_s));
        }
        fields.insert(REQUEST_ID, id.value());
        let Some((asked, upstream_io)) = tunnel else {
            let timeout = upstream.body_timeout();
            let response =
                response.map(|body| Body::streamed(body, checkout, timeout, recorder.clone()));
            return Ok(match language {
                Some(_) if method == Method::HEAD => notify_head(response),
                Some(language) => notify(worker, view, response, recorder.clone(), language),
                None => response,
            });
        };
        checkout.release();
        let mut response = response.map(|_| Body::none());
        asked.confirm(&mut response);
        self.spawn_tunnel(asked, upstream_io, record.take());
        Ok(response)
    }

    /// Tells the application that a session has ended, as the person's browser would (G7). What it answers is of no matter:
    /// the browser is told to forget the session in any case.
    async fn end_session(
        &self,
        mut request: Request<Incoming>,
        logout: &PathAndQuery,
        view: &WorkerConfig,
        recorder: &Recorder,
        authority: &HeaderValue,
        id: &RequestId,
    ) {
        let tenant = recorder.tenant();
        logout::prepare_logout(&mut request, logout);
        let marks = Marks::of(request.headers());
        let trusted = view.trusts(self.origin.peer());
        let forwarded = Forwarded { marks, trusted, version: request.version(), authority };
        let request = self.prepare(request, view.limits(), recorder, &forwarded, id, false);
        let upstream = &view.upstreams[usize::from(tenant.upstream)];
        match upstream.send(request, false).await {
            Ok(answer) if answer.response.status().as_u16() < 400 => {}
            Ok(answer) => {
                let status = answer.response.status().as_u16();
                warn!(
                    tenant = &*tenant.name,
                    status, "the application did not end a session that was withdrawn"
                );
            }
            Err(error) => {
                warn!(tenant = &*tenant.name, %error, "the application was not told of a withdrawal");
            }
        }
    }

    /// Refuses a head that is too large (R8): now that its cookies are judged, the answer can evict them.
    fn check_head(
        &self,
        request: &Request<Incoming>,
        cookies: &[HeaderValue],
        limits: &Limits,
        recorder: &Recorder,
        judged: &JudgedRequest<'_>,
    ) -> Result<(), Rejection> {
        let evictions = || {
            let now = self.worker.clock.now();
            judged.evictions(now.unix_s, &mut recorder.record_at(now.unix_s))
        };
        let (got, limit) = (admission::head_bytes(request), limits.head_bytes);
        if got > limit {
            return Err(Rejection::HeadTooLarge { got, limit, evictions: evictions() });
        }
        // The crumbs that HTTP/2 makes of one `Cookie` field are one.
        let fields = request.headers().len() - cookies.len().saturating_sub(1);
        let (got, limit) = (fields, limits.head_fields);
        if got > limit {
            return Err(Rejection::TooManyFields { got, limit, evictions: evictions() });
        }
        let got = policy::cookie_bytes(cookies.iter().map(HeaderValue::as_bytes));
        let limit = limits.cookie_bytes;
        if got > limit && recorder.tenant().policy.mode == Mode::Enforce {
            return Err(Rejection::CookieTooLarge { got, limit, evictions: evictions() });
        }
        if let (Some(limit), Some(promised)) =
            (limits.body_bytes, request.body().size_hint().exact())
            && promised > limit
        {
            return Err(Rejection::BodyTooLarge { limit });
        }
        Ok(())
    }

    /// Makes of a judged request what goes upstream: origin-form, one hop's fields left behind, forwarding fields set.
    fn prepare(
        &self,
        request: Request<Incoming>,
        limits: &Limits,
        recorder: &Recorder,
        forwarded: &Forwarded<'_>,
        id: &RequestId,
        websocket: bool,
    ) -> Request<RequestBody> {
        let mode = recorder.tenant().policy.mode;
        let mut request = request
            .map(|body| RequestBody::new(body, limits.body_bytes, limits.body_timeout, recorder));
        let unknown_length = request.body().size_hint().exact().is_none();
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = upgrade::origin_form(request.uri());
        request.extensions_mut().clear();
        let (fields, marks) = (request.headers_mut(), forwarded.marks);
        let trailers = forward::accepts_trailers(fields, marks);
        forward::remove_hop_by_hop(fields, marks);
        if marks.any(Marks::EXPECT) {
            // The gateway itself says 100 Continue when the application takes the first byte.
            fields.remove(header::EXPECT);
        }
        if mode == Mode::Enforce {
            forward::remove_obsolete_cookies(fields, marks);
        }
        if unknown_length {
            // Unless told so, hyper takes for granted that a GET has no body, and leaves it out.
            fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        if trailers {
            fields.insert(header::TE, HeaderValue::from_static("trailers"));
            fields.insert(header::CONNECTION, HeaderValue::from_static("TE"));
        }
        if websocket {
            Asked::ask(fields);
        }
        self.origin.set_forwarding_fields(fields, forwarded);
        if fields.get(header::HOST) != Some(forwarded.authority) {
            fields.insert(header::HOST, forwarded.authority.clone());
        }
        fields.insert(REQUEST_ID, id.value());
        request
    }

    /// Leaves an upgraded exchange to a task of its own, which a drain waits for.
    fn spawn_tunnel(&self, asked: Asked, upstream: OnUpgrade, record: Option<Record>) {
        let permit = Rc::clone(&self.permit);
        let registered = (!asked.is_connect()).then(|| self.worker.connections.register());
        let open = OpenTunnel::new(&self.worker.metrics);
        if let Some(registered) = &registered {
            registered.becomes(Kind::Tunnel);
        }
        tokio::task::spawn_local(async move {
            asked.tunnel(upstream, registered, record).await;
            drop((open, permit));
        });
    }
}

/// An answer of the gateway's own, with the id of its request.
fn own(mut response: Response<Body>, id: &RequestId) -> Response<Body> {
    response.headers_mut().insert(REQUEST_ID, id.value());
    response
}

/// Says, if so, that the connection closes after this answer (RFC 9112, section 9.6).
pub(super) fn last_of_its_connection(
    mut response: Response<Body>,
    is_last: bool,
) -> Response<Body> {
    if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Counts a tunnel as long as it lives, however it ends.
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

    fn future_bytes<A, B, F: Future>(_: impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// Every HTTP/1.1 connection has room for one, also while it is idle; every HTTP/2 stream has one.
    #[test]
    fn an_exchange_is_small() {
        let bytes = future_bytes(Downstream::exchange);
        assert!(bytes <= 4608, "an exchange has {bytes} bytes");
    }
}
