//! The cookie policy: decides which cookies may cross, in either direction, and with which attributes they leave. The
//! rules and their numbers are those of `docs/policy.md`.
//!
//! **Pure**: bytes in, verdicts out. The policy has no clock, no randomness, no I/O and no `async`; the caller passes in
//! the time, random bits and the bounded memory of rule N4. Judging never fails: an odd cookie gets a verdict, not an
//! error. Nothing is allocated where nothing changes.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

mod agreement;
pub mod asked;
mod cookie;
pub mod date;
pub mod declaration;
mod eviction;
mod renewal;
pub mod seal;
pub mod sealing;
mod set_cookie;
pub mod superseded;
mod syntax;
mod terms;
mod value;
pub mod verdict;

use std::{borrow::Cow, fmt, sync::Arc};

use smallvec::SmallVec;

use agreement::Sealed;
use asked::Asked;
use cookie::RequestCookies;
use declaration::{Declaration, DeclaredCookie, Inject, SessionDuration};
use eviction::Evictions;
use renewal::Renewal;
use sealing::{SealFacts, SealedSession};
use set_cookie::{Built, ReceivedSetCookie};
use superseded::Superseded;
use syntax::{parts, split_once};
use verdict::{Action, Direction, NotEvicted, NotRenewed, Reason, Verdict};

pub use syntax::{is_token, trim};

/// The settings that one tenant's cookies are judged by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// The published cookies (D).
    pub declaration: Arc<Declaration>,
    /// The time that a session lives without use (D1).
    pub session: SessionDuration,
    /// Enforcing or reporting (T4).
    pub mode: Mode,
    /// The reach of evictions (E1).
    pub evict: EvictScope,
    /// Seals the session cookie even if no agreement is asked for (G1). See [`Policy::seals`].
    pub seal: bool,
    /// The way in which people are asked for their agreement (G6).
    pub agreement: Agreement,
}

/// Enforcing or reporting (T4).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Mode {
    /// Verdicts are carried out.
    #[default]
    Enforce,
    /// Verdicts are only counted; no byte of any cookie changes.
    Report,
}

impl Mode {
    /// Both modes, in the order of the discriminants.
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Report];

    /// Returns the word in the configuration, the ledger and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Enforce => 1,
            Self::Report => 2,
        }
    }
}

/// The way in which people are asked for their agreement to the use of cookies (G6).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Agreement {
    /// People who have not agreed see a banner; nothing is held back.
    Notice,
    /// Nobody is asked.
    #[default]
    Off,
    /// Declared cookies are held back until a person agrees, and navigations are answered with the question.
    Required,
}

impl Agreement {
    /// Every way, in the order of the discriminants.
    pub const ALL: [Self; 3] = [Self::Notice, Self::Off, Self::Required];

    /// Returns the word in the configuration and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Off => "off",
            Self::Required => "required",
        }
    }
}

/// The reach of an eviction (E1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EvictScope {
    /// The host and each of its parents down to the registrable domain.
    Domain,
    /// The host alone.
    #[default]
    Host,
    /// Nothing is evicted.
    Off,
}

impl EvictScope {
    /// Every reach, in the order of the discriminants.
    pub const ALL: [Self; 3] = [Self::Domain, Self::Host, Self::Off];

    /// Returns the word in the configuration and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Host => "host",
            Self::Off => "off",
        }
    }
}

/// The facts about a request that the policy needs besides its cookies.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'r> {
    /// The method as sent (case-sensitive).
    pub method: &'r str,
    /// The path of the target without its query.
    pub path: &'r str,
    /// The host of the authority, in lower case and without a port.
    pub host: &'r str,
    /// True if an `Accept` field of the request lists `text/html` (see [`accepts_html`]).
    pub accepts_html: bool,
    /// The keys and rules for the sealed cookie; `None` if there are no keys.
    pub seal: Option<SealFacts<'r>>,
}

/// The replacement of the request's `Cookie` fields on the way upstream.
///
/// `Debug` shows no value (A3).
#[derive(Clone, Eq, PartialEq)]
pub enum CookieField {
    /// One field with these bytes (R1, R6).
    Replaced(Vec<u8>),
    /// No `Cookie` field (R6).
    Removed,
    /// The request's own fields: either none, or one whose pairs all stay (R6).
    Untouched,
}

