//! The banner in the application's pages (G6).

use std::sync::Arc;

use http::{HeaderMap, Response};

use super::super::{body::Body, document::Insert, downstream::Exchange, recorder::Recorder};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::language::Language;
pub(in super::super) use crumbgate_pages::document::prepare_request;
use crumbgate_pages::document::{BannerOutcome, is_embedded, may_carry, prepare_response};
use crumbgate_pages::page::PageKind;
use crumbgate_policy::JudgedRequest;

/// Returns the language of the banner that the answer should have, if it should have one. `fields` are those of the
/// request.
pub(in super::super) fn language(
    judged: &JudgedRequest<'_>,
    fields: &HeaderMap,
) -> Option<Language> {
    (judged.is_notified() && !is_embedded(fields)).then(|| Language::preferred(fields))
}

/// Prepares a page that may carry a banner, and returns the banner. Its outcome is counted, except for the answer to a
/// `HEAD` request: that has the head of a page with a banner.
pub(in super::super) fn prepare(
    exchange: &Exchange<'_>,
    recorder: &Recorder,
    response: &mut Response<Body>,
    language: Language,
    is_head: bool,
) -> Option<Insert<BannerOutcome>> {
    let metrics = Arc::clone(&exchange.worker().metrics);
    if let Err(outcome) = may_carry(response.status(), response.headers()) {
        if !is_head {
            metrics.count_banner(outcome);
        }
        return None;
    }
    prepare_response(response.headers_mut());
    if is_head {
        return None;
    }
    let page = Arc::clone(exchange.config.pages(recorder.tenant()).get(PageKind::Banner, language));
    let html = page.html.clone();
    let recorder = recorder.clone();
    Some(Insert::new(html, move |outcome| {
        metrics.count_banner(outcome);
        if outcome == BannerOutcome::Shown {
            recorder.count_agreement(AgreementEvent::Shown, &page, recorder.unix_s());
        }
    }))
}
