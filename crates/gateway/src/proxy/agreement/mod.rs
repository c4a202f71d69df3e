//! All of agreement (G6 to G8): the gateway's own pages, the forms on them, the challenge before an agreement, the logout
//! after a withdrawal, and the banner in the application's pages.

mod action;
pub(super) mod banner;
pub mod challenge;
mod endpoint;
pub mod form;
mod logout;
mod page;
pub(super) mod page_cache;

use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use super::{
    body::Body, downstream::Exchange, headers::sensitive, judged::Judged, random,
    rejection::Rejection,
};
use crumbgate_policy::Resources;

pub use action::AgreementAction;
use endpoint::AgreementEndpoint;
pub use page::PageRequest;

/// Answers a request for one of the gateway's own pages, and one that must not go on before an agreement; `None` if the
/// application answers. A navigation evicts, as it does with the application's answer (S8).
pub(super) fn answer(
    exchange: &Exchange<'_>,
    judged: &Judged<'_>,
    request: &Request<Incoming>,
) -> Result<Option<AgreementAnswer>, Rejection> {
    let (config, admitted) = (exchange.config, judged.admitted);
    let Some(path) = config.snapshot.page.path.as_ref() else { return Ok(None) };
    let (tenant, fields, method) = (judged.tenant(), request.headers(), &admitted.method);
    let mode = tenant.policy.mode;
    let page_request = PageRequest::of(Some(path), mode, admitted.uri.path(), method);
    let challenge = judged.request.challenge(admitted.websocket.is_some());
    if page_request.is_none() && challenge.is_none() {
        return Ok(None);
    }
    let endpoint = AgreementEndpoint {
        path,
        pages: &config.pages(tenant),
        recorder: &admitted.tenant.recorder,
        authority: &admitted.authority,
        received: exchange.received,
    };
    let is_head = *method == Method::HEAD;
    let unix_s = exchange.received.unix_s;
    let evictions = judged.request.evictions(unix_s, &mut endpoint.recorder.record_at(unix_s));
    // A 304 sets no cookie (S9).
    let may_confirm = evictions.is_empty();
    let mut logout_cookies = None;
    let response = match (page_request, challenge) {
        (Some(PageRequest::Form(action)), _) => {
            let mut resources = Resources {
                tenant: &tenant.name,
                superseded: &exchange.worker().superseded,
                random: &mut random::<32>,
            };
            let form = (&admitted.uri, fields);
            if action == AgreementAction::Withdraw && config.snapshot.logout.is_some() {
                logout_cookies = judged.request.logout_cookie().and_then(sensitive);
            }
            form::act(&endpoint, action, form, &judged.request, &mut resources)?
        }
        (Some(PageRequest::NotAllowed(allowed)), _) => page::not_allowed(allowed),
        (Some(PageRequest::Read(place)), _) => {
            page::read(&endpoint, place, fields, (is_head, may_confirm))
        }
        (Some(PageRequest::SeeOther), _) => page::see_other(path.as_str()),
        (None, Some(challenge)) => challenge::answer(&endpoint, challenge, fields, is_head)?,
        (None, None) => return Ok(None),
    };
    let response = page::with_cookies(response, evictions);
    Ok(Some(AgreementAnswer { response, logout_cookies }))
}

/// An answer in place of the application's.
pub(super) struct AgreementAnswer {
    response: Response<Body>,
    /// The cookies by which the application knows the session that it should end first.
    logout_cookies: Option<HeaderValue>,
}

impl AgreementAnswer {
    /// Has the application end the session after a withdrawal, and returns the response.
    pub(super) async fn conclude(
        self,
        exchange: &Exchange<'_>,
        judged: &Judged<'_>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let logout = exchange.config.snapshot.logout.as_ref();
        if let (Some(logout), Some(cookies)) = (logout, self.logout_cookies) {
            // Boxed: a withdrawal is rare, and must not make every exchange's future larger.
            Box::pin(logout::end_session(exchange, judged, request, logout, cookies)).await;
        }
        exchange.own(self.response)
    }
}
