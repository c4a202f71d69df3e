//! The banner in the application's pages (G6).

use std::sync::Arc;

use http::{HeaderMap, Response};

use super::super::{body::Body, downstream::Exchange, recorder::Recorder};
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

/// Makes the head of an answer to `HEAD` what it would be if a page with a banner followed. No banner is counted.
pub(in super::super) fn prepare_head(mut response: Response<Body>) -> Response<Body> {
    if may_carry(response.status(), response.headers()).is_ok() {
        prepare_response(response.headers_mut());
    }
    response
}

/// Inserts a banner into a page that may carry one, and counts the outcome.
pub(in super::super) fn insert(
    exchange: &Exchange<'_>,
    recorder: &Recorder,
    mut response: Response<Body>,
    language: Language,
) -> Response<Body> {
    let metrics = Arc::clone(&exchange.worker().metrics);
    if let Err(outcome) = may_carry(response.status(), response.headers()) {
        metrics.count_banner(outcome);
        return response;
    }
    prepare_response(response.headers_mut());
    let config = exchange.config;
    let page = Arc::clone(config.pages(recorder.tenant()).get(PageKind::Banner, language));
    let html = page.html.clone();
    let recorder = recorder.clone();
    let report = move |outcome| {
        metrics.count_banner(outcome);
        if outcome == BannerOutcome::Shown {
            recorder.count_agreement(AgreementEvent::Shown, &page, recorder.unix_s());
        }
    };
    response.map(|body| body.with_banner(html, config.limits().banner_bytes, report))
}
