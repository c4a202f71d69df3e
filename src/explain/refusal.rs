//! The gateway's own answers, in words.

use crumbgate_gateway::{
    metrics::RejectionReason,
    proxy::{
        agreement::{AgreementAction, PageRequest, challenge},
        guard::Beacon,
        rejection::Rejection,
    },
};

use super::Rule;

/// An answer that the gateway gives in the application's place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Its status.
    pub status: u16,
    /// The rule; `None` if HTTP itself requires the answer.
    pub rule: Option<Rule>,
    /// The rejection that the gateway counts; `None` for its own pages, and for what HTTP itself refuses.
    pub rejection: Option<RejectionReason>,
    /// The reason, in words.
    pub reason: String,
}

impl Refusal {
    /// Describes an answer of HTTP itself.
    pub(super) fn of_http(status: u16, reason: String) -> Self {
        Self { status, rule: None, rejection: None, reason }
    }

    /// Describes the answer to a request that the gateway rejects.
    pub(super) fn of(rejection: &Rejection) -> Self {
        let hint = match rejection {
            Rejection::AgreementRequired { .. } => AS_AGREED,
            _ => "",
        };
        let reason = rejection.reason();
        Self {
            status: rejection.status().as_u16(),
            rule: rule(reason),
            rejection: Some(reason),
            reason: format!("{rejection}{hint}"),
        }
    }

    /// Describes the answer to a request for one of the gateway's own pages.
    pub(super) fn of_page(request: PageRequest) -> Self {
        let (rule, reason) = match request {
            PageRequest::Form(AgreementAction::Withdraw) => (
                Rule::G7,
                "a withdrawal, which deletes every declared cookie and every name that came",
            ),
            PageRequest::Form(AgreementAction::Agree | AgreementAction::Decline) => {
                (Rule::G7, "a form of the gateway's own pages")
            }
            PageRequest::NotAllowed(_) => (Rule::G7, "the gateway's own page takes other methods"),
            PageRequest::Read(_) => (Rule::G6, "a page of the gateway's own"),
            PageRequest::SeeOther => {
                (Rule::G6, "the place of a form, which leads to the cookie page")
            }
        };
        let status = request.status().as_u16();
        Self { status, rule: Some(rule), rejection: None, reason: reason.to_owned() }
    }

    /// Describes the answer to a browser's report about the cookies that scripts set.
    pub(super) fn of_beacon(beacon: Beacon) -> Self {
        let reason = match beacon {
            Beacon::NotAllowed => "the place of browsers' reports takes other methods",
            Beacon::Report => "a browser's report of names that scripts set",
        };
        let (status, rule) = (beacon.status().as_u16(), Some(Rule::W7));
        Self { status, rule, rejection: None, reason: reason.to_owned() }
    }

    /// Describes the page that asks for an agreement.
    pub(super) fn of_challenge() -> Self {
        let reason = format!("nobody has agreed to the use of cookies yet: a page asks{AS_AGREED}");
        let (status, rule) = (challenge::STATUS.as_u16(), Some(Rule::G6));
        Self { status, rule, rejection: None, reason }
    }
}

const AS_AGREED: &str = "; to explain it as for a person who has agreed, write --agreed";

/// Returns the rule that a rejection follows from; `None` if HTTP itself requires it, or the application is the cause.
fn rule(reason: RejectionReason) -> Option<Rule> {
    match reason {
        RejectionReason::AgreementRequired => Some(Rule::G6),
        RejectionReason::Authority => Some(Rule::T2),
        RejectionReason::CookieTooLarge
        | RejectionReason::HeadTooLarge
        | RejectionReason::TooManyFields => Some(Rule::R8),
        RejectionReason::CrossSite => Some(Rule::G7),
        RejectionReason::Misdirected => Some(Rule::T1),
        RejectionReason::BodyBroken
        | RejectionReason::BodyLate
        | RejectionReason::BodyTooLarge
        | RejectionReason::Framing
        | RejectionReason::Method
        | RejectionReason::Overloaded
        | RejectionReason::SourceConnections
        | RejectionReason::TooManyConnections
        | RejectionReason::Upgrade
        | RejectionReason::UpstreamBroken
        | RejectionReason::UpstreamBusy
        | RejectionReason::UpstreamFraming
        | RejectionReason::UpstreamLate
        | RejectionReason::UpstreamUnreachable => None,
    }
}
