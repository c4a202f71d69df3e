//! Judges one exchange, by the functions by which the data path judges it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crumbgate_audit::tenants::Tenant;
use crumbgate_base::clock::Now;
use crumbgate_gateway::proxy::{
    admission::Admitted,
    agreement::{AgreementAction, PageRequest, challenge, form},
    dates::Dates,
    guard::Beacon,
    judged::response_facts,
    rejection::Rejection,
    upgrade::check_answer,
};
use crumbgate_pages::document::keep_from_shared_caches;
use crumbgate_policy::{
    self as policy, CookieField, JudgedRequest, Mode, OutgoingSetCookie, Policy, Resources,
    ResponseFacts, SetCookieFields,
    requested::RequestedAttributes,
    sealing::{SealFacts, Sealing},
    superseded::Superseded,
    verdict::{Action, Direction, NotEvicted, NotRenewed, Verdict},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::body::Body as _;

use super::{Refusal, Settings, Upstream, head::PastedBody, transcript::Fields};

/// An exchange whose request was admitted.
pub(super) struct Case<'a> {
    pub(super) settings: &'a Settings,
    pub(super) admitted: &'a Admitted<Arc<Tenant>>,
    pub(super) request: &'a http::Request<PastedBody>,
    pub(super) answer: &'a Answer<'a>,
    /// The rules of sealing; `None` if the request has a sealed value, so that the person counts as one who has agreed.
    pub(super) sealing: Option<&'a Sealing>,
    pub(super) now: Now,
}

/// The application's answer.
pub(super) enum Answer<'a> {
    Response {
        status: StatusCode,
        fields: HeaderMap,
        trailers: &'a Fields,
    },
    /// One that HTTP does not allow, and the gateway's answer to it.
    Unwritable(Refusal),
}

/// The verdicts of the policy, and what leaves.
pub(super) struct Judged {
    /// Every verdict, in the order in which the policy reached them.
    pub(super) verdicts: Vec<Reached>,
    /// Declared cookies that are neither renewed nor injected, by name.
    pub(super) declined: Vec<(String, NotRenewed)>,
    /// The reason for evicting nothing, if there is an answer that could evict.
    pub(super) not_evicted: Option<NotEvicted>,
    /// True if there is an answer that evicts cookies, unless `not_evicted` has a reason.
    pub(super) evicts: bool,
    /// True if the answer is that to a withdrawal.
    pub(super) withdraws: bool,
    /// The gateway's answer in the application's place.
    pub(super) refusal: Option<Refusal>,
    /// The `Cookie` field that goes upstream.
    pub(super) upstream: Upstream,
    /// The `Set-Cookie` fields that go downstream.
    pub(super) downstream: Vec<Vec<u8>>,
    /// True if they make the application's answer private (S9).
    pub(super) made_private: bool,
}

/// A verdict that outlives its field.
pub(super) struct Reached {
    pub(super) direction: Direction,
    pub(super) name: Vec<u8>,
    pub(super) action: Action,
    requested: Option<RequestedAttributes>,
    granted_s: Option<u32>,
    count: u32,
}

impl Reached {
    fn new(verdict: Verdict<'_>) -> Self {
        let Verdict { direction, name, action, requested, granted_s, seal: _, count } = verdict;
        Self { direction, name: name.to_vec(), action, requested, granted_s, count }
    }

    pub(super) fn verdict(&self) -> Verdict<'_> {
        let Self { direction, ref name, action, requested, granted_s, count } = *self;
        // Values are shown as the application has them, so that no seal is mentioned.
        Verdict { direction, name, action, requested, granted_s, seal: None, count }
    }
}

impl Judged {
    /// An exchange that ends before its cookies are judged.
    fn refused(refusal: Refusal) -> Self {
        Self {
            verdicts: Vec::new(),
            declined: Vec::new(),
            not_evicted: None,
            evicts: false,
            withdraws: false,
            refusal: Some(refusal),
            upstream: Upstream::Refused,
            downstream: Vec::new(),
            made_private: false,
        }
    }
}

