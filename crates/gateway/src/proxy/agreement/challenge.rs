//! The challenge: the answer to a request that must not go on before the person has agreed (G6).

use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::{super::body::Body, super::rejection::Rejection, endpoint::AgreementEndpoint, page};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::language::Language;
use crumbgate_pages::page::{PageKind, settings::PagePath};
use crumbgate_policy::sealing::AgreementChallenge;

/// Rejects the request of a program. To that of a browser the answer is a page, with the status [`STATUS`].
///
/// # Errors
///
/// [`Rejection::AgreementRequired`].
pub fn check(
    challenge: AgreementChallenge,
    path: &PagePath,
    authority: &HeaderValue,
) -> Result<(), Rejection> {
    match challenge {
        AgreementChallenge::Question => Ok(()),
        AgreementChallenge::Problem => {
            let authority = authority.to_str().unwrap_or_default();
            Err(Rejection::AgreementRequired { page: format!("https://{authority}{path}") })
        }
    }
}

/// The status of the page that asks for the agreement.
pub const STATUS: StatusCode = StatusCode::FORBIDDEN;

/// Answers with the page that asks for the agreement, or rejects the request.
pub(super) fn answer(
    endpoint: &AgreementEndpoint<'_>,
    challenge: AgreementChallenge,
    fields: &HeaderMap,
    is_head: bool,
) -> Result<Response<Body>, Rejection> {
    check(challenge, endpoint.path, endpoint.authority)?;
    let page = endpoint.pages.get(PageKind::Interstitial, Language::preferred(fields));
    if !is_head {
        endpoint.count(AgreementEvent::Shown, page);
    }
    Ok(page::instead(page, STATUS, is_head))
}
