//! Which cookie may cross, in either direction, and how it leaves. The rules are those of `docs/policy.md`.
//!
//! **Pure**: bytes in, verdicts out. No clock, no randomness, no socket, no file, no `async`; the caller hands in the
//! time, random bits and the bounded memory of rule N4. Nothing here fails: an odd cookie is a verdict, not an error.
//! Where nothing changes, nothing is allocated.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

mod agreement;
pub mod asked;
mod cookie;
pub mod date;
pub mod declaration;
mod eviction;
mod renewal;
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
use sealing::{Mark, SealFacts};
use set_cookie::{Built, Received};
use superseded::Superseded;
use syntax::{parts, split_once};
use verdict::{Action, Direction, NotEvicted, NotRenewed, Reason, Verdict};

pub use syntax::{is_token, trim};

/// What one tenant's cookies are judged by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// What the operator has published (D).
    pub declaration: Arc<Declaration>,
    /// How long a session lives without use (D1).
    pub session: SessionDuration,
    /// Whether verdicts are carried out (T4).
    pub mode: Mode,
    /// How far evictions reach (E1).
    pub evict: EvictScope,
    /// Whether the session cookie is sealed, even if nobody is asked for anything (G1).
    pub seal: bool,
    /// Whether people are asked before cookies are used (G6).
    pub agreement: Agreement,
}

/// Whether verdicts are carried out, or only counted (T4).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Mode {
    /// Verdicts are carried out.
    #[default]
    Enforce,
    /// Verdicts are counted, and no byte of any cookie changes.
    Report,
}

/// Whether people are asked before cookies are used (G6).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Agreement {
    /// A banner tells those who have not agreed.
    Notice,
    /// Nobody is asked.
    #[default]
    Off,
    /// Nothing is set, and nothing but the question shown, before a person agrees.
    Required,
}

/// How far an eviction reaches (E1).
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

/// What the policy needs to know of a request, beside its cookies.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'r> {
    /// The method, as sent (case-sensitive).
    pub method: &'r str,
    /// The path of the target, without its query.
    pub path: &'r str,
    /// The host of the authority: lower case, no port.
    pub host: &'r str,
    /// Whether an `Accept` field of the request lists `text/html` (see [`accepts_html`]).
    pub accepts_html: bool,
    /// What sealed values are opened with; none where there are no keys.
    pub seal: Option<SealFacts<'r>>,
}

/// What goes upstream in place of the request's `Cookie` fields.
///
/// Its `Debug` shows no value (A3); nor does that of [`OutgoingSetCookie`].
#[derive(Clone, Eq, PartialEq)]
pub enum CookieField {
    /// One field with these bytes (R1, R6).
    Replaced(Vec<u8>),
    /// No `Cookie` field (R6).
    Removed,
    /// What came: one field of which every pair stays, or none (R6).
    Untouched,
}

/// What the policy needs to know of a final response, beside its cookies.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts {
    /// The status code.
    pub status: u16,
    /// The response's date in seconds since the Unix epoch (S2, N5).
    pub date_unix_s: u64,
    /// The time by the gateway's clock, in seconds since the Unix epoch: what is sealed is issued then (G2).
    pub now_unix_s: u64,
    /// Seconds on a clock that never goes back, for the memory of N4.
    pub uptime_s: u32,
    /// Whether a shared cache may store the response (N3; see [`may_be_shared`]).
    pub may_be_shared: bool,
}

/// A `Set-Cookie` field that leaves.
#[derive(Clone, Eq, PartialEq)]
pub enum OutgoingSetCookie {
    /// A field made here: rewritten, renewed, injected or evicting.
    Built(Vec<u8>),
    /// The upstream's field at this index, as it came.
    Kept(usize),
}

/// What goes downstream in place of the response's `Set-Cookie` fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetCookieFields {
    /// These fields, in this order.
    Replaced(Vec<OutgoingSetCookie>),
    /// What came.
    Untouched,
}

/// The memory and the chance that judging a response draws on.
pub struct Resources<'a> {
    /// The tenant's name: values are superseded within a tenant.
    pub tenant: &'a str,
    /// The bounded memory of N4.
    pub superseded: &'a Superseded,
    /// Fresh random bits for `inject = "random"` (N2).
    pub random: &'a mut dyn FnMut() -> [u8; 32],
}

impl Policy {
    /// Whether the session cookie is sealed (G1).
    pub fn seals(&self) -> bool {
        self.seal || self.agreement != Agreement::Off
    }

    /// Judges every pair of the request's `Cookie` fields, in order (R1 to R6), and hands each verdict to `record`.
    ///
    /// In report mode the verdicts are the same, and the outcome is `Untouched`, or the fields joined by `"; "` where
    /// there are several (one `Cookie` field is what HTTP/1.1 allows).
    pub fn judge_request<'r>(
        &'r self,
        request: RequestFacts<'r>,
        cookie_fields: impl IntoIterator<Item = &'r [u8]>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> (CookieField, JudgedRequest<'r>) {
        let fields: SmallVec<[&[u8]; 8]> = cookie_fields.into_iter().collect();
        let mark = Mark::find(self, request, &fields);
        let cookies = RequestCookies::judge(&self.declaration, mark, &fields, record);
        let outcome = cookies.outcome(self.mode, &fields);
        (outcome, JudgedRequest { policy: self, request, cookies })
    }
}