impl Case<'_> {
    /// Judges the request and its answer as a tenant in mode `judged_as` does, with the memory of the exchanges before.
    /// The request is refused for the reasons for which a tenant in mode `refused_as` refuses it.
    pub(super) fn judge(
        &self,
        judged_as: Mode,
        refused_as: Mode,
        superseded: &Superseded,
    ) -> Judged {
        let (policy, tenant) = (self.policy(judged_as), &*self.admitted.tenant.name);
        let (mut verdicts, mut declined) = (Vec::new(), Vec::new());
        let mut record = |verdict: Verdict<'_>| verdicts.push(Reached::new(verdict));
        let facts = self.seal_facts(refused_as);
        let fields = self.request.headers();
        let (field, judged) = self.admitted.judge_cookies(&policy, fields, facts, &mut record);
        if let Some((refusal, set_cookies)) = self.refuse(&judged, &field, refused_as) {
            let (not_evicted, downstream) = match set_cookies {
                OwnSetCookies::Evictions => {
                    let evictions = judged.evictions(self.now.unix_s, &mut record);
                    (judged.declines_eviction(None), evictions)
                }
                OwnSetCookies::None => (None, Vec::new()),
                OwnSetCookies::Withdrawal => {
                    let facts = self.response_facts(StatusCode::SEE_OTHER, &HeaderMap::new());
                    let random = &mut placeholder_bits;
                    let resources = Resources { tenant, superseded, random };
                    (None, judged.withdraw(facts, &resources, &mut record))
                }
            };
            return Judged {
                verdicts,
                not_evicted,
                evicts: set_cookies == OwnSetCookies::Evictions,
                withdraws: set_cookies == OwnSetCookies::Withdrawal,
                downstream,
                ..Judged::refused(refusal)
            };
        }
        let (mut refusal, mut not_evicted, mut downstream) = (None, None, Vec::new());
        let mut made_private = false;
        match self.answer {
            Answer::Unwritable(unwritable) => refusal = Some(unwritable.clone()),
            Answer::Response { status, fields, trailers } => {
                let facts = self.response_facts(*status, fields);
                let resources = Resources { tenant, superseded, random: &mut placeholder_bits };
                let outgoing = judged.explain_response(
                    facts,
                    fields.get_all(header::SET_COOKIE).iter().map(HeaderValue::as_bytes),
                    resources,
                    &mut record,
                    &mut |cookie, reason| declined.push((cookie.name.to_string(), reason)),
                );
                not_evicted = judged.declines_eviction(Some(facts));
                match check_answer(self.admitted.websocket, None, *status, fields) {
                    Ok(_) => {
                        downstream = self.leaving(fields, outgoing);
                        made_private = !downstream.is_empty() && may_be_shared(fields);
                    }
                    Err(rejection) => refusal = Some(Refusal::of(&rejection)),
                }
                for field in trailers.values("set-cookie") {
                    policy::judge_misplaced_set_cookie(field, facts.date_unix_s, &mut record);
                }
            }
        }
        let evicts = refusal.is_none();
        let upstream = self.upstream(field);
        let withdraws = false;
        Judged {
            verdicts,
            declined,
            not_evicted,
            evicts,
            withdraws,
            refusal,
            upstream,
            downstream,
            made_private,
        }
    }

    /// Returns the gateway's answer if the tenant enforced.
    pub(super) fn refusal_if_enforced(&self) -> Option<Refusal> {
        let (policy, facts) = (self.policy(Mode::Enforce), self.seal_facts(Mode::Enforce));
        let record = &mut |_: Verdict<'_>| ();
        let (field, judged) =
            self.admitted.judge_cookies(&policy, self.request.headers(), facts, record);
        self.refuse(&judged, &field, Mode::Enforce).map(|(refusal, _)| refusal)
    }

    /// Returns the gateway's answer to a judged request; `None` if the application answers.
    fn refuse(
        &self,
        judged: &JudgedRequest<'_>,
        cookie: &CookieField,
        mode: Mode,
    ) -> Option<(Refusal, OwnSetCookies)> {
        let (fields, authority) = (self.request.headers(), &self.admitted.authority);
        let body_bytes = self.request.body().size_hint().exact();
        let limits = &self.settings.limits;
        let checked =
            self.admitted.check_limits(fields, cookie, body_bytes, limits, mode, Vec::new);
        if let Err(rejection) = checked {
            let refusal = Refusal::of(&rejection);
            let is_too_large = refusal.status == TOO_LARGE;
            let evictions =
                if is_too_large { OwnSetCookies::Evictions } else { OwnSetCookies::None };
            return Some((refusal, evictions));
        }
        let rejected = |rejection: Rejection| (Refusal::of(&rejection), OwnSetCookies::None);
        if let Some(beacon) = self.beacon() {
            return Some((Refusal::of_beacon(beacon), OwnSetCookies::None));
        }
        if let Some(page) = self.page_request(mode) {
            let (checked, set_cookies) = match page {
                PageRequest::Form(action) => {
                    let withdraws = action == AgreementAction::Withdraw;
                    let set =
                        if withdraws { OwnSetCookies::Withdrawal } else { OwnSetCookies::None };
                    (form::check_origin(fields, authority), set)
                }
                PageRequest::NotAllowed(_) | PageRequest::Read(_) | PageRequest::SeeOther => {
                    (Ok(()), OwnSetCookies::Evictions)
                }
            };
            let answered = |()| (Refusal::of_page(page), set_cookies);
            return Some(checked.map_or_else(rejected, answered));
        }
        let path = self.settings.page.as_ref()?;
        let challenge = judged.challenge(self.admitted.websocket.is_some())?;
        let checked = challenge::check(challenge, path, authority);
        let asked = |()| (Refusal::of_challenge(), OwnSetCookies::Evictions);
        Some(checked.map_or_else(rejected, asked))
    }

    fn page_request(&self, mode: Mode) -> Option<PageRequest> {
        let Admitted { uri, method, .. } = self.admitted;
        PageRequest::of(self.settings.page.as_ref(), mode, uri.path(), method)
    }

    fn beacon(&self) -> Option<Beacon> {
        let Admitted { uri, method, tenant, .. } = self.admitted;
        Beacon::of(self.settings.page.as_ref(), &tenant.policy, uri.path(), method)
    }

    fn policy(&self, mode: Mode) -> Policy {
        Policy { mode, ..self.admitted.tenant.policy.clone() }
    }

    fn seal_facts(&self, mode: Mode) -> Option<SealFacts<'_>> {
        let sealing = self.sealing.filter(|_| mode == Mode::Enforce)?;
        let tenant = &self.admitted.tenant.name;
        Some(SealFacts { sealing, tenant, now_unix_s: self.now.unix_s })
    }

    fn response_facts(&self, status: StatusCode, fields: &HeaderMap) -> ResponseFacts {
        let date = fields.get(header::DATE).and_then(|date| Dates::default().read(date));
        response_facts(status, date, self.now)
    }

    fn upstream(&self, field: CookieField) -> Upstream {
        match field {
            CookieField::Removed => Upstream::Removed,
            CookieField::Replaced(field) => Upstream::Replaced(field),
            CookieField::Untouched => match self.admitted.cookies.first() {
                Some(field) => Upstream::Untouched(field.as_bytes().to_vec()),
                None => Upstream::Absent,
            },
        }
    }

    /// Returns the fields that leave, kept ones too.
    fn leaving(&self, received: &HeaderMap, outgoing: SetCookieFields) -> Vec<Vec<u8>> {
        let received: Vec<_> = received
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|field| field.as_bytes().to_vec())
            .collect();
        match outgoing {
            SetCookieFields::Untouched => received,
            SetCookieFields::Replaced(fields) => fields
                .into_iter()
                .filter_map(|field| match field {
                    OutgoingSetCookie::Built(field) => Some(self.opened(field)),
                    OutgoingSetCookie::Kept(index) => received.get(index).cloned(),
                })
                .collect(),
        }
    }

    /// Replaces a sealed value by the value that the application has: the sealed one would be another one each time.
    fn opened(&self, field: Vec<u8>) -> Vec<u8> {
        let opened = self.sealing.and_then(|sealing| {
            let name = sealing.cookie.as_bytes();
            let rest = field.strip_prefix(name)?.strip_prefix(b"=")?;
            let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
            let (value, attributes) = rest.split_at_checked(end)?;
            let opened = sealing.ring.open(name, value).ok()?;
            Some([name, b"=", opened.value().unwrap_or_default(), attributes].concat())
        });
        opened.unwrap_or(field)
    }
}

