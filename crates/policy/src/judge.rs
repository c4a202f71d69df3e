//! Judges the cookies of a request and of its response, then renews and evicts.

use alloc::{borrow::Cow, vec::Vec};

use smallvec::SmallVec;

use crate::{
    cookie::{RequestCookies, shorten},
    declaration::{DeclaredCookie, Inject},
    eviction::Evictions,
    exchange::{CookieField, RequestFacts, Resources, ResponseFacts, SetCookieFields, freshens},
    outgoing::Outgoing,
    policy::{EvictScope, Mode, Policy},
    renewal::{self, Renewal},
    session::{Sealed, SealedSession},
    set_cookie::{Built, ReceivedSetCookie},
    verdict::{Action, Direction, NotEvicted, NotRenewed, Reason, Verdict},
};

impl Policy {
    /// Judges every pair of the request's `Cookie` fields, in order (R1 to R6), and passes each verdict to `record`.
    ///
    /// In report mode the verdicts are the same, and the outcome is `Untouched`; several fields are joined by `"; "`,
    /// because HTTP/1.1 allows only one `Cookie` field.
    pub fn judge_request<'r>(
        &'r self,
        request: RequestFacts<'r>,
        cookie_fields: impl IntoIterator<Item = &'r [u8]>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> (CookieField, JudgedRequest<'r>) {
        let fields: SmallVec<[&[u8]; 8]> = cookie_fields.into_iter().collect();
        let session = SealedSession::find(self, request, &fields);
        let cookies = RequestCookies::judge(&self.declaration, session, &fields, record);
        let outcome = cookies.outcome(self.mode, &fields);
        (outcome, JudgedRequest { policy: self, request, cookies })
    }

    /// Makes one short field of `Cookie` fields that are too large to be held while the application works (R8). Judging it gives
    /// the verdicts that the fields have, apart from the one on excess cookies, which this passes to `record`, and the same
    /// field for the upstream. In report mode, where everything goes upstream, there is none.
    pub fn shorten_cookies<'f>(
        &self,
        cookie_fields: impl IntoIterator<Item = &'f [u8]>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> Option<Vec<u8>> {
        let fields: SmallVec<[&[u8]; 8]> = cookie_fields.into_iter().collect();
        (self.mode == Mode::Enforce).then(|| shorten(&self.declaration, &fields, record))
    }
}

/// A request whose cookies were judged. Only this value can judge the response.
pub struct JudgedRequest<'r> {
    pub(crate) policy: &'r Policy,
    pub(crate) request: RequestFacts<'r>,
    pub(crate) cookies: RequestCookies<'r>,
}