/// The facts about a final response that the policy needs besides its cookies.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts {
    /// The status code.
    pub status: u16,
    /// The response's date in seconds since the Unix epoch (S2, N5).
    pub date_unix_s: u64,
    /// The time of the gateway's clock in seconds since the Unix epoch: the time of issue of a sealed cookie (G2).
    pub now_unix_s: u64,
    /// Seconds on a monotonic clock, for the memory of N4.
    pub uptime_s: u32,
    /// True if a shared cache may store the response (N3; see [`may_be_shared`]).
    pub may_be_shared: bool,
}

/// A `Set-Cookie` field on its way downstream.
///
/// `Debug` shows no value (A3).
#[derive(Clone, Eq, PartialEq)]
pub enum OutgoingSetCookie {
    /// A field that the policy has built: rewritten, renewed, injected or evicting.
    Built(Vec<u8>),
    /// The upstream's field at this index, unchanged.
    Kept(usize),
}

/// The replacement of the response's `Set-Cookie` fields on the way downstream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetCookieFields {
    /// These fields, in this order.
    Replaced(Vec<OutgoingSetCookie>),
    /// The response's own fields.
    Untouched,
}

/// The memory and the randomness that judging a response uses.
pub struct Resources<'a> {
    /// The tenant's name. A value is superseded within its tenant only.
    pub tenant: &'a str,
    /// The bounded memory of N4.
    pub superseded: &'a Superseded,
    /// Returns fresh random bits, for `inject = "random"` (N2) and for sealing (G2).
    pub random: &'a mut dyn FnMut() -> [u8; 32],
}

impl Policy {
    /// Returns true if the session cookie is sealed (G1).
    pub fn seals(&self) -> bool {
        self.seal || self.agreement != Agreement::Off
    }

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
}

/// A request whose cookies were judged. Only this value can judge the response.
pub struct JudgedRequest<'r> {
    policy: &'r Policy,
    request: RequestFacts<'r>,
    cookies: RequestCookies<'r>,
}

impl JudgedRequest<'_> {
    /// Judges the `Set-Cookie` fields of the final response (S), then renews (N) and evicts (E).
    ///
    /// `set_cookie_fields` are the upstream's fields, in order; the index of [`OutgoingSetCookie::Kept`] counts them
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
            let asked = Some(Asked::from(received.terms));
            let (direction, name) = (Direction::Response, received.name);
            record(Verdict { direction, name, action, asked, granted_s, seal });
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

    /// Builds the evicting `Set-Cookie` fields of a response that the gateway makes itself (R8). There are none in
    /// report mode, nor for a request that is not a navigation.
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
        // An upgrade is not a page, and a response that a shared cache stores must not set one browser's cookies.
        response.and_then(|response| match response {
            ResponseFacts { status: ..200, .. } => Some(NotEvicted::Upgrade),
            ResponseFacts { may_be_shared: true, .. } => Some(NotEvicted::Shareable),
            ResponseFacts { .. } => None,
        })
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
        let is_to_be_sealed = self.is_to_be_sealed(bit, response);
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
        let verdict = Verdict::unasked(Direction::Response, cookie.name.as_bytes(), renewal.action);
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
            record(Verdict::unasked(Direction::Response, name, Action::Evict));
        }
        evictions.fields
    }
}

impl fmt::Debug for CookieField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "Removed",
            Self::Replaced(_) => "Replaced(..)",
            Self::Untouched => "Untouched",
        })
    }
}

impl fmt::Debug for OutgoingSetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Built(_) => f.write_str("Built(..)"),
            Self::Kept(index) => f.debug_tuple("Kept").field(index).finish(),
        }
    }
}

/// The outgoing fields. The list begins with the first change, so nothing is allocated where nothing changes.
#[derive(Default)]
struct Outgoing {
    /// The number of upstream fields judged so far.
    judged: usize,
    list: Option<Vec<OutgoingSetCookie>>,
}

impl Outgoing {
    fn keep(&mut self) -> Action {
        let index = self.judged;
        if let Some(list) = &mut self.list {
            list.push(OutgoingSetCookie::Kept(index));
        }
        self.judged = index.saturating_add(1);
        Action::Keep
    }

    fn rewrite(&mut self, field: Vec<u8>) -> Action {
        self.add(field);
        self.judged = self.judged.saturating_add(1);
        Action::Rewrite
    }

    fn strip(&mut self, reason: Reason) -> Action {
        self.changed();
        self.judged = self.judged.saturating_add(1);
        Action::Strip(reason)
    }

    fn add(&mut self, field: Vec<u8>) {
        self.changed().push(OutgoingSetCookie::Built(field));
    }

    fn add_all(&mut self, fields: Vec<Vec<u8>>) {
        if !fields.is_empty() {
            self.changed().extend(fields.into_iter().map(OutgoingSetCookie::Built));
        }
    }

