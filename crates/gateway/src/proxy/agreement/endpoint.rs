//! The common part of the answers to forms and of the challenge.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::super::recorder::Recorder;
use crumbgate_audit::AgreementEvent;
use crumbgate_base::clock::Now;
use crumbgate_pages::page::{Page, Pages, settings::PagePath};
use crumbgate_policy::ResponseFacts;

/// The gateway's own pages of one tenant, as one request finds them.
pub(super) struct AgreementEndpoint<'e> {
    pub(super) path: &'e PagePath,
    pub(super) pages: &'e Pages,
    pub(super) recorder: &'e Recorder,
    /// The request's authority, as sent.
    pub(super) authority: &'e HeaderValue,
    /// The time at which the request was received.
    pub(super) received: Now,
}

impl AgreementEndpoint<'_> {
    /// Returns what the policy needs to know of an answer of the gateway's own.
    pub(super) fn response_facts(&self) -> ResponseFacts {
        let Now { unix_s, uptime_s } = self.received;
        ResponseFacts {
            status: StatusCode::SEE_OTHER.as_u16(),
            date_unix_s: unix_s,
            now_unix_s: unix_s,
            uptime_s,
        }
    }

    /// Counts an event of a page.
    pub(super) fn count(&self, event: AgreementEvent, page: &Arc<Page>) {
        self.recorder.count_agreement(event, page, self.received.unix_s);
    }
}