impl JudgedRequest<'_> {
    /// Judges the `Set-Cookie` fields of the final response (S), then renews (N) and evicts (E).
    ///
    /// `set_cookie_fields` are the upstream's fields, in order; the index of [`OutgoingSetCookie::Kept`](crate::OutgoingSetCookie::Kept) counts them
    /// from 0. They leave first, then renewals and injections in the declaration's order, then evictions.
    ///
    /// In report mode the verdicts are the same, and the outcome is `Untouched`. The memory of N4 is updated in report
    /// mode too: it changes no byte of any cookie, the verdicts on renewals depend on it, and it is already filled when
    /// a tenant changes to enforcing.
    pub fn judge_response<'s>(
        &self,
        response: ResponseFacts,
        set_cookie_fields: impl IntoIterator<Item = &'s [u8]>,
        resources: Resources<'_>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> SetCookieFields {
        self.explain_response(response, set_cookie_fields, resources, record, &mut |_, _| ())
    }

    /// Judges as [`judge_response`](Self::judge_response) does, and passes to `decline` each declared cookie that the
    /// response neither renews nor injects, with the reason, in the declaration's order.
    pub fn explain_response<'s>(
        &self,
        response: ResponseFacts,
        set_cookie_fields: impl IntoIterator<Item = &'s [u8]>,
        mut resources: Resources<'_>,
        record: &mut impl FnMut(Verdict<'_>),
        decline: &mut impl FnMut(&DeclaredCookie, NotRenewed),
    ) -> SetCookieFields {
        let mut outgoing = Outgoing::default();
        let mut set = 0;
        let holds_back = self.holds_back(response, &resources);
        for field in set_cookie_fields {
            let received = ReceivedSetCookie::read(field, response.date_unix_s);
            let mut judged =
                self.judge_set_cookie(&received, response, holds_back, &resources, &mut set);
            let seal =
                judged.as_mut().ok().and_then(|built| self.seal(built, response, &mut resources));
            let granted_s = judged.as_ref().ok().map(Built::granted_s);
            let action = match judged {
                Ok(built) if built.is(field) => outgoing.keep(),
                Ok(built) => outgoing.rewrite(built.to_bytes()),
                Err(reason) => outgoing.strip(reason),
            };
            let requested = Some(received.terms.requested());
            let (direction, name) = (Direction::Response, received.name);
            record(Verdict { direction, name, action, requested, granted_s, seal, count: 1 });
        }
        for (bit, cookie) in self.policy.declaration.with_bits() {
            let renewal = if holds_back && cookie.inject != Inject::Off {
                Err(NotRenewed::BeforeAgreement) // G6
            } else {
                self.renewal(bit, cookie, response, set, &mut resources)
            };
            match renewal {
                Ok(renewal) => {
                    let sealed = self.seal_renewed(bit, &renewal, response, &mut resources);
                    self.renew(cookie, renewal, sealed, response, &mut outgoing, record);
                }
                Err(reason) => decline(cookie, reason),
            }
        }
        if self.declines_eviction(Some(response)).is_none() {
            outgoing.add_all(self.evict(response.date_unix_s, record));
        }
        match self.policy.mode {
            Mode::Enforce => outgoing.finish(),
            Mode::Report => SetCookieFields::Untouched,
        }
    }

    /// Builds the evicting `Set-Cookie` fields of a response that the gateway makes itself (S8). There are none in report
    /// mode, nor for a request that is not a navigation.
    pub fn evictions(
        &self,
        date_unix_s: u64,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> Vec<Vec<u8>> {
        if self.declines_eviction(None).is_some() {
            return Vec::new();
        }
        let fields = self.evict(date_unix_s, record);
        match self.policy.mode {
            Mode::Enforce => fields,
            Mode::Report => Vec::new(),
        }
    }

    /// Returns the reason why this response evicts nothing; `None` if undeclared names are evicted (E1).
    ///
    /// Without a `response` the answer is for a response that the gateway makes itself.
    pub fn declines_eviction(&self, response: Option<ResponseFacts>) -> Option<NotEvicted> {
        if self.policy.evict == EvictScope::Off {
            return Some(NotEvicted::Off);
        }
        if self.request.method != "GET" || !self.request.accepts_html {
            return Some(NotEvicted::NoNavigation);
        }
        match response {
            Some(response) if response.status < 200 => Some(NotEvicted::Upgrade), // no page
            Some(response) if freshens(self.request, response) => Some(NotEvicted::Freshening),
            Some(_) | None => None,
        }
    }

    /// Judges one field, and adds the bit of its name to `set` whatever the verdict is (N1).
    ///
    /// The name is judged first, as in a request: an undeclared cookie is reported as undeclared even if it is also
    /// malformed or too large.
    fn judge_set_cookie<'s>(
        &'s self,
        received: &ReceivedSetCookie<'s>,
        response: ResponseFacts,
        holds_back: bool,
        resources: &Resources<'_>,
        set: &mut u64,
    ) -> Result<Built<'s>, Reason> {
        if received.name.is_empty() {
            return Err(Reason::Nameless); // S6
        }
        let declared = self.policy.declaration.find(received.name);
        let (bit, cookie) = declared.ok_or(Reason::Undeclared)?; // S1
        *set |= bit;
        received.check()?;
        if holds_back {
            return Err(Reason::BeforeAgreement); // G6
        }
        if freshens(self.request, response) {
            return Err(Reason::Misplaced); // S9
        }
        let lifetime_s = cookie.lifetime(self.policy.session).seconds();
        let built = Built::from_received(received, cookie, lifetime_s, response.date_unix_s);
        let sent = self.cookies.value(bit);
        renewal::remember(cookie, sent, built.living_value(), resources, response.uptime_s);
        Ok(built)
    }

    /// Returns the renewal or injection of one declared cookie (N), or the reason why there is none.
    fn renewal<'c>(
        &'c self,
        bit: u64,
        cookie: &'c DeclaredCookie,
        response: ResponseFacts,
        set: u64,
        resources: &mut Resources<'_>,
    ) -> Result<Renewal<'c>, NotRenewed> {
        if cookie.inject == Inject::Off {
            return Err(NotRenewed::Off);
        }
        if set & bit != 0 {
            return Err(NotRenewed::SetByUpstream);
        }
        let is_to_be_sealed = self.is_to_be_sealed(bit);
        if !is_to_be_sealed && !cookie.renew_on.matches(self.request.method, self.request.path) {
            return Err(NotRenewed::Elsewhere); // D3; G3 is the exception
        }
        renewal::is_open_to(self.request, response)?;
        if self.cookies.duplicated & bit != 0 {
            return Err(NotRenewed::Duplicated);
        }
        if let Some(renewal) = self.renewal_of_agreement(bit, cookie, response, resources) {
            return renewal;
        }
        Renewal::of(cookie, self.cookies.value(bit), resources, response.uptime_s)
    }

    /// Builds the field of a renewal or injection, and records its verdict.
    fn renew(
        &self,
        cookie: &DeclaredCookie,
        renewal: Renewal<'_>,
        sealed: Option<Sealed>,
        response: ResponseFacts,
        outgoing: &mut Outgoing,
        record: &mut impl FnMut(Verdict<'_>),
    ) {
        let lifetime_s = cookie.lifetime(self.policy.session).seconds();
        let (seal, sealed) = sealed.map_or((None, None), |(step, sealed)| (Some(step), sealed));
        let Some(value) = sealed.map(Cow::Owned).or(renewal.value) else { return };
        let built = Built::living(cookie, value, lifetime_s, response.date_unix_s);
        outgoing.add(built.to_bytes());
        let verdict = Verdict::new(Direction::Response, cookie.name.as_bytes(), renewal.action);
        record(Verdict { granted_s: Some(lifetime_s), seal, ..verdict });
    }

    /// Builds the evicting fields of the response to a navigation (E1), in either mode.
    fn evict(&self, date_unix_s: u64, record: &mut impl FnMut(Verdict<'_>)) -> Vec<Vec<u8>> {
        if self.cookies.undeclared.is_empty() {
            return Vec::new();
        }
        let evictions =
            Evictions::of(&self.cookies.undeclared, self.request, self.policy.evict, date_unix_s);
        for name in evictions.names {
            record(Verdict::new(Direction::Response, name, Action::Evict));
        }
        evictions.fields
    }
}

/// Records the verdict `Strip(Misplaced)` on a `Set-Cookie` field in the trailers of a response, where it is always
/// removed (S5).
pub fn judge_misplaced_set_cookie(
    field: &[u8],
    date_unix_s: u64,
    record: &mut impl FnMut(Verdict<'_>),
) {
    let received = ReceivedSetCookie::read(field, date_unix_s);
    let action = Action::Strip(Reason::Misplaced);
    let verdict = Verdict::new(Direction::Response, received.name, action);
    record(Verdict { requested: Some(received.terms.requested()), ..verdict });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cookie::judge_misplaced_cookie, fixture::Exchange};

    #[test]
    fn s5_an_upgrade_is_judged_but_neither_renews_nor_evicts() {
        let exchange = Exchange::of("GET", "/api/socket").html().sends("flexopus_session=a; _ga=1");
        let answer = exchange.status(101).answers(&["_ga=2", "XSRF-TOKEN=t"]);
        assert_eq!(answer.names(), ["XSRF-TOKEN"]);
    }

    #[test]
    fn t4_report_mode_reaches_the_same_verdicts_and_changes_nothing() {
        let exchange = Exchange::of("GET", "/api/me").html().sends("flexopus_session=a; _ga=1; =x");
        let enforced = exchange.answers(&["_ga=2", "XSRF-TOKEN=t"]);
        let reported = exchange.report().answers(&["_ga=2", "XSRF-TOKEN=t"]);
        assert_eq!(enforced.verdicts, reported.verdicts);
        assert_eq!(reported.upstream, CookieField::Untouched);
        assert_eq!(reported.outcome, SetCookieFields::Untouched);
        let names = enforced.names();
        let (set, evicted) = names.split_at_checked(2).unwrap();
        assert_eq!((set, evicted), (&["XSRF-TOKEN", "flexopus_session"][..], &["_ga"; 7][..]));
    }

    #[test]
    fn t4_report_mode_joins_what_http_2_split() {
        let exchange = Exchange::of("GET", "/").sends("a=1").sends("").sends("b=2;;").report();
        assert_eq!(exchange.answers(&[]).upstream, CookieField::Replaced(b"a=1; ; b=2;;".to_vec()));
    }

    #[test]
    fn r8_an_answer_of_the_gateways_own_evicts_from_a_navigation() {
        let sent = |html| Exchange::of("GET", "/").sends("_ga=1; b=2").with_html(html);
        let (fields, verdicts) = sent(true).evictions();
        assert_eq!((fields.len(), verdicts), (6, vec![Action::Evict, Action::Evict]));
        assert_eq!(sent(false).evictions(), (Vec::new(), Vec::new()));
        let (fields, verdicts) = sent(true).report().evictions();
        assert_eq!((fields.len(), verdicts), (0, vec![Action::Evict, Action::Evict]));
    }

    #[test]
    fn misplaced_cookies_are_recorded_by_name() {
        let mut verdicts = Vec::new();
        let mut record = |v: Verdict<'_>| verdicts.push((v.direction, v.name.to_vec(), v.action));
        judge_misplaced_cookie(b"flexopus_session=a; ; secret;=b", &mut record);
        judge_misplaced_set_cookie(b" _ga =1; Path=/", 0, &mut record);
        judge_misplaced_set_cookie(b"secret", 0, &mut record);
        let stripped =
            |direction, name: &[u8]| (direction, name.to_vec(), Action::Strip(Reason::Misplaced));
        assert_eq!(
            verdicts,
            [
                stripped(Direction::Request, b"flexopus_session"),
                stripped(Direction::Request, b""),
                stripped(Direction::Request, b""),
                stripped(Direction::Response, b"_ga"),
                stripped(Direction::Response, b""),
            ]
        );
    }

    #[test]
    fn a3_debugging_shows_no_value() {
        let exchange = Exchange::of("GET", "/api/").sends("XSRF-TOKEN=secret; _ga=secret");
        let answer = exchange.answers(&["flexopus_session=secret"]);
        let shown = format!("{:?} {:?} {:?}", answer.upstream, answer.outcome, exchange.superseded);
        assert_eq!(
            shown,
            "Replaced(..) Replaced([Built(..), Built(..)]) Superseded { capacity: 64, .. }"
        );
    }
}
