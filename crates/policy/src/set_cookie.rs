//! Reads `Set-Cookie` as a browser reads it, and builds it anew from the declaration (rules S1 to S7).
//!
//! The reader follows RFC 6265bis, section 5.6. Only three attributes (`terms.rs`) affect the result: `Max-Age` and
//! `Expires`, which indicate a deletion, and `SameSite`, because a stricter one stays.

use alloc::{borrow::Cow, vec::Vec};

use crate::{
    date::ImfFixdate,
    declaration::{DeclaredCookie, SameSite},
    limits::fits,
    syntax::{has_control_byte, split_once, trim},
    terms::Terms,
    verdict::Reason,
};

/// A field that the upstream sent, split but not yet judged.
#[derive(Clone, Copy)]
pub(crate) struct ReceivedSetCookie<'f> {
    field: &'f [u8],
    /// Empty if the cookie has no name.
    pub(crate) name: &'f [u8],
    pub(crate) value: &'f [u8],
    pub(crate) terms: Terms,
}

impl<'f> ReceivedSetCookie<'f> {
    /// Splits a field that was received at `date_unix_s`.
    pub(crate) fn read(field: &'f [u8], date_unix_s: u64) -> Self {
        let (pair, attributes) = split_once(field, b';').unwrap_or((field, b""));
        let (name, value) = split_once(pair, b'=').unwrap_or((b"", pair));
        let terms = Terms::read(attributes, date_unix_s);
        Self { field, name: trim(name), value: trim(value), terms }
    }

    /// Checks that a browser would store the cookie, apart from its name (S6).
    pub(crate) fn check(&self) -> Result<(), Reason> {
        if has_control_byte(self.field) {
            return Err(Reason::Malformed);
        }
        if !fits(self.name, self.value) {
            return Err(Reason::Oversize);
        }
        Ok(())
    }
}

/// A declared cookie on its way downstream: the value, and the declaration's attributes (S2).
pub(crate) struct Built<'a> {
    pub(crate) cookie: &'a DeclaredCookie,
    pub(crate) value: Cow<'a, [u8]>,
    /// `None` if the browser must delete the cookie.
    lifetime_s: Option<u32>,
    expires: ImfFixdate,
    same_site: SameSite,
}

impl<'a> Built<'a> {
    /// Builds a cookie that lives for `lifetime_s` seconds from `date_unix_s`.
    pub(crate) fn living(
        cookie: &'a DeclaredCookie,
        value: Cow<'a, [u8]>,
        lifetime_s: u32,
        date_unix_s: u64,
    ) -> Self {
        let expires = ImfFixdate::new(date_unix_s.saturating_add(u64::from(lifetime_s)));
        Self { cookie, value, lifetime_s: Some(lifetime_s), expires, same_site: cookie.same_site }
    }

    /// Builds a cookie that the browser deletes.
    pub(crate) fn deleted(cookie: &'a DeclaredCookie) -> Self {
        let (value, same_site) = (Cow::Borrowed(&b""[..]), cookie.same_site);
        Self { cookie, value, lifetime_s: None, expires: ImfFixdate::EPOCH, same_site }
    }

    /// Builds the cookie that the upstream sets or deletes (S2 to S4).
    pub(crate) fn from_received(
        received: &ReceivedSetCookie<'a>,
        cookie: &'a DeclaredCookie,
        lifetime_s: u32,
        date_unix_s: u64,
    ) -> Self {
        let mut built =
            Self::living(cookie, Cow::Borrowed(received.value), lifetime_s, date_unix_s);
        if received.terms.deletes() {
            built.lifetime_s = None;
            built.expires = ImfFixdate::EPOCH;
        }
        if received.terms.is_strict {
            built.same_site = SameSite::Strict;
        }
        built
    }

    /// Returns the value; `None` if the browser must delete the cookie.
    pub(crate) fn living_value(&self) -> Option<&[u8]> {
        self.lifetime_s.map(|_| &*self.value)
    }

    /// Returns the lifetime in seconds; 0 if the browser must delete the cookie.
    pub(crate) fn granted_s(&self) -> u32 {
        self.lifetime_s.unwrap_or(0)
    }

