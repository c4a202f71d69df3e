//! Opens and judges the sealed session cookie of one request, and seals the outgoing one (rules G1 to G8).

use alloc::vec::Vec;

use crate::{
    cookie::judged_parts,
    declaration::DeclaredCookie,
    exchange::RequestFacts,
    limits::{MAX_PAIR_BYTES, fits},
    policy::{AgreementMode, Mode, Policy},
    seal::{self, Contents, Holder, KeyRing, OpenError, Opened},
    sealing::{AgreementChallenge, AgreementState, SealFacts, Sealing},
    syntax::{is_cookie_value, read_pair},
    verdict::{Reason, SealStep},
};

/// The sealed session cookie of one request, received and judged.
pub(crate) struct SealedSession<'r> {
    sealing: &'r Sealing,
    now_unix_s: u64,
    /// The cookie's bit in the declaration.
    pub(crate) bit: u64,
    cookie: &'r DeclaredCookie,
    /// The scope of the seal: the host, or the tenant if its hosts share the cookie.
    scope: &'r str,
    /// True if the tenant seals outgoing cookies. If not, cookies that were sealed earlier are still opened.
    pub(crate) seals: bool,
    pub(crate) agreement_state: AgreementState,
    received: Received<'r>,
}

/// The value that the browser sent.
enum Received<'r> {
    /// No cookie, or none with a well-formed value.
    Nothing,
    /// A sealed value that was opened.
    Opened {
        /// The value as received.
        sealed: &'r [u8],
        opened: Opened,
    },
    /// A value that is stripped, with the reason.
    Stripped(Reason),
    /// A value that was set before sealing began, or one that is too large for sealing.
    Unsealed(&'r [u8]),
}

impl<'r> SealedSession<'r> {
    /// Finds and opens the sealed cookie among the fields of a request. `None` in report mode, if there are no keys, or if
    /// the sealed cookie is not declared.
    pub(crate) fn find(
        policy: &'r Policy,
        request: RequestFacts<'r>,
        fields: &[&'r [u8]],
    ) -> Option<Self> {
        let SealFacts { sealing, tenant, now_unix_s } =
            request.seal.filter(|_| policy.mode == Mode::Enforce)?;
        let name = sealing.cookie.as_bytes();
        let (bit, cookie) = policy.declaration.find(name)?;
        let scope = if cookie.domain.is_some() { tenant } else { request.host };
        let mut session = Self {
            sealing,
            now_unix_s,
            bit,
            cookie,
            scope,
            seals: policy.seals(),
            agreement_state: AgreementState::NotAsked,
            received: Received::Nothing,
        };
        let session_s = u64::from(policy.session.seconds());
        let pairs = judged_parts(fields).filter_map(read_pair);
        let values = pairs.filter(|(other, _)| *other == name).map(|(_, value)| value);
        // Of several values the first that can be opened counts, because only a gateway can have made it. If none can,
        // the first one counts, as for every cookie (R3).
        for (index, value) in values.take(MAX_CANDIDATES).enumerate() {
            let is_first = index == 0;
            if is_cookie_value(value) {
                let received = session.open(value, session_s);
                let is_opened = matches!(received, Received::Opened { .. });
                if is_first || is_opened {
                    session.received = received;
                }
                if is_opened {
                    break;
                }
            }
        }
        session.agreement_state = match policy.agreement {
            AgreementMode::Off => AgreementState::NotAsked,
            _ if session.has_agreed() => AgreementState::Agreed,
            AgreementMode::Notice => AgreementState::Notified,
            AgreementMode::Required => AgreementState::Pending,
        };
        Some(session)
    }

    fn open(&self, value: &'r [u8], session_s: u64) -> Received<'r> {
        match self.sealing.ring.open(self.cookie.name.as_bytes(), value) {
            Ok(opened) if opened.scope() != self.scope => Received::Stripped(Reason::Foreign),
            // The clock of another gateway may be ahead of this one's: then the age is zero.
            Ok(opened) if self.now_unix_s.saturating_sub(opened.issued_unix_s()) > session_s => {
                Received::Stripped(Reason::Expired)
            }
            Ok(opened) => Received::Opened { sealed: value, opened },
            Err(OpenError::Forged) => Received::Stripped(Reason::Forged),
            Err(OpenError::Unsealed) if self.is_late() => Received::Stripped(Reason::Forged),
            Err(OpenError::Unsealed) => Received::Unsealed(value),
        }
    }

    /// Returns true if unsealed values no longer count (G3).
    fn is_late(&self) -> bool {
        let until = self.sealing.unsealed_until_unix_s;
        self.seals && until.is_some_and(|until| self.now_unix_s >= until)
    }

    fn has_agreed(&self) -> bool {
        match &self.received {
            Received::Opened { opened, .. } => opened.agreement().is_some_and(|agreement| {
                !self.sealing.ask_again || agreement.version == self.sealing.version
            }),
            // The cookie has no room for an agreement, so the person would be asked again and again (G5).
            Received::Unsealed(value) => !self.can_seal(value, true),
            Received::Nothing | Received::Stripped(_) => false,
        }
    }

    /// Returns true if every declared cookie is held back (G6).
    pub(crate) fn holds_back(&self) -> bool {
        self.agreement_state == AgreementState::Pending
    }

    /// Returns the answer that replaces the application's; `None` if the request goes to the application (G6).
    pub(crate) fn challenge(
        &self,
        request: RequestFacts<'_>,
        is_upgrade: bool,
    ) -> Option<AgreementChallenge> {
        let is_open = |path| self.sealing.open_paths.iter().any(|open| open.matches(path));
        // A preflight request never has cookies, so it can't show an agreement.
        if !self.holds_back() || is_open(request.path) || request.method == "OPTIONS" {
            return None;
        }
        let reads = matches!(request.method, "GET" | "HEAD");
        let mut renewing = self.cookie.renew_on.paths.iter();
        let is_api = is_upgrade || !reads || renewing.any(|path| path.matches(request.path));
        match (request.accepts_html, is_api) {
            (true, _) if !is_upgrade => Some(AgreementChallenge::Question),
            (_, true) => Some(AgreementChallenge::Problem),
            (_, false) => None,
        }
    }

    /// Judges the pair that counts: the step of its seal, or the reason why it is stripped.
    pub(crate) fn judge(&self) -> Result<Option<SealStep>, Reason> {
        match &self.received {
            Received::Opened { .. } => Ok(Some(SealStep::Opened)),
            Received::Stripped(reason) => Err(*reason),
            Received::Unsealed(_) if self.seals => Ok(Some(SealStep::Unsealed)),
            Received::Nothing | Received::Unsealed(_) => Ok(None),
        }
    }

    /// Returns the application's own value; `None` if it has not set one yet.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match &self.received {
            Received::Opened { opened, .. } => opened.value(),
            Received::Unsealed(value) => Some(value),
            Received::Nothing | Received::Stripped(_) => None,
        }
    }