/// A request whose cookies were judged: the only thing that can judge its response.
pub struct JudgedRequest<'r> {
    policy: &'r Policy,
    request: RequestFacts<'r>,
    cookies: RequestCookies<'r>,
}

impl JudgedRequest<'_> {
    /// Judges the `Set-Cookie` fields of the final response (S), then renews (N) and evicts (E).
    ///
    /// `set_cookie_fields` are the upstream's, in order; an index of [`OutgoingSetCookie::Kept`] counts them from 0.
    /// They leave first, then renewals and injections in the declaration's order, then evictions.
    ///
    /// In report mode the verdicts are the same, and the outcome is `Untouched`. The memory of N4 is kept up then too:
    /// it is no byte of any cookie, what would be renewed depends on it, and a tenant that goes over to enforcing is
    /// not forgetful for its first minutes.
    pub fn judge_response<'s>(
        &self,
        response: ResponseFacts,
        set_cookie_fields: impl IntoIterator<Item = &'s [u8]>,
        resources: Resources<'_>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> SetCookieFields {
        self.explain_response(response, set_cookie_fields, resources, record, &mut |_, _| ())
    }

    /// The same, and tells `decline` why each of the declared cookies that the response neither renews nor injects is
    /// left alone, in the declaration's order.
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
            let received = Received::read(field, response.date_unix_s);
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

    /// The evicting `Set-Cookie` fields of an answer that the gateway gives itself (R8); empty for what is no
    /// navigation, and in report mode.
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

    /// Why nothing is evicted by this response, or, where there is none, by an answer of the gateway's own; none where
    /// undeclared names are (E1).
    pub fn declines_eviction(&self, response: Option<ResponseFacts>) -> Option<NotEvicted> {
        if self.policy.evict == EvictScope::Off {
            return Some(NotEvicted::Off);
        }
        if self.request.method != "GET" || !self.request.accepts_html {
            return Some(NotEvicted::NoNavigation);
        }
        // An upgrade is no page, and what a shared cache stores must not set one browser's cookies.
        response.and_then(|response| match response {
            ResponseFacts { status: ..200, .. } => Some(NotEvicted::Upgrade),
            ResponseFacts { may_be_shared: true, .. } => Some(NotEvicted::Shareable),
            ResponseFacts { .. } => None,
        })
    }

    /// Judges one field, and adds the bit of its name to `set`, whatever becomes of the field (N1).
    ///
    /// As in a request, the name is judged first: the reason says of an undeclared cookie that it is undeclared, and
    /// not how else it is odd.
    fn judge_set_cookie<'s>(
        &'s self,
        received: &Received<'s>,
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

    /// What the response does to a declared cookie that the upstream has not set itself (N), or why it does nothing.
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
            return Err(NotRenewed::Elsewhere); // except G3
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

    /// Renews or injects one cookie.
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

    /// What the response to a navigation evicts (E1), whatever the mode.
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

/// The fields that leave, listed from the first change on: where nothing changes nothing is allocated.
#[derive(Default)]
struct Outgoing {
    /// How many of the upstream's fields were judged.
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

/// Records a cookie that stands where none is allowed and is always removed: in trailers (R7, S5). Its verdict is
/// `Strip(Misplaced)`.
pub fn judge_misplaced_set_cookie(
    field: &[u8],
    date_unix_s: u64,
    record: &mut impl FnMut(Verdict<'_>),
) {
    let received = Received::read(field, date_unix_s);
    let action = Action::Strip(Reason::Misplaced);
    let verdict = Verdict::unasked(Direction::Response, received.name, action);
    record(Verdict { asked: Some(Asked::from(received.terms)), ..verdict });
}

/// The same for a `Cookie` field in the trailers of a request, pair by pair (R7).
pub fn judge_misplaced_cookie(field: &[u8], record: &mut impl FnMut(Verdict<'_>)) {
    cookie::judge_misplaced(field, record);
}

/// Bytes of a request's `Cookie` fields, as the one field that goes upstream would have them (R8).
pub fn cookie_bytes<'a>(cookie_fields: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let lengths = cookie_fields.into_iter().map(|field| field.len().saturating_add("; ".len()));
    lengths.fold(0, usize::saturating_add).saturating_sub("; ".len())
}

/// Whether one of these `Accept` fields lists `text/html` with a weight above zero (E1).
///
/// A wildcard does not: scripts and images send it too. A weight that is no number is none.
pub fn accepts_html<'a>(accept_fields: impl IntoIterator<Item = &'a [u8]>) -> bool {
    accept_fields.into_iter().flat_map(|field| field.split(|byte| *byte == b',')).any(|range| {
        let mut parts = parts(range);
        let is_html = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(b"text/html"));
        is_html && !parts.any(is_zero_weight)
    })
}

/// `q=0`, with up to any number of zeros behind its point (RFC 9110, section 12.4.2).
fn is_zero_weight(parameter: &[u8]) -> bool {
    match split_once(parameter, b'=') {
        Some((name, [b'0', rest @ ..])) if name.eq_ignore_ascii_case(b"q") => {
            matches!(rest, [] | [b'.', ..]) && rest.iter().all(|byte| matches!(byte, b'.' | b'0'))
        }
        _ => false,
    }
}

/// Whether these `Cache-Control` fields let a shared cache store the response: `public` or `s-maxage` (N3).
///
/// Commas split in quoted strings too, and nothing that stands beside the two takes them back: what is read here errs
/// to the side of not renewing.
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