    /// Returns the bytes of the field.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.pieces(&mut itoa::Buffer::new()).concat()
    }

    /// Returns true if `field` has exactly these bytes. Allocates nothing.
    pub(crate) fn is(&self, field: &[u8]) -> bool {
        let mut number = itoa::Buffer::new();
        let mut rest = Some(field);
        for piece in self.pieces(&mut number) {
            rest = rest.and_then(|rest| rest.strip_prefix(piece));
        }
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// Returns the pieces of the field, in the order of rule S2.
    fn pieces<'p>(&'p self, number: &'p mut itoa::Buffer) -> [&'p [u8]; 13] {
        let domain = self.cookie.domain.as_ref();
        [
            self.cookie.name.as_bytes(),
            b"=",
            &*self.value,
            b"; Max-Age=",
            number.format(self.lifetime_s.unwrap_or(0)).as_bytes(),
            b"; Expires=",
            self.expires.as_bytes(),
            b"; Path=",
            self.cookie.path.as_bytes(),
            domain.map_or(&b""[..], |_| b"; Domain="),
            domain.map_or(b"", |domain| domain.as_bytes()),
            if self.cookie.http_only { b"; Secure; HttpOnly" } else { b"; Secure" },
            match self.same_site {
                SameSite::Lax => b"; SameSite=Lax",
                SameSite::None => b"; SameSite=None",
                SameSite::Strict => b"; SameSite=Strict",
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        declaration::Declaration,
        exchange::SetCookieFields,
        fixture::{DELETED, Exchange, LIVING},
        verdict::Action,
    };

    /// Returns the outgoing fields of a response with these fields, and the verdicts.
    fn downstream(fields: &[&str]) -> (Vec<String>, Vec<Action>) {
        let answer = Exchange::of("GET", "/").answers(fields);
        (answer.fields, answer.verdicts.into_iter().map(|(_, action)| action).collect())
    }

    #[test]
    fn s1_undeclared_names_are_stripped_as_a_browser_reads_them() {
        for (field, name) in [
            ("_ga=1; Path=/", "_ga"),
            ("Flexopus_Session=1", "Flexopus_Session"),
            (" \t_ga\t=1", "_ga"),
            ("flexopus session=1", "flexopus session"),
            ("\"flexopus_session\"=1", "\"flexopus_session\""),
            ("_ga=1, flexopus_session=2", "_ga"),
            ("_ga\u{1}=1", "_ga\u{1}"),
        ] {
            let answer = Exchange::of("GET", "/").answers(&[field]);
            assert_eq!(answer.outcome, SetCookieFields::Replaced(Vec::new()), "{field}");
            assert_eq!(answer.verdicts, [(name.to_owned(), Action::Strip(Reason::Undeclared))]);
        }
    }

    #[test]
    fn s2_attributes_are_built_from_the_declaration() {
        for field in [
            "flexopus_session=v",
            " flexopus_session\t= v ",
            "flexopus_session=v; Max-Age=7200; path=/; httponly; samesite=lax",
            "flexopus_session=v; expires=Tue, 24-Nov-2026 12:00:00 GMT; Max-Age=99999999999999999999",
            "flexopus_session=v; Domain=.example; Path=/x; Priority=High; Partitioned; SameSite=None",
            "flexopus_session=v; path=/, _ga=1",
            "flexopus_session=v;;;=;=x",
        ] {
            let expected = format!("flexopus_session=v; {LIVING}; HttpOnly; SameSite=Lax");
            assert_eq!(downstream(&[field]), (vec![expected], vec![Action::Rewrite]), "{field}");
        }
        let fields = ["XSRF-TOKEN=a b,c\"ä=", "visitedMapBuilder="];
        let (fields, _) = downstream(&fields);
        let three_weeks =
            "Max-Age=1814400; Expires=Mon, 14 Dec 2026 12:00:00 GMT; Path=/; Secure; SameSite=Lax";
        assert_eq!(
            fields,
            [
                format!("XSRF-TOKEN=a b,c\"ä=; {LIVING}; SameSite=Lax"),
                format!("visitedMapBuilder=; {three_weeks}")
            ]
        );
    }

    #[test]
    fn s2_domain_path_and_same_site_are_the_declared_ones() {
        let published = Declaration::flexopus().cookies().first().unwrap().clone();
        let cookie = DeclaredCookie {
            domain: Some("flexopus.example".parse().unwrap()),
            path: "/app".parse().unwrap(),
            same_site: SameSite::None,
            ..published
        };
        let built = Built::living(&cookie, Cow::Borrowed(b"v"), 60, 0);
        let expected = "XSRF-TOKEN=v; Max-Age=60; Expires=Thu, 01 Jan 1970 00:01:00 GMT; Path=/app; \
                        Domain=flexopus.example; Secure; SameSite=None";
        assert_eq!(String::from_utf8(built.to_bytes()).unwrap(), expected);
        assert!(built.is(expected.as_bytes()));
        assert!(!built.is(format!("{expected};").as_bytes()));
        assert!(!built.is(b"XSRF-TOKEN=v"));
    }

    #[test]
    fn s2_a_field_that_is_already_as_declared_is_kept() {
        let (first, _) = downstream(&["flexopus_session=v", "XSRF-TOKEN=; max-age=0"]);
        let again: Vec<&str> = first.iter().map(String::as_str).collect();
        let answer = Exchange::of("GET", "/").answers(&again);
        assert_eq!(answer.outcome, SetCookieFields::Untouched);
        assert!(answer.verdicts.iter().all(|(_, action)| *action == Action::Keep));
        let mixed = [again.as_slice(), &["_ga=1"]].concat();
        assert_eq!(downstream(&mixed).0, first);
    }

    #[test]
    fn s3_a_stricter_same_site_stays() {
        for (attributes, expected) in [
            ("SameSite=Strict", "Strict"),
            ("samesite = STRICT", "Strict"),
            ("SameSite=None", "Lax"),
            ("SameSite=Strict; SameSite=Lax", "Lax"),
            ("SameSite=Lax; SameSite=Strict", "Strict"),
            ("SameSite=Strict; SameSite=Other", "Strict"),
            ("SameSite=\"Strict\"", "Lax"),
        ] {
            let (fields, _) = downstream(&[&format!("XSRF-TOKEN=v; {attributes}")]);
            assert_eq!(
                fields,
                [format!("XSRF-TOKEN=v; {LIVING}; SameSite={expected}")],
                "{attributes}"
            );
        }
    }

    #[test]
    fn s4_a_deletion_stays_a_deletion() {
        let long = "9".repeat(1025);
        for (attributes, deletes) in [
            ("Max-Age=0", true),
            ("MAX-AGE = -1", true),
            ("Max-Age=-99999999999999999999", true),
            ("Max-Age=000", true),
            ("Max-Age=-0", true),
            ("Max-Age=0; Expires=Tue, 24 Nov 2026 12:00:00 GMT", true),
            ("Max-Age=60; Max-Age=0", true),
            ("Max-Age=0; Max-Age=x", true),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=", true),
            ("Expires=Mon, 23 Nov 2026 12:00:00 GMT", true),
            ("Expires=Mon, 01 Jan 1601 00:00:00 GMT", true),
            ("Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("Max-Age=-; Expires=Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=never", true),
            ("Expires=Mon, 23 Nov 2026 12:00:01 GMT", false),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=1", false),
            ("Max-Age=0; Max-Age=60", false),
            ("Max-Age=99999999999999999999", false),
            ("Max-Age=+0", false),
            ("Max-Age=0.0", false),
            ("Max-Age", false),
            ("Max-Age=\"0\"", false),
            ("Expires=0", false),
            ("Expires", false),
            (&format!("Max-Age=-{long}"), false),
        ] {
            let (fields, _) = downstream(&[&format!("XSRF-TOKEN=old; {attributes}")]);
            let expected = if deletes { DELETED } else { LIVING };
            assert_eq!(
                fields,
                [format!("XSRF-TOKEN=old; {expected}; SameSite=Lax")],
                "{attributes}"
            );
        }
    }

    #[test]
    fn s6_fields_that_browsers_do_not_store_are_stripped() {
        let too_long = format!("XSRF-TOKEN={}", "v".repeat(4087));
        for (field, reason) in [
            ("", Reason::Nameless),
            ("XSRF-TOKEN", Reason::Nameless),
            ("XSRF-TOKEN; a=b", Reason::Nameless),
            ("=XSRF-TOKEN=v", Reason::Nameless),
            (" \t =v", Reason::Nameless),
            ("; XSRF-TOKEN=v", Reason::Nameless),
            ("XSRF-TOKEN=a\u{0}b", Reason::Malformed),
            ("XSRF-TOKEN=a\r\nSet-Cookie: _ga=1", Reason::Malformed),
            ("XSRF-TOKEN=a; x=\u{7f}", Reason::Malformed),
            (&too_long, Reason::Oversize),
        ] {
            assert_eq!(downstream(&[field]), (Vec::new(), vec![Action::Strip(reason)]), "{field}");
        }
        let fits = too_long.strip_suffix('v').unwrap();
        assert_eq!(downstream(&[fits]).1, [Action::Rewrite]);
        let with_tab = "XSRF-TOKEN=a\tb;\tPath=/";
        assert_eq!(downstream(&[with_tab]).0, [format!("XSRF-TOKEN=a\tb; {LIVING}; SameSite=Lax")]);
    }

    #[test]
    fn s7_several_fields_for_one_name_keep_their_order() {
        let (fields, actions) =
            downstream(&["XSRF-TOKEN=1", "_ga=1", "XSRF-TOKEN=; Max-Age=0", "XSRF-TOKEN=2"]);
        let expected = [("1", LIVING), ("", DELETED), ("2", LIVING)];
        let expected =
            expected.map(|(value, with)| format!("XSRF-TOKEN={value}; {with}; SameSite=Lax"));
        assert_eq!(fields, expected);
        let strip = Action::Strip(Reason::Undeclared);
        assert_eq!(actions, [Action::Rewrite, strip, Action::Rewrite, Action::Rewrite]);
    }
}
