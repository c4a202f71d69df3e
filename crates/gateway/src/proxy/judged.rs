//! A judged request, and the judged answer to it.

use std::time::Instant;

use http::{Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::{
    body::Incoming,
    upgrade::{self, OnUpgrade},
};

use super::{
    admission::Admitted,
    agreement::banner,
    body::Body,
    dates::http_date,
    document::{Changes, Insertion},
    downstream::Exchange,
    forward,
    forwarded::Forwarded,
    guard::Guard,
    head::HeaderFlags,
    headers::{field_bytes, replace_cookie, replace_set_cookie},
    hop_by_hop::{remove_hop_by_hop, remove_obsolete_cookies},
    random,
    rejection::Rejection,
    request_id::REQUEST_ID,
    tenant_cache::ServedTenant,
    upgrade::check_answer,
    upstream::{self, Answer, Checkout},
};
use crumbgate_audit::tenants::Tenant;
use crumbgate_base::clock::Now;
use crumbgate_base::language::Language;
use crumbgate_pages::document::{is_page, keep_from_shared_caches, may_change};
use crumbgate_policy::{
    GuardMode, JudgedRequest, Mode, Resources, ResponseFacts, SetCookieFields,
    sealing::{AgreementState, SealFacts},
};

/// An admitted request whose cookies are judged. Only it can judge the answer, so that no answer passes whose request was
/// not judged.
pub(super) struct Judged<'j> {
    pub(super) admitted: &'j Admitted<ServedTenant>,
    pub(super) request: JudgedRequest<'j>,
    /// The language of the banner, if the answer may carry one.
    banner: Option<Language>,
    /// The guard, if the answer may be a document that it goes into.
    guard: Option<Guard>,
}

/// The application's answer, judged.
pub(super) struct JudgedAnswer<'a, 'j> {
    judged: &'a Judged<'j>,
    response: Response<Incoming>,
    flags: HeaderFlags,
    checkout: Checkout,
    set_cookies: SetCookieFields,
    /// The date to add, in seconds since the Unix epoch, if the application sent none.
    missing_date_unix_s: Option<u64>,
    /// True if the answer turns the connection into a tunnel.
    is_tunnel: bool,
}

impl Admitted<ServedTenant> {
    /// Judges the cookies of the request, and puts those that pass into it.
    pub(super) fn judge<'j>(
        &'j mut self,
        exchange: &Exchange<'j>,
        request: &mut Request<Incoming>,
    ) -> Result<Judged<'j>, Rejection> {
        let unix_s = exchange.received.unix_s;
        self.tenant.recorder.count_request(self.uri.path(), unix_s);
        self.shorten_cookies(request, unix_s);
        let admitted = &*self;
        let recorder = &admitted.tenant.recorder;
        let Tenant { name, policy, .. } = &**recorder.tenant();
        let sealing = exchange.config.snapshot.sealing.as_deref();
        let seal = sealing.map(|sealing| SealFacts { sealing, tenant: name, now_unix_s: unix_s });
        let record = &mut recorder.record_at(unix_s);
        let (field, judged) = admitted.judge_cookies(policy, request.headers(), seal, record);
        let evict = || {
            let unix_s = exchange.worker().clock.now().unix_s;
            judged.evictions(unix_s, &mut recorder.record_at(unix_s))
        };
        let (limits, body_bytes) = (exchange.config.limits(), request.body().size_hint().exact());
        admitted.check_limits(request.headers(), &field, body_bytes, limits, policy.mode, evict)?;
        replace_cookie(request.headers_mut(), field);
        let banner = banner::language(&judged, request.headers());
        let guard = match policy.guard {
            GuardMode::Off => None,
            GuardMode::Enforce | GuardMode::Watch => {
                Guard::prepare(exchange, policy, &judged, request)
            }
        };
        Ok(Judged { admitted, request: judged, banner, guard })
    }
}

impl<'j> Judged<'j> {
    /// Returns the tenant of the request.
    pub(super) fn tenant(&self) -> &'j Tenant {
        self.admitted.tenant.recorder.tenant()
    }

    /// Sends the request to the application, and waits for the head of its answer.
    pub(super) fn forward(
        &self,
        exchange: &mut Exchange<'_>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, upstream::Error>> + use<'j> {
        exchange.large_head = Ok(None);
        let Admitted { authority, flags, version, websocket, tenant, .. } = self.admitted;
        let forwarded = Forwarded {
            flags: *flags,
            trusted: exchange.trusts_peer(),
            version: *version,
            authority,
        };
        let is_websocket = websocket.is_some();
        let mut request =
            forward::prepare(exchange, request, &forwarded, &tenant.recorder, is_websocket);
        if self.banner.is_some() {
            banner::prepare_request(request.headers_mut());
        }
        let trace_ids = &exchange.worker().trace_ids;
        if let Some(followed) = exchange.followed() {
            followed.call(tenant.upstream.name(), request.headers_mut(), trace_ids);
        }
        tenant.upstream.send(request, is_websocket)
    }

    /// Judges the cookies of the answer (S, N, E), and rejects an upgrade that was not requested.
    pub(super) fn judge_response<'a>(
        &'a self,
        exchange: &mut Exchange<'_>,
        answer: Answer,
    ) -> Result<JudgedAnswer<'a, 'j>, Rejection> {
        let answered = Instant::now();
        let Answer { response, flags, checkout } = answer;
        let worker = exchange.worker();
        if self.admitted.version != Version::HTTP_2 && checkout.has_sent_all() {
            exchange.downstream.activity.note_body_read();
        }
        worker.metrics.count_upstream_answer(checkout.elapsed_at(answered));
        if let Some(followed) = exchange.followed() {
            followed.set_answered(checkout.address(), response.status().as_u16());
        }
        let now = worker.clock.at(answered);
        let (status, fields) = (response.status(), response.headers());
        let date = fields.get(header::DATE);
        let date_unix_s = date.and_then(|date| worker.dates.read(date));
        let facts = response_facts(status, date_unix_s, now);
        let missing_date_unix_s = date.is_none().then_some(facts.date_unix_s);
        let resources = Resources {
            tenant: &self.tenant().name,
            superseded: &worker.superseded,
            random: &mut random::<32>,
        };
        let set_cookies = flags
            .any(HeaderFlags::SET_COOKIE)
            .then(|| field_bytes(fields, &header::SET_COOKIE))
            .into_iter()
            .flatten();
        let record = &mut self.admitted.tenant.recorder.record_at(now.unix_s);
        let set_cookies = self.request.judge_response(facts, set_cookies, resources, record);
        let owed = exchange.handshake.as_ref().and_then(|handshake| handshake.owed());
        let is_tunnel = check_answer(self.admitted.websocket, owed, status, fields)?;
        Ok(JudgedAnswer {
            judged: self,
            response,
            flags,
            checkout,
            set_cookies,
            missing_date_unix_s,
            is_tunnel,
        })
    }
}

