//! What sealing and agreement make of an exchange (rules G): what is sealed, what is held back, and what a person has said
//! on the gateway's own pages.
//!
//! An answer that was under way while somebody agreed, logged in or withdrew knows nothing of it. So what a holder of a
//! sealed cookie has said is remembered for some minutes, in the memory of N4, and such an answer abides by it.

use super::{
    JudgedRequest, Resources, ResponseFacts,
    declaration::{DeclaredCookie, Inject},
    renewal::{self, Renewal, Said},
    sealing::{Demand, Mark, Standing},
    set_cookie::Built,
    verdict::{NotRenewed, SealStep},
};
use crate::seal;

/// What became of a value that was to be sealed, and the sealed one; none where it leaves as it is.
pub(super) type Sealed = (SealStep, Option<Vec<u8>>);

impl JudgedRequest<'_> {
    /// Whether the person behind the request has agreed to the use of cookies (G6).
    pub fn standing(&self) -> Standing {
        self.cookies.mark.as_ref().map_or(Standing::NotAsked, |mark| mark.standing)
    }

    /// Whether the answer, if it is a page, says by a banner that nobody has agreed yet (G6). That of a `HEAD` is the head
    /// of such an answer.
    pub fn is_notified(&self) -> bool {
        let is_read = matches!(self.request.method, "GET" | "HEAD");
        is_read && self.request.accepts_html && self.standing() == Standing::Noticed
    }

    /// What stands in the application's place, because nobody has agreed; none where it is asked (G6).
    pub fn demand(&self, is_upgrade: bool) -> Option<Demand> {
        self.cookies.mark.as_ref()?.demand(self.request, is_upgrade)
    }

    /// The `Set-Cookie` field of an answer of the gateway's own that notes that this person agrees now (G6); none where
    /// there is no room for that. The application's value is kept; only where nothing went to the application before, one
    /// that is too large is given up.
    pub fn agree(&self, response: ResponseFacts, resources: &mut Resources<'_>) -> Option<Vec<u8>> {
        let mark = self.cookies.mark.as_ref()?;
        let (_, cookie) = self.policy.declaration.find(mark.name())?;
        let now_unix_s = response.now_unix_s;
        let agreement = Some(mark.agreement_at(now_unix_s));
        let sealed = match mark.seal(mark.value(), agreement, now_unix_s, resources.random) {
            None if mark.holds_back() => mark.seal(None, agreement, now_unix_s, resources.random),
            sealed => sealed,
        };
        let sealed = sealed?;
        self.remember_said(Said::Agreed, response, resources);
        let lifetime_s = cookie.lifetime(self.policy.session).seconds();
        let built = Built::living(cookie, sealed.into(), lifetime_s, response.date_unix_s);
        Some(built.to_bytes())
    }

    /// The `Set-Cookie` fields of an answer of the gateway's own that delete every declared cookie (G7). What the
    /// application still answers to requests that began before can no longer set any.
    pub fn withdraw(&self, response: ResponseFacts, resources: &Resources<'_>) -> Vec<Vec<u8>> {
        self.remember_said(Said::Withdrawn, response, resources);
        let delete = |(bit, cookie): (u64, &DeclaredCookie)| {
            let sent = self.cookies.value(bit);
            renewal::remember(cookie, sent, None, resources, response.uptime_s);
            Built::deleted(cookie).to_bytes()
        };
        self.policy.declaration.with_bits().map(delete).collect()
    }

    /// The `Cookie` field by which the application knows whose session ends, whether anybody has agreed or not (G7).
    pub fn farewell(&self) -> Option<Vec<u8>> {
        self.cookies.farewell()
    }

    /// Whether no declared cookie may be set: nobody has agreed, or who had has withdrawn while the application was at
    /// work (G6, G7).
    pub(super) fn holds_back(&self, response: ResponseFacts, resources: &Resources<'_>) -> bool {
        let holds_back = self.cookies.mark.as_ref().is_some_and(Mark::holds_back);
        holds_back || self.has_said(Said::Withdrawn, response, resources)
    }

    /// Whether the sealed cookie is renewed by any page, because it came as it was (G3). What a cache may keep for
    /// others, a picture say, is no place for it.
    pub(super) fn is_to_be_sealed(&self, bit: u64, response: ResponseFacts) -> bool {
        let is_navigation = self.request.method == "GET" && self.request.accepts_html;
        let mark = self.cookies.mark_of(bit).filter(|_| is_navigation && response.status != 304);
        mark.is_some_and(Mark::is_to_be_sealed)
    }

    /// The renewal of an agreement that the browser holds alone, or why there is none; none where it holds more, or is
    /// given more.
    pub(super) fn renewal_of_agreement(
        &self,
        bit: u64,
        cookie: &DeclaredCookie,
        response: ResponseFacts,
        resources: &Resources<'_>,
    ) -> Option<Result<Renewal<'static>, NotRenewed>> {
        if !self.cookies.is_alone(bit) {
            return None;
        }
        if self.has_said(Said::Replaced, response, resources) {
            return Some(Err(NotRenewed::Superseded));
        }
        (cookie.inject == Inject::Renew).then_some(Ok(Renewal::AGREEMENT))
    }

    /// Seals what the application has set, if it is to be sealed (G2, G5).
    pub(super) fn seal(
        &self,
        built: &mut Built<'_>,
        response: ResponseFacts,
        resources: &mut Resources<'_>,
    ) -> Option<SealStep> {
        let mark = self.cookies.mark.as_ref().filter(|mark| mark.is_of(built.cookie))?;
        if mark.is_alone() {
            // A slow call must not bring the agreement alone back (N4).
            self.remember_said(Said::Replaced, response, resources);
        }
        if !mark.seals {
            return None;
        }
        let agreement = self.agreement(mark, response, resources);
        let value = Some(built.living_value()?);
        let sealed = mark.seal(value, agreement, response.now_unix_s, resources.random);
        let Some(sealed) = sealed else { return Some(SealStep::TooLarge) };
        built.value = sealed.into();
        Some(SealStep::Sealed)
    }

    /// What a renewed or injected cookie leaves as, if it is to be sealed.
    pub(super) fn seal_renewed(
        &self,
        bit: u64,
        renewal: &Renewal<'_>,
        response: ResponseFacts,
        resources: &mut Resources<'_>,
    ) -> Option<Sealed> {
        // An agreement is kept by a tenant that no longer asks, too: it may ask again.
        let mark = self.cookies.mark_of(bit);
        let mark = mark.filter(|mark| mark.seals || renewal.value.is_none())?;
        let agreement = self.agreement(mark, response, resources);
        let value = renewal.value.as_deref();
        let sealed = mark.seal(value, agreement, response.now_unix_s, resources.random);
        let step = if sealed.is_some() { SealStep::Sealed } else { SealStep::TooLarge };
        Some((step, sealed))
    }

    /// The agreement that what leaves carries: the one that came, or one that was given while the application was at
    /// work.
    fn agreement(
        &self,
        mark: &Mark<'_>,
        response: ResponseFacts,
        resources: &Resources<'_>,
    ) -> Option<seal::Agreement> {
        let was_open = mark.standing == Standing::Noticed;
        let has_agreed = was_open && self.has_said(Said::Agreed, response, resources);
        if has_agreed { Some(mark.agreement_at(response.now_unix_s)) } else { mark.agreement() }
    }

    /// Whether the holder of the sealed cookie has said so lately, in another exchange.
    fn has_said(&self, what: Said, response: ResponseFacts, resources: &Resources<'_>) -> bool {
        let holder = self.cookies.mark.as_ref().and_then(Mark::holder);
        holder.is_some_and(|holder| {
            resources.superseded.holds(resources.said(what, &holder), response.uptime_s)
        })
    }

    fn remember_said(&self, what: Said, response: ResponseFacts, resources: &Resources<'_>) {
        if let Some(holder) = self.cookies.mark.as_ref().and_then(Mark::holder) {
            resources.superseded.remember(resources.said(what, &holder), response.uptime_s);
        }
    }
}