    fn changed(&mut self) -> &mut Vec<OutgoingSetCookie> {
        let kept = 0..self.judged;
        self.list.get_or_insert_with(|| kept.map(OutgoingSetCookie::Kept).collect())
    }

    fn finish(self) -> SetCookieFields {
        self.list.map_or(SetCookieFields::Untouched, SetCookieFields::Replaced)
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
    let verdict = Verdict::unasked(Direction::Response, received.name, action);
    record(Verdict { asked: Some(Asked::from(received.terms)), ..verdict });
}

/// Records the verdict `Strip(Misplaced)` on each pair of a `Cookie` field in the trailers of a request, where it is
/// always removed (R7).
pub fn judge_misplaced_cookie(field: &[u8], record: &mut impl FnMut(Verdict<'_>)) {
    cookie::judge_misplaced(field, record);
}

/// Counts the bytes of a request's `Cookie` fields once they are joined into one field (R8).
pub fn cookie_bytes<'a>(cookie_fields: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let lengths = cookie_fields.into_iter().map(|field| field.len().saturating_add("; ".len()));
    lengths.fold(0, usize::saturating_add).saturating_sub("; ".len())
}

/// Returns true if one of these `Accept` fields lists `text/html` with a weight above zero (E1).
///
/// A wildcard does not count, because scripts and images send it too. A weight that is not a number is ignored.
pub fn accepts_html<'a>(accept_fields: impl IntoIterator<Item = &'a [u8]>) -> bool {
    accept_fields.into_iter().flat_map(|field| field.split(|byte| *byte == b',')).any(|range| {
        let mut parts = parts(range);
        let is_html = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(b"text/html"));
        is_html && !parts.any(is_zero_weight)
    })
}

/// Recognises `q=0`, with any number of zeros after the point (RFC 9110, section 12.4.2).
fn is_zero_weight(parameter: &[u8]) -> bool {
    match split_once(parameter, b'=') {
        Some((name, [b'0', rest @ ..])) if name.eq_ignore_ascii_case(b"q") => {
            matches!(rest, [] | [b'.', ..]) && rest.iter().all(|byte| matches!(byte, b'.' | b'0'))
        }
        _ => false,
    }
}

/// Returns true if these `Cache-Control` fields let a shared cache store the response: `public` or `s-maxage` (N3).
///
/// Commas inside quoted strings split too, and no other directive revokes these two. In doubt the response counts as
/// shareable, so that nothing is renewed.
pub fn may_be_shared<'a>(cache_control_fields: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let directives =
        cache_control_fields.into_iter().flat_map(|field| field.split(|byte| *byte == b','));
    directives.map(trim).any(|directive| {
        let name = split_once(directive, b'=').map_or(directive, |(name, _)| trim(name));
        name.eq_ignore_ascii_case(b"public") || name.eq_ignore_ascii_case(b"s-maxage")
    })
}

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod tests {
    use super::{fixture::Exchange, *};

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
    fn r8_cookies_are_as_large_as_the_one_field_that_they_make() {
        let fields: [&[u8]; 3] = [b"a=1", b"", b"b=2"];
        assert_eq!(cookie_bytes(fields), "a=1; ; b=2".len());
        assert_eq!((cookie_bytes([&b"a=1"[..]]), cookie_bytes([])), (3, 0));
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

    #[test]
    fn e1_accept_lists_text_html() {
        for (field, expected) in [
            ("text/html", true),
            ("TEXT/HTML;q=0.1", true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, text/html ; level=1", true),
            ("text/html;q=0, text/html", true),
            ("text/html;q=1.000", true),
            ("text/html;q=0", false),
            ("text/html; Q=0.000", false),
            ("text/html;level=1;q=0.", false),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
            ("text/html5", false),
            ("", false),
        ] {
            assert_eq!(accepts_html([field.as_bytes()]), expected, "{field}");
        }
        assert!(accepts_html([&b"image/png"[..], b"text/html"]));
        assert!(!accepts_html([]));
    }

    #[test]
    fn n3_cache_control_lets_a_shared_cache_store() {
        for (field, expected) in [
            ("public", true),
            ("max-age=60, Public", true),
            ("S-MaxAge=60", true),
            ("s-maxage=60", true),
            ("s-maxage = 60", true),
            ("private, max-age=60", false),
            ("no-cache, private", false),
            ("x-public", false),
            ("", false),
        ] {
            assert_eq!(may_be_shared([field.as_bytes()]), expected, "{field}");
        }
        assert!(may_be_shared([&b"max-age=1"[..], b"public"]));
    }
}
