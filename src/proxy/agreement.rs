//! Asks, in the application's place, whether a person agrees to the use of cookies, and does what they say (G6, G7).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};

use super::{
    admission::Recorder,
    body::Body,
    exchange::sensitive,
    form::{self, Deed},
    page,
    rejection::Rejection,
};
use crate::{
    audit::AgreementEvent,
    clock::Now,
    language::Language,
    page::{
        Kind, Page, Pages,
        settings::{PagePath, Place},
    },
    policy::{Agreement, JudgedRequest, Resources, ResponseFacts, sealing::Demand},
};

/// What an answer of this kind draws on.
pub(super) struct Desk<'e> {
    pub(super) path: &'e PagePath,
    pub(super) recorder: &'e Recorder,
    /// The request's authority, as sent.
    pub(super) authority: &'e HeaderValue,
    /// When the request came.
    pub(super) came: Now,
}

impl Desk<'_> {
    /// What is answered before an agreement.
    pub(super) fn demand(
        &self,
        demand: Demand,
        fields: &HeaderMap,
        pages: &Pages,
        is_head: bool,
    ) -> Result<Response<Body>, Rejection> {
        match demand {
            Demand::Question => {
                let page = pages.get(Kind::Interstitial, Language::preferred(fields));
                if !is_head {
                    self.count(AgreementEvent::Shown, page);
                }
                Ok(page::instead(page, StatusCode::FORBIDDEN, is_head))
            }
            Demand::Refusal => {
                let authority = self.authority.to_str().unwrap_or_default();
                Err(Rejection::AgreementRequired {
                    page: format!("https://{authority}{}", self.path),
                })
            }
        }
    }

    /// Does what a form says, where it comes from a page of this origin, and leads on from there.
    pub(super) fn act(
        &self,
        deed: Deed,
        (uri, fields): (&Uri, &HeaderMap),
        pages: &Pages,
        judged: &JudgedRequest<'_>,
        resources: &mut Resources<'_>,
    ) -> Result<Response<Body>, Rejection> {
        if !form::is_same_origin(fields, self.authority) {
            return Err(Rejection::CrossSite);
        }
        let page = form::stamp(uri).and_then(|stamp| pages.by_stamp(stamp));
        match deed {
            Deed::Agree | Deed::Decline
                if self.recorder.tenant().policy.agreement == Agreement::Off =>
            {
                Ok(see_other(self.path.as_str()))
            }
            Deed::Agree => {
                let back = form::way_back(fields, self.authority, self.path.as_str());
                // A page that has changed since is shown again: nobody agrees to what they have not seen.
                let Some(page) = page else { return Ok(see_other(back)) };
                let Some(field) = judged.agree(self.response(), resources) else {
                    return Ok(see_other(back));
                };
                self.count(AgreementEvent::Agreed, page);
                Ok(with_cookies(see_other(back), [field]))
            }
            Deed::Decline => {
                let Some(page) = page else { return Ok(see_other(self.path.as_str())) };
                self.count(AgreementEvent::Declined, page);
                Ok(see_other(&self.path.of(Place::Declined)))
            }
            Deed::Withdraw => {
                // It is done in any case: that the page has changed is no reason against it.
                let current = || pages.get(Kind::Cookies, Language::preferred(fields));
                let fields = judged.withdraw(self.response(), resources);
                self.count(AgreementEvent::Withdrawn, page.unwrap_or_else(current));
                Ok(with_cookies(see_other(&self.path.of(Place::Withdrawn)), fields))
            }
        }
    }

    /// What the policy needs to know of an answer of the gateway's own.
    fn response(&self) -> ResponseFacts {
        let Now { unix_s, uptime_s } = self.came;
        ResponseFacts {
            status: StatusCode::SEE_OTHER.as_u16(),
            date_unix_s: unix_s,
            now_unix_s: unix_s,
            uptime_s,
            may_be_shared: false,
        }
    }

    fn count(&self, event: AgreementEvent, page: &Arc<Page>) {
        self.recorder.count_agreement(event, page, self.came.unix_s);
    }
}

/// Leads to a path of the same origin (RFC 9110, section 15.4.4).
pub(super) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::none());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let fields = response.headers_mut();
    // A path comes from a field or from the configuration: it is one of visible ASCII.
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    fields.insert(header::LOCATION, path);
    fields.insert(header::CACHE_CONTROL, NO_STORE);
    response
}

fn with_cookies(
    mut response: Response<Body>,
    set_cookies: impl IntoIterator<Item = Vec<u8>>,
) -> Response<Body> {
    let set_cookies = set_cookies.into_iter().filter_map(sensitive);
    response.headers_mut().extend(set_cookies.map(|field| (header::SET_COOKIE, field)));
    response
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
