//! Reads `Cookie` and decides, pair by pair, what goes upstream (rules R1 to R6).
//!
//! The field is split at every `;`, inside quotes too. A legacy parser that reads `a="x; flexopus_session=1"` as one
//! value therefore meets two pairs here, each judged by its own name: no quoting can smuggle a cookie past the
//! declaration. A part of nothing but white space is no cookie and gets no verdict.

use smallvec::SmallVec;

use super::{
    CookieField, Mode,
    declaration::Declaration,
    sealing::Mark,
    syntax::{is_cookie_value, is_token, parts, split_once},
    verdict::{Action, Direction, Reason, SealStep, Verdict},
};

/// The cookies of one request, judged; borrowed from its fields.
pub(super) struct RequestCookies<'r> {
    declaration: &'r Declaration,
    /// The sealed one (G), where there is anything to seal with.
    pub(super) mark: Option<Mark<'r>>,
    /// What goes upstream, in order; each declared name at most once.
    kept: SmallVec<[KeptPair<'r>; 4]>,
    /// What would go upstream, had anybody agreed (G6).
    held: Vec<KeptPair<'r>>,
    /// The bits of the declared names that came.
    seen: u64,
    /// The bits of the declared names that came more than once (N6).
    pub(super) duplicated: u64,
    /// Whether what goes upstream is not what came: a pair was stripped, or opened.
    is_changed: bool,
    /// Undeclared names that may be echoed (E2), repeated as they came; the first [`MAX_UNDECLARED`] of them.
    pub(super) undeclared: Vec<&'r [u8]>,
}

/// A declared pair that goes upstream.
struct KeptPair<'r> {
    bit: u64,
    pair: &'r [u8],
    value: &'r [u8],
}

/// More undeclared pairs than this are not remembered for eviction: browsers keep fewer cookies for one site.
const MAX_UNDECLARED: usize = 256;

impl<'r> RequestCookies<'r> {
    /// Judges each pair of these fields, in order, and hands each verdict to `record`.
    pub(super) fn judge(
        declaration: &'r Declaration,
        mark: Option<Mark<'r>>,
        fields: &[&'r [u8]],
        record: &mut impl FnMut(Verdict<'_>),
    ) -> Self {
        let mut cookies = Self {
            declaration,
            mark,
            kept: SmallVec::new(),
            held: Vec::new(),
            seen: 0,
            duplicated: 0,
            is_changed: false,
            undeclared: Vec::new(),
        };
        for part in fields.iter().flat_map(|field| parts(field)).filter(|part| !part.is_empty()) {
            let (name, outcome) = cookies.judge_part(part);
            let action = match outcome {
                Ok(_) => Action::Keep,
                Err(reason) => Action::Strip(reason),
            };
            let verdict = Verdict::unasked(Direction::Request, name, action);
            record(Verdict { seal: outcome.ok().flatten(), ..verdict });
        }
        cookies
    }

    /// The name of one part of a field, as it stood between two semicolons; and what its seal has to do with it that it
    /// is kept, or why it is stripped.
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
            if self.undeclared.len() < MAX_UNDECLARED && is_token(name) {
                self.undeclared.push(name);
            }
            return Err(Reason::Undeclared); // R2
        };
        if self.mark_of(bit).is_some_and(|mark| mark.is_beside(value)) {
            return Err(Reason::Duplicate); // R3, as G2 has it
        }
        if self.seen & bit != 0 {
            self.duplicated |= bit;
            return Err(Reason::Duplicate); // R3
        }
        self.seen |= bit;
        if !is_cookie_value(value) {
            return Err(Reason::Malformed); // R5
        }
        let Some(mark) = &self.mark else {
            self.kept.push(KeptPair { bit, pair, value });
            return Ok(None);
        };
        let seal = if bit == mark.bit { mark.judge()? } else { None }; // G4
        if mark.holds_back() {
            self.held.push(KeptPair { bit, pair, value });
            return Err(Reason::BeforeAgreement); // G6
        }
        self.is_changed |= bit == mark.bit && mark.is_opened();
        self.kept.push(KeptPair { bit, pair, value });
        Ok(seal)
    }

    /// The value that the browser sent of the declared cookie with this bit; none where no usable pair came.
    /// The application's own value, of the sealed one (G2).
    pub(super) fn value(&self, bit: u64) -> Option<&[u8]> {
        let kept = self.kept.iter().find(|kept| kept.bit == bit)?;
        match self.mark_of(bit) {
            Some(mark) => mark.value(),
            None => Some(kept.value),
        }
    }

    /// Whether the browser has sent an agreement, and no value of the application, in the declared cookie with this bit.
    pub(super) fn is_alone(&self, bit: u64) -> bool {
        self.mark_of(bit).is_some_and(Mark::is_alone)
            && self.kept.iter().any(|kept| kept.bit == bit)
    }

    /// The seal of the declared cookie with this bit.
    pub(super) fn mark_of(&self, bit: u64) -> Option<&Mark<'r>> {
        self.mark.as_ref().filter(|mark| mark.bit == bit)
    }

    /// What tells the application whose session ends (G7): what goes upstream, or would.
    pub(super) fn farewell(&self) -> Option<Vec<u8>> {
        self.joined(self.kept.iter().chain(&self.held))
    }

    /// These pairs as one field; what was sealed is opened (G2). None where nothing is left.
    fn joined<'k>(&self, pairs: impl Iterator<Item = &'k KeptPair<'k>>) -> Option<Vec<u8>> {
        let mut field = Vec::new();
        for kept in pairs {
            let opened = self.mark_of(kept.bit).filter(|mark| mark.is_opened());
            let (name, value) = match opened {
                None => (kept.pair, None),
                Some(mark) => match mark.value() {
                    None => continue,
                    Some(value) => (mark.name(), Some(value)),
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

    /// What goes upstream in place of `fields`, those that were judged (R1, R6, T4).
    ///
    /// A field without any pair is one of which none stays.
    pub(super) fn outcome(&self, mode: Mode, fields: &[&[u8]]) -> CookieField {
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

/// Name and value of a pair; none where it has no name (R4).
pub(super) fn read_pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    split_once(part, b'=').filter(|(name, _)| !name.is_empty())
}

/// Records each pair of a field that stands where none is allowed (R7).
pub(super) fn judge_misplaced(field: &[u8], record: &mut impl FnMut(Verdict<'_>)) {
    for part in parts(field).filter(|part| !part.is_empty()) {
        let name = read_pair(part).map_or(&b""[..], |(name, _)| name);
        let action = Action::Strip(Reason::Misplaced);
        record(Verdict::unasked(Direction::Request, name, action));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::Exchange, *};

    /// What goes upstream of these fields.
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
