//! The guard against cookies that scripts set (W): the answers that get its script, the changes to their heads, and what
//! browsers report.

mod beacon;
mod script_cache;

use std::{rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};

use super::{
    body::Body,
    document::{Changes, Insert, Prefix},
    downstream::Exchange,
    recorder::Recorder,
};
use crumbgate_audit::GuardOutcome;
use crumbgate_pages::{
    document::{
        Documents, Obstacle, may_change_script, prepare_response, reduce_codings,
        requested_documents, requests_worker_script,
    },
    guard::{GuardScript, GuardSources, StoredPage, allow_guard, mark_page, prepare_conditions},
    page::settings::{PagePath, PageRoute},
};
use crumbgate_policy::{AgreementMode, JudgedRequest, Policy, sealing::AgreementState};

pub use beacon::Beacon;
pub(super) use beacon::{BeaconLimit, of as beacon};
pub(super) use script_cache::ScriptCache;

/// The guard of one exchange, whose answer may be a document or the script of a service worker.
pub(super) struct Guard {
    script: Rc<GuardScript>,
    target: Target,
    /// The document that a 304 confirms.
    stored: StoredPage,
    /// True if the script depends on whether the person has agreed. No cache may keep the document.
    is_personal: bool,
}

/// The kind of answer that the guard is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    Documents(Documents),
    /// Something else, such as an image. If the answer is a document all the same, no cache may keep it: a browser or another
    /// person could open it from there.
    Other,
    WorkerScript,
}

impl Guard {
    /// Returns the guard of an exchange whose answer may need it, and prepares the request for it. `None` if the tenant has no
    /// guard.
    pub(super) fn prepare<B>(
        exchange: &Exchange<'_>,
        policy: &Policy,
        judged: &JudgedRequest<'_>,
        request: &mut Request<B>,
    ) -> Option<Self> {
        let path = exchange.config.snapshot.page.path.as_ref()?;
        if path.place(request.uri().path()).is_some() {
            return None;
        }
        let has_names = judged.agreement_state() != AgreementState::Pending;
        let is_personal = policy.agreement == AgreementMode::Required;
        let script = exchange.config.guard_script(policy, has_names)?;
        let target = match requested_documents(request.headers()) {
            _ if requests_worker_script(request.headers()) => Target::WorkerScript,
            Some(documents) => Target::Documents(documents),
            None => {
                let (target, stored) = (Target::Other, StoredPage::Other);
                return Some(Self { script, target, stored, is_personal });
            }
        };
        let method = request.method().clone();
        reduce_codings(request.headers_mut());
        let stored = prepare_conditions(request.headers_mut(), &method, &script.tag);
        if target == Target::WorkerScript && stored == StoredPage::Other {
            request.headers_mut().remove(header::IF_NONE_MATCH);
            request.headers_mut().remove(header::IF_MODIFIED_SINCE);
        }
        Some(Self { script, target, stored, is_personal })
    }

    /// Returns true if the answer may be the script of a service worker.
    pub(super) fn is_for_worker(&self) -> bool {
        self.target == Target::WorkerScript
    }

    /// Puts the guard in front of the code of a service worker's script.
    pub(super) fn prefix(
        &self,
        exchange: &Exchange<'_>,
        mut response: Response<Body>,
    ) -> Response<Body> {
        let (status, fields) = (response.status(), response.headers_mut());
        let coding = may_change_script(status, fields);
        if coding.is_some() || self.is_confirmed(status) {
            self.mark(fields);
        }
        let Some(coding) = coding else { return response };
        coding.recode(fields);
        let changes = Changes::WorkerScript(Prefix::new(self.script.worker_prefix.clone()));
        let metrics = &exchange.worker().metrics;
        response.map(|body| body.with_changes(changes, coding, metrics))
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
        let Target::Documents(documents) = self.target else {
            // Another kind of document, such as an SVG image, never gets a script.
            if !matches!(obstacle, Some(Obstacle::NoPage | Obstacle::Xml)) {
                prepare_response(response.headers_mut());
            }
            return None;
        };
        let (metrics, recorder) = (Arc::clone(&exchange.worker().metrics), recorder.clone());
        // The answer to a script's request is seldom a document. It is counted only if it turns out to be one.
        let report = move |outcome| {
            if documents == Documents::All || outcome == GuardOutcome::Guarded {
                metrics.count_guard(outcome);
                recorder.count_guard(outcome, recorder.unix_s());
            }
        };
        if obstacle.is_none() || self.is_confirmed(response.status()) {
            let path = exchange.config.snapshot.page.path.as_ref()?;
            self.prepare_fields(response.headers_mut(), authority, path);
        }
        if obstacle.is_none() && documents == Documents::Declared {
            // A fragment gets no script, so that no 304 may confirm it as a document with one.
            response.headers_mut().remove(header::ETAG);
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

    /// Returns true if a response confirms a stored document with the current script.
    fn is_confirmed(&self, status: StatusCode) -> bool {
        status == StatusCode::NOT_MODIFIED && self.stored == StoredPage::Guarded
    }

    fn prepare_fields(&self, fields: &mut HeaderMap, authority: &HeaderValue, path: &PagePath) {
        self.mark(fields);
        let authority = authority.to_str().unwrap_or_default();
        let (script, path) = (&*self.script.csp_source, &*path.of(PageRoute::Seen));
        allow_guard(fields, GuardSources { script, authority, path });
    }

    /// Changes the fields by which caches keep the response, and those that describe its exact bytes.
    fn mark(&self, fields: &mut HeaderMap) {
        if self.is_personal {
            prepare_response(fields);
        } else {
            mark_page(fields, &self.script.tag);
        }
    }
}
