//! Puts a banner into the application's pages (G6).

use std::sync::Arc;

use http::Response;

use super::super::{body::Body, recorder::Recorder, worker::Worker, worker_config::WorkerConfig};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::language::Language;
use crumbgate_pages::{banner, page::Kind};

/// Makes of a head what it would be with a page behind it that has a banner. Nobody sees one: nothing is counted.
pub(crate) fn notify_head(mut response: Response<Body>) -> Response<Body> {
    if banner::may_carry(response.status(), response.headers()).is_ok() {
        banner::prepare_response(response.headers_mut());
    }
    response
}

/// Puts a banner into a page, where it may carry one, and counts what became of it (G6).
pub(crate) fn notify(
    worker: &Worker,
    view: &WorkerConfig,
    mut response: Response<Body>,
    recorder: Recorder,
    language: Language,
) -> Response<Body> {
    let metrics = Arc::clone(&worker.metrics);
    if let Err(outcome) = banner::may_carry(response.status(), response.headers()) {
        metrics.count_banner(outcome);
        return response;
    }
    banner::prepare_response(response.headers_mut());
    let page = Arc::clone(view.pages(recorder.tenant()).get(Kind::Banner, language));
    let html = page.html.clone();
    let tell = move |outcome| {
        metrics.count_banner(outcome);
        if outcome == banner::Outcome::Shown {
            recorder.count_agreement(AgreementEvent::Shown, &page, recorder.unix_s());
        }
    };
    response.map(|body| body.with_banner(html, view.limits().banner_bytes, tell))
}