    /// Returns true if `cookie` is the sealed one.
    pub(crate) fn is_of(&self, cookie: &DeclaredCookie) -> bool {
        self.cookie.name == cookie.name
    }

    /// Returns the cookie's name.
    pub(crate) fn name(&self) -> &[u8] {
        self.cookie.name.as_bytes()
    }

    /// Returns true if the cookie holds an agreement and no value of the application.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(&self.received, Received::Opened { opened, .. } if opened.value().is_none())
    }

    /// Returns true if the cookie was opened, so that the browser's pair is not the one that goes upstream.
    pub(crate) fn is_opened(&self) -> bool {
        matches!(self.received, Received::Opened { .. })
    }

    /// Returns true if the next response seals a value that was received unsealed (G3).
    pub(crate) fn is_to_be_sealed(&self) -> bool {
        self.seals
            && matches!(self.received, Received::Unsealed(value) if self.can_seal(value, false))
    }

    /// Returns true for the value of a pair that does not count, because another pair of the same name was opened.
    pub(crate) fn is_beside(&self, value: &[u8]) -> bool {
        matches!(&self.received, Received::Opened { sealed, .. } if !core::ptr::eq(*sealed, value))
    }

    /// Returns the holder, which identifies the events of this browser in the memory. It stays the same when the
    /// application sets another value.
    pub(crate) fn holder(&self) -> Option<Holder> {
        match &self.received {
            Received::Opened { opened, .. } => Some(opened.holder()),
            Received::Nothing | Received::Stripped(_) | Received::Unsealed(_) => None,
        }
    }

    /// Returns the agreement of the received cookie, which the outgoing one keeps.
    pub(crate) fn agreement(&self) -> Option<seal::Agreement> {
        match &self.received {
            Received::Opened { opened, .. } => opened.agreement(),
            Received::Nothing | Received::Stripped(_) | Received::Unsealed(_) => None,
        }
    }

    /// Returns an agreement to the current version, given at `unix_s`.
    pub(crate) fn agreement_at(&self, unix_s: u64) -> seal::Agreement {
        seal::Agreement { version: self.sealing.version, at_unix_s: unix_s }
    }

    /// Seals the new contents of the cookie; `None` if browsers would reject its size (G5).
    pub(crate) fn seal(
        &self,
        value: Option<&[u8]>,
        agreement: Option<seal::Agreement>,
        now_unix_s: u64,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Option<Vec<u8>> {
        let name = self.cookie.name.as_bytes();
        let holder = self.holder().unwrap_or_else(|| Holder(first_bytes(random())));
        let (scope, issued_unix_s) = (self.scope, now_unix_s);
        let contents = Contents { scope, issued_unix_s, holder, agreement, value };
        let sealed = self.sealing.ring.seal(name, &contents, random)?;
        fits(name, &sealed).then_some(sealed)
    }

    /// Returns true if the sealed cookie has room for this value, and for an agreement if `is_agreed`.
    fn can_seal(&self, value: &[u8], is_agreed: bool) -> bool {
        let sealed_len = KeyRing::sealed_len(self.scope.len(), value.len(), is_agreed);
        self.cookie.name.as_bytes().len().saturating_add(sealed_len) <= MAX_PAIR_BYTES
    }
}

/// Returns the first eight bytes.
fn first_bytes(bits: [u8; 32]) -> [u8; 8] {
    bits.first_chunk().copied().unwrap_or_default()
}

/// The largest number of pairs of the cookie's name that are tried. Browsers send one for each path and domain for which
/// the cookie was set.
const MAX_CANDIDATES: usize = 8;

/// The step that was taken, and the sealed value; `None` if the value leaves unsealed.
pub(crate) type Sealed = (SealStep, Option<Vec<u8>>);

#[cfg(test)]
mod tests;
