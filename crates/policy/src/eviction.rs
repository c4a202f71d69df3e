//! Deletes undeclared cookies from the browser, and after a withdrawal declared ones too (rules E1 to E4).
//!
//! A request contains a cookie's name, but neither the domain nor the path that a deletion must repeat. So each name gets
//! several copies of its deletion, one for each location where the cookie may be stored. The copies are added in passes:
//! first the most likely location for all names, then the next location, until the limit of bytes is reached. The first
//! name, and the location after the most likely one, rotate with the time, so that every name and every location gets
//! its turn in spite of the limit.

use alloc::vec::Vec;

use crate::{
    declaration::{Declaration, DeclaredCookie},
    exchange::RequestFacts,
    location::Location,
    policy::EvictScope,
};

/// The largest number of names that one response evicts (E1).
const MAX_NAMES: usize = 20;

/// The largest number of bytes in all evicting field values of one response (E1).
const MAX_BYTES: usize = 8192;

/// The largest number of deletions of a withdrawal, apart from those of the declared cookies where they are declared (E4).
/// Proxies before the gateway often accept no head of more than 100 fields.
const MAX_WITHDRAWAL_FIELDS: usize = 80;

/// The largest number of bytes in these deletions (E4). Proxies before the gateway often accept no head of more than 16 KiB.
const MAX_WITHDRAWAL_BYTES: usize = 12_288;

/// The evictions of one response.
#[derive(Debug)]
pub(crate) struct Evictions<'n> {
    /// The undeclared names, each once.
    pub(crate) names: Vec<&'n [u8]>,
    /// The `Set-Cookie` fields, at least one for each name.
    pub(crate) fields: Vec<Vec<u8>>,
    /// The number of bytes that further fields may have.
    bytes_left: usize,
    /// The number of fields that may be added.
    fields_left: usize,
}

impl<'n> Evictions<'n> {
    /// Builds the deletions of a navigation (E1). `names` are the undeclared tokens of the request, in order and possibly repeated.
    pub(crate) fn of(
        names: &[&'n [u8]],
        request: RequestFacts<'_>,
        scope: EvictScope,
        date_unix_s: u64,
    ) -> Self {
        let mut evictions = Self::with_room(MAX_BYTES, usize::MAX);
        let names = distinct(names);
        // After each full turn of the names the locations skip one, so that each name meets each location.
        let rounds =
            u64::try_from(names.len()).ok().and_then(|names| date_unix_s.checked_div(names));
        let locations_turn = date_unix_s.saturating_add(rounds.unwrap_or(0));
        for name in in_turn(names, date_unix_s) {
            if evictions.names.len() < MAX_NAMES && evictions.add(name, Location::HOST) {
                evictions.names.push(name);
            }
        }
        for location in in_turn(Location::of_navigation(request, scope), locations_turn) {
            for name in evictions.names.clone() {
                evictions.add(name, location);
            }
        }
        evictions
    }

    /// Builds the deletions of a withdrawal (E4): of the `declared` cookies that the request contained, apart from the
    /// locations for which they are declared, and of the `undeclared` tokens, in order and possibly repeated.
    pub(crate) fn of_withdrawal(
        declared: &[&'n DeclaredCookie],
        undeclared: &[&'n [u8]],
        request: RequestFacts<'_>,
        declaration: &Declaration,
    ) -> Self {
        let mut evictions = Self::with_room(MAX_WITHDRAWAL_BYTES, MAX_WITHDRAWAL_FIELDS);
        let undeclared = distinct(undeclared);
        for location in Location::of_withdrawal(request, declaration) {
            for cookie in declared.iter().filter(|cookie| !location.is_of(cookie)) {
                evictions.add(cookie.name.as_bytes(), location);
            }
            for name in &undeclared {
                if evictions.add(name, location) && !evictions.names.contains(name) {
                    evictions.names.push(name);
                }
            }
        }
        evictions
    }

    fn with_room(bytes_left: usize, fields_left: usize) -> Self {
        Self { names: Vec::new(), fields: Vec::new(), bytes_left, fields_left }
    }

    /// Adds one copy. Returns false if it would exceed a limit, or if no cookie of this name can be stored in
    /// that location.
    fn add(&mut self, name: &[u8], location: Location<'_>) -> bool {
        let deletion = location.deletion(name);
        let bytes = deletion.iter().fold(0, |sum: usize, piece| sum.saturating_add(piece.len()));
        let left = self.bytes_left.checked_sub(bytes).zip(self.fields_left.checked_sub(1));
        let Some((bytes_left, fields_left)) = left.filter(|_| location.may_hold(name)) else {
            return false;
        };
        (self.bytes_left, self.fields_left) = (bytes_left, fields_left);
        self.fields.push(deletion.concat());
        true
    }
}

/// Returns each name once.
fn distinct<'n>(names: &[&'n [u8]]) -> Vec<&'n [u8]> {
    let mut distinct: Vec<&[u8]> = Vec::new();
    for name in names {
        if !distinct.contains(name) {
            distinct.push(name);
        }
    }
    distinct
}

