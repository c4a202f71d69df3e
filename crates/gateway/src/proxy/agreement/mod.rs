//! All of agreement (G6 to G8): the gateway's own pages, the forms on them, the challenge before an agreement, the logout
//! after a withdrawal, and the banner in the application's pages.

mod action;
pub(super) mod banner;
pub mod challenge;
mod endpoint;
pub mod form;
pub(super) mod insertion;
mod logout;
mod page;
pub(super) mod page_cache;

use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;

use super::{
    admission::Admitted, body::Body, downstream::Exchange, headers::sensitive, judged::Judged,
    random, rejection::Rejection, tenant_cache::ServedTenant,
};
use crumbgate_audit::AgreementEvent;
use crumbgate_policy::{AgreementMode, Resources};

pub use action::AgreementAction;
use endpoint::AgreementEndpoint;
pub use page::PageRequest;

/// Answers a request for one of the gateway's own pages; `None` for any other request, and for a form.
pub(super) fn page(
    exchange: &Exchange<'_>,
    admitted: &Admitted<ServedTenant>,
    request: &Request<Incoming>,
) -> Option<Response<Body>> {
    let config = exchange.config;
    let path = config.snapshot.page.path.as_ref()?;
    let recorder = &admitted.tenant.recorder;
    let tenant = recorder.tenant();
    let (mode, method) = (tenant.policy.mode, &admitted.method);
    let page_request = PageRequest::of(Some(path), mode, admitted.uri.path(), method)?;
    let (pages, is_head) = (config.pages(tenant), *method == Method::HEAD);
    let (response, page) = page::answer(page_request, request.headers(), is_head, path, &pages)?;
    if let Some(page) = page
        && tenant.policy.agreement != AgreementMode::Off
    {
        recorder.count_agreement(AgreementEvent::Shown, &page, exchange.received.unix_s);
    }
    Some(exchange.own(response))
}

/// Answers a form of the gateway's own pages, or a request that must not go on before an agreement; `None` if the
/// application answers.
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
    if let Some(PageRequest::Form(action)) = page_request {
        let mut resources = Resources {
            tenant: &tenant.name,
            superseded: &exchange.worker().superseded,
            random: &mut random::<32>,
        };
        let form = (&admitted.uri, fields);
        let response = form::act(&endpoint, action, form, &judged.request, &mut resources)?;
        let ends_session = action == AgreementAction::Withdraw && config.snapshot.logout.is_some();
        let cookies = ends_session.then(|| judged.request.logout_cookie()).flatten();
        let logout_cookies = cookies.and_then(sensitive);
        return Ok(Some(AgreementAnswer { response, logout_cookies }));
    }
    let Some(challenge) = challenge else { return Ok(None) };
    let is_head = *method == Method::HEAD;
    let response = challenge::answer(&endpoint, challenge, fields, is_head)?;
    Ok(Some(AgreementAnswer { response, logout_cookies: None }))
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
