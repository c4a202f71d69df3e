//! Reads `Cookie` and decides, pair by pair, what goes upstream (rules R1 to R6).
//!
//! The field is split at every `;`, inside quotes too. A legacy parser that reads `a="x; flexopus_session=1"` as one
//! value therefore becomes two pairs here, each judged by its own name: quotes can't smuggle a cookie past the
//! declaration. A part that contains only white space is not a cookie and gets no verdict. Of a request with more parts than
//! any browser sends, the first ones are judged one by one, and the others are counted (R8).

use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::{
    declaration::Declaration,
    exchange::CookieField,
    policy::Mode,
    session::SealedSession,
    syntax::{is_cookie_value, is_token, parts, read_pair},
    verdict::{Action, Direction, Reason, SealStep, Verdict},
};

/// The judged cookies of one request, borrowed from its fields.
pub(crate) struct RequestCookies<'r> {
    declaration: &'r Declaration,
    /// The sealed session cookie (G); `None` if there are no keys.
    pub(crate) session: Option<SealedSession<'r>>,
    /// The pairs that go upstream, in order; each declared name at most once.
    kept: SmallVec<[KeptPair<'r>; 4]>,
    /// The pairs that are held back because the person has not agreed (G6).
    held: Vec<KeptPair<'r>>,
    /// The bits of the declared names that were received.
    pub(crate) seen: u64,
    /// The bits of the declared names that were received more than once (N6).
    pub(crate) duplicated: u64,
    /// True if a pair was stripped or opened, so that the outgoing field differs from the received one.
    is_changed: bool,
    /// The undeclared names that may be echoed (E2), with repetitions.
    pub(crate) undeclared: Vec<&'r [u8]>,
}

/// A declared pair that goes upstream.
struct KeptPair<'r> {
    bit: u64,
    pair: &'r [u8],
    value: &'r [u8],
}

/// The largest number of parts of a request's fields that are judged one by one (R8). Browsers store at most 180 cookies for a
/// site.
const MAX_PARTS: usize = 200;

/// Returns the parts of a request's fields that are judged one by one, in order.
pub(crate) fn judged_parts<'f, 'r>(fields: &'f [&'r [u8]]) -> impl Iterator<Item = &'r [u8]> + 'f {
    fields.iter().flat_map(|field| parts(field)).take(MAX_PARTS).filter(|part| !part.is_empty())
}

/// Counts the parts of a request's fields that are not judged one by one.
fn count_excess(fields: &[&[u8]]) -> u32 {
    let parts = |field: &&[u8]| memchr::memchr_iter(b';', field).count().saturating_add(1);
    let all = fields.iter().map(parts).fold(0, usize::saturating_add);
    u32::try_from(all.saturating_sub(MAX_PARTS)).unwrap_or(u32::MAX)
}