/// Returns what the policy needs of a response's head, apart from its cookies. `date_unix_s` is the value of `Date`, if it can
/// be read.
pub fn response_facts(status: StatusCode, date_unix_s: Option<u64>, now: Now) -> ResponseFacts {
    ResponseFacts {
        status: status.as_u16(),
        date_unix_s: date_unix_s.unwrap_or(now.unix_s),
        now_unix_s: now.unix_s,
        uptime_s: now.uptime_s,
    }
}

impl JudgedAnswer<'_, '_> {
    /// Makes the response for the client. A tunnel begins with it if the answer is an upgrade; a banner is inserted if it
    /// may carry one.
    pub(super) fn respond(self, exchange: &mut Exchange<'_>) -> Response<Body> {
        let Self {
            judged,
            mut response,
            flags,
            checkout,
            set_cookies,
            missing_date_unix_s,
            is_tunnel,
        } = self;
        let upstream_io = is_tunnel.then(|| upgrade::on(&mut response));
        // The version of HTTP between the gateway and the application does not concern the client.
        *response.version_mut() = Version::HTTP_11;
        let fields = response.headers_mut();
        remove_hop_by_hop(fields, flags);
        if judged.tenant().policy.mode == Mode::Enforce {
            remove_obsolete_cookies(fields, flags);
        }
        if flags.any(HeaderFlags::ALT_SVC) {
            // An address of another protocol would lead past the gateway.
            fields.remove(header::ALT_SVC);
        }
        replace_set_cookie(fields, flags.any(HeaderFlags::SET_COOKIE), set_cookies);
        if let Some(unix_s) = missing_date_unix_s {
            fields.insert(header::DATE, http_date(unix_s));
        }
        fields.insert(REQUEST_ID, exchange.id.value());
        match upstream_io {
            Some(upstream_io) => open_tunnel(exchange, response, checkout, upstream_io),
            None => judged.stream(exchange, response, checkout),
        }
    }
}

impl Judged<'_> {
    /// Passes the body on as it arrives, with the banner and the guard's script if it may carry them.
    fn stream(
        &self,
        exchange: &Exchange<'_>,
        response: Response<Incoming>,
        checkout: Checkout,
    ) -> Response<Body> {
        let ServedTenant { recorder, upstream } = &self.admitted.tenant;
        let timeout = upstream.body_timeout();
        let mut response =
            response.map(|body| Body::streamed(body, checkout, timeout, recorder.clone()));
        let is_asked = self.request.agreement_state() != AgreementState::NotAsked;
        if is_asked && is_page(response.headers()) {
            keep_from_shared_caches(response.headers_mut()); // G9
        }
        if self.banner.is_none() && self.guard.is_none() {
            return response;
        }
        self.insert(exchange, response)
    }

    /// Puts the banner and the guard's script into a document that may carry them.
    fn insert(&self, exchange: &Exchange<'_>, mut response: Response<Body>) -> Response<Body> {
        let Admitted { authority, method, tenant, .. } = self.admitted;
        if let Some(guard) = self.guard.as_ref().filter(|guard| guard.is_for_worker()) {
            return guard.prefix(exchange, response);
        }
        let page = may_change(response.status(), response.headers());
        let (recorder, is_head) = (&tenant.recorder, *method == Method::HEAD);
        let guard = self.guard.as_ref().and_then(|guard| {
            let facts = (authority, recorder, page.err());
            guard.prepare_response(exchange, facts, &mut response, is_head)
        });
        let banner = self.banner.and_then(|language| {
            banner::prepare(exchange, recorder, &mut response, language, is_head)
        });
        let (Ok(coding), true) = (page, guard.is_some() || banner.is_some()) else {
            return response;
        };
        let insertion = Insertion::new(exchange.config.limits().banner_bytes, guard, banner);
        coding.recode(response.headers_mut());
        let (changes, metrics) = (Changes::Document(insertion), &exchange.worker().metrics);
        response.map(|body| body.with_changes(changes, coding, metrics))
    }
}

/// Confirms the WebSocket to the client, and leaves its bytes to a task of its own.
fn open_tunnel(
    exchange: &mut Exchange<'_>,
    response: Response<Incoming>,
    checkout: Checkout,
    upstream_io: OnUpgrade,
) -> Response<Body> {
    checkout.release();
    let mut response = response.map(|_| Body::none());
    if let Some(handshake) = exchange.handshake.take() {
        handshake.confirm(&mut response);
        exchange.spawn_tunnel(handshake, upstream_io);
    }
    response
}
