//! One exchange before the policy, which is asked in the very way in which the data path asks it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Upstream,
    transcript::{Request, Response},
};
use crumbgate_audit::tenants::Tenant;
use crumbgate_base::clock::Now;
use crumbgate_policy::{
    self as policy, CookieField, Mode, OutgoingSetCookie, Policy, RequestFacts, Resources,
    ResponseFacts, SetCookieFields,
    date::parse_cookie_date,
    requested::RequestedAttributes,
    superseded::Superseded,
    verdict::{Action, Direction, NotEvicted, NotRenewed, Verdict},
};

/// An exchange that was admitted.
#[derive(Clone, Copy)]
pub(super) struct Admitted<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) request: &'a Request,
    pub(super) now: Now,
}

/// What the response to a judged request is.
#[derive(Clone, Copy)]
pub(super) enum Answer<'a> {
    /// The gateway's own: the request is too large (R8).
    Own,
    /// None that HTTP allows.
    Broken,
    /// The application's.
    Response(&'a Response),
}

/// What the policy said.
pub(super) struct Judged {
    /// Every verdict, in the order in which they were reached.
    pub(super) verdicts: Vec<Reached>,
    /// Declared cookies that are neither renewed nor injected, by name.
    pub(super) declined: Vec<(String, NotRenewed)>,
    /// Why nothing is evicted, where there is an answer that might.
    pub(super) not_evicted: Option<NotEvicted>,
    /// Whether there is an answer: the application's, or the gateway's own that evicts.
    pub(super) answered: bool,
    /// What goes upstream, were the request not refused.
    pub(super) upstream: Upstream,
    /// The `Set-Cookie` fields that go downstream.
    pub(super) downstream: Vec<Vec<u8>>,
}

/// A verdict that outlives its field.
pub(super) struct Reached {
    pub(super) direction: Direction,
    pub(super) name: Vec<u8>,
    pub(super) action: Action,
    requested: Option<RequestedAttributes>,
    granted_s: Option<u32>,
}

impl Reached {
    fn new(verdict: Verdict<'_>) -> Self {
        let Verdict { direction, name, action, requested, granted_s, seal: _ } = verdict;
        Self { direction, name: name.to_vec(), action, requested, granted_s }
    }

    pub(super) fn verdict(&self) -> Verdict<'_> {
        let Self { direction, ref name, action, requested, granted_s } = *self;
        // An explanation has no keys: nothing is opened or sealed.
        Verdict { direction, name, action, requested, granted_s, seal: None }
    }
}

impl Admitted<'_> {
    /// Judges the request and its answer in this mode, with the memory of the exchanges before.
    pub(super) fn judge(self, mode: Mode, superseded: &Superseded, answer: Answer<'_>) -> Judged {
        let policy = Policy { mode, ..self.tenant.policy.clone() };
        let (mut verdicts, mut declined) = (Vec::new(), Vec::new());
        let mut record = |verdict: Verdict<'_>| verdicts.push(Reached::new(verdict));
        let fields = &self.request.fields;
        let facts = RequestFacts {
            method: &self.request.method,
            path: self.path,
            host: self.host,
            accepts_html: policy::accepts_html(fields.values("accept")),
            seal: None,
        };
        let (field, judged) = policy.judge_request(facts, fields.values("cookie"), &mut record);
        let (mut not_evicted, mut downstream) = (None, Vec::new());
        match answer {
            Answer::Own => {
                not_evicted = judged.declines_eviction(None);
                downstream = judged.evictions(self.now.unix_s, &mut record);
            }
            Answer::Broken => {}
            Answer::Response(response) => {
                let facts = self.response_facts(response);
                let resources = Resources {
                    tenant: &self.tenant.name,
                    superseded,
                    random: &mut placeholder_bits,
                };
                let outgoing = judged.explain_response(
                    facts,
                    response.fields.values("set-cookie"),
                    resources,
                    &mut record,
                    &mut |cookie, reason| declined.push((cookie.name.to_string(), reason)),
                );
                not_evicted = judged.declines_eviction(Some(facts));
                downstream = leaving(response, outgoing);
                for field in response.trailers.values("set-cookie") {
                    policy::judge_misplaced_set_cookie(field, facts.date_unix_s, &mut record);
                }
            }
        }
        let upstream = self.upstream(field);
        let answered = !matches!(answer, Answer::Broken);
        Judged { verdicts, declined, not_evicted, answered, upstream, downstream }
    }

    fn response_facts(self, response: &Response) -> ResponseFacts {
        let date = response.fields.values("date").next().and_then(parse_cookie_date);
        ResponseFacts {
            status: response.status,
            date_unix_s: date.and_then(|s| u64::try_from(s).ok()).unwrap_or(self.now.unix_s),
            now_unix_s: self.now.unix_s,
            uptime_s: self.now.uptime_s,
            may_be_shared: policy::may_be_shared(response.fields.values("cache-control")),
        }
    }

    fn upstream(self, field: CookieField) -> Upstream {
        match field {
            CookieField::Removed => Upstream::Removed,
            CookieField::Replaced(field) => Upstream::Replaced(field),
            CookieField::Untouched => match self.request.fields.values("cookie").next() {
                Some(field) => Upstream::Untouched(field.to_vec()),
                None => Upstream::Absent,
            },
        }
    }
}

/// The fields that leave, kept ones too.
fn leaving(response: &Response, outgoing: SetCookieFields) -> Vec<Vec<u8>> {
    let came: Vec<_> = response.fields.values("set-cookie").map(<[u8]>::to_vec).collect();
    match outgoing {
        SetCookieFields::Untouched => came,
        SetCookieFields::Replaced(fields) => fields
            .into_iter()
            .filter_map(|field| match field {
                OutgoingSetCookie::Built(field) => Some(field),
                OutgoingSetCookie::Kept(index) => came.get(index).cloned(),
            })
            .collect(),
    }
}

/// Stands where random bits would, in `inject = "random"`: what they are written as says so itself.
pub(super) const PLACEHOLDER: &str = "256_random_bits_which_differ_in_all_answers";

/// The bits that the policy writes as [`PLACEHOLDER`].
fn placeholder_bits() -> [u8; 32] {
    let mut bits = [0; 32];
    // A text that were not 43 characters of base64url would leave zeros; a test reads it back.
    let _ = URL_SAFE_NO_PAD.decode_slice(PLACEHOLDER, &mut bits);
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n2_random_bits_are_shown_as_what_they_are() {
        assert_eq!(URL_SAFE_NO_PAD.encode(placeholder_bits()), PLACEHOLDER);
    }
}