/// Rotates `list` so that it begins with an item that the time chooses.
fn in_turn<T>(mut list: Vec<T>, date_unix_s: u64) -> Vec<T> {
    let turn = usize::try_from(date_unix_s).unwrap_or(0).checked_rem(list.len());
    list.rotate_left(turn.unwrap_or(0));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::ResponseFacts,
        fixture::{DATE_UNIX_S, Exchange},
        verdict::{Action, NotEvicted},
    };

    const DELETED: &str = "=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=";

    fn page(path: &'static str, cookies: &str) -> Exchange {
        Exchange::of("GET", path).html().sends(cookies)
    }

    fn reaching(scope: EvictScope, host: &'static str) -> Vec<String> {
        let mut exchange = Exchange { host, ..page("/", "_ga=1") };
        exchange.policy.evict = scope;
        exchange.answers(&[]).fields
    }

    #[test]
    fn e1_a_navigation_deletes_undeclared_cookies() {
        let answer = page("/map/7/edit/", "flexopus_session=s; _ga=1").answers(&["XSRF-TOKEN=t"]);
        let at = |rest: &str| format!("_ga{DELETED}{rest}");
        let added = answer.fields.get(1..).unwrap();
        assert_eq!(
            added,
            [
                at("/; Secure"),
                at("/; Domain=acme.flexopus.example; Secure"),
                at("/; Secure; SameSite=None; Partitioned"),
                at("/map/7/edit; Secure"),
                at("/map/7/edit; Domain=acme.flexopus.example; Secure"),
                at("/map/7; Secure"),
                at("/map/7; Domain=acme.flexopus.example; Secure"),
                at("/map; Secure"),
                at("/map; Domain=acme.flexopus.example; Secure"),
            ]
        );
        assert_eq!(answer.added(), [("_ga", Action::Evict)]);
    }

    #[test]
    fn e1_only_a_navigation_evicts() {
        let evicts = |exchange: Exchange| !exchange.answers(&[]).added().is_empty();
        let sends = "_ga=1";
        assert!(evicts(page("/", sends)));
        assert!(!evicts(page("/", sends).with_html(false)));
        for method in ["POST", "HEAD", "OPTIONS", "get"] {
            assert!(!evicts(Exchange::of(method, "/").html().sends(sends)), "{method}");
        }
        for status in [200, 302, 404, 500] {
            assert!(evicts(page("/", sends).status(status)), "{status}");
        }
        for status in [101, 304] {
            assert!(!evicts(page("/", sends).status(status)), "{status}");
        }
        assert_eq!(reaching(EvictScope::Off, "acme.example"), [""; 0]);
    }

    #[test]
    fn e1_a_response_that_evicts_nothing_has_a_reason() {
        let why = |exchange: &Exchange, status| {
            let response = ResponseFacts {
                status,
                date_unix_s: DATE_UNIX_S,
                now_unix_s: DATE_UNIX_S,
                uptime_s: 0,
            };
            exchange.declines_eviction(Some(response))
        };
        let navigation = page("/", "_ga=1");
        assert_eq!(why(&navigation, 404), None);
        assert_eq!(why(&navigation, 101), Some(NotEvicted::Upgrade));
        assert_eq!(why(&navigation, 304), Some(NotEvicted::Freshening));
        assert_eq!(navigation.declines_eviction(None), None);
        let call = page("/", "_ga=1").with_html(false);
        assert_eq!(call.declines_eviction(None), Some(NotEvicted::NoNavigation));
        let mut off = call;
        off.policy.evict = EvictScope::Off;
        assert_eq!(why(&off, 101), Some(NotEvicted::Off));
    }

    #[test]
    fn e1_domain_scope_reaches_down_to_the_registrable_domain() {
        for (host, expected) in [
            ("a.b.acme.co.uk", &["a.b.acme.co.uk", "b.acme.co.uk", "acme.co.uk"][..]),
            ("acme.co.uk", &["acme.co.uk"]),
            ("co.uk", &["co.uk"]),
            ("me.github.io", &["me.github.io"]),
            ("localhost", &["localhost"]),
            ("192.0.2.7", &[]),
            ("[2001:db8::1]", &[]),
            ("", &[]),
            ("a;b.example", &[]),
        ] {
            let fields = reaching(EvictScope::Domain, host);
            let domain = |field: &String| {
                let (_, from) = field.split_once("Domain=")?;
                from.split(';').next().map(ToOwned::to_owned)
            };
            assert_eq!(fields.iter().filter_map(domain).collect::<Vec<_>>(), expected, "{host}");
        }
        assert_eq!(reaching(EvictScope::Host, "a.acme.example").len(), 3);
    }

    #[test]
    fn e1_a_host_prefix_is_at_the_root_of_the_host_only() {
        let fields = page("/a/b", "__hOst-x=1").answers(&[]).fields;
        let expected = ["/; Secure", "/; Secure; SameSite=None; Partitioned"];
        assert_eq!(fields, expected.map(|rest| format!("__hOst-x{DELETED}{rest}")));
    }

    #[test]
    fn e1_stays_within_20_names_and_8_kib() {
        let cookies = |width: usize| {
            let names: Vec<String> = (0..50).map(|n| format!("{n:0>width$}=1")).collect();
            names.join("; ")
        };
        let bytes = |fields: &[String]| fields.iter().map(String::len).sum::<usize>();
        let short = page("/a/b/c", &cookies(2)).answers(&[]);
        assert_eq!(short.added().len(), 20);
        assert!((8000..=8192).contains(&bytes(&short.fields)), "{}", bytes(&short.fields));
        // Each name gets its most likely copy before any name gets another one.
        let likeliest = short.fields.iter().filter(|field| field.ends_with("Path=/; Secure"));
        assert_eq!(likeliest.count(), 20);
        let long = page("/", &cookies(600)).answers(&[]);
        assert_eq!((long.added().len(), bytes(&long.fields) <= 8192), (12, true));
        let huge = page("/", &format!("{}=1; b=1", "n".repeat(4097))).answers(&[]);
        assert_eq!(huge.added(), [("b", Action::Evict)]);
    }

    #[test]
    fn e1_every_name_has_its_turn() {
        let names: Vec<String> = (0..50).map(|n| format!("n{n}")).collect();
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let request = RequestFacts {
            method: "GET",
            path: "/",
            host: "acme.example",
            accepts_html: true,
            seal: None,
        };
        let firsts = (0..50).map(|s| {
            let evictions = Evictions::of(&names, request, EvictScope::Host, DATE_UNIX_S + s);
            *evictions.names.first().unwrap()
        });
        let mut firsts: Vec<_> = firsts.collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 50);
    }

    #[test]
    fn e1_every_name_meets_every_location_however_few_fit() {
        let names: Vec<String> = (10..20).map(|n| format!("{n}{}", "n".repeat(600))).collect();
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let (path, host) = ("/a/b", "acme.example");
        let request = RequestFacts { method: "GET", path, host, accepts_html: true, seal: None };
        let mut met: Vec<_> = (0..300)
            .flat_map(|s| {
                let evictions = Evictions::of(&names, request, EvictScope::Host, DATE_UNIX_S + s);
                assert!(evictions.fields.len() < 15, "not even two locations fit at once");
                evictions.fields
            })
            .collect();
        met.sort_unstable();
        met.dedup();
        // Each at the host, its domain, partitioned, and two prefixes twice.
        assert_eq!(met.len(), 10 * 7);
    }

    #[test]
    fn e1_every_location_has_its_turn() {
        let names: Vec<String> = (0..20).map(|n| format!("{n}{}", "n".repeat(20))).collect();
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let (path, host) = ("/a/b/c", "a.b.acme.example");
        let request = RequestFacts { method: "GET", path, host, accepts_html: true, seal: None };
        let reached = (0..30).flat_map(|s| {
            let evictions = Evictions::of(&names, request, EvictScope::Domain, DATE_UNIX_S + s);
            assert!(evictions.fields.len() < 100, "not all locations fit at once");
            evictions.fields
        });
        let mut locations: Vec<_> =
            reached.filter(|field| field.starts_with(names.first().unwrap())).collect();
        locations.sort_unstable();
        locations.dedup();
        // Host-only, three domains, partitioned, three prefixes twice.
        assert_eq!(locations.len(), 11, "{locations:#?}");
    }

    #[test]
    fn e4_a_withdrawal_deletes_each_name_at_every_location_whatever_evict_says() {
        let cookies = "_ga=1; XSRF-TOKEN=t; _ga=2; a b=3; XSRF-TOKEN=u";
        let withdrawal = Exchange::of("POST", "/cookies/withdraw").sends(cookies);
        let (fields, evicted) = withdrawal.withdraws();
        let (declared, others) = fields.split_at_checked(3).unwrap();
        let expected =
            ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"].map(|name| format!("{name}=;"));
        assert!(declared.iter().zip(&expected).all(|(field, name)| field.starts_with(name)));
        let of = |name: &str| -> Vec<_> {
            let deleted = format!("{name}{DELETED}");
            others.iter().filter_map(|field| field.strip_prefix(&deleted)).collect()
        };
        let elsewhere = [
            "/; Domain=acme.flexopus.example; Secure",
            "/; Domain=flexopus.example; Secure",
            "/; Secure; SameSite=None; Partitioned",
            "/; Domain=acme.flexopus.example; Secure; SameSite=None; Partitioned",
            "/; Domain=flexopus.example; Secure; SameSite=None; Partitioned",
            "/cookies/withdraw; Secure",
            "/cookies/withdraw; Domain=acme.flexopus.example; Secure",
            "/cookies/withdraw; Domain=flexopus.example; Secure",
            "/cookies; Secure",
            "/cookies; Domain=acme.flexopus.example; Secure",
            "/cookies; Domain=flexopus.example; Secure",
        ];
        assert_eq!(of("XSRF-TOKEN"), elsewhere);
        assert_eq!(of("_ga"), [&["/; Secure"][..], &elsewhere].concat());
        assert_eq!((others.len(), evicted), (23, vec!["_ga".to_owned()]));
        for scope in EvictScope::ALL {
            let mut other = withdrawal.clone();
            other.policy.evict = scope;
            assert_eq!(other.withdraws().0, fields, "{scope:?}");
        }
    }

    #[test]
    fn e4_a_withdrawal_deletes_at_the_declared_paths() {
        let mut withdrawal = Exchange::of("POST", "/withdraw").sends("_ga=1; XSRF-TOKEN=t");
        withdrawal.host = "localhost";
        let mut cookies = withdrawal.policy.declaration.cookies().to_vec();
        cookies.first_mut().unwrap().path = "/app".parse().unwrap();
        withdrawal.policy.declaration = Declaration::new(cookies).unwrap().into();
        let (fields, _) = withdrawal.withdraws();
        let at = |field: &&String| field.contains("Path=/app");
        let at_app: Vec<_> = fields.iter().filter(at).collect();
        let (token, others) = at_app.split_first().unwrap();
        assert!(token.starts_with("XSRF-TOKEN=; "), "{token}");
        let expected = [
            format!("_ga{DELETED}/app; Secure"),
            format!("XSRF-TOKEN{DELETED}/app; Domain=localhost; Secure"),
            format!("_ga{DELETED}/app; Domain=localhost; Secure"),
        ];
        assert_eq!(others, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn e4_a_withdrawal_stays_within_80_fields_and_12_kib_and_the_most_likely_come_first() {
        let names: Vec<String> = (0..100).map(|n| format!("tracker_{n}=1")).collect();
        let withdrawal = Exchange::of("POST", "/withdraw").sends(&names.join("; "));
        let (fields, evicted) = withdrawal.withdraws();
        let others = fields.get(3..).unwrap();
        assert!(others.iter().all(|field| field.ends_with("Path=/; Secure")));
        assert_eq!((others.len(), evicted.len()), (80, 80));
        let names: Vec<String> = (0..20).map(|n| format!("{n}{}=1", "n".repeat(500))).collect();
        let withdrawal = Exchange::of("POST", "/withdraw").sends(&names.join("; "));
        let (fields, evicted) = withdrawal.withdraws();
        let bytes = fields.iter().skip(3).map(String::len).sum::<usize>();
        assert!((11_600..=12_288).contains(&bytes), "{bytes}");
        assert_eq!(evicted.len(), 20);
    }

    #[test]
    fn e2_only_undeclared_tokens_are_echoed_each_once() {
        let cookies = "_ga=1; a b=2; ä=3; _ga=4; =5; six; flexopus_session=a b; flexopus_session=8; [x]=9; y=\"";
        let answer = page("/", cookies).answers(&[]);
        let mut evicted = answer.added();
        evicted.sort_unstable_by_key(|(name, _)| *name);
        assert_eq!(evicted, [("_ga", Action::Evict), ("y", Action::Evict)]);
        assert_eq!(answer.fields.len(), 6);
    }
}