/// Records one verdict on all parts that are not judged one by one. Returns true if there are any.
fn record_excess(fields: &[&[u8]], record: &mut impl FnMut(Verdict<'_>)) -> bool {
    let count = count_excess(fields);
    if count > 0 {
        let verdict = Verdict::new(Direction::Request, b"", Action::Strip(Reason::Excess));
        record(Verdict { count, ..verdict });
    }
    count > 0
}

/// Makes one field of a request's fields that is judged like them and is short, and records the verdict on what it leaves
/// out: the undeclared pairs have lost their values, and the parts that are not judged one by one are gone (R8).
pub(crate) fn shorten(
    declaration: &Declaration,
    fields: &[&[u8]],
    record: &mut impl FnMut(Verdict<'_>),
) -> Vec<u8> {
    let mut short = Vec::new();
    for part in judged_parts(fields) {
        if !short.is_empty() {
            short.extend_from_slice(SEPARATOR);
        }
        match read_pair(part) {
            Some((name, _)) if declaration.find(name).is_none() => {
                short.extend_from_slice(name);
                short.push(b'=');
            }
            Some(_) => short.extend_from_slice(part),
            None => short.push(b'='),
        }
    }
    record_excess(fields, record);
    short
}

impl<'r> RequestCookies<'r> {
    /// Judges each pair of these fields, in order, and passes each verdict to `record`.
    pub(crate) fn judge(
        declaration: &'r Declaration,
        session: Option<SealedSession<'r>>,
        fields: &[&'r [u8]],
        record: &mut impl FnMut(Verdict<'_>),
    ) -> Self {
        let mut cookies = Self {
            declaration,
            session,
            kept: SmallVec::new(),
            held: Vec::new(),
            seen: 0,
            duplicated: 0,
            is_changed: false,
            undeclared: Vec::new(),
        };
        for part in judged_parts(fields) {
            let (name, outcome) = cookies.judge_part(part);
            let action = match outcome {
                Ok(_) => Action::Keep,
                Err(reason) => Action::Strip(reason),
            };
            let verdict = Verdict::new(Direction::Request, name, action);
            record(Verdict { seal: outcome.ok().flatten(), ..verdict });
        }
        cookies.is_changed |= record_excess(fields, record);
        cookies
    }

    /// Judges one part of a field, between two semicolons. Returns its name, and either the step of its seal or the
    /// reason why it is stripped.
    fn judge_part(&mut self, part: &'r [u8]) -> (&'r [u8], Result<Option<SealStep>, Reason>) {
        let (name, outcome) = match read_pair(part) {
            Some((name, value)) => (name, self.judge_pair(part, name, value)),
            None => (&b""[..], Err(Reason::Nameless)), // R4
        };
        self.is_changed |= outcome.is_err();
        (name, outcome)
    }

    fn judge_pair(
        &mut self,
        pair: &'r [u8],
        name: &'r [u8],
        value: &'r [u8],
    ) -> Result<Option<SealStep>, Reason> {
        let Some((bit, _)) = self.declaration.find(name) else {
            if is_token(name) {
                self.undeclared.push(name);
            }
            return Err(Reason::Undeclared); // R2
        };
        if self.session_of(bit).is_some_and(|session| session.is_beside(value)) {
            return Err(Reason::Duplicate); // R3 with the exception of G2
        }
        if self.seen & bit != 0 {
            self.duplicated |= bit;
            return Err(Reason::Duplicate); // R3
        }
        self.seen |= bit;
        if !is_cookie_value(value) {
            return Err(Reason::Malformed); // R5
        }
        let Some(session) = &self.session else {
            self.kept.push(KeptPair { bit, pair, value });
            return Ok(None);
        };
        let seal = if bit == session.bit { session.judge()? } else { None }; // G4
        if session.holds_back() {
            self.held.push(KeptPair { bit, pair, value });
            return Err(Reason::BeforeAgreement); // G6
        }
        self.is_changed |= bit == session.bit && session.is_opened();
        self.kept.push(KeptPair { bit, pair, value });
        Ok(seal)
    }

    /// Returns the value that the browser sent for the declared cookie with this bit; `None` if no usable pair was
    /// received. For the sealed cookie it is the application's own value (G2).
    pub(crate) fn value(&self, bit: u64) -> Option<&[u8]> {
        let kept = self.kept.iter().find(|kept| kept.bit == bit)?;
        match self.session_of(bit) {
            Some(session) => session.value(),
            None => Some(kept.value),
        }
    }

    /// Returns true if the declared cookie with this bit holds an agreement and no value of the application.
    pub(crate) fn is_alone(&self, bit: u64) -> bool {
        self.session_of(bit).is_some_and(SealedSession::is_alone)
            && self.kept.iter().any(|kept| kept.bit == bit)
    }

    /// Returns the sealed session if the declared cookie with this bit is the sealed one.
    pub(crate) fn session_of(&self, bit: u64) -> Option<&SealedSession<'r>> {
        self.session.as_ref().filter(|session| session.bit == bit)
    }

    /// Builds the `Cookie` field of a logout request (G7): the kept pairs and those that are held back.
    pub(crate) fn logout_cookie(&self) -> Option<Vec<u8>> {
        self.joined(self.kept.iter().chain(&self.held))
    }

    /// Joins these pairs into one field, with the application's value of a sealed one (G2). `None` if no pair is left.
    fn joined<'k>(&self, pairs: impl Iterator<Item = &'k KeptPair<'k>> + Clone) -> Option<Vec<u8>> {
        let bytes = |kept: &KeptPair<'_>| kept.pair.len().saturating_add(SEPARATOR.len());
        let mut field = Vec::with_capacity(pairs.clone().map(bytes).sum());
        for kept in pairs {
            let opened = self.session_of(kept.bit).filter(|session| session.is_opened());
            let (name, value) = match opened {
                None => (kept.pair, None),
                Some(session) => match session.value() {
                    None => continue,
                    Some(value) => (session.name(), Some(value)),
                },
            };
            if !field.is_empty() {
                field.extend_from_slice(SEPARATOR);
            }
            field.extend_from_slice(name);
            for piece in value.into_iter().flat_map(|value| [&b"="[..], value]) {
                field.extend_from_slice(piece);
            }
        }
        Some(field).filter(|field| !field.is_empty())
    }

    /// Returns the replacement of the judged `fields` (R1, R6, T4). A field without any pair is removed.
    pub(crate) fn outcome(&self, mode: Mode, fields: &[&[u8]]) -> CookieField {
        match (mode, fields) {
            (_, []) | (Mode::Report, [_]) => CookieField::Untouched,
            (Mode::Report, several) => CookieField::Replaced(several.join(SEPARATOR)),
            (Mode::Enforce, _) if self.kept.is_empty() => CookieField::Removed,
            (Mode::Enforce, [_]) if !self.is_changed => CookieField::Untouched,
            (Mode::Enforce, _) => {
                self.joined(self.kept.iter()).map_or(CookieField::Removed, CookieField::Replaced)
            }
        }
    }
}

const SEPARATOR: &[u8] = b"; ";

/// Records the verdict `Strip(Misplaced)` on each pair of a `Cookie` field in the trailers of a request, where it is
/// always removed (R7).
pub fn judge_misplaced_cookie(field: &[u8], record: &mut impl FnMut(Verdict<'_>)) {
    for part in parts(field).filter(|part| !part.is_empty()) {
        let name = read_pair(part).map_or(&b""[..], |(name, _)| name);
        let action = Action::Strip(Reason::Misplaced);
        record(Verdict::new(Direction::Request, name, action));
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::fixture::Exchange;

    /// Judges a request with these fields, and returns the outgoing field.
    fn upstream(fields: &[&str]) -> CookieField {
        fields
            .iter()
            .fold(Exchange::of("GET", "/"), |exchange, field| exchange.sends(field))
            .upstream()
            .0
    }

    fn replaced(field: &str) -> CookieField {
        CookieField::Replaced(field.as_bytes().to_vec())
    }

    #[test]
    fn r1_several_fields_are_one_list() {
        let fields = ["XSRF-TOKEN=t; _ga=1", "", "flexopus_session=s"];
        assert_eq!(upstream(&fields), replaced("XSRF-TOKEN=t; flexopus_session=s"));
        assert_eq!(upstream(&["_ga=1", "b=2"]), CookieField::Removed);
        assert_eq!(upstream(&[]), CookieField::Untouched);
    }

    #[test]
    fn r2_only_declared_names_go_through_byte_for_byte() {
        for name in [
            "Flexopus_Session",
            "FLEXOPUS_SESSION",
            "flexopus.session",
            "flexopus%5Fsession",
            "flexopus session",
            "flexopus_session[]",
            "flexopus[session",
            "flexopus_session ",
            "flexopus_session\t",
            "__Host-flexopus_session",
            "flexopus_session2",
            "xflexopus_session",
            "xsrf-token",
            "$Version",
            "\"flexopus_session\"",
            "flexopus_session\u{0}",
            "a,flexopus_session",
            "\u{feff}flexopus_session",
            "flexopus_session\u{a0}",
        ] {
            let field = format!("{name}=evil");
            let (outcome, verdicts) = Exchange::of("GET", "/").sends(&field).upstream();
            assert_eq!(outcome, CookieField::Removed, "{name}");
            assert_eq!(verdicts, [(name.to_owned(), Action::Strip(Reason::Undeclared))]);
        }
        let rfc_2965 = "$Version=1; flexopus_session=c; $Path=/";
        assert_eq!(upstream(&[rfc_2965]), replaced("flexopus_session=c"));
        assert_eq!(upstream(&["a=b,flexopus_session=c"]), CookieField::Removed);
    }

    #[test]
    fn r3_duplicate_names_keep_the_first() {
        assert_eq!(
            upstream(&["flexopus_session=1; flexopus_session=2"]),
            replaced("flexopus_session=1")
        );
        assert_eq!(
            upstream(&["flexopus_session=1", "flexopus_session=1"]),
            replaced("flexopus_session=1")
        );
        let malformed_first = "flexopus_session=a b; flexopus_session=2; XSRF-TOKEN=t";
        let (outcome, verdicts) = Exchange::of("GET", "/").sends(malformed_first).upstream();
        assert_eq!(outcome, replaced("XSRF-TOKEN=t"));
        let actions: Vec<_> = verdicts.into_iter().map(|(_, action)| action).collect();
        let strip = Action::Strip;
        assert_eq!(actions, [strip(Reason::Malformed), strip(Reason::Duplicate), Action::Keep]);
    }

    #[test]
    fn r8_200_parts_are_judged_and_the_others_counted() {
        let names = |count: usize| (0..count).map(|n| format!("n{n}=1; ")).collect::<String>();
        let (outcome, verdicts) = Exchange::of("GET", "/").sends(&names(199)).upstream();
        assert_eq!((outcome, verdicts.len()), (CookieField::Removed, 199));
        let sent = names(150) + "flexopus_session=s";
        let exchange =
            Exchange::of("GET", "/").sends(&sent).sends(&names(50)).sends("XSRF-TOKEN=t");
        let (outcome, verdicts) = exchange.upstream();
        assert_eq!(outcome, replaced("flexopus_session=s"));
        let (name, action) = verdicts.last().unwrap();
        assert_eq!((verdicts.len(), &**name), (201, ""));
        assert_eq!(*action, Action::Strip(Reason::Excess));
        assert_eq!(count_excess(&[names(150).as_bytes(), names(50).as_bytes(), b"a=1"]), 3);
        assert_eq!(count_excess(&[b"a=1", b""]), 0);
    }

    proptest! {
        #[test]
        fn r8_short_fields_are_judged_like_the_long_ones(
            fields in vec("((|_ga|flexopus_session|XSRF-TOKEN| a b)(|=|=[a-z =\\\"\u{e4}]{0,9})(; ?|;;)?){0,90}", 0..4),
        ) {
            let declaration = Declaration::flexopus();
            let judge = |fields: &[&[u8]], mut verdicts: Vec<(String, Action, u32)>| {
                let mut record = |verdict: Verdict<'_>| {
                    let name = String::from_utf8_lossy(verdict.name).into_owned();
                    verdicts.push((name, verdict.action, verdict.count));
                };
                let cookies = RequestCookies::judge(&declaration, None, fields, &mut record);
                let upstream = match cookies.outcome(Mode::Enforce, fields) {
                    CookieField::Removed => None,
                    CookieField::Replaced(field) => Some(field),
                    CookieField::Untouched => fields.first().map(|field| field.to_vec()),
                };
                let undeclared: Vec<_> =
                    cookies.undeclared.iter().map(|name| name.to_vec()).collect();
                verdicts.sort_by(|one, other| format!("{one:?}").cmp(&format!("{other:?}")));
                (upstream, undeclared, cookies.seen, cookies.duplicated, verdicts)
            };
            let fields: Vec<&[u8]> = fields.iter().map(String::as_bytes).collect();
            let mut verdicts = Vec::new();
            let short = shorten(&declaration, &fields, &mut |verdict: Verdict<'_>| {
                verdicts.push((String::new(), verdict.action, verdict.count));
            });
            prop_assert!(short.len() <= fields.concat().len().saturating_add(400));
            let (upstream, undeclared, seen, duplicated, of_short) = judge(&[&short], verdicts);
            let long = judge(&fields, Vec::new());
            let upstream = upstream.filter(|field| !field.is_empty());
            let expected = long.0.filter(|field| !field.trim_ascii().is_empty());
            prop_assert_eq!(upstream.map(|field| read_all(&field)), expected.map(|field| read_all(&field)));
            prop_assert_eq!((undeclared, seen, duplicated, of_short), (long.1, long.2, long.3, long.4));
        }
    }

    /// The pairs of a field.
    fn read_all(field: &[u8]) -> Vec<Vec<u8>> {
        parts(field).filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn r4_pairs_without_a_name_are_stripped_and_never_shown() {
        for part in ["flexopus_session", "=flexopus_session=z", "=", " = x", "secret text"] {
            let (outcome, verdicts) = Exchange::of("GET", "/").sends(part).upstream();
            assert_eq!(outcome, CookieField::Removed, "{part}");
            assert_eq!(verdicts, [(String::new(), Action::Strip(Reason::Nameless))]);
        }
    }

    #[test]
    fn r5_values_are_cookie_octets() {
        for (value, stays) in [
            ("", true),
            ("\"quoted\"", true),
            ("eyJpdiI6Im%3D%3D", true),
            ("a=b=c", true),
            ("a b", false),
            ("a,b", false),
            ("a\\b", false),
            ("\"", false),
            ("\"a", false),
            ("a\"b", false),
            (" a", false),
            ("a\tb", false),
            ("a\u{0}b", false),
            ("a\r\nb", false),
            ("ä", false),
        ] {
            let field = format!("flexopus_session={value}");
            let expected = if stays { CookieField::Untouched } else { CookieField::Removed };
            assert_eq!(upstream(&[&field]), expected, "{value:?}");
        }
    }

    #[test]
    fn r5_quotes_smuggle_nothing() {
        let field = "flexopus_session=good; _ga=\"x; flexopus_session=evil\"; b=\"; XSRF-TOKEN=t\"";
        assert_eq!(upstream(&[field]), replaced("flexopus_session=good"));
        assert_eq!(
            upstream(&["_ga=\"x; flexopus_session=open"]),
            replaced("flexopus_session=open")
        );
    }

    #[test]
    fn r6_what_stays_keeps_its_order_and_bytes() {
        assert_eq!(
            upstream(&["  flexopus_session=\"b\"  ;_ga=1;\tXSRF-TOKEN=a%3D"]),
            replaced("flexopus_session=\"b\"; XSRF-TOKEN=a%3D")
        );
        for untouched in [
            "XSRF-TOKEN=a; flexopus_session=b",
            "XSRF-TOKEN=a;;flexopus_session=b ; ",
            ";XSRF-TOKEN=",
        ] {
            assert_eq!(upstream(&[untouched]), CookieField::Untouched, "{untouched}");
        }
        for empty in ["", ";", " ; \t"] {
            let (outcome, verdicts) = Exchange::of("GET", "/").sends(empty).upstream();
            assert_eq!((outcome, verdicts), (CookieField::Removed, Vec::new()), "{empty:?}");
        }
    }
}