/// The `Set-Cookie` fields of an answer of the gateway's own.
#[derive(Clone, Copy, Eq, PartialEq)]
enum OwnSetCookies {
    /// Fields that evict, if the request is a navigation (S8).
    Evictions,
    /// No field, or a sealed one: an explanation has no keys.
    None,
    /// Fields that delete every name that came (E4).
    Withdrawal,
}

/// Returns true if an answer with these fields is not private yet.
fn may_be_shared(fields: &HeaderMap) -> bool {
    let mut private = fields.clone();
    keep_from_shared_caches(&mut private);
    private != *fields
}

/// The status of a rejection that evicts cookies (R8).
const TOO_LARGE: u16 = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_u16();

/// Replaces random bits, in `inject = "random"`, by a text that describes them.
pub(super) const PLACEHOLDER: &str = "256_random_bits_which_differ_in_all_answers";

/// Returns the bits that the policy writes as [`PLACEHOLDER`].
fn placeholder_bits() -> [u8; 32] {
    let mut bits = [0; 32];
    // A text that is not 43 characters of base64url would leave zeros; a test reads it back.
    let _ = URL_SAFE_NO_PAD.decode_slice(PLACEHOLDER, &mut bits);
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n2_random_bits_are_shown_as_a_text_that_describes_them() {
        assert_eq!(URL_SAFE_NO_PAD.encode(placeholder_bits()), PLACEHOLDER);
    }
}
