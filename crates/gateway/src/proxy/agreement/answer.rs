//! Asks, in the application's place, whether a person agrees to the use of cookies, and does what they say (G6, G7).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};

use super::{
    super::{body::Body, headers::sensitive, recorder::Recorder, rejection::Rejection},
    action::AgreementAction,
    form, page,
};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::{clock::Now, language::Language};
use crumbgate_pages::page::{
    Kind, Page, Pages,
    settings::{PagePath, Place},
};
use crumbgate_policy::{
    AgreementMode, JudgedRequest, Resources, ResponseFacts, sealing::AgreementChallenge,
};

/// What an answer of this kind draws on.
pub(crate) struct Desk<'e> {
    pub(crate) path: &'e PagePath,
    pub(crate) recorder: &'e Recorder,
    /// The request's authority, as sent.
    pub(crate) authority: &'e HeaderValue,
    /// When the request came.
    pub(crate) came: Now,
}

impl Desk<'_> {
    /// What is answered before an agreement.
    pub(crate) fn demand(
        &self,
        demand: AgreementChallenge,
        fields: &HeaderMap,
        pages: &Pages,
        is_head: bool,
    ) -> Result<Response<Body>, Rejection> {
        match demand {
            AgreementChallenge::Question => {
                let page = pages.get(Kind::Interstitial, Language::preferred(fields));
                if !is_head {
                    self.count(AgreementEvent::Shown, page);
                }
                Ok(page::instead(page, StatusCode::FORBIDDEN, is_head))
            }
            AgreementChallenge::Problem => {
                let authority = self.authority.to_str().unwrap_or_default();
                Err(Rejection::AgreementRequired {
                    page: format!("https://{authority}{}", self.path),
                })
            }
        }
    }

    /// Does what a form says, where it comes from a page of this origin, and leads on from there.
    pub(crate) fn act(
        &self,
        deed: AgreementAction,
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
            AgreementAction::Agree | AgreementAction::Decline
                if self.recorder.tenant().policy.agreement == AgreementMode::Off =>
            {
                Ok(page::see_other(self.path.as_str()))
            }
            AgreementAction::Agree => {
                let back = form::way_back(fields, self.authority, self.path.as_str());
                // A page that has changed since is shown again: nobody agrees to what they have not seen.
                let Some(page) = page else { return Ok(page::see_other(back)) };
                let Some(field) = judged.agree(self.response(), resources) else {
                    return Ok(page::see_other(back));
                };
                self.count(AgreementEvent::Agreed, page);
                Ok(with_cookies(page::see_other(back), [field]))
            }
            AgreementAction::Decline => {
                let Some(page) = page else { return Ok(page::see_other(self.path.as_str())) };
                self.count(AgreementEvent::Declined, page);
                Ok(page::see_other(&self.path.of(Place::Declined)))
            }
            AgreementAction::Withdraw => {
                // It is done in any case: that the page has changed is no reason against it.
                let current = || pages.get(Kind::Cookies, Language::preferred(fields));
                let fields = judged.withdraw(self.response(), resources);
                self.count(AgreementEvent::Withdrawn, page.unwrap_or_else(current));
                Ok(with_cookies(page::see_other(&self.path.of(Place::Withdrawn)), fields))
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

fn with_cookies(
    mut response: Response<Body>,
    set_cookies: impl IntoIterator<Item = Vec<u8>>,
) -> Response<Body> {
    let set_cookies = set_cookies.into_iter().filter_map(sensitive);
    response.headers_mut().extend(set_cookies.map(|field| (header::SET_COOKIE, field)));
    response
}
