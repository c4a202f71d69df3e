//! The guard against cookies that scripts set (W): the answers that get its script, the changes to their heads, and what
//! browsers report.

mod beacon;
mod script_cache;

use std::{rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

use super::{body::Body, document::Insert, downstream::Exchange, recorder::Recorder};
use crumbgate_audit::GuardOutcome;
use crumbgate_pages::{
    document::{Documents, Obstacle, prepare_response, reduce_codings, requested_documents},
    guard::{GuardScript, GuardSources, StoredPage, allow_guard, mark_page, prepare_conditions},
    page::settings::{PagePath, PageRoute},
};
use crumbgate_policy::{JudgedRequest, Policy, sealing::AgreementState};

pub use beacon::Beacon;
pub(super) use beacon::{BeaconLimit, of as beacon};
pub(super) use script_cache::ScriptCache;

/// The guard of one exchange, whose answer may be a document.
pub(super) struct Guard {
    script: Rc<GuardScript>,
    documents: Documents,
    /// The document that a 304 confirms.
    stored: StoredPage,
    /// True if the script depends on the person, who has not agreed. No cache may keep the document.
    is_personal: bool,
}

impl Guard {
    /// Returns the guard of an exchange whose answer may be a document, and prepares the request for it. `None` if the tenant
    /// has no guard.
    pub(super) fn prepare<B>(
        exchange: &Exchange<'_>,
        policy: &Policy,
        judged: &JudgedRequest<'_>,
        request: &mut Request<B>,
    ) -> Option<Self> {
        let documents = requested_documents(request.headers())?;
        let is_personal = judged.agreement_state() == AgreementState::Pending;
        let script = exchange.config.guard_script(policy, !is_personal)?;
        let method = request.method().clone();
        reduce_codings(request.headers_mut());
        let stored = prepare_conditions(request.headers_mut(), &method, &script.tag);
        Some(Self { script, documents, stored, is_personal })
    }

    /// Prepares the fields of a response that gets the script, and returns the script. The outcome is counted, except for the
    /// answer to a `HEAD` request, which only has the fields.
    ///
    /// `authority` is that of the request, and `obstacle` the reason why the response can't get the script.
    pub(super) fn prepare_response(
        &self,
        exchange: &Exchange<'_>,
        (authority, recorder, obstacle): (&HeaderValue, &Recorder, Option<Obstacle>),
        response: &mut Response<Body>,
        is_head: bool,
    ) -> Option<(Documents, Insert<GuardOutcome>)> {
        let documents = self.documents;
        let (metrics, recorder) = (Arc::clone(&exchange.worker().metrics), recorder.clone());
        // The answer to a script's request is seldom a document. It is counted only if it turns out to be one.
        let report = move |outcome| {
            if documents == Documents::All || outcome == GuardOutcome::Guarded {
                metrics.count_guard(outcome);
                recorder.count_guard(outcome, recorder.unix_s());
            }
        };
        let confirms = response.status() == StatusCode::NOT_MODIFIED;
        if obstacle.is_none() || confirms && self.stored == StoredPage::Guarded {
            let path = exchange.config.snapshot.page.path.as_ref()?;
            self.prepare_fields(response.headers_mut(), authority, path);
        }
        match obstacle {
            None if is_head => None,
            None => Some((documents, Insert::new(self.script.html.clone(), report))),
            Some(obstacle) => {
                obstacle.guard_outcome().filter(|_| !is_head).map(report);
                None
            }
        }
    }

    fn prepare_fields(&self, fields: &mut HeaderMap, authority: &HeaderValue, path: &PagePath) {
        if self.is_personal {
            prepare_response(fields);
        } else {
            mark_page(fields, &self.script.tag);
        }
        let authority = authority.to_str().unwrap_or_default();
        let (script, path) = (&*self.script.csp_source, &*path.of(PageRoute::Seen));
        allow_guard(fields, GuardSources { script, authority, path });
    }
}
