//! Seals outgoing session cookies, holds cookies back before an agreement, and builds the fields of the gateway's own pages
//! (rules G).
//!
//! A request that began before its person agreed, logged in or withdrew still carries the old cookie. So the events of
//! each holder of a sealed cookie are remembered for five minutes, in the memory of N4, and the late response respects
//! them.

use alloc::vec::Vec;

use crate::{
    declaration::{DeclaredCookie, Inject},
    eviction::Evictions,
    exchange::{Resources, ResponseFacts},
    judge::JudgedRequest,
    renewal::{self, HolderEvent, Renewal},
    seal,
    sealing::{AgreementChallenge, AgreementState},
    session::{Sealed, SealedSession},
    set_cookie::Built,
    verdict::{Action, Direction, NotRenewed, SealStep, Verdict},
};

impl JudgedRequest<'_> {
    /// Returns the state of the person's agreement to the use of cookies (G6).
    pub fn agreement_state(&self) -> AgreementState {
        self.cookies
            .session
            .as_ref()
            .map_or(AgreementState::NotAsked, |session| session.agreement_state)
    }

    /// Returns true if the response carries the banner, provided that it is a page (G6). A `HEAD` request gets the head
    /// of such a response.
    pub fn is_notified(&self) -> bool {
        let is_read = matches!(self.request.method, "GET" | "HEAD");
        is_read && self.request.accepts_html && self.agreement_state() == AgreementState::Notified
    }

    /// Returns the answer that replaces the application's because the person has not agreed; `None` if the request
    /// goes to the application (G6).
    pub fn challenge(&self, is_upgrade: bool) -> Option<AgreementChallenge> {
        self.cookies.session.as_ref()?.challenge(self.request, is_upgrade)
    }

    /// Builds the `Set-Cookie` field that stores the person's agreement, given now, for a response that the gateway
    /// makes itself (G6).
    ///
    /// The field keeps the application's value. If both do not fit into one cookie, the result is `None`; only where
    /// cookies were held back before the agreement, the application's value is dropped instead.
    pub fn agree(&self, response: ResponseFacts, resources: &mut Resources<'_>) -> Option<Vec<u8>> {
        let session = self.cookies.session.as_ref()?;
        let (_, cookie) = self.policy.declaration.find(session.name())?;
        let now_unix_s = response.now_unix_s;
        let agreement = Some(session.agreement_at(now_unix_s));
        let sealed = match session.seal(session.value(), agreement, now_unix_s, resources.random) {
            None if session.holds_back() => {
                session.seal(None, agreement, now_unix_s, resources.random)
            }
            sealed => sealed,
        };
        let sealed = sealed?;
        self.remember_event(HolderEvent::Agreed, response, resources);
        let lifetime_s = cookie.lifetime(self.policy.session).seconds();
        let built = Built::living(cookie, sealed.into(), lifetime_s, response.date_unix_s);
        Some(built.to_bytes())
    }

    /// Builds the `Set-Cookie` fields of a withdrawal, for a response that the gateway makes itself: they delete every
    /// declared cookie, and every name of the request at each location that is known (G7, E4). Late responses of the
    /// application to this holder's requests can no longer set a declared cookie.
    pub fn withdraw(
        &self,
        response: ResponseFacts,
        resources: &Resources<'_>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> Vec<Vec<u8>> {
        self.remember_event(HolderEvent::Withdrawn, response, resources);
        let declaration = &self.policy.declaration;
        let delete = |(bit, cookie): (u64, &DeclaredCookie)| {
            let sent = self.cookies.value(bit);
            renewal::remember(cookie, sent, None, resources, response.uptime_s);
            Built::deleted(cookie).to_bytes()
        };
        let mut fields: Vec<_> = declaration.with_bits().map(delete).collect();
        let was_sent = |(bit, _): &(u64, _)| self.cookies.seen & bit != 0;
        let sent: Vec<_> =
            declaration.with_bits().filter(was_sent).map(|(_, cookie)| cookie).collect();
        let undeclared = &self.cookies.undeclared;
        let evictions = Evictions::of_withdrawal(&sent, undeclared, self.request, declaration);
        for name in evictions.names {
            record(Verdict::new(Direction::Response, name, Action::Evict));
        }
        fields.extend(evictions.fields);
        fields
    }

    /// Builds the `Cookie` field of the logout request, by which the application finds the session to end (G7). It does
    /// not depend on an agreement.
    pub fn logout_cookie(&self) -> Option<Vec<u8>> {
        self.cookies.logout_cookie()
    }

    /// Returns true if no declared cookie may be set: the person has not agreed, or has withdrawn while the application
    /// was working on this request (G6, G7).
    pub(crate) fn holds_back(&self, response: ResponseFacts, resources: &Resources<'_>) -> bool {
        let holds_back = self.cookies.session.as_ref().is_some_and(SealedSession::holds_back);
        holds_back || self.had_event(HolderEvent::Withdrawn, response, resources)
    }

    /// Returns true if the response seals a cookie that came unsealed, although the request does not renew it (G3). Only
    /// that to a navigation does: others, such as images, shall stay in shared caches.
    pub(crate) fn is_to_be_sealed(&self, bit: u64) -> bool {
        let is_navigation = self.request.method == "GET" && self.request.accepts_html;
        let session = self.cookies.session_of(bit).filter(|_| is_navigation);
        session.is_some_and(SealedSession::is_to_be_sealed)
    }

    /// Returns the renewal of a cookie that holds an agreement and no value of the application, or the reason why there
    /// is none. `None` means that the usual rules of renewal apply: the cookie holds a value, or one is injected.
    pub(crate) fn renewal_of_agreement(
        &self,
        bit: u64,
        cookie: &DeclaredCookie,
        response: ResponseFacts,
        resources: &Resources<'_>,
    ) -> Option<Result<Renewal<'static>, NotRenewed>> {
        if !self.cookies.is_alone(bit) {
            return None;
        }
        if self.had_event(HolderEvent::Replaced, response, resources) {
            return Some(Err(NotRenewed::Superseded));
        }
        (cookie.inject == Inject::Renew).then_some(Ok(Renewal::AGREEMENT))
    }

    /// Seals a value that the application has set, if its cookie is the sealed one (G2, G5).
    pub(crate) fn seal(
        &self,
        built: &mut Built<'_>,
        response: ResponseFacts,
        resources: &mut Resources<'_>,
    ) -> Option<SealStep> {
        let session =
            self.cookies.session.as_ref().filter(|session| session.is_of(built.cookie))?;
        if session.is_alone() {
            // The renewal of a slow call must not overwrite the new session by the agreement alone (N4).
            self.remember_event(HolderEvent::Replaced, response, resources);
        }
        if !session.seals {
            return None;
        }
        let agreement = self.agreement(session, response, resources);
        let value = Some(built.living_value()?);
        let sealed = session.seal(value, agreement, response.now_unix_s, resources.random);
        let Some(sealed) = sealed else { return Some(SealStep::TooLarge) };
        built.value = sealed.into();
        Some(SealStep::Sealed)
    }

    /// Seals a renewed or injected cookie, if it is the sealed one.
    pub(crate) fn seal_renewed(
        &self,
        bit: u64,
        renewal: &Renewal<'_>,
        response: ResponseFacts,
        resources: &mut Resources<'_>,
    ) -> Option<Sealed> {
        // A tenant that no longer asks keeps agreements alive, because it may ask again.
        let session = self.cookies.session_of(bit);
        let session = session.filter(|session| session.seals || renewal.value.is_none())?;
        let agreement = self.agreement(session, response, resources);
        let value = renewal.value.as_deref();
        let sealed = session.seal(value, agreement, response.now_unix_s, resources.random);
        let step = if sealed.is_some() { SealStep::Sealed } else { SealStep::TooLarge };
        Some((step, sealed))
    }

    /// Returns the agreement to store in the outgoing cookie: the one of the request, or one that was given while the
    /// application was working on the request.
    fn agreement(
        &self,
        session: &SealedSession<'_>,
        response: ResponseFacts,
        resources: &Resources<'_>,
    ) -> Option<seal::Agreement> {
        let was_open = session.agreement_state == AgreementState::Notified;
        let has_agreed = was_open && self.had_event(HolderEvent::Agreed, response, resources);
        if has_agreed {
            Some(session.agreement_at(response.now_unix_s))
        } else {
            session.agreement()
        }
    }

    /// Returns true if this event of the cookie's holder was remembered within the last five minutes.
    fn had_event(
        &self,
        event: HolderEvent,
        response: ResponseFacts,
        resources: &Resources<'_>,
    ) -> bool {
        let holder = self.cookies.session.as_ref().and_then(SealedSession::holder);
        holder.is_some_and(|holder| {
            resources.superseded.holds(resources.event_key(event, &holder), response.uptime_s)
        })
    }

    fn remember_event(
        &self,
        event: HolderEvent,
        response: ResponseFacts,
        resources: &Resources<'_>,
    ) {
        if let Some(holder) = self.cookies.session.as_ref().and_then(SealedSession::holder) {
            resources.superseded.remember(resources.event_key(event, &holder), response.uptime_s);
        }
    }
}
